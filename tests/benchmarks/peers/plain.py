"""Plain sentence-transformers and LanceDB, by their stock calls: encode, hybrid search, `CrossEncoder.predict`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
import pyarrow.parquet
from sentence_transformers import CrossEncoder, SentenceTransformer

from tests.benchmarks.peers.serve import Passages, Question, serve


class Plain:
    """Float32 in batches of 32; reciprocal rank fusion; exact search, since LanceDB makes no vector index unasked."""

    def __init__(self, store: Path, embedder: Path, cross_encoder: Path) -> None:
        self._encoder = SentenceTransformer(str(embedder), device="cpu", local_files_only=True)
        self._scorer = CrossEncoder(str(cross_encoder), device="cpu", local_files_only=True)
        self._store = store
        self._table: Any = lancedb.connect(store).open_table("chunks") if store.exists() else None

    def embed(self, passages: Passages) -> None:
        self._encode(passages)

    def ingest(self, source: str) -> None:
        """source: a JSON file of passages."""
        passages = json.loads(Path(source).read_text())
        vectors = pa.FixedSizeListArray.from_arrays(
            self._encode(passages).ravel(), self._encoder.get_embedding_dimension()
        )
        rows = pa.table({"text": passages, "vector": vectors})
        shutil.rmtree(self._store, ignore_errors=True)
        self._table = lancedb.connect(self._store).create_table("chunks", rows)
        self._table.create_fts_index("text")

    def store(self, source: str) -> None:
        """source: a Parquet file with texts and vectors."""
        self._table.add(pyarrow.parquet.read_table(source))
        self._table.optimize()

    def search(self, question: Question, num_results: int) -> Passages:
        found = self._table.search(query_type="hybrid").vector(self._encode([question])[0]).text(question)
        return [row["text"] for row in found.limit(num_results).to_list()]

    def rerank(self, question: Question, passages: Passages) -> list[float]:
        pairs = [(question, passage) for passage in passages]
        return [float(score) for score in self._scorer.predict(pairs, show_progress_bar=False)]

    def ask(self, question: Question) -> Passages:
        passages = self.search(question, 50)
        return [passages[place] for place in np.argsort(self.rerank(question, passages))[:-6:-1]]

    def _encode(self, texts: Passages) -> Any:
        return self._encoder.encode(texts, show_progress_bar=False)


if __name__ == "__main__":
    serve(Plain)
