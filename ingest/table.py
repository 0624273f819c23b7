"""chunks and vectors -> ChunkTable: one LanceDB table, with one transaction per document.

The table holds only data that can be rebuilt from the documents. Searches return scores, higher is better, never
LanceDB's distances. A new table can be filled beside the current one and replaces it in one step.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from lancedb.expr import Expr, col, func, lit
from lancedb.query import MatchQuery

from ingest import CiteloopError
from ingest.chunk import DEFAULT_POLICY, Chunk, Policy
from ingest.embed.embedder import Embedder, Vectors, likeness
from ingest.home.folder import current_name, flush, make_home, write_lock
from ingest.home.job_store import StoppedError, start_process
from ingest.indexes import MAX_SCANNED, NUM_PROBES, TEXT_INDEX, IndexState, index_state, keep_up
from ingest.listing import Listing, Outline, StoredDocument, read_listing, read_outlines
from ingest.rows import (
    ADDED_COLUMNS,
    Embedded,
    Identity,
    chunk_columns,
    digest,
    identity_of,
    table_schema,
    text_is_whole,
    to_chunk,
    to_rows,
)

_log = logging.getLogger(__name__)

_LANCE_ERRORS = (RuntimeError, OSError, ValueError, pa.ArrowException)
"""LanceDB's errors for a full disk, a read-only folder, or a damaged file."""
_HELD = 5.0
"""Score of a chunk that holds a query of stop words; one more under a heading of that name."""
_MAX_HOLDERS = 200
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_MANY_IDS = 1_000
_DEPTH_FACTOR = 4
"""Filtering costs about 10 us per id; above _MANY_IDS, search deeper by this factor without a filter first."""


class TableError(CiteloopError):
    """The table cannot be used: other embedder or chunking rules, damage, or a full disk."""


class MismatchError(TableError):
    """The table is undamaged, but was made with another embedder or other rules."""


def read_identity(home: Path) -> Identity | None:
    """Return what the table of this home was made with, or None without a table. Raises TableError."""
    table = _open(_connect(home), current_name(home), home)
    return None if table is None else identity_of(table.schema.metadata)


def has_whole_history(home: Path) -> bool:
    """Return whether all versions of the table can be read. LanceDB reads them when it updates the indexes.

    Raises TableError when not even the newest one can be opened.
    """
    table = _open(_connect(home), current_name(home), home)
    try:
        return table is None or bool(table.list_versions())
    except Exception:  # as in _open
        return False


def stored_documents(home: Path) -> list[StoredDocument]:
    """Return the documents of the current table, even if made with another embedder. Raises TableError."""
    table = _open(_connect(home), current_name(home), home)
    try:
        return [] if table is None else read_listing(table).documents
    except _LANCE_ERRORS as error:
        raise TableError(f"the documents of the table in {home} cannot be read: {error}") from error


def keep_current_up(home: Path) -> None:
    """Bring indexes and files of the current table up to date if that is due; call inside the write lock.

    Raises TableError.
    """
    table = _open(_connect(home), current_name(home), home)
    if table is not None and index_state(table).is_due:
        with _clear_errors(home, "write"):
            keep_up(table)
            flush()


def drop_others(home: Path, names: set[str]) -> None:
    """Delete replaced and unfinished tables; call inside the write lock. names: the tables to keep."""
    connection = _connect(home)
    for name in connection.list_tables().tables:
        if name not in names:
            connection.drop_table(name)


class ChunkTable:
    """The chunk table of a home folder. Reading needs no lock; write inside `writing()`."""

    def __init__(
        self, home: Path, embedder: Embedder, policy: Policy = DEFAULT_POLICY, name: str | None = None
    ) -> None:
        """Open the table of this home; the first document creates it.

        name: None means the current table. Raises TableError when the table was made with another embedder or
        schema, or is damaged.
        """
        self.home = home
        self.policy = policy
        self.name = name or current_name(home)
        self._damaged: set[str] = set()
        self._damaged_version: int | None = None
        self._identity = Identity(embedder.name, embedder.dimension, policy.name)
        self._connection = _connect(home)
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
            with _clear_errors(self.home, "read"):
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
            with _clear_errors(self.home, "read"):
                self._listed = listed = read_listing(table, (self.name, version), listed)
        return listed

    def outlines(self, documents: Sequence[StoredDocument]) -> list[Outline]:
        """Return these documents with headings and opening, in their order."""
        table = self._table()
        if table is None or not documents:
            return []
        with _clear_errors(self.home, "read"):
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
        with _clear_errors(self.home, "read"):
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

    def search_vector(
        self, query_vector: Vectors, num_results: int, within: Collection[str] | None = None
    ) -> list[tuple[Chunk, float]]:
        """Return the nearest chunks with their likeness to the query, best first.

        within: ids of the documents to search; they give num_results chunks if they have that many.
        """
        table = self._table()
        if table is None:
            return []
        query = table.search(query_vector, vector_column_name="vector").distance_type("cosine")
        query = query.nprobes(NUM_PROBES).refine_factor(5)  # only matters with an index, which is approximate
        if within is not None:
            query = query.maximum_nprobes(0)  # no limit: probe until enough of these chunks are found
        rows = self._best(query.select([*chunk_columns(table), "_distance"]), num_results, within)
        return [(to_chunk(row), likeness(1.0 - row["_distance"], self._identity.embedder)) for row in rows]

    def search_text(
        self, query: str, num_results: int, within: Collection[str] | None = None
    ) -> list[tuple[Chunk, float]]:
        """Return the best full-text matches with their BM25 score, best first.

        The index has no stop words: chunks that hold a query of nothing else, such as "IT" or "The Who", as it stands
        get a fixed score, those under a heading of that name first. within: ids of the documents to search; scores are
        still those among all documents.
        """
        table = self._table()
        if table is None:
            return []
        match = self._matches(table, query)
        rows = self._best(match.select([*chunk_columns(table), "_score"]), num_results, within)
        return [(to_chunk(row), row["_score"]) for row in rows] or self._holders(table, query, num_results, within)

    def _matches(self, table: Any, query: str) -> Any:
        """Return a full-text search. Chunks that wait for the index are left out while they would slow it down."""
        match = table.search(MatchQuery(query, "passage"), query_type="fts")
        return match.fast_search() if self.index_state().num_waiting > MAX_SCANNED else match

    def _holders(
        self, table: Any, query: str, num_results: int, within: Collection[str] | None
    ) -> list[tuple[Chunk, float]]:
        """Return chunks that hold the query word for word, in this case or else in any."""
        phrase = query.strip().rstrip("?.! ")
        if not phrase:
            return []
        in_any_case = func("lower", col("passage")).contains(lit(phrase.lower()))
        for condition in (col("passage").contains(lit(phrase)), in_any_case):
            rows = self._whole(
                table.search().where(self._among(within, condition)).select(chunk_columns(table)).limit(_MAX_HOLDERS)
            )
            whole = re.compile(rf"(?<!\w){re.escape(phrase)}(?!\w)", re.IGNORECASE)
            found = [chunk for chunk in rows if whole.search(chunk.passage)]
            if found:
                scored = [(chunk, _HELD + (chunk.heading.lower() == phrase.lower())) for chunk in found]
                return sorted(scored, key=lambda pair: -pair[1])[:num_results]
        return []

    def has_word(self, word: str, within: Collection[str] | None = None) -> bool:
        """Return whether a chunk has this word, in any inflection that the index takes for the same."""
        table = self._table()
        if table is None:
            return False
        with _clear_errors(self.home, "read"):
            match = self._matches(table, word).select(["id", "_score"])
            if within is not None:
                match = match.where(self._among(within), prefilter=True)
            return bool(match.limit(1).to_list())

    def word_counts(self, within: Collection[str] | None = None) -> dict[str, int]:
        """Return the words of all passages in lower case, without digits, and how often each occurs.

        Takes about 40 ms per 1,000 chunks.
        """
        parts, words = Counter[str](), Counter[str]()
        for passages in self._passages(within):
            counted = pc.value_counts(pc.utf8_split_whitespace(passages).flatten())
            parts.update({part["values"]: part["counts"] for part in counted.to_pylist()})
        for part, count in parts.items():  # fewer than the words of the passages
            words.update(dict.fromkeys(_WORD.findall(part.lower().replace("’", "'")), count))  # noqa: RUF001
        return words

    def passages(self) -> Iterator[list[str]]:
        """Yield all passages in batches."""
        return (passages.to_pylist() for passages in self._passages())

    def _passages(self, within: Collection[str] | None = None) -> Iterator[pa.Array]:
        table = self._table()
        if table is not None:
            with _clear_errors(self.home, "read"):
                query = table.search() if within is None else table.search().where(self._among(within))
                for batch in query.select(["passage"]).to_batches(1024):
                    yield batch["passage"]

    def similarities(self, query_vector: Vectors, chunk_ids: Sequence[str]) -> dict[str, float]:
        """Return chunk id -> likeness to the query for these chunks; removed ones are left out."""
        table = self._table()
        if table is None or not chunk_ids:
            return {}
        query = table.search().where(col("id").isin(list(chunk_ids))).select(["id", "vector"])
        with _clear_errors(self.home, "read"):
            rows = query.to_arrow()
        vectors = rows["vector"].combine_chunks().flatten().to_numpy().reshape(len(rows), len(query_vector))
        found = likeness(vectors @ query_vector, self._identity.embedder)
        return dict(zip(rows["id"].to_pylist(), found.tolist(), strict=True))

    def text_scores(self, query: str, chunk_ids: Sequence[str]) -> dict[str, float]:
        """Return chunk id -> BM25 score for these chunks; those without a word of the query are left out."""
        table = self._table()
        if table is None or not chunk_ids:
            return {}
        among = col("id").isin(list(chunk_ids))
        match = table.search(MatchQuery(query, "passage"), query_type="fts").where(among, prefilter=True)
        with _clear_errors(self.home, "read"):
            rows = match.select(["id", "_score"]).limit(len(chunk_ids)).to_arrow()
        return dict(zip(rows["id"].to_pylist(), rows["_score"].to_pylist(), strict=True))

    def vectors_of(self, document_ids: Sequence[str]) -> dict[str, Vectors]:
        """Return passage -> vector of these documents, so that unchanged passages need no embedding."""
        table = self._table()
        if table is None or not document_ids:
            return {}
        query = table.search().where(col("document_id").isin(list(document_ids)))
        with _clear_errors(self.home, "read"):
            rows = query.select(["passage", "vector", "vector_sha256"]).to_list()
        found = ((row["passage"], np.asarray(row["vector"], np.float32), row["vector_sha256"]) for row in rows)
        return {passage: vector for passage, vector, expected in found if digest(vector.tobytes()) == expected}

    @contextmanager
    def writing(self, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold the write lock of this home; on_wait is called while another process holds it and may raise to give up.

        Switches to the table that is current by then. At the end the indexes are updated, if that is due and nothing
        failed. Raises TableError when the table was made with another chunking policy.
        """
        with write_lock(self.home, on_wait):
            if self.name != (current := current_name(self.home)):
                self._switch_to(current)
            if (table := self._table()) is not None:
                self._check(identity_of(table.schema.metadata), "chunking")
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
            with _clear_errors(self.home, "write"):
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
        with _clear_errors(self.home, "write"):
            update.execute(to_rows(documents, self._identity))
            flush()  # LanceDB never flushes to the disk
        self._keep_up_meanwhile()

    def append(self, documents: Sequence[Embedded]) -> None:
        """Add new documents in one transaction, faster than `replace`; call inside `writing()`."""
        if not documents:
            return
        table = self._table_to_write()
        with _clear_errors(self.home, "write"):
            table.add(to_rows(documents, self._identity))
            flush()
        self._keep_up_meanwhile()

    def move(self, document_ids: Sequence[str], collection: str) -> None:
        """Put documents into a collection, in one transaction; call inside `writing()`. Unknown ids are ignored."""
        table = self._table_to_write()
        if document_ids:
            with _clear_errors(self.home, "write"):
                table.update(where=col("document_id").isin(list(document_ids)), values={"collection": collection})
                flush()

    def remove(self, document_ids: Sequence[str]) -> None:
        """Remove documents; call inside `writing()`. Unknown ids are ignored."""
        table = self._table()
        if table is not None and document_ids:
            with _clear_errors(self.home, "write"):
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
        with _clear_errors(self.home, "read"):
            for rows in table.search().select(columns).to_batches(1024):
                vectors = rows.column("vector").flatten().to_numpy().reshape(len(rows), -1)
                for row, vector in zip(rows.drop_columns("vector").to_pylist(), vectors, strict=True):
                    if not text_is_whole(row) or digest(vector.tobytes()) != row["vector_sha256"]:
                        damaged.add(row["document"])
        return damaged

    def _table(self) -> Any:
        if self._opened is None:
            table = _open(self._connection, self.name, self.home)
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

    def _table_to_write(self) -> Any:
        if self._table() is None:
            with _clear_errors(self.home, "write"):
                table = self._connection.create_table(self.name, schema=table_schema(self._identity))
                table.create_index("passage", config=TEXT_INDEX)
                self._opened = table
        names = self._opened.schema.names
        if missing := [column for column in ADDED_COLUMNS if column.name not in names]:
            with _clear_errors(self.home, "write"):
                self._opened.add_columns(missing)  # nulls, which change no file
        return self._opened

    def _best(self, query: Any, num_results: int, within: Collection[str] | None) -> list[dict[str, Any]]:
        """Return the best undamaged rows of a search within these documents."""
        if within is None:
            return self._whole_rows(query.limit(num_results))
        wanted = frozenset(within)
        groups = self._listing().groups
        among, num_ids = groups.condition(wanted)
        if num_ids > _MANY_IDS:  # then enough of the best around them are often among them
            around = groups.around(wanted)
            deeper = query if around is None else query.where(around, prefilter=True)
            rows = self._whole_rows(deeper.limit(num_results * _DEPTH_FACTOR))
            inside = [row for row in rows if row["document_id"] in wanted][:num_results]
            if len(inside) == num_results:
                return inside
        return self._whole_rows(query.where(among, prefilter=True).limit(num_results)) if wanted else []

    def _among(self, within: Collection[str] | None, condition: Expr | None = None) -> Expr:
        """Return the condition and that a row is of one of these documents; one of the two is given."""
        parts = [] if condition is None else [condition]
        parts += [] if within is None else [self._listing().groups.condition(within)[0]]
        return reduce(and_, parts)

    def _whole(self, query: Any) -> list[Chunk]:
        return [to_chunk(row) for row in self._whole_rows(query)]

    def _whole_rows(self, query: Any) -> list[dict[str, Any]]:
        """Return the rows with undamaged text; the documents of others are added to `damaged`."""
        with _clear_errors(self.home, "read"):
            rows: list[dict[str, Any]] = query.to_list()
        whole = [row for row in rows if text_is_whole(row)]
        if len(whole) < len(rows):
            self._damaged = self.damaged | {row["document"] for row in rows if row not in whole}
            self._damaged_version = self.version
            _log.error("left out damaged passages of %s; run: citeloop doctor", ", ".join(sorted(self.damaged)))
        return whole


def _connect(home: Path) -> Any:
    make_home(home)
    return lancedb.connect(home / "table", read_consistency_interval=timedelta(0))


def _open(connection: Any, name: str, home: Path) -> Any:
    if name not in connection.list_tables().tables:
        return None
    try:
        return connection.open_table(name)
    except Exception as error:  # of some truncated files Lance panics, which is none of _LANCE_ERRORS
        raise TableError(
            f"the table in {home} is damaged and cannot be opened; repair it with: citeloop doctor ({error})"
        ) from error


@contextmanager
def _clear_errors(home: Path, verb: str) -> Iterator[None]:
    try:
        yield
    except _LANCE_ERRORS as error:
        advice = (
            "what was stored before is still there. Check free space and permissions, then try again"
            if verb == "write"
            else "one of its files may be damaged; repair it with: citeloop doctor"
        )
        raise TableError(f"cannot {verb} the table in {home}: {error}; {advice}") from error
