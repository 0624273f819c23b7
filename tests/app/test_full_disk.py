"""Questions are answered whatever the disk or the feedback database is like."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.answering import Answerer, AnswerJobStore
from app.feedback import FeedbackStore, NotSavedError, StoredAnswer
from app.pipeline import Pipeline
from app.settings import Settings
from ingest.damaged_database import damaged_databases
from ingest.table import ChunkTable
from tests.app.builders import WordScorer, make_answer
from tests.conftest import FakeEmbedder, refuse

QUESTION = "How much may a hotel cost a night?"
NOT_SAVED = "Not saved: "


@contextmanager
def full_disk() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ingest.database._opened_for_writing", refuse)
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
    deadline = time.monotonic() + 30
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
        answerer.wait_for(turn.id, 30)
        found = store.answer(turn.id, "ann")
        assert found
        assert found.answer.without == tuple(without)
        assert found.answer.note.startswith(NOT_SAVED)


@pytest.mark.parametrize("name", ["feedback.sqlite3", "answering.sqlite3"])
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
