"""judged questions -> TrainingExample: a question, an answering passage, and similar passages that do not answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.evaluation.benchmark import Benchmark
from app.evaluation.tables import Track, untracked
from app.search.search import Candidate, search
from ingest.embed.embedder import Embedder, Vectors, likeness
from ingest.table import ChunkTable

NEAR_DUPLICATE = 0.92
"""Likeness to the positive above which a passage is not used as a negative."""
_SAME_QUESTION = 0.88
"""Likeness of two questions above which the passage of one may answer the other."""
_MINED_DEPTH = 30
MIN_CANDIDATES = 2
"""Minimum per query to fit a blend."""


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """A query with an answering passage and others.

    weight: 1 for a sure judgement. origin: its collection. evidence: the source of the labels, in words. scores: a
    teacher's, of the positive and each negative, to learn instead of the labels; or empty.
    """

    query: str
    positive: str
    negatives: tuple[str, ...]
    weight: float = 1.0
    origin: str = ""
    evidence: str = ""
    scores: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A query, its candidates from search, and the names of relevant documents."""

    query: str
    candidates: tuple[Candidate, ...]
    relevant: frozenset[str]

    @property
    def is_answered(self) -> bool:
        """Return whether search found an answer and something to compare it with."""
        return len(self.candidates) >= MIN_CANDIDATES and any(
            candidate.chunk.document in self.relevant for candidate in self.candidates
        )


def judged_queries(
    benchmark: Benchmark,
    table: ChunkTable,
    embedder: Embedder,
    track: Track = untracked,
) -> list[JudgedQuery]:
    """Search every query of a benchmark with document judgements."""
    return [
        JudgedQuery(
            benchmark.queries[query_id],
            tuple(search(benchmark.queries[query_id], table, embedder)),
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
    """Draw irrelevant candidates as hard negatives; higher-ranked ones are more likely.

    A candidate is skipped if its text is similar to the positive, or if the question that it is known to answer is
    similar to the query: it may be relevant without having been judged. questions_of: document -> that question.
    Queries without a found answer or with too few negatives give no example.
    """
    passages = table.vectors_of([document.id for document in table.documents()])
    questions = list({*questions_of.values(), *(query.query for query in judged)})
    vectors = passages | dict(zip(questions, embedder.embed(questions), strict=True))

    rng = np.random.default_rng(seed)
    examples = []
    for query in judged:
        positive = next((c.chunk.passage for c in query.candidates if c.chunk.document in query.relevant), None)
        sure = [] if positive is None else _sure_negatives(query, positive, questions_of, vectors, embedder.name)
        if positive is None or len(sure) < num_negatives:
            continue
        likelihood = 1 / (5 + np.arange(len(sure)))
        drawn = rng.choice(len(sure), num_negatives, replace=False, p=likelihood / likelihood.sum())
        examples.append(TrainingExample(query.query, positive, tuple(sure[i] for i in drawn), origin=origin))
    return examples


def _sure_negatives(
    judged: JudgedQuery, positive: str, questions_of: Mapping[str, str], vectors: Mapping[str, Vectors], embedder: str
) -> list[str]:
    """Return passages that are safe negatives, best first. vectors: of passages and questions."""

    def similarity(text: str, other: str) -> float:
        return likeness(float(vectors[text] @ vectors[other]), embedder)

    best = [candidate.chunk for candidate in judged.candidates[:_MINED_DEPTH]]
    return [
        chunk.passage
        for chunk in best
        if chunk.document not in judged.relevant
        and similarity(chunk.passage, positive) < NEAR_DUPLICATE
        and similarity(questions_of[chunk.document], judged.query) < _SAME_QUESTION
    ]
