"""query + passages -> what people kept or struck out of them for like questions: what a model remembers word for word.

Weights learn slowly and from many; what somebody struck out for the same question in other words should stay out. A
memory lies beside a reranker's weights, and a Blend says how much it counts.
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
"""A query and questions -> how like each is to the query, about 1 for the same one."""

_FILE = "memory.json"


@dataclass(frozen=True, slots=True)
class Remembered:
    """That a passage, known by its digest, answers a question or does not. weight: from 0 to 1."""

    question: str
    passage: str
    relevant: bool
    weight: float


class Memory:
    """What is remembered, by passage."""

    def __init__(self, remembered: Iterable[Remembered]) -> None:
        self.remembered = tuple(remembered)
        self._by_passage: dict[str, list[Remembered]] = {}
        for each in self.remembered:
            self._by_passage.setdefault(each.passage, []).append(each)

    @classmethod
    def load(cls, folder: Path) -> Memory | None:
        """The memory beside a reranker, None if it has none. Raises ValueError, KeyError or TypeError if damaged."""
        path = folder / _FILE
        return cls(Remembered(**row) for row in json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    def save(self, folder: Path) -> None:
        """Write memory.json."""
        rows = [asdict(each) for each in self.remembered]
        (folder / _FILE).write_text(json.dumps(rows, ensure_ascii=False) + "\n", encoding="utf-8")

    def recall(
        self, query: str, passages: Sequence[str], similarity: Similarity, *, without: str | None = None
    ) -> NDArray[np.float64]:
        """For each passage how near, and how sure, the nearest question is for which it was kept, and struck out.

        Shape (len(passages), 2); 0 where there is none. without: a question that is not asked of the memory, so that
        what is fitted on remembered questions does not simply see them again.
        """
        known = [
            [each for each in self._by_passage.get(digest(passage), ()) if each.question != without]
            for passage in passages
        ]
        questions = list({each.question: None for found in known for each in found})
        near = dict(zip(questions, similarity(query, questions), strict=True)) if questions else {}
        recalled = np.zeros((len(passages), 2))
        for row, found in zip(recalled, known, strict=True):
            for each in found:
                column = 0 if each.relevant else 1
                row[column] = max(row[column], each.weight * max(0.0, near[each.question]))
        return recalled


def digest(passage: str) -> str:
    """What a passage is known by: 16 hex digits of its text."""
    return sha256(passage.encode()).hexdigest()[:16]
