"""chunks and vectors -> ChunkTable: one LanceDB table, in which one document is one transaction.

The table holds only what can be rebuilt from the documents. LanceDB's distances end here and in
`app/search`: what comes out is a score, higher is better.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import lancedb
import pyarrow as pa
from filelock import FileLock, Timeout
from lancedb.expr import col, lit
from lancedb.index import FTS
from lancedb.query import MatchQuery

from ingest import CiteloopError
from ingest.chunk import POLICY, Chunk
from ingest.embed import Embedder, Vectors
from ingest.parse import Document

DEFAULT_HOME = Path(__file__).resolve().parent.parent / "data" / "home"
"""Where everything lies that the program creates at run time, unless CITELOOP_HOME names another folder."""

_SCHEMA_VERSION = "1"
_TABLE_NAME = "chunks"
_CHUNK_COLUMNS = [field.name for field in fields(Chunk)]
_DOCUMENT_COLUMNS = ["document_id", "document", "title", "source", "sha256", "num_pages", "ingested_at"]


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document as the table knows it; num_pages is None where the format has no pages."""

    id: str
    name: str
    title: str
    source: str
    sha256: str
    num_pages: int | None
    num_chunks: int
    ingested_at: datetime


class TableError(CiteloopError):
    """The table cannot be used: it was made by another embedder or other rules, or it cannot be written."""


class ChunkTable:
    """The table of one home folder. Reading needs no lock; writing happens inside `writing()`."""

    def __init__(self, home: Path, embedder: Embedder) -> None:
        """Open the table of this home; it is created by the first document that goes in.

        Raises TableError when the table there was made with another embedder, chunking policy or schema.
        """
        self._home = home
        self._identity = {
            "embedder": embedder.name,
            "dimension": str(embedder.dimension),
            "chunking": POLICY,
            "schema": _SCHEMA_VERSION,
        }
        home.mkdir(parents=True, exist_ok=True)
        self._connection = lancedb.connect(home / "table", read_consistency_interval=timedelta(0))
        self._opened: Any = None  # lancedb's table class is not part of its typed interface
        self._table()

    def documents(self) -> list[StoredDocument]:
        """All documents, by name."""
        table = self._table()
        if table is None:
            return []
        rows = table.search().select(_DOCUMENT_COLUMNS).to_arrow()
        counts = rows.group_by("document_id").aggregate([("document_id", "count")]).to_pylist()
        num_chunks = {row["document_id"]: row["document_id_count"] for row in counts}
        first = {row["document_id"]: row for row in rows.to_pylist()}
        documents = [
            StoredDocument(
                id=row["document_id"],
                name=row["document"],
                title=row["title"],
                source=row["source"],
                sha256=row["sha256"],
                num_pages=row["num_pages"],
                num_chunks=num_chunks[row["document_id"]],
                ingested_at=row["ingested_at"],
            )
            for row in first.values()
        ]
        return sorted(documents, key=lambda document: document.name)

    def num_chunks(self) -> int:
        """Rows in the table; 0 when there is none yet."""
        table = self._table()
        return 0 if table is None else int(table.count_rows())

    def chunks_of(self, document_id: str) -> list[Chunk]:
        """The chunks of one document in reading order."""
        table = self._table()
        if table is None:
            return []
        query = table.search().where(col("document_id") == lit(document_id)).select(_CHUNK_COLUMNS)
        return sorted((_chunk(row) for row in query.to_list()), key=lambda chunk: chunk.start)

    def search_vector(self, query_vector: Vectors, num_results: int) -> list[tuple[Chunk, float]]:
        """The nearest chunks with their cosine similarity, best first."""
        table = self._table()
        if table is None:
            return []
        query = table.search(query_vector, vector_column_name="vector").distance_type("cosine")
        rows = query.select([*_CHUNK_COLUMNS, "_distance"]).limit(num_results).to_list()
        return [(_chunk(row), 1.0 - row["_distance"]) for row in rows]

    def search_text(self, query: str, num_results: int) -> list[tuple[Chunk, float]]:
        """The best full-text matches with their BM25 score, best first; a query of stop words finds none."""
        table = self._table()
        if table is None:
            return []
        match = table.search(MatchQuery(query, "passage"), query_type="fts")
        rows = match.select([*_CHUNK_COLUMNS, "_score"]).limit(num_results).to_list()
        return [(_chunk(row), row["_score"]) for row in rows]

    @contextmanager
    def writing(self, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Be the one writer of this home; on_wait is called once if another one is at work.

        On leaving, the full-text index takes in what is new, and what was written is on the disk.
        """
        lock = FileLock(self._home / "table.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            on_wait()
            lock.acquire()
        try:
            yield
            table = self._table()
            if table is not None:
                with self._clear_errors():
                    table.optimize()
                    _sync()
        finally:
            lock.release()

    def replace(self, document: Document, chunks: list[Chunk], vectors: Vectors) -> None:
        """Put a document in, or in place of its older version, in one transaction; inside `writing()`.

        vectors: shape (len(chunks), dimension). A crash leaves the old version or the new one.
        """
        update = (
            self._table_to_write()
            .merge_insert("id")
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .when_not_matched_by_source_delete(col("document_id") == lit(document.id))
        )
        with self._clear_errors():
            update.execute(self._rows(document, chunks, vectors))
            _sync()  # LanceDB itself never flushes to the disk

    def append(self, documents: Sequence[tuple[Document, list[Chunk], Vectors]]) -> None:
        """Put many documents in at once that are not in yet; inside `writing()`.

        Nothing is replaced, which makes it fast: for a table that is filled once, such as an evaluation's.
        """
        rows = pa.concat_tables([self._rows(*document) for document in documents])
        with self._clear_errors():
            self._table_to_write().add(rows)

    def remove(self, document_id: str) -> None:
        """Take a document out; inside `writing()`. An id that is not there is no error."""
        table = self._table()
        if table is not None:
            with self._clear_errors():
                table.delete(col("document_id") == lit(document_id))
                _sync()

    def _table(self) -> Any:
        if self._opened is None and _TABLE_NAME in self._connection.list_tables().tables:
            table = self._connection.open_table(_TABLE_NAME)
            self._check(table.schema.metadata or {})
            self._opened = table
        return self._opened

    def _check(self, metadata: dict[bytes, bytes]) -> None:
        found = {key.decode(): value.decode() for key, value in metadata.items()}
        for key, expected in self._identity.items():
            if found.get(key) != expected:
                raise TableError(
                    f"the table in {self._home} was made with {key} {found.get(key)}, this program uses {expected}; "
                    f"choose another --home, or delete {self._home / 'table'} and ingest the documents again"
                )

    def _table_to_write(self) -> Any:
        if self._table() is None:
            with self._clear_errors():
                table = self._connection.create_table(_TABLE_NAME, schema=self._schema())
                table.create_index("passage", config=FTS())
                self._opened = table
        return self._opened

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, OSError) as error:
            raise TableError(
                f"cannot write the table in {self._home}: {error}; what was stored before is still there. "
                "Look at the free space and the permissions, then run the command again"
            ) from error

    def _schema(self) -> pa.Schema:
        text = ["id", "document_id", "document", "title", "source", "sha256", "text", "text_sha256", "passage"]
        numbers = ["page", "start", "end", "num_pages"]
        return pa.schema(
            [
                *(pa.field(name, pa.string()) for name in text),
                *(pa.field(name, pa.int64()) for name in numbers),
                pa.field("headings", pa.list_(pa.string())),
                pa.field("ingested_at", pa.timestamp("us", tz="UTC")),
                pa.field("vector", pa.list_(pa.float32(), int(self._identity["dimension"]))),
            ],
            metadata=self._identity,
        )

    def _rows(self, document: Document, chunks: list[Chunk], vectors: Vectors) -> pa.Table:
        shared = {
            "source": document.source,
            "sha256": document.sha256,
            "num_pages": len(document.pages) if document.pages[0].number else None,
            "ingested_at": datetime.now(UTC),
        }
        rows = [
            {name: getattr(chunk, name) for name in _CHUNK_COLUMNS}
            | shared
            | {"text_sha256": sha256(chunk.text.encode()).hexdigest(), "passage": chunk.passage, "vector": vector}
            for chunk, vector in zip(chunks, vectors, strict=True)
        ]
        return pa.Table.from_pylist(rows, schema=self._schema())


def _chunk(row: dict[str, Any]) -> Chunk:
    return Chunk(**{name: row[name] for name in _CHUNK_COLUMNS} | {"headings": tuple(row["headings"])})


def _sync() -> None:
    if hasattr(os, "sync"):  # not on Windows
        os.sync()
