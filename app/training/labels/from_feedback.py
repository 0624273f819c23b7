"""LabeledPassages -> FeedbackExamples: training and validation examples, and the gate's questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, cycle, islice
from pathlib import Path

import numpy as np

from app.answer import split_sentences
from app.feedback.rules import LabeledPassage, decided
from app.search.search import Candidate, search
from app.training.labels.examples import NEAR_DUPLICATE, TrainingExample
from app.training.labels.split import COMPARED, SHARES, TAUGHT, Part, parts_of
from app.translation import gettext as _
from app.translation import ngettext
from ingest.chunk import Chunk
from ingest.embed.embedder import Embedder, Vectors, likeness
from ingest.table import ChunkTable

MIN_TRAINING_QUESTIONS, MIN_GATE_QUESTIONS = 30, 20
"""With fewer, training is random, or its gain cannot be measured."""

_FIRST_MINED = 10
"""Candidates ranked before this may have been shown and not struck out: they are not sure negatives."""
_MAX_RELATIVE_SIMILARITY = 0.95
"""Fraction of the positive's similarity; a closer candidate may answer the question (Moreira et al., 2024)."""
_MAX_POSITIVES = 2
_MIN_TRUST = 0.25
"""Minimum for a struck-out passage to be a negative; capped or contradicted users have less trust."""
_RANDOM_TRIES = 20
_NEGATIVES = ("struck out", "mined", "random")
_MIN_SENTENCE_WORDS = 6
_FIRST_REPLAYED = 3
"""The nearest passages may contain the same sentence."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """The amount of feedback.

    num_comparable: questions answered by a passage of the documents, so that they can compare models.
    """

    num_positives: int
    num_negatives: int
    num_contradictions: int
    num_questions: int
    num_without_positive: int
    num_comparable: int
    num_users: int

    @property
    def missing(self) -> tuple[str, ...]:
        """Return what is needed before training, a sentence each."""
        usable, needed, missing = self.num_questions - self.num_without_positive, questions_needed(), []
        if usable < needed:
            missing.append(
                ngettext(
                    "{n} more question with an answering passage (now {usable})",
                    "{n} more questions with an answering passage (now {usable})",
                    needed - usable,
                    usable=usable,
                )
            )
        if missing and self.num_without_positive:
            missing.append(
                ngettext(
                    "an answering passage for {n} question with only struck-out sources",
                    "an answering passage for each of {n} questions with only struck-out sources",
                    self.num_without_positive,
                )
            )
        if self.num_comparable < needed <= usable:
            missing.append(
                ngettext(
                    "{n} more question that a passage of the documents answers, to compare models (now {comparable}; "
                    "for imported answers that are in no document, choose the passage on the Feedback page)",
                    "{n} more questions that a passage of the documents answers, to compare models (now {comparable}; "
                    "for imported answers that are in no document, choose the passage on the Feedback page)",
                    needed - self.num_comparable,
                    comparable=self.num_comparable,
                )
            )
        if not self.num_negatives:
            missing.append(_("at least one struck-out source"))
        return tuple(missing)


@dataclass(frozen=True, slots=True)
class FeedbackExamples:
    """train, validation: examples. taught: all questions of these parts, even without examples. gate: the labeled
    passages of each question that only compares models.
    """

    train: tuple[TrainingExample, ...]
    validation: tuple[TrainingExample, ...]
    taught: tuple[str, ...]
    gate: Mapping[str, tuple[LabeledPassage, ...]]


def readiness(labeled: Iterable[LabeledPassage]) -> Readiness:
    """Return the counts of usable feedback. Loads no model."""
    labeled = list(labeled)
    questions = decided(labeled)
    usable = [question for question, passages in questions.items() if any(label.relevant for label in passages)]
    comparable = sum(any(label.relevant and label.chunk_id for label in questions[question]) for question in usable)
    return Readiness(
        num_positives=sum(label.relevant is True for label in labeled),
        num_negatives=sum(label.relevant is False for label in labeled),
        num_contradictions=sum(label.needs_decision for label in labeled),
        num_questions=len(questions),
        num_without_positive=len(questions) - len(usable),
        num_comparable=comparable,
        num_users=len(set(chain.from_iterable((*one.struck_by, *one.kept_by) for one in labeled))),
    )


def questions_needed() -> int:
    """Return the number of answered questions needed for training, so that each part is large enough."""
    return round(max(MIN_TRAINING_QUESTIONS / SHARES["train"], MIN_GATE_QUESTIONS / SHARES["gate"]))


def feedback_examples(
    labeled: Iterable[LabeledPassage], table: ChunkTable, embedder: Embedder, home: Path, num_negatives: int, seed: int
) -> FeedbackExamples:
    """Split the questions and mine missing negatives. Questions without a positive give no example."""
    questions = decided(labeled)
    parts = parts_of(list(questions), home, embedder)
    miner = _Miner(table, embedder, num_negatives, seed)

    def examples(part: Part) -> tuple[TrainingExample, ...]:
        chosen = [(question, passages) for question, passages in questions.items() if parts[question] == part]
        return tuple(chain.from_iterable(miner.examples(question, passages) for question, passages in chosen))

    gate = {question: tuple(passages) for question, passages in questions.items() if parts[question] in COMPARED}
    taught = tuple(question for question in questions if parts[question] in TAUGHT)
    return FeedbackExamples(examples("train"), examples("validation"), taught, gate)


class _Miner:
    """Makes examples from judged passages, with hard negatives from search and a random one."""

    def __init__(self, table: ChunkTable, embedder: Embedder, num_negatives: int, seed: int) -> None:
        self._table, self._embedder, self._num_negatives = table, embedder, num_negatives
        self._rng = np.random.default_rng(seed)
        self._document_ids = [document.id for document in table.documents()]

    def examples(self, question: str, passages: Sequence[LabeledPassage]) -> list[TrainingExample]:
        """Return one example per answering passage."""
        struck = _surest_first(label for label in passages if not label.relevant and label.trust >= _MIN_TRUST)
        known = {label.text for label in passages}
        positives = answering(passages)
        found = search(question, self._table, self._embedder) if positives else []
        candidates = [candidate for candidate in found if candidate.chunk.text not in known]
        examples = [self._example(question, positive, struck, candidates, known) for positive in positives]
        return [example for example in examples if example.negatives]

    def _example(
        self,
        question: str,
        positive: LabeledPassage,
        struck: Sequence[LabeledPassage],
        candidates: Sequence[Candidate],
        known: Collection[str],
    ) -> TrainingExample:
        """Return an example, without negatives if so few documents have none. known: judged texts.

        Its weight is that of the surest action, times the positive's trust.
        """
        target = self._embedder.embed([positive.passage])[0]
        mined = self._mined(question, target, candidates)
        random = self._random(target, known)
        num_mined = max(0, self._num_negatives - len(struck) - len(random))
        negatives = [
            *((label.passage, "struck out") for label in struck),
            *((passage, "mined") for passage in mined[:num_mined]),
            *((passage, "random") for passage in random),
            *((passage, "mined") for passage in mined[num_mined:]),
        ][: self._num_negatives]
        counts = Counter(kind for _, kind in negatives)
        return TrainingExample(
            question,
            positive.passage,
            tuple(islice(cycle([passage for passage, _ in negatives]), self._num_negatives)),
            weight=max(label.weight for label in (positive, *struck)) * positive.trust,
            origin="feedback",
            evidence=f"{positive.origin}; {', '.join(f'{counts[kind]} {kind}' for kind in _NEGATIVES)}",
        )

    def _mined(self, question: str, target: Vectors, candidates: Sequence[Candidate]) -> list[str]:
        """Return passages found for the question that are less similar to it than the answering one."""
        query = self._embedder.embed_query(question)
        limit = _MAX_RELATIVE_SIMILARITY * likeness(float(target @ query), self._embedder.name)
        chunks = [one.chunk for one in candidates[_FIRST_MINED:] if (one.vector_score or 0.0) < limit]
        vectors = self._table.vectors_of(sorted({chunk.document_id for chunk in chunks}))
        return [
            chunk.passage
            for chunk in chunks
            if chunk.passage in vectors and self._differs(vectors[chunk.passage], target)
        ]

    def _random(self, target: Vectors, known: Collection[str]) -> list[str]:
        """Return a random unjudged passage that is not similar to the answering one, or []."""
        for _try in range(_RANDOM_TRIES if self._document_ids else 0):
            chunk = _draw(self._table, self._document_ids, self._rng)
            vector = self._table.vectors_of([chunk.document_id]).get(chunk.passage) if chunk else None
            if chunk and vector is not None and chunk.text not in known and self._differs(vector, target):
                return [chunk.passage]
        return []

    def _differs(self, vector: Vectors, other: Vectors) -> bool:
        return likeness(float(vector @ other), self._embedder.name) < NEAR_DUPLICATE


def answering(passages: Iterable[LabeledPassage]) -> list[LabeledPassage]:
    """Return up to two answering passages chosen by curators, else the surest of those that users kept.

    A user who struck out some passages may have kept other wrong ones.
    """
    positives = _surest_first(label for label in passages if label.relevant)
    return [label for label in positives if label.judged_by][:_MAX_POSITIVES] or positives[:1]


def _surest_first(passages: Iterable[LabeledPassage]) -> list[LabeledPassage]:
    return sorted(passages, key=lambda label: (-label.weight, label.rank or 0))


def replay_examples(
    table: ChunkTable, embedder: Embedder, num_examples: int, num_negatives: int, seed: int
) -> list[TrainingExample]:
    """Return examples against forgetting: a sentence is the query for its passage without the sentence.

    This is the inverse cloze task (Lee, Chang and Toutanova, 2019) on the documents, which needs no questions. A table
    with few passages gives none.
    """
    rng = np.random.default_rng(seed)
    document_ids = [document.id for document in table.documents()]
    examples: list[TrainingExample] = []
    for _try in range(4 * num_examples if document_ids else 0):  # some lack a long sentence or negatives
        chunk = _draw(table, document_ids, rng)
        if chunk is None:
            continue
        sentences = [text for text in split_sentences(chunk.text) if len(text.split()) >= _MIN_SENTENCE_WORDS]
        if len(sentences) < 2:
            continue
        sentence = sentences[rng.integers(len(sentences))]
        others = [found.chunk for found in search(sentence, table, embedder) if found.chunk.id != chunk.id]
        negatives = tuple(other.passage for other in others[_FIRST_REPLAYED:][:num_negatives])
        if len(negatives) == num_negatives:
            rest = chunk.passage.replace(sentence, "")
            examples.append(TrainingExample(sentence, rest, negatives, origin="replay", evidence=chunk.document))
        if len(examples) == num_examples:
            break
    return examples


def _draw(table: ChunkTable, document_ids: list[str], rng: np.random.Generator) -> Chunk | None:
    """Return a random chunk of a random document; None if that was removed meanwhile."""
    chunks = table.chunks_of(document_ids[rng.integers(len(document_ids))])
    return chunks[rng.integers(len(chunks))] if chunks else None
