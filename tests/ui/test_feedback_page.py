from __future__ import annotations

from app.feedback import FeedbackStore
from app.pipeline import Pipeline
from app.settings import Settings
from ingest.pipeline import remove
from ingest.table import ChunkTable
from tests.ui.conftest import Run


def feedback() -> None:
    from app.ui import feedback_page

    feedback_page.show()


def test_without_feedback_the_page_says_how_to_give_some(run_page: Run) -> None:
    assert "Strike out a wrong source" in run_page(feedback).info[0].value


def test_the_log_is_shown_newest_first_and_can_be_filtered(
    run_page: Run, settings: Settings, pipeline: Pipeline
) -> None:
    store = FeedbackStore(settings.home)
    for question in ("How much may a hotel cost?", "What does the VPN need?"):
        store.save_answer(pipeline.ask(question), "one", "ann")
    first, second = store.conversation("one")
    store.record(first, first.answer.citations[0].chunk.id, "deleted", "ann")
    store.record(second, second.answer.citations[0].chunk.id, "deleted", "ben", "outdated")
    page = run_page(feedback)
    assert not page.exception
    assert list(page.dataframe[0].value["Question"]) == ["What does the VPN need?", "How much may a hotel cost?"]
    page.selectbox(key="feedback-reason").set_value("outdated").run()
    assert list(page.dataframe[0].value["By"]) == ["ben"]
    page.selectbox(key="feedback-reason").set_value("all").run()
    page.text_input(key="feedback-filter").set_value("hotel cost").run()
    assert list(page.dataframe[0].value["By"]) == ["ann"]


def test_the_log_keeps_the_text_of_a_passage_whose_document_is_gone(
    run_page: Run, settings: Settings, pipeline: Pipeline, table: ChunkTable
) -> None:
    store = FeedbackStore(settings.home)
    store.save_answer(pipeline.ask("How much may a hotel cost?"), "one", "ann")
    (shown,) = store.conversation("one")
    chunk = shown.answer.citations[0].chunk
    store.record(shown, chunk.id, "deleted", "ann")
    with table.writing():
        remove(table.documents(), table)
    page = run_page(feedback)
    assert list(page.dataframe[0].value["Passage"]) == [chunk.text]
    assert list(page.dataframe[0].value["Document"]) == [chunk.document]
