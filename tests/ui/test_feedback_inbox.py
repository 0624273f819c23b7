from __future__ import annotations

import io
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app.feedback import FeedbackStore, Judgement
from app.feedback.unanswered import UnansweredQuestion, Week
from app.memory.votes import Statement
from app.pipeline import Pipeline
from app.settings import Settings
from app.ui.feedback.unanswered import csv_of
from ingest.pipeline import ingest
from tests.conftest import FakeEmbedder
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
    page = inbox(run_page)
    assert "Nothing to decide" in texts(page)
    assert "Add question and answer" in [button.label for button in page.button]
    assert "Ask a question" in [element.proto.label for element in page.get("page_link")]


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
    click(view(page, "Answers and gaps"), "Withdraw")
    assert "ann said on" not in pipeline.ask(CAR).text, "it is withdrawn for the other wording too"


def test_a_shown_passage_is_named_or_rejected_for_all_chosen_wordings(run_page: Run, store: FeedbackStore) -> None:
    page = inbox(run_page)
    page.multiselect[0].set_value([CAR]).run()
    page = click(page, "Does not answer")
    assert [(each.question, each.label) for each in store.judgements()] == [(CAR, "not relevant")]
    assert f"**{CAT}**" in texts(page)
    page = click(page, "Answers")
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


def writing() -> None:  # as for finding
    from app.ui.feedback import write_answer

    write_answer.write_answer("Is there a company car?", ["Is there the company car?"])


def test_the_answer_is_written_with_its_sources_for_all_wordings_edited_and_withdrawn(
    run_page: Run, store: FeedbackStore, pipeline: Pipeline
) -> None:
    assert "Write the answer" in [button.label for button in inbox(run_page).button]
    page = click(run_page(writing), "Cite as [1]")
    page.text_area(key=f"written-{CAR}").set_value("Take the train [2].").run()
    page = click(page, "Save answer")
    assert "Cite only the sources of this answer" in page.error[0].value
    order = [getattr(each, "label", each.type) for each in page]
    assert order.index("error") > order.index("Discard draft"), "below the buttons, not between them"
    assert store.statements() == []
    page = click(click(page, "Cite as [2]"), "Remove [1]")
    page.text_area(key=f"written-{CAR}").set_value("Take the train [1].").run()
    click(page, "Save answer")
    assert [(one.question, one.user, one.text) for one in store.statements()] == [
        (CAR, "ann", "Take the train [1]."),
        ("Is there the company car?", "ann", "Take the train [1]."),
    ]
    assert {len(one.sources) for one in store.statements()} == {1}
    assert pipeline.ask(CAR).text == "Take the train [1]."
    page = inbox(run_page)
    assert f"**{CAT}**" in texts(page), "the item is closed"
    page = view(page, "Answers and gaps")
    assert "Take the train" in texts(page)
    page = click(page, "Edit")
    assert page.text_area[0].value == "Take the train [1]."
    page = click(view(inbox(run_page), "Answers and gaps"), "Withdraw")
    assert "No written answers" in texts(page)
    assert pipeline.ask(CAR).answered_by == "extractive"


def test_what_documents_have_overtaken_is_kept_or_dropped(
    run_page: Run, settings: Settings, pipeline: Pipeline, documents: Path
) -> None:
    store = FeedbackStore(settings.home)
    store.save_answer(pipeline.ask(CAR), "talk", "ben")
    found = pipeline.rank(CAR)
    leave = next(each.chunk for each in found.ranking if "eight weeks" in each.chunk.text)
    vpn = next(each.chunk for each in found.ranking if "hardware key" in each.chunk.text)
    store.say([Statement(CAR, "cora", text="Wait for it [1].", sources=(leave.ref,))])
    store.judge([Judgement.of(CAR, vpn.ref, "not relevant", "cora")])
    for name, old, new in (("handbook/leave.md", "eight weeks", "10 weeks"), ("it/vpn.md", "4400", "4411")):
        (documents / name).write_text((documents / name).read_text().replace(old, new))
    list(ingest([documents], pipeline.table, FakeEmbedder()))
    page = inbox(run_page)
    assert "A source of the written answer has changed · asked once" in texts(page)
    assert "Answered by cora on" in texts(page)
    assert "Rejected by a curator for this question" in texts(page)
    assert "4411" in texts(page)
    page = click(page, "Keep for the new text")
    assert {each.text: each.label for each in store.judgements() if "hardware" in each.text} == {
        vpn.text: "left out",
        vpn.text.replace("4400", "4411"): "not relevant",
    }
    assert "A source has changed since, so nobody sees this answer" in texts(view(page, "Answers and gaps"))
    page = click(view(page, "Inbox"), "Keep the answer")
    assert "Nothing to decide" in texts(page)
    assert "A source has changed since" not in texts(view(page, "Answers and gaps"))
    assert pipeline.ask(CAR).text == "Wait for it [1]."
    assert store.statements()[-1].user == "ann"


def test_questions_without_an_answer_are_counted_by_week(run_page: Run, store: FeedbackStore) -> None:
    page = view(inbox(run_page), "Answers and gaps")
    weeks = page.dataframe[0].value
    assert (list(weeks["Questions"]), list(weeks["Not answered"]), list(weeks["Share"])) == ([4], [4], [1.0])


def test_the_share_of_unanswered_questions_is_in_whole_percent(
    run_page: Run, store: FeedbackStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ui.feedback.unanswered.by_week", lambda *_: [Week(date(2026, 11, 30), 3, 2)])
    page = view(inbox(run_page), "Answers and gaps")
    assert list(page.dataframe[0].value["Share"]) == [0.67]


def test_the_csv_has_one_row_per_question_and_no_formula() -> None:
    today = pd.Timestamp("2026-11-28").date()
    rows = [UnansweredQuestion(question, 2, 1, today, today, "not answered") for question in (CAR, "=1+1")]
    table = pd.read_csv(io.BytesIO(csv_of(rows)))
    assert list(table["question"]) == [CAR, "'=1+1"]
    assert list(table["num_asked"]) == [2, 2]


def test_a_person_is_ignored_once_that_is_confirmed_and_counted_again_with_one_click(
    run_page: Run, store: FeedbackStore
) -> None:
    stored = store.conversation("talk", "ben")[0]
    for user in ("ben", "ann"):
        store.record(stored, stored.answer.citations[0].chunk.id, "deleted", user)
    page = view(inbox(run_page), "People")
    assert "**ben**" in texts(page)
    assert "1 vote, 100% act for others" in texts(page)
    assert [button.label for button in page.button if button.label.startswith("Ignore ")] == ["Ignore ben"]
    assert "written answers of ben" in texts(page)
    page = click(page, "Ignore ben")
    assert "ignored by you since" in texts(page)
    assert "The votes of ben are ignored." in page.success[0].value
    assert [event.user for event in store.events()] == ["ann"]
    page = view(page, "Log and files")
    assert set(page.dataframe[0].value["By"]) == {"ben", "ann"}, "the log is kept"
    page = click(view(page, "People"), "Count again")
    assert "The votes of ben count again." in page.success[0].value
    assert len(store.events()) == 2


def test_somebody_who_is_ignored_is_told(run_page: Run, store: FeedbackStore) -> None:
    assert not inbox(run_page).warning
    store.ignore("ann", "cleo")
    assert "do not count: ignored by cleo since" in inbox(run_page).warning[0].value.replace("\\", "")
