"""errors of a language model -> messages for the user: what happened and what to do."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2
import openai

from app.language_model.client import TooLargeError
from app.language_model.endpoint import Endpoint, EndpointError
from app.language_model.protocol import LanguageModelError
from ingest.parse.document import whole_characters

_MAX_SHOWN = 200
"""Maximum characters of a server's message that are shown."""
_WHOLE = ("stop", "eos", "eos_token", "end_turn", "stop_sequence")
"""Finish reasons of a complete answer, as several servers write them."""
_TOO_LONG = ("context_length", "context length", "context size", "context window", "maximum context", "too many tokens")
"""Phrases of OpenAI, Azure, vLLM, llama.cpp and LM Studio for a prompt that is too long."""

_log = logging.getLogger(__name__)


class Failures:
    """Messages for the failures of one endpoint; none contains its key.

    For an address entered on a page, all servers that do not speak the API get the same message. Otherwise a visitor
    could probe hosts and ports of the internal network. The log has the details.
    """

    def __init__(self, endpoint: Endpoint, deadline_seconds: float) -> None:
        self._endpoint, self._name, self._deadline_seconds = endpoint, endpoint.model, deadline_seconds

    def stalled(self, seconds: float) -> LanguageModelError:
        """Return the error for a pause in mid-answer."""
        return LanguageModelError(
            f"{self._name} paused for {seconds:.0f} seconds in mid-answer; ask again, and if that recurs, check "
            "whether its server is overloaded"
        )

    def too_long(self, max_characters: int) -> LanguageModelError:
        """Return the error for an endless answer."""
        return LanguageModelError(
            f"{self._name} wrote more than {max_characters:,} characters, too much for an answer; ask again or use "
            "another model"
        )

    def check_end(self, reason: str, *, is_empty: bool, refusal: str) -> None:
        """Raise LanguageModelError unless the finish reason means a complete answer."""
        if refusal:
            raise LanguageModelError(f"{self._name} declined: {self._safe(refusal)}; rephrase the question")
        is_whole = reason.lower() in _WHOLE
        if is_whole and is_empty:
            raise LanguageModelError(f"{self._name} wrote nothing; ask again or use another model")
        if is_whole:
            return
        meaning = {
            "length": "reached its length limit before the end; ask for less, or raise the limit of its server",
            "content_filter": f"was cut off by the content filter of {self._endpoint.where}; rephrase the question, "
            "or strike out the source that may have triggered it",
            "tool_calls": "asked for a tool instead of answering; use a model without tools, or disable them",
        }
        meaning["function_call"] = meaning["tool_calls"]
        problem = meaning.get(reason, f"was cut off ({self._safe(reason)}); ask again for a complete answer")
        raise LanguageModelError(f"{self._name} {problem}")

    def silence(self, content_type: str, *, begun: bool) -> LanguageModelError:
        """Return the error for a connection that ended without a finish reason."""
        if "text/html" in content_type:
            return self._not_the_api(self._no_completion("a web page"))
        if not begun:
            return self._not_the_api(self._no_completion(self._safe(content_type) or "nothing"))
        return LanguageModelError(
            f"{self._name} was cut off (the connection ended early); ask again for a complete answer"
        )

    def _no_completion(self, what: str) -> str:
        return (
            f"{self._endpoint.where} sent {what} instead of a streamed chat completion; check the base URL, "
            f"which usually ends in /v1, {self._set_in('OPENAI_BASE_URL')}"
        )

    def explained(self, error: Exception, *, begun: bool) -> LanguageModelError:
        """Return the error with a message that says what to do, without the key. begun: a piece has arrived."""
        explained = self._explained(error)
        if begun or _is_of_the_api(error):
            return explained
        status = getattr(error, "status_code", None)  # its text may quote the question
        logged = f"{self._endpoint.where} failed with status {status}" if status else ""
        return self._not_the_api(str(explained), logged)

    def _explained(self, error: Exception) -> LanguageModelError:
        if isinstance(error, LanguageModelError):
            return error
        if isinstance(error, EndpointError):
            return LanguageModelError(str(error))
        if isinstance(error, TimeoutError):
            return LanguageModelError(
                f"{self._name} took longer than {self._deadline_seconds:.0f} seconds; ask again or use a faster model"
            )
        if isinstance(error, openai.APIStatusError):
            return LanguageModelError(f"{self._endpoint.where} {self._words_for(error)}")
        if isinstance(error, openai.APIConnectionError):
            return LanguageModelError(self._unreached(error))
        if isinstance(error, openai.APIError):
            return LanguageModelError(f"{self._endpoint.where} failed: {self._server_text(error)}; ask again")
        return LanguageModelError(self._no_completion("something else"))  # its text may contain anything

    def _not_the_api(self, details: str, logged: str = "") -> LanguageModelError:
        """Return the error for a server that does not speak the API. logged: instead of the details."""
        if not self._endpoint.saved:
            return LanguageModelError(details)
        _log.warning("no language model: %s", logged or details)
        return LanguageModelError(
            f"{self._endpoint.where} does not answer like a language model; start its server, or correct the base "
            "URL on the Settings page, which usually ends in /v1. See the log of Citeloop for details"
        )

    def _unreached(self, error: openai.APIConnectionError) -> str:
        reason = self._safe(error.__cause__ or error)
        if isinstance(error.__cause__, httpx2.RemoteProtocolError | httpx2.ReadError):
            return f"{self._endpoint.where} closed the connection ({reason}); ask again for a complete answer"
        return (
            f"{self._endpoint.where} cannot be reached ({reason}); start its server, or correct the base URL "
            f"{self._set_in('OPENAI_BASE_URL')}"
        )

    def _words_for(self, error: openai.APIStatusError) -> str:
        """Return what a status means and what to do."""
        text, status = self._server_text(error), error.status_code
        if status == 401:
            return f"refused the key ({text}); set a valid one {self._set_in('OPENAI_API_KEY')}"
        if status == 403:
            return f"does not allow this ({text}); use another key or model, {self._set_in('OPENAI_API_KEY')}"
        if status == 404:
            return (
                f"does not know {self._name} ({text}); Test connection in Settings lists its models. If it "
                "lists none, the base URL is wrong; it usually ends in /v1"
            )
        if status in (400, 413, 422) and _is_too_long(error):
            return (
                f"finds the question with its passages too long for {self._name} ({text}); set the model's real "
                f"context size {self._set_in('CITELOOP_CONTEXT_TOKENS')}, or ask a shorter question"
            )
        if error.code == "insufficient_quota":
            return f"has no credit left for this key ({text}); add credit, or use another key or model"
        wait_seconds = retry_after_seconds(error)
        if status in (429, 503) and wait_seconds:
            num_seconds = math.ceil(wait_seconds)
            return f"is busy and asks to wait {num_seconds} second{'s' if num_seconds > 1 else ''}; ask again then"
        if status == 429:
            return f"is busy ({text}); ask again in a minute"
        if 300 <= status < 400:
            target = self._safe(error.response.headers.get("location", "elsewhere"))
            return f"redirects to {target}; if that is right, set it as the base URL {self._set_in('OPENAI_BASE_URL')}"
        if status >= 500:
            return f"failed with status {status} ({text}); ask again, and if that recurs, check its log"
        return f"refused with status {status} ({text}); check model and base URL {self._set_in('OPENAI_MODEL')}"

    def _set_in(self, variable: str) -> str:
        """Return where to correct this setting."""
        return "on the Settings page" if self._endpoint.saved else f"on the Settings page or in {variable}"

    def _server_text(self, error: openai.APIError) -> str:
        """Return the server's message, shortened and without the key."""
        body = error.body
        if isinstance(body, Mapping):
            body = body.get("message") or body.get("detail") or body
        text = str(body or error.message)
        return "a web page" if text.lstrip().startswith("<") else self._safe(text)

    def _safe(self, words: object) -> str:
        """Return outside text in one line; the key is removed before the text is cut."""
        text = whole_characters(str(words))
        if self._endpoint.key:
            text = text.replace(self._endpoint.key, "***")
        text = " ".join(text.split())
        return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _is_of_the_api(error: Exception) -> bool:
    """Return whether an error shows that the server speaks the API, usually by {"error": {"message": ...}}."""
    if not isinstance(error, openai.APIStatusError):
        is_ours = isinstance(error, LanguageModelError | EndpointError) and not isinstance(error, TooLargeError)
        return is_ours or type(error) is openai.APIError  # an event of a stream
    try:
        sent = error.response.json()
    except ValueError:
        return False
    detail = sent.get("error") if isinstance(sent, Mapping) else None
    return error.status_code >= 400 and isinstance(detail, Mapping) and isinstance(detail.get("message"), str)


def _is_too_long(error: openai.APIStatusError) -> bool:
    words = f"{error.code} {error.type} {error.body}".lower().replace("exceed_context_size", "context size")
    return any(mark in words for mark in _TOO_LONG)


def retry_after_seconds(error: openai.APIError) -> float | None:
    """Return the wait that the server asks for, in seconds, from milliseconds, seconds or a date; or None."""
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
