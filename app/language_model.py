"""messages -> text, by any OpenAI-compatible endpoint that the user configured."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import openai

from app.answer import LanguageModelError


class OpenAILanguageModel:
    """Chat Completions of OpenAI, Azure, Ollama, vLLM, llama.cpp, LM Studio and the like, streamed."""

    def __init__(
        self, model: str, api_key: str | None, base_url: str | None = None, deadline_seconds: float = 120.0
    ) -> None:
        """deadline_seconds: from the first response on; the client's own timeout covers only the next piece."""
        self.name = model
        self._where = base_url or "api.openai.com"
        self._deadline_seconds = deadline_seconds
        # Local servers want no key, but the client insists on one.
        self._client = openai.OpenAI(
            api_key=api_key or "none",
            base_url=base_url or "https://api.openai.com/v1",  # else the client looks into the environment itself
            timeout=30.0,
            max_retries=2,
        )

    def stream(self, messages: Sequence[Mapping[str, str]]) -> Iterator[str]:
        """Pieces of the answer; see LanguageModel.stream.

        A stream that ends without a finish reason was cut off, though the client takes it for the end.
        """
        finish_reason: str | None = None
        too_late = threading.Event()
        try:
            with self._client.chat.completions.create(
                model=self.name, messages=cast(Any, list(messages)), temperature=0, stream=True
            ) as stream:
                with _deadline(self._deadline_seconds, too_late, stream):
                    for event in stream:
                        if too_late.is_set():
                            break
                        for choice in event.choices[:1]:
                            finish_reason = choice.finish_reason or finish_reason
                            if choice.delta.content:
                                yield choice.delta.content
                is_page = "text/html" in stream.response.headers.get("content-type", "")
        except Exception as error:  # what comes over the network can break the client anywhere
            if not too_late.is_set():
                raise LanguageModelError(self._explained(error)) from error
        if too_late.is_set():
            raise LanguageModelError(
                f"{self.name} took longer than {self._deadline_seconds:.0f} seconds; ask again or use a faster model"
            )
        if is_page:
            raise LanguageModelError(f"{self._where} answered with a web page; check OPENAI_BASE_URL")
        if finish_reason != "stop":
            reason = finish_reason or "the connection ended early"
            raise LanguageModelError(f"{self.name} was cut off ({reason}); ask again for a whole answer")

    def _explained(self, error: Exception) -> str:
        if isinstance(error, openai.AuthenticationError):
            return f"{self._where} refused the key; check OPENAI_API_KEY"
        if isinstance(error, openai.NotFoundError):
            return f"{self._where} does not know {self.name}; check OPENAI_MODEL"
        if isinstance(error, openai.APIConnectionError):
            return f"{self._where} cannot be reached; check OPENAI_BASE_URL"
        if isinstance(error, (AttributeError, TypeError)):
            return f"{self._where} sent something that is no chat completion; check OPENAI_BASE_URL"
        return f"{self._where} failed: {error}"


@contextmanager
def _deadline(seconds: float, too_late: threading.Event, stream: openai.Stream[Any]) -> Iterator[None]:
    """Close the stream when the time is up, also when nothing but comments comes over it."""

    def give_up() -> None:
        too_late.set()
        stream.close()

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
