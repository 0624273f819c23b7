"""judged questions, one retriever, one reranker -> Result: quality, milliseconds and changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from app.evaluation.abstention import Abstention, abstention
from app.evaluation.benchmark import Run
from app.evaluation.changes import CHANGE_MEASURE, QuestionChange, Rankings, largest_changes
from app.evaluation.metrics import Difference, Interval, difference, interval, measure
from app.evaluation.tables import JudgedTable, Track
from app.reranking.rerank import RankedChunk, Reranker, RerankerError, rerank
from app.search.search import Candidate, Retriever, search
from ingest.embed.embedder import Embedder

NO_RERANKER = "none"
"""The baseline of every reranker."""

RERANK_NEW = "rerank_new"
"""The stage of reranking with an empty cache, for rerankers that have one."""
_NUM_TIMED_NEW = 30
"""Questions timed with an empty cache: enough for a median."""

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
    for the best possible order of the candidates. latency_ms: search, rerank and total; also rerank_new, with an empty
    cache for up to 30 questions, if a caching reranker is compared with none. gain: measure -> paired difference from
    no reranker on the same candidates; empty for none, or if that was not measured. slow_down: the median query's time
    as a multiple of search alone; None without a reranker. share_new: share of passages that it scored for the first
    time; others may be cached, as in the app. per_query: measure -> query id -> value. abstention: if the reranker is
    calibrated and some questions have no answer. changes: the questions that gained most, then those that lost most.
    run: query id -> chunk id or document -> score that falls with the rank; stored in a separate file.
    """

    retriever: Retriever
    reranker: str
    num_candidates: int
    metrics: Mapping[str, Interval]
    oracle: Mapping[str, float]
    latency_ms: Mapping[str, Latency]
    gain: Mapping[str, Difference]
    slow_down: float | None
    share_new: float
    per_query: PerQuery
    changes: tuple[QuestionChange, ...]
    abstention: Abstention | None = None
    run: Run = field(default_factory=dict, repr=False)

    @property
    def rerank_ms(self) -> Latency:
        """Return the time to rerank new passages, with an empty cache if the reranker has one."""
        return self.latency_ms.get(RERANK_NEW, self.latency_ms["rerank"])


@dataclass(frozen=True, slots=True)
class Hits:
    """The candidates of one retriever for every query at one depth. rankings: in the order of search."""

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
) -> Result:
    """Rerank the candidates and measure the result. compared: with no reranker. Raises RerankerError."""

    def order(query_id: str) -> list[RankedChunk]:
        return rerank(judged.queries[query_id], found.candidates[query_id], reranker)

    forget: Callable[[], None] | None = getattr(reranker, "forget", None)
    if forget:
        forget()  # a filled cache would make this result look faster
    label = f"({found.retriever}, {found.num_candidates}, {name})"
    rankings, rerank_ms = _timed(order, track(judged.queries, f"rerank {label}"))
    run = _run(judged, rankings)
    latency = _latency(search=found.search_ms, rerank=rerank_ms, total=np.add(found.search_ms, rerank_ms))
    if forget and compared:
        timed = track(_spread(list(rankings), _NUM_TIMED_NEW), f"rerank new passages {label}")
        latency |= _latency(**{RERANK_NEW: _timed(order, _after(forget, timed))[1]})
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
        slow_down=None if name == NO_RERANKER else latency["total"].p50 / latency["search"].p50,
        share_new=_share_new(found),
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


def _share_new(found: Hits) -> float:
    """Return the share of candidates that no earlier query found."""
    chunk_ids = [candidate.chunk.id for candidates in found.candidates.values() for candidate in candidates]
    return len(set(chunk_ids)) / len(chunk_ids) if chunk_ids else 0.0


def _timed(step: Callable[[str], T], query_ids: Iterable[str]) -> tuple[dict[str, T], list[float]]:
    """Return the step's result for each query, and the milliseconds. Raises RerankerError with the query's number."""
    results, milliseconds = {}, []
    for number, query_id in enumerate(query_ids, 1):
        started = time.perf_counter()
        try:
            results[query_id] = step(query_id)
        except RerankerError as error:
            raise RerankerError(f"failed at question {number}: {error}") from error
        milliseconds.append((time.perf_counter() - started) * 1000)
    return results, milliseconds


def _after(step: Callable[[], None], items: Iterable[str]) -> Iterator[str]:
    """Yield the items, with a step before each."""
    for item in items:
        step()
        yield item


def _spread(items: Sequence[str], num_items: int) -> Sequence[str]:
    """Return at most num_items, evenly spaced."""
    return items[:: -(-len(items) // num_items)]


def _latency(**stages: Sequence[float] | NDArray[np.float64]) -> dict[str, Latency]:
    return {
        stage: Latency(*(float(value) for value in np.percentile(times, [50, 95]))) for stage, times in stages.items()
    }


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
