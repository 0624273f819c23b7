"""askings -> counts of questions without an answer, by week and by question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from app.feedback.curators import Asking
from app.feedback.inbox import UNANSWERED, Trouble
from app.feedback.judgements import wording_key
from app.memory.wording import Wording


@dataclass(frozen=True, slots=True)
class Week:
    """The questions of a week that begins on this Monday (UTC), and how many of them were not answered."""

    begins: date
    num_asked: int
    num_unanswered: int


@dataclass(frozen=True, slots=True)
class UnansweredQuestion:
    """A question without an answer: how often and by how many people it was asked, and when (UTC).

    reason: the last one.
    """

    question: str
    num_asked: int
    num_people: int
    first_asked: date
    last_asked: date
    reason: str


def by_week(askings: Iterable[Asking], troubles: Mapping[str, Trouble]) -> list[Week]:
    """Return the weeks with questions, newest first. troubles: by answer id."""
    asked, unanswered = Counter[date](), Counter[date]()
    for asking in askings:
        day = asking.asked_at.date()
        monday = day - timedelta(days=day.weekday())
        asked[monday] += 1
        unanswered[monday] += _is_unanswered(asking, troubles)
    return [Week(monday, asked[monday], unanswered[monday]) for monday in sorted(asked, reverse=True)]


def unanswered_questions(askings: Sequence[Asking], troubles: Mapping[str, Trouble]) -> list[UnansweredQuestion]:
    """Return the questions without an answer, most asked first. askings: oldest first. troubles: by answer id."""
    groups: dict[Wording | str, list[Asking]] = {}
    for asking in askings:
        if _is_unanswered(asking, troubles):
            groups.setdefault(wording_key(asking.question), []).append(asking)
    rows = [
        UnansweredQuestion(
            question=group[-1].question,
            num_asked=len(group),
            num_people=len({asking.user for asking in group}),
            first_asked=group[0].asked_at.date(),
            last_asked=group[-1].asked_at.date(),
            reason="a curator says so" if group[-1].said_unanswered else troubles[group[-1].answer_id],
        )
        for group in groups.values()
    ]
    return sorted(rows, key=lambda row: -row.num_asked)


def _is_unanswered(asking: Asking, troubles: Mapping[str, Trouble]) -> bool:
    return asking.said_unanswered or troubles.get(asking.answer_id) in UNANSWERED
