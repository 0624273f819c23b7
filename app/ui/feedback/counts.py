"""FeedbackEvents and LabeledPassages -> counts by question, by document and by origin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.feedback import FeedbackEvent, question_key
from app.feedback.rules import LabeledPassage, by_question
from app.training.labels.from_feedback import Readiness, readiness

NO_REASON = "no reason given"
CARE_REASONS = ("outdated", "duplicate", "wrong page")
"""Reasons that concern the document, not the ranking."""

PassageKey = tuple[str, str]
"""question_key and passage text."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """All feedback and its labels.

    reasons: of current strike-outs, with counts.
    """

    events: tuple[FeedbackEvent, ...]
    labeled: tuple[LabeledPassage, ...]
    reasons: Mapping[PassageKey, Counter[str]]
    ready: Readiness


@dataclass(frozen=True, slots=True)
class QuestionFeedback:
    """A question as first asked, and its passages, those with conflicting feedback first."""

    question: str
    passages: tuple[LabeledPassage, ...]

    @property
    def is_contradicted(self) -> bool:
        """Whether a passage has conflicting feedback and no decision."""
        return any(each.needs_decision for each in self.passages)

    @property
    def is_answered(self) -> bool:
        """Whether a passage answers it."""
        return any(each.relevant for each in self.passages)


@dataclass(frozen=True, slots=True)
class DocumentFeedback:
    """Strike-outs in a document. num_users: who struck out. reasons: with counts.

    passages: struck out, with counts, highest first.
    """

    document: str
    num_users: int
    reasons: Counter[str]
    passages: tuple[tuple[FeedbackEvent, int], ...]

    @property
    def num_struck_out(self) -> int:
        """Number of strike-outs of its passages."""
        return self.reasons.total()

    @property
    def needs_care(self) -> bool:
        """Whether a reason concerns the document, not the ranking."""
        return any(self.reasons[reason] for reason in CARE_REASONS)


def gather(events: Sequence[FeedbackEvent], labeled: Sequence[LabeledPassage]) -> Feedback:
    """Return the counts that several pages share."""
    reasons: dict[PassageKey, Counter[str]] = {}
    for event in struck_out(events):
        reasons.setdefault(key_of(event), Counter())[event.reason or NO_REASON] += 1
    return Feedback(tuple(events), tuple(labeled), reasons, readiness(labeled))


def key_of(passage: FeedbackEvent | LabeledPassage) -> PassageKey:
    """Return the key of a passage for a question."""
    return question_key(passage.question), passage.text


def struck_out(events: Iterable[FeedbackEvent]) -> list[FeedbackEvent]:
    """Return the current deletions, one per user, question and passage."""
    last: dict[tuple[str, PassageKey], FeedbackEvent] = {}
    for event in events:
        if event.action in ("deleted", "undone"):
            last[event.user, key_of(event)] = event
    return [event for event in last.values() if event.action == "deleted"]


def questions_of(labeled: Iterable[LabeledPassage]) -> list[QuestionFeedback]:
    """Return questions with conflicts first, then by first use; a decision does not move one."""
    questions = [
        QuestionFeedback(question, tuple(sorted(same, key=lambda each: not each.is_contradicted)))
        for question, same in by_question(labeled).items()
    ]
    return sorted(questions, key=lambda each: not any(passage.is_contradicted for passage in each.passages))


def by_document(events: Iterable[FeedbackEvent]) -> list[DocumentFeedback]:
    """Return documents with struck-out passages, most often struck out first."""
    documents: dict[str, list[FeedbackEvent]] = {}
    for event in struck_out(events):
        documents.setdefault(event.document, []).append(event)
    found = [
        DocumentFeedback(
            document,
            len({event.user for event in struck}),
            Counter(event.reason or NO_REASON for event in struck),
            _by_passage(struck),
        )
        for document, struck in documents.items()
    ]
    return sorted(found, key=lambda each: -each.num_struck_out)


def _by_passage(struck: Iterable[FeedbackEvent]) -> tuple[tuple[FeedbackEvent, int], ...]:
    numbers: Counter[str] = Counter()
    latest: dict[str, FeedbackEvent] = {}
    for event in struck:
        numbers[event.text] += 1
        latest[event.text] = event
    return tuple((latest[text], number) for text, number in numbers.most_common())


def by_origin(labeled: Iterable[LabeledPassage]) -> dict[str, Counter[str]]:
    """Origin of labels -> number of passages that answer, do not answer, or are not used."""
    origins: dict[str, Counter[str]] = {}
    for each in labeled:
        use = "not used" if each.relevant is None else "answers" if each.relevant else "does not answer"
        origins.setdefault(_origin(each), Counter())[use] += 1
    return dict(sorted(origins.items(), key=lambda item: -item[1].total()))


def _origin(passage: LabeledPassage) -> str:
    origin = passage.origin
    if passage.judged_by:
        if passage.relevant is None:
            origin = origin.removeprefix("left out (").removesuffix(")")
        return "decided by a curator" if origin == "curator" else origin
    if passage.relevant is None:
        return origin
    return "kept by people" if passage.relevant else "struck out by people"
