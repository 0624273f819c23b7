"""What people said of passages acts at once: whose word counts for whom, for which questions, and how far."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.answer import cite
from app.feedback import Action, FeedbackEvent, FeedbackStore, Judgement, Label, Reason
from app.feedback.answers import FeedbackError
from app.feedback.recall import LiveMemory, Memory
from app.memory.questions import Questions
from app.memory.reach import Prediction, Reach
from app.memory.votes import Recall, Vote, strongest
from app.memory.wording import Wording, overlap
from app.pipeline import Pipeline
from app.reranking.rerank import RankedChunk
from app.reranking.votes import with_votes
from app.search.filters import Filter
from app.settings import Settings
from ingest.chunk import Chunk, PassageRef
from ingest.table import ChunkTable
from tests.app.builders import make_candidates
from tests.conftest import FakeEmbedder

QUESTION = "How long is the parental leave?"
SHOWN = "c1 c2 c3 c4 c5"


def act(
    user: str,
    action: Action,
    chunk: str = "c1",
    *,
    question: str = QUESTION,
    reason: Reason | None = None,
    shown: str = SHOWN,
) -> FeedbackEvent:
    """An event of which only what is given matters."""
    given: dict[str, Any] = {"user": user, "action": action, "reason": reason, "question": question, "at": "2026-11-28"}
    place = {"chunk_id": chunk, "text": f"text of {chunk}", "document": "leave.md", "title": "", "heading": ""}
    blank = {field.name: None for field in fields(FeedbackEvent)}
    return FeedbackEvent(**{**blank, **place, **given, "shown": shown})


def judge(label: Label, chunk: str = "c1", question: str = QUESTION) -> Judgement:
    return Judgement(user="cora", question=question, label=label, chunk_id=chunk, text=f"text of {chunk}")


def recalled(memory: Memory, user: str, question: str = QUESTION, found: str = SHOWN) -> dict[str, str]:
    """Chunk id -> kind of the vote that counts."""
    recalls = memory.recall(question, user, found.split())
    return {recall.vote.passage.chunk_id: recall.vote.kind for recall in recalls}


@pytest.fixture
def memory() -> Memory:
    return Memory(FakeEmbedder(), min_people=2)


# whose word counts for whom -----------------------------------------------------------------------------------


def test_your_own_strike_counts_for_you_alone(memory: Memory) -> None:
    memory.take([act("ann", "deleted")])
    assert recalled(memory, "ann") == {"c1": "struck out"}
    assert recalled(memory, "bob") == recalled(memory, "") == {}


def test_a_second_person_makes_it_count_for_all(memory: Memory) -> None:
    memory.take([act("ann", "deleted"), act("bob", "deleted")])
    assert recalled(memory, "cid") == recalled(memory, "") == {"c1": "struck out"}
    (recall,) = memory.recall(QUESTION, "cid", SHOWN.split())
    assert (recall.vote.num_people, recall.vote.own, recall.is_same) == (2, False, True)


@pytest.mark.parametrize(("one", "other"), [("api:helpdesk", "api:helpdesk/bob"), ("bob@acme.com", "bob@acme.com.au")])
def test_a_name_that_begins_like_another_is_somebody_else(memory: Memory, one: str, other: str) -> None:
    memory.take([act(one, "deleted")])
    assert recalled(memory, other) == {}


def test_an_undone_strike_counts_no_more(memory: Memory) -> None:
    memory.take([act("ann", "deleted")])
    memory.take([act("ann", "undone")])
    assert recalled(memory, "ann") == {}


def test_a_curators_decision_counts_for_all_but_against_nobodys_own_strike(memory: Memory) -> None:
    memory.take([act("ann", "deleted"), act("bob", "deleted"), judge("relevant")])
    assert recalled(memory, "cid") == {"c1": "named"}
    assert recalled(memory, "ann") == {"c1": "struck out"}
    memory.take([judge("not relevant")])
    assert recalled(memory, "cid") == {"c1": "rejected"}


def test_a_curator_switches_a_vote_off(memory: Memory) -> None:
    memory.take([act("ann", "deleted"), act("bob", "deleted"), judge("left out")])
    assert recalled(memory, "cid") == {}


def test_a_withdrawn_decision_leaves_what_people_say(memory: Memory) -> None:
    memory.take([act("ann", "deleted"), act("bob", "deleted"), judge("relevant"), judge("withdrawn")])
    assert recalled(memory, "cid") == {"c1": "struck out"}


def test_to_open_a_passage_is_no_vote_and_to_leave_one_standing_is_a_weak_one(memory: Memory) -> None:
    memory.take([act(user, "opened") for user in ("ann", "bob", "cid")])
    assert recalled(memory, "ann") == {}
    memory.take([act("ann", "deleted"), act("bob", "deleted"), act("cid", "kept"), act("dan", "kept")])
    assert recalled(memory, "eve") == {"c1": "struck out"}, "two strikes weigh more than two that did not mind"


def test_a_strike_for_another_reason_counts_for_the_same_question_and_person_only(memory: Memory) -> None:
    memory.take([act("ann", "deleted", reason="outdated"), act("bob", "deleted", reason="outdated")])
    assert recalled(memory, "ann") == {"c1": "struck out"}
    assert recalled(memory, "ann", "How long is the parental leave here?") == {}
    assert recalled(memory, "cid") == {}


# which questions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    ["how long is parental LEAVE", "the parental leave: how long is it", "  How long is the parental leave ?!"],
)
def test_case_order_and_unimportant_words_make_no_other_question(other: str) -> None:
    assert Wording.of(QUESTION).is_same(Wording.of(other))


@pytest.mark.parametrize(
    "other",
    [
        "How long is the parental leave not paid?",
        "How long is the parental leave in 2024?",
        "When is the parental leave?",
        "How long before the parental leave?",
    ],
)
def test_another_word_figure_or_negation_does(other: str) -> None:
    assert not Wording.of(QUESTION).is_same(Wording.of(other))


def test_a_question_of_unimportant_words_is_the_same_as_none() -> None:
    assert not Wording.of("is it").is_same(Wording.of("do you"))


def test_log_odds_rise_with_similarity_and_shared_results_and_fall_with_a_mismatch() -> None:
    asked, other = Wording.of("how long may I stay away"), Wording.of("length of an absence")
    log_odds = asked.log_odds(other, 0.7, 0.5)
    assert asked.log_odds(other, 0.8, 0.5) > log_odds
    assert asked.log_odds(other, 0.7, 0.8) > log_odds
    assert asked.log_odds(Wording.of("length of an absence in 2024"), 0.7, 0.5) < log_odds
    assert asked.log_odds(Wording.of("no length of an absence"), 0.7, 0.5) < log_odds
    assert asked.log_odds(asked, 0.1, 0.0) == math.inf


def test_overlap_counts_high_ranks_more() -> None:
    shown = ["a", "b", "c"]
    assert overlap(["a", "b", "c"], shown) == 1.0
    assert overlap(["x", "y", "z"], shown) == overlap([], shown) == 0.0
    assert overlap(["x", "a", "y"], shown) > overlap(["x", "c", "y"], shown) > 0
    assert overlap(["x", "y", "z", "a"], shown) == 0.0, "only as many count as were shown"
    assert overlap(["a"], []) == 0.5, "nothing is known"


def test_the_nearest_questions_are_found_as_they_are_added() -> None:
    questions = Questions(2)
    assert questions.nearest(np.array([1, 0], np.float32)) == []
    angles = [number / 100 for number in range(100)]
    for each in angles:
        questions.add(str(each), np.array([math.cos(each), math.sin(each)], np.float32))
    questions.add("0.0", np.array([0, 1], np.float32))
    found = questions.nearest(np.array([1, 0], np.float32))
    assert len(questions) == 100
    assert [key for key, _ in found] == [str(each) for each in angles[:50]]
    assert [similarity for _, similarity in found] == pytest.approx([math.cos(each) for each in angles[:50]], abs=1e-6)


# how far --------------------------------------------------------------------------------------------------------


def test_without_evidence_the_reach_is_cautious_and_evidence_moves_it_either_way() -> None:
    beginning = Reach.of([])
    assert beginning.in_favor == beginning.against < 0
    agreed = [Prediction(0.0, "kept", 0.3, stands=True)] * 30
    refuted = [Prediction(0.0, "kept", 0.5, stands=False)] * 30
    assert Reach.of(agreed).in_favor > beginning.in_favor > Reach.of(refuted).in_favor
    assert Reach.of(agreed).against == beginning.against, "each side proves itself"
    assert Reach.of(agreed * 100).in_favor <= 0.5
    struck = [Prediction(0.0, "struck out", 0.7, stands=False)] * 30
    assert Reach.of(struck).against > beginning.against


def test_the_same_question_needs_no_proof() -> None:
    assert Reach.of([Prediction(0.0, "kept", 0.9, stands=False)] * 99).likeness(math.inf, is_for=True) == 1.0


def test_the_memory_learns_its_reach_from_votes_that_other_questions_confirm(memory: Memory) -> None:
    said: list[FeedbackEvent | Judgement] = []
    for number, word in enumerate(["now", "today", "here", "please", "then", "once", "soon", "lately"]):
        question, shown = f"How long is the leave of a parent {word}", ("c1 c2", "c2 c1")[number % 2]
        said += [
            act("ann", "deleted", "c2", question=question, shown=shown),
            judge("relevant", "c1", question),
        ]
    memory.take(said)
    before = memory.reach
    memory.learn_reach()
    assert memory.reach not in (Reach(), Reach.of([]))
    assert memory.reach.in_favor > before.in_favor


# the ranking ----------------------------------------------------------------------------------------------------


def ranked(*texts: str, scores: list[float] | None = None) -> list[RankedChunk]:
    candidates = make_candidates(*texts)
    values = scores or [0.5 / rank for rank in range(1, len(texts) + 1)]
    return [
        RankedChunk(candidate, rank, score, is_probability=True)
        for rank, (candidate, score) in enumerate(zip(candidates, values, strict=True), 1)
    ]


def recall(chunk: Chunk, kind: Any, likeness: float = 1.0, **more: Any) -> Recall:
    return Recall(Vote(QUESTION, chunk.ref, kind, **more), likeness)


def nowhere(_: Collection[PassageRef]) -> dict[PassageRef, Chunk]:
    return {}


def test_without_votes_the_ranking_stays_as_it_is() -> None:
    ranking = ranked("one", "two")
    assert with_votes(ranking, [], nowhere) == ranking
    assert ranking[0].unvoted_rank is None


def test_struck_out_for_the_same_question_is_out_of_the_citations_even_in_a_short_ranking() -> None:
    ranking = ranked("one", "two", "three")
    moved = with_votes(ranking, [recall(ranking[0].chunk, "struck out")], nowhere)
    assert [each.chunk.text for each in moved] == ["two", "three", "one"]
    assert [citation.chunk.text for citation in cite(moved, 5)] == ["two", "three"]
    assert [each.rank for each in moved] == [1, 2, 3]
    assert [each.unvoted_rank for each in moved] == [2, 3, 1]


def test_the_same_text_under_another_heading_has_the_same_votes() -> None:
    ranking = ranked("one", "two", "one")
    moved = with_votes(ranking, [recall(ranking[0].chunk, "struck out")], nowhere)
    assert [each.chunk.text for each in moved] == ["two", "one", "one"]
    assert [each.is_struck_out for each in moved] == [False, True, True]


def test_named_for_the_same_question_comes_first_even_if_search_missed_it() -> None:
    ranking = ranked("one", "two")
    missed = ranked("three")[0].chunk
    missed = replace(missed, id="missed")

    def found(passages: Collection[PassageRef]) -> dict[PassageRef, Chunk]:
        return {passage: missed for passage in passages if passage.chunk_id == "missed"}

    moved = with_votes(ranking, [recall(missed, "named")], found)
    assert [each.chunk.text for each in moved] == ["three", "one", "two"]
    assert with_votes(ranking, [recall(missed, "named")], nowhere) == ranking, "it is gone, or may not be read"
    assert with_votes(ranking, [recall(missed, "struck out")], found) == ranking


def test_a_like_question_moves_as_far_as_it_is_like() -> None:
    ranking = ranked("one", "two", "three", scores=[0.5, 0.4, 0.1])
    near = with_votes(ranking, [recall(ranking[2].chunk, "kept", 0.9)], nowhere)
    far = with_votes(ranking, [recall(ranking[2].chunk, "kept", 0.2)], nowhere)
    assert [each.chunk.text for each in near] == ["three", "one", "two"]
    assert near[0].score == pytest.approx(0.1 * 0.1 + 0.9 * 0.6)
    assert [each.chunk.text for each in far] == ["one", "two", "three"]
    lowered = with_votes(ranking, [recall(ranking[0].chunk, "struck out", 0.5)], nowhere)
    assert [each.chunk.text for each in lowered] == ["two", "one", "three"]
    assert not lowered[1].is_struck_out, "only for the same question"
    disputed = with_votes(ranking, [recall(ranking[0].chunk, "struck out", 0.5, trust=0.1)], nowhere)
    assert [each.chunk.text for each in disputed] == ["one", "two", "three"]


def test_a_vote_never_moves_a_passage_against_itself() -> None:
    ranking = ranked("one", "two", scores=[0.9, 0.01])
    kept = with_votes(ranking, [recall(ranking[0].chunk, "kept")], nowhere)
    assert kept[0].score == 0.9
    assert with_votes(ranking, [recall(ranking[1].chunk, "rejected", 0.9)], nowhere)[1].score == 0.01


def test_a_changed_passage_keeps_its_votes_only_if_it_says_nearly_the_same() -> None:
    text = "The parental leave is twelve months long, and it can be taken until the third birthday in 2 parts."
    ranking = ranked("another passage", text)
    old = ranking[1].chunk
    nearly = replace(old, id="old", text=text.replace("twelve months long", "twelve months  long,"))
    changed = replace(old, id="old", text=text.replace("2 parts", "3 parts"))
    rewritten = replace(old, id="old", text="Ask your manager.")
    assert with_votes(ranking, [recall(nearly, "named")], nowhere)[0].chunk.text == text
    assert with_votes(ranking, [recall(changed, "named")], nowhere) == ranking
    assert with_votes(ranking, [recall(rewritten, "named")], nowhere) == ranking


def test_a_vote_on_a_passage_that_search_missed_does_not_act_on_one_that_is_nearly_the_same() -> None:
    ranking = ranked("In the main building, visitors sign in at the desk and get a badge for the day.")
    missed = replace(ranking[0].chunk, id="missed", text=ranking[0].chunk.text.replace("main", "side"))
    struck, named = recall(missed, "struck out"), recall(missed, "named")
    assert with_votes(ranking, [struck], nowhere)[0].is_struck_out, "it is gone: this is what it says now"
    assert with_votes(ranking, [struck], lambda passages: dict.fromkeys(passages, missed)) == ranking
    moved = with_votes(ranking, [named], lambda passages: dict.fromkeys(passages, missed))
    assert [each.chunk for each in moved] == [missed, ranking[0].chunk]


def test_what_was_set_lower_than_its_score_stays_there() -> None:
    ranking = ranked("one", "two", "three", scores=[0.5, 0.4, 0.9])
    moved = with_votes(ranking, [recall(ranking[0].chunk, "struck out", 0.2)], nowhere)
    assert [each.chunk.text for each in moved] == ["one", "two", "three"]


def test_scores_that_are_no_probabilities_keep_their_order() -> None:
    candidates = make_candidates("one", "two", "three")
    ranking = [RankedChunk(candidate, rank, 9.0 - rank) for rank, candidate in enumerate(candidates, 1)]
    moved = with_votes(ranking, [recall(ranking[2].chunk, "named", 0.9)], nowhere)
    assert [each.chunk.text for each in moved] == ["three", "one", "two"]


def test_of_several_votes_the_one_of_the_likest_question_acts() -> None:
    chunk = ranked("one")[0].chunk
    kept, struck = recall(chunk, "kept", 0.8), recall(chunk, "struck out", 0.6)
    assert strongest([struck, kept]) == kept
    assert strongest([kept, recall(chunk, "struck out")]) == recall(chunk, "struck out")
    assert strongest([]) is None


# live -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(table: ChunkTable) -> tuple[Pipeline, FeedbackStore]:
    pipeline = Pipeline(Settings(home=table.home, reranker="none"), embedder=FakeEmbedder())
    return pipeline, FeedbackStore(table.home)


def test_votes_that_could_not_be_read_for_a_moment_are_read_before_the_next_question(
    asked: tuple[Pipeline, FeedbackStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, store = asked
    live, embedder = LiveMemory(pipeline.settings.home, 2), FakeEmbedder()
    store.judge([Judgement.of(QUESTION, ranked("one")[0].chunk.ref, "relevant", "cora")])
    with monkeypatch.context() as broken:
        broken.setattr("app.feedback.recall.question_vectors", fails)
        assert len(live.current(embedder)) == 0
    assert len(live.current(embedder)) == 1


def fails(*_: Any) -> Any:
    raise FeedbackError("the disk is full")


def test_a_search_alone_makes_no_database(tmp_path: Path) -> None:
    assert len(LiveMemory(tmp_path, 2).current(FakeEmbedder())) == 0
    assert list(tmp_path.iterdir()) == []


def ask(pipeline: Pipeline, store: FeedbackStore, user: str, question: str = "What does the VPN need?") -> Any:
    """An answer that cites all of its passages, as stored for this user."""
    ranked = pipeline.rank(question, user=user)
    text = " ".join(f"[{citation.number}]" for citation in ranked.citations)
    stored = store.answer(store.save_answer(replace(ranked, text=text, complete=True), f"of {user}", user), user)
    assert stored
    return stored


def cited(pipeline: Pipeline, user: str = "", **options: Any) -> list[str]:
    return [citation.chunk.id for citation in pipeline.rank("What does the VPN need?", user=user, **options).citations]


def test_a_strike_acts_on_the_next_question_and_is_taken_back_as_fast(asked: tuple[Pipeline, FeedbackStore]) -> None:
    pipeline, store = asked
    answer = ask(pipeline, store, "ann")
    first = answer.answer.citations[0].chunk.id
    store.record(answer, first, "deleted", "ann")
    assert first not in cited(pipeline, "ann")
    assert first in cited(pipeline, "bob")
    assert first in cited(pipeline, "ann", ignore_votes=True)
    other = Pipeline(pipeline.settings, embedder=FakeEmbedder())
    assert first not in cited(other, "ann"), "after a restart, too"
    store.record(answer, first, "undone", "ann")
    assert cited(pipeline, "ann") == cited(other, "ann") == cited(pipeline, "ann", ignore_votes=True)


def test_another_process_that_agrees_makes_it_act_for_all(asked: tuple[Pipeline, FeedbackStore], home: Path) -> None:
    pipeline, store = asked
    answers = {user: ask(pipeline, store, user) for user in ("ann", "bob")}
    first = answers["ann"].answer.citations[0].chunk.id
    store.record(answers["ann"], first, "deleted", "ann")
    assert first in cited(pipeline)
    FeedbackStore(home).record(answers["bob"], first, "deleted", "bob")
    assert first not in cited(pipeline)
    ranking = pipeline.rank("What does the VPN need?").ranking
    assert [each.vote.vote.num_people for each in ranking if each.vote] == [2]


def test_what_a_curator_names_is_cited_even_if_search_missed_it_but_not_outside_the_filter(
    asked: tuple[Pipeline, FeedbackStore],
) -> None:
    pipeline, store = asked
    answer = pipeline.rank("What does the VPN need?")
    last = answer.ranking[-1].chunk
    store.judge([Judgement.of("what does the vpn need", last.ref, "relevant", "cora")])
    few = Pipeline(pipeline.settings.model_copy(update={"num_candidates": 1}), embedder=FakeEmbedder())
    assert cited(few)[0] == cited(pipeline)[0] == last.id
    elsewhere = next(each.chunk.document for each in answer.ranking if each.chunk.document != last.document)
    assert last.id not in cited(few, within=Filter(documents=(elsewhere,)))


def test_an_unreadable_log_leaves_answers_as_they_are(asked: tuple[Pipeline, FeedbackStore], home: Path) -> None:
    pipeline, store = asked
    answer = ask(pipeline, store, "ann")
    first = answer.answer.citations[0].chunk.id
    store.record(answer, first, "deleted", "ann")
    assert first not in cited(pipeline, "ann")
    (home / "citeloop.sqlite3").write_bytes(b"not a database at all" * 100)
    assert first not in cited(pipeline, "ann")


def test_who_asks_again_is_not_held_to_what_they_left_standing(memory: Memory) -> None:
    memory.take([act("ann", "kept")])
    assert recalled(memory, "ann") == {}
    assert recalled(memory, "ann", "How long is the parental leave, then?") == {"c1": "kept"}
    memory.take([act("bob", "kept")])
    assert recalled(memory, "cid") == {"c1": "kept"}, "two people who were satisfied"
