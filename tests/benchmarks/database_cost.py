"""`python -m tests.benchmarks.database_cost`: milliseconds of one transaction of each kind, with 500 answers stored."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from app.access.keys import KeyStore
from app.feedback import FeedbackStore, StoredAnswer
from app.registry import Registry
from ingest.jobs import JobStore
from tests.app.builders import make_answer

_NUM_ANSWERS = 500
_NUM_TIMES = 100


def main() -> None:
    """Print the processor time, which other programs change less, and the median on the clock."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        store = FeedbackStore(home)
        for number in range(_NUM_ANSWERS):
            store.save_answer(make_answer(), f"talk {number // 10}", "ann")
        (shown, *_) = store.conversation("talk 0", "ann")
        for name, act in _acts(home, store, shown).items():
            print(f"{name:<28}", *(f"{ms:>8.2f}" for ms in _milliseconds(act)))


def _acts(home: Path, store: FeedbackStore, shown: StoredAnswer) -> dict[str, Callable[[int], object]]:
    keys, jobs, registry = KeyStore(home), JobStore(home), Registry(home)
    key, job = keys.create("wiki"), jobs.add("folder", [home], begin=True)
    chunk_id = shown.answer.citations[0].chunk.id
    return {
        "strike out or restore": lambda n: store.record(shown, chunk_id, ("deleted", "undone")[n % 2], "ann"),
        "save an answer": lambda _: store.save_answer(make_answer(), "more", "ann"),
        "what is struck out": lambda _: store.deleted(shown.id, "ann"),
        "a conversation": lambda _: store.conversation("talk 0", "ann"),
        "conversations": lambda _: store.conversations("ann"),
        "conversations with words": lambda _: store.conversations("ann", "thirty days"),
        "what the inbox needs": lambda _: store.askings(),
        "how far the log is": lambda _: store.position(),
        "find a key": lambda _: keys.find(key),
        "live model": lambda _: registry.live(),
        "progress of a job": lambda n: jobs.update(job.id, num_files_done=n),
    }


def _milliseconds(act: Callable[[int], object]) -> tuple[float, float]:
    times, began_all = [], time.process_time()
    for number in range(_NUM_TIMES):
        began = time.perf_counter()
        act(number)
        times.append(time.perf_counter() - began)
    return 1000 * (time.process_time() - began_all) / _NUM_TIMES, 1000 * median(times)


if __name__ == "__main__":
    main()
