"""Questions are answered whatever the disk or the feedback database is like."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.answering import Answerer, AnswerJobStore
from app.feedback import FeedbackStore, NotSavedError, StoredAnswer, user_of_cookie
from app.pipeline import Pipeline
from app.settings import Settings
from ingest.home.damaged_database import damaged_databases
from ingest.jobs import JobStore
from ingest.table import ChunkTable
from tests.app.builders import WordScorer, make_answer, make_earlier
from tests.conftest import PATIENCE, FakeEmbedder, refuse

QUESTION = "How much may a hotel cost a night?"
NOT_SAVED = "Not saved: "


@contextmanager
def full_disk() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ingest.home.database._opened_for_writing", refuse)
        yield


@pytest.fixture
def pipeline(settings: Settings, table: ChunkTable, embedder: FakeEmbedder) -> Pipeline:
    return Pipeline(settings, embedder, sentence_scorer=WordScorer())


@pytest.fixture
def store(pipeline: Pipeline) -> FeedbackStore:
    return FeedbackStore(pipeline.settings.home)


@pytest.fixture
def answerer(pipeline: Pipeline, store: FeedbackStore) -> Iterator[Answerer]:
    answerer = Answerer(pipeline, store, AnswerJobStore(pipeline.settings.home))
    yield answerer
    answerer.wait()


def ask(answerer: Answerer, store: FeedbackStore) -> StoredAnswer:
    answer_id = answerer.ask(QUESTION, "c", "ann")
    deadline = time.monotonic() + PATIENCE
    while answerer.at_work(answer_id):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    found = store.answer(answer_id, "ann")
    assert found
    return found


def test_question_on_a_full_disk_is_answered_with_a_note_and_saved_later(
    answerer: Answerer, store: FeedbackStore, home: Path
) -> None:
    before = ask(answerer, store)
    with full_disk():
        unsaved = ask(answerer, store)
        assert "150 euros" in unsaved.answer.text
        assert unsaved.answer.citations
        assert unsaved.answer.note.startswith(NOT_SAVED)
        assert [each.id for each in store.conversation("c", "ann")] == [before.id, unsaved.id]
        assert FeedbackStore(home).conversation("c", "ann") == [before]
    assert [each.answer.note for each in store.conversation("c", "ann")] == ["", ""]
    assert [each.id for each in FeedbackStore(home).conversation("c", "ann")] == [before.id, unsaved.id]


def test_disk_that_fills_up_while_an_answer_is_made_keeps_it_in_memory(store: FeedbackStore) -> None:
    answer_id = store.save_answer(make_answer(""), "c", "ann")
    with full_disk():
        shown = store.update_answer(answer_id, make_answer("Thirty days [1]."))
        assert (shown.text, shown.note[: len(NOT_SAVED)]) == ("Thirty days [1].", NOT_SAVED)
    found = store.answer(answer_id, "ann")
    assert found
    assert (found.answer.text, found.answer.note) == ("Thirty days [1].", "")


def test_answer_that_begins_on_a_full_disk_and_ends_with_room_is_kept(store: FeedbackStore, home: Path) -> None:
    with full_disk():
        answer_id = store.save_answer(make_answer(""), "c", "ann")
    assert store.update_answer(answer_id, make_answer("Thirty days [1].")).note == ""
    store.conversation("c", "ann")
    for reader in (store, FeedbackStore(home)):
        found = reader.answer(answer_id, "ann")
        assert found
        assert found.answer.text == "Thirty days [1]."


def test_striking_out_on_a_full_disk_says_that_it_is_not_saved(answerer: Answerer, store: FeedbackStore) -> None:
    turn = ask(answerer, store)
    chunk_id = turn.answer.citations[0].chunk.id
    with full_disk():
        with pytest.raises(NotSavedError, match=r"Not saved: database or disk is full\. Free some space"):
            store.record(turn, chunk_id, "deleted", "ann")
        assert store.deleted(turn.id, "ann") == {}
    assert store.record(turn, chunk_id, "deleted", "ann")
    assert list(store.deleted(turn.id, "ann")) == [chunk_id]


def test_answer_that_is_written_again_on_a_full_disk_is_not_overtaken(answerer: Answerer, store: FeedbackStore) -> None:
    turn = ask(answerer, store)
    without = [turn.answer.citations[0].chunk.id]
    with full_disk():
        answerer.write_again(turn, without)
        answerer.wait_for(turn.id, PATIENCE)
        found = store.answer(turn.id, "ann")
        assert found
        assert found.answer.without == tuple(without)
        assert found.answer.note.startswith(NOT_SAVED)


@pytest.mark.parametrize("name", ["citeloop.sqlite3", "progress.sqlite3"])
def test_damaged_database_does_not_stop_the_next_question(
    answerer: Answerer, store: FeedbackStore, home: Path, name: str
) -> None:
    ask(answerer, store)
    (home / name).write_text("this is no database " * 100)
    found = ask(answerer, store)
    assert "150 euros" in found.answer.text
    assert found.answer.note == ""
    (aside,) = damaged_databases(home)
    assert aside.name.startswith(f"{name}.damaged-")


def test_only_the_newest_unsaved_answers_are_held(store: FeedbackStore) -> None:
    with full_disk():
        for number in range(250):
            store.save_answer(make_answer(str(number)), "c", "ann")
        assert [each.answer.text for each in store.conversation("c", "ann")] == [
            str(number) for number in range(50, 250)
        ]


def test_unsaved_answer_opens_for_its_owner_only(store: FeedbackStore) -> None:
    store.save_answer(make_answer("Saved."), "c", "ann")
    token = store.share("c", "ann")
    with full_disk():
        unsaved = store.save_answer(make_answer("Unsaved."), "c", "ann")
        asked = store.save_answer(make_answer("For Ben."), "d", "api:wiki/ben")
        assert [user for user in ("ann", "ben", "api:wiki", "") if store.answer(unsaved, user)] == ["ann"]
        assert [user for user in ("api:wiki", "api:wiki/ben", "api:wik", "ben") if store.answer(asked, user)] == [
            "api:wiki",
            "api:wiki/ben",
        ]
        assert store.conversation("c", "ben") == []
        with pytest.raises(NotSavedError):  # rather than that it is not there
            store.share("d", "api:wiki/ben")
        assert [each.answer.text for each in store.shared_conversation(token)] == ["Saved.", "Unsaved."]


def test_database_of_an_earlier_version_is_read_on_a_full_disk_and_changed_later(home: Path) -> None:
    cookie = "c" * 32
    user = user_of_cookie(cookie)
    answer_id = FeedbackStore(home).save_answer(make_answer(), "c", cookie)
    make_earlier(home, 0, "shares")
    with full_disk():
        store = FeedbackStore(home)
        assert store.answer(answer_id, user)
        assert store.share_token("c", user) == ""
    assert store.share("c", user)
    assert store.answer(answer_id, user)


@pytest.mark.parametrize("name", ["citeloop.sqlite3", "feedback.sqlite3"])
def test_what_can_be_read_of_a_damaged_database_is_kept(home: Path, name: str) -> None:
    store = FeedbackStore(home)
    answer_ids = [store.save_answer(make_answer("x" * 1000), "c", "ann") for _ in range(40)]
    if name == "feedback.sqlite3":
        make_earlier(home, 1)
    path = home / name
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    path.chmod(0o644)
    for opened in (store, FeedbackStore(home)):
        found = [each.id for each in opened.conversation("c", "ann")]
        assert 0 < len(found) < len(answer_ids)
        assert set(found) < set(answer_ids)
    JobStore(home).jobs()  # earlier files are renamed when both databases are there
    (aside,) = damaged_databases(home)
    assert aside.name.startswith(name)
    assert [stat.S_IMODE(file.stat().st_mode) for file in (home / "citeloop.sqlite3", aside)] == [0o600, 0o600]


def test_looking_whether_the_disk_takes_anything_changes_nothing(store: FeedbackStore) -> None:
    store.check_writable()
    assert store.conversations("") == []
    with full_disk(), pytest.raises(NotSavedError):
        store.check_writable()
