"""log of feedback -> Replay: what votes would have been worth, each question seen with earlier votes only.

Every question that somebody judged is ranked with what had been said before it and without (prequential evaluation;
Dawid, 1984). The same wording by the same person is left out, since it needs no proof. People judged only what they
were shown, so passages that nobody judged are left out of both orders (condensed lists; Sakai, 2007).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby

from app.evaluation.metrics import measure
from app.evaluation.slices import MAX_LOSS, Slice, is_asked_before
from app.feedback import FeedbackEvent, FeedbackStore, Judgement, StoredAnswer, question_key
from app.feedback.recall import REACH_STEP, Memory
from app.feedback.rules import Stance
from app.feedback.store import Position
from app.memory.reach import Reach
from app.reranking.rerank import RankedChunk
from app.reranking.votes import FindChunks, with_votes
from app.translation import N_, number
from app.translation import gettext as _

MIN_QUESTIONS = 20
"""Fewer judged questions say nothing."""
_NUM_NAMED = 5


@dataclass(frozen=True, slots=True)
class Replayed:
    """A judged question: its nDCG@10 without and with the votes given before, and whether its need had been asked."""

    question: str
    asked_at: str
    asked_before: bool
    without: float
    with_votes: float

    @property
    def gain(self) -> float:
        """Return the gain by votes, in nDCG@10."""
        return self.with_votes - self.without


@dataclass(frozen=True, slots=True)
class ReplayedSlice(Slice):
    """The questions of one kind. won, lost: those that changed most."""

    won: tuple[Replayed, ...] = ()
    lost: tuple[Replayed, ...] = ()

    @classmethod
    def of_all(cls, replayed: Sequence[Replayed]) -> ReplayedSlice:
        """Return the slice of these questions."""
        with_votes = {str(number): one.with_votes for number, one in enumerate(replayed)}
        found = cls.of(with_votes, {str(number): one.without for number, one in enumerate(replayed)})
        won = sorted((one for one in replayed if one.gain > 0), key=lambda one: -one.gain)
        lost = sorted((one for one in replayed if one.gain < 0), key=lambda one: one.gain)
        return replace(found, won=tuple(won[:_NUM_NAMED]), lost=tuple(lost[:_NUM_NAMED]))


@dataclass(frozen=True, slots=True)
class Replay:
    """What votes were worth in this home. num_left_out: judged askings whose answer was removed or tells nothing."""

    asked_before: ReplayedSlice
    new: ReplayedSlice
    num_left_out: int
    reach: Reach

    @property
    def num_questions(self) -> int:
        """Return the number of judged questions."""
        return self.asked_before.num_questions + self.new.num_questions

    @property
    def is_early(self) -> bool:
        """Return whether there are too few questions to tell."""
        return self.num_questions < MIN_QUESTIONS

    @property
    def is_harmless(self) -> bool:
        """Return whether new questions have certainly not lost more than MAX_LOSS."""
        return self.new.is_harmless

    @property
    def sentence(self) -> str:
        """Return the result in words."""
        if self.is_early:
            return _(
                "Too early to tell: {n} of {needed} answers needed, each with a source that people struck out and "
                "another that they kept.",
                n=self.num_questions,
                needed=MIN_QUESTIONS,
            )
        before, new = self.asked_before.gain, self.new.gain
        if before is None:
            return _("No question has been asked again in other words yet, so votes have had nothing to prove.")
        gain = (
            N_("Questions asked before in other words gained {points} points nDCG@10 by votes")
            if before.mean > 0
            else N_("Questions asked before in other words lost {points} points nDCG@10 by votes")
        )
        chance = "" if before.p_value < 0.05 else _(", which may be chance")
        harm = (
            N_("New questions have lost nothing that matters.")
            if new is None or self.is_harmless
            else N_("Whether new questions lose more than {points} points is not certain yet.")
        )
        gained = _(gain, points=number(abs(100 * before.mean), ".1f"))
        return f"{gained}{chance}. {_(harm, points=number(100 * MAX_LOSS, '.1f'))}"

    def as_record(self) -> dict[str, object]:
        """Return the form that the command line prints, with stable names."""
        return {
            "num_questions": self.num_questions,
            "num_left_out": self.num_left_out,
            "is_early": self.is_early,
            "is_harmless": self.is_harmless,
            "sentence": self.sentence,
            "asked_before": asdict(self.asked_before),
            "new": asdict(self.new),
            "reach": asdict(self.reach),
        }


def replay(
    store: FeedbackStore,
    memory: Memory,
    find_chunks: FindChunks,
    on_step: Callable[[int, int], None] = lambda _done, _all: None,
) -> Replay:
    """Walk through the log in time. memory: empty. find_chunks: in the documents now. on_step: askings done, all."""
    log = list(askings(store))
    found: list[Replayed] = []
    askers: dict[str, set[str]] = {}
    num_left_out = num_learned = 0
    for done, said in enumerate(log):
        on_step(done, len(log))
        first = said[0]
        if isinstance(first, FeedbackEvent):
            answer = store.answer(first.answer_id, first.user)
            key = question_key(first.question)
            known = askers.setdefault(key, set())
            own = {key} if first.user in known else set()
            one = _replayed(answer, said, memory, own, find_chunks) if answer else None
            found += [one] if one else []
            num_left_out += one is None
            known.add(first.user)
        memory.take(said)
        if len(memory) >= num_learned + REACH_STEP:
            memory.learn_reach()
            num_learned = len(memory)
    sides = [[one for one in found if one.asked_before == before] for before in (True, False)]
    return Replay(ReplayedSlice.of_all(sides[0]), ReplayedSlice.of_all(sides[1]), num_left_out, memory.reach)


def askings(store: FeedbackStore) -> Iterator[list[FeedbackEvent | Judgement]]:
    """Yield the votes on one answer at a time, and each curator's decision, oldest first."""
    said, _ = store.entries_after(Position())
    events = [one for one in said if isinstance(one, FeedbackEvent)]
    began: dict[str, str] = {}
    for event in events:
        began.setdefault(event.answer_id, event.at)
    ordered = sorted(events, key=lambda event: (began[event.answer_id], event.answer_id))
    groups: list[tuple[str, list[FeedbackEvent | Judgement]]] = [
        (began[answer_id], list(group)) for answer_id, group in groupby(ordered, lambda event: event.answer_id)
    ]
    groups += [(one.at, [one]) for one in said if isinstance(one, Judgement)]
    yield from (group for _, group in sorted(groups, key=lambda pair: pair[0]))


def _replayed(
    answer: StoredAnswer,
    said: Sequence[FeedbackEvent | Judgement],
    memory: Memory,
    without: set[str],
    find_chunks: FindChunks,
) -> Replayed | None:
    """Return the question as votes would have ranked it; None if no two passages are judged differently."""
    labels = left_standing(said)
    if len(set(labels.values())) < 2:
        return None
    shown = answer.answer
    ranking = [_unvoted(ranked) for ranked in sorted(shown.ranking, key=lambda one: one.unvoted_rank or one.rank)]
    recalls = memory.recall(shown.searched, answer.user, [ranked.chunk.id for ranked in ranking], without)
    voted = with_votes(ranking, recalls, find_chunks)
    values = [_ndcg(labels, order) for order in (ranking, voted)]
    return Replayed(
        question=shown.searched,
        asked_at=answer.asked_at.isoformat(timespec="seconds"),
        asked_before=is_asked_before(recalls),
        without=values[0],
        with_votes=values[1],
    )


def left_standing(said: Sequence[FeedbackEvent | Judgement]) -> Mapping[str, bool]:
    """Return chunk id -> whether people left it standing, by the rules of labels."""
    stances: dict[str, Stance] = {}
    for event in said:
        if isinstance(event, FeedbackEvent) and event.action != "opened":
            stances.setdefault(event.chunk_id, Stance()).take(event)
    return {chunk_id: stance.strength > 0 for chunk_id, stance in stances.items() if stance.strength}


def _unvoted(ranked: RankedChunk) -> RankedChunk:
    """Return a passage as it ranked without votes."""
    if ranked.unvoted_rank is None or ranked.unvoted_score is None:
        return ranked
    return RankedChunk(
        ranked.candidate, ranked.unvoted_rank, ranked.unvoted_score, ranked.reranker_score, ranked.is_probability
    )


def _ndcg(labels: Mapping[str, bool], ranking: Sequence[RankedChunk]) -> float:
    judged = [ranked.chunk.id for ranked in ranking if ranked.chunk.id in labels]
    run = {chunk_id: 1 / rank for rank, chunk_id in enumerate(judged, 1)}
    return measure({"": {chunk_id: int(stands) for chunk_id, stands in labels.items()}}, {"": run})["nDCG@10"][""]
