"""LanguageModel: messages -> text, and the one error of all that write it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from ingest import CiteloopError


class LanguageModelError(CiteloopError):
    """The language model cannot be reached or broke off; the message says what to do."""


class LanguageModel(Protocol):
    """Writes text from messages with `role` and `content`."""

    @property
    def name(self) -> str: ...

    def stream(self, messages: Sequence[Mapping[str, str]], stop: threading.Event | None = None) -> Iterator[str]:
        """Pieces of the text as they come, and no more of them once `stop` is set, whatever is being waited for.

        Raises LanguageModelError when it ends before its end.
        """
        ...
