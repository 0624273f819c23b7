"""query and passages -> feedback on these passages for similar questions.

Model weights learn slowly; a memory keeps a passage out at once if it was struck out for a similar question. It is
stored beside a reranker's weights, and a Blend sets its weight.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Similarity = Callable[[str, Sequence[str]], Sequence[float]]
"""A query and questions -> similarity of each to the query, about 1 for the same question."""

_FILE = "memory.json"


@dataclass(frozen=True, slots=True)
class Remembered:
    """Whether a passage, identified by its digest, answers a question. weight: from 0 to 1."""

    question: str
    passage: str
    relevant: bool
    weight: float


class Memory:
    """Remembered feedback, indexed by passage."""

    def __init__(self, remembered: Iterable[Remembered]) -> None:
        self.remembered = tuple(remembered)
        self._by_passage: dict[str, list[Remembered]] = {}
        for entry in self.remembered:
            self._by_passage.setdefault(entry.passage, []).append(entry)

    @classmethod
    def load(cls, folder: Path) -> Memory | None:
        """Return the memory in a reranker's folder, or None. Raises ValueError, KeyError or TypeError if damaged."""
        path = folder / _FILE
        return cls(Remembered(**row) for row in json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    def save(self, folder: Path) -> None:
        """Write memory.json."""
        rows = [asdict(entry) for entry in self.remembered]
        (folder / _FILE).write_text(json.dumps(rows, ensure_ascii=False) + "\n", encoding="utf-8")

    def recall(
        self, query: str, passages: Sequence[str], similarity: Similarity, *, without: str | None = None
    ) -> NDArray[np.float64]:
        """Return, per passage, the highest weight times similarity of a question that kept it, and that struck it out.

        Shape (len(passages), 2); 0 if there is none. without: a question to ignore, so that weights fitted on
        remembered questions do not see their own feedback.
        """
        known = [
            [entry for entry in self._by_passage.get(digest(passage), ()) if entry.question != without]
            for passage in passages
        ]
        questions = list({entry.question: None for found in known for entry in found})
        nearness = dict(zip(questions, similarity(query, questions), strict=True)) if questions else {}
        recalled = np.zeros((len(passages), 2))
        for row, found in zip(recalled, known, strict=True):
            for entry in found:
                column = 0 if entry.relevant else 1
                row[column] = max(row[column], entry.weight * max(0.0, nearness[entry.question]))
        return recalled


def digest(passage: str) -> str:
    """Return the id of a passage: 16 hex digits made from its text."""
    return sha256(passage.encode()).hexdigest()[:16]
