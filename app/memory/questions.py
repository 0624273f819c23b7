"""remembered questions -> the ones nearest to a query, by exact search over their vectors."""

from __future__ import annotations

import numpy as np

from ingest.embed.embedder import Vectors, likeness

_NUM_NEAREST = 50
"""More like questions hardly add anything."""
_MIN_SIMILARITY = 0.4
"""A question that is less similar has no likeness worth acting on."""
_FIRST_ROWS = 64


class Questions:
    """Questions with unit vectors, which can be added to. Readers are never blocked; one thread at a time may add.

    dimension: of the vectors. embedder: its recorded name.
    """

    def __init__(self, dimension: int, embedder: str = "") -> None:
        self._embedder = embedder
        self._rows: dict[str, int] = {}
        self._keys: list[str] = []
        self._vectors = np.zeros((_FIRST_ROWS, dimension), np.float32)

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: str, vector: Vectors) -> None:
        """Add a question by key with its vector; a known key is skipped."""
        if key in self._rows:
            return
        row = len(self._keys)
        if row == len(self._vectors):
            self._vectors = np.concatenate([self._vectors, np.zeros_like(self._vectors)])  # doubled
        self._vectors[row] = vector
        self._rows[key] = row
        self._keys.append(key)

    def vector(self, key: str) -> Vectors:
        """Return the vector of a question."""
        vector: Vectors = self._vectors[self._rows[key]]
        return vector

    def nearest(self, vector: Vectors) -> list[tuple[str, float]]:
        """Return up to 50 keys with their likeness to a vector, most similar first."""
        number = len(self._keys)
        if not number:
            return []
        similarities = likeness(self._vectors[:number] @ np.asarray(vector, np.float32), self._embedder)
        near = np.flatnonzero(similarities >= _MIN_SIMILARITY)
        if len(near) > _NUM_NEAREST:
            near = near[np.argpartition(-similarities[near], _NUM_NEAREST)[:_NUM_NEAREST]]
        order = near[np.argsort(-similarities[near], kind="stable")]
        return [(self._keys[row], float(similarities[row])) for row in order]
