"""query -> list[Candidate]: two ranked lists of chunks, fused into one, every rank and score kept.

The fused order is what people see with the reranker off, and the "before" of every comparison. It is a
weighted sum of both scores, each divided by the best of its kind (Bruch, Gai and Ingber, ACM TOIS 2023):
a list that is much surer of its best than of its second says so, which reciprocal ranks cannot.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, get_args

from ingest.chunk import Chunk
from ingest.embed import Embedder, Vectors

VECTOR_WEIGHT = 0.7
"""Share of the similarity in the fused score; learned on training questions (README, Search)."""

MAX_QUERY_CHARACTERS = 2000
"""Longer questions are cut: the embedder reads no more, and a megabyte of one word holds up full-text search."""

Retriever = Literal["vector", "text", "hybrid"]
RETRIEVERS: tuple[Retriever, ...] = get_args(Retriever)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk of the first stage with its rank (from 1) and score in each list; None where it is not in it.

    vector_score: cosine similarity, of a hybrid search also where it is in the text list only. text_score: BM25.
    fused_score: 0 to 1.
    """

    chunk: Chunk
    fused_rank: int
    fused_score: float
    vector_rank: int | None = None
    vector_score: float | None = None
    text_rank: int | None = None
    text_score: float | None = None


class Searchable(Protocol):
    """What can be searched by vector and by words: a ChunkTable, or what stands for one."""

    def search_vector(
        self, query_vector: Vectors, num_results: int, within: Collection[str] | None = None
    ) -> list[tuple[Chunk, float]]: ...
    def search_text(
        self, query: str, num_results: int, within: Collection[str] | None = None
    ) -> list[tuple[Chunk, float]]: ...
    def similarities(self, query_vector: Vectors, chunk_ids: Sequence[str]) -> dict[str, float]: ...


def search(
    query: str,
    table: Searchable,
    embedder: Embedder,
    *,
    retriever: Retriever = "hybrid",
    num_candidates: int = 50,
    within: Collection[str] | None = None,
) -> list[Candidate]:
    """The best num_candidates chunks for the query, in fused order.

    Each list is read to the same depth. Ties keep the order of the vector list. within: ids of the documents to look
    at, whose best chunks are found however many others rank above them; None: all of them.
    """
    query = query.strip()[:MAX_QUERY_CHARACTERS]
    if not query or (within is not None and not within):
        return []
    only = {} if within is None else {"within": within}  # what stands for a table need not know of filters
    query_vector = embedder.embed_query(query) if retriever != "text" else None
    by_vector = [] if query_vector is None else table.search_vector(query_vector, num_candidates, **only)
    by_text = table.search_text(query, num_candidates, **only) if retriever != "vector" else []
    chunks = {chunk.id: chunk for chunk, _ in (*by_vector, *by_text)}
    vector: dict[str, tuple[int | None, float]] = {
        chunk.id: (rank, score) for rank, (chunk, score) in enumerate(by_vector, 1)
    }
    text = {chunk.id: (rank, score) for rank, (chunk, score) in enumerate(by_text, 1)}
    if query_vector is not None:
        found = table.similarities(query_vector, [id for id in chunks if id not in vector])
        vector |= {id: (None, similarity) for id, similarity in found.items()}
    candidates = [
        Candidate(chunk, 0, 0.0, *vector.get(id, (None, None)), *text.get(id, (None, None)))
        for id, chunk in chunks.items()
    ]
    best = sorted(zip(_fused(candidates), candidates, strict=True), key=lambda pair: -pair[0])[:num_candidates]
    return [replace(candidate, fused_rank=rank, fused_score=score) for rank, (score, candidate) in enumerate(best, 1)]


def _fused(candidates: Sequence[Candidate]) -> list[float]:
    """The score of each in fused order. A similarity lies between -1 and 1, BM25 above 0, which is that of no match."""
    similarities = [1.0 + (each.vector_score if each.vector_score is not None else -1.0) for each in candidates]
    matches = [each.text_score or 0.0 for each in candidates]
    best_similarity, best_match = max(similarities, default=0.0) or 1.0, max(matches, default=0.0) or 1.0
    return [
        VECTOR_WEIGHT * similarity / best_similarity + (1 - VECTOR_WEIGHT) * match / best_match
        for similarity, match in zip(similarities, matches, strict=True)
    ]
