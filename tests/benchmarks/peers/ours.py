"""This program, as the server uses it: ingest of the files themselves, hybrid search, the shipped reranker."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import torch

from app.pipeline import Pipeline
from app.registry import SHIPPED
from app.reranking.cross_encoder import CrossEncoderReranker
from app.reranking.late_interaction import LateInteractionReranker
from app.reranking.prepare import Preparer
from app.settings import Settings
from ingest.embedded import Embedded
from ingest.pipeline import ingest
from tests.benchmarks.peers.serve import Passages, Question, serve
from tests.benchmarks.timing import timed

if TYPE_CHECKING:
    from tests.benchmarks.index_size import Corpus

_CHUNKS_PER_DOCUMENT, _DOCUMENTS_PER_WRITE = 20, 10
_PEAK_WIDTH, _PEAK_TRIES = 2048, 10


class Ours:
    """Known passages have their token vectors on disk, new ones have none; nothing is cached in memory."""

    def __init__(self, store: Path, embedder: Path, cross_encoder: Path) -> None:
        self._cross_encoder_path = cross_encoder
        self._pipeline = Pipeline(Settings(home=store))
        self._drawn: list[Embedded] = []
        self._num_drawn = 0

    @cached_property
    def _cross_encoder(self) -> CrossEncoderReranker:
        return CrossEncoderReranker(str(self._cross_encoder_path))

    @property
    def _reranker(self) -> LateInteractionReranker:
        found = self._pipeline.models.reranker(SHIPPED)
        assert isinstance(found, LateInteractionReranker)
        return found

    def embed(self, passages: Passages) -> None:
        self._pipeline.models.embedder.embed(passages)

    def ingest(self, source: str) -> None:
        """source: a folder of documents."""
        shutil.rmtree(self._pipeline.settings.home, ignore_errors=True)
        self._pipeline = Pipeline(self._pipeline.settings, self._pipeline.models.embedder)
        for _ in ingest([Path(source)], *self._pipeline.models.table_and_embedder()):
            pass

    def passages(self) -> Passages:
        """Return the passages of the table, which the other sides are given."""
        return [passage for batch in self._pipeline.table.passages() for passage in batch]

    def prepare(self) -> None:
        """Keep the token vectors of all passages, as the server does while nobody asks."""
        preparer = Preparer(lambda: self._reranker, lambda: self._pipeline.table, lambda: None)
        preparer.look()  # only notes the state of the table
        preparer.look()

    def prepare_for(self, questions: list[Question]) -> None:
        """Keep the token vectors of the candidates of these questions."""
        found = (candidate.chunk.passage for question in questions for candidate in self._pipeline.search(question))
        self._reranker.prepare(list(dict.fromkeys(found)))

    @cached_property
    def _corpus(self) -> Corpus:
        from tests.benchmarks.index_size import Corpus  # here, since the program does not import what it needs

        passages = self.passages()
        return Corpus(passages, self._pipeline.models.embedder.embed(passages), seed=0)

    def draw(self, num_chunks: int, target: str) -> int:
        """Draw documents until there are about num_chunks chunks; returns the number of chunks drawn.

        They are written to a Parquet file for the other sides.
        """
        missing = num_chunks - self._pipeline.table.num_chunks()
        numbers = range(self._num_drawn, self._num_drawn + missing // _CHUNKS_PER_DOCUMENT)
        self._drawn = [self._corpus.document(number) for number in numbers]
        self._num_drawn += len(self._drawn)
        texts = [chunk.passage for document in self._drawn for chunk in document.chunks]
        vectors = np.concatenate([document.vectors for document in self._drawn])
        columns = {"text": texts, "vector": pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1])}
        pyarrow.parquet.write_table(pa.table(columns), target)
        return len(texts)

    def store(self, _source: str) -> None:
        """Store the documents drawn last."""
        table = self._pipeline.table
        with table.writing():
            for start in range(0, len(self._drawn), _DOCUMENTS_PER_WRITE):
                table.append(self._drawn[start : start + _DOCUMENTS_PER_WRITE])
            table.optimize()

    def search(self, question: Question, num_results: int) -> Passages:
        return [candidate.chunk.passage for candidate in self._pipeline.search(question)[:num_results]]

    def rerank(self, question: Question, passages: Passages) -> list[float]:
        self._reranker.forget()
        return self._reranker.score(question, passages)

    def rerank_new(self, question: Question, passages: Passages) -> list[float]:
        with self._all_new():
            return self._reranker.score(question, passages)

    def cross_encode(self, question: Question, passages: Passages) -> list[float]:
        return self._cross_encoder.score(question, passages)

    def ask(self, question: Question) -> Passages:
        self._reranker.forget()
        ranked = self._pipeline.rank(question, SHIPPED)
        return [citation.chunk.passage for citation in ranked.citations]

    def ask_new(self, question: Question) -> Passages:
        with self._all_new():
            return self.ask(question)

    @contextmanager
    def _all_new(self) -> Iterator[None]:
        kept, self._reranker.kept = self._reranker.kept, None
        self._reranker.forget()
        try:
            yield
        finally:
            self._reranker.kept = kept
            self._reranker.forget()

    def peak(self) -> float:
        """Return the most floating-point operations a second of a large product of float32 matrices."""
        matrix = torch.rand(_PEAK_WIDTH, _PEAK_WIDTH)
        return max(2 * _PEAK_WIDTH**3 / timed(lambda: matrix @ matrix).wall for _ in range(_PEAK_TRIES))


if __name__ == "__main__":
    serve(Ours)
