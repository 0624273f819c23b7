"""Document -> the same with its pictures described by a vision model, if one is set.

This module knows no endpoint: the question side sets `find_describer`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ingest import CiteloopError

if TYPE_CHECKING:
    from ingest.parse import Document

_MAX_FAILURES = 3
"""Consecutive failures after which an ingest stops asking."""


class Describer(Protocol):
    """Describes pictures; what it returns is as untrusted as the picture."""

    @property
    def name(self) -> str: ...

    def describe(self, picture: bytes, caption: str) -> str:
        """Return what a PNG or JPEG shows, '' for a decoration. Raises CiteloopError."""
        ...


def _no_vision_model(_home: Path) -> Describer | None:
    return None


find_describer: Callable[[Path], Describer | None] = _no_vision_model
"""Home folder -> its vision model, None if it has none; replaced by the programs that know endpoints."""


class Describing:
    """Describes the pictures of the documents of one ingest."""

    def __init__(self, home: Path) -> None:
        self._describer = find_describer(home)
        self._num_failures = 0
        self._known: dict[str, str] = {}

    @property
    def is_on(self) -> bool:
        """Return whether a vision model is set."""
        return self._describer is not None

    def described(self, document: Document, on_figure: Callable[[int, int], None]) -> Document:
        """Return the document with the descriptions that it lacked; a note says how many are still missing, and why.

        on_figure: called before each picture with its number and how many there are; it may raise to stop.
        """
        if self._describer is None:
            return document
        from ingest.parse.document import joined_notes  # here, so that `--help` is quick

        figures, num_missing, reason = list(document.figures), 0, ""
        for number, figure in enumerate(figures):
            if figure.described_by:
                continue
            on_figure(number + 1, len(figures))
            try:
                if self._num_failures == _MAX_FAILURES:
                    raise CiteloopError("the vision model failed several times; add the file again later")
                if (description := self._known.get(figure.digest)) is None:
                    description = self._describer.describe(figure.picture, figure.caption)
            except CiteloopError as error:
                self._num_failures = min(self._num_failures + 1, _MAX_FAILURES)
                num_missing, reason = num_missing + 1, reason or str(error)
                continue
            self._num_failures, self._known[figure.digest] = 0, description
            figures[number] = replace(figure, description=description, described_by=self._describer.name)
        gap = f"{num_missing} of {len(figures)} pictures not described: {reason}" if num_missing else ""
        return replace(document, figures=tuple(figures), note=joined_notes(document.note, gap))
