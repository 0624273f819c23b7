"""LabeledPassages -> FeedbackExamples: what to train on, what stops the training, and the questions of the gate."""

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
from app.training.labels.split import SHARES, TAUGHT, Part, parts_of
from ingest.chunk import Chunk
from ingest.embed.embedder import Embedder, Vectors
from ingest.table import ChunkTable

MIN_TRAINING_QUESTIONS, MIN_GATE_QUESTIONS = 30, 20
"""With fewer, training moves the model at random, or nobody can tell whether it has become better."""

_FIRST_MINED = 10
"""Candidates before this place were perhaps shown, and nobody struck them out: they are no sure negatives."""
_MAX_RELATIVE_SIMILARITY = 0.95
"""Of the positive's: a candidate that is nearer to the question may well answer it (Moreira et al., 2024)."""
_MAX_POSITIVES = 2
_MIN_TRUST = 0.25
"""Of a struck-out passage: what somebody says who says too much, or many contradict, is no negative."""
_RANDOM_TRIES = 20
_NEGATIVES = ("struck out", "mined", "random")
_MIN_SENTENCE_WORDS = 6
_FIRST_REPLAYED = 3
"""The nearest passages may hold the same sentence."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """How much feedback there is, and what is missing until training makes sense; missing: a sentence each.

    num_comparable: questions that are answered by a passage of the documents, by which models can be compared.
    """

    num_positives: int
    num_negatives: int
    num_contradictions: int
    num_questions: int
    num_without_positive: int
    num_comparable: int
    num_users: int
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FeedbackExamples:
    """train, validation: examples. taught: all questions of these parts, also those that give no example. gate: the
    labelled passages of each question that only compares models.
    """

    train: tuple[TrainingExample, ...]
    validation: tuple[TrainingExample, ...]
    taught: tuple[str, ...]
    gate: Mapping[str, tuple[LabeledPassage, ...]]


def readiness(labeled: Iterable[LabeledPassage]) -> Readiness:
    """Counts what can be learned from. Reads no model."""
    labeled = list(labeled)
    questions = decided(labeled)
    usable = [question for question, passages in questions.items() if any(each.relevant for each in passages)]
    needed = questions_needed()
    without = len(questions) - len(usable)
    missing = []
    if len(usable) < needed:
        missing.append(
            f"{needed - len(usable)} more questions with a passage that answers them (there are {len(usable)})"
        )
    if missing and without:
        plural = f"{without} question{'s' * (without > 1)}"
        missing.append(f"for {plural} people only said what does not answer: add the passage that does")
    comparable = sum(any(each.relevant and each.chunk_id for each in questions[question]) for question in usable)
    if comparable < needed <= len(usable):
        missing.append(
            f"{needed - comparable} more questions that are answered by a passage of the documents, to compare "
            f"models by (there are {comparable}; of imported answers that stand in no document, say on the Feedback "
            "page which passage gives them)"
        )
    if not any(each.relevant is False for each in labeled):
        missing.append("struck-out sources: so far nothing says what is wrong")
    return Readiness(
        num_positives=sum(each.relevant is True for each in labeled),
        num_negatives=sum(each.relevant is False for each in labeled),
        num_contradictions=sum(each.needs_decision for each in labeled),
        num_questions=len(questions),
        num_without_positive=without,
        num_comparable=comparable,
        num_users=len(set(chain.from_iterable((*each.struck_by, *each.kept_by, *each.opened_by) for each in labeled))),
        missing=tuple(missing),
    )


def questions_needed() -> int:
    """Questions with a passage that answers, from which training makes sense: each part must be large enough."""
    return round(max(MIN_TRAINING_QUESTIONS / SHARES["train"], MIN_GATE_QUESTIONS / SHARES["gate"]))


def feedback_examples(
    labeled: Iterable[LabeledPassage], table: ChunkTable, embedder: Embedder, home: Path, num_negatives: int, seed: int
) -> FeedbackExamples:
    """Split the questions and mine what is missing to the negatives. Questions without a positive give no example."""
    questions = decided(labeled)
    parts = parts_of(list(questions), home, embedder)
    miner = _Miner(table, embedder, num_negatives, seed)

    def examples(part: Part) -> tuple[TrainingExample, ...]:
        chosen = [(question, passages) for question, passages in questions.items() if parts[question] == part]
        return tuple(chain.from_iterable(miner.examples(question, passages) for question, passages in chosen))

    gate = {question: tuple(passages) for question, passages in questions.items() if parts[question] == "gate"}
    taught = tuple(question for question in questions if parts[question] in TAUGHT)
    return FeedbackExamples(examples("train"), examples("validation"), taught, gate)


class _Miner:
    """Makes examples of judged passages, with hard negatives that search finds and one drawn at random."""

    def __init__(self, table: ChunkTable, embedder: Embedder, num_negatives: int, seed: int) -> None:
        self._table, self._embedder, self._num_negatives = table, embedder, num_negatives
        self._chance = np.random.default_rng(seed)
        self._document_ids = [document.id for document in table.documents()]

    def examples(self, question: str, passages: Sequence[LabeledPassage]) -> list[TrainingExample]:
        """One for each passage that answers; empty when none does."""
        struck = _surest_first(each for each in passages if not each.relevant and each.trust >= _MIN_TRUST)
        known = {each.text for each in passages}
        positives = answering(passages)
        found = search(question, self._table, self._embedder) if positives else []
        candidates = [each for each in found if each.chunk.text not in known]
        examples = [self._example(question, positive, struck, candidates, known) for positive in positives]
        return [each for each in examples if each.negatives]

    def _example(
        self,
        question: str,
        positive: LabeledPassage,
        struck: Sequence[LabeledPassage],
        candidates: Sequence[Candidate],
        known: Collection[str],
    ) -> TrainingExample:
        """Without negatives where there are none in so few documents. known: texts that people judged.

        It weighs as much as the surest act on it, in the measure in which the positive can be trusted.
        """
        target = self._embedder.embed([positive.passage])[0]
        mined = self._mined(question, target, candidates)
        random = self._random(target, known)
        num_mined = max(0, self._num_negatives - len(struck) - len(random))
        negatives = [
            *((each.passage, "struck out") for each in struck),
            *((passage, "mined") for passage in mined[:num_mined]),
            *((passage, "random") for passage in random),
            *((passage, "mined") for passage in mined[num_mined:]),
        ][: self._num_negatives]
        counts = Counter(kind for _, kind in negatives)
        return TrainingExample(
            question,
            (positive.passage,),
            tuple(islice(cycle([passage for passage, _ in negatives]), self._num_negatives)),
            weight=max(each.weight for each in (positive, *struck)) * positive.trust,
            origin="feedback",
            evidence=f"{positive.origin}; {', '.join(f'{counts[kind]} {kind}' for kind in _NEGATIVES)}",
        )

    def _mined(self, question: str, target: Vectors, candidates: Sequence[Candidate]) -> list[str]:
        """Passages that search finds for the question, near to it, but not as near as the one that answers it."""
        query = self._embedder.embed_query(question)
        limit = _MAX_RELATIVE_SIMILARITY * float(target @ query)
        near = [each for each in candidates[_FIRST_MINED:] if (each.vector_score or 0.0) < limit]
        vectors = self._table.vectors_of(sorted({each.chunk.document_id for each in near}))
        return [
            each.chunk.passage
            for each in near
            if each.chunk.passage in vectors and float(vectors[each.chunk.passage] @ target) < NEAR_DUPLICATE
        ]

    def _random(self, target: Vectors, known: Collection[str]) -> list[str]:
        """One passage drawn from all that nobody judged and that are not like the one that answers; [] without one."""
        for _ in range(_RANDOM_TRIES if self._document_ids else 0):
            chunk = _draw(self._table, self._document_ids, self._chance)
            vector = self._table.vectors_of([chunk.document_id]).get(chunk.passage) if chunk else None
            if chunk and vector is not None and chunk.text not in known and float(vector @ target) < NEAR_DUPLICATE:
                return [chunk.passage]
        return []


def answering(passages: Iterable[LabeledPassage]) -> list[LabeledPassage]:
    """The up to two passages of which a curator says that they answer, else the surest of those that users left.

    Who struck out some passages of an answer may well have left more than one that is wrong.
    """
    positives = _surest_first(each for each in passages if each.relevant)
    return [each for each in positives if each.judged_by][:_MAX_POSITIVES] or positives[:1]


def _surest_first(passages: Iterable[LabeledPassage]) -> list[LabeledPassage]:
    return sorted(passages, key=lambda each: (-each.weight, each.rank or 0))


def replay_examples(
    table: ChunkTable, embedder: Embedder, num_examples: int, num_negatives: int, seed: int
) -> list[TrainingExample]:
    """Examples that keep a model at what it knows: a sentence of a passage asks for that passage without it.

    They are the inverse cloze task (Lee, Chang and Toutanova, 2019) on the documents that are in: nobody needs to
    have asked anything. A table of a few passages gives none.
    """
    chance = np.random.default_rng(seed)
    document_ids = [document.id for document in table.documents()]
    examples: list[TrainingExample] = []
    for _ in range(4 * num_examples if document_ids else 0):  # some have no sentence long enough, or too few like them
        chunk = _draw(table, document_ids, chance)
        if chunk is None:
            continue
        sentences = [each for each in split_sentences(chunk.text) if len(each.split()) >= _MIN_SENTENCE_WORDS]
        if len(sentences) < 2:
            continue
        sentence = sentences[chance.integers(len(sentences))]
        others = [each.chunk for each in search(sentence, table, embedder) if each.chunk.id != chunk.id]
        negatives = tuple(each.passage for each in others[_FIRST_REPLAYED:][:num_negatives])
        if len(negatives) == num_negatives:
            rest = chunk.passage.replace(sentence, "")
            examples.append(TrainingExample(sentence, (rest,), negatives, origin="replay", evidence=chunk.document))
        if len(examples) == num_examples:
            break
    return examples


def _draw(table: ChunkTable, document_ids: list[str], chance: np.random.Generator) -> Chunk | None:
    """A chunk of one of the documents, each as likely; None if that was removed meanwhile."""
    chunks = table.chunks_of(document_ids[chance.integers(len(document_ids))])
    return chunks[chance.integers(len(chunks))] if chunks else None
