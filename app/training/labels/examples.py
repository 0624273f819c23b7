"""judged questions -> TrainingExample: a question, what answers it, and passages that only look as if they did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.evaluation import Benchmark
from app.evaluation.tables import Track, untracked
from app.search.search import Candidate, search
from ingest.embed.embedder import Embedder, Vectors
from ingest.table import ChunkTable

NEAR_DUPLICATE = 0.92
"""Cosine similarity above which a passage says the same as the positive, and is no negative."""
_SAME_QUESTION = 0.88
"""Cosine similarity of two questions above which the passage of one may well answer the other."""
_MINED_DEPTH = 30
MIN_CANDIDATES = 2
"""Of a query, by which a blend can be fitted."""


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """A query with passages that answer it and passages that do not.

    weight: how much it counts, 1 for a judgement that is sure. origin: the collection that it is of. evidence: who
    or what says so, in words. scores: of the positive and of each negative, by a teacher to stay near to; empty where
    the labels teach.
    """

    query: str
    positives: tuple[str, ...]
    negatives: tuple[str, ...]
    weight: float = 1.0
    origin: str = ""
    evidence: str = ""
    scores: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A query, its candidates as search found them, and the documents that are relevant to it."""

    query: str
    candidates: tuple[Candidate, ...]
    relevant: frozenset[str]

    @property
    def is_answered(self) -> bool:
        """Whether search found an answer, and something else to compare it with."""
        return len(self.candidates) >= MIN_CANDIDATES and any(
            each.chunk.document in self.relevant for each in self.candidates
        )


def judged_queries(
    benchmark: Benchmark,
    table: ChunkTable,
    embedder: Embedder,
    num_candidates: int = 50,
    track: Track = untracked,
) -> list[JudgedQuery]:
    """Search every query of a benchmark that judges documents."""
    return [
        JudgedQuery(
            benchmark.queries[query_id],
            tuple(search(benchmark.queries[query_id], table, embedder, num_candidates=num_candidates)),
            frozenset(benchmark.qrels[query_id]),
        )
        for query_id in track(benchmark.queries, f"search ({benchmark.name})")
    ]


def mine(
    judged: Sequence[JudgedQuery],
    table: ChunkTable,
    embedder: Embedder,
    questions_of: Mapping[str, str],
    *,
    num_negatives: int,
    seed: int,
    origin: str,
) -> list[TrainingExample]:
    """Examples with hard negatives: of the best candidates those that are not relevant, the better the likelier.

    A candidate is passed over when its text is nearly that of the positive, or when the question that it is
    known to answer is nearly the query: it may be relevant, and nobody judged it. questions_of: document ->
    that question. A query whose answer search did not find, or with too few negatives, gives no example.
    """
    passages = table.vectors_of([document.id for document in table.documents()])
    questions = list({*questions_of.values(), *(each.query for each in judged)})
    vectors = passages | dict(zip(questions, embedder.embed(questions), strict=True))

    chance = np.random.default_rng(seed)
    examples = []
    for each in judged:
        positive = next((c.chunk.passage for c in each.candidates if c.chunk.document in each.relevant), None)
        sure = [] if positive is None else _sure_negatives(each, positive, questions_of, vectors)
        if positive is None or len(sure) < num_negatives:
            continue
        likelihood = 1 / (5 + np.arange(len(sure)))
        drawn = chance.choice(len(sure), num_negatives, replace=False, p=likelihood / likelihood.sum())
        examples.append(TrainingExample(each.query, (positive,), tuple(sure[i] for i in drawn), origin=origin))
    return examples


def _sure_negatives(
    judged: JudgedQuery, positive: str, questions_of: Mapping[str, str], vectors: Mapping[str, Vectors]
) -> list[str]:
    """Passages of the best candidates, best first. vectors: of the passages and of the questions."""

    def similarity(text: str, other: str) -> float:
        return float(vectors[text] @ vectors[other])

    others = [each.chunk for each in judged.candidates[:_MINED_DEPTH] if each.chunk.document not in judged.relevant]
    return [
        chunk.passage
        for chunk in others
        if similarity(chunk.passage, positive) < NEAR_DUPLICATE
        and similarity(questions_of[chunk.document], judged.query) < _SAME_QUESTION
    ]
