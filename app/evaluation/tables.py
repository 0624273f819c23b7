"""benchmark -> JudgedTable: a table of chunks and the questions that are judged on it."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal

from app.evaluation.benchmark import Benchmark, BenchmarkError, Qrels, resolve_evidence
from ingest.chunk import DEFAULT_POLICY, Chunk, Policy
from ingest.embed import Embedder
from ingest.pipeline import embed_documents
from ingest.rows import Embedded
from ingest.table import ChunkTable

_BATCH_DOCUMENTS = 64
_BATCH_CHUNKS = 512

Track = Callable[[Iterable[str], str], Iterable[str]]
"""Shows progress: given items and a label, yields the items."""


@dataclass(frozen=True, slots=True)
class JudgedTable:
    """A table with judged questions on its documents.

    queries: id -> text. qrels: by chunk id if passages are judged, else by document name. fingerprint: hex digest
    of the documents. left_out: what could not be judged and why, a line each. unanswerable: queries without answer.
    """

    name: str
    table: ChunkTable
    judged: Literal["passages", "documents"]
    queries: Mapping[str, str]
    qrels: Qrels
    num_documents: int
    chunking: str
    fingerprint: str
    left_out: tuple[str, ...] = ()
    unanswerable: Mapping[str, str] = field(default_factory=dict)

    def unit(self, chunk: Chunk) -> str:
        """What is judged of a chunk: itself, or its document."""
        return chunk.id if self.judged == "passages" else chunk.document


def judged_table(
    benchmark: Benchmark, home: Path, embedder: Embedder, policy: Policy = DEFAULT_POLICY, track: Track | None = None
) -> JudgedTable:
    """The benchmark's documents in a table below home, which is built on first use and kept.

    Raises BenchmarkError when quoted evidence is not where it is said to be.
    """
    table = benchmark_table(benchmark, home, embedder, policy, track or (lambda items, _: items))
    return JudgedTable(
        name=benchmark.name,
        table=table,
        judged="passages" if benchmark.judges_passages else "documents",
        queries=benchmark.queries,
        qrels=_passage_qrels(benchmark, table) if benchmark.judges_passages else benchmark.qrels,
        num_documents=len(benchmark.documents),
        chunking=policy.name,
        fingerprint=benchmark.fingerprint,
        unanswerable=benchmark.unanswerable,
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
        for document_ids in _batches(track(by_id, f"embed ({policy.name})"), _BATCH_DOCUMENTS):
            documents = [by_id[document_id] for document_id in document_ids]
            batch += [each for each in embed_documents(documents, embedder, policy=policy) if each.chunks]
            if sum(len(each.chunks) for each in batch) >= _BATCH_CHUNKS:
                table.append(batch)
                batch = []
        table.append(batch)


def _batches(items: Iterable[str], size: int) -> Iterator[list[str]]:
    """The items in lists of this size; the last one may be shorter."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


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
