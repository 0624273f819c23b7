"""judged questions -> EvaluationReport: every retriever with every reranker on the same candidates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from app.evaluation.benchmark import Benchmark, Qrels
from app.evaluation.results import NO_RERANKER, Found, Result, find_candidates, measure_result
from app.evaluation.tables import JudgedTable, Track, judged_table, untracked
from app.rerank import Reranker, RerankerError
from app.search import Retriever
from ingest.chunk import DEFAULT_POLICY, Policy
from ingest.embed import Embedder


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """Results on one set of judged questions, and what is needed to repeat them.

    judged: 'passages' or 'documents'. num_candidates: the depths. fingerprint: hex digest of the documents.
    evaluated_at: UTC, ISO 8601. left_out: questions, judgements, evidence and rerankers that could not be used, a
    line each. qrels: what is relevant; like the runs not in the report's file but beside it.
    """

    benchmark: str
    judged: str
    num_queries: int
    num_documents: int
    num_chunks: int
    num_candidates: tuple[int, ...]
    embedder: str
    chunking: str
    fingerprint: str
    evaluated_at: str
    left_out: tuple[str, ...]
    results: tuple[Result, ...]
    qrels: Qrels = field(default_factory=dict, repr=False)


def evaluate(
    benchmark: Benchmark,
    home: Path,
    embedder: Embedder,
    rerankers: Mapping[str, Reranker | None],
    retrievers: Sequence[Retriever] = ("hybrid",),
    num_candidates: Sequence[int] = (50,),
    *,
    policy: Policy = DEFAULT_POLICY,
    track: Track = untracked,
) -> EvaluationReport:
    """Measure on a benchmark, whose table is built below home on first use and kept.

    Otherwise as evaluate_table. Raises BenchmarkError, RerankerError.
    """
    judged = judged_table(benchmark, home, embedder, policy, track)
    return evaluate_table(judged, embedder, rerankers, retrievers, num_candidates, track)


def evaluate_table(
    judged: JudgedTable,
    embedder: Embedder,
    rerankers: Mapping[str, Reranker | None],
    retrievers: Sequence[Retriever] = ("hybrid",),
    num_candidates: Sequence[int] = (50,),
    track: Track = untracked,
    failed: dict[str, str] | None = None,
) -> EvaluationReport:
    """Search every query with each retriever to each depth, and let each reranker order the same candidates.

    A document counts as found where its best chunk is. For each result a reranker begins with nothing in memory
    and keeps what it keeps in the app, such as the vectors of passages. Raises RerankerError when a reranker fails;
    failed: takes its name and what went wrong instead, and the rest is measured, unless there is nothing else.
    """
    searched = (
        find_candidates(judged, embedder, retriever, depth, track)
        for retriever in retrievers
        for depth in num_candidates
    )
    results = tuple(_results(judged, searched, rerankers, track, failed))
    failures = tuple((failed or {}).values())
    if not results:
        raise RerankerError("; ".join(failures))
    return EvaluationReport(
        benchmark=judged.name,
        judged=judged.judged,
        num_queries=len(judged.queries),
        num_documents=judged.num_documents,
        num_chunks=judged.table.num_chunks(),
        num_candidates=tuple(dict.fromkeys(result.num_candidates for result in results)),
        embedder=embedder.name,
        chunking=judged.chunking,
        fingerprint=judged.fingerprint,
        evaluated_at=datetime.now(UTC).isoformat(timespec="seconds"),
        left_out=(*judged.left_out, *failures),
        results=results,
        qrels=judged.qrels,
    )


def _results(
    judged: JudgedTable,
    searched: Iterable[Found],
    rerankers: Mapping[str, Reranker | None],
    track: Track,
    failed: dict[str, str] | None,
) -> Iterator[Result]:
    """Each reranker on what each search found; failed: as of evaluate_table."""
    for found in searched:
        for name, reranker in rerankers.items():
            if failed and name in failed:  # it would most likely fail again
                continue
            compared = name != NO_RERANKER and NO_RERANKER in rerankers
            try:
                yield measure_result(judged, found, name, reranker, compared=compared, track=track)
            except RerankerError as error:
                what = f"{name} {error} ({found.retriever} search, {found.num_candidates} candidates)"
                if failed is None:
                    raise RerankerError(what) from error
                failed[name] = what
