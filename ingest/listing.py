"""rows of a table -> its documents, and their headings and openings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from lancedb.expr import col, lit

from ingest.collections import Groups, default_collection
from ingest.rows import COLLECTION

_DOCUMENT_COLUMNS = ["document_id", "document", "title", "source", "sha256", "num_pages", "ingested_at"]
_OPENING_CHARACTERS = 1_000


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


def read_listing(table: Any, state: tuple[str, int] | None = None) -> Listing:
    columns = [*_DOCUMENT_COLUMNS, *({COLLECTION.name} & set(table.schema.names))]
    rows = table.search().select(columns).to_arrow()
    first = [(column, "min") for column in columns[1:]]
    found = rows.group_by("document_id").aggregate([*first, ("document_id", "count")]).to_pylist()
    documents = [
        StoredDocument(
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
        for row in found
    ]
    stored = ((row["document_id"], name) for row in found if (name := row.get("collection_min")))
    return Listing(sorted(documents, key=lambda document: document.name), Groups(stored), state)


def read_outlines(table: Any, documents: Sequence[StoredDocument]) -> list[Outline]:
    """Return these documents of a table with headings and opening."""
    rows = table.search().select(["document_id", "headings"]).to_arrow()
    own_words = col("end") > col("start")  # not a model's description of a picture
    first = table.search().where((col("start") < lit(_OPENING_CHARACTERS)) & own_words)
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
