"""benchmark -> JudgedTable: a table of chunks with judged questions."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import astuple, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from app.evaluation.beir_files import BenchmarkError
from app.evaluation.benchmark import Benchmark, Qrels, resolve_evidence
from ingest.chunk import CHUNKING, Chunk
from ingest.embed.embedder import Embedder
from ingest.embedded import Embedded, embed_documents
from ingest.home.whole_folders import unfinished_folder
from ingest.rows import Identity
from ingest.table import ChunkTable, TableError

_BATCH_DOCUMENTS = 64
_BATCH_CHUNKS = 512
_KEPT_SECONDS = 30 * 24 * 3600
"""How long an unused table is kept; each version of documents or embedder has its own table."""

T = TypeVar("T")


class Track(Protocol):
    """Shows progress: given items and a label, yields the items."""

    def __call__(self, items: Collection[T], label: str) -> Iterable[T]: ...


def untracked(items: Collection[T], label: str) -> Iterable[T]:  # noqa: ARG001  # a Track
    """Return the items without showing progress."""
    return items


@dataclass(frozen=True, slots=True)
class JudgedTable:
    """A table with judged questions on its documents.

    queries: id -> text. qrels: by chunk id if passages are judged, else by document name. fingerprint: hex digest of
    the documents. left_out: unusable judgements with the reason, a line each. unanswerable: queries without answer.
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
        """Return the id that is judged: the chunk's or its document's."""
        return chunk.id if self.judged == "passages" else chunk.document


def judged_table(benchmark: Benchmark, home: Path, embedder: Embedder, track: Track = untracked) -> JudgedTable:
    """Return the benchmark with its table, which is built below home on first use and kept.

    Raises BenchmarkError when quoted evidence is not found.
    """
    table = benchmark_table(benchmark, home, embedder, track)
    return JudgedTable(
        name=benchmark.name,
        table=table,
        judged="passages" if benchmark.judges_passages else "documents",
        queries=benchmark.queries,
        qrels=_passage_qrels(benchmark, table) if benchmark.judges_passages else benchmark.qrels,
        num_documents=len(benchmark.documents),
        chunking=CHUNKING,
        fingerprint=benchmark.fingerprint,
        left_out=benchmark.left_out,
        unanswerable=benchmark.unanswerable,
    )


def benchmark_table(benchmark: Benchmark, home: Path, embedder: Embedder, track: Track = untracked) -> ChunkTable:
    """Return the table of the benchmark's documents, built in a folder that is named when complete.

    A damaged table is rebuilt; tables unused for a month are deleted.
    """
    folder = home / "evaluation" / _cache_name(benchmark, embedder)
    if folder.exists():
        if kept := _whole_table(folder, embedder):
            os.utime(folder)
            return kept
        shutil.rmtree(folder)
    with unfinished_folder(folder.parent) as unfinished:
        _fill(ChunkTable(unfinished, embedder), benchmark, embedder, track)
        try:
            unfinished.rename(folder)
        except OSError:  # another evaluation has built the same table meanwhile
            if not folder.exists():
                raise
    _drop_unused(folder.parent)
    return ChunkTable(folder, embedder)


def _cache_name(benchmark: Benchmark, embedder: Embedder) -> str:
    """Return 16 hex digits made from everything that the table depends on."""
    made_with = astuple(Identity(embedder.name, embedder.dimension, CHUNKING))
    parts = [benchmark.fingerprint, *map(str, made_with), *files_of(Path(embedder.name))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def files_of(folder: Path) -> list[str]:
    """Return names, sizes and times of a model's files, to notice another model in the same folder.

    Empty if the name is not an absolute path.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_absolute() else []
    found = [(path.relative_to(folder), path.stat()) for path in files]
    return [f"{path} {status.st_size} {status.st_mtime_ns}" for path, status in found]


def _whole_table(folder: Path, embedder: Embedder) -> ChunkTable | None:
    """Return the existing table, or None if it is damaged."""
    try:
        table = ChunkTable(folder, embedder)
        table.search_text("citation", 1)  # any word, to check the index too
        return table if table.num_chunks() and not table.verify() else None
    except TableError:
        return None


def _drop_unused(folder: Path) -> None:
    for table in folder.glob("[!.]*"):  # hidden ones are being built
        with suppress(FileNotFoundError):  # another evaluation may do the same
            if table.stat().st_mtime < time.time() - _KEPT_SECONDS:
                shutil.rmtree(table)


def _fill(table: ChunkTable, benchmark: Benchmark, embedder: Embedder, track: Track) -> None:
    by_id = {document.id: document for document in benchmark.documents}
    batch: list[Embedded] = []
    with table.writing():
        for document_ids in _batches(track(by_id, "embed"), _BATCH_DOCUMENTS):
            documents = [by_id[document_id] for document_id in document_ids]
            batch += [embedded for embedded in embed_documents(documents, embedder) if embedded.chunks]
            if sum(len(embedded.chunks) for embedded in batch) >= _BATCH_CHUNKS:
                table.append(batch)
                batch = []
        table.append(batch)
        table.optimize()  # here and not in the background, so that every search finds the same


def _batches(items: Iterable[str], size: int) -> Iterator[list[str]]:
    """Yield the items in lists of this size; the last may be shorter."""
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
