"""Chunk <-> row: the table's columns, its identity, and the digests that reveal damage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa

from ingest.chunk import Chunk
from ingest.embedded import Embedded
from ingest.parse import Box

_SCHEMA_VERSION = "2"
_CHUNK_COLUMNS = [field.name for field in fields(Chunk)]
COLLECTION = pa.field("collection", pa.string())
_OF_PICTURES = ("picture", "described_by")
ADDED_COLUMNS = [COLLECTION, *(pa.field(name, pa.string()) for name in _OF_PICTURES)]
"""Missing in tables of earlier versions, and null in their rows."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a table was made with; one table cannot mix embedders or chunking policies."""

    embedder: str
    dimension: int
    chunking: str
    schema: str = _SCHEMA_VERSION


def table_schema(identity: Identity) -> pa.Schema:
    """Return the schema of a table with this identity."""
    text = ["id", "document_id", "document", "title", "source", "sha256", "text", "passage"]
    digests = ["text_sha256", "vector_sha256"]
    numbers = ["page", "start", "end", "num_pages"]
    edges = [pa.field(edge.name, pa.int32() if edge.name == "page" else pa.float32()) for edge in fields(Box)]
    return pa.schema(
        [
            *(pa.field(name, pa.string()) for name in (*text, *digests)),
            *(pa.field(name, pa.int64()) for name in numbers),
            pa.field("headings", pa.list_(pa.string())),
            pa.field("boxes", pa.list_(pa.struct(edges))),
            pa.field("ingested_at", pa.timestamp("us", tz="UTC")),
            pa.field("vector", pa.list_(pa.float32(), identity.dimension)),
            *ADDED_COLUMNS,  # last, as in tables that they were added to
        ],
        metadata={key: str(value) for key, value in asdict(identity).items()},
    )


def to_rows(documents: Sequence[Embedded], identity: Identity) -> pa.Table:
    """Return one row per chunk, with digests of its text and vector."""
    now = datetime.now(UTC)
    rows = [
        {name: getattr(chunk, name) for name in _CHUNK_COLUMNS}
        | {
            "boxes": [asdict(box) for box in chunk.boxes],
            "picture": chunk.picture or None,
            "described_by": chunk.described_by or None,
            "source": document.source,
            "sha256": document.sha256,
            "collection": document.collection or None,
            "num_pages": len(document.pages) if document.pages[0].number else None,
            "ingested_at": now,
            "text_sha256": digest(chunk.text.encode()),
            "vector_sha256": digest(np.asarray(vector, np.float32).tobytes()),
            "passage": chunk.passage,
            "vector": vector,
        }
        for document, chunks, vectors in documents
        for chunk, vector in zip(chunks, vectors, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=table_schema(identity))


def identity_of(metadata: Mapping[bytes, bytes] | None) -> Identity:
    """Return the identity that is stored in a table's schema metadata."""
    found = {key.decode(): value.decode() for key, value in (metadata or {}).items()}
    return Identity(
        found.get("embedder", "unknown"),
        int(found.get("dimension", 0)),
        found.get("chunking", "unknown"),
        found.get("schema", "unknown"),
    )


def chunk_columns(table: Any) -> list[str]:
    """Return the columns of a LanceDB table that `to_chunk` and `text_is_whole` read."""
    names = table.schema.names
    return [*(name for name in _CHUNK_COLUMNS if name not in _OF_PICTURES or name in names), "text_sha256"]


def to_chunk(row: Mapping[str, Any]) -> Chunk:
    """Return the chunk of a row."""
    values = {name: row.get(name) or "" if name in _OF_PICTURES else row[name] for name in _CHUNK_COLUMNS}
    boxes = tuple(Box(**box) for box in row["boxes"])
    return Chunk(**values | {"headings": tuple(row["headings"]), "boxes": boxes})


def text_is_whole(row: Mapping[str, Any]) -> bool:
    """Return whether a row's text matches its digest; damaged text must not become a citation."""
    return bool(digest(row["text"].encode()) == row["text_sha256"])


def digest(data: bytes) -> str:
    """Return the SHA-256 in hex digits."""
    return sha256(data).hexdigest()
