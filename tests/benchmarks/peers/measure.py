"""The sides take turns at each measure, so that a machine's bad minute falls on all of them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ingest.embed.embedder import load_embedder
from tests.benchmarks.load import questions
from tests.benchmarks.peers.workers import Reply, Worker, started

DEPTHS = (20, 50, 100)
NUM_CANDIDATES = 50
KNOWN, CROSS_ENCODER = "ours, known", "ours, cross-encoder"
"""Our other ways to rerank: passages with token vectors on disk, and the others' cross-encoder run by us."""
_NUM_EMBEDDED = 128
_NUM_ASKED_COLD = 3


@dataclass(frozen=True, slots=True)
class Stand:
    """Where the sides stand: their processes, and how to start more of them."""

    workers: dict[str, Worker]
    pythons: Mapping[str, str]
    folder: Path
    embedder: Path
    documents: Path
    rounds: int

    def folders(self, side: str) -> tuple[Path, Path, Path]:
        """Return the folders that the process of a side is given."""
        return self.folder / side, self.embedder, self.folder / "cross-encoder"


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured. seconds, megabytes, bytes: by measure and side."""

    seconds: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    megabytes: dict[str, dict[str, float]] = field(default_factory=dict)
    bytes: dict[str, dict[str, int]] = field(default_factory=dict)
    chunks: dict[str, int] = field(default_factory=dict)
    operations: dict[str, float] = field(default_factory=dict)
    """Floating-point operations of a measure, without padding."""
    peaks: list[float] = field(default_factory=list)
    """Operations a second of a product of matrices."""

    def take_turns(self, measure: str, number: int, calls: Mapping[str, Callable[[], float]]) -> None:
        """Time each side once; number: of the round, which decides who begins."""
        first = number % len(calls)
        for side in [*calls][first:] + [*calls][:first]:
            self.seconds.setdefault(measure, {}).setdefault(side, []).append(seconds := calls[side]())
            print(f"{measure}: {side} {seconds:.4f} s", file=sys.stderr, flush=True)


def measure_all(stand: Stand, sizes: Sequence[int], num_asked: int) -> Found:
    """Measure everything; num_asked: questions that are also reranked, at each size."""
    found, ours = Found(), stand.workers["ours"]
    ours.ask("ingest", str(stand.documents))
    passages = ours.ask("passages").result
    (texts := stand.folder / "passages.json").write_text(json.dumps(passages))
    _measure_ingest(found, stand, texts, passages)
    _measure_reranking(found, stand, passages)
    for size in sizes:
        _grow(found, stand, size)
        _measure_search(found, stand, size)
        _measure_questions(found, stand, size, questions()[:num_asked])
        _measure_start(found, stand, size)
    return found


def _measure_ingest(found: Found, stand: Stand, texts: Path, passages: list[str]) -> None:
    sources = {side: str(stand.documents if side == "ours" else texts) for side in stand.workers}
    some = passages[:: max(1, len(passages) // _NUM_EMBEDDED)][:_NUM_EMBEDDED]
    encoders = {side: stand.workers[side] for side in ("ours", "plain")}
    for worker in encoders.values():
        worker.ask("embed", some)
    for number in range(stand.rounds):
        found.take_turns("ingest", number, _calls(stand.workers, "ingest", sources))
        found.take_turns("embed", number, _calls(encoders, "embed", dict.fromkeys(encoders, some)))
        found.peaks.append(stand.workers["ours"].ask("peak").result)
    found.take_turns("token vectors", 0, {"ours": lambda: stand.workers["ours"].ask("prepare").seconds})
    found.chunks["ingest"] = len(passages)
    found.operations["embed"] = _operations(some)


def _measure_reranking(found: Found, stand: Stand, passages: list[str]) -> None:
    ours, others = stand.workers["ours"], {side: w for side, w in stand.workers.items() if side != "ours"}
    for worker in stand.workers.values():
        worker.ask("rerank", "Is this warm?", passages[:2])
    for depth in DEPTHS:
        some = passages[:: len(passages) // depth][:depth]
        for number, question in enumerate(questions()[: stand.rounds]):
            calls = {side: partial(_seconds, worker, "rerank", question, some) for side, worker in others.items()}
            here = {"ours": "rerank_new", KNOWN: "rerank", CROSS_ENCODER: "cross_encode"}
            calls |= {side: partial(_seconds, ours, method, question, some) for side, method in here.items()}
            found.take_turns(f"rerank {depth}", number, calls)
            found.peaks.append(ours.ask("peak").result)
        found.operations[f"rerank {depth}"] = _operations(some)


def _grow(found: Found, stand: Stand, size: int) -> None:
    """Let all sides store the same drawn passages with given vectors."""
    rows = stand.folder / "rows.parquet"
    num_drawn = stand.workers["ours"].ask("draw", size, str(rows)).result
    found.chunks[f"store {size}"] = num_drawn
    found.take_turns(f"store {size}", 0, _calls(stand.workers, "store", dict.fromkeys(stand.workers, str(rows))))
    found.bytes[f"disk {size}"] = {side: _bytes(stand.folder / side) for side in stand.workers}


def _measure_search(found: Found, stand: Stand, size: int) -> None:
    for worker in stand.workers.values():
        worker.ask("search", "Is this warm?", NUM_CANDIDATES)
    for number, question in enumerate(questions()):
        calls = {side: partial(_seconds, w, "search", question, NUM_CANDIDATES) for side, w in stand.workers.items()}
        found.take_turns(f"search {size}", number, calls)


def _measure_questions(found: Found, stand: Stand, size: int, asked: list[str]) -> None:
    """Measure from the question to ranked sources."""
    stand.workers["ours"].ask("prepare_for", asked)
    for worker in stand.workers.values():
        worker.ask("ask", "Is this warm?")
    for number, question in enumerate(asked):
        calls = {side: partial(_seconds, worker, "ask", question) for side, worker in stand.workers.items()}
        new = partial(_seconds, stand.workers["ours"], "ask_new", question)
        found.take_turns(f"question {size}", number, calls | {"ours": new, KNOWN: calls["ours"]})


def _measure_start(found: Found, stand: Stand, size: int) -> None:
    """Measure from the start of a process to its first ranked sources, and its memory after some more."""

    def start(side: str) -> float:
        with started(side, stand.pythons[side], stand.folders(side)) as worker:
            first, *others = questions()[:_NUM_ASKED_COLD]
            worker.ask("ask", first)
            seconds = time.perf_counter() - worker.started
            peaks = [worker.ask("ask", question).peak_mb for question in others]
        found.megabytes.setdefault(f"memory {size}", {})[side] = peaks[-1]
        return seconds

    for number in range(stand.rounds):
        found.take_turns(f"start {size}", number, {side: partial(start, side) for side in stand.workers})


def _calls(
    workers: Mapping[str, Worker], method: str, arguments: Mapping[str, object]
) -> dict[str, Callable[[], float]]:
    return {side: partial(_seconds, worker, method, arguments[side]) for side, worker in workers.items()}


def _seconds(worker: Worker, method: str, *arguments: object) -> float:
    reply: Reply = worker.ask(method, *arguments)
    return reply.seconds


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _operations(passages: Sequence[str]) -> float:
    """Return the operations of a BERT of six layers, 384 wide: projections, feed-forward layers, attention."""
    count = load_embedder().count_tokens
    tokens = [min(count(passage), 254) + 2 for passage in passages]
    return float(sum(6 * (24 * n * 384**2 + 4 * n * n * 384) for n in tokens))
