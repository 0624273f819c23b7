"""LanguageModel: messages -> text, and its error."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from ingest import CiteloopError


class LanguageModelError(CiteloopError):
    """The language model cannot be reached or stopped early; the message says what to do."""


class LanguageModel(Protocol):
    """Writes text from messages with `role` and `content`."""

    @property
    def name(self) -> str: ...

    def stream(self, messages: Sequence[Mapping[str, Any]], stop: threading.Event | None = None) -> Iterator[str]:
        """Yield pieces of the text as they arrive; end at once when `stop` is set.

        Raises LanguageModelError when the text is incomplete.
        """
        ...


def with_pictures(text: str, pictures: Sequence[bytes]) -> dict[str, Any]:
    """Return a user's message with a text and pictures, which are PNG or JPEG."""
    kinds = ("image/png" if picture.startswith(b"\x89PNG") else "image/jpeg" for picture in pictures)
    urls = [f"data:{kind};base64,{b64encode(each).decode()}" for kind, each in zip(kinds, pictures, strict=True)]
    shown = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return {"role": "user", "content": [{"type": "text", "text": text}, *shown] if shown else text}
