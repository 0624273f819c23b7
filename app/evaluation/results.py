"""judged questions, one retriever, one reranker -> Result: quality, milliseconds, and what the reranker changed."""

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
"""What every reranker is compared with."""

RERANK_NEW = "rerank_new"
"""The stage of reranking passages that the reranker has not met, where it keeps them in memory."""
_NUM_TIMED_NEW = 30
"""Questions whose passages are all brought to it as new ones: enough for a median, in seconds."""

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
    """One retriever with one reranker of num_candidates candidates: measure -> interval, stage -> milliseconds.

    oracle: the same measures if the same candidates were in the best possible order. latency_ms: of search, rerank,
    and both together (total); where a reranker that keeps passages in memory is compared with none, also of rerank_new,
    with nothing in its memory, for up to 30 of the questions. Of fewer than 50 candidates, recall@50 is the share of
    the relevant ones among them all. gain: measure -> paired difference against no reranker on the same candidates;
    empty for no reranker, and where that was not measured. slow_down: how many times as long the median query takes as
    without a reranker; None without one. share_new: of the passages that it scored, those that it met for the first
    time; others it may have kept in memory, as in the app. per_query: measure -> query id -> value. abstention: where
    the reranker is calibrated and there are questions without an answer. changes: the questions that gained most, then
    those that lost most. run: query id -> chunk id or document -> score that falls with the rank; not in the report's
    file but in its own.
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
        """What reranking takes where the memory of the reranker, if it has one, knows none of the passages."""
        return self.latency_ms.get(RERANK_NEW, self.latency_ms["rerank"])


@dataclass(frozen=True, slots=True)
class Found:
    """What one retriever found for every query, to one depth; rankings: in the order of search."""

    retriever: Retriever
    num_candidates: int
    candidates: Mapping[str, list[Candidate]]
    rankings: Rankings
    search_ms: Sequence[float]
    unanswerable: Mapping[str, list[Candidate]]


def find_candidates(judged: JudgedTable, embedder: Embedder, retriever: Retriever, depth: int, track: Track) -> Found:
    """Search every query, also those without an answer, whose time does not count."""

    def found(query: str) -> list[Candidate]:
        return search(query, judged.table, embedder, retriever=retriever, num_candidates=depth)

    candidates, search_ms = _timed(
        lambda query_id: found(judged.queries[query_id]), track(judged.queries, f"search ({retriever}, {depth})")
    )
    unanswerable = {query_id: found(query) for query_id, query in judged.unanswerable.items()}
    rankings = {query_id: rerank(judged.queries[query_id], each, None) for query_id, each in candidates.items()}
    return Found(retriever, depth, candidates, rankings, search_ms, unanswerable)


def measure_result(
    judged: JudgedTable,
    found: Found,
    name: str,
    reranker: Reranker | None,
    *,
    compared: bool,
    track: Track,
) -> Result:
    """Let one reranker order what was found. compared: with no reranker. Raises RerankerError when it fails."""

    def order(query_id: str) -> list[RankedChunk]:
        return rerank(judged.queries[query_id], found.candidates[query_id], reranker)

    forget: Callable[[], None] | None = getattr(reranker, "forget", None)
    if forget:
        forget()  # what it kept of another result would make this one look quicker
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


def _abstention(judged: JudgedTable, found: Found, rankings: Rankings, reranker: Reranker | None) -> Abstention | None:
    """None where the scores are no probabilities, or every question has an answer."""
    if not (reranker and reranker.blend and reranker.blend.calibration and found.unanswerable):
        return None
    orders, _ = _timed(
        lambda query_id: rerank(judged.unanswerable[query_id], found.unanswerable[query_id], reranker),
        found.unanswerable,
    )
    answerable, unanswerable = (
        [ranking[0].score if ranking else 0.0 for ranking in each.values()] for each in (rankings, orders)
    )
    return abstention(answerable, unanswerable, reranker.blend.calibration.floor)


def _share_new(found: Found) -> float:
    """Share of the candidates that no earlier query had found."""
    chunk_ids = [candidate.chunk.id for candidates in found.candidates.values() for candidate in candidates]
    return len(set(chunk_ids)) / len(chunk_ids) if chunk_ids else 0.0


def _timed(step: Callable[[str], T], query_ids: Iterable[str]) -> tuple[dict[str, T], list[float]]:
    """What the step gives for each query, and how many milliseconds it took. Raises RerankerError with its number."""
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
    """The items, with a step before each."""
    for item in items:
        step()
        yield item


def _spread(items: Sequence[str], num_items: int) -> Sequence[str]:
    """At most num_items, evenly spaced."""
    return items[:: -(-len(items) // num_items)]


def _latency(**stages: Sequence[float] | NDArray[np.float64]) -> dict[str, Latency]:
    return {
        stage: Latency(*(float(value) for value in np.percentile(times, [50, 95]))) for stage, times in stages.items()
    }


def _run(judged: JudgedTable, rankings: Rankings) -> Run:
    """What is judged, in its order: scores that fall with the rank make the measures see exactly it, ties or not."""
    orders = {
        query_id: dict.fromkeys(judged.unit(ranked.chunk) for ranked in ranking)
        for query_id, ranking in rankings.items()
    }
    return {query_id: {unit: 1 / rank for rank, unit in enumerate(order, 1)} for query_id, order in orders.items()}


def _oracle(judged: JudgedTable, rankings: Rankings) -> dict[str, float]:
    """The measures' means if what is relevant came first, the most relevant before all."""
    best: Run = {
        query_id: {
            unit: judged.qrels[query_id].get(unit, 0) + score / 2  # among equals the order does not matter
            for unit, score in scores.items()
        }
        for query_id, scores in _run(judged, rankings).items()
    }
    return {name: float(np.mean(list(values.values()))) for name, values in measure(judged.qrels, best).items()}
