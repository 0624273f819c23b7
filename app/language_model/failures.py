"""What went wrong with a language model -> what to tell the person who asked: what it was, and what to do."""

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
"""Characters of a server's own words in a message."""
_WHOLE = ("stop", "eos", "eos_token", "end_turn", "stop_sequence")
"""Finish reasons of a whole answer, as several servers write them."""
_TOO_LONG = ("context_length", "context length", "context size", "context window", "maximum context", "too many tokens")
"""By these words OpenAI, Azure, vLLM, llama.cpp and LM Studio say that a prompt is too long."""

_log = logging.getLogger(__name__)


class Failures:
    """The words for what may go wrong with one endpoint; none of them holds its key.

    What does not speak the API gets one message if its address was typed on a page. Otherwise a visitor could find out
    which hosts and ports of the inner network answer. The log has the details.
    """

    def __init__(self, endpoint: Endpoint, deadline_seconds: float) -> None:
        self._endpoint, self._name, self._deadline_seconds = endpoint, endpoint.model, deadline_seconds

    def stalled(self, seconds: float) -> LanguageModelError:
        """Nothing more came, and the connection stayed."""
        return LanguageModelError(
            f"{self._name} fell silent for {seconds:.0f} seconds in mid-answer; ask again, and if that recurs, look "
            "whether its server is overloaded"
        )

    def too_long(self, max_characters: int) -> LanguageModelError:
        """It writes without end."""
        return LanguageModelError(
            f"{self._name} wrote more than {max_characters:,} characters, far more than an answer, and was "
            "stopped; ask again or use another model"
        )

    def check_end(self, reason: str, *, is_empty: bool, refusal: str) -> None:
        """Raises LanguageModelError unless this finish reason is that of a whole answer."""
        if refusal:
            raise LanguageModelError(f"{self._name} declined: {self._safe(refusal)}; put the question differently")
        is_whole = reason.lower() in _WHOLE
        if is_whole and is_empty:
            raise LanguageModelError(f"{self._name} wrote nothing; ask again or use another model")
        if is_whole:
            return
        meaning = {
            "length": "reached its limit of length before the end; ask for less, or raise what its server allows",
            "content_filter": f"was cut off by the content filter of {self._endpoint.where}; put the question "
            "differently, or strike out the source that it may object to",
            "tool_calls": "asked for a tool instead of answering; use a model, or a setting of its server, without",
        }
        meaning["function_call"] = meaning["tool_calls"]
        what = meaning.get(reason, f"was cut off ({self._safe(reason)}); ask again for a whole answer")
        raise LanguageModelError(f"{self._name} {what}")

    def silence(self, content_type: str, *, begun: bool) -> LanguageModelError:
        """The connection ended by itself, without a finish reason."""
        if "text/html" in content_type:
            return self._unspoken(self._no_completion("a web page"))
        if not begun:
            return self._unspoken(self._no_completion(self._safe(content_type) or "nothing"))
        return LanguageModelError(
            f"{self._name} was cut off (the connection ended early); ask again for a whole answer"
        )

    def _no_completion(self, what: str) -> str:
        return (
            f"{self._endpoint.where} sent {what} where a streamed chat completion was expected; check the base URL, "
            f"which ends in /v1 as a rule, {self._set_in('OPENAI_BASE_URL')}"
        )

    def explained(self, error: Exception, *, begun: bool) -> LanguageModelError:
        """What went wrong, in words that hold no key, and what to do; begun: an answer had begun to come."""
        explained = self._explained(error)
        return explained if begun or _is_of_the_api(error) else self._unspoken(str(explained))

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
            return LanguageModelError(f"{self._endpoint.where} failed: {self._said(error)}; ask again")
        return LanguageModelError(self._no_completion("something else"))  # its own words may hold anything

    def _unspoken(self, details: str) -> LanguageModelError:
        """The failure of a server that does not speak the API."""
        if not self._endpoint.saved:
            return LanguageModelError(details)
        _log.warning("no language model: %s", details)
        return LanguageModelError(
            f"{self._endpoint.where} does not answer as a language model does; start its server, or correct the base "
            "URL on the Settings page, which ends in /v1 as a rule. The log of Citeloop says more"
        )

    def _unreached(self, error: openai.APIConnectionError) -> str:
        reason = self._safe(error.__cause__ or error)
        if isinstance(error.__cause__, httpx2.RemoteProtocolError | httpx2.ReadError):
            return f"{self._endpoint.where} broke off the connection ({reason}); ask again for a whole answer"
        return (
            f"{self._endpoint.where} cannot be reached ({reason}); start its server, or correct the base URL "
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
                f"does not know {self._name} ({said}); Test connection on the Settings page lists its models. If it "
                "lists none, the base URL is wrong, which ends in /v1 as a rule"
            )
        if status in (400, 413, 422) and _is_too_long(error):
            return (
                f"finds the question with its passages too long for {self._name} ({said}); set the model's true "
                f"context size {self._set_in('CITELOOP_CONTEXT_TOKENS')}, or ask a shorter question"
            )
        if error.code == "insufficient_quota":
            return f"has no credit left for this key ({said}); raise it there, or use another key or model"
        wait_seconds = retry_after_seconds(error)
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
        return "on the Settings page" if self._endpoint.saved else f"on the Settings page or in {variable}"

    def _said(self, error: openai.APIError) -> str:
        """The server's own words, shortened and without the key."""
        body = error.body
        if isinstance(body, Mapping):
            body = body.get("message") or body.get("detail") or body
        text = str(body or error.message)
        return "a web page" if text.lstrip().startswith("<") else self._safe(text)

    def _safe(self, words: object) -> str:
        """Words from outside in one line; the key is taken out before the cut could leave half of it."""
        text = whole_characters(str(words))
        if self._endpoint.key:
            text = text.replace(self._endpoint.key, "***")
        text = " ".join(text.split())
        return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _is_of_the_api(error: Exception) -> bool:
    """Return whether an error shows that the server speaks the API, by {"error": {"message": ...}} as a rule."""
    if not isinstance(error, openai.APIStatusError):
        is_told = isinstance(error, LanguageModelError | EndpointError) and not isinstance(error, TooLargeError)
        return is_told or type(error) is openai.APIError  # an event of a stream
    try:
        sent = error.response.json()
    except ValueError:
        return False
    told = sent.get("error") if isinstance(sent, Mapping) else None
    return error.status_code >= 400 and isinstance(told, Mapping) and isinstance(told.get("message"), str)


def _is_too_long(error: openai.APIStatusError) -> bool:
    words = f"{error.code} {error.type} {error.body}".lower().replace("exceed_context_size", "context size")
    return any(mark in words for mark in _TOO_LONG)


def retry_after_seconds(error: openai.APIError) -> float | None:
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
