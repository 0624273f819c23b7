"""messages -> text, by any OpenAI-compatible endpoint that the user configured."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import openai

from app.answer import LanguageModelError


class OpenAILanguageModel:
    """Chat Completions of OpenAI, Azure, Ollama, vLLM, llama.cpp, LM Studio and the like, streamed."""

    def __init__(
        self, model: str, api_key: str | None, base_url: str | None = None, deadline_seconds: float = 120.0
    ) -> None:
        """deadline_seconds: for the whole answer; the client's own timeout covers only the next piece."""
        self.name = model
        self._where = base_url or "api.openai.com"
        self._deadline_seconds = deadline_seconds
        # Local servers want no key, but the client insists on one.
        self._client = openai.OpenAI(api_key=api_key or "none", base_url=base_url, timeout=30.0, max_retries=2)

    def stream(self, messages: Sequence[Mapping[str, str]]) -> Iterator[str]:
        """Pieces of the answer; see LanguageModel.stream.

        A stream that ends without a finish reason was cut off, though the client takes it for the end.
        """
        ends_at = time.monotonic() + self._deadline_seconds
        finish_reason: str | None = None
        try:
            with self._client.chat.completions.create(
                model=self.name, messages=cast(Any, list(messages)), temperature=0, stream=True
            ) as stream:
                for event in stream:
                    if time.monotonic() > ends_at:
                        raise LanguageModelError(f"{self.name} took longer than {self._deadline_seconds:.0f} seconds")
                    for choice in event.choices[:1]:
                        finish_reason = choice.finish_reason or finish_reason
                        if choice.delta.content:
                            yield choice.delta.content
        except openai.AuthenticationError as error:
            raise LanguageModelError(f"{self._where} refused the key; check OPENAI_API_KEY") from error
        except openai.NotFoundError as error:
            raise LanguageModelError(f"{self._where} does not know {self.name}; check OPENAI_MODEL") from error
        except openai.APIConnectionError as error:
            raise LanguageModelError(f"{self._where} cannot be reached; check OPENAI_BASE_URL") from error
        except (openai.OpenAIError, json.JSONDecodeError) as error:  # a malformed event raises the bare JSON error
            raise LanguageModelError(f"{self._where} failed: {error}") from error
        if finish_reason != "stop":
            raise LanguageModelError(f"{self.name} was cut off ({finish_reason or 'the connection ended early'})")
