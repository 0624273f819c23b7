from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
from streamlit.testing.v1 import AppTest

from app.feedback import FeedbackStore, Judgement
from app.language_model.endpoint import EndpointError
from app.models import Models
from app.pipeline import Pipeline
from app.settings import Settings
from app.training.proposals.jobs import ProposalJobStore
from app.training.proposals.propose import NO_LANGUAGE_MODEL
from app.training.proposals.store import Proposal, ProposalStore
from app.ui.feedback.proposals import ended_words, progress_words
from ingest.removal import remove
from ingest.table import ChunkTable
from tests.conftest import PATIENCE, FakeLanguageModel
from tests.ui.conftest import Run

pytestmark = pytest.mark.slow

HOTEL = "What may a hotel cost per night?"


def feedback() -> None:
    from app.ui.feedback import page as feedback_page

    feedback_page.show()


class Writer(FakeLanguageModel):
    """Asks about hotels where the passage speaks of them, and else writes no question."""

    def stream(self, messages: Sequence[Mapping[str, str]], stop: threading.Event | None = None) -> Iterator[str]:
        yield HOTEL if "hotel" in messages[-1]["content"] else "no"


class AtOnce:
    """Stands for the thread: what it does is done when `start` returns."""

    def __init__(self, target: Callable[[], object], **_: object) -> None:
        self.start = target


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A language model is set, and asked at once."""
    monkeypatch.setattr("app.ui.feedback.proposals.Thread", AtOnce)
    monkeypatch.setattr(Models, "language_model", property(lambda _: Writer()))


@pytest.fixture
def proposal(table: ChunkTable, settings: Settings) -> Proposal:
    """An open one, on the passage about hotels; and something else that people said."""
    (chunk,) = (each for document in table.documents() for each in table.chunks_of(document.id) if "hotel" in each.text)
    place = (chunk.id, chunk.document, chunk.title, chunk.heading, chunk.page, chunk.text)
    proposal = Proposal(
        id="1",
        at="2026-01-01T00:00:00+00:00",
        question=HOTEL,
        **dict(zip(("chunk_id", "document", "title", "heading", "page", "text"), place, strict=True)),  # type: ignore[arg-type]
        model="writer-[1]",
    )
    ProposalStore(settings.home).add(proposal)
    FeedbackStore(settings.home).judge([Judgement(user="ben", question="Which?", label="relevant", text="This.")])
    return proposal


def opened(run_page: Run) -> AppTest:
    """The page with the tab open; without feedback it has no tabs, and shows this in its place."""
    page = run_page(feedback)
    if page.button_group:
        page.button_group(key="feedback-view").set_value("Proposed questions").run()
    assert not page.exception
    return page


def texts(page: AppTest) -> str:
    assert not page.exception
    kinds = (page.header, page.markdown, page.caption, page.info, page.success, page.error)
    return "\n".join(str(element.value) for elements in kinds for element in elements)


def click(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception
    return page


# asking ---------------------------------------------------------------------------------------------------


def test_without_a_language_model_the_tab_says_how_to_set_one(run_page: Run, proposal: Proposal) -> None:
    page = opened(run_page)
    assert page.info[0].value.lower() == f"{NO_LANGUAGE_MODEL}.".lower()
    assert "Set up a language model" in [link.proto.label for link in page.get("page_link")]
    assert "Propose questions" not in [button.label for button in page.button]
    assert page.text_input(key="question-1").value == HOTEL


@pytest.mark.usefixtures("writes")
def test_where_nobody_has_given_feedback_yet_questions_can_be_proposed_too(run_page: Run, settings: Settings) -> None:
    page = click(opened(run_page), "Propose questions")
    (made,) = ProposalStore(settings.home).proposals()
    assert (made.question, made.document) == (HOTEL, "handbook/travel.md")
    assert page.text_input(key=f"question-{made.id}").value == HOTEL
    assert "A hotel may cost 150 euros" in texts(page)
    assert "3 passages read, 1 question proposed; refused: 2 " in texts(page).replace("\\", "")
    assert not FeedbackStore(settings.home).judgements()


@pytest.mark.usefixtures("writes")
def test_as_many_passages_as_wanted_are_asked_about(run_page: Run, settings: Settings) -> None:
    page = opened(run_page)
    page.number_input(key="proposals-count").set_value(1)
    click(page, "Propose questions")
    assert ProposalJobStore(settings.home).jobs()[0].num_done == 1


def test_where_the_language_model_cannot_be_had_the_proposals_are_there_all_the_same(
    run_page: Run, proposal: Proposal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Pipeline) -> None:
        raise EndpointError("the address [1] makes no sense")

    monkeypatch.setattr(Models, "language_model", property(fail))
    page = opened(run_page)
    assert page.error[0].value == r"the address \[1\] makes no sense"
    assert page.text_input(key="question-1").value == HOTEL


@pytest.mark.usefixtures("writes")
def test_while_questions_are_being_proposed_the_page_shows_how_far_and_can_stop_it(
    run_page: Run, settings: Settings
) -> None:
    jobs = ProposalJobStore(settings.home)
    job = jobs.begin(20)
    jobs.update(job.id, state="running", num_done=7, num_proposed=4, refused="refused: 3 known already")
    page = opened(run_page)
    assert "Propose questions" not in [button.label for button in page.button]
    assert "Refused: 3 known already" in texts(page)
    click(page, "Stop")
    assert jobs.job(job.id).cancel_requested
    assert "Stop" not in [button.label for button in page.button]


@pytest.mark.usefixtures("writes")
def test_of_two_who_ask_at_once_the_second_is_told(run_page: Run, settings: Settings) -> None:
    page = opened(run_page)
    job = ProposalJobStore(settings.home).begin(20)
    page = click(page, "Propose questions")
    assert "being proposed already" in page.error[0].value
    assert [each.id for each in ProposalJobStore(settings.home).jobs()] == [job.id]


def test_a_page_does_not_wait_for_the_language_model(
    run_page: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_free = threading.Event()

    class Slow(Writer):
        def stream(self, messages: Sequence[Mapping[str, str]], stop: threading.Event | None = None) -> Iterator[str]:
            is_free.wait(PATIENCE)
            return super().stream(messages, stop)

    monkeypatch.setattr(Models, "language_model", property(lambda _: Slow()))
    page = click(opened(run_page), "Propose questions")
    assert not is_free.is_set()
    assert "Stop" in [button.label for button in page.button]
    (thread,) = (each for each in threading.enumerate() if each.name == "proposals")
    is_free.set()
    thread.join(PATIENCE)
    assert ProposalJobStore(settings.home).jobs()[0].state == "done"


def test_how_far_it_is_and_how_it_ended_in_words(settings: Settings) -> None:
    jobs = ProposalJobStore(settings.home)
    job = jobs.begin(20)
    jobs.update(job.id, num_done=7, num_proposed=1)
    assert progress_words(jobs.job(job.id)) == "7 of 20 passages read, 1 question proposed"
    jobs.end(job.id, "failed", "the service is busy")
    assert ended_words(jobs.job(job.id)) == ("7 passages read, 1 question proposed. Ended early: the service is busy")
    done = jobs.begin(20)
    jobs.end(done.id, "done")
    assert "No passages left" in ended_words(jobs.job(done.id))


# deciding -------------------------------------------------------------------------------------------------


def test_a_curator_edits_and_accepts(run_page: Run, settings: Settings, proposal: Proposal) -> None:
    page = opened(run_page)
    assert r"Proposed by writer-\[1\]" in texts(page)
    assert "**1** open, **0** accepted, **0** rejected" in texts(page)
    page.text_input(key="question-1").set_value("How much may a hotel cost?").run()
    page = click(page, "Accept")
    (_, judged) = FeedbackStore(settings.home).judgements()
    assert (judged.question, judged.label, judged.user) == ("How much may a hotel cost?", "relevant", "ann")
    assert (judged.origin, judged.text) == ("proposed by writer-[1]", proposal.text)
    assert "**0** open, **1** accepted, **0** rejected" in texts(page)
    page.button_group(key="feedback-view").set_value("By question").run()
    assert "How much may a hotel cost?" in texts(page)


def test_a_curator_rejects(run_page: Run, settings: Settings, proposal: Proposal) -> None:
    page = click(opened(run_page), "Reject")
    assert "**0** open, **0** accepted, **1** rejected" in texts(page)
    assert [each.question for each in FeedbackStore(settings.home).judgements()] == ["Which?"]
    assert ProposalStore(settings.home).proposals()[0].decided_by == "ann"


def test_a_question_that_is_no_longer_one_is_not_accepted(
    run_page: Run, settings: Settings, proposal: Proposal
) -> None:
    page = opened(run_page)
    page.text_input(key="question-1").set_value("Why?").run()
    page = click(page, "Accept")
    assert "10 to 200 characters" in page.error[0].value
    assert len(FeedbackStore(settings.home).judgements()) == 1


def test_who_comes_late_is_told(run_page: Run, settings: Settings, proposal: Proposal) -> None:
    page = opened(run_page)
    ProposalStore(settings.home).reject("1", "ben")
    page = click(page, "Accept")
    assert "already decided" in texts(page)
    assert len(FeedbackStore(settings.home).judgements()) == 1


def test_a_passage_that_is_gone_is_shown_as_it_was(
    run_page: Run, settings: Settings, proposal: Proposal, table: ChunkTable
) -> None:
    assert "was changed or removed" not in texts(opened(run_page))
    with table.writing():
        remove(table.documents(), table)
    page = opened(run_page)
    assert "was changed or removed" in texts(page)
    assert "A hotel may cost 150 euros" in texts(page)
    click(page, "Accept")
    assert FeedbackStore(settings.home).judgements()[-1].text == proposal.text
