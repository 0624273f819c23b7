"""How long a step of training takes here, next to memory handled as it comes: python -m tests.benchmarks.training_speed

The two sides take turns, each in a process of its own, since what the C library is told stays told. What counts is the
ratio of neighbours, and its median. Nothing is asserted: a time is a fact about a machine.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Literal
from unittest.mock import patch

from app.training.fit import trainer as fit
from app.training.fit.late_interaction import train
from app.training.labels.examples import TrainingExample
from ingest.embed.embedder import default_embedder_path, load_embedder
from tests.benchmarks.ingest_speed import read_passages
from tests.benchmarks.timing import machine

Side = Literal["as it comes", "kept"]

_NUM_WARM_UP = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("data/sample"), help="Of documents to learn.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12, help="at least 4")
    options = parser.parse_args()
    num_passages = options.steps * fit.Recipe().batch_size * (1 + fit.Recipe().num_negatives)
    passages = list(read_passages(options.folder, load_embedder()))
    passages = (passages * (num_passages // len(passages) + 1))[:num_passages]
    seconds: dict[Side, list[float]] = {"as it comes": [], "kept": []}
    gigabytes: dict[Side, float] = {}
    for _ in range(options.rounds):
        for side in seconds:
            step, memory = measure(side, passages)
            seconds[side].append(step)
            gigabytes[side] = max(memory, gigabytes.get(side, 0))
    ratios = [kept / plain for plain, kept in zip(*seconds.values(), strict=True)]
    found = {
        "machine": machine(),
        "seconds_per_step": {side: median(values) for side, values in seconds.items()},
        "gigabytes": gigabytes,
        "share": {"median": median(ratios), "lowest": min(ratios), "highest": max(ratios)},
    }
    print(json.dumps(found, indent=1))


def measure(side: Side, passages: list[str]) -> tuple[float, float]:
    """Median seconds of a step, and the most memory that the process held, in GB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_train, (side, passages))


def _train(side: Side, passages: list[str]) -> tuple[float, float]:
    if side == "as it comes":
        patch.object(fit, "_keep_freed_memory").start()
    times: list[tuple[int, float]] = []
    watch = fit.Watch(lambda loss: times.append((loss.step, time.perf_counter())))
    with tempfile.TemporaryDirectory() as folder:
        train(_examples(passages), str(default_embedder_path()), Path(folder) / "model", fit.Recipe(), watch=watch)
    seconds = [(after - before) / (step - last) for (last, before), (step, after) in pairwise(times)]
    return median(seconds[_NUM_WARM_UP:]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _examples(passages: list[str]) -> list[TrainingExample]:
    """Each passage's first sentence for a question, and the passages behind it for what does not answer."""
    size = 1 + fit.Recipe().num_negatives
    groups = [passages[start : start + size] for start in range(0, len(passages), size)]
    return [TrainingExample(first.split(".")[0], (first,), tuple(others), origin="sample") for first, *others in groups]


if __name__ == "__main__":
    main()
