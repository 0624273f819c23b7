"""messages -> text, by any OpenAI-compatible endpoint: streamed, within one deadline, cancellable at any moment.

A request runs in an event loop in a separate thread, where every step can be cancelled at once: looking up a host,
connecting, waiting to retry, waiting for a piece. Cancelling closes the connection, which tells a local server to stop
computing.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, cast

import openai
from openai.types.chat import ChatCompletionChunk

from app.language_model.client import connect
from app.language_model.endpoint import Endpoint, check_endpoint
from app.language_model.failures import Failures, retry_after_seconds
from app.language_model.protocol import LanguageModelError

_TICK_SECONDS = 0.05
"""How often the reader checks for a request to stop."""
_MAX_TRIES = 3
_TRANSIENT_STATUSES = frozenset({429, 500, 502, 503, 504})
_THOUGHT, _END_OF_THOUGHT = "<think>", "</think>"

_Give = Callable[[str | LanguageModelError | None], None]


class OpenAILanguageModel:
    """Chat Completions of OpenAI, Azure, Ollama, vLLM, llama.cpp, LM Studio and the like; thread-safe."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        deadline_seconds: float = 120.0,
        stall_seconds: float = 30.0,
        retry_seconds: float = 0.5,
        max_characters: int = 100_000,
    ) -> None:
        """deadline_seconds: for the whole answer, with connecting, retries and waits.

        stall_seconds: between two pieces; the first may take until the deadline, since a local model may read that
        long. retry_seconds: before the second try unless the server says; doubled before the third.
        """
        self.name = endpoint.model
        self.endpoint = endpoint
        self._deadline_seconds = deadline_seconds
        self._stall_seconds = stall_seconds
        self._retry_seconds = retry_seconds
        self._max_characters = max_characters
        self._failures = Failures(endpoint, deadline_seconds)
        self._options: dict[str, Any] = {"temperature": 0}
        self._has_system_role = True

    def stream(self, messages: Sequence[Mapping[str, Any]], stop: threading.Event | None = None) -> Iterator[str]:
        """Yield pieces of the answer, without the model's initial thoughts; see LanguageModel.stream.

        Closing the iterator cancels the request.
        """
        stop = stop or threading.Event()
        if stop.is_set():
            return
        pieces: SimpleQueue[str | LanguageModelError | None] = SimpleQueue()
        work = _Work(self._answer(messages, pieces.put))
        work.start()
        try:
            while not stop.is_set():
                try:
                    piece = pieces.get(timeout=_TICK_SECONDS)
                except Empty:
                    continue
                if piece is None:
                    return
                if isinstance(piece, LanguageModelError):
                    raise piece
                yield piece
        finally:
            work.cancel()

    async def _answer(self, messages: Sequence[Mapping[str, Any]], give: _Give) -> None:
        """Give each piece as it arrives, then None or an error."""
        text = _Text(give, self._max_characters, self._failures)
        try:
            check_endpoint(self.endpoint)
            async with asyncio.timeout(self._deadline_seconds) as deadline, connect(self.endpoint) as client:
                await self._try(client, messages, text, deadline)
            give(None)
        except Exception as error:  # malformed data can make the client raise anything
            give(self._failures.explained(error, begun=text.begun))

    async def _try(
        self,
        client: openai.AsyncOpenAI,
        messages: Sequence[Mapping[str, Any]],
        text: _Text,
        deadline: asyncio.Timeout,
    ) -> None:
        """Retry transient failures until the first piece arrives."""
        for attempt in range(1, _MAX_TRIES + 1):
            try:
                await self._ask(client, messages, text)
                return
            except openai.APIError as error:
                if text.begun or attempt == _MAX_TRIES or not self._is_transient(error):
                    raise
                wait_seconds = retry_after_seconds(error)
                if wait_seconds is None:
                    wait_seconds = self._retry_seconds * 2 ** (attempt - 1)
                if wait_seconds >= (deadline.when() or math.inf) - asyncio.get_running_loop().time():
                    raise
            await asyncio.sleep(wait_seconds)

    def _is_transient(self, error: openai.APIError) -> bool:
        """Return whether a retry may succeed; drops the temperature if the model refuses it."""
        if isinstance(error, openai.BadRequestError) and "temperature" in str(error).lower():
            self._options = {}  # some models allow only their default temperature
            return True
        if isinstance(error, openai.BadRequestError) and "system role" in str(error).lower() and self._has_system_role:
            self._has_system_role = False
            return True
        if isinstance(error, openai.APIStatusError):
            return error.status_code in _TRANSIENT_STATUSES and error.code != "insufficient_quota"
        return isinstance(error, openai.APIConnectionError)

    def _adapted(self, messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The messages; where the chat template has no system role, as in Gemma's, all in one of the user."""
        if self._has_system_role:
            return list(messages)
        parts = [part for message in messages for part in _parts_of(message["content"])]
        text = "\n\n".join(part["text"] for part in parts if part["type"] == "text")
        pictures = [part for part in parts if part["type"] != "text"]
        return [{"role": "user", "content": [{"type": "text", "text": text}, *pictures] if pictures else text}]

    async def _ask(self, client: openai.AsyncOpenAI, messages: Sequence[Mapping[str, Any]], text: _Text) -> None:
        """Send one request and add its pieces to the text. Raises any error, LanguageModelError if it was cut off."""
        async with await client.chat.completions.create(
            model=self.name, messages=cast(Any, self._adapted(messages)), stream=True, **self._options
        ) as events:
            try:
                async with asyncio.timeout(None) as stall:
                    finish_reason, refusal = await self._read(events, text, stall)
            except TimeoutError:
                raise self._failures.stalled(self._stall_seconds) from None
            if not finish_reason:
                raise self._failures.silence(events.response.headers.get("content-type", ""), begun=text.begun)
            self._failures.check_end(finish_reason, is_empty=text.is_empty, refusal=refusal)

    async def _read(
        self, events: openai.AsyncStream[ChatCompletionChunk], text: _Text, stall: asyncio.Timeout
    ) -> tuple[str, str]:
        """Add pieces to the text until the finish reason; returns it, or '', and the model's refusal."""
        refusal = ""
        async for event in events:
            stall.reschedule(asyncio.get_running_loop().time() + self._stall_seconds)
            for choice in event.choices:
                if choice.index:  # an unrequested second answer
                    continue
                refusal += getattr(choice.delta, "refusal", None) or ""
                text.add(_text_of(choice.delta.content))
                if choice.finish_reason:  # do not wait for further events
                    text.finish()
                    return choice.finish_reason, refusal
        return "", refusal


def _parts_of(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _text_of(content: object) -> Any:
    """The text of a piece, which some servers send as a list of parts: text, and thoughts."""
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    return content or ""


class _Text:
    """Passes on the pieces of an answer without its initial thoughts, up to a maximum length."""

    def __init__(self, give: _Give, max_characters: int, failures: Failures) -> None:
        self.begun = False
        self.is_empty = True
        self._give = give
        self._num_left = self._max_characters = max_characters
        self._failures = failures
        self._held = ""  # possible beginning or end of a thought
        self._is_thought = False
        self._is_answer = False

    def add(self, piece: str) -> None:
        """Take a piece from the server, maybe ''. Raises LanguageModelError when the text is too long."""
        self.begun = True
        if not isinstance(piece, str):  # the client does not check types
            raise TypeError("content must be text")
        self._show(piece if self._is_answer else self._after_thoughts(piece))

    def finish(self) -> None:
        """Show the held text, since it was not a thought."""
        if not self._is_thought and not self._is_answer:
            self._show(self._held.lstrip())

    def _show(self, piece: str) -> None:
        self._num_left -= len(piece)
        if self._num_left < 0:
            raise self._failures.too_long(self._max_characters)
        if piece:
            self.is_empty = False
            self._give(piece)

    def _after_thoughts(self, piece: str) -> str:
        """Return the part of the text so far that belongs to the answer, without leading white space."""
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
    """Runs a coroutine in its own event loop; any thread may cancel it."""

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
            self._loop.close()  # does not wait for a running host lookup

    def cancel(self) -> None:
        """Cancel it without waiting, if it is not done."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._task.cancel)
