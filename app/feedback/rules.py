"""FeedbackEvents and Judgements -> list[LabeledPassage]: all rules that turn feedback into labels.

1. A passage that a user has struck out without a reason, or as not relevant, is a negative vote of that user.
   Outdated, duplicate, wrong page and other say nothing about relevance.
2. Undone strike-outs do not count. A passage that a user has kept, and not struck out, is a weak positive vote; to
   open it says nothing.
3. One user has one vote on a passage for a question, however often the question was asked.
4. Where users contradict each other, their votes cancel by weight: what remains is the heavier side's, with less
   weight.
5. Where three or more people take part, none has more than a fifth of all votes, an equal share, or twenty votes,
   whichever is most.
6. A curator's decision overrides all votes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from app.feedback import FeedbackEvent, Judgement, question_key
from ingest.chunk import PassageRef

STRUCK_OUT, KEPT, CURATOR = 0.7, 0.3, 1.0
"""Weights of actions; a curator's judgement weighs 1."""
MAX_USER_SHARE, FREE_VOTES, MIN_USERS = 0.2, 20, 3
_NOTHING = 1e-9
"""Sums of strengths that are undone leave a rounding error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabeledPassage(PassageRef):
    """The label of a passage for a question.

    rank: its first rank when shown, None if never shown. relevant: None if unknown or disputed. weight: 0 to 1, 0 if
    relevant is None. origin: of the label, in words. struck_by, kept_by: users.
    """

    question: str
    rank: int | None = None
    relevant: bool | None = None
    weight: float = 0.0
    origin: str = ""
    struck_by: tuple[str, ...] = ()
    kept_by: tuple[str, ...] = ()
    judged_by: str = ""

    @property
    def trust(self) -> float:
        """Weight relative to the full weight of an undisputed action of its kind, 0 to 1."""
        full = CURATOR if self.judged_by else KEPT if self.relevant else STRUCK_OUT
        return min(1.0, self.weight / full)

    @property
    def voters(self) -> frozenset[str]:
        """Users whose votes decided the label, without curators."""
        return frozenset(self.kept_by if self.relevant else self.struck_by)

    @property
    def is_contradicted(self) -> bool:
        """Whether some users have struck out what others kept."""
        return bool(self.struck_by) and bool(self.kept_by)

    @property
    def needs_decision(self) -> bool:
        """Whether users contradict each other and no curator has decided."""
        return self.is_contradicted and not self.judged_by


def label(events: Iterable[FeedbackEvent], judgements: Iterable[Judgement]) -> list[LabeledPassage]:
    """Return all passages with feedback, grouped by question, in the order of the log."""
    stances: dict[tuple[str, str], dict[str, Stance]] = {}
    passages: dict[tuple[str, str], LabeledPassage] = {}
    for event in (event for event in events if event.action != "opened"):
        key = question_key(event.question), event.text
        passages.setdefault(key, _passage(event))
        stances.setdefault(key, {}).setdefault(event.user, Stance()).take(event)
    given = shares(totals(stances.values()))
    labeled = {key: _from_votes(passages[key], users, given) for key, users in stances.items()}
    for judgement in judgements:
        key = question_key(judgement.question), judgement.text
        labeled[key] = _from_curator(labeled.get(key) or _passage(judgement), judgement)
    order = {key: place for place, key in enumerate(dict.fromkeys(question for question, _ in labeled))}
    return sorted(labeled.values(), key=lambda each: order[question_key(each.question)])


def by_question(labeled: Iterable[LabeledPassage]) -> dict[str, list[LabeledPassage]]:
    """Return question as first asked -> its labeled passages."""
    questions: dict[str, str] = {}
    passages: dict[str, list[LabeledPassage]] = {}
    for each in labeled:
        question = questions.setdefault(question_key(each.question), each.question)
        passages.setdefault(question, []).append(each)
    return passages


def decided(labeled: Iterable[LabeledPassage]) -> dict[str, list[LabeledPassage]]:
    """Return by_question without undecided passages."""
    return by_question(each for each in labeled if each.relevant is not None)


@dataclass(slots=True)
class Stance:
    """One user's vote on one passage after all actions."""

    struck: bool = False
    other_reason: str = ""
    kept: bool = False

    def take(self, event: FeedbackEvent) -> None:
        """Follow the user's next action."""
        if event.action == "kept":
            self.kept = True
            return
        is_irrelevant = event.says_not_relevant
        self.struck = is_irrelevant
        self.other_reason = event.reason or "" if event.action == "deleted" and not is_irrelevant else ""

    @property
    def strength(self) -> float:
        """Negative: against the passage."""
        if self.struck:
            return -STRUCK_OUT
        if self.other_reason:
            return 0.0
        return KEPT * self.kept


def totals(stances: Iterable[Mapping[str, Stance]]) -> dict[str, float]:
    """Return user -> the strength of all their votes. stances: of each passage, by user."""
    found: dict[str, float] = {}
    for user, stance in (pair for users in stances for pair in users.items()):
        found[user] = found.get(user, 0.0) + abs(stance.strength)
    return found


def shares(totals: Mapping[str, float]) -> Mapping[str, float]:
    """Cap each user's total strength; return user -> factor for their votes."""
    totals = {user: total for user, total in totals.items() if total > _NOTHING}
    if len(totals) < MIN_USERS:
        return dict.fromkeys(totals, 1.0)
    capped, share = totals, max(MAX_USER_SHARE, 1 / len(totals))
    for _ in range(100):  # each cap lowers the total, so repeat until stable
        largest = max(share * sum(capped.values()), FREE_VOTES * STRUCK_OUT)
        capped = {user: min(total, largest) for user, total in totals.items()}
    return {user: capped[user] / totals[user] for user in totals}


def _from_votes(passage: LabeledPassage, users: Mapping[str, Stance], given: Mapping[str, float]) -> LabeledPassage:
    against = {user: STRUCK_OUT * given[user] for user, stance in users.items() if stance.strength < 0}
    in_favor = {user: KEPT * given[user] for user, stance in users.items() if stance.strength > 0}
    passage = replace(passage, struck_by=tuple(against), kept_by=tuple(in_favor))
    margin, total = sum(in_favor.values()) - sum(against.values()), sum((*in_favor.values(), *against.values()))
    if not total:
        reasons = sorted({stance.other_reason for stance in users.values() if stance.other_reason})
        return replace(passage, origin=f"struck out as {', '.join(reasons)}" if reasons else "undone")
    if abs(margin) < 1e-9:
        return replace(passage, origin="users contradict each other")
    winners = in_favor if margin > 0 else against
    strength = min(1.0, sum(winners.values()))
    return replace(
        passage, relevant=margin > 0, weight=strength * abs(margin) / total, origin=_words(passage, margin > 0)
    )


def _words(passage: LabeledPassage, relevant: bool) -> str:
    return f"kept by {len(passage.kept_by)}" if relevant else f"struck out by {len(passage.struck_by)}"


def _from_curator(passage: LabeledPassage, judgement: Judgement) -> LabeledPassage:
    if judgement.label == "left out":
        return replace(
            passage, relevant=None, weight=0.0, origin=f"left out ({judgement.origin})", judged_by=judgement.user
        )
    relevant = judgement.label == "relevant"
    return replace(passage, relevant=relevant, weight=CURATOR, origin=judgement.origin, judged_by=judgement.user)


def _passage(said: FeedbackEvent | Judgement) -> LabeledPassage:
    rank = said.rank if isinstance(said, FeedbackEvent) else None
    return LabeledPassage(question=said.question, rank=rank, **asdict(said.ref))
