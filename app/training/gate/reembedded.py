"""a table and another embedder -> ReembeddedTable: what search would find if the documents were embedded anew."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice

import numpy as np

from ingest.chunk import Chunk
from ingest.embed.embedder import Embedder, Vectors
from ingest.table import ChunkTable


class ReembeddedTable:
    """Searches as `ChunkTable` does, by vectors that are in memory only; the table itself stays as it is."""

    def __init__(self, table: ChunkTable, embedder: Embedder) -> None:
        self._table = table
        self._chunks = [chunk for document in table.documents() for chunk in table.chunks_of(document.id)]
        self._vectors = embedder.embed([chunk.passage for chunk in self._chunks])
        self._rows = {chunk.id: row for row, chunk in enumerate(self._chunks)}

    def search_vector(
        self, query_vector: Vectors, num_results: int, within: Collection[str] | None = None
    ) -> list[tuple[Chunk, float]]:
        """The nearest chunks with their cosine similarity, best first; within: of these documents."""
        similarities = self._vectors @ query_vector
        best = np.argsort(-similarities, kind="stable")
        fitting = (row for row in best if within is None or self._chunks[row].document_id in within)
        return [(self._chunks[row], float(similarities[row])) for row in islice(fitting, num_results)]

    def search_text(
        self, query: str, num_results: int, within: Collection[str] | None = None
    ) -> list[tuple[Chunk, float]]:
        """As the table's own, but for what has come in since."""
        found = self._table.search_text(query, num_results, within)
        return [(chunk, score) for chunk, score in found if chunk.id in self._rows]

    def similarities(self, query_vector: Vectors, chunk_ids: Sequence[str]) -> dict[str, float]:
        """Chunk id -> cosine similarity."""
        return {id: float(self._vectors[self._rows[id]] @ query_vector) for id in chunk_ids}

    def text_scores(self, query: str, chunk_ids: Sequence[str]) -> dict[str, float]:
        """Chunk id -> BM25 score, as the table's own."""
        return self._table.text_scores(query, chunk_ids)
