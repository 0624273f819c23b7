"""judged questions, one retriever, one reranker -> Result: quality, milliseconds and changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from app.evaluation.abstention import Abstention, abstention
from app.evaluation.benchmark import Run
from app.evaluation.changes import CHANGE_MEASURE, QuestionChange, Rankings, largest_changes
from app.evaluation.metrics import Difference, Interval, difference, interval, measure
from app.evaluation.tables import JudgedTable, Track
from app.reranking.rerank import RankedChunk, Reranker, RerankerError, rerank
from app.reranking.similarity import Forgetful
from app.search.search import Candidate, Retriever, search
from ingest.embed.embedder import Embedder

NO_RERANKER = "none"
"""The baseline of every reranker."""

PerQuery = Mapping[str, Mapping[str, float]]
"""Measure -> query id -> value."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds over the queries."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Result:
    """One retriever with one reranker of num_candidates candidates.

    metrics: measure -> interval; with fewer than 50 candidates, recall@50 is their recall. oracle: the same measures
    for the best possible order of the candidates. latency_ms: search, and rerank of passages that are new to the
    reranker. gain: measure -> paired difference from no reranker on the same candidates; empty for none, or if that was
    not measured. slow_down: the time of both as a multiple of search alone, by their medians; None without a reranker.
    per_query: measure -> query id -> value. abstention: if the reranker is calibrated and some questions have no
    answer. changes: the questions that gained most, then those that lost most. run: query id -> chunk id or document ->
    score that falls with the rank; stored in a separate file.
    """

    retriever: Retriever
    reranker: str
    num_candidates: int
    metrics: Mapping[str, Interval]
    oracle: Mapping[str, float]
    latency_ms: Mapping[str, Latency]
    gain: Mapping[str, Difference]
    slow_down: float | None
    per_query: PerQuery
    changes: tuple[QuestionChange, ...]
    abstention: Abstention | None = None
    run: Run = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Hits:
    """The candidates of one retriever and embedder for every query at one depth. rankings: in the order of search."""

    retriever: Retriever
    num_candidates: int
    candidates: Mapping[str, list[Candidate]]
    rankings: Rankings
    search_ms: Sequence[float]
    unanswerable: Mapping[str, list[Candidate]]


def find_candidates(judged: JudgedTable, embedder: Embedder, retriever: Retriever, depth: int, track: Track) -> Hits:
    """Search every query; those without an answer are not timed."""

    def found(query: str) -> list[Candidate]:
        return search(query, judged.table, embedder, retriever=retriever, num_candidates=depth)

    candidates, search_ms = _timed(
        lambda query_id: found(judged.queries[query_id]), track(judged.queries, f"search ({retriever}, {depth})")
    )
    unanswerable = {query_id: found(query) for query_id, query in judged.unanswerable.items()}
    rankings = {query_id: rerank(judged.queries[query_id], some, None) for query_id, some in candidates.items()}
    return Hits(retriever, depth, candidates, rankings, search_ms, unanswerable)


def measure_result(
    judged: JudgedTable,
    found: Hits,
    name: str,
    reranker: Reranker | None,
    *,
    compared: bool,
    track: Track,
    num_timed: int,
) -> Result:
    """Rerank the candidates and measure the result. compared: with no reranker. Raises RerankerError."""

    def order(query_id: str) -> list[RankedChunk]:
        return rerank(judged.queries[query_id], found.candidates[query_id], reranker)

    forget = reranker.forget if isinstance(reranker, Forgetful) else None
    label = f"rerank ({found.retriever}, {found.num_candidates}, {name})"
    query_ids = list(judged.queries)
    timed = query_ids[:: -(-len(query_ids) // num_timed)] if forget else query_ids
    ordered = list(dict.fromkeys([*timed, *query_ids]))  # the timed ones first, so that the cache of the rest stays
    rankings, rerank_ms = _timed(order, track(ordered, label), forget, len(timed))
    run = _run(judged, rankings)
    latency = {"search": _latency(found.search_ms), "rerank": _latency(rerank_ms)}
    search_ms = latency["search"].p50
    after, before = measure(judged.qrels, run), measure(judged.qrels, _run(judged, found.rankings))
    changed = {query_id: (before[CHANGE_MEASURE][query_id], value) for query_id, value in after[CHANGE_MEASURE].items()}
    return Result(
        retriever=found.retriever,
        reranker=name,
        num_candidates=found.num_candidates,
        metrics={measured: interval(list(values.values())) for measured, values in after.items()},
        oracle=_oracle(judged, found.rankings),
        latency_ms=latency,
        gain={measured: difference(after[measured], before[measured]) for measured in after} if compared else {},
        slow_down=None if name == NO_RERANKER else (search_ms + latency["rerank"].p50) / search_ms,
        per_query=after,
        changes=largest_changes(judged, found.rankings, rankings, changed) if compared else (),
        abstention=_abstention(judged, found, rankings, reranker),
        run=run,
    )


def _abstention(judged: JudgedTable, found: Hits, rankings: Rankings, reranker: Reranker | None) -> Abstention | None:
    """Return the abstention, or None if scores are not probabilities or every question has an answer."""
    if not (reranker and reranker.blend and reranker.blend.calibration and found.unanswerable):
        return None
    orders, _ = _timed(
        lambda query_id: rerank(judged.unanswerable[query_id], found.unanswerable[query_id], reranker),
        found.unanswerable,
    )
    answerable, unanswerable = (
        [ranking[0].score if ranking else 0.0 for ranking in by_id.values()] for by_id in (rankings, orders)
    )
    return abstention(answerable, unanswerable, reranker.blend.calibration.floor)


def _timed(
    step: Callable[[str], T],
    query_ids: Iterable[str],
    forget: Callable[[], None] | None = None,
    num_timed: int | None = None,
) -> tuple[dict[str, T], list[float]]:
    """Return the step's result for each query, and the milliseconds. Raises RerankerError with the query's number.

    num_timed: time only the first queries. forget: called before each of these, to empty the cache.
    """
    results, milliseconds = {}, []
    for number, query_id in enumerate(query_ids, 1):
        is_timed = num_timed is None or number <= num_timed
        if forget and is_timed:
            forget()
        started = time.perf_counter()
        try:
            results[query_id] = step(query_id)
        except RerankerError as error:
            raise RerankerError(f"failed at question {number}: {error}") from error
        if is_timed:
            milliseconds.append((time.perf_counter() - started) * 1000)
    return results, milliseconds


def _latency(milliseconds: Sequence[float]) -> Latency:
    return Latency(*(float(value) for value in np.percentile(milliseconds, [50, 95])))


def _run(judged: JudgedTable, rankings: Rankings) -> Run:
    """Return judged units with scores that fall with the rank, so that the measures see no ties."""
    orders = {
        query_id: dict.fromkeys(judged.unit(ranked.chunk) for ranked in ranking)
        for query_id, ranking in rankings.items()
    }
    return {query_id: {unit: 1 / rank for rank, unit in enumerate(order, 1)} for query_id, order in orders.items()}


def _oracle(judged: JudgedTable, rankings: Rankings) -> dict[str, float]:
    """Return the mean measures of the best possible order."""
    best: Run = {
        query_id: {
            unit: judged.qrels[query_id].get(unit, 0) + score / 2  # the order of equals does not matter
            for unit, score in scores.items()
        }
        for query_id, scores in _run(judged, rankings).items()
    }
    return {name: float(np.mean(list(values.values()))) for name, values in measure(judged.qrels, best).items()}
