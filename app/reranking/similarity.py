"""What some rerankers can do besides: comparable similarities, preparation, an empty cache, telling their language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from app.reranking.kept_vectors import KeptVectors


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


@runtime_checkable
class Forgetful(Protocol):
    """Caches what it computed for passages."""

    def forget(self) -> None:
        """Empty the cache."""
        ...


@runtime_checkable
class Preparable(Protocol):
    """Computes most of its work from the passages alone, so that it can be done before a question comes.

    kept: where the results stay; None: nowhere.
    """

    kept: KeptVectors | None

    def prepare(self, passages: Sequence[str]) -> None:
        """Compute and keep the results for these passages. Raises sqlite3.Error."""
        ...
