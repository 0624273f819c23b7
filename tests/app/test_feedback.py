from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from app.answer import Answer, cite
from app.feedback import (
    ACTIONS,
    REASONS,
    Action,
    FeedbackError,
    FeedbackEvent,
    FeedbackStore,
    Judgement,
    Label,
    StoredAnswer,
    earlier_name,
    new_id,
    user_of_cookie,
)
from app.feedback.recall import LiveMemory
from app.pipeline import Pipeline
from app.reranking.rerank import Blend, rerank
from app.search.search import Candidate
from ingest.chunk import Chunk
from tests.app.builders import make_answer, make_earlier
from tests.conftest import FakeEmbedder, FakeReranker


@pytest.fixture
def store(home: Path) -> FeedbackStore:
    return FeedbackStore(home)


@pytest.fixture
def shown(store: FeedbackStore) -> StoredAnswer:
    """An answer with three passages, two of them cited."""
    store.save_answer(make_answer(passages=("One.", "Two.", "Three."), num_citations=2), "talk", "ada")
    return store.conversation("talk", "ada")[0]


def chunk_ids(shown: StoredAnswer) -> list[str]:
    return [ranked.chunk.id for ranked in shown.answer.ranking]


def acts(store: FeedbackStore) -> list[tuple[str, str | None]]:
    return [(event.action, event.reason) for event in store.events()]


# Answers ---------------------------------------------------------------------------------------------


def test_an_answer_comes_back_as_it_was(store: FeedbackStore) -> None:
    chunk = Chunk("c" * 16, "d" * 16, "a/ü.pdf", "Über 'uns'", ("A", "B > C"), "Zeile\n| 1 | 🏖 |", 7, 12, 30)
    bare = Chunk("e" * 16, "f" * 16, "b.md", "B", (), "", None, 0, 0)
    candidates = [
        Candidate(chunk, 1, 1 / 61 + 1 / 62, 1, 0.1 + 0.2, 2, 1e-300),
        Candidate(bare, 2, 1 / 63, text_rank=3, text_score=1 / 3),
    ]
    ranking = rerank("q", candidates, FakeReranker({"🏖": -1 / 7}, Blend(1, 1, 1)))
    answer = Answer(
        "Wie viele Tage?",
        "Dreißig [1].",
        "extractive",
        cite(ranking, 1),
        tuple(ranking),
        "shipped",
        {"search": 0.1, "rerank": 2 / 3},
        found=False,
        complete=False,
        note='cut "off"',
        ranking_note="cut",
        reranker_version="c0ffee",
        embedder="fake",
        without=(bare.id,),
    )
    id = store.save_answer(answer, "talk", "ada")
    (stored,) = store.conversation("talk", "ada")
    assert stored.answer == answer
    assert isinstance(stored.answer.ranking[0].chunk.headings, tuple)
    assert (stored.id, stored.conversation_id, stored.user) == (id, "talk", "ada")
    assert abs(datetime.now(UTC) - stored.asked_at) < timedelta(minutes=1)


def test_an_answer_is_found_by_its_id(store: FeedbackStore, shown: StoredAnswer) -> None:
    assert store.answer(shown.id, "ada") == shown
    assert store.answer("nobody's", "ada") is None


def test_an_answer_of_the_pipeline_comes_back_as_it_was(store: FeedbackStore, pipeline: Pipeline) -> None:
    answer = pipeline.rank("How many days of leave?")
    assert answer.ranking
    store.save_answer(answer, "talk", "ada")
    assert store.conversation("talk", "ada")[0].answer == answer


def test_a_conversation_keeps_its_order_and_knows_no_other(store: FeedbackStore) -> None:
    for number in range(5):
        store.save_answer(make_answer(f"Answer {number}."), "talk", "ada")
        store.save_answer(make_answer("Elsewhere."), "other talk", "ada")
    assert [stored.answer.text for stored in store.conversation("talk", "ada")] == [f"Answer {n}." for n in range(5)]
    assert store.conversation("nobody's", "ada") == []


def test_a_later_version_takes_the_place_of_the_earlier(store: FeedbackStore) -> None:
    id = store.save_answer(make_answer("Thir"), "talk", "ada")
    before = store.conversation("talk", "ada")[0]
    store.save_answer(make_answer("Second question."), "talk", "ada")
    store.update_answer(id, make_answer("Thirty days."))
    first, second = store.conversation("talk", "ada")
    assert (first.answer.text, second.answer.text) == ("Thirty days.", "Second question.")
    assert first == replace(before, answer=make_answer("Thirty days."))


def test_what_was_removed_does_not_come_back_when_its_answer_is_ready(store: FeedbackStore) -> None:
    id = store.save_answer(make_answer(""), "talk", "ada")
    store.remove_conversation("talk", "ada")
    store.update_answer(id, make_answer("Thirty days."))
    assert store.answer(id, "ada") is None


# Conversations ---------------------------------------------------------------------------------------


@pytest.fixture
def talks(store: FeedbackStore) -> FeedbackStore:
    for conversation, user, question, text in [
        ("leave", "ada", "How many days?", "Thirty days [1]."),
        ("leave", "ada", "And in a leap year?", "As many [1]."),
        ("hotels", "ada", "What may a hotel cost?", "150 euros [1]."),
        ("vpn", "ben", "How many tunnels?", "Thirty tunnels [1]."),
    ]:
        store.save_answer(replace(make_answer(text), question=question), conversation, user)
    return store


def titles(store: FeedbackStore, words: str = "", user: str = "ada") -> list[str]:
    return [each.title for each in store.conversations(user, words)]


def test_conversations_are_listed_by_their_first_question_the_newest_first(talks: FeedbackStore) -> None:
    assert titles(talks) == ["What may a hotel cost?", "How many days?"]
    hotels, leave = talks.conversations("ada")
    assert (leave.id, leave.num_questions, hotels.num_questions) == ("leave", 2, 1)
    assert leave.started_at <= leave.last_asked_at <= hotels.started_at
    assert [each.id for each in talks.conversations("ada", last=1)] == ["hotels"]


def test_conversations_are_found_by_all_the_words_of_titles_questions_and_answers(talks: FeedbackStore) -> None:
    assert titles(talks, "EUROS hotel") == ["What may a hotel cost?"]
    assert titles(talks, "leap thirty") == ["How many days?"]
    assert titles(talks, "tunnels") == []
    talks.rename_conversation("leave", "ada", " Time \n off ")
    assert titles(talks, "time off") == ["Time off"]
    assert titles(talks, "100%_\"'") == []


def test_an_empty_title_brings_the_first_question_back(talks: FeedbackStore) -> None:
    talks.rename_conversation("leave", "ada", "x" * 500)
    assert titles(talks)[1] == "x" * 200
    talks.rename_conversation("leave", "ada", " ")
    assert titles(talks)[1] == "How many days?"


def test_what_is_removed_is_gone_but_its_feedback_and_its_number(talks: FeedbackStore) -> None:
    turn = talks.conversation("leave", "ada")[0]
    talks.record(turn, turn.answer.citations[0].chunk.id, "deleted", "ada")
    shown = talks.shown()
    talks.rename_conversation("leave", "ada", "Time off")
    talks.remove_conversation("leave", "ada")
    assert titles(talks) == ["What may a hotel cost?"]
    assert talks.answer(turn.id, "ada") is None
    assert [event.question for event in talks.events()] == ["How many days?"]
    assert talks.shown() == shown


def test_somebody_elses_conversation_is_not_touched(talks: FeedbackStore) -> None:
    with pytest.raises(FeedbackError, match="not there any more"):
        talks.remove_conversation("vpn", "ada")
    with pytest.raises(FeedbackError, match="not there any more"):
        talks.rename_conversation("vpn", "ada", "Mine")
    assert titles(talks, user="ben") == ["How many tunnels?"]


def test_what_somebody_else_asked_is_as_if_it_were_not_there(talks: FeedbackStore) -> None:
    (turn,) = talks.conversation("vpn", "ben")
    talks.rename_conversation("vpn", "ben", "Tunnels")
    assert talks.answer(turn.id, "ben") == turn
    assert talks.answer(turn.id, "ada") is None
    assert talks.conversation("vpn", "ada") == []
    assert (talks.title("vpn", "ben"), talks.title("vpn", "ada")) == ("Tunnels", "")


def test_a_program_has_what_it_asked_for_its_users_and_nothing_else(store: FeedbackStore) -> None:
    asked = store.save_answer(make_answer(), "one", "api:wiki/ann")
    assert store.answer(asked, "api:wiki") is not None
    assert store.answer(asked, "api:wiki/ann") is not None
    assert [store.answer(asked, user) for user in ("api:wik", "api:wiki2", "api:wiki/an", "api:help", "api", "")] == [
        None
    ] * 6
    own = store.save_answer(make_answer(), "two", "https://idp/ann")
    assert store.answer(own, "https:") is None


# Shares ----------------------------------------------------------------------------------------------


def test_a_shared_conversation_is_read_by_its_token_alone(talks: FeedbackStore) -> None:
    assert talks.share_token("leave", "ada") == ""
    token = talks.share("leave", "ada")
    assert talks.share("leave", "ada") == talks.share_token("leave", "ada") == token
    assert talks.shared_conversation(token) == talks.conversation("leave", "ada")
    assert talks.share_token("leave", "ben") == ""
    assert [talks.shared_conversation(wrong) for wrong in ("", "leave", token.lower(), token[:-1])] == [[]] * 4
    assert talks.conversation("leave", "ben") == []  # the token opens it, not its id


def test_a_link_ends_after_thirty_days(talks: FeedbackStore, monkeypatch: pytest.MonkeyPatch) -> None:
    made = datetime.now(UTC) - timedelta(days=29, hours=23)
    monkeypatch.setattr("app.feedback.conversations.now", made.isoformat)
    nearly = talks.share("leave", "ada")
    monkeypatch.setattr("app.feedback.conversations.now", (made - timedelta(hours=1)).isoformat)
    over = talks.share("vpn", "ben")
    assert talks.shared_until(nearly) == made + timedelta(days=30)
    assert talks.shared_conversation(nearly)
    assert talks.shared_conversation(over) == []
    assert talks.share_token("vpn", "ben") == ""
    monkeypatch.undo()
    assert talks.share("vpn", "ben") != over


def test_a_conversation_that_is_no_longer_shared_is_closed(talks: FeedbackStore) -> None:
    first = talks.share("leave", "ada")
    talks.stop_sharing("leave", "ben")
    assert talks.shared_conversation(first)
    talks.stop_sharing("leave", "ada")
    assert talks.shared_conversation(first) == []
    second = talks.share("leave", "ada")
    assert second != first
    talks.remove_conversation("leave", "ada")
    talks.save_answer(make_answer(), "leave", "ada")  # such as an answer that was being made in another tab
    assert talks.shared_conversation(second) == []


def test_only_its_owner_shares_a_conversation(talks: FeedbackStore) -> None:
    with pytest.raises(FeedbackError, match="not there any more"):
        talks.share("vpn", "ada")
    with pytest.raises(FeedbackError, match="not there any more"):
        talks.share("unknown", "ada")


# Users -----------------------------------------------------------------------------------------------

COOKIE = "5eed" * 8


def test_a_database_whose_users_are_cookies_gets_their_digests(store: FeedbackStore, home: Path) -> None:
    """As the first version wrote it, before PRAGMA user_version was set."""
    store.save_answer(make_answer(), "talk", COOKIE)
    (shown,) = store.conversation("talk", COOKIE)
    for user in (COOKIE, "ann@example.org", "api:wiki"):
        store.record(shown, chunk_ids(shown)[0], "deleted", user)
    store.record_kept(shown, COOKIE)
    store.judge([Judgement.of(store.events()[0].question, store.events()[0], "relevant", COOKIE)])
    store.share("talk", COOKIE)
    make_earlier(home, 0)
    opened, user = FeedbackStore(home), user_of_cookie(COOKIE)
    assert [turn.id for turn in opened.conversation("talk", user)] == [shown.id]
    assert opened.share_token("talk", user)
    assert {event.user for event in opened.events()} == {user, "ann@example.org", "api:wiki"}
    assert [judgement.user for judgement in opened.judgements()] == [user]
    num_events = len(opened.events())
    opened.record_kept(shown, user)  # the ids of events have moved with it
    assert len(opened.events()) == num_events
    again = FeedbackStore(home)  # and a digest is not taken for a cookie
    assert [turn.id for turn in again.conversation("talk", user)] == [shown.id]
    assert all(COOKIE.encode() not in path.read_bytes() for path in _compacted(home))


def _compacted(home: Path) -> list[Path]:
    with closing(sqlite3.connect(home / "citeloop.sqlite3")) as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return list(home.glob("citeloop.*"))


def test_a_user_takes_over_what_stands_under_an_earlier_name(store: FeedbackStore) -> None:
    user = user_of_cookie(COOKIE)
    store.save_answer(make_answer(), "talk", earlier_name(user))
    (shown,) = store.conversation("talk", earlier_name(user))
    store.record(shown, chunk_ids(shown)[0], "deleted", earlier_name(user), "outdated")
    store.record_kept(shown, earlier_name(user))
    store.take_over(earlier_name(user), user)
    assert [turn.id for turn in store.conversation("talk", user)] == [shown.id]
    assert store.conversation("talk", earlier_name(user)) == []
    assert list(store.deleted(shown.id, user)) == [chunk_ids(shown)[0]]
    num_events = len(store.events())
    store.record_kept(shown, user)
    assert len(store.events()) == num_events


def test_who_knows_the_user_does_not_know_the_cookie() -> None:
    user = user_of_cookie(COOKIE)
    assert re.fullmatch(r"[0-9a-f]{32}", user)
    assert COOKIE not in user
    assert user_of_cookie(user) != user


def test_ids_cannot_be_guessed() -> None:
    ids = {new_id() for _ in range(100)}
    assert len(ids) == 100
    assert {len(bytes.fromhex(id)) for id in ids} == {16}


# Events ----------------------------------------------------------------------------------------------


def test_an_event_copies_all_that_was_true(store: FeedbackStore, shown: StoredAnswer) -> None:
    second = shown.answer.ranking[1]
    event = store.record(shown, second.chunk.id, "deleted", "bob", "outdated")
    assert event is not None
    row = asdict(event)
    assert {name: value for name, value in second.as_row().items() if name in row} == {
        name: row[name] for name in second.as_row() if name in row
    }
    assert (event.text, event.rank, event.vector_score, event.text_rank) == ("Two.", 2, 0.5, None)
    assert (event.user, event.action, event.reason, event.number) == ("bob", "deleted", "outdated", 2)
    assert (event.answer_id, event.question, event.reranker) == (shown.id, "How many days?", "none")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(event.at)) < timedelta(minutes=1)
    assert store.events() == [event]


PLACE = ("chunk_id", "document", "title", "heading", "page", "text")


def test_an_event_has_these_names(store: FeedbackStore, shown: StoredAnswer) -> None:
    event = store.record(shown, chunk_ids(shown)[0], "deleted", "ada")
    assert event is not None
    assert list(asdict(event)) == [
        *PLACE,
        "id",
        "at",
        "user",
        "action",
        "reason",
        "answer_id",
        "question",
        "reranker",
        "reranker_version",
        "embedder",
        "answered_by",
        "number",
        "rank",
        "score",
        "reranker_score",
        "fused_rank",
        "fused_score",
        "vector_rank",
        "vector_score",
        "text_rank",
        "text_score",
        "shown",
    ]


def test_striking_out_again_does_not_lose_the_reason(store: FeedbackStore, shown: StoredAnswer) -> None:
    chunk_id = chunk_ids(shown)[0]
    store.record(shown, chunk_id, "deleted", "ada", "outdated")
    assert store.record(shown, chunk_id, "deleted", "ada") is None
    assert store.deleted(shown.id, "ada")[chunk_id].reason == "outdated"


def test_delete_undo_delete_are_three_events_with_ids_of_their_own(store: FeedbackStore, shown: StoredAnswer) -> None:
    first = chunk_ids(shown)[0]
    struck: list[set[str]] = []
    actions: tuple[Action, ...] = ("deleted", "undone", "deleted")
    for action in actions:
        store.record(shown, first, action, "ada")
        struck.append(set(store.deleted(shown.id, "ada")))
    assert acts(store) == [("deleted", None), ("undone", None), ("deleted", None)]
    assert struck == [{first}, set(), {first}]
    assert len({event.id for event in store.events()}) == 3


def test_clicking_twice_is_one_event(store: FeedbackStore, shown: StoredAnswer) -> None:
    first = chunk_ids(shown)[0]
    assert store.record(shown, first, "deleted", "ada") is not None
    assert store.record(shown, first, "deleted", "ada") is None
    assert store.record(shown, first, "undone", "ada") is not None
    assert store.record(shown, first, "undone", "ada") is None
    assert len(store.events()) == 2


def test_many_threads_that_click_at_once_make_one_event(store: FeedbackStore, shown: StoredAnswer) -> None:
    first = chunk_ids(shown)[0]
    start = threading.Barrier(8)
    recorded: list[FeedbackEvent | None] = []

    def click() -> None:
        start.wait()
        recorded.append(store.record(shown, first, "deleted", "ada"))

    threads = [threading.Thread(target=click) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(recorded) == 8
    assert [event for event in recorded if event] == store.events()
    assert len(store.events()) == 1


def test_many_threads_lose_no_event(store: FeedbackStore, shown: StoredAnswer) -> None:
    first = chunk_ids(shown)[0]
    threads = [
        threading.Thread(target=store.record, args=(shown, first, "deleted", f"user {number}")) for number in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {event.user for event in store.events()} == {f"user {number}" for number in range(12)}


def test_a_reason_given_later_stands_for_the_deletion(store: FeedbackStore, shown: StoredAnswer) -> None:
    first = chunk_ids(shown)[0]
    store.record(shown, first, "deleted", "ada")
    later = store.record(shown, first, "deleted", "ada", "duplicate")
    assert store.record(shown, first, "deleted", "ada", "duplicate") is None
    assert acts(store) == [("deleted", None), ("deleted", "duplicate")]
    assert store.deleted(shown.id, "ada") == {first: later}


def test_reasons_are_these_five() -> None:
    assert REASONS == ("not relevant", "outdated", "duplicate", "wrong page", "other")


def test_undoing_what_was_not_deleted_is_nothing(store: FeedbackStore, shown: StoredAnswer) -> None:
    assert store.record(shown, chunk_ids(shown)[0], "undone", "ada") is None
    assert store.events() == []


def test_undoing_what_was_not_deleted_is_nothing_whatever_the_reason(store: FeedbackStore, shown: StoredAnswer) -> None:
    assert store.record(shown, chunk_ids(shown)[0], "undone", "ada", "other") is None


def test_users_answers_and_citations_are_kept_apart(store: FeedbackStore, shown: StoredAnswer) -> None:
    first, second, _ = chunk_ids(shown)
    store.save_answer(shown.answer, "talk", "ada")
    again = store.conversation("talk", "ada")[1]
    store.record(shown, first, "deleted", "ada")
    store.record(shown, second, "deleted", "bob")
    store.record(again, second, "deleted", "ada")
    assert set(store.deleted(shown.id, "ada")) == {first}
    assert set(store.deleted(shown.id, "bob")) == {second}
    assert set(store.deleted(again.id, "ada")) == {second}
    assert store.deleted(again.id, "bob") == {}


@pytest.mark.parametrize("action", ["deleted", "undone", "kept"])
def test_a_passage_that_the_answer_does_not_cite_cannot_be_struck_or_kept(
    action: Action, store: FeedbackStore, shown: StoredAnswer
) -> None:
    for chunk_id in (chunk_ids(shown)[2], "no such chunk"):
        with pytest.raises(KeyError, match=f"answer {shown.id} does not cite chunk {chunk_id}"):
            store.record(shown, chunk_id, action, "ada")
    assert store.events() == []


def test_an_event_says_what_the_answer_came_from(store: FeedbackStore, shown: StoredAnswer) -> None:
    answer = replace(shown.answer, reranker="shipped", reranker_version="c0ffee", embedder="fake", answered_by="writer")
    event = store.record(replace(shown, answer=answer), chunk_ids(shown)[0], "opened", "ada")
    assert event is not None
    assert (event.reranker, event.reranker_version) == ("shipped", "c0ffee")
    assert (event.embedder, event.answered_by) == ("fake", "writer")
    assert store.events() == [event]


# Kept and opened -------------------------------------------------------------------------------------


def test_actions_are_these_four() -> None:
    assert ACTIONS == ("deleted", "undone", "kept", "opened")


@pytest.mark.parametrize("action", ["kept", "opened"])
def test_kept_and_opened_are_noted_once_for_each_user(
    action: Action, store: FeedbackStore, shown: StoredAnswer
) -> None:
    first, second, _ = chunk_ids(shown)
    assert store.record(shown, first, action, "ada") is not None
    assert store.record(shown, first, action, "ada") is None
    assert store.record(shown, first, action, "bob") is not None
    assert store.record(shown, second, action, "ada") is not None
    assert acts(store) == [(action, None)] * 3


def test_kept_and_opened_change_nothing_in_what_is_deleted(store: FeedbackStore, shown: StoredAnswer) -> None:
    first = chunk_ids(shown)[0]
    actions: tuple[Action, ...] = ("opened", "deleted", "kept", "deleted", "opened", "undone", "kept", "deleted")
    struck = []
    for action in actions:
        store.record(shown, first, action, "ada")
        struck.append(bool(store.deleted(shown.id, "ada")))
    assert struck == [False, True, True, True, True, False, False, True]
    assert [action for action, _ in acts(store)] == ["opened", "deleted", "kept", "undone", "deleted"]
    assert len({event.id for event in store.events()}) == 5


def test_what_was_opened_and_not_deleted_cannot_be_undone(store: FeedbackStore, shown: StoredAnswer) -> None:
    store.record(shown, chunk_ids(shown)[0], "opened", "ada")
    assert store.record(shown, chunk_ids(shown)[0], "undone", "ada") is None


def test_a_passage_that_was_ranked_and_not_cited_can_be_opened(store: FeedbackStore, shown: StoredAnswer) -> None:
    event = store.record(shown, chunk_ids(shown)[2], "opened", "ada")
    assert event is not None
    assert (event.number, event.rank, event.text) == (None, 3, "Three.")
    assert store.events() == [event]
    with pytest.raises(KeyError, match="does not rank chunk nowhere"):
        store.record(shown, "nowhere", "opened", "ada")


def keep(store: FeedbackStore, **changes: object) -> StoredAnswer:
    """An answer with three citations, of which the text uses the first and the last."""
    answer = make_answer("One [1]. Three [3].", passages=("One.", "Two.", "Three.", "Four."), num_citations=3)
    store.save_answer(replace(answer, **changes), "kept", "ada")  # type: ignore[arg-type]
    return store.conversation("kept", "ada")[-1]


def test_what_the_text_used_is_kept(store: FeedbackStore) -> None:
    shown = keep(store)
    events = store.record_kept(shown, "ada")
    assert [(event.action, event.number, event.user) for event in events] == [("kept", 1, "ada"), ("kept", 3, "ada")]
    assert store.events() == events
    assert store.record_kept(shown, "ada") == []
    assert len(store.record_kept(shown, "bob")) == 2


def test_what_is_struck_out_is_not_kept_and_what_is_undone_is(store: FeedbackStore) -> None:
    shown = keep(store)
    first, _, third, _ = chunk_ids(shown)
    store.record(shown, first, "deleted", "ada")
    store.record(shown, first, "opened", "ada")
    store.record(shown, third, "deleted", "bob")
    assert [event.chunk_id for event in store.record_kept(shown, "ada")] == [third]
    store.record(shown, first, "undone", "ada")
    assert [event.chunk_id for event in store.record_kept(shown, "ada")] == [first]


@pytest.mark.parametrize("state", ["complete", "found"])
def test_an_answer_that_was_cut_off_or_found_nothing_is_not_kept(state: str, store: FeedbackStore) -> None:
    assert store.record_kept(keep(store, **{state: False}), "ada") == []
    assert store.events() == []


# Judgements ------------------------------------------------------------------------------------------


def say(label: Label = "relevant", text: str = "One.", question: str = "How many?", **more: str) -> Judgement:
    return Judgement(user="cara", question=question, label=label, text=text, **more)  # type: ignore[arg-type]


def said(store: FeedbackStore) -> list[tuple[str, str, str]]:
    return [(each.question, each.text, each.label) for each in store.judgements()]


def test_a_judgement_copies_the_place_of_what_it_judges(store: FeedbackStore, shown: StoredAnswer) -> None:
    event = store.record(shown, chunk_ids(shown)[1], "deleted", "ada")
    assert event is not None
    assert store.judge([Judgement.of(event.question, event, "not relevant", "cara", "imported from log.jsonl")]) == 1
    (judgement,) = store.judgements()
    place = ("question", *PLACE)
    assert [getattr(judgement, name) for name in place] == [getattr(event, name) for name in place]
    assert (judgement.user, judgement.label, judgement.origin) == ("cara", "not relevant", "imported from log.jsonl")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(judgement.at)) < timedelta(minutes=1)
    assert judgement.id


def test_a_judgement_has_these_names() -> None:
    assert list(asdict(say())) == [
        *PLACE,
        "id",
        "at",
        "user",
        "question",
        "label",
        "origin",
    ]


def test_the_last_judgement_stands(store: FeedbackStore) -> None:
    assert store.judge([say("relevant"), say("relevant", "Two."), say("left out", question="Why?")]) == 3
    assert store.judge([say("not relevant"), say("left out")]) == 2
    assert said(store) == [
        ("How many?", "Two.", "relevant"),
        ("Why?", "One.", "left out"),
        ("How many?", "One.", "left out"),
    ]
    assert len({each.id for each in store.judgements()}) == 3


def test_a_judgement_that_repeats_what_stands_is_not_new(store: FeedbackStore) -> None:
    assert store.judge([say(), say(), say(origin="imported from a.csv")]) == 1
    before = store.judgements()
    assert store.judge([say()]) == 0
    assert store.judgements() == before
    assert before[0].origin == "curator"
    assert store.judge([say("left out"), say("relevant")]) == 2  # it is what stood, but no longer


def test_a_judgement_can_be_withdrawn_and_made_again(store: FeedbackStore) -> None:
    store.judge([say("relevant"), say("relevant", "Two.")])
    assert store.judge([say("withdrawn"), say("withdrawn")]) == 1
    assert said(store) == [("How many?", "Two.", "relevant")]
    assert store.judge([say("relevant")]) == 1
    assert len(store.judgements()) == 2


def test_capitals_spaces_and_closing_marks_make_no_other_question(store: FeedbackStore) -> None:
    assert store.judge([say(question="How many days?"), say(question=" how  MANY days ")]) == 1
    assert store.judge([say("left out", question="how many days")]) == 1
    assert said(store) == [("how many days", "One.", "left out")]
    assert store.judge([say(question="How many?", text="days\0One."), say(question="How many", text="One.")]) == 2


def test_judgements_that_cannot_all_be_kept_are_none(store: FeedbackStore) -> None:
    with pytest.raises(RuntimeError):
        store.judge(_break_after(say(), say(text="Two.")))
    assert store.judgements() == []


def _break_after(*judgements: Judgement) -> Iterator[Judgement]:
    yield from judgements
    raise RuntimeError


def test_many_threads_that_judge_at_once_make_one_judgement(store: FeedbackStore) -> None:
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(lambda _: store.judge([say(), say(text="Two.")]), range(8))) == 2
    assert len(store.judgements()) == 2


# Older files -----------------------------------------------------------------------------------------

OLD_EVENT = {
    "id": "e1",
    "at": "2025-11-03T10:00:00.000+00:00",
    "user": "ada",
    "action": "deleted",
    "reason": "outdated",
    "answer_id": "a1",
    "question": "How many days?",
    "reranker": "shipped",
    "number": 1,
    "chunk_id": "c1",
    "document": "guide.md",
    "title": "Guide",
    "heading": "",
    "page": None,
    "text": "One.",
    "rank": 1,
    "score": 0.5,
    "reranker_score": 2.5,
    "fused_rank": 2,
    "fused_score": 0.01,
    "vector_rank": 1,
    "vector_score": 0.75,
    "text_rank": None,
    "text_score": None,
}
OLD_SCHEMA = f"""
CREATE TABLE answers (
    id TEXT PRIMARY KEY, conversation_id TEXT NOT NULL, user TEXT NOT NULL, asked_at TEXT NOT NULL,
    answer TEXT NOT NULL
);
CREATE INDEX answers_by_conversation ON answers (conversation_id, asked_at);
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, {", ".join(OLD_EVENT)}, UNIQUE (id)
);
CREATE INDEX events_by_citation ON events (answer_id, chunk_id, user);
"""
NEW_FIELDS = ("ranking_note", "reranker_version", "embedder", "without")


@pytest.fixture
def old_home(home: Path) -> Path:
    """A home whose feedback was written by version 0.1: an answer and an event."""
    home.mkdir()
    answer = json.loads(TypeAdapter(Answer).dump_json(make_answer()))
    stored = {name: value for name, value in answer.items() if name not in NEW_FIELDS}
    assert len(answer) == len(stored) + len(NEW_FIELDS)
    with closing(sqlite3.connect(home / "feedback.sqlite3")) as connection, connection:
        connection.executescript(OLD_SCHEMA)
        connection.execute(
            "INSERT INTO answers VALUES ('a1', 'talk', 'ada', '2025-11-03T09:00:00.000+00:00', ?)",
            (json.dumps(stored),),
        )
        names = ", ".join(OLD_EVENT)
        connection.execute(
            f"INSERT INTO events ({names}) VALUES ({', '.join('?' * len(OLD_EVENT))})", list(OLD_EVENT.values())
        )
    return home


def test_an_older_file_keeps_what_is_in_it(old_home: Path) -> None:
    store = FeedbackStore(old_home)
    (event,) = store.events()
    new = {"reranker_version": "", "embedder": "", "answered_by": "", "shown": ""}
    assert asdict(event) == {**OLD_EVENT, **new}
    (stored,) = store.conversation("talk", "ada")
    assert stored.answer == make_answer()
    assert (stored.answer.reranker_version, stored.answer.embedder, stored.answer.without) == ("", "", ())


def test_an_older_file_goes_on(old_home: Path) -> None:
    store = FeedbackStore(old_home)
    (shown,) = store.conversation("talk", "ada")
    shown = replace(shown, answer=replace(shown.answer, embedder="fake"))
    actions: tuple[Action, ...] = ("opened", "deleted", "undone", "kept")
    events = [store.record(shown, chunk_ids(shown)[0], action, "ada") for action in actions]
    assert FeedbackStore(old_home).events()[1:] == events
    assert {event.embedder for event in events if event} == {"fake"}
    assert store.judge([say()]) == 1


def test_an_older_file_may_be_opened_by_many_at_once(old_home: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        stores = list(threads.map(FeedbackStore, [old_home] * 8))
    assert [len(store.events()) for store in stores] == [1] * 8


# The log ---------------------------------------------------------------------------------------------


def test_the_log_is_oldest_first(store: FeedbackStore, shown: StoredAnswer) -> None:
    first, second, _ = chunk_ids(shown)
    expected = [
        store.record(shown, second, "deleted", "zoe"),
        store.record(shown, first, "deleted", "ada"),
        store.record(shown, second, "undone", "zoe"),
        store.record(shown, second, "deleted", "ada", "wrong page"),
    ]
    assert store.events() == expected


def test_opening_the_file_again_finds_everything(home: Path, store: FeedbackStore, shown: StoredAnswer) -> None:
    event = store.record(shown, chunk_ids(shown)[0], "deleted", "ada", "other")
    reopened = FeedbackStore(home)
    assert reopened.events() == [event]
    assert reopened.conversation("talk", "ada") == [shown]
    assert reopened.record(shown, chunk_ids(shown)[0], "deleted", "ada", "other") is None


# Processes that are killed ---------------------------------------------------------------------------

NUM_KILLS = int(os.environ.get("CITELOOP_TEST_KILLS", "12"))
SEED = int(os.environ.get("CITELOOP_TEST_SEED", "20"))

ACT_FOR_EVER = """
import os, signal, sys
from pathlib import Path
from app.feedback import FeedbackStore, Judgement
from app.memory.votes import Statement

store = FeedbackStore(Path(sys.argv[1]))
(question,) = store.conversation("talk", "ada")
first, second, third = (citation.chunk.id for citation in question.answer.citations)
sources = tuple(citation.chunk.ref for citation in question.answer.citations[:2])


def tell(*words):  # in one piece: half a line of one that is killed would run into the next one's
    os.write(1, f"{' '.join(map(str, words))}\\n".encode())


def act_for_ever():
    while True:
        answer_id = store.save_answer(question.answer, "acts", "ada")
        shown = store.answer(answer_id, "ada")
        for chunk_id, action in [(first, "opened"), (first, "deleted"), (first, "undone"), (second, "deleted")]:
            tell(store.record(shown, chunk_id, action, "ada").id)
        tell(*(event.id for event in store.record_kept(shown, "ada")))
        said = [Judgement(user="cara", question=answer_id, label="relevant", text=text) for text in ("One.", "Two.")]
        tell("judged", answer_id, store.judge(said))
        store.say([Statement(f"written {answer_id}", "cara", text="One [1].", sources=sources)])
        tell("said", answer_id)


signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
for _ in sys.stdin:
    process = os.fork()
    if not process:
        act_for_ever()
    tell("begin", process)
"""


def kill_writers(home: Path) -> list[list[str]]:
    """Start one after the other and kill it at any moment; returns the words of each line that they have told.

    Each is a fork of one that has imported everything, so that the kill meets it at work.
    """
    chance = random.Random(SEED)
    told: list[list[str]] = []
    command = [sys.executable, "-W", "ignore", "-c", ACT_FOR_EVER, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdin
        assert starter.stdout
        for _ in range(NUM_KILLS):
            print("go", file=starter.stdin, flush=True)
            while not told or told[-1][0] != "begin":
                told.append(starter.stdout.readline().split())
            process = int(told[-1][1])
            told += [starter.stdout.readline().split() for _ in range(chance.randrange(15))]
            time.sleep(chance.random() * 0.02)
            os.kill(process, signal.SIGKILL)
            told.append(["killed"])
        return told + [line.split() for line in starter.communicate()[0].splitlines()]


@pytest.mark.slow
def test_what_a_killed_writer_has_told_is_there_whole_and_once(home: Path, store: FeedbackStore) -> None:
    answer = make_answer("One [1]. Two [2]. Three [3].", passages=("One.", "Two.", "Three."))
    store.save_answer(answer, "talk", "ada")
    told = kill_writers(home)
    told_events = [word for words in told for word in words if words[0] not in ("begin", "killed", "judged", "said")]
    told_judgements = [words[1] for words in told if words[0] == "judged"]
    told_statements = {f"written {words[1]}" for words in told if words[0] == "said"}
    assert told_events
    stored = FeedbackStore(home).events()
    ids = [event.id for event in stored]
    assert len(ids) == len(set(ids)) >= len(told_events) == len(set(told_events))
    assert set(told_events) <= set(ids)
    assert len(ids) <= len(told_events) + 2 * NUM_KILLS  # of each that was killed, the act that it did not come to tell
    assert {(event.text, event.rank, event.fused_rank) for event in stored} <= {
        ("One.", 1, 1),
        ("Two.", 2, 2),
        ("Three.", 3, 3),
    }
    kept = Counter(event.answer_id for event in stored if event.action == "kept")
    assert set(kept.values()) <= {2}  # both or none
    judged = Counter(judgement.question for judgement in FeedbackStore(home).judgements())
    assert set(judged.values()) <= {2}
    assert set(told_judgements) <= set(judged)
    statements = {statement.question: len(statement.sources) for statement in FeedbackStore(home).statements()}
    assert told_statements
    assert told_statements <= statements.keys() == {question for question in judged if question[:8] == "written "}
    assert set(statements.values()) == {2}
    memory = LiveMemory(home, min_people=1).current(FakeEmbedder())
    named = {vote.question for vote in memory.votes() if vote.kind == "named"}
    assert named == set(judged), "whatever was said acts after a restart"
    with closing(sqlite3.connect(home / "citeloop.sqlite3")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    (question,) = store.conversation("talk", "ada")
    assert store.record(question, chunk_ids(question)[1], "deleted", "ada") is not None


def test_an_act_on_a_follow_up_is_about_the_question_in_full(store: FeedbackStore) -> None:
    shown = replace(make_answer(), question="And for managers?", query="How many days do managers get?")
    answer = store.answer(store.save_answer(shown, "talk", "ada"), "ada")
    assert answer
    store.record(answer, shown.citations[0].chunk.id, "deleted", "ada")
    store.record_kept(answer, "ben")
    assert {event.question for event in store.events()} == {"How many days do managers get?"}
    assert answer.answer.question == "And for managers?"
