"""messages -> text, by any OpenAI-compatible endpoint: streamed, within one deadline, to be stopped at any moment.

A request runs in an event loop in a thread of its own. Only there everything can be broken off at once: looking
up a host, connecting, waiting to try again, waiting for a piece. Breaking off closes the connection, which tells
a local server to stop computing.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from queue import Empty, SimpleQueue
from typing import Any, cast

import httpx2
import openai
from openai.types.chat import ChatCompletionChunk

from app.answer import LanguageModelError
from app.endpoint import Endpoint, EndpointError, check_endpoint

_TICK_SECONDS = 0.05
"""How often the reader looks whether it is to stop."""
_CONNECT_SECONDS = 10.0
_MAX_TRIES = 3
_PASSING_STATUSES = frozenset({429, 500, 502, 503, 504})
_MAX_BYTES = 32 * 2**20
"""A long answer has about one: a piece of a few letters comes in some 300 bytes."""
_MAX_SHOWN = 200
"""Characters of a server's own words in a message."""
_THOUGHT, _END_OF_THOUGHT = "<think>", "</think>"
_TOO_LONG = ("context_length", "context length", "context size", "context window", "maximum context", "too many tokens")
"""By these words OpenAI, Azure, vLLM, llama.cpp and LM Studio say that a prompt is too long."""

_Give = Callable[[str | LanguageModelError | None], None]


class OpenAILanguageModel:
    """Chat Completions of OpenAI, Azure, Ollama, vLLM, llama.cpp, LM Studio and the like; safe to share by threads."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        deadline_seconds: float = 120.0,
        stall_seconds: float = 30.0,
        retry_seconds: float = 0.5,
        max_characters: int = 100_000,
    ) -> None:
        """deadline_seconds: for the whole answer, with connecting, all tries and their waits.

        stall_seconds: between two pieces; the first one may take until the deadline, since a local model may read
        that long. retry_seconds: before the second try, where the server does not say; twice as long before the third.
        """
        self.name = endpoint.model
        self.endpoint = endpoint
        self._deadline_seconds = deadline_seconds
        self._stall_seconds = stall_seconds
        self._retry_seconds = retry_seconds
        self._max_characters = max_characters
        self._options: dict[str, Any] = {"temperature": 0}

    def stream(self, messages: Sequence[Mapping[str, str]], stop: threading.Event | None = None) -> Iterator[str]:
        """Pieces of the answer, without what the model thinks first; see LanguageModel.stream.

        Who reads no further breaks it off too, by closing the iterator.
        """
        stop = stop or threading.Event()
        if stop.is_set():
            return
        arrived: SimpleQueue[str | LanguageModelError | None] = SimpleQueue()
        work = _Work(self._answer(messages, arrived.put))
        work.start()
        try:
            while not stop.is_set():
                try:
                    piece = arrived.get(timeout=_TICK_SECONDS)
                except Empty:
                    continue
                if piece is None:
                    return
                if isinstance(piece, LanguageModelError):
                    raise piece
                yield piece
        finally:
            work.cancel()

    async def _answer(self, messages: Sequence[Mapping[str, str]], give: _Give) -> None:
        """Give the pieces as they come, then None, or what went wrong."""
        text = _Text(give, self._max_characters, self._error_of_length)
        try:
            check_endpoint(self.endpoint)
            async with asyncio.timeout(self._deadline_seconds) as deadline, connect(self.endpoint) as client:
                await self._try(client, messages, text, deadline)
            give(None)
        except Exception as error:  # what comes over the network can break the client anywhere
            give(self._explained(error))

    async def _try(
        self,
        client: openai.AsyncOpenAI,
        messages: Sequence[Mapping[str, str]],
        text: _Text,
        deadline: asyncio.Timeout,
    ) -> None:
        """Ask, and ask again after what may pass, as long as nothing has come."""
        for attempt in range(1, _MAX_TRIES + 1):
            try:
                await self._ask(client, messages, text)
                return
            except openai.APIError as error:
                if text.begun or attempt == _MAX_TRIES or not self._may_pass(error):
                    raise
                wait_seconds = _retry_after_seconds(error)
                if wait_seconds is None:
                    wait_seconds = self._retry_seconds * 2 ** (attempt - 1)
                if wait_seconds >= (deadline.when() or math.inf) - asyncio.get_running_loop().time():
                    raise
            await asyncio.sleep(wait_seconds)

    def _may_pass(self, error: openai.APIError) -> bool:
        """Whether the same request may be answered when it is sent again."""
        if isinstance(error, openai.BadRequestError) and "temperature" in str(error).lower():
            self._options = {}  # some models have one temperature only, and no other is asked of them from now on
            return True
        if isinstance(error, openai.APIStatusError):
            return error.status_code in _PASSING_STATUSES and error.code != "insufficient_quota"
        return isinstance(error, openai.APIConnectionError)

    async def _ask(self, client: openai.AsyncOpenAI, messages: Sequence[Mapping[str, str]], text: _Text) -> None:
        """One request, whose pieces go into the text. Raises whatever goes wrong, LanguageModelError if it was cut."""
        async with await client.chat.completions.create(
            model=self.name, messages=cast(Any, list(messages)), stream=True, **self._options
        ) as events:
            try:
                async with asyncio.timeout(None) as patience:
                    finish_reason, refusal = await self._read(events, text, patience)
            except TimeoutError:
                raise LanguageModelError(
                    f"{self.name} fell silent for {self._stall_seconds:.0f} seconds in mid-answer; ask again, and if "
                    "that recurs, look whether its server is overloaded"
                ) from None
            if not finish_reason:
                raise self._error_of_silence(events.response.headers.get("content-type", ""), text)
            self._check_end(finish_reason, text, refusal)

    async def _read(
        self, events: openai.AsyncStream[ChatCompletionChunk], text: _Text, patience: asyncio.Timeout
    ) -> tuple[str, str]:
        """Put what comes into the text, up to the finish reason: that, or '', and what the model says to decline."""
        refusal = ""
        async for event in events:
            patience.reschedule(asyncio.get_running_loop().time() + self._stall_seconds)
            for choice in event.choices:
                if choice.index:  # a second answer, which nobody asked for
                    continue
                refusal += getattr(choice.delta, "refusal", None) or ""
                text.add(choice.delta.content or "")
                if choice.finish_reason:  # what may come after it is not waited for
                    text.finish()
                    return choice.finish_reason, refusal
        return "", refusal

    # what went wrong, in words --------------------------------------------------------------------------------

    def _error_of_length(self) -> LanguageModelError:
        return LanguageModelError(
            f"{self.name} wrote more than {self._max_characters:,} characters, far more than an answer, and was "
            "stopped; ask again or use another model"
        )

    def _check_end(self, reason: str, text: _Text, refusal: str) -> None:
        """Raises LanguageModelError unless this finish reason is that of a whole answer."""
        if refusal:
            raise LanguageModelError(f"{self.name} declined: {self._safe(refusal)}; put the question differently")
        if reason == "stop" and text.is_empty:
            raise LanguageModelError(f"{self.name} wrote nothing; ask again or use another model")
        if reason == "stop":
            return
        meaning = {
            "length": "reached its limit of length before the end; ask for less, or raise what its server allows",
            "content_filter": f"was cut off by the content filter of {self.endpoint.where}; put the question "
            "differently, or strike out the source that it may object to",
            "tool_calls": "asked for a tool instead of answering; use a model, or a setting of its server, without",
        }
        meaning["function_call"] = meaning["tool_calls"]
        what = meaning.get(reason, f"was cut off ({self._safe(reason)}); ask again for a whole answer")
        raise LanguageModelError(f"{self.name} {what}")

    def _error_of_silence(self, content_type: str, text: _Text) -> LanguageModelError:
        """The connection ended by itself, without a finish reason."""
        if "text/html" in content_type:
            return LanguageModelError(self._no_completion("a web page"))
        if not text.begun:
            return LanguageModelError(self._no_completion(self._safe(content_type) or "nothing"))
        return LanguageModelError(f"{self.name} was cut off (the connection ended early); ask again for a whole answer")

    def _no_completion(self, what: str) -> str:
        return (
            f"{self.endpoint.where} sent {what} where a streamed chat completion was expected; check the base URL, "
            f"which ends in /v1 as a rule, {self._set_in('OPENAI_BASE_URL')}"
        )

    def _explained(self, error: Exception) -> LanguageModelError:
        """What went wrong, in words that hold no key, and what to do."""
        if isinstance(error, LanguageModelError):
            return error
        if isinstance(error, EndpointError):
            return LanguageModelError(str(error))
        if isinstance(error, TimeoutError):
            return LanguageModelError(
                f"{self.name} took longer than {self._deadline_seconds:.0f} seconds; ask again or use a faster model"
            )
        if isinstance(error, openai.APIStatusError):
            return LanguageModelError(f"{self.endpoint.where} {self._words_for(error)}")
        if isinstance(error, openai.APIConnectionError):
            return LanguageModelError(self._unreached(error))
        if isinstance(error, openai.APIError):
            return LanguageModelError(f"{self.endpoint.where} failed: {self._said(error)}; ask again")
        return LanguageModelError(self._no_completion("something else"))  # its own words may hold anything

    def _unreached(self, error: openai.APIConnectionError) -> str:
        reason = self._safe(error.__cause__ or error)
        if isinstance(error.__cause__, httpx2.RemoteProtocolError | httpx2.ReadError):
            return f"{self.endpoint.where} broke off the connection ({reason}); ask again for a whole answer"
        return (
            f"{self.endpoint.where} cannot be reached ({reason}); start its server, or correct the base URL "
            f"{self._set_in('OPENAI_BASE_URL')}"
        )

    def _words_for(self, error: openai.APIStatusError) -> str:
        """What a status says, and what to do about it."""
        said, status = self._said(error), error.status_code
        if status == 401:
            return f"refused the key ({said}); set a valid one {self._set_in('OPENAI_API_KEY')}"
        if status == 403:
            return f"does not allow this ({said}); use another key or model, {self._set_in('OPENAI_API_KEY')}"
        if status == 404:
            return (
                f"does not know {self.name} ({said}); Test connection on the Settings page lists its models. If it "
                "lists none, the base URL is wrong, which ends in /v1 as a rule"
            )
        if status in (400, 413, 422) and _is_too_long(error):
            return (
                f"finds the question with its passages too long for {self.name} ({said}); set the model's true "
                f"context size {self._set_in('CITELOOP_CONTEXT_TOKENS')}, or ask a shorter question"
            )
        if error.code == "insufficient_quota":
            return f"has no credit left for this key ({said}); raise it there, or use another key or model"
        wait_seconds = _retry_after_seconds(error)
        if status in (429, 503) and wait_seconds:
            num_seconds = math.ceil(wait_seconds)
            return f"is busy and asks to wait {num_seconds} second{'s' if num_seconds > 1 else ''}; ask again then"
        if status == 429:
            return f"is busy ({said}); ask again in a minute"
        if 300 <= status < 400:
            target = self._safe(error.response.headers.get("location", "elsewhere"))
            return f"leads to {target}; if that is right, set it as the base URL {self._set_in('OPENAI_BASE_URL')}"
        if status >= 500:
            return f"failed with status {status} ({said}); ask again, and if that recurs, look into its log"
        return f"refused with status {status} ({said}); check model and base URL {self._set_in('OPENAI_MODEL')}"

    def _set_in(self, variable: str) -> str:
        """Where this is to be corrected."""
        return "on the Settings page" if self.endpoint.saved else f"on the Settings page or in {variable}"

    def _said(self, error: openai.APIError) -> str:
        """The server's own words, shortened and without the key."""
        body = error.body
        if isinstance(body, Mapping):
            body = body.get("message") or body.get("detail") or body
        text = str(body or error.message)
        return "a web page" if text.lstrip().startswith("<") else self._safe(text)

    def _safe(self, words: object) -> str:
        """Words from outside in one line; the key is taken out before the cut could leave half of it."""
        text = str(words)
        if self.endpoint.key:
            text = text.replace(self.endpoint.key, "***")
        text = " ".join(text.split())
        return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


class _Text:
    """The text of an answer on its way: without the thoughts at its beginning, and of limited length."""

    def __init__(self, give: _Give, max_characters: int, error_of_length: Callable[[], LanguageModelError]) -> None:
        self.begun = False
        self.is_empty = True
        self._give = give
        self._num_left = max_characters
        self._error_of_length = error_of_length
        self._held = ""  # what may be the beginning or the end of a thought
        self._is_thought = False
        self._is_answer = False

    def add(self, piece: str) -> None:
        """Take a piece as the server sent it, maybe ''. Raises LanguageModelError when it is too much."""
        self.begun = True
        if not isinstance(piece, str):  # the client does not check what it hands on
            raise TypeError("content must be text")
        self._show(piece if self._is_answer else self._after_thoughts(piece))

    def finish(self) -> None:
        """Show what was held back, since no thought has come of it."""
        if not self._is_thought and not self._is_answer:
            self._show(self._held.lstrip())

    def _show(self, piece: str) -> None:
        self._num_left -= len(piece)
        if self._num_left < 0:
            raise self._error_of_length()
        if piece:
            self.is_empty = False
            self._give(piece)

    def _after_thoughts(self, piece: str) -> str:
        """What of the text so far is answer, without the white space before it."""
        self._held += piece
        if self._is_thought:
            _, closed, rest = self._held.partition(_END_OF_THOUGHT)
            self._held = rest if closed else self._held[-len(_END_OF_THOUGHT) :]
            self._is_thought = not closed
        begun = self._held.lstrip()
        if self._is_thought or _THOUGHT.startswith(begun):
            return ""
        if begun.startswith(_THOUGHT):
            self._is_thought = True
            return self._after_thoughts("")
        self._is_answer = True
        return begun


class _Work(threading.Thread):
    """A coroutine in an event loop of its own, that any thread may break off."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        super().__init__(name="language model", daemon=True)
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(work)

    def run(self) -> None:
        try:
            with suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._task)
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()  # which does not wait for a host name that is still being looked up

    def cancel(self) -> None:
        """Break it off, if it is not done; this does not wait."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._task.cancel)


# the client ---------------------------------------------------------------------------------------------------


def connect(endpoint: Endpoint) -> openai.AsyncOpenAI:
    """A client that asks this endpoint alone, for one event loop: it follows no redirect and does not retry.

    Its time is not limited, but for connecting.
    """
    http = httpx2.AsyncClient(
        verify=_certificates(),
        follow_redirects=False,  # the passages go to the server that was configured, and to no other
        event_hooks={"response": [_limit]},
        headers={"Accept-Encoding": "identity"},  # a small packed body can be a huge one
    )
    timeout = httpx2.Timeout(None, connect=_CONNECT_SECONDS)
    key = endpoint.key or "none"  # local servers want no key, but the client insists on one
    client: openai.AsyncOpenAI
    if endpoint.api_version:
        client = openai.AsyncAzureOpenAI(
            azure_endpoint=endpoint.url,
            api_version=endpoint.api_version,
            api_key=key,
            timeout=timeout,
            max_retries=0,
            http_client=http,
        )
    else:
        client = openai.AsyncOpenAI(
            base_url=endpoint.url, api_key=key, timeout=timeout, max_retries=0, http_client=http
        )
    if endpoint.saved:  # what the environment has for its own server (OPENAI_CUSTOM_HEADERS may hold a key) stays here
        client.organization = client.project = None
        client._custom_headers = {}
    return client


@cache
def _certificates() -> ssl.SSLContext:
    """What a server's certificate is checked against; reading it takes longer than a request."""
    return httpx2.create_ssl_context()


async def _limit(response: httpx2.Response) -> None:
    response.stream = _Limited(cast(httpx2.AsyncByteStream, response.stream))


class _Limited(httpx2.AsyncByteStream):
    """A body that ends with an error when it has become far too large, also in the middle of a line."""

    def __init__(self, body: httpx2.AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        num_left = _MAX_BYTES
        async for part in self._body:
            num_left -= len(part)
            if num_left < 0:
                raise LanguageModelError(
                    f"the language model's server sent more than {_MAX_BYTES // 2**20} MB, far more than an answer, "
                    "and was stopped; ask again or use another model"
                )
            yield part

    async def aclose(self) -> None:
        await self._body.aclose()


def _is_too_long(error: openai.APIStatusError) -> bool:
    words = f"{error.code} {error.type} {error.body}".lower().replace("exceed_context_size", "context size")
    return any(mark in words for mark in _TOO_LONG)


def _retry_after_seconds(error: openai.APIError) -> float | None:
    """How long the server asks to wait: milliseconds, seconds or a date; None where it does not say."""
    if not isinstance(error, openai.APIStatusError):
        return None
    headers = error.response.headers
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        with suppress(KeyError, ValueError):
            seconds = float(headers[name]) * unit
            return max(seconds, 0.0) if math.isfinite(seconds) else None
    with suppress(KeyError, ValueError, TypeError):
        return max((parsedate_to_datetime(headers["retry-after"]) - datetime.now(UTC)).total_seconds(), 0.0)
    return None


# the test of a connection -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """What came of asking an endpoint one small question.

    message: for the person who set it up. models: the names that the server lists, empty where it lists none.
    first_piece_ms, total_ms: None where it did not answer whole.
    """

    works: bool
    message: str
    models: tuple[str, ...] = ()
    first_piece_ms: float | None = None
    total_ms: float | None = None


_SMALL_QUESTION = [{"role": "user", "content": "Answer with one word: is water wet?"}]
_LIST_SECONDS = 5.0
_MAX_NAMED = 8


def try_connection(endpoint: Endpoint, deadline_seconds: float = 30.0) -> ConnectionReport:
    """List the models and have one small question answered; what fails is told, never raised."""
    try:
        check_endpoint(endpoint)
    except EndpointError as error:
        return ConnectionReport(False, str(error))
    started = time.monotonic()
    models = _list_models(endpoint, min(_LIST_SECONDS, deadline_seconds / 2))
    left_seconds = deadline_seconds - (time.monotonic() - started)
    writer = OpenAILanguageModel(endpoint, deadline_seconds=left_seconds)
    asked = time.monotonic()
    first_piece_ms = None
    try:
        for _ in writer.stream(_SMALL_QUESTION):
            first_piece_ms = first_piece_ms or (time.monotonic() - asked) * 1000
    except LanguageModelError as error:
        hint = _hint(endpoint, models, deadline_seconds - (time.monotonic() - started))
        return ConnectionReport(False, f"{error}.{hint}", models)
    total_ms = (time.monotonic() - asked) * 1000
    unlisted = "" if _is_listed(endpoint.model, models) else _have(models)
    return ConnectionReport(
        True,
        f"{endpoint.model} at {endpoint.where} answers: the first piece came after {first_piece_ms:.0f} ms, "
        f"the last after {total_ms:.0f} ms.{unlisted}",
        models,
        first_piece_ms,
        total_ms,
    )


def _list_models(endpoint: Endpoint, timeout_seconds: float) -> tuple[str, ...]:
    """The names of the models that a server has, as far as it tells."""

    async def ask() -> tuple[str, ...]:
        async with asyncio.timeout(timeout_seconds), connect(endpoint) as client:
            return tuple([str(model.id) async for model in client.models.list()])

    if endpoint.api_version:  # Azure lists what could be deployed, not what is
        return ()
    try:
        return asyncio.run(ask())
    except Exception:  # many servers have no such list, and what is wrong otherwise the question will tell
        return ()


def _hint(endpoint: Endpoint, models: Sequence[str], left_seconds: float) -> str:
    """What else may help where the question was not answered."""
    if models:
        return "" if _is_listed(endpoint.model, models) else _have(models)
    longer = f"{endpoint.url}/v1"
    if left_seconds > 0 and not endpoint.url.endswith("/v1"):
        found = _list_models(replace(endpoint, base_url=longer), min(_LIST_SECONDS, left_seconds))
        return f" At {longer} there are models: use that as the base URL." if found else ""
    return ""


def _is_listed(model: str, models: Sequence[str]) -> bool:
    """Ollama lists `name:latest` and takes `name` for it."""
    return not models or model in models or f"{model}:latest" in models


def _have(models: Sequence[str]) -> str:
    more = f" and {len(models) - _MAX_NAMED} more" if len(models) > _MAX_NAMED else ""
    return f" The server does not list this model, but these: {', '.join(models[:_MAX_NAMED])}{more}."
