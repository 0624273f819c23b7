"""answers and feedback on them -> list[InboxItem]: questions for a curator to decide, best first.

An item is a group of like questions whose answers were probably wrong. Its expected gain is the number of askings, each
weighted by what a decision would have gained for it and by its age.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, get_args

from app.feedback.changed import Change, Changed
from app.feedback.curators import Asking
from app.feedback.events import FeedbackEvent
from app.feedback.judgements import Judgement, question_key, wording_key
from app.feedback.question_vectors import question_vectors
from app.feedback.rules import LabeledPassage
from app.feedback.statements import standing
from app.feedback.store import FeedbackStore
from app.memory.questions import Questions
from app.memory.votes import Statement
from app.memory.wording import Wording, overlap
from app.search.follow_up import is_small_talk
from ingest.embed.embedder import Embedder

Trouble = (
    Literal[
        "written answer struck out",
        "all sources struck out",
        "struck out again",
        "not answered",
        "people contradict each other",
        "near tie",
        "weak best passage",
    ]
    | Change
)
"""Why the answer shown was probably wrong."""
UNANSWERED: frozenset[Trouble] = frozenset(("all sources struck out", "struck out again", "not answered"))
"""What counts as a question without an answer."""
_GAINS: Mapping[Trouble, float] = {
    "written answer struck out": 0.8,
    "all sources struck out": 0.9,
    "struck out again": 0.8,
    "not answered": 0.6,
    "people contradict each other": 0.5,
    "source changed": 0.5,
    "documents added": 0.5,
    "passage changed": 0.5,
}
"""Gain of an asking if a curator decides, about 1 - nDCG@10 of its ranking.

"all sources struck out" and "not answered" were measured on half of data/eval/needs, the others are assumed.
"""
_GAIN_LESS_FIRST = 0.65
"""Less the probability of the first passage: the gain where only the ranking speaks against it; fitted there, too."""
_WEAK = 0.35
"""Below this probability, the first passage is wrong in seven of ten cases there; above it, in one of ten."""
_OF_RANKING: frozenset[Trouble | None] = frozenset((None, "near tie", "weak best passage"))
_CHANGES: frozenset[Trouble] = frozenset(get_args(Change))
_TIE = 0.05
"""Difference of the first two probabilities."""
_READ_SECONDS = 5.0
"""A strike this long after the first one was of the rewritten answer."""
_HALF_LIFE_DAYS = 30.0
_MAX_WORDINGS = 500
"""More are not grouped; those with the least gain are left out."""


@dataclass(frozen=True, slots=True)
class InboxItem:
    """Like questions that a curator should decide on.

    question: the wording asked most. wordings: all of them, most asked first. num_asked, num_people, since: of the
    askings that went wrong; since and last_asked_at: ISO 8601 in UTC. trouble: what accounts for most of the gain.
    gain: answers that a decision would have put right, recent ones more. answer_id, user: the last answer to the
    question, and who asked.
    """

    question: str
    wordings: tuple[str, ...]
    num_asked: int
    num_people: int
    since: str
    last_asked_at: str
    trouble: Trouble
    gain: float
    answer_id: str
    user: str


@dataclass(slots=True)
class _Wrong:
    """The askings of one wording that went wrong, with their trouble and gain."""

    wording: Wording
    askings: list[tuple[Asking, Trouble, float]] = field(default_factory=list)

    @property
    def question(self) -> str:
        return Counter(asking.question for asking, _, _ in self.askings).most_common(1)[0][0]

    @property
    def shown(self) -> tuple[str, ...]:
        return self.askings[-1][0].shown

    @property
    def gain(self) -> float:
        return sum(gain for _, _, gain in self.askings)


def inbox(
    store: FeedbackStore,
    embedder: Embedder,
    askings: Sequence[Asking],
    labeled: Iterable[LabeledPassage],
    changed: Mapping[Wording | str, Changed],
    collections: Collection[str] | None = None,
) -> list[InboxItem]:
    """Return the open items, most gain first.

    askings: of the store, oldest first. labeled: all its passages with feedback. changed: what waits at a question, by
    wording key, since the documents have changed. collections: that the curator may read, None: all. A wording for
    which a curator named a passage, wrote the answer or said that nothing answers is closed, unless something waits
    there, the written answer was struck out, or who said so could read less; after any other decision, only later
    askings count.
    """
    disputed = {wording_key(passage.question) for passage in labeled if passage.needs_decision}
    found = troubles(askings, store.events())
    found |= {
        asking.answer_id: changed[key].change for asking in askings if (key := wording_key(asking.question)) in changed
    }
    still_open = _still_open(askings, found, store.judgements(), store.statements(), collections)
    wrong = _by_wording(still_open, found, disputed, datetime.now(UTC))
    items = [_item(group) for group in _groups(wrong, store, embedder)]
    return sorted(items, key=lambda item: -item.gain)


def troubles(askings: Iterable[Asking], events: Iterable[FeedbackEvent]) -> dict[str, Trouble]:
    """Return answer id -> what was wrong with the answer alone; answers without trouble are left out."""
    strikes = _strikes(events)
    found = {asking.answer_id: _trouble(asking, strikes.get(asking.answer_id, {})) for asking in askings}
    return {answer_id: trouble for answer_id, trouble in found.items() if trouble}


def _trouble(asking: Asking, struck: Mapping[str, datetime]) -> Trouble | None:
    if struck.keys() & set(asking.shown[: asking.num_curated]):
        return "written answer struck out"
    if asking.shown and struck.keys() >= set(asking.shown):
        return "all sources struck out"
    if struck and (max(struck.values()) - min(struck.values())).total_seconds() >= _READ_SECONDS:
        return "struck out again"
    if not asking.found and not is_small_talk(asking.question):
        return "not answered"
    if asking.first is None:
        return None
    if asking.second is not None and asking.first - asking.second < _TIE:
        return "near tie"
    return "weak best passage" if asking.first < _WEAK else None


def _strikes(events: Iterable[FeedbackEvent]) -> dict[str, dict[str, datetime]]:
    """Return answer id -> chunk id -> when it was struck out as not relevant."""
    strikes: dict[str, dict[str, datetime]] = {}
    for event in events:
        if event.says_not_relevant:
            struck = strikes.setdefault(event.answer_id, {})
            struck.setdefault(event.chunk_id, datetime.fromisoformat(event.at))
        elif event.action in ("deleted", "undone"):
            strikes.get(event.answer_id, {}).pop(event.chunk_id, None)
    return strikes


def _by_wording(
    askings: Iterable[Asking],
    trouble_of: Mapping[str, Trouble],
    disputed: Collection[Wording | str],
    now: datetime,
) -> list[_Wrong]:
    """Return the wordings with trouble, most gain first. disputed: keys of questions that people contradict on."""
    wrong: dict[Wording | str, _Wrong] = {}
    for asking in askings:
        key = wording_key(asking.question)
        trouble = trouble_of.get(asking.answer_id)
        if trouble in _OF_RANKING and key in disputed:
            trouble = "people contradict each other"
        if trouble is None or (asking.said_unanswered and trouble not in _CHANGES):
            continue
        gain = max(0.0, _GAIN_LESS_FIRST - (asking.first or 0.0)) if trouble in _OF_RANKING else _GAINS[trouble]
        gain *= 0.5 ** ((now - asking.asked_at).days / _HALF_LIFE_DAYS)
        one = wrong.setdefault(key, _Wrong(Wording.of(asking.question)))
        one.askings.append((asking, trouble, gain))
    return sorted(wrong.values(), key=lambda one: -one.gain)


def _groups(wrong: Sequence[_Wrong], store: FeedbackStore, embedder: Embedder) -> list[list[_Wrong]]:
    """Return groups of like wordings: each joins the first group whose head probably has the same need."""
    wrong = wrong[:_MAX_WORDINGS]
    vectors = question_vectors({question_key(one.question): one.question for one in wrong}, store, embedder)
    heads, groups = Questions(embedder.dimension, embedder.name), dict[str, list[_Wrong]]()
    for one in wrong:
        vector = vectors[question_key(one.question)]
        likest = max(
            ((_log_odds(one, groups[key][0], similarity), key) for key, similarity in heads.nearest(vector)),
            default=(-1.0, ""),
        )
        if likest[0] > 0:
            groups[likest[1]].append(one)
        else:
            heads.add(one.question, vector)
            groups[one.question] = [one]
    return list(groups.values())


def _log_odds(one: _Wrong, head: _Wrong, similarity: float) -> float:
    return one.wording.log_odds(head.wording, similarity, overlap(one.shown, head.shown))


def _still_open(
    askings: Iterable[Asking],
    trouble_of: Mapping[str, Trouble],
    judgements: Iterable[Judgement],
    statements: Iterable[Statement],
    collections: Collection[str] | None,
) -> Iterator[Asking]:
    """Yield the askings of questions that no curator has closed, after the last decision on each."""
    statements = list(statements)
    last = {wording_key(statement.question): statement for statement in statements}
    held = (one for one in standing(statements) if one.text or one.covers(collections))
    closed = {wording_key(statement.question) for statement in held}
    said_at = {key: datetime.fromisoformat(statement.at) for key, statement in last.items()}
    decided_at: dict[Wording | str, datetime] = {}
    for judgement in judgements:
        key, at = wording_key(judgement.question), datetime.fromisoformat(judgement.at)
        decided_at[key] = max(at, decided_at.get(key, at))
        if judgement.label == "relevant":
            closed.add(key)
    for asking in askings:
        key, trouble = wording_key(asking.question), trouble_of.get(asking.answer_id)
        if trouble == "written answer struck out":
            is_open = key not in said_at or asking.asked_at > said_at[key]
        else:
            is_open = key not in closed and (key not in decided_at or asking.asked_at > decided_at[key])
        if is_open or trouble in _CHANGES:
            yield asking


def _item(group: Sequence[_Wrong]) -> InboxItem:
    """Return the item of a group of wordings."""
    rows = sorted((row for one in group for row in one.askings), key=lambda row: row[0].asked_at)
    asked = Counter(question_key(asking.question) for asking, _, _ in rows)
    wording_of = {question_key(asking.question): asking.question for asking, _, _ in rows}
    gains: dict[Trouble, float] = {}
    for _, trouble, gain in rows:
        gains[trouble] = gains.get(trouble, 0.0) + gain
    wordings = tuple(wording_of[key] for key, _ in asked.most_common())
    last = next(
        asking for asking, _, _ in reversed(rows) if question_key(asking.question) == asked.most_common(1)[0][0]
    )
    return InboxItem(
        question=wordings[0],
        wordings=wordings,
        num_asked=len(rows),
        num_people=len({asking.user for asking, _, _ in rows}),
        since=rows[0][0].asked_at.isoformat(timespec="seconds"),
        last_asked_at=rows[-1][0].asked_at.isoformat(timespec="seconds"),
        trouble=max(gains, key=gains.__getitem__),
        gain=float(sum(gains.values())),
        answer_id=last.answer_id,
        user=last.user,
    )
