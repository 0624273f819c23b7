"""What votes are worth when a need is asked again: python -m tests.benchmarks.asked_again BEIR_DIR

Half of the needs are asked by simulated people, who strike out what the judgements call wrong and leave the rest
standing; a share of their clicks goes wrong. A curator may name one passage that answers. Then the other wordings of
these needs, and all wordings of the others, are ranked with what was said and without.

`metadata.need` in queries.jsonl says which queries have the same need; without it, those that share their first judged
document or passage have. Means, intervals and p-values are over needs, since wordings of one need are not independent.
Nothing is asserted: what votes are worth is a fact about a set of documents.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter
from tqdm import tqdm

from app.answer import Answer
from app.evaluation.beir_files import QUERIES, find_file, read_rows
from app.evaluation.benchmark import read_benchmark
from app.evaluation.metrics import difference, measure
from app.evaluation.tables import JudgedTable, judged_table
from app.feedback import FeedbackStore, Judgement
from app.feedback.recall import Memory
from app.feedback.store import Position
from app.pipeline import Pipeline
from app.reranking.rerank import RankedChunk
from app.reranking.votes import with_votes
from app.settings import Settings
from ingest.chunk import Chunk, PassageRef
from ingest.embed.embedder import Embedder, load_embedder
from tests.benchmarks.curator import Clicks, strike_wrong

CONDITIONS = {"clicks": (True, False), "naming": (False, True), "both": (True, True)}
"""Name -> whether people click, and whether a curator names a passage."""
READERS = {"same person": ("ann", ("ann",)), "somebody else": ("eve", ("ann", "bob"))}
"""Who asks again -> their name, and the people who have asked before and must agree."""
MIN_AGREEING = 2


class QueriesKept:
    """An embedder that embeds each query once, since the same ones are asked in every condition."""

    def __init__(self, embedder: Embedder) -> None:
        self.name, self.dimension, self.max_tokens = embedder.name, embedder.dimension, embedder.max_tokens
        self.count_tokens, self.embed = embedder.count_tokens, embedder.embed
        self.embed_query = cache(embedder.embed_query)


@dataclass(frozen=True, slots=True)
class World:
    """A benchmark with the ranking of each query without votes, and the need of each query."""

    pipeline: Pipeline
    judged: JudgedTable
    needs: Mapping[str, str]
    answers: Mapping[str, Answer]
    embedder: Embedder

    def is_right(self, query_id: str, chunk: Chunk) -> bool:
        return self.judged.qrels[query_id].get(self.judged.unit(chunk), 0) > 0

    def find(self, passages: Collection[PassageRef]) -> dict[PassageRef, Chunk]:
        return self.pipeline.find_passages(passages)


def main() -> None:
    """Print a report for each seed, or their means."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        world = make_world(options.folder, options.cache, Path(scratch), options.max_queries)
        reports = [run(world, options, seed, Path(scratch) / str(seed)) for seed in range(options.seeds)]
    if options.json:
        print(json.dumps({"folder": str(options.folder), "askings": options.askings, "seeds": reports}))
    else:
        for report in reports:
            _print(report)


def make_world(folder: Path, cache: Path, scratch: Path, max_queries: int | None) -> World:
    """Build the table, once, and rank every query."""
    benchmark = read_benchmark(folder, max_queries)
    judged = judged_table(benchmark, cache, load_embedder())
    pipeline = Pipeline(Settings(home=judged.table.home))
    pipeline.table  # noqa: B018  # fails early
    queries = tqdm(judged.queries.items(), desc="rank", file=sys.stderr)
    answers = {query_id: pipeline.rank(query, ignore_votes=True) for query_id, query in queries}
    needs = {
        row.id: row.metadata("need", TypeAdapter(str)) or next(iter(judged.qrels[row.id]))
        for row in read_rows(find_file(folder, *QUERIES))
        if row.id in judged.queries
    }
    return World(pipeline, judged, needs, answers, QueriesKept(pipeline.models.embedder))


def run(world: World, options: argparse.Namespace, seed: int, scratch: Path) -> dict[str, object]:
    """Ask half of the needs and measure on the other wordings, in every condition."""
    chance = random.Random(seed)
    split = split_needs(world, options.askings, chance)
    asked, again, never = split.asked, split.again, split.never
    named = {query_id: name_passage(world, query_id, chance) for query_id in asked}
    named_of_need = {world.needs[query_id]: chunk for query_id, chunk in named.items() if chunk}
    results: dict[str, object] = {}
    for reader, (user, people) in READERS.items():
        for name, (clicks, naming) in CONDITIONS.items():
            home = scratch / f"{user}-{name}"
            store, struck = FeedbackStore(home), dict[str, set[str]]()
            if clicks:
                struck = click(world, store, asked, people, strike_wrong(options.wrong), random.Random(seed))
            if naming:
                store.judge(
                    Judgement.of(world.answers[query_id].searched, chunk.ref, "relevant", "curator")
                    for query_id, chunk in named.items()
                    if chunk
                )
            memory = remember(world, store)
            results[f"{reader}, {name}"] = {
                "same question": _same_question(world, memory, user, asked, struck, named if naming else {}),
                "asked again": compare(world, memory, user, again, named_of_need),
                "never asked": compare(world, memory, user, never, {}),
                "reach": {"in_favor": memory.reach.in_favor, "against": memory.reach.against},
            }
    return {
        "seed": seed,
        "needs": len(set(world.needs.values())),
        "asked_needs": len({world.needs[query_id] for query_id in asked}),
        "asked": len(asked),
        "asked_again": len(again),
        "never_asked": len(never),
        "results": results,
    }


@dataclass(frozen=True, slots=True)
class Split:
    """Query ids: wordings that people ask, other wordings of the same needs, and all of needs that nobody asks."""

    asked: list[str]
    again: list[str]
    never: list[str]


def split_needs(world: World, askings: int, chance: random.Random) -> Split:
    """Half of the needs are asked, in as many wordings, but not in all."""
    wordings: dict[str, list[str]] = {}
    for query_id, need in world.needs.items():
        wordings.setdefault(need, []).append(query_id)
    order = sorted(wordings)
    chance.shuffle(order)
    half = order[: len(order) // 2]
    asked = [
        query_id
        for need in half
        for query_id in chance.sample(wordings[need], min(askings, max(1, len(wordings[need]) - 1)))
    ]
    again = [query_id for need in half for query_id in wordings[need] if query_id not in set(asked)]
    return Split(asked, again, [query_id for need in order[len(half) :] for query_id in wordings[need]])


def click(
    world: World,
    store: FeedbackStore,
    asked: Iterable[str],
    people: Sequence[str],
    clicks: Clicks,
    chance: random.Random,
    is_right: Callable[[str, Chunk], bool] | None = None,
) -> dict[str, set[str]]:
    """Everybody asks every question and clicks; return query id -> chunks that all have struck out.

    is_right: what they take for right; by default what the judgements say.
    """
    struck: dict[str, set[str]] = {}
    judge = is_right or world.is_right
    for query_id in asked:
        for user in people:
            shown = world.answers[query_id]
            shown = replace(
                shown, text=" ".join(f"[{each.number}]" for each in shown.citations), found=True, complete=True
            )
            stored = store.answer(store.save_answer(shown, user, user), user)
            assert stored
            cited = [citation.chunk for citation in shown.citations]
            mine = {cited[place].id for place in clicks([judge(query_id, chunk) for chunk in cited], chance)}
            for chunk_id in mine:
                store.record(stored, chunk_id, "deleted", user)
            store.record_kept(stored, user)
            struck[query_id] = struck.get(query_id, mine) & mine
    return struck


def name_passage(world: World, query_id: str, chance: random.Random) -> Chunk | None:
    """Return a passage that answers, as a curator would find it: of a judged document, the one that ranks best."""
    right = [ranked.chunk for ranked in world.answers[query_id].ranking if world.is_right(query_id, ranked.chunk)]
    firsts = list({world.judged.unit(chunk): chunk for chunk in reversed(right)}.values())
    return chance.choice(firsts) if firsts else None


def remember(world: World, store: FeedbackStore) -> Memory:
    memory = Memory(world.embedder, MIN_AGREEING)
    memory.take(store.entries_after(Position())[0])
    memory.learn_reach()
    return memory


def voted(world: World, memory: Memory, user: str, query_id: str) -> list[RankedChunk]:
    ranking = world.answers[query_id].ranking
    found = [ranked.chunk.id for ranked in ranking]
    return with_votes(ranking, memory.recall(world.answers[query_id].searched, user, found), world.find)


def _same_question(
    world: World,
    memory: Memory,
    user: str,
    asked: Iterable[str],
    struck: Mapping[str, set[str]],
    named: Mapping[str, Chunk | None],
) -> dict[str, object]:
    """The share of struck passages that are out of the first five, and of named ones that are in them."""
    out, inside = [], []
    for query_id in asked:
        first = {ranked.chunk.id for ranked in voted(world, memory, user, query_id)[:5] if not ranked.is_struck_out}
        named_chunk = named.get(query_id)
        spared = {named_chunk.id} if named_chunk else set()
        out += [chunk_id not in first for chunk_id in struck.get(query_id, set()) - spared]
        inside += [named_chunk.id in first] if named_chunk else []
    return {
        "struck_out": _share(out),
        "named_in_five": _share(inside),
        "num_struck": len(out),
        "num_named": len(inside),
    }


def compare(
    world: World, memory: Memory, user: str, query_ids: Sequence[str], named: Mapping[str, Chunk]
) -> dict[str, object]:
    before = {query_id: list(world.answers[query_id].ranking) for query_id in query_ids}
    after = {query_id: voted(world, memory, user, query_id) for query_id in query_ids}
    values = {name: measures(world, rankings) for name, rankings in (("before", before), ("after", after))}
    report: dict[str, object] = {"queries": len(query_ids), "moved": sum(after[each] != before[each] for each in after)}
    for metric in values["before"]:
        off, on = (_by_need(world, values[name][metric]) for name in ("before", "after"))
        gain = difference(on, off)
        report[metric] = {
            "off": round(float(np.mean(list(off.values()))), 4),
            "on": round(float(np.mean(list(on.values()))), 4),
            "gain_points": round(100 * gain.mean, 2),
            "low": round(100 * gain.low, 2),
            "high": round(100 * gain.high, 2),
            "p": round(gain.p_value, 4),
        }
    if named:
        report["named_in_five"] = {
            name: _share(
                named[world.needs[each]].id in {ranked.chunk.id for ranked in rankings[each][:5]}
                for each in query_ids
                if world.needs[each] in named
            )
            for name, rankings in (("off", before), ("on", after))
        }
    return report


def measures(world: World, rankings: Mapping[str, Sequence[RankedChunk]]) -> dict[str, dict[str, float]]:
    """nDCG@10, hit rate@1 and @5 by query id; a document counts where its best chunk is."""
    units = {
        query_id: list(dict.fromkeys(world.judged.unit(ranked.chunk) for ranked in ranking))
        for query_id, ranking in rankings.items()
    }
    run = {query_id: {unit: 1 / rank for rank, unit in enumerate(found, 1)} for query_id, found in units.items()}
    measured = measure({query_id: world.judged.qrels[query_id] for query_id in run}, run)
    first = {
        query_id: float(bool(found) and world.judged.qrels[query_id].get(found[0], 0) > 0)
        for query_id, found in units.items()
    }
    return {"nDCG@10": measured["nDCG@10"], "hit rate@1": first, "hit rate@5": measured["hit rate@5"]}


def _by_need(world: World, values: Mapping[str, float]) -> dict[str, float]:
    grouped: dict[str, list[float]] = {}
    for query_id, value in values.items():
        grouped.setdefault(world.needs[query_id], []).append(value)
    return {need: float(np.mean(found)) for need, found in grouped.items()}


def _share(hits: Iterable[bool]) -> float | None:
    found = list(hits)
    return round(sum(found) / len(found), 4) if found else None


def _print(report: Mapping[str, object]) -> None:
    head = {name: value for name, value in report.items() if name != "results"}
    print(json.dumps(head))
    results = report["results"]
    assert isinstance(results, dict)
    for name, found in results.items():
        print(f"{name}: same question {found['same question']}, reach {found['reach']}")
        for part in ("asked again", "never asked"):
            print(f"  {part} {json.dumps(found[part])}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="in BEIR layout")
    parser.add_argument("--askings", type=int, default=1, help="wordings of each asked need that people ask")
    parser.add_argument("--wrong", type=float, default=0.1, help="share of the clicks that hit another citation")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--max-queries", type=int)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "citeloop-benchmarks")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
