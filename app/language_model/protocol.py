"""LanguageModel: messages -> text, and its error."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from ingest import CiteloopError


class LanguageModelError(CiteloopError):
    """The language model cannot be reached or stopped early; the message says what to do."""


class LanguageModel(Protocol):
    """Writes text from messages with `role` and `content`."""

    @property
    def name(self) -> str: ...

    def stream(self, messages: Sequence[Mapping[str, str]], stop: threading.Event | None = None) -> Iterator[str]:
        """Yield pieces of the text as they arrive; end at once when `stop` is set.

        Raises LanguageModelError when the text is incomplete.
        """
        ...
