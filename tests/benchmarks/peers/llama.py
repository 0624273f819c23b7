"""LlamaIndex on LanceDB: its index, its hybrid retriever, its sentence-transformers reranker."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.postprocessor import SentenceTransformerRerank
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.vector_stores.types import VectorStoreQueryMode
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.vector_stores.lancedb import LanceDBVectorStore

from tests.benchmarks.peers.serve import Passages, Question, serve

_ADDED_AT_ONCE = 2000


class Llama:
    """The full-text index is made at the first question after a change, so a question ends each of our changes."""

    def __init__(self, store: Path, embedder: Path, cross_encoder: Path) -> None:
        self._store = store
        self._embedder = HuggingFaceEmbedding(str(embedder), device="cpu")
        self._reranker = SentenceTransformerRerank(top_n=100, model=str(cross_encoder), trust_remote_code=False)
        if store.exists():
            self._index = VectorStoreIndex.from_vector_store(self._open(), self._embedder)

    def _open(self) -> Any:
        return LanceDBVectorStore(str(self._store), query_type="hybrid")

    def ingest(self, source: str) -> None:
        """source: a JSON file of passages."""
        shutil.rmtree(self._store, ignore_errors=True)
        nodes = [TextNode(text=passage) for passage in json.loads(Path(source).read_text())]
        context = StorageContext.from_defaults(vector_store=self._open())
        self._index = VectorStoreIndex(nodes, storage_context=context, embed_model=self._embedder)
        self.search("Is this warm?", 1)

    def store(self, source: str) -> None:
        """source: a Parquet file with texts and vectors."""
        for batch in pyarrow.parquet.ParquetFile(source).iter_batches(_ADDED_AT_ONCE):
            self._index.vector_store.add(
                [TextNode(text=row["text"], embedding=row["vector"]) for row in batch.to_pylist()]
            )
        self.search("Is this warm?", 1)

    def search(self, question: Question, num_results: int) -> Passages:
        return [node.text for node in self._retrieve(question, num_results)]

    def _retrieve(self, question: Question, num_results: int) -> Any:
        mode = VectorStoreQueryMode.HYBRID
        return self._index.as_retriever(similarity_top_k=num_results, vector_store_query_mode=mode).retrieve(question)

    def rerank(self, question: Question, passages: Passages) -> list[float]:
        nodes = [NodeWithScore(node=TextNode(text=passage, id_=str(place))) for place, passage in enumerate(passages)]
        ranked = self._reranker.postprocess_nodes(nodes, QueryBundle(question))
        scores = {node.node_id: float(node.score) for node in ranked}
        return [scores[str(place)] for place in range(len(passages))]

    def ask(self, question: Question) -> Passages:
        found = self._retrieve(question, 50)
        return [node.text for node in self._reranker.postprocess_nodes(found, QueryBundle(question))[:5]]


if __name__ == "__main__":
    serve(Llama)
