"""Replay: each judged question is ranked with earlier votes only; one's own same words prove nothing."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest

from app.answer import cite
from app.evaluation.replay import MIN_QUESTIONS, Replay, Replayed, ReplayedSlice, replay
from app.feedback import FeedbackStore, Judgement
from app.feedback.recall import Memory
from app.memory.reach import Reach
from app.reranking.rerank import RankedChunk
from ingest.chunk import Chunk, PassageRef
from tests.app.builders import make_answer, make_candidates
from tests.conftest import FakeEmbedder

TEXTS = ("one", "two", "three")
QUESTION = "how long is the parental leave"


@pytest.fixture
def store(home) -> FeedbackStore:  # type: ignore[no-untyped-def]  # the fixture of conftest.py
    return FeedbackStore(home)


def judge_answer(
    store: FeedbackStore, question: str, user: str, *, struck: Sequence[str], kept: Sequence[str] = ()
) -> dict[str, Chunk]:
    """Ask, with the ranking one, two, three; strike out and keep some; return the chunks by text."""
    ranking = [
        RankedChunk(candidate, rank, 0.5 / rank, is_probability=True)
        for rank, candidate in enumerate(make_candidates(*TEXTS), 1)
    ]
    answer = replace(make_answer(""), question=question, ranking=tuple(ranking), citations=cite(ranking, 5))
    stored = store.answer(store.save_answer(answer, user, user), user)
    assert stored
    chunks = {ranked.chunk.text: ranked.chunk for ranked in ranking}
    for text in struck:
        store.record(stored, chunks[text].id, "deleted", user)
    for text in kept:
        store.record(stored, chunks[text].id, "kept", user)
    return chunks


def run(store: FeedbackStore) -> Replay:
    chunks = {each.chunk.id: each.chunk for each in make_candidates(*TEXTS)}

    def find(passages: Collection[PassageRef]) -> dict[PassageRef, Chunk]:
        return {passage: chunks[passage.chunk_id] for passage in passages if passage.chunk_id in chunks}

    return replay(store, Memory(FakeEmbedder(), min_people=2), find)


NDCG_SECOND = 1 / math.log2(3)
"""Of the only passage that answers, at rank 2 of the judged ones."""


def test_a_question_asked_before_in_other_words_gains_what_the_votes_move(store: FeedbackStore) -> None:
    for user in ("ann", "bob"):
        judge_answer(store, QUESTION, user, struck=["one"], kept=["two"])
    judge_answer(store, QUESTION + " please", "cid", struck=["one"], kept=["two"])
    found = run(store)
    assert (found.asked_before.num_questions, found.new.num_questions) == (1, 2)
    gain = found.asked_before.gain
    assert gain
    assert gain.mean == pytest.approx(1 - NDCG_SECOND)
    assert [one.question for one in found.asked_before.won] == [QUESTION + " please"]
    assert found.new.gain
    assert found.new.gain.mean == 0, "ann's vote does not act for bob, and nothing was said before ann"


def test_ones_own_earlier_words_for_the_same_question_are_left_out(store: FeedbackStore) -> None:
    judge_answer(store, QUESTION, "ann", struck=["one"], kept=["two"])
    judge_answer(store, QUESTION, "ann", struck=["one"], kept=["two"])
    found = run(store)
    assert (found.asked_before.num_questions, found.new.num_questions) == (0, 2)
    assert "No question has been asked again" not in found.sentence, "it is too early to say even that"


def test_later_votes_do_not_reach_back(store: FeedbackStore) -> None:
    judge_answer(store, QUESTION, "cid", struck=["one"], kept=["two"])
    for user in ("ann", "bob"):
        judge_answer(store, QUESTION + " please", user, struck=["one"], kept=["two"])
    found = run(store)
    assert found.new.num_questions == 3
    assert found.asked_before.num_questions == 0


def test_a_curator_counts_from_the_decision_on(store: FeedbackStore) -> None:
    chunks = judge_answer(store, QUESTION, "ann", struck=["one"], kept=["two"])
    store.judge([Judgement.of(QUESTION, chunks["two"].ref, "relevant", "cora")])
    judge_answer(store, QUESTION + "?!", "bob", struck=["one"], kept=["two"])
    found = run(store)
    assert found.asked_before.gain
    assert found.asked_before.gain.mean == pytest.approx(1 - NDCG_SECOND)


def test_what_compares_no_two_passages_tells_nothing(store: FeedbackStore) -> None:
    judge_answer(store, QUESTION, "ann", struck=["one"])
    judge_answer(store, "something else", "ann", struck=[], kept=["one", "two"])
    stored = judge_answer(store, "gone", "ann", struck=["one"], kept=["two"])
    assert stored
    store.remove_conversation("ann", "ann")
    found = run(store)
    assert (found.num_questions, found.num_left_out) == (0, 3)
    assert found.is_early


def replayed(*gains: float, before: bool) -> list[Replayed]:
    return [Replayed(f"q{number}", "", before, 0.5, 0.5 + gain) for number, gain in enumerate(gains)]


def report(before: Sequence[float], new: Sequence[float]) -> Replay:
    asked = ReplayedSlice.of_all(replayed(*before, before=True))
    return Replay(asked, ReplayedSlice.of_all(replayed(*new, before=False)), num_left_out=0, reach=Reach())


def test_the_sentence_says_what_votes_were_worth_and_what_is_not_known() -> None:
    few = report([0.1] * 5, [0.0] * 5)
    assert few.sentence == (
        f"Too early to tell: 10 of {MIN_QUESTIONS} answers needed, each with a source that people struck out and "
        "another that they kept."
    )
    sure = report([0.1] * 15, [0.0] * 10)
    assert sure.sentence == (
        "Questions asked before in other words gained 10.0 points nDCG@10 by votes. New questions have lost nothing "
        "that matters."
    )
    assert (sure.asked_before.num_won, sure.asked_before.num_lost) == (15, 0)
    assert len(sure.asked_before.won) == 5
    unsure = report([0.1, -0.2] * 10, [0.0, -0.1] * 10)
    assert "lost 5.0 points nDCG@10 by votes, which may be chance" in unsure.sentence
    assert "not certain yet" in unsure.sentence
    assert not unsure.is_harmless
    assert "No question has been asked again in other words yet" in report([], [0.0] * 20).sentence
