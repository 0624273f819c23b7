"""rows of a table -> its documents, and their headings and openings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from lancedb.expr import Expr, col, lit

from ingest.collections import Groups, default_collection
from ingest.rows import COLLECTION

_DOCUMENT_COLUMNS = ["document", "title", "source", "sha256", "num_pages", "ingested_at"]
_OPENING_CHARACTERS = 1_000
_MANY = 1_000
"""For more changed documents, all rows are read: quicker than finding theirs."""


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document in the table; num_pages is None if the format has no pages.

    collection: its name, the default one where none is stored.
    """

    id: str
    name: str
    title: str
    source: str
    sha256: str
    num_pages: int | None
    num_chunks: int
    ingested_at: datetime
    collection: str = ""


@dataclass(frozen=True, slots=True)
class Outline:
    """A document with its distinct headings and the text of its first passages, one under the other."""

    document: StoredDocument
    headings: frozenset[str]
    opening: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The documents, sorted by name, and by the collection that they store, of a table in a state: name and version."""

    documents: list[StoredDocument] = field(default_factory=list)
    groups: Groups = field(default_factory=Groups)
    state: tuple[str, int] | None = None


def read_listing(table: Any, state: tuple[str, int] | None = None, before: Listing | None = None) -> Listing:
    """Return the documents of a table. before: an earlier listing; only documents that have changed are read whole."""
    stored = [COLLECTION.name] if COLLECTION.name in table.schema.names else []
    known = {document.id: document for document in before.documents} if before else {}
    if known:
        rows = _documents(table, ["ingested_at", *stored])
        changed = [id for id, row in rows.items() if not _is_same(row, known.get(id))]
    if known and len(changed) < _MANY:
        new = _documents(table, [*_DOCUMENT_COLUMNS, *stored], changed) if changed else {}
        documents = [known[id] for id in rows if id not in new] + [_to_document(row) for row in new.values()]
    else:
        rows = _documents(table, [*_DOCUMENT_COLUMNS, *stored])
        documents = [_to_document(row) for row in rows.values()]
    groups = Groups((id, name) for id, row in rows.items() if (name := row.get("collection_min")))
    return Listing(sorted(documents, key=lambda document: document.name), groups, state)


def _documents(table: Any, columns: Sequence[str], ids: Collection[str] | None = None) -> dict[str, dict[str, Any]]:
    """Return document id -> number of chunks and smallest value of each column; ids: only of these documents."""
    rows = _of_documents(table, ids).select(["document_id", *columns]).to_arrow().group_by("document_id")
    found = rows.aggregate([*((column, "min") for column in columns), ("document_id", "count")]).to_pylist()
    return {row["document_id"]: row for row in found}


def _of_documents(table: Any, ids: Collection[str] | None, condition: Expr | None = None) -> Any:
    """Return a query for the rows of these documents, None for all, that meet a condition."""
    query = table.search() if ids is None else table.search().where(col("document_id").isin(list(ids)))
    return query if condition is None else query.where(condition)


def _is_same(row: Mapping[str, Any], known: StoredDocument | None) -> bool:
    """Return whether a document was neither written nor moved since."""
    if known is None or (known.ingested_at, known.num_chunks) != (row["ingested_at_min"], row["document_id_count"]):
        return False
    return known.collection == (row.get("collection_min") or default_collection(known.name, known.source))


def _to_document(row: Mapping[str, Any]) -> StoredDocument:
    return StoredDocument(
        id=row["document_id"],
        name=row["document_min"],
        title=row["title_min"],
        source=row["source_min"],
        sha256=row["sha256_min"],
        num_pages=row["num_pages_min"],
        num_chunks=row["document_id_count"],
        ingested_at=row["ingested_at_min"],
        collection=row.get("collection_min") or default_collection(row["document_min"], row["source_min"]),
    )


def read_outlines(table: Any, documents: Sequence[StoredDocument]) -> list[Outline]:
    """Return these documents of a table with headings and opening."""
    among = [document.id for document in documents] if len(documents) < _MANY else None
    rows = _of_documents(table, among).select(["document_id", "headings"]).to_arrow()
    own_words = col("end") > col("start")  # not a model's description of a picture
    first = _of_documents(table, among, (col("start") < lit(_OPENING_CHARACTERS)) & own_words)
    openings = first.select(["document_id", "start", "text"]).to_arrow().sort_by("start")
    ids = pc.take(rows["document_id"], pc.list_parent_indices(rows["headings"]))
    flat = pa.table({"document_id": ids, "heading": pc.list_flatten(rows["headings"])})
    headings = _grouped(flat.group_by(["document_id", "heading"]).aggregate([]))
    texts = _grouped(openings.select(["document_id", "text"]))
    return [
        Outline(document, frozenset(headings.get(document.id, ())), "\n\n".join(texts.get(document.id, ())))
        for document in documents
    ]


def _grouped(pairs: Any) -> dict[str, list[str]]:
    """Return document id -> values, from a table with these two columns."""
    grouped: dict[str, list[str]] = {}
    for document_id, value in zip(*(column.to_pylist() for column in pairs.columns), strict=True):
        grouped.setdefault(document_id, []).append(value)
    return grouped
