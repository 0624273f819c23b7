"""documents -> Embedded: their chunks, each with the vector of its passage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from ingest.chunk import Chunk, chunk
from ingest.embed.embedder import Embedder, Vectors
from ingest.parse import Document

_EMBED_CHUNKS = 64
"""Chunks between two progress reports and checks for a request to stop."""
_NO_VECTORS = np.zeros((0, 0), np.float32)


class Embedded(NamedTuple):
    """A document ready to store; vectors: shape (len(chunks), dimension)."""

    document: Document
    chunks: list[Chunk]
    vectors: Vectors


def embed_documents(
    documents: Iterable[Document],
    embedder: Embedder,
    known: Mapping[str, Vectors] | None = None,
    *,
    on_embedded: Callable[[int], None] = lambda _: None,
) -> list[Embedded]:
    """Chunk documents and embed the passages without a known vector; on_embedded gets the size of each batch.

    known: passage -> vector. A document that has only headings comes back without chunks.
    """
    vectors = dict(known or {})
    chunked = [(document, chunk(document, embedder.count_tokens, embedder.max_tokens)) for document in documents]
    passages = list(dict.fromkeys(piece.passage for _, chunks in chunked for piece in chunks))
    new = [passage for passage in passages if passage not in vectors]
    for start in range(0, len(new), _EMBED_CHUNKS):
        part = new[start : start + _EMBED_CHUNKS]
        vectors |= dict(zip(part, embedder.embed(part), strict=True))
        on_embedded(len(part))
    return [
        Embedded(document, chunks, np.stack([vectors[piece.passage] for piece in chunks]) if chunks else _NO_VECTORS)
        for document, chunks in chunked
    ]
