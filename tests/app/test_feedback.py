from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.answer import Answer, cite
from app.feedback import REASONS, Action, FeedbackEvent, FeedbackStore, StoredAnswer, new_id
from app.pipeline import Pipeline
from app.rerank import Blend, rerank
from app.search import Candidate
from ingest.chunk import Chunk
from tests.app.builders import make_answer
from tests.conftest import FakeReranker


@pytest.fixture
def store(home: Path) -> FeedbackStore:
    return FeedbackStore(home)


@pytest.fixture
def shown(store: FeedbackStore) -> StoredAnswer:
    """An answer with three passages, two of them cited."""
    store.save_answer(make_answer(passages=("One.", "Two.", "Three."), num_citations=2), "talk", "ada")
    return store.conversation("talk")[0]


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
    )
    id = store.save_answer(answer, "talk", "ada")
    (stored,) = store.conversation("talk")
    assert stored.answer == answer
    assert isinstance(stored.answer.ranking[0].chunk.headings, tuple)
    assert (stored.id, stored.conversation_id, stored.user) == (id, "talk", "ada")
    assert abs(datetime.now(UTC) - stored.asked_at) < timedelta(minutes=1)


def test_an_answer_is_found_by_its_id(store: FeedbackStore, shown: StoredAnswer) -> None:
    assert store.answer(shown.id) == shown
    assert store.answer("nobody's") is None


def test_an_answer_of_the_pipeline_comes_back_as_it_was(store: FeedbackStore, pipeline: Pipeline) -> None:
    answer = pipeline.rank("How many days of leave?")
    assert answer.ranking
    store.save_answer(answer, "talk", "ada")
    assert store.conversation("talk")[0].answer == answer


def test_a_conversation_keeps_its_order_and_knows_no_other(store: FeedbackStore) -> None:
    for number in range(5):
        store.save_answer(make_answer(f"Answer {number}."), "talk", "ada")
        store.save_answer(make_answer("Elsewhere."), "other talk", "ada")
    assert [stored.answer.text for stored in store.conversation("talk")] == [f"Answer {n}." for n in range(5)]
    assert store.conversation("nobody's") == []


def test_a_later_version_takes_the_place_of_the_earlier(store: FeedbackStore) -> None:
    id = store.save_answer(make_answer("Thir"), "talk", "ada")
    before = store.conversation("talk")[0]
    store.save_answer(make_answer("Second question."), "talk", "ada")
    assert store.save_answer(make_answer("Thirty days."), "talk", "ada", id) == id
    first, second = store.conversation("talk")
    assert (first.answer.text, second.answer.text) == ("Thirty days.", "Second question.")
    assert first == replace(before, answer=make_answer("Thirty days."))


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


def test_an_event_has_these_names(store: FeedbackStore, shown: StoredAnswer) -> None:
    event = store.record(shown, chunk_ids(shown)[0], "deleted", "ada")
    assert event is not None
    assert list(asdict(event)) == [
        "id",
        "at",
        "user",
        "action",
        "reason",
        "answer_id",
        "question",
        "reranker",
        "number",
        "chunk_id",
        "document",
        "title",
        "heading",
        "page",
        "text",
        "rank",
        "score",
        "reranker_score",
        "fused_rank",
        "fused_score",
        "vector_rank",
        "vector_score",
        "text_rank",
        "text_score",
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
    again = store.conversation("talk")[1]
    store.record(shown, first, "deleted", "ada")
    store.record(shown, second, "deleted", "bob")
    store.record(again, second, "deleted", "ada")
    assert set(store.deleted(shown.id, "ada")) == {first}
    assert set(store.deleted(shown.id, "bob")) == {second}
    assert set(store.deleted(again.id, "ada")) == {second}
    assert store.deleted(again.id, "bob") == {}


def test_a_passage_that_the_answer_does_not_cite_cannot_be_struck(store: FeedbackStore, shown: StoredAnswer) -> None:
    for chunk_id in (chunk_ids(shown)[2], "no such chunk"):
        with pytest.raises(KeyError):
            store.record(shown, chunk_id, "deleted", "ada")
    assert store.events() == []


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
    assert reopened.conversation("talk") == [shown]
    assert reopened.record(shown, chunk_ids(shown)[0], "deleted", "ada", "other") is None


APPEND_FOR_EVER = """
import sys
from pathlib import Path
from app.feedback import FeedbackStore

store = FeedbackStore(Path(sys.argv[1]))
shown = store.conversation("talk")[0]
while True:
    for action in ("deleted", "undone"):
        if event := store.record(shown, shown.answer.citations[0].chunk.id, action, "ada"):
            print(event.id, flush=True)
"""


def test_a_killed_writer_loses_nothing_that_it_acknowledged(
    home: Path, store: FeedbackStore, shown: StoredAnswer
) -> None:
    for _ in range(2):
        writer = subprocess.Popen([sys.executable, "-c", APPEND_FOR_EVER, str(home)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline().strip() for _ in range(40)]
        writer.kill()
        acknowledged += [line.strip() for line in writer.stdout if line.endswith("\n")]
        writer.wait()
        writer.stdout.close()
        stored = [event.id for event in FeedbackStore(home).events()]
        assert set(acknowledged) <= set(stored)
        assert len(stored) - stored.index(acknowledged[-1]) <= 2  # at most one more, which it had no time to tell
    with sqlite3.connect(home / "feedback.sqlite3") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    assert store.record(shown, chunk_ids(shown)[1], "deleted", "ada") is not None
