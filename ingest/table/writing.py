"""chunks and vectors -> ChunkTable: the table with its writes, one transaction per document.

The table holds only data that can be rebuilt from the documents. A new table can be filled beside the current one and
replaces it in one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from lancedb.expr import col

from ingest.embedded import Embedded
from ingest.home.folder import current_name, flush
from ingest.home.job_store import StoppedError
from ingest.home.processes import start_process
from ingest.home.sharing import shared_write_lock
from ingest.indexes import TEXT_INDEX, keep_up
from ingest.rows import ADDED_COLUMNS, digest, identity_of, table_schema, text_is_whole, to_rows
from ingest.table.opening import MismatchError, TableError, clear_errors, drop_others
from ingest.table.searching import TableSearcher


class ChunkTable(TableSearcher):
    """The chunk table of a home folder. Reading needs no lock; write inside `writing()`."""

    def check_chunking(self) -> None:
        """Raise MismatchError when the table was made with another chunking policy, so nothing can be added to it."""
        if (table := self._table()) is not None:
            self._check(identity_of(table.schema.metadata), "chunking")

    @contextmanager
    def writing(self, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold the write lock of this home; on_wait is called while another process holds it and may raise to give up.

        Switches to the table that is current by then. At the end the indexes are updated, if that is due and nothing
        failed. Raises TableError when the table was made with another chunking policy.
        """
        with shared_write_lock(self.home, on_wait):
            if self.name != (current := current_name(self.home)):
                self._switch_to(current)
            self.check_chunking()
            drop_others(self.home, {self.name})
            before = self.version
            try:
                yield
            except StoppedError:
                self._keep_up_after(before)
                raise
            self._keep_up_after(before)

    def _switch_to(self, name: str) -> None:
        """Switch to the table that has replaced this one. Raises TableError."""
        self.name, self._opened = name, None
        try:
            self._table()
        except MismatchError as error:
            raise TableError(
                f"the table in {self.home} was rebuilt with another embedder meanwhile; run this again"
            ) from error

    def optimize(self) -> None:
        """Bring indexes and files up to date; takes seconds, of a large table minutes. Call inside `writing()`."""
        table = self._table()
        if table is not None:
            with clear_errors(self.home, "write"):
                keep_up(table)
                flush()

    def _keep_up_meanwhile(self) -> None:
        """Keep up amid a long ingest, so that questions meanwhile stay fast."""
        if self.index_state().is_urgent:
            self.optimize()

    def _keep_up_after(self, before: int | None) -> None:
        """Keep up after the last write, in the background if that takes long; before: the version at the first."""
        state = self.index_state()
        if state.is_large and state.is_due:
            start_process("ingest.upkeep", self.home, log="jobs.log")
        elif not state.is_large and (state.is_due or self.version != before):
            self.optimize()

    def replace(self, documents: Sequence[Embedded]) -> None:
        """Add documents or replace their older versions, in one transaction; call inside `writing()`.

        A crash leaves either the old or the new version of each.
        """
        if not documents:
            return
        update = (
            self._table_to_write()
            .merge_insert("id")
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .when_not_matched_by_source_delete(col("document_id").isin([document.id for document, _, _ in documents]))
        )
        with clear_errors(self.home, "write"):
            update.execute(to_rows(documents, self._identity))
            flush()  # LanceDB never flushes to the disk
        self._keep_up_meanwhile()

    def append(self, documents: Sequence[Embedded]) -> None:
        """Add new documents in one transaction, faster than `replace`; call inside `writing()`."""
        if not documents:
            return
        table = self._table_to_write()
        with clear_errors(self.home, "write"):
            table.add(to_rows(documents, self._identity))
            flush()
        self._keep_up_meanwhile()

    def move(self, document_ids: Sequence[str], collection: str) -> None:
        """Put documents into a collection, in one transaction; call inside `writing()`. Unknown ids are ignored."""
        table = self._table_to_write()
        if document_ids:
            with clear_errors(self.home, "write"):
                table.update(where=col("document_id").isin(list(document_ids)), values={"collection": collection})
                flush()

    def remove(self, document_ids: Sequence[str]) -> None:
        """Remove documents; call inside `writing()`. Unknown ids are ignored."""
        table = self._table()
        if table is not None and document_ids:
            with clear_errors(self.home, "write"):
                table.delete(col("document_id").isin(list(document_ids)))
                flush()

    def verify(self) -> set[str]:
        """Return the names of documents with a damaged text or vector.

        Raises TableError when the table cannot be read at all.
        """
        table = self._table()
        if table is None:
            return set()
        damaged = set()
        columns = ["document", "text", "text_sha256", "vector", "vector_sha256"]
        with clear_errors(self.home, "read"):
            for rows in table.search().select(columns).to_batches(1024):
                vectors = rows.column("vector").flatten().to_numpy().reshape(len(rows), -1)
                for row, vector in zip(rows.drop_columns("vector").to_pylist(), vectors, strict=True):
                    if not text_is_whole(row) or digest(vector.tobytes()) != row["vector_sha256"]:
                        damaged.add(row["document"])
        return damaged

    def _table_to_write(self) -> Any:
        if self._table() is None:
            with clear_errors(self.home, "write"):
                table = self._connection.create_table(self.name, schema=table_schema(self._identity))
                table.create_index("passage", config=TEXT_INDEX)
                self._opened = table
        names = self._opened.schema.names
        if missing := [column for column in ADDED_COLUMNS if column.name not in names]:
            with clear_errors(self.home, "write"):
                self._opened.add_columns(missing)  # nulls, which change no file
        return self._opened
