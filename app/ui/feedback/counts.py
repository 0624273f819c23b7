"""FeedbackEvents and LabeledPassages -> what the pages say of them: by question, by document, by origin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from app.feedback import FeedbackEvent, question_key
from app.feedback.rules import LabeledPassage, by_question
from app.training.labels.from_feedback import Readiness, readiness

NO_REASON = "no reason given"
CARE_REASONS = ("outdated", "duplicate", "wrong page")
"""They say something about the document, and not that the ranking was wrong."""

PassageKey = tuple[str, str]
"""question_key and text: what makes a passage for a question the same."""


@dataclass(frozen=True, slots=True)
class Feedback:
    """All that people and curators said, and what it counts as.

    reasons: of what stands as struck out, how often.
    """

    events: tuple[FeedbackEvent, ...]
    labeled: tuple[LabeledPassage, ...]
    reasons: Mapping[PassageKey, Counter[str]]
    ready: Readiness


@dataclass(frozen=True, slots=True)
class QuestionFeedback:
    """A question as it was asked first, and its passages: first what people contradict each other on."""

    question: str
    passages: tuple[LabeledPassage, ...]

    @property
    def is_contradicted(self) -> bool:
        """Whether users contradict each other on a passage that no curator has decided."""
        return any(each.needs_decision for each in self.passages)

    @property
    def is_answered(self) -> bool:
        """Whether there is a passage that answers it."""
        return any(each.relevant for each in self.passages)


@dataclass(frozen=True, slots=True)
class DocumentFeedback:
    """What of a document is struck out. num_users: who did it. reasons: how often each was given.

    passages: the struck-out ones, the most often first, with how many struck each out.
    """

    document: str
    num_users: int
    reasons: Counter[str]
    passages: tuple[tuple[FeedbackEvent, int], ...]

    @property
    def num_struck_out(self) -> int:
        """How often passages of it are struck out."""
        return self.reasons.total()

    @property
    def needs_care(self) -> bool:
        """Whether people say something about the document rather than about the ranking."""
        return any(self.reasons[reason] for reason in CARE_REASONS)


def gather(events: Sequence[FeedbackEvent], labeled: Sequence[LabeledPassage]) -> Feedback:
    """Count once what several pages show."""
    reasons: dict[PassageKey, Counter[str]] = {}
    for event in struck_out(events):
        reasons.setdefault(key_of(event), Counter())[event.reason or NO_REASON] += 1
    return Feedback(tuple(events), tuple(labeled), reasons, readiness(labeled))


def key_of(passage: FeedbackEvent | LabeledPassage) -> PassageKey:
    """What makes it the same passage for the same question."""
    return question_key(passage.question), passage.text


def struck_out(events: Iterable[FeedbackEvent]) -> list[FeedbackEvent]:
    """The deletions that stand, one for each user, question and passage."""
    last: dict[tuple[str, PassageKey], FeedbackEvent] = {}
    for event in events:
        if event.action in ("deleted", "undone"):
            last[event.user, key_of(event)] = event
    return [event for event in last.values() if event.action == "deleted"]


def questions_of(labeled: Iterable[LabeledPassage]) -> list[QuestionFeedback]:
    """Those with contradictions first, else as they were first asked; deciding one does not move it."""
    questions = [
        QuestionFeedback(question, tuple(sorted(same, key=lambda each: not each.is_contradicted)))
        for question, same in by_question(labeled).items()
    ]
    return sorted(questions, key=lambda each: not any(passage.is_contradicted for passage in each.passages))


def by_document(events: Iterable[FeedbackEvent]) -> list[DocumentFeedback]:
    """The documents with struck-out passages, the most often struck out first."""
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
    """Where labels come from, in words -> how many passages answer, do not, or are not used."""
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
        return "said by a curator" if origin == "curator" else origin
    if passage.relevant is None:
        return origin
    if not passage.relevant:
        return "struck out by people"
    return "kept by people" if passage.kept_by else "opened by people"
