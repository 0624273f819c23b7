"""feedback on a question's passages -> Vote: the votes that count for one person."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.access.users import earlier_name
from app.feedback.events import FeedbackEvent
from app.feedback.judgements import Judgement
from app.feedback.rules import KEPT, STRUCK_OUT, Stance
from app.memory.votes import Kind, Statement, Vote
from app.memory.wording import Wording
from ingest.chunk import PassageRef


@dataclass(slots=True)
class PassageVotes:
    """The feedback on one passage for one question: each user's stance, and a curator's decision.

    named_at: when a curator last named it, '' if never.
    """

    passage: PassageRef
    stances: dict[str, Stance] = field(default_factory=dict)
    judgement: Judgement | None = None
    since: str = ""
    named_at: str = ""


class QuestionVotes:
    """The feedback on the passages of one question."""

    def __init__(self, question: str) -> None:
        self.question = question
        self.wording = Wording.of(question)
        self.shown: tuple[str, ...] = ()
        """Ids of the chunks last shown for it, best first."""
        self.passages: dict[str, PassageVotes] = {}
        """By text."""
        self._statements: dict[tuple[str, ...] | None, Statement] = {}
        """The last one of the curators who could read the same collections."""

    def take(self, said: FeedbackEvent | Judgement | Statement) -> float:
        """Add a log entry; to open a passage is no vote.

        Returns how much the strength of the user's votes has grown.
        """
        if isinstance(said, Statement):
            self._statements[said.collections], self.shown = said, said.shown or self.shown
            return 0.0
        if isinstance(said, FeedbackEvent) and said.action == "opened":
            return 0.0
        known = self.passages.setdefault(said.text, PassageVotes(said.ref))
        known.since = said.at
        if isinstance(said, Judgement):
            known.judgement = None if said.label == "withdrawn" else said
            known.named_at = {"relevant": said.at, "withdrawn": ""}.get(said.label, known.named_at)
            return 0.0
        stance = known.stances.setdefault(said.user, Stance())
        before = abs(stance.strength)
        stance.take(said)
        self.shown = tuple(said.shown.split()) or self.shown
        return abs(stance.strength) - before

    @property
    def named(self) -> dict[PassageRef, PassageVotes]:
        """Return the passages that a curator has named for it, also if another decision followed."""
        return {said.passage: said for said in self._passages() if said.named_at}

    def _passages(self) -> list[PassageVotes]:
        """Return a copy of the values: another thread may add to them."""
        return list(self.passages.values())

    def statements(self, readable: Collection[PassageRef] = ()) -> list[Statement]:
        """Return what curators say of it, unless withdrawn.

        A passage named later ends the statement that nothing answers it. readable: the named passages that the asker
        may read; the others end nothing.
        """
        named_at = max((said.named_at for passage, said in self.named.items() if passage in readable), default="")
        held = [statement for statement in list(self._statements.values()) if not statement.withdrawn]
        return [statement for statement in held if statement.text or statement.at >= named_at]

    def is_named(self, readable: Collection[PassageRef]) -> bool:
        """Return whether a curator says that one of these passages answers it."""
        decided = (said.judgement for passage, said in self.named.items() if passage in readable)
        return any(judgement and judgement.label == "relevant" for judgement in decided)

    def votes(self, user: str, shares: Mapping[str, float], min_people: int) -> Iterator[Vote]:
        """Yield the votes that count for a user.

        The user's own strike counts first, then a curator's decision, then what min_people agree on, then what the
        user kept. shares: factor of each user's votes, by `rules.shares`.
        """
        for said in self._passages():
            own = said.stances.get(user) or said.stances.get(earlier_name(user)) if user else None
            if own and (own.struck or own.other_reason):
                yield self._vote(said, "struck out", num_people=1, own=True, same_only=not own.struck)
            elif said.judgement:
                if said.judgement.label != "left out":
                    kind: Kind = "named" if said.judgement.label == "relevant" else "rejected"
                    yield self._vote(said, kind, curator=said.judgement.user)
            elif agreed := _agreed(said, shares, min_people):
                kind, trust, num_people = agreed
                yield self._vote(said, kind, trust=trust, num_people=num_people)
            elif own and own.strength > 0:
                yield self._vote(said, "kept", num_people=1, own=True)

    def outcomes(self) -> Iterator[tuple[str, int, bool]]:
        """Yield (text, index among the chunks shown, whether it stands) of each judged passage.

        The index is -1 for a passage that was not shown.
        """
        for said in self._passages():
            strength = sum(stance.strength for stance in list(said.stances.values()))
            if said.judgement and said.judgement.label != "left out":
                strength = 1.0 if said.judgement.label == "relevant" else -1.0
            if strength:
                chunk_id = said.passage.chunk_id
                yield said.passage.text, self.shown.index(chunk_id) if chunk_id in self.shown else -1, strength > 0

    def _vote(self, said: PassageVotes, kind: Kind, **more: Any) -> Vote:
        return Vote(self.question, said.passage, kind, since=said.since, shown=self.shown, **more)


def _agreed(said: PassageVotes, shares: Mapping[str, float], min_people: int) -> tuple[Kind, float, int] | None:
    """Return kind, trust and number of people of the vote that enough people agree on, or None."""
    stances = list(said.stances.items())  # another thread may add to them
    against = [shares.get(user, 1.0) for user, stance in stances if stance.strength < 0]
    in_favor = [shares.get(user, 1.0) for user, stance in stances if stance.strength > 0]
    margin = KEPT * sum(in_favor) - STRUCK_OUT * sum(against)
    winners = in_favor if margin > 0 else against
    if len(winners) < min_people or abs(margin) < 1e-9:
        return None
    total = KEPT * sum(in_favor) + STRUCK_OUT * sum(against)
    trust = abs(margin) / total * sum(winners) / len(winners)
    return "kept" if margin > 0 else "struck out", trust, len(winners)
