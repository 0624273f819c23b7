"""How long votes take to recall, by the number of remembered questions: python -m tests.benchmarks.recall_speed

The questions are random unit vectors, so that hardly any is like another; each has three judged passages. Printed per
size: milliseconds to recall, to add one more vote, and the seconds to read the whole log at a start.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import fields
from functools import partial

import numpy as np

from app.feedback import FeedbackEvent
from app.feedback.recall import Memory
from ingest.embed.embedder import Vectors

DIMENSION = 384
NUM_TIMED = 30


class RandomEmbedder:
    """Gives every text a random unit vector."""

    name, dimension, max_tokens = "random", DIMENSION, 256

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def embed(self, texts: list[str]) -> Vectors:
        vectors = self._rng.normal(size=(len(texts), DIMENSION)).astype(np.float32)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

    def embed_query(self, text: str) -> Vectors:
        return np.asarray(self.embed([text])[0], np.float32)


def main() -> None:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000, 100_000])
    for size in parser.parse_args().sizes:
        print(json.dumps(measure(size)), flush=True)


def measure(size: int) -> dict[str, float]:
    """Return the times for a log of so many questions."""
    memory = Memory(RandomEmbedder(), min_people=2)
    started = time.perf_counter()
    memory.take(_events(range(size)))
    loaded = time.perf_counter() - started
    recall = [_milliseconds(lambda: memory.recall("a question", "ann", ())) for _ in range(NUM_TIMED)]
    add = [_milliseconds(partial(memory.take, _events([size + number]))) for number in range(5)]
    row = {"questions": size, "recall_ms": np.median(recall), "add_ms": np.median(add), "load_s": loaded}
    return {name: round(float(value), 2) for name, value in row.items()}


def _milliseconds(act: object) -> float:
    assert callable(act)
    started = time.perf_counter()
    act()
    return 1000 * (time.perf_counter() - started)


def _events(numbers: Sequence[int]) -> list[FeedbackEvent]:
    blank = {field.name: None for field in fields(FeedbackEvent)}
    place = {"document": "a.md", "title": "A", "heading": "", "at": "2026-11-28", "shown": "c1 c2 c3"}
    return [
        FeedbackEvent(
            **{  # type: ignore[arg-type]  # only what is read matters
                **blank,
                **place,
                "user": f"user {number % 100}",
                "question": f"question {number}",
                "action": action,
                "chunk_id": f"c{rank}",
                "text": f"passage {number % 1000} {rank}",
            }
        )
        for number in numbers
        for rank, action in enumerate(("kept", "deleted", "deleted"), 1)
    ]


if __name__ == "__main__":
    main()
