from __future__ import annotations

import pytest

from app.answering import AnswerJobStore
from app.feedback import FeedbackError, FeedbackStore
from app.pipeline import Pipeline
from app.settings import Settings
from tests.ui.conftest import Run


def actions() -> None:
    from app.ui import messages
    from app.ui.ask import conversations as conversation_list

    messages.show_messages()
    conversation_list.show_actions("talk")


def refuse(*_: object) -> None:
    raise FeedbackError("the disk is full")


def test_a_conversation_that_cannot_be_removed_stays_and_the_page_says_why(
    run_page: Run, settings: Settings, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FeedbackStore(settings.home)
    store.save_answer(pipeline.ask("How much may a hotel cost a night?"), "talk", "ann")
    page = run_page(actions)
    page.checkbox[0].check().run()
    monkeypatch.setattr(AnswerJobStore, "stop", refuse)
    next(button for button in page.button if button.label == "Remove conversation").click().run()
    assert not page.exception
    assert page.error[0].value == "the disk is full"
    assert store.conversation("talk", "ann")
