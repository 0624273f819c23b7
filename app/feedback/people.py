"""log -> list[Voter]: whose votes move most, and who mostly votes against everybody else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.feedback.curators import IgnoredUser
from app.feedback.events import FeedbackEvent
from app.feedback.judgements import Judgement, question_key
from app.feedback.rules import shares, totals
from app.feedback.store import FeedbackStore
from app.feedback.votes import PassageVotes, QuestionVotes


@dataclass(slots=True)
class Voter:
    """One person's votes on passages, one for each question and passage.

    num_acting: votes that act for others, since enough people or a curator agree. num_compared: votes on passages that
    others or a curator judged too; num_agreeing: those that agree with them. num_decisions: as a curator. ignored: None
    if the votes count.
    """

    user: str
    ignored: IgnoredUser | None = None
    num_votes: int = 0
    num_acting: int = 0
    num_compared: int = 0
    num_agreeing: int = 0
    num_decisions: int = 0

    @property
    def num_moving(self) -> int:
        """Return how many votes and decisions act for others."""
        return self.num_acting + (0 if self.ignored else self.num_decisions)


def voters(store: FeedbackStore, min_people: int) -> list[Voter]:
    """Return everybody who said something, whose votes move most first.

    min_people: who must agree before votes act for others.
    """
    ignored, everything = store.ignored(), store.events(everyone=True)
    found: dict[str, Voter] = {}

    def voter(user: str) -> Voter:
        return found.setdefault(user, Voter(user, ignored.get(user)))

    for judgement in store.judgements(everyone=True):
        voter(judgement.user).num_decisions += 1
    counted = _questions([*store.events(), *store.judgements()])
    given = shares(totals(said.stances for question in counted.values() for said in question.passages.values()))
    for key, question in _questions(everything).items():
        others = counted.get(key, QuestionVotes(question.question))
        acting = {vote.passage.text: vote.is_for for vote in others.votes("", given, min_people)}
        for text, said in question.passages.items():
            for user, stance in said.stances.items():
                if not stance.strength:
                    continue
                is_for, one = stance.strength > 0, voter(user)
                rest = _rest_is_for(others.passages.get(text), user)
                one.num_votes += 1
                one.num_acting += not one.ignored and acting.get(text) == is_for
                one.num_compared += rest is not None
                one.num_agreeing += rest == is_for
    return sorted(found.values(), key=lambda one: (-one.num_moving, -one.num_votes, one.user))


def _questions(said: Iterable[FeedbackEvent | Judgement]) -> dict[str, QuestionVotes]:
    questions: dict[str, QuestionVotes] = {}
    for one in said:
        questions.setdefault(question_key(one.question), QuestionVotes(one.question)).take(one)
    return questions


def _rest_is_for(said: PassageVotes | None, user: str) -> bool | None:
    """Return whether a curator, else all others together, say that the passage answers; None if nobody says."""
    if said is None:
        return None
    judgement = said.judgement
    if judgement and judgement.label != "left out" and judgement.user != user:
        return judgement.label == "relevant"
    strength = sum(stance.strength for other, stance in said.stances.items() if other != user)
    return strength > 0 if strength else None
