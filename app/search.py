"""query -> list[Candidate]: two ranked lists of chunks, fused into one, every rank and score kept.

The fused order is what people see with the reranker off, and the "before" of every comparison.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ingest.chunk import Chunk
from ingest.embed import Embedder
from ingest.table import ChunkTable

RRF_K = 60
"""The constant of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)."""

MAX_QUERY_CHARACTERS = 2000
"""Longer questions are cut: the embedder reads no more, and a megabyte of one word holds up full-text search."""

Retriever = Literal["vector", "text", "hybrid"]
RETRIEVERS: tuple[Retriever, ...] = get_args(Retriever)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk of the first stage with its rank (from 1) and score in each list; None where it is not in it.

    vector_score: cosine similarity. text_score: BM25. fused_score: sum of 1 / (60 + rank) over the lists.
    """

    chunk: Chunk
    fused_rank: int
    fused_score: float
    vector_rank: int | None = None
    vector_score: float | None = None
    text_rank: int | None = None
    text_score: float | None = None


def search(
    query: str,
    table: ChunkTable,
    embedder: Embedder,
    *,
    retriever: Retriever = "hybrid",
    num_candidates: int = 50,
) -> list[Candidate]:
    """The best num_candidates chunks for the query, in fused order.

    Each list is read to the same depth. Ties keep the order of the vector list.
    """
    query = query.strip()[:MAX_QUERY_CHARACTERS]
    if not query:
        return []
    by_vector = table.search_vector(embedder.embed_query(query), num_candidates) if retriever != "text" else []
    by_text = table.search_text(query, num_candidates) if retriever != "vector" else []
    chunks = {chunk.id: chunk for chunk, _ in (*by_vector, *by_text)}
    vector = {chunk.id: (rank, score) for rank, (chunk, score) in enumerate(by_vector, 1)}
    text = {chunk.id: (rank, score) for rank, (chunk, score) in enumerate(by_text, 1)}
    fused = {id: sum(1 / (RRF_K + found[id][0]) for found in (vector, text) if id in found) for id in chunks}
    order = sorted(chunks, key=lambda id: -fused[id])[:num_candidates]
    return [
        Candidate(chunks[id], rank, fused[id], *vector.get(id, (None, None)), *text.get(id, (None, None)))
        for rank, id in enumerate(order, 1)
    ]
