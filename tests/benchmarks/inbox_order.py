"""What the inbox's order is worth to a curator: python -m tests.benchmarks.inbox_order BEIR_DIR

Half of the needs are asked by simulated people, some needs much more often than others (Zipf). In a share of the
askings they strike out what the judgements call wrong, and a tenth of these clicks goes wrong. A curator then decides
item by item and names a passage that answers: the best candidate, or one that search missed. After some labels, what
will be asked is ranked: all wordings of these needs, asked before or not, weighted by how often their need is asked.
The gain over no labels, for each label, is compared: labels in the inbox's order, the same items in random order, and
random questions that were asked.

Nothing is asserted. `--part even` or `odd` takes every second need: fit on one, report the other.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from app.answer import Answer
from app.feedback import FeedbackStore, Judgement
from app.feedback.inbox import inbox
from app.feedback.rules import label
from ingest.chunk import Chunk
from tests.benchmarks.asked_again import World, make_world, measures, name_passage, remember, split_needs, voted
from tests.benchmarks.curator import strike_wrong

NUM_LABELS = (5, 10, 20)
NUM_SHUFFLES = 5
READER = "eve"
GainsOf = Callable[[Sequence[Sequence[str]], Path], dict[int, float]]
"""Items in the order of their labels, scratch folder -> gain per label."""


@dataclass(frozen=True, slots=True)
class Log:
    """What people asked, in order, and what is measured: query ids. weights: how often the need of each is asked."""

    asked: list[str]
    measured: list[str]
    weights: Mapping[str, float]


def main() -> None:
    """Print one line for each seed, and their mean."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        world = make_world(options.folder, options.cache, Path(scratch), options.max_queries)
        world = only_part(world, options.part)
        reports = [run(world, options, seed, Path(scratch) / str(seed)) for seed in range(options.seeds)]
    for report in reports:
        print(json.dumps(report))
    print(json.dumps({"ratios": _ratios(reports)}))


def only_part(world: World, part: str) -> World:
    """Keep every second need, or all."""
    order = sorted(set(world.needs.values()))
    kept = set(order[0::2] if part == "even" else order[1::2] if part == "odd" else order)
    return replace(world, needs={query_id: need for query_id, need in world.needs.items() if need in kept})


def run(world: World, options: argparse.Namespace, seed: int, scratch: Path) -> dict[str, object]:
    """Simulate one log and label it in each order."""
    chance = random.Random(seed)
    log = make_log(world, options.askings, chance)
    store = FeedbackStore(scratch / "log")
    ask(world, store, log.asked, options.clicking, options.wrong, chance)
    items = inbox(store, world.embedder, store.askings(), label(store.events(), store.judgements()), {})
    ids = {world.answers[query_id].searched: query_id for query_id in log.asked}
    ordered = [[ids[wording] for wording in item.wordings] for item in items]
    questions = [[query_id] for query_id in dict.fromkeys(log.asked)]
    before = quality(world, store, log)

    def gains_of(order: Sequence[Sequence[str]], home: Path) -> dict[int, float]:
        return gains_per_label(world, store, log, order, before, home, chance)

    gains = {
        "inbox": gains_of(ordered, scratch / "inbox"),
        "random items": _mean(_shuffled(ordered, gains_of, scratch / "items", chance)),
        "random questions": _mean(_shuffled(questions, gains_of, scratch / "questions", chance)),
    }
    troubles = Counter(item.trouble for item in items)
    return {
        "seed": seed,
        "askings": len(log.asked),
        "questions": len(questions),
        "items": len(items),
        "troubles": dict(troubles),
        "measured": len(log.measured),
        "nDCG@10 without labels": round(before, 4),
        "points per label": {name: {k: round(100 * gain, 3) for k, gain in one.items()} for name, one in gains.items()},
    }


def make_log(world: World, num_askings: int, chance: random.Random) -> Log:
    """Draw askings: the n-th need of a random order is asked 1 / n times as often as the first."""
    split = split_needs(world, askings=3, chance=chance)
    wordings: dict[str, list[str]] = {}
    for query_id in split.asked:
        wordings.setdefault(world.needs[query_id], []).append(query_id)
    needs = list(wordings)
    weights = {need: 1 / rank for rank, need in enumerate(needs, 1)}
    drawn = chance.choices(needs, [weights[need] for need in needs], k=num_askings)
    asked = [chance.choice(wordings[need]) for need in drawn]
    measured = [*split.asked, *split.again]
    number = Counter(world.needs[query_id] for query_id in measured)
    shares = {query_id: weights[world.needs[query_id]] / number[world.needs[query_id]] for query_id in measured}
    return Log(asked, measured, shares)


def ask(
    world: World, store: FeedbackStore, asked: Iterable[str], clicking: float, wrong: float, chance: random.Random
) -> None:
    """Ask each question as somebody of twenty; some of them click."""
    clicks = strike_wrong(wrong)
    written: dict[str, Answer] = {}
    for query_id in asked:
        if query_id not in written:
            *_, written[query_id] = world.pipeline.write(world.answers[query_id])
        answer, user = written[query_id], f"user{chance.randrange(20)}"
        stored = store.answer(store.save_answer(answer, user, user), user)
        assert stored
        if chance.random() < clicking:
            cited = [citation.chunk for citation in stored.answer.citations]
            for place in clicks([world.is_right(query_id, chunk) for chunk in cited], chance):
                store.record(stored, cited[place].id, "deleted", user)
            store.record_kept(stored, user)


def gains_per_label(
    world: World,
    store: FeedbackStore,
    log: Log,
    items: Sequence[Sequence[str]],
    before: float,
    home: Path,
    chance: random.Random,
) -> dict[int, float]:
    """Return number of labels -> gain per label, in nDCG@10. items: query ids of the wordings of each."""
    labeled, gains = copy_of(store, home), dict[int, float]()
    for number, wordings in enumerate(items[: max(NUM_LABELS)], 1):
        same = [query_id for query_id in wordings if world.needs[query_id] == world.needs[wordings[0]]]
        if chunk := name_passage(world, wordings[0], chance) or find_passage(world, wordings[0]):
            labeled.judge(
                Judgement.of(world.answers[query_id].searched, chunk.ref, "relevant", "cora") for query_id in same
            )
        if number in NUM_LABELS:
            gains[number] = (quality(world, labeled, log) - before) / number
    return gains


def find_passage(world: World, query_id: str) -> Chunk | None:
    """Return a passage that answers and that search missed, as a curator finds it with other words."""
    table = world.pipeline.table
    chunks = (chunk for document in table.documents() for chunk in table.chunks_of(document.id))
    return next((chunk for chunk in chunks if world.is_right(query_id, chunk)), None)


def copy_of(store: FeedbackStore, home: Path) -> FeedbackStore:
    """Return a copy of the feedback, to label."""
    copy = FeedbackStore(home)
    home.mkdir(parents=True, exist_ok=True)
    paths = store._records._path, copy._records._path
    with closing(sqlite3.connect(paths[0])) as source, closing(sqlite3.connect(paths[1])) as target:
        source.backup(target)
    return copy


def quality(world: World, store: FeedbackStore, log: Log) -> float:
    """Return the weighted mean nDCG@10 of the measured queries with what was said."""
    memory = remember(world, store)
    values = measures(world, {query_id: voted(world, memory, READER, query_id) for query_id in log.measured})["nDCG@10"]
    weights = [log.weights[query_id] for query_id in log.measured]
    return float(np.average([values[query_id] for query_id in log.measured], weights=weights))


def _shuffled(
    items: Sequence[Sequence[str]], gains_of: GainsOf, home: Path, chance: random.Random
) -> list[dict[int, float]]:
    return [gains_of(chance.sample(items, len(items)), home / str(number)) for number in range(NUM_SHUFFLES)]


def _mean(gains: Sequence[Mapping[int, float]]) -> dict[int, float]:
    return {k: float(np.mean([one[k] for one in gains])) for k in NUM_LABELS if all(k in one for one in gains)}


def _ratios(reports: Sequence[Mapping[str, object]]) -> dict[str, dict[int, float]]:
    """Return baseline -> number of labels -> gain in the inbox's order as a multiple of the baseline's, over seeds."""
    found: dict[str, dict[int, float]] = {}
    for name in ("random items", "random questions"):
        for k in NUM_LABELS:
            pairs = [(gains["inbox"].get(k), gains[name].get(k)) for gains in _gains(reports)]
            whole = [(mine, other) for mine, other in pairs if mine is not None and other is not None]
            if whole and sum(other for _, other in whole):
                ratio = sum(mine for mine, _ in whole) / sum(other for _, other in whole)
                found.setdefault(name, {})[k] = round(ratio, 2)
    return found


def _gains(reports: Sequence[Mapping[str, object]]) -> list[dict[str, dict[int, float]]]:
    return [report["points per label"] for report in reports]  # type: ignore[misc]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="in BEIR layout, with metadata.need in queries.jsonl")
    parser.add_argument("--askings", type=int, default=200)
    parser.add_argument("--clicking", type=float, default=0.3, help="share of the askings in which somebody clicks")
    parser.add_argument("--wrong", type=float, default=0.1, help="share of the clicks that hit another citation")
    parser.add_argument("--part", choices=("all", "even", "odd"), default="all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max-queries", type=int)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "citeloop-benchmarks")
    return parser.parse_args()


if __name__ == "__main__":
    main()
