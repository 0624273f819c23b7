"""candidate, live model and the gate's questions -> GateReport.

The questions come from feedback and were never used for training. Those whose need a training question has, in other
words, are measured apart from new ones. People judged only what the live model showed them, so unjudged passages are
removed from both orders before comparing (condensed lists; Sakai, 2007). Two more checks: whether the candidate ranks
unjudged passages high, and whether it has forgotten questions about other documents.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.evaluation.benchmark import Benchmark, Run
from app.evaluation.changes import CHANGE_MEASURE, largest_changes
from app.evaluation.metrics import Difference, Interval, difference, interval, measure
from app.evaluation.report import RunOptions, evaluate_table
from app.evaluation.results import PerQuery
from app.evaluation.slices import Slice, is_asked_before
from app.evaluation.tables import judged_table
from app.feedback.recall import Memory
from app.reranking.rerank import RankedChunk, Reranker, rerank
from app.search.search import Candidate
from app.training.gate.decision import MAX_SLOW_DOWN, Comparison, GateReport, Group
from app.training.gate.questions import GateQuestions
from ingest.embed.embedder import Embedder

_NUM_TIMED = 10
"""Questions of the probe timed with an empty cache: enough for a median, and more would take long."""
_MEASURES = ("nDCG@10", "MRR@10", "hit rate@5")


@dataclass(frozen=True, slots=True)
class Contender:
    """A reranker with its displayed name."""

    name: str
    reranker: Reranker | None


@dataclass(frozen=True, slots=True)
class Probe:
    """gain: nDCG@10, candidate minus live model, or None. latency_ms: live, candidate -> median time to rerank."""

    gain: Difference | None
    latency_ms: Mapping[str, float]


def probe(candidate: Contender, live: Contender, embedder: Embedder, benchmark: Benchmark, home: Path) -> Probe:
    """Compare both on a benchmark of other documents; its table is built below home on first use."""
    rerankers = {"live": live.reranker, "candidate": candidate.reranker}
    judged, options = judged_table(benchmark, home, embedder), RunOptions(num_timed=_NUM_TIMED)
    before, after = evaluate_table(judged, embedder, rerankers, options=options).results
    return Probe(
        difference(after.per_query["nDCG@10"], before.per_query["nDCG@10"]),
        {"live": before.latency_ms["rerank"].p50, "candidate": after.latency_ms["rerank"].p50},
    )


def compare(
    candidate: Contender,
    live: Contender,
    questions: GateQuestions,
    search: Callable[[str], Sequence[Candidate]],
    probed: Probe,
    budget_ms: float,
    max_slow_down: float | None = MAX_SLOW_DOWN,
    taught: Memory | None = None,
) -> GateReport:
    """Rank the gate's questions with the candidate, the live model and search alone, and decide.

    budget_ms: maximum reranking time. max_slow_down: maximum factor on the live model's time, None without. taught:
    what people said of the questions that the candidate was trained on.
    """
    judged, groups = questions.judged, questions.groups
    rerankers = {"none": None, "live": live.reranker, "candidate": candidate.reranker}
    rankings = _rankings(judged.queries, search, rerankers)
    by_query = {name: measure(judged.qrels, _only(_run(ranked), questions.known)) for name, ranked in rankings.items()}
    values = {name: _by_group(measured, groups) for name, measured in by_query.items()}
    before, after = by_query["live"][CHANGE_MEASURE], by_query["candidate"][CHANGE_MEASURE]
    compared = {query_id: (before[query_id], after[query_id]) for query_id in judged.queries}
    again = _asked_before(judged.queries, rankings["live"], taught) if taught else frozenset()
    comparison = Comparison(
        num_questions=len(judged.queries),
        num_different=len(set(groups.values())),
        gain=_gains(values["candidate"], values["live"]),
        asked_before=_slice(by_query, groups, again),
        new=_slice(by_query, groups, judged.queries.keys() - again),
        gain_over_none=_gains(values["candidate"], values["none"]),
        shown_gain=_shown_gain(questions, rankings),
        probe=probed.gain,
        latency_ms=probed.latency_ms,
        budget_ms=budget_ms,
        max_slow_down=max_slow_down,
    )
    metrics = {name: _means(grouped) for name, grouped in values.items()} if judged.queries else {}
    changes = largest_changes(judged, rankings["live"], rankings["candidate"], compared)
    return GateReport.of(comparison, candidate.name, live.name, metrics, _groups(questions.folders, compared), changes)


def _rankings(
    queries: Mapping[str, str],
    search: Callable[[str], Sequence[Candidate]],
    rerankers: Mapping[str, Reranker | None],
) -> dict[str, dict[str, list[RankedChunk]]]:
    """Return reranker -> id of the query -> its ranking, all of the same candidates."""
    candidates = {query_id: search(query) for query_id, query in queries.items()}
    return {
        name: {query_id: rerank(query, candidates[query_id], reranker) for query_id, query in queries.items()}
        for name, reranker in rerankers.items()
    }


def _asked_before(
    queries: Mapping[str, str], rankings: Mapping[str, Sequence[RankedChunk]], taught: Memory
) -> frozenset[str]:
    """Return the ids of the queries that people asked before, maybe in other words."""
    shown = {query_id: [ranked.chunk.id for ranked in rankings[query_id]] for query_id in queries}
    return frozenset(id for id, query in queries.items() if is_asked_before(taught.recall(query, "", shown[id])))


# measures ------------------------------------------------------------------------------------------------


def _run(rankings: Mapping[str, Sequence[RankedChunk]]) -> Run:
    return {
        query_id: {ranked.chunk.id: 1 / ranked.rank for ranked in ranking} for query_id, ranking in rankings.items()
    }


def _only(run: Run, kept: Mapping[str, frozenset[str]]) -> Run:
    return {
        query_id: {chunk_id: score for chunk_id, score in scores.items() if chunk_id in kept[query_id]}
        for query_id, scores in run.items()
    }


def _slice(by_query: Mapping[str, PerQuery], groups: Mapping[str, int], query_ids: Collection[str]) -> Slice:
    """Return the gain over the live model on these questions."""
    kept = {query_id: group for query_id, group in groups.items() if query_id in query_ids}
    live, candidate = (_by_group(by_query[name], kept)[CHANGE_MEASURE] for name in ("live", "candidate"))
    return Slice.of(candidate, live)


def _shown_gain(questions: GateQuestions, rankings: Mapping[str, Mapping[str, Sequence[RankedChunk]]]) -> Difference:
    """Return the gain over the live model with unjudged passages counted as wrong."""
    candidate, live = (
        _by_group(measure(questions.judged.qrels, _run(rankings[name])), questions.groups)
        for name in ("candidate", "live")
    )
    return _gain(candidate, live, "hit rate@5")


def _gains(values: PerQuery, baseline: PerQuery) -> dict[str, Difference]:
    return {name: _gain(values, baseline, name) for name in _MEASURES}


def _gain(values: PerQuery, baseline: PerQuery, name: str) -> Difference:
    return difference(values[name], baseline[name]) if values[name] else Difference(0.0, 0.0, 0.0, 1.0)


def _means(values: PerQuery) -> dict[str, Interval]:
    return {name: interval(list(values[name].values())) for name in _MEASURES}


def _by_group(values: PerQuery, groups: Mapping[str, int]) -> PerQuery:
    """Return measure -> group of similar questions -> mean."""
    return {
        name: {
            str(group): float(np.mean([by_query[query_id] for query_id in groups if groups[query_id] == group]))
            for group in set(groups.values())
        }
        for name, by_query in values.items()
    }


def _groups(folders: Mapping[str, str], values: Mapping[str, tuple[float, float]]) -> tuple[Group, ...]:
    members: dict[str, list[tuple[float, float]]] = {}
    for query_id, folder in folders.items():
        members.setdefault(folder, []).append(values[query_id])
    return tuple(
        Group(name, len(pairs), *(float(value) for value in np.mean(pairs, axis=0)))
        for name, pairs in sorted(members.items(), key=lambda member: -len(member[1]))
    )
