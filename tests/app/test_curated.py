"""A curator's answer: shown first for the same question and very like ones, as long as its sources stand."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.answer.curated import CuratedAnswerError, checked_text
from app.feedback import FeedbackStore, Judgement
from app.memory.votes import Statement
from app.pipeline import Pipeline
from app.search.filters import Filter
from ingest.chunk import Chunk
from ingest.pipeline import ingest
from tests.app.builders import make_chunk, make_earlier
from tests.conftest import FakeEmbedder

CAR = "Is there a company car for me?"
TEXT = "Take the train [2], says the manual [1]."


@pytest.fixture
def store(pipeline: Pipeline) -> FeedbackStore:
    return FeedbackStore(pipeline.settings.home)


def write(pipeline: Pipeline, store: FeedbackStore, text: str = TEXT, question: str = CAR) -> Sequence[Chunk]:
    """Write an answer from the last two candidates and return them."""
    found = pipeline.rank(question)
    sources = [ranked.chunk for ranked in found.ranking[-2:]]
    shown = tuple(citation.chunk.id for citation in found.citations)
    store.say([Statement(question, "cora", shown=shown, text=text, sources=tuple(chunk.ref for chunk in sources))])
    return sources


def change_documents(pipeline: Pipeline, documents: Path, old: str, new: str) -> None:
    """Edit a text in all documents and ingest them again."""
    for path in documents.rglob("*.md"):
        path.write_text(path.read_text().replace(old, new))
    list(ingest([documents], pipeline.table, FakeEmbedder()))


def test_the_same_question_is_answered_by_the_curator_with_the_sources_first(
    pipeline: Pipeline, store: FeedbackStore
) -> None:
    sources = write(pipeline, store)
    answer = pipeline.ask("is there a company CAR for me")
    assert (answer.text, answer.answered_by, answer.found, answer.complete) == (TEXT, "curator", True, True)
    assert [citation.chunk.id for citation in answer.citations][:2] == [chunk.id for chunk in sources]
    assert [ranked.rank for ranked in answer.ranking] == list(range(1, len(answer.ranking) + 1))
    record = answer.as_record()["statement"]
    assert isinstance(record, dict)
    assert (record["kind"], record["question"], record["by"]) == ("answer", CAR, "cora")
    assert datetime.now(UTC).isoformat()[:10] == record["at"][:10]


def test_a_very_like_question_gets_it_too_and_a_less_like_one_does_not(
    pipeline: Pipeline, store: FeedbackStore
) -> None:
    write(pipeline, store)
    assert pipeline.ask("Is there a company car for me today?").text == TEXT
    for other in ("Is there a company hotel?", "Is there no company car for me?", "What does the VPN need?"):
        assert pipeline.ask(other).answered_by == "extractive"


def test_who_ignores_what_people_said_gets_the_documents_own_answer(pipeline: Pipeline, store: FeedbackStore) -> None:
    before = pipeline.ask(CAR)
    write(pipeline, store)
    *_, answer = pipeline.write(pipeline.rank(CAR, ignore_votes=True))
    assert (answer.text, answer.statement) == (before.text, None)


def test_sources_that_search_missed_are_cited_even_if_few_are_shown(pipeline: Pipeline, store: FeedbackStore) -> None:
    sources = write(pipeline, store)
    few = pipeline.settings.model_copy(update={"num_candidates": 1, "num_citations": 1})
    answer = Pipeline(few, FakeEmbedder()).ask(CAR)
    assert [citation.chunk.id for citation in answer.citations] == [chunk.id for chunk in sources]
    assert answer.used == {1, 2}


def test_a_filter_that_leaves_a_source_out_leaves_the_answer_out(pipeline: Pipeline, store: FeedbackStore) -> None:
    sources = write(pipeline, store)
    names = {document.name for document in pipeline.table.documents()} - {sources[0].document}
    answer = pipeline.ask(CAR, within=Filter(documents=tuple(names)))
    assert answer.answered_by == "extractive"


def test_the_last_statement_counts_and_a_withdrawal_ends_it(pipeline: Pipeline, store: FeedbackStore) -> None:
    sources = write(pipeline, store)
    store.say([Statement(CAR, "bob")])
    assert "do not answer" in pipeline.ask(CAR).text
    write(pipeline, store, "Only by train [1].")
    assert pipeline.ask(CAR).text == "Only by train [1]."
    store.say([Statement(CAR, "bob", withdrawn=True)])
    answer = pipeline.ask(CAR)
    assert answer.answered_by == "extractive"
    named = {ranked.chunk.id for ranked in answer.ranking if ranked.vote}
    assert named >= {chunk.id for chunk in sources}, "the sources stay named"


@pytest.mark.parametrize("is_gone", [False, True])
def test_it_stops_when_a_source_has_changed_or_is_gone(
    pipeline: Pipeline, store: FeedbackStore, documents: Path, is_gone: bool
) -> None:
    source = write(pipeline, store)[0]
    if is_gone:
        with pipeline.table.writing():
            pipeline.table.remove([source.document_id])
    else:
        beginning = source.text.split("\n")[0]
        change_documents(pipeline, documents, beginning, f"{beginning} No more.")
    answer = pipeline.ask(CAR)
    assert (answer.answered_by, answer.statement) == ("extractive", None)


def test_a_source_that_moved_with_its_text_is_still_one(
    pipeline: Pipeline, store: FeedbackStore, documents: Path
) -> None:
    source = write(pipeline, store)[0]
    path = next(path for path in documents.rglob("*") if path.name == Path(source.document).name)
    path.rename(path.with_name(f"moved{path.suffix}"))
    with pipeline.table.writing():
        pipeline.table.remove([source.document_id])
    list(ingest([documents], pipeline.table, FakeEmbedder()))
    assert pipeline.ask(CAR).text == TEXT


def test_your_own_strike_of_a_source_binds_for_you_and_the_rest_is_written_from(
    pipeline: Pipeline, store: FeedbackStore
) -> None:
    write(pipeline, store)
    answer_id = store.save_answer(pipeline.ask(CAR), "talk", "ann")
    stored = store.answer(answer_id, "ann")
    assert stored
    struck = stored.answer.citations[0].chunk.id
    store.record(stored, struck, "deleted", "ann")
    (*_, rewritten) = pipeline.rewrite(stored.answer, [struck])
    assert (rewritten.answered_by, rewritten.shown_statement) == ("extractive", None)
    assert pipeline.rank(CAR, user="ann").statement is None
    assert pipeline.rank(CAR, user="bob").statement
    (*_, restored) = pipeline.rewrite(rewritten, [])
    assert (restored.text, restored.answered_by) == (TEXT, "curator")
    others = [citation.chunk.id for citation in stored.answer.citations[2:]]
    (*_, rewritten) = pipeline.rewrite(stored.answer, others)
    assert rewritten.text == TEXT, "it does not need the others"


def test_rows_of_the_earlier_table_are_taken_over(pipeline: Pipeline, store: FeedbackStore) -> None:
    store.check_writable()
    home = store._records._path.parent
    make_earlier(home, 1, "statements")
    with closing(sqlite3.connect(home / "feedback.sqlite3")) as connection, connection:
        connection.execute(
            "CREATE TABLE unanswered (sequence INTEGER PRIMARY KEY AUTOINCREMENT, question TEXT NOT NULL,"
            " user TEXT NOT NULL, at TEXT NOT NULL, shown TEXT NOT NULL, withdrawn INTEGER NOT NULL)"
        )
        connection.execute(
            "INSERT INTO unanswered VALUES (1, ?, 'cora', '2999-01-01T00:00:00+00:00', 'a b', 0)", (CAR,)
        )
    (statement,) = store.statements()
    assert (statement.question, statement.shown, statement.text, statement.sources) == (CAR, ("a", "b"), "", ())
    assert "cora said on" in pipeline.ask(CAR).text
    store.say([replace(statement, withdrawn=True)])
    assert len(store.statements()) == 2


def test_a_text_is_saved_only_if_each_mark_is_one_of_its_sources() -> None:
    sources = [make_chunk(text).ref for text in ("One.", "Two.")]
    assert checked_text(" Take the train (source 2). ", sources) == "Take the train [2]."
    for text, message in (
        ("Take the train [3].", r"\[1\] to \[2\]"),
        ("Take the train.", "Cite a source"),
        ("", "Cite a source"),
    ):
        with pytest.raises(CuratedAnswerError, match=message):
            checked_text(text, sources)
    with pytest.raises(CuratedAnswerError, match="needs a source"):
        checked_text("Take the train [1].", [])


def test_a_named_passage_for_the_very_question_wins_over_an_answer_to_a_like_one(
    pipeline: Pipeline, store: FeedbackStore
) -> None:
    write(pipeline, store)
    other = "Is there a company car for me today?"
    assert pipeline.rank(other).statement
    store.judge([Judgement.of(other, pipeline.rank(CAR).citations[-1].chunk.ref, "relevant", "bob")])
    assert pipeline.rank(other).statement is None
    write(pipeline, store, "Today only by train [1].", other)
    assert pipeline.ask("is there a company car for me TODAY").text == "Today only by train [1]."
