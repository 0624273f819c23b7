"""benchmark -> EvaluationReport: every retriever with every reranker on the same candidates."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from app.evaluation.benchmark import Benchmark, BenchmarkError, Qrels, resolve_evidence
from app.evaluation.metrics import Interval, interval, measure
from app.rerank import RankedChunk, Reranker, rerank
from app.search import Candidate, Retriever, search
from ingest.chunk import DEFAULT_POLICY, Policy
from ingest.embed import Embedder
from ingest.pipeline import embed_documents
from ingest.rows import Embedded
from ingest.table import ChunkTable

_BATCH_DOCUMENTS = 64
_BATCH_CHUNKS = 512


def batched(items: Iterable[str], size: int) -> Iterator[list[str]]:
    """The items in lists of this size; the last one may be shorter."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


Track = Callable[[Iterable[str], str], Iterable[str]]
"""Shows progress: given items and a label, yields the items."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds over the queries."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Result:
    """One retriever with one reranker: measure -> interval, and milliseconds by stage (search, rerank).

    oracle: the same measures if the same candidates were in the best possible order.
    """

    retriever: Retriever
    reranker: str
    metrics: Mapping[str, Interval]
    oracle: Mapping[str, float]
    latency_ms: Mapping[str, Latency]


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """Results on one benchmark, and what is needed to repeat them.

    judged: 'passages' or 'documents'. fingerprint: hex digest of the corpus.
    """

    benchmark: str
    judged: str
    num_queries: int
    num_documents: int
    num_chunks: int
    num_candidates: int
    embedder: str
    chunking: str
    fingerprint: str
    results: tuple[Result, ...]


def evaluate(
    benchmark: Benchmark,
    home: Path,
    embedder: Embedder,
    rerankers: Mapping[str, Reranker | None],
    retrievers: Sequence[Retriever] = ("hybrid",),
    num_candidates: int = 50,
    *,
    policy: Policy = DEFAULT_POLICY,
    track: Track = lambda items, _: items,
) -> EvaluationReport:
    """Search every query once with each retriever and let each reranker order the same candidates.

    The benchmark's table is built below home on first use and kept. A document counts as found where its
    best chunk is. Raises BenchmarkError, RerankerError.
    """
    table = benchmark_table(benchmark, home, embedder, policy, track)
    qrels = _passage_qrels(benchmark, table) if benchmark.judges_passages else benchmark.qrels
    results = []
    for retriever in retrievers:
        candidates: dict[str, list[Candidate]] = {}
        search_ms = []
        for query_id in track(benchmark.queries, f"search ({retriever})"):
            started = time.perf_counter()
            candidates[query_id] = search(
                benchmark.queries[query_id], table, embedder, retriever=retriever, num_candidates=num_candidates
            )
            search_ms.append((time.perf_counter() - started) * 1000)
        for name, reranker in rerankers.items():
            rankings: dict[str, list[RankedChunk]] = {}
            rerank_ms = []
            for query_id in track(benchmark.queries, f"rerank ({retriever}, {name})"):
                started = time.perf_counter()
                rankings[query_id] = rerank(benchmark.queries[query_id], candidates[query_id], reranker)
                rerank_ms.append((time.perf_counter() - started) * 1000)
            results.append(
                _result(retriever, name, benchmark, qrels, rankings, {"search": search_ms, "rerank": rerank_ms})
            )
    return EvaluationReport(
        benchmark=benchmark.name,
        judged="passages" if benchmark.judges_passages else "documents",
        num_queries=len(benchmark.queries),
        num_documents=len(benchmark.documents),
        num_chunks=table.num_chunks(),
        num_candidates=num_candidates,
        embedder=embedder.name,
        chunking=policy.name,
        fingerprint=benchmark.fingerprint,
        results=tuple(results),
    )


def benchmark_table(benchmark: Benchmark, home: Path, embedder: Embedder, policy: Policy, track: Track) -> ChunkTable:
    """The table of the benchmark's documents, built in a folder that gets its name only when it is whole."""
    identity = "\n".join((benchmark.fingerprint, embedder.name, policy.name))
    folder = home / "evaluation" / hashlib.sha256(identity.encode()).hexdigest()[:16]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent))
        _fill(ChunkTable(unfinished, embedder, policy), benchmark, embedder, policy, track)
        try:
            unfinished.rename(folder)
        except OSError:  # another evaluation has built the same table meanwhile
            shutil.rmtree(unfinished)
    return ChunkTable(folder, embedder, policy)


def _fill(table: ChunkTable, benchmark: Benchmark, embedder: Embedder, policy: Policy, track: Track) -> None:
    by_id = {document.id: document for document in benchmark.documents}
    batch: list[Embedded] = []
    with table.writing():
        for document_ids in batched(track(by_id, f"embed ({policy.name})"), _BATCH_DOCUMENTS):
            documents = [by_id[document_id] for document_id in document_ids]
            batch += [each for each in embed_documents(documents, embedder, policy=policy) if each.chunks]
            if sum(len(each.chunks) for each in batch) >= _BATCH_CHUNKS:
                table.append(batch)
                batch = []
        table.append(batch)


def _passage_qrels(benchmark: Benchmark, table: ChunkTable) -> Qrels:
    documents = {document.name: document for document in benchmark.documents}
    judged = {item.document for items in benchmark.evidence.values() for item in items}
    if unknown := judged - set(documents):
        raise BenchmarkError(f"evidence names documents that are not in the corpus: {', '.join(sorted(unknown))}")
    chunks = {name: table.chunks_of(documents[name].id) for name in judged}
    return {
        query_id: {
            resolve_evidence(item, chunks[item.document], documents[item.document].text).id: 1
            for item in benchmark.evidence[query_id]
        }
        for query_id in benchmark.queries
    }


def _result(
    retriever: Retriever,
    reranker: str,
    benchmark: Benchmark,
    qrels: Qrels,
    rankings: Mapping[str, Sequence[RankedChunk]],
    milliseconds: Mapping[str, Sequence[float]],
) -> Result:
    def unit(ranked: RankedChunk) -> str:
        return ranked.chunk.id if benchmark.judges_passages else ranked.chunk.document

    orders = {query_id: list(dict.fromkeys(map(unit, ranking))) for query_id, ranking in rankings.items()}
    best = {
        query_id: sorted(order, key=lambda found: -qrels[query_id].get(found, 0)) for query_id, order in orders.items()
    }
    return Result(
        retriever=retriever,
        reranker=reranker,
        metrics={name: interval(list(values.values())) for name, values in _measured(qrels, orders).items()},
        oracle={name: float(np.mean(list(values.values()))) for name, values in _measured(qrels, best).items()},
        latency_ms={
            stage: Latency(*(float(value) for value in np.percentile(times, [50, 95])))
            for stage, times in milliseconds.items()
        },
    )


def _measured(qrels: Qrels, orders: Mapping[str, Sequence[str]]) -> dict[str, dict[str, float]]:
    # Scores that fall with the rank make the measures see exactly this order, ties or not.
    run = {query_id: {found: 1 / rank for rank, found in enumerate(order, 1)} for query_id, order in orders.items()}
    return measure(qrels, run)
