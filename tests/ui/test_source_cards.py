from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from app.feedback import FeedbackError, FeedbackStore, Judgement, StoredAnswer
from app.pipeline import Pipeline
from app.reranking.rerank import rerank
from app.settings import Settings
from tests.app.builders import make_candidates
from tests.ui.conftest import Run


def cards() -> None:
    from app.ui.ask import source_cards
    from app.ui.resources import feedback_store

    (turn,) = feedback_store().conversation("talk", "ann")
    source_cards.show_sources(turn, feedback_store().deleted(turn.id, "ann"))


@pytest.fixture
def store(settings: Settings) -> FeedbackStore:
    return FeedbackStore(settings.home)


@pytest.fixture
def turn(store: FeedbackStore, pipeline: Pipeline) -> StoredAnswer:
    """An answer, the first source of which ann has struck out as outdated."""
    store.save_answer(pipeline.ask("How much may a hotel cost a night?"), "talk", "ann")
    (turn,) = store.conversation("talk", "ann")
    store.record(turn, turn.answer.citations[0].chunk.id, "deleted", "ann", "outdated")
    return turn


def click(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception
    return page


def refuse(*_: object) -> None:
    raise FeedbackError("cannot write to [the disk](x)")


def test_a_reason_that_was_given_in_another_tab_is_shown(
    run_page: Run, store: FeedbackStore, turn: StoredAnswer
) -> None:
    page = run_page(cards)
    page.pills[0].set_value("other").run()
    store.record(turn, turn.answer.citations[0].chunk.id, "deleted", "ann", "duplicate")
    page.run()
    assert "struck out as duplicate" in page.header[0].value
    assert page.pills[0].value == "duplicate"
    page.pills[0].set_value("other").run()
    assert store.events()[-1].reason == "other"


def test_what_cannot_be_noted_is_said_as_it_stands(
    run_page: Run, store: FeedbackStore, turn: StoredAnswer, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = run_page(cards)
    with monkeypatch.context() as patch:
        patch.setattr(FeedbackStore, "record", refuse)
        click(page, "Undo [1]")
        assert page.error[0].value == r"cannot write to \[the disk\](x)"
        page.pills[0].set_value("duplicate").run()
        assert not page.exception
        assert page.error[0].value == r"cannot write to \[the disk\](x)"
        assert page.pills[0].value == "outdated"
    page.pills[0].set_value("duplicate").run()
    assert store.events()[-1].reason == "duplicate"
    click(page, "Undo [1]")
    assert store.deleted(turn.id, "ann") == {}


def test_a_card_names_how_many_documents_have_the_same_text() -> None:
    from app.ui.ask.source_cards import also_in

    assert (also_in(()), also_in(("a.md",)), also_in(("a.md", "b.md"))) == (
        "",
        "also in 1 other document",
        "also in 2 other documents",
    )


def test_a_card_names_the_newest_version() -> None:
    from app.ui.ask.source_cards import superseded_by

    (newest,) = rerank("q", make_candidates("Thirty days."), None)
    older = replace(newest, candidate=replace(newest.candidate, superseded_by="Leave policy *2026*"))
    assert superseded_by(newest) == ""
    assert superseded_by(older) == r":orange[superseded by Leave policy \*2026\*]"


def test_what_was_struck_out_before_is_listed_and_can_be_brought_back(
    run_page: Run, store: FeedbackStore, turn: StoredAnswer, pipeline: Pipeline
) -> None:
    question, struck = turn.answer.question, turn.answer.citations[0].chunk
    *_, again = pipeline.write(pipeline.rank(question, user="ann"))
    store.save_answer(again, "again", "ann")

    def later_cards() -> None:
        from app.ui.ask import source_cards
        from app.ui.resources import feedback_store

        (turn,) = feedback_store().conversation("again", "ann")
        source_cards.show_sources(turn, {})

    assert struck.id not in [citation.chunk.id for citation in again.citations]
    page = run_page(later_cards)
    assert page.expander[-1].label == "Left out: 1 passage struck out for this question before"
    assert "struck out for this question by you" in page.expander[-1].markdown[0].value
    click(page, "Bring back")
    assert store.deleted(turn.id, "ann") == {}
    assert struck.id in [citation.chunk.id for citation in pipeline.rank(question, user="ann").citations]


def test_a_card_says_what_people_said_and_why_it_stands_above_the_next(
    run_page: Run, store: FeedbackStore, pipeline: Pipeline
) -> None:
    question = "How much may a hotel cost a night?"
    first = pipeline.rank(question)
    named = first.ranking[-1].chunk
    store.judge([Judgement.of(question, named.ref, "relevant", "cora")])
    store.save_answer(pipeline.ask(question), "talk", "ann")
    captions = [caption.value for caption in run_page(cards).caption]
    assert any("**Raised**: named as the answer by a curator for this question" in caption for caption in captions)
    assert any(caption.startswith("Above the next one because it was named") for caption in captions)
