"""What some rerankers can do besides: comparable similarities, preparation, an empty cache, telling their language."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol, runtime_checkable

_NUM_READ = 10
"""Passages that show the language of the documents."""


@runtime_checkable
class Similarity(Protocol):
    """Compares texts on one scale, so that a value means the same for every question. Implemented by late interaction.

    A reranker's scores need only sort the passages of one question; quotes and citation checks need more.
    """

    def similarities(self, text: str, texts: Sequence[str]) -> list[float]:
        """Return the mean cosine of the text with each of the texts, about 1 for the same text."""
        ...


@runtime_checkable
class Monolingual(Protocol):
    """Reads one language only."""

    def reads(self, texts: Sequence[str]) -> bool:
        """Return whether texts that belong together are in its language."""
        ...


def can_read(model: object, query: str, passages: Sequence[str]) -> bool:
    """Return whether a model reads the language of a query and its first passages; True if it tells no language."""
    return not isinstance(model, Monolingual) or model.reads([query, *passages[:_NUM_READ]])


@runtime_checkable
class Forgetful(Protocol):
    """Caches what it computed for passages."""

    def forget(self) -> None:
        """Empty the cache."""
        ...


@runtime_checkable
class Preparable(Protocol):
    """Computes most of its work from the passages alone, so that it can be done and kept before a question comes."""

    def unprepared(self, passages: Sequence[str]) -> list[str]:
        """Return the passages without results; none if nothing is kept."""
        ...

    def prepare(self, passages: Sequence[str]) -> None:
        """Compute and keep the results for these passages. Raises sqlite3.Error."""
        ...

    def keep_only(self, keys: Collection[str]) -> None:
        """Delete the results for passages with other keys (`kept_vectors.key_of`). Raises sqlite3.Error."""
        ...
