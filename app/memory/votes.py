"""A vote on a passage for a question, and its effect on the passage's probability for another question."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from app.access.users import shown_name
from ingest.chunk import PassageRef

Kind = Literal["named", "kept", "struck out", "rejected"]
"""named and rejected: by a curator. kept and struck out: by people who asked."""

_RELEVANCE: dict[Kind, float] = {"named": 0.97, "kept": 0.6, "struck out": 0.03, "rejected": 0.03}
MIN_LIKENESS = 0.1
"""A vote for a question that is less like does not act."""


def relevance(kind: Kind) -> float:
    """Return the probability that a passage with such a vote answers the question of the vote."""
    return _RELEVANCE[kind]


@dataclass(frozen=True, slots=True)
class Vote:
    """What people, or a curator, decided on a passage for a question.

    trust: from 0 to 1; less than 1 where people contradict each other or one of them votes on a lot. num_people: who
    agree. curator: who decided, or ''. own: the vote of the person who asks now. same_only: it says nothing about
    other questions, such as a strike as outdated. since: ISO 8601 in UTC. shown: ids of the
    chunks last shown for the question.
    """

    question: str
    passage: PassageRef
    kind: Kind
    trust: float = 1.0
    num_people: int = 0
    curator: str = ""
    own: bool = False
    same_only: bool = False
    since: str = ""
    shown: tuple[str, ...] = ()

    @property
    def other_only(self) -> bool:
        """Return whether it acts on other questions only: who asks again was perhaps not satisfied."""
        return self.own and self.kind == "kept"

    @property
    def is_for(self) -> bool:
        """Return whether it says that the passage answers the question."""
        return self.kind in ("named", "kept")


@dataclass(frozen=True, slots=True)
class Statement:
    """What a curator says of a question: its answer, or that the documents do not answer it; or the withdrawal.

    at: ISO 8601 in UTC, '' before it is stored. shown: ids of the chunks shown for the question, best first. text: the
    answer, whose every [n] is the n-th source; '' if nothing answers. sources: as they were then. collections: those
    that the curator could read, None: all.
    """

    question: str
    user: str
    at: str = ""
    shown: tuple[str, ...] = ()
    withdrawn: bool = False
    text: str = ""
    sources: tuple[PassageRef, ...] = ()
    collections: tuple[str, ...] | None = None

    def covers(self, collections: Collection[str] | None) -> bool:
        """Return whether its curator could read these collections; None: all."""
        return self.collections is None or (collections is not None and set(collections) <= set(self.collections))

    def outranks(self, other: Statement) -> bool:
        """Return whether both are written answers and this one's curator could read more.

        The other's curator may not have seen this one, so does not replace it.
        """
        if not (self.text and other.text) or self.collections == other.collections:
            return False
        return self.collections is None or set(self.collections) > set(other.collections or self.collections)

    def as_record(self) -> dict[str, object]:
        """Return the form that the command line and the API show, with stable names."""
        kind = "answer" if self.text else "unanswered"
        return {"kind": kind, "question": self.question, "by": shown_name(self.user), "at": self.at}


@dataclass(frozen=True, slots=True)
class Recall:
    """A vote and the likeness of its question to the one asked: a probability, 1 for the same question."""

    vote: Vote
    likeness: float

    @property
    def is_same(self) -> bool:
        """Return whether the vote was given for this very question."""
        return self.likeness == 1.0

    @property
    def decides(self) -> bool:
        """Return whether it settles the place of its passage: in the first ones if named, in none if struck out."""
        return self.is_same and self.vote.kind != "kept"

    def as_record(self) -> dict[str, object]:
        """Return the form that the command line and the API show, with stable names; no user is named."""
        vote = self.vote
        return {
            "question": vote.question,
            "kind": vote.kind,
            "likeness": round(self.likeness, 3),
            "same_question": self.is_same,
            "own": vote.own,
            "num_people": vote.num_people,
            "by_curator": bool(vote.curator),
            "since": vote.since,
        }

    def moved(self, probability: float) -> float:
        """Return the probability that the passage answers, given this vote and what the models say.

        If both questions have the same need, the vote counts; else the models do.
        """
        share = self.likeness * self.vote.trust
        mixed = (1 - share) * probability + share * relevance(self.vote.kind)
        return max(mixed, probability) if self.vote.is_for else min(mixed, probability)


def strongest(recalls: Iterable[Recall]) -> Recall | None:
    """Return the vote that acts on a passage: a deciding one, else the one of the likest question, or None."""
    return max(
        recalls,
        key=lambda recall: (recall.decides, recall.likeness * recall.vote.trust, not recall.vote.is_for),
        default=None,
    )
