"""query -> list[Candidate]: the best chunks of two ranked lists in one order, with all ranks and scores.

The fused order is shown when the reranker is off, and is the "before" of every comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from typing import Literal, get_args

from app.search.fusion import fused_scores
from app.search.query import as_query
from ingest.chunk import Chunk
from ingest.embed.embedder import Embedder, Vectors
from ingest.table import ChunkTable

Retriever = Literal["vector", "text", "rrf", "hybrid"]
RETRIEVERS: tuple[Retriever, ...] = get_args(Retriever)
"""Only similarity, only full text, fused by reciprocal ranks, and fused by scores, as the app does."""

RRF_K = 60
"""As published (Cormack, Clarke and Buettcher, SIGIR 2009)."""


_DEPTH_FACTORS = (1, 4, 20)
"""Lists that are full of copies are read deeper."""

_Ranked = Sequence[tuple[Chunk, float]]
"""Chunks with their score, best first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk of the first stage with its rank (from 1) and score in each list; None if not in it.

    vector_score: likeness of the vectors. text_score: BM25, 0 if no word of the query matches. If both lists were
    searched, every candidate has both scores. fused_score: higher is better. also_in: other documents with the same
    text. superseded_by: title of the newest document that replaces the chunk's, '' if none does.
    """

    chunk: Chunk
    fused_rank: int
    fused_score: float
    vector_rank: int | None = None
    vector_score: float | None = None
    text_rank: int | None = None
    text_score: float | None = None
    also_in: tuple[str, ...] = ()
    superseded_by: str = ""


def search(
    query: str,
    table: ChunkTable,
    embedder: Embedder,
    *,
    retriever: Retriever = "hybrid",
    num_candidates: int = 50,
    within: Collection[str] | None = None,
    superseded: Collection[str] = (),
) -> list[Candidate]:
    """Return the best num_candidates chunks for the query, in fused order.

    Candidates are taken alternately from both lists, so that neither can push out the best of the other. Of chunks with
    the same headings and text only the first is a candidate, if possible of a document that is not superseded. Ties
    keep the order of the vector list. within: ids of the documents to search, before ranking; None: all documents.
    superseded: ids of documents that others replace.
    """
    query = as_query(query)
    if not query or (within is not None and not within):
        return []
    query_vector = embedder.embed_query(query) if retriever != "text" else None
    lists = _Lists.read(query_vector, query if retriever != "vector" else "", table, num_candidates, within, superseded)
    chunks = lists.best_of_both(num_candidates)
    similarities = {chunk.id: score for chunk, score in lists.by_vector}
    matches = {chunk.id: score for chunk, score in lists.by_text}
    if query_vector is not None and retriever != "vector":
        similarities |= table.similarities(query_vector, [id for id in chunks if id not in similarities])
        unmatched = [id for id in chunks if id not in matches]
        matches |= dict.fromkeys(unmatched, 0.0) | table.text_scores(query, unmatched)
    candidates = lists.candidates(chunks.values(), similarities, matches)
    scores = _SCORES[retriever](query, candidates)
    best = sorted(zip(scores, candidates, strict=True), key=lambda pair: -pair[0])
    return [replace(candidate, fused_rank=rank, fused_score=score) for rank, (score, candidate) in enumerate(best, 1)]


@dataclass(frozen=True, slots=True)
class _Lists:
    """The two ranked lists with each text once. documents: chunk id -> names of the documents that hold its text."""

    by_vector: _Ranked
    by_text: _Ranked
    documents: Mapping[str, Set[str]]

    @classmethod
    def read(
        cls,
        query_vector: Vectors | None,
        words: str,
        table: ChunkTable,
        num_candidates: int,
        within: Collection[str] | None,
        superseded: Collection[str],
    ) -> _Lists:
        """Read the lists as deep as it takes for num_candidates texts. words: '' reads no full text."""
        for depth in (num_candidates * factor for factor in _DEPTH_FACTORS):
            by_vector: _Ranked = [] if query_vector is None else table.search_vector(query_vector, depth, within)
            by_text: _Ranked = table.search_text(words, depth, within) if words else []
            found = [chunk for chunk, _ in (*by_vector, *by_text)]
            first = _first_copies(sorted(found, key=lambda chunk: chunk.document_id in superseded))
            documents: dict[str, set[str]] = {}
            for chunk in found:
                documents.setdefault(first[chunk.id].id, set()).add(chunk.document)
            lists = cls(_without_copies(by_vector, first), _without_copies(by_text, first), documents)
            if len(documents) >= num_candidates or all(first[chunk.id].id == chunk.id for chunk in found):
                break
        return lists

    def best_of_both(self, num_chunks: int) -> dict[str, Chunk]:
        """Return chunk id -> chunk, chosen alternately from both lists; those of the vector list come first."""
        alternating = [found[0].id for pair in zip_longest(self.by_vector, self.by_text) for found in pair if found]
        kept = set(islice(dict.fromkeys(alternating), num_chunks))
        listed = (chunk for chunk, _ in (*self.by_vector, *self.by_text) if chunk.id in kept)
        return {chunk.id: chunk for chunk in listed}

    def candidates(
        self, chunks: Iterable[Chunk], similarities: Mapping[str, float], matches: Mapping[str, float]
    ) -> list[Candidate]:
        """Return the chunks as candidates that are not fused yet. similarities, matches: scores by chunk id."""
        vector_ranks, text_ranks = _ranks(self.by_vector), _ranks(self.by_text)
        return [
            Candidate(
                chunk,
                fused_rank=0,
                fused_score=0.0,
                vector_rank=vector_ranks.get(chunk.id),
                vector_score=similarities.get(chunk.id),
                text_rank=text_ranks.get(chunk.id),
                text_score=matches.get(chunk.id),
                also_in=tuple(sorted(self.documents[chunk.id] - {chunk.document})),
            )
            for chunk in chunks
        ]


def _first_copies(chunks: Iterable[Chunk]) -> dict[str, Chunk]:
    """Return chunk id -> the first chunk with the same headings and text."""
    first: dict[tuple[tuple[str, ...], str], Chunk] = {}
    return {chunk.id: first.setdefault((chunk.headings, chunk.text), chunk) for chunk in chunks}


def _without_copies(ranked: _Ranked, first: Mapping[str, Chunk]) -> _Ranked:
    """Return the list with each text once, at the rank of its best copy."""
    kept: dict[str, tuple[Chunk, float]] = {}
    for chunk, score in ranked:
        kept.setdefault(first[chunk.id].id, (first[chunk.id], score))
    return list(kept.values())


def _ranks(ranked: _Ranked) -> dict[str, int]:
    return {chunk.id: rank for rank, (chunk, _) in enumerate(ranked, 1)}


def _fused(query: str, candidates: Sequence[Candidate]) -> list[float]:
    return fused_scores(
        query,
        [candidate.chunk.passage for candidate in candidates],
        [candidate.vector_score or 0.0 for candidate in candidates],
        [candidate.text_score or 0.0 for candidate in candidates],
    )


def _reciprocal_ranks(_query: str, candidates: Sequence[Candidate]) -> list[float]:
    ranks = [(candidate.vector_rank, candidate.text_rank) for candidate in candidates]
    return [sum(1 / (RRF_K + rank) for rank in pair if rank is not None) for pair in ranks]


_SCORES: dict[Retriever, Callable[[str, Sequence[Candidate]], list[float]]] = {
    "vector": lambda _query, candidates: [candidate.vector_score or 0.0 for candidate in candidates],
    "text": lambda _query, candidates: [candidate.text_score or 0.0 for candidate in candidates],
    "rrf": _reciprocal_ranks,
    "hybrid": _fused,
}
