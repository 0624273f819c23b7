"""LanceDB alone: its own embedding function, hybrid search, and its own cross-encoder reranker."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import lancedb
import pyarrow as pa
import pyarrow.parquet
from lancedb.embeddings import get_registry
from lancedb.pydantic import LanceModel, Vector
from lancedb.rerankers import CrossEncoderReranker

from tests.benchmarks.peers.serve import Passages, Question, serve

_EACH = 25
"""The reranker scores all of both lists, so these are at most 50 candidates."""


class Lance:
    """As the documentation has it, without code of models."""

    def __init__(self, store: Path, embedder: Path, cross_encoder: Path) -> None:
        registered = get_registry().get("sentence-transformers")
        self._embedder = registered.create(name=str(embedder), trust_remote_code=False)
        self._reranker = CrossEncoderReranker(str(cross_encoder), trust_remote_code=False)
        self._store = store
        self._table: Any = lancedb.connect(store).open_table("chunks") if store.exists() else None

    def ingest(self, source: str) -> None:
        """source: a JSON file of passages."""

        class Row(LanceModel):  # type: ignore[misc]
            text: str = self._embedder.SourceField()
            vector: Vector(self._embedder.ndims()) = self._embedder.VectorField()  # type: ignore[valid-type]

        shutil.rmtree(self._store, ignore_errors=True)
        self._table = lancedb.connect(self._store).create_table("chunks", schema=Row)
        self._table.add([{"text": passage} for passage in json.loads(Path(source).read_text())])
        self._table.create_fts_index("text")

    def store(self, source: str) -> None:
        """source: a Parquet file with texts and vectors."""
        self._table.add(pyarrow.parquet.read_table(source))
        self._table.optimize()

    def search(self, question: Question, num_results: int) -> Passages:
        found = self._table.search(question, query_type="hybrid").limit(num_results)
        return [row["text"] for row in found.to_list()]

    def rerank(self, question: Question, passages: Passages) -> list[float]:
        table = pa.table({"text": passages, "place": range(len(passages)), "_distance": [0.0] * len(passages)})
        ranked = self._reranker.rerank_vector(question, table)
        scores = dict(zip(ranked["place"].to_pylist(), ranked["_relevance_score"].to_pylist(), strict=True))
        return [scores[place] for place in range(len(passages))]

    def ask(self, question: Question) -> Passages:
        found = self._table.search(question, query_type="hybrid").rerank(self._reranker).limit(_EACH)
        return [row["text"] for row in found.to_list()[:5]]


if __name__ == "__main__":
    serve(Lance)
