"""Endpoint -> a function that counts the tokens of a text, by the server if possible, else by a safe estimate."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Mapping

from app.language_model.endpoint import Endpoint
from ingest.embed.readable import readable_part

_TIMEOUT_SECONDS = 2.0
_PAUSE_SECONDS = 300.0
"""After a failure, the server is not asked for this long."""
_MAX_BYTES = 2**24
_LETTERS_PER_TOKEN = 2.2
_FOREIGN_BYTES_PER_TOKEN = 1.5
"""Measured: 1.4 to 1.7 times SmolLM2's count for English documents and Python, and 1 to 1.5 times for German, French,
Russian, Chinese, Japanese, Arabic and Hindi, the worst case for its small vocabulary; 0.83 to 0.93 times for rows of
digits, hexadecimal and Polish. Never less than MiniLM's word pieces.
"""
_WITHOUT_TOKENIZE = re.compile(r"(^|\.)(openai\.com|azure\.(com|us|cn))$")
"""Hosts without /tokenize, which need not be sent each passage twice."""

_Shape = Callable[[str, str], Mapping[str, str]]
"""Model and text -> request body."""


def token_counter(endpoint: Endpoint) -> Callable[[str], int]:
    """Return a function that counts a text's tokens: exact with llama.cpp or vLLM, else rather too high.

    The function never raises. Keep it: it remembers how its server counts.
    """
    if endpoint.api_version or _WITHOUT_TOKENIZE.search(endpoint.host):
        return estimate_tokens
    return _Server(endpoint)


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of a text for a model with a small vocabulary; rather too many for prose.

    ASCII letters are grouped; each digit, mark or line break may be a token, and so may one or two other bytes.
    """
    ascii_text = text.encode("ascii", "ignore").decode()
    num_letters = sum(map(str.isalpha, ascii_text))
    num_marks = len(ascii_text) - num_letters - ascii_text.count(" ") - ascii_text.count("\t")
    num_foreign = len(text.encode("utf-8", "replace")) - len(ascii_text)
    estimated = num_letters / _LETTERS_PER_TOKEN + num_marks + num_foreign / _FOREIGN_BYTES_PER_TOKEN
    return max(math.ceil(estimated), len(text.split()))


class _Server:
    """Counts tokens by a server's /tokenize; estimates them for a while after a failure."""

    def __init__(self, endpoint: Endpoint) -> None:
        import httpx2

        self._model, self._max_tokens = endpoint.model, endpoint.context_tokens
        self._url = f"{endpoint.url.removesuffix('/v1')}/tokenize"
        self._client = httpx2.Client(
            headers={"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}, timeout=_TIMEOUT_SECONDS
        )
        self._shapes: tuple[_Shape, ...] = _SHAPES  # both, until one works
        self._ask_again_at = -math.inf

    def __call__(self, text: str) -> int:
        if time.monotonic() >= self._ask_again_at:
            for shape in self._shapes:
                count = self._ask(shape(self._model, readable_part(text, self._max_tokens)))
                if count or (count == 0 and not text.strip()):  # llama.cpp returns 0 for a request that it misreads
                    self._shapes = (shape,)
                    return count
            self._ask_again_at = time.monotonic() + _PAUSE_SECONDS  # else each passage would wait for a timeout
        return estimate_tokens(text)

    def _ask(self, request: Mapping[str, str]) -> int | None:
        """Return the server's count, or None."""
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        body = bytearray()
        try:
            with self._client.stream("POST", self._url, json=request) as response:
                for part in response.raise_for_status().iter_bytes():
                    body += part
                    if len(body) > _MAX_BYTES or time.monotonic() > deadline:
                        return None
            return _read_count(json.loads(body))
        except Exception:  # malformed data can make the client raise anything, and an estimate is enough
            return None


def _as_llama_cpp(_model: str, text: str) -> dict[str, str]:
    return {"content": text}


def _as_vllm(model: str, text: str) -> dict[str, str]:
    return {"model": model, "prompt": text}


_SHAPES: tuple[_Shape, ...] = (_as_llama_cpp, _as_vllm)


def _read_count(answer: object) -> int | None:
    """Return the number of tokens in an answer: vLLM's `count`, or the length of `tokens`."""
    if not isinstance(answer, dict):
        return None
    tokens, count = answer.get("tokens"), answer.get("count")
    if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
        return count
    return len(tokens) if isinstance(tokens, list) else None
