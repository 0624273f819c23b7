"""judged questions -> EvaluationReport: every retriever with every reranker on the same candidates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from itertools import product

from app.evaluation.benchmark import Qrels
from app.evaluation.kept_results import KeptResults
from app.evaluation.results import NO_RERANKER, Result, find_candidates, measure_result
from app.evaluation.tables import JudgedTable, Track, untracked
from app.reranking.any_language import in_any_language
from app.reranking.rerank import Reranker, RerankerError
from app.search.search import Retriever
from ingest.embed.embedder import Embedder


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """Results on one set of judged questions, with the data needed to repeat them.

    judged: 'passages' or 'documents'. num_candidates: the depths. fingerprint: hex digest of the documents.
    evaluated_at: UTC, ISO 8601. left_out: questions, judgements, evidence and rerankers that could not be used, a line
    each. qrels: like the runs, stored in a separate file.
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


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a run shows progress, handles failures, and stores results.

    failed: collects reranker name -> error, while the others are still measured; None: the first failure ends the run.
    kept: finished results of a stopped run, which are not measured again. num_timed: questions to time with an empty
    cache, for a reranker that has one.
    """

    track: Track = untracked
    failed: dict[str, str] | None = None
    kept: KeptResults | None = None
    num_timed: int = 20


def evaluate_table(
    judged: JudgedTable,
    embedder: Embedder,
    rerankers: Mapping[str, Reranker | None],
    retrievers: Sequence[Retriever] = ("hybrid",),
    num_candidates: Sequence[int] = (50,),
    options: RunOptions = RunOptions(),
) -> EvaluationReport:
    """Search every query with each retriever to each depth, and let each reranker order the same candidates.

    Rerankers rank languages that they cannot read as in the app. A document has the rank of its best chunk. For each
    result a reranker starts with an empty cache, which fills as in the app. Raises RerankerError when a reranker fails,
    unless options.failed is given and others succeed.
    """
    rerankers = {name: in_any_language(reranker, embedder) for name, reranker in rerankers.items()}
    results = tuple(
        result
        for retriever, depth in product(retrievers, num_candidates)
        for result in _results(judged, embedder, rerankers, retriever, depth, options)
    )
    failures = tuple((options.failed or {}).values())
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
    embedder: Embedder,
    rerankers: Mapping[str, Reranker | None],
    retriever: Retriever,
    num_candidates: int,
    options: RunOptions,
) -> Iterator[Result]:
    """Yield the result of each reranker on one search, which runs only if a result is not stored yet."""
    found = cache(partial(find_candidates, judged, embedder, retriever, num_candidates, options.track))
    kept = options.kept
    for name, reranker in rerankers.items():
        if options.failed and name in options.failed:  # it would most likely fail again
            continue
        result = kept.find(retriever, num_candidates, name) if kept else None
        if result is None:
            compared = name != NO_RERANKER and NO_RERANKER in rerankers
            try:
                result = measure_result(
                    judged, found(), name, reranker, compared=compared, track=options.track, num_timed=options.num_timed
                )
            except RerankerError as error:
                failure = f"{name} {error} ({retriever} search, {num_candidates} candidates)"
                if options.failed is None:
                    raise RerankerError(failure) from error
                options.failed[name] = failure
                continue
            if kept:
                kept.add(result)
        yield result
