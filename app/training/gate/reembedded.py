"""a table and another embedder -> ReembeddedTable, to search as if the documents were reindexed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice

import numpy as np

from ingest.chunk import Chunk
from ingest.embed.embedder import Embedder, Vectors
from ingest.table import ChunkTable


class ReembeddedTable:
    """Searches like `ChunkTable`, with new vectors in memory; the table does not change."""

    def __init__(self, table: ChunkTable, embedder: Embedder) -> None:
        self._table = table
        self._chunks = [chunk for document in table.documents() for chunk in table.chunks_of(document.id)]
        self._vectors = embedder.embed([chunk.passage for chunk in self._chunks])
        self._rows = {chunk.id: row for row, chunk in enumerate(self._chunks)}

    def search_vector(
        self, query_vector: Vectors, num_results: int, within: Collection[str] | None = None
    ) -> list[tuple[Chunk, float]]:
        """Return the nearest chunks with their cosine similarity, best first. within: document ids."""
        similarities = self._vectors @ query_vector
        best = np.argsort(-similarities, kind="stable")
        fitting = (row for row in best if within is None or self._chunks[row].document_id in within)
        return [(self._chunks[row], float(similarities[row])) for row in islice(fitting, num_results)]

    def search_text(
        self, query: str, num_results: int, within: Collection[str] | None = None
    ) -> list[tuple[Chunk, float]]:
        """Search the table's text, without chunks added since."""
        found = self._table.search_text(query, num_results, within)
        return [(chunk, score) for chunk, score in found if chunk.id in self._rows]

    def similarities(self, query_vector: Vectors, chunk_ids: Sequence[str]) -> dict[str, float]:
        """Return chunk id -> cosine similarity."""
        return {id: float(self._vectors[self._rows[id]] @ query_vector) for id in chunk_ids}

    def text_scores(self, query: str, chunk_ids: Sequence[str]) -> dict[str, float]:
        """Return chunk id -> BM25 score, from the table."""
        return self._table.text_scores(query, chunk_ids)
