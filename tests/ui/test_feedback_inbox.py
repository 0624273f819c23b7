from __future__ import annotations

import io
from dataclasses import replace

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app.feedback import FeedbackStore
from app.feedback.unanswered import UnansweredQuestion
from app.pipeline import Pipeline
from app.settings import Settings
from app.ui.feedback.unanswered import csv_of
from tests.ui.conftest import Run
from tests.ui.test_feedback_page import click, feedback, texts, view

pytestmark = pytest.mark.slow

CAR, CAT = "Is there a company car?", "May a cat come along?"


@pytest.fixture
def store(settings: Settings, pipeline: Pipeline) -> FeedbackStore:
    """A question asked in two wordings without an answer, and another one asked once."""
    store = FeedbackStore(settings.home)
    for question, user in ((CAR, "ben"), ("Is there the company car?", "cleo"), (CAR, "cleo"), (CAT, "ben")):
        store.save_answer(replace(pipeline.ask(question), found=False), "talk", user)
    return store


def finding() -> None:  # AppTest draws the whole page at every click, which would close the drawer
    from app.ui.ask import answer_search

    answer_search.find_answer("Is there a company car?", ["Is there the company car?"])


def inbox(run_page: Run) -> AppTest:
    page = run_page(feedback)
    assert page.button_group(key="feedback-view").value == "Inbox"
    return page


def test_the_first_item_is_asked_most_and_names_how_often_by_how_many(run_page: Run, store: FeedbackStore) -> None:
    page = inbox(run_page)
    assert f"**{CAR}**" in texts(page)
    assert "Not answered · asked 3 times by 2 people since" in texts(page)
    assert CAT not in texts(page)
    assert page.multiselect[0].value == [CAR, "Is there the company car?"]


def test_the_inbox_is_empty_when_all_is_answered(run_page: Run, settings: Settings, pipeline: Pipeline) -> None:
    FeedbackStore(settings.home).save_answer(pipeline.ask("How much may a hotel cost a night?"), "talk", "ben")
    assert "Nothing to decide" in texts(inbox(run_page))


def test_one_click_says_that_nothing_answers_and_brings_up_the_next_item(
    run_page: Run, store: FeedbackStore, pipeline: Pipeline
) -> None:
    page = click(inbox(run_page), "Nothing here answers this")
    assert "the documents do not answer" in texts(page)
    assert f"**{CAT}**" in texts(page)
    assert [(each.question, each.user) for each in store.statements()] == [
        (CAR, "ann"),
        ("Is there the company car?", "ann"),
    ]
    assert "ann said on" in pipeline.ask(CAR).text
    page = click(view(page, "Unanswered"), "Withdraw")
    assert "ann said on" in pipeline.ask(CAR).text, "it was said of the other wording too"
    click(page, "Withdraw")
    assert "ann said on" not in pipeline.ask(CAR).text


def test_a_shown_passage_is_named_or_rejected_for_all_chosen_wordings(run_page: Run, store: FeedbackStore) -> None:
    page = inbox(run_page)
    page.multiselect[0].set_value([CAR]).run()
    page = click(page, "Does not answer")
    assert [(each.question, each.label) for each in store.judgements()] == [(CAR, "not relevant")]
    assert f"**{CAT}**" in texts(page)
    page = click(page, "This answers")
    assert [(each.question, each.label) for each in store.judgements()][1:] == [(CAT, "relevant")]
    assert "Nothing to decide" in texts(page)


def test_a_passage_found_by_search_is_named_for_all_wordings(run_page: Run, store: FeedbackStore) -> None:
    page = click(inbox(run_page), "Find the answering passage")
    assert page.text_input(key=f"answer-words-{CAR}").value == CAR
    click(run_page(finding), "Pick passage 1")
    assert [(each.question, each.label) for each in store.judgements()] == [
        (CAR, "relevant"),
        ("Is there the company car?", "relevant"),
    ]


def test_questions_without_an_answer_are_counted_by_week(run_page: Run, store: FeedbackStore) -> None:
    page = view(inbox(run_page), "Unanswered")
    weeks = page.dataframe[0].value
    assert (list(weeks["Questions"]), list(weeks["Not answered"]), list(weeks["Share"])) == ([4], [4], [1.0])


def test_the_csv_has_one_row_per_question_and_no_formula() -> None:
    today = pd.Timestamp("2026-11-28").date()
    rows = [UnansweredQuestion(question, 2, 1, today, today, "not answered") for question in (CAR, "=1+1")]
    table = pd.read_csv(io.BytesIO(csv_of(rows)))
    assert list(table["question"]) == [CAR, "'=1+1"]
    assert list(table["num_asked"]) == [2, 2]


def test_one_click_ignores_a_person_and_another_counts_the_votes_again(run_page: Run, store: FeedbackStore) -> None:
    stored = store.conversation("talk", "ben")[0]
    store.record(stored, stored.answer.citations[0].chunk.id, "deleted", "ben")
    page = view(inbox(run_page), "People")
    assert "**ben**" in texts(page)
    assert "1 vote, 0% act for others" in texts(page)
    page = click(page, "Ignore this person's votes")
    assert "ignored by you since" in texts(page)
    assert store.events() == []
    page = view(page, "Log")
    assert list(page.dataframe[0].value["By"]) == ["ben"], "the log is kept"
    click(view(page, "People"), "Count again")
    assert len(store.events()) == 1
