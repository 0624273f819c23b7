"""A reranking service as a Reranker.

Services differ in their path, a few field names and the number of passages per request, see SHAPES. Requests, waiting
and checking the answer are the same for all.
"""

from __future__ import annotations

import json
import math
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from app.reranking.rerank import PartialScores, RerankerError
from app.settings import RerankShape

_MAX_RETRIES = 2
_RESULTS, _SCORES = ("results", "data"), ("relevance_score", "score")
"""Names of the fields that hold the list and the score, in whatever shape."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The API of a service.

    path: below the base URL. body: makes the request from model, query and passages. results: the answer's field with
    the list of {index, score}; None: the answer is the list. score: the field of the score. Answers in the form of
    another shape are understood too. batch_size: maximum passages per request, None for no limit. host: a host known
    to use it.
    """

    path: str
    body: Callable[[str, str, list[str]], dict[str, object]]
    results: str | None = "results"
    score: str = "relevance_score"
    batch_size: int | None = None
    host: str | None = None


def _common(model: str, query: str, passages: list[str]) -> dict[str, object]:
    return {"model": model, "query": query, "documents": passages, "top_n": len(passages)}


def _jina(model: str, query: str, passages: list[str]) -> dict[str, object]:
    return {**_common(model, query, passages), "return_documents": False}  # else each passage is sent back


def _voyage(model: str, query: str, passages: list[str]) -> dict[str, object]:
    return {"model": model, "query": query, "documents": passages, "top_k": len(passages)}


def _tei(_model: str, query: str, passages: list[str]) -> dict[str, object]:
    # It serves one model. By default it maps scores to 0 to 1 and refuses long passages.
    return {"query": query, "texts": passages, "raw_scores": True, "truncate": True}


SHAPES: dict[RerankShape, Shape] = {
    "cohere": Shape("/v2/rerank", _common, batch_size=1000, host="api.cohere.com"),
    "jina": Shape("/v1/rerank", _jina, host="api.jina.ai"),
    "voyage": Shape("/v1/rerank", _voyage, results="data", batch_size=1000, host="api.voyageai.com"),
    "tei": Shape("/rerank", _tei, results=None, score="score", batch_size=32),
    "vllm": Shape("/v1/rerank", _common),
}
"""Shapes for CITELOOP_RERANK_SHAPE.

Cohere v2 (v1 takes the same request at /v1/rerank; at most 1000 passages recommended); Jina; Voyage (at most 1000);
Hugging Face text-embeddings-inference (--max-client-batch-size is 32 by default); vLLM, which Cohere v1, Jina,
LiteLLM, Infinity and most others also support.
"""


def guess_shape(url: str) -> RerankShape:
    """Return the shape of a service by its host, else `vllm`, which most services support."""
    host = urlsplit(url).hostname
    return next((name for name, shape in SHAPES.items() if shape.host and shape.host == host), "vllm")


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    text: str
    retry_after_seconds: float | None


class HttpReranker:
    """A reranking service with one of SHAPES. Scores are unchanged; many services send 0 to 1."""

    blend = None

    def __init__(
        self,
        url: str,
        model: str,
        api_key: SecretStr | None = None,
        shape: RerankShape | None = None,
        timeout_seconds: float = 10.0,
    ) -> None:
        """url: the base address, with or without /v1, or the full one ending in /rerank. shape: None guesses.

        timeout_seconds: for one call of `score`, with all its requests and waits; a running request may take as long
        again to fail. Raises RerankerError when the address or the key is invalid.
        """
        import httpx2

        address = _parsed(url)
        self.name = f"http:{model}"
        self._model = model
        self._shape_name = shape or guess_shape(url)
        self._shape = SHAPES[self._shape_name]
        address = address._replace(path=_full_path(address.path, self._shape.path))
        self._url = address.geturl()
        self._shown = without_secrets(self._url)
        self._key = _checked(api_key)
        self._timeout_seconds = timeout_seconds
        key = self._key.get_secret_value()
        self._client = httpx2.Client(headers={"Authorization": f"Bearer {key}"} if key else {})

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        """Return one float per passage, in order, with as many requests as the shape needs.

        Passages that the service leaves out get the lowest score, as PartialScores. Raises RerankerError when the
        service is not reached in time, refuses, or answers anything but finite scores; the message says what to do and
        never contains the key.
        """
        deadline = time.monotonic() + self._timeout_seconds
        size = self._shape.batch_size or max(len(passages), 1)
        batches = [list(passages[start : start + size]) for start in range(0, len(passages), size)]
        return _filled([score for batch in batches for score in self._score_batch(query, batch, deadline)])

    def _score_batch(self, query: str, passages: list[str], deadline: float) -> list[float | None]:
        answer = self._ask(self._shape.body(self._model, query, passages), deadline)
        if not 200 <= answer.status < 300:
            raise self._refusal(answer, len(passages))
        try:
            return _read_scores(self._shape, json.loads(answer.text), len(passages))
        except (ValueError, RecursionError) as error:
            reason = "it is not JSON" if isinstance(error, json.JSONDecodeError | RecursionError) else str(error)
            where = f"in its {self._shape.results}" if self._shape.results else "in a list"
            raise self._error(
                f"sent an answer that cannot be used: expected index and {self._shape.score} for each of "
                f"{len(passages)} passages {where}, but {reason}: {self._excerpt(answer)}; if its shape is not "
                f"{self._shape_name}, set CITELOOP_RERANK_SHAPE to one of {', '.join(SHAPES)}"
            ) from error

    def _ask(self, body: dict[str, object], deadline: float) -> _Answer:
        """Return the service's answer; retry if it says how long to wait and there is enough time."""
        for _ in range(_MAX_RETRIES):
            answer = self._post(body, deadline)
            wait_seconds = answer.retry_after_seconds
            if answer.status != 429 or wait_seconds is None or time.monotonic() + wait_seconds >= deadline:
                return answer
            time.sleep(wait_seconds)
        return self._post(body, deadline)

    def _post(self, body: dict[str, object], deadline: float) -> _Answer:
        import httpx2

        try:
            left_seconds = deadline - time.monotonic()
            if left_seconds <= 0:
                raise httpx2.ReadTimeout("timed out")
            content = bytearray()
            with self._client.stream("POST", self._url, json=body, timeout=left_seconds) as response:
                for piece in response.iter_bytes():
                    content += piece
                    if time.monotonic() > deadline:  # the client's timeout applies per piece
                        raise httpx2.ReadTimeout("timed out")
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise self._error(f"did not answer: {str(error) or type(error).__name__}") from error
        retry_after = _seconds_until(response.headers.get("Retry-After", ""))
        return _Answer(response.status_code, content.decode(errors="replace"), retry_after)

    def _refusal(self, answer: _Answer, num_passages: int) -> RerankerError:
        advice = {
            400: f"check CITELOOP_RERANK_MODEL and whether its shape is {self._shape_name} (CITELOOP_RERANK_SHAPE)",
            401: "the key is wrong or missing: set CITELOOP_RERANK_API_KEY",
            403: "the key is wrong, missing or lacks permission: set CITELOOP_RERANK_API_KEY",
            404: f"the path or the model {self._model!r} is wrong: check CITELOOP_RERANK_URL, CITELOOP_RERANK_MODEL "
            f"and CITELOOP_RERANK_SHAPE (here {self._shape_name})",
            413: f"{num_passages} passages are too many for one request: raise its limit (for "
            f"text-embeddings-inference: --max-client-batch-size) or lower CITELOOP_NUM_CANDIDATES",
            429: "it has too many requests: try later, or raise its limit",
        }
        advice[422] = f"{advice[400]}, or whether {num_passages} passages in one request are too many for it"
        asked = f", Retry-After {answer.retry_after_seconds:.0f} s" if answer.retry_after_seconds else ""
        what_to_do = advice.get(answer.status, "expected 200; check its address and its log")
        return self._error(f"answered with status {answer.status}{asked} ({self._excerpt(answer)}); {what_to_do}")

    def _excerpt(self, answer: _Answer) -> str:
        """Return the beginning of an answer in one line; the key is removed before the text is cut."""
        key = self._key.get_secret_value()
        text = answer.text.replace(key, "***") if key else answer.text
        return repr(" ".join(text.split())[:200])

    def _error(self, what: str) -> RerankerError:
        return RerankerError(f"the reranking service at {self._shown} {what}")


def without_secrets(url: str) -> str:
    """Return a (possibly invalid) address without user, password, query and fragment, which may be secret."""
    return re.sub(r"//[^/?#]*@", "//", url).partition("?")[0].partition("#")[0]


def _parsed(url: str) -> SplitResult:
    try:
        address = urlsplit(url)
        if address.scheme in ("http", "https") and address.hostname and address.port != 0:
            return address
    except ValueError:  # invalid port, open bracket
        pass
    shown = without_secrets(url)
    raise RerankerError(f"expected the address of a reranking service such as http://localhost:8080, got {shown!r}")


def _full_path(given: str, path: str) -> str:
    given = given.rstrip("/")
    if given.endswith("/rerank"):
        return given
    return given + ("/rerank" if given.endswith(("/v1", "/v2")) else path)


def _checked(api_key: SecretStr | None) -> SecretStr:
    """Return the stripped key, empty for none; refuse line breaks, since the client's error would show the key."""
    key = api_key.get_secret_value().strip() if api_key else ""
    if not (key.isascii() and key.isprintable()):
        raise RerankerError("CITELOOP_RERANK_API_KEY has an invalid character; expected printable ASCII")
    return SecretStr(key)


def _seconds_until(retry_after: str) -> float | None:
    """Return the wait in seconds by a Retry-After header, which has seconds or a date; else None."""
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _read_scores(shape: Shape, answer: object, num_passages: int) -> list[float | None]:
    """Return the scores of an answer in the order of the passages, None for passages that it leaves out.

    Raises ValueError, also when there is no score at all.
    """
    found: dict[int, float] = {}
    for row in _rows(shape, answer):
        fields = row if isinstance(row, dict) else {}
        index = fields.get("index")
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < num_passages:
            raise ValueError(f"index {index!r:.50} is not one of 0 to {num_passages - 1}")
        if index in found:
            raise ValueError(f"index {index} is repeated")
        found[index] = _finite(next((fields[name] for name in (shape.score, *_SCORES) if name in fields), None))
    if not found:
        raise ValueError("index 0 is missing")
    return [found.get(index) for index in range(num_passages)]


def _rows(shape: Shape, answer: object) -> list[object]:
    """The list of an answer, whatever it is called there. Raises ValueError when there is none."""
    if isinstance(answer, dict):
        named = (answer.get(name) for name in (shape.results, *_RESULTS))
        answer = next((rows for rows in named if isinstance(rows, list)), None)
    if not isinstance(answer, list):
        raise ValueError("there is no such list")
    return answer


def _filled(scores: Sequence[float | None]) -> list[float]:
    """The scores, with one just below the lowest in place of each None."""
    missing = [index for index, score in enumerate(scores) if score is None]
    found = [score for score in scores if score is not None]
    if not missing:
        return found
    below = math.nextafter(min(found), -math.inf)
    return PartialScores((below if score is None else score for score in scores), missing)


def _finite(score: object) -> float:
    # The comparison is false for NaN, infinity and integers beyond float.
    if isinstance(score, int | float) and not isinstance(score, bool) and abs(score) <= sys.float_info.max:
        return float(score)
    raise ValueError(f"{score!r:.50} is not a finite score")
