"""home folder -> TableReader: documents and chunks of one LanceDB table."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any

import numpy as np
from lancedb.expr import Expr, col, lit

from ingest.chunk import CHUNKING, Chunk
from ingest.embed.embedder import Embedder, Vectors
from ingest.home.folder import current_name
from ingest.indexes import IndexState, index_state
from ingest.listing import Listing, Outline, StoredDocument, read_listing, read_outlines
from ingest.rows import Identity, chunk_columns, digest, identity_of, text_is_whole, to_chunk
from ingest.table.opening import MismatchError, clear_errors, connect, open_table

_log = logging.getLogger(__name__)


class TableReader:
    """Reads the chunk table of a home folder; needs no lock."""

    def __init__(self, home: Path, embedder: Embedder, chunking: str = CHUNKING, name: str | None = None) -> None:
        """Open the table of this home; the first document creates it.

        name: None means the current table. Raises TableError when the table was made with another embedder or
        schema, or is damaged.
        """
        self.home = home
        self.name = name or current_name(home)
        self._damaged: set[str] = set()
        self._damaged_version: int | None = None
        self._identity = Identity(embedder.name, embedder.dimension, chunking)
        self._connection = connect(home)
        self._listed: Listing | None = None
        self._indexed: tuple[tuple[str, int], IndexState] | None = None
        self._opened: Any = None  # lancedb's table class is not part of its typed interface
        self._table()

    @property
    def is_made(self) -> bool:
        """Return whether the table existed when last checked; another process may create it later."""
        return self._opened is not None

    @property
    def damaged(self) -> set[str]:
        """Return names of documents with damaged passages, found since the table last changed."""
        if self._damaged and self.version != self._damaged_version:
            self._damaged = set()
        return self._damaged

    @property
    def version(self) -> int | None:
        """Return a number that grows with every write, or None without a table."""
        table = self._table()
        return None if table is None else int(table.version)

    def index_state(self) -> IndexState:
        """Return the state of the indexes, read again only after a write."""
        table = self._table()
        if table is None:
            return IndexState()
        if self._indexed is None or self._indexed[0] != (self.name, int(table.version)):
            with clear_errors(self.home, "read"):
                self._indexed = (self.name, int(table.version)), index_state(table)
        return self._indexed[1]

    def documents(self) -> list[StoredDocument]:
        """Return all documents, sorted by name."""
        return list(self._listing().documents)

    def _listing(self) -> Listing:
        """Return the documents, read again only after a write."""
        table, listed = self._table(), self._listed
        if table is None:
            return Listing()
        version = int(table.version)
        if listed is None or listed.state != (self.name, version):
            with clear_errors(self.home, "read"):
                self._listed = listed = read_listing(table, (self.name, version), listed)
        return listed

    def outlines(self, documents: Sequence[StoredDocument]) -> list[Outline]:
        """Return these documents with headings and opening, in their order."""
        table = self._table()
        if table is None or not documents:
            return []
        with clear_errors(self.home, "read"):
            return read_outlines(table, documents)

    def document(self, document_id: str) -> StoredDocument | None:
        """Return the document with this id, or None."""
        return next((document for document in self._listing().documents if document.id == document_id), None)

    def num_chunks(self) -> int:
        """Return the number of chunks; 0 if there is no table yet."""
        table = self._table()
        return 0 if table is None else int(table.count_rows())

    def chunks_of(self, document_id: str) -> list[Chunk]:
        """Return the chunks of one document in reading order."""
        table = self._table()
        if table is None:
            return []
        query = table.search().where(col("document_id") == lit(document_id)).select(chunk_columns(table))
        return sorted(self._whole(query), key=lambda chunk: chunk.start)

    def chunk(self, chunk_id: str, within: Collection[str] | None = None) -> Chunk | None:
        """Return the chunk with this id, or None if its document has changed or is gone.

        within: here and below, ids of the documents to look at; None: all.
        """
        return self.chunks([chunk_id], within).get(chunk_id)

    def chunks(self, chunk_ids: Collection[str], within: Collection[str] | None = None) -> dict[str, Chunk]:
        """Return id -> chunk; ids whose document has changed or is gone are left out."""
        table = self._table()
        if table is None or not chunk_ids:
            return {}
        query = table.search().where(self._among(within, col("id").isin(list(chunk_ids)))).select(chunk_columns(table))
        return {chunk.id: chunk for chunk in self._whole(query)}

    def find_ids(self, chunk_ids: Collection[str], within: Collection[str] | None = None) -> set[str]:
        """Return those of the ids that chunks have."""
        table = self._table()
        if table is None or not chunk_ids:
            return set()
        query = table.search().where(self._among(within, col("id").isin(list(chunk_ids)))).select(["id"])
        with clear_errors(self.home, "read"):
            return set(query.to_arrow()["id"].to_pylist())

    def find_texts(self, texts: Collection[str], within: Collection[str] | None = None) -> dict[str, list[Chunk]]:
        """Return text -> the chunks with exactly this text; texts without a chunk are left out."""
        table = self._table()
        if table is None or not texts:
            return {}
        same = col("text_sha256").isin([digest(text.encode()) for text in texts])
        query = table.search().where(self._among(within, same))
        found: dict[str, list[Chunk]] = {}
        for chunk in self._whole(query.select(chunk_columns(table))):
            found.setdefault(chunk.text, []).append(chunk)
        return found

    def vectors_of(self, document_ids: Sequence[str]) -> dict[str, Vectors]:
        """Return passage -> vector of these documents, so that unchanged passages need no embedding."""
        table = self._table()
        if table is None or not document_ids:
            return {}
        query = table.search().where(col("document_id").isin(list(document_ids)))
        with clear_errors(self.home, "read"):
            rows = query.select(["passage", "vector", "vector_sha256"]).to_list()
        found = ((row["passage"], np.asarray(row["vector"], np.float32), row["vector_sha256"]) for row in rows)
        return {passage: vector for passage, vector, expected in found if digest(vector.tobytes()) == expected}

    def _table(self) -> Any:
        if self._opened is None:
            table = open_table(self._connection, self.name, self.home)
            if table is not None:
                self._check(identity_of(table.schema.metadata), "embedder", "dimension", "schema")
            self._opened = table
        return self._opened

    def _check(self, found: Identity, *parts: str) -> None:
        """Raise MismatchError if one of the parts differs from what this program uses."""
        for part in parts:
            made_with, expected = getattr(found, part), getattr(self._identity, part)
            if made_with != expected:
                wanted = f" --embedder {expected}" if part == "embedder" else ""
                raise MismatchError(
                    f"the table in {self.home} was made with {part} {made_with}, this program uses {expected}; "
                    f"rebuild it with: citeloop reindex{wanted}"
                )

    def _among(self, within: Collection[str] | None, condition: Expr | None = None) -> Expr:
        """Return the condition and that a row is of one of these documents; one of the two is given."""
        parts = [] if condition is None else [condition]
        parts += [] if within is None else [self._listing().groups.condition(within)[0]]
        return reduce(and_, parts)

    def _whole(self, query: Any) -> list[Chunk]:
        return [to_chunk(row) for row in self._whole_rows(query)]

    def _whole_rows(self, query: Any) -> list[dict[str, Any]]:
        """Return the rows with undamaged text; the documents of others are added to `damaged`."""
        with clear_errors(self.home, "read"):
            rows: list[dict[str, Any]] = query.to_list()
        whole = [row for row in rows if text_is_whole(row)]
        if len(whole) < len(rows):
            self._damaged = self.damaged | {row["document"] for row in rows if row not in whole}
            self._damaged_version = self.version
            _log.error("left out damaged passages of %s; run: citeloop doctor", ", ".join(sorted(self.damaged)))
        return whole
