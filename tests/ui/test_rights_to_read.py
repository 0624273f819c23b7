"""What ann, who may read `handbook` alone, sees of `it` on the pages: nothing, and nothing that hints at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.access.access import NoAccessError
from app.access.rights import Rights
from app.answering import AnswerJobStore
from app.feedback import FeedbackStore, Judgement, StoredAnswer
from app.feedback.reading import HIDDEN
from app.feedback.statements import standing
from app.memory.votes import Statement
from app.pipeline import Pipeline
from app.search.corrections import CorrectionStore
from app.search.filters import Filter
from app.settings import Settings
from app.ui import resources
from app.ui.feedback import review
from ingest.jobs import JobStore
from ingest.table import ChunkTable
from tests.conftest import PATIENCE
from tests.ui.conftest import Run
from tests.ui.test_documents_page import documents as documents_page
from tests.ui.test_feedback_page import feedback as feedback_page
from tests.ui.test_feedback_page import view

QUESTION = "What does it need?"
SECRET = ("VPN", "vpn.md", "hardware", "extension 4400", "tunnel")
READER = Rights("ann", "curator", frozenset({"handbook"}))
Become = Callable[[Rights], None]


@pytest.fixture
def stored(settings: Settings, pipeline: Pipeline, table: ChunkTable) -> StoredAnswer:
    """An answer that ann got on `it`, with everything that people can say of it."""
    store = FeedbackStore(settings.home)
    answer = replace(pipeline.ask(QUESTION, within=Filter(collections=("it",))), query="the VPN tunnel")
    turn = store.answer(store.save_answer(replace(answer, found=False), "talk", "ann"), "ann")
    assert turn is not None
    chunk = turn.answer.citations[0].chunk
    store.record(turn, chunk.id, "deleted", "ann", "outdated")
    store.record(turn, chunk.id, "deleted", "ben")
    store.judge([Judgement.of("Which tunnel?", chunk.ref, "relevant", "ben")])
    store.say([Statement("Is the tunnel long?", "ben", shown=(chunk.id,))])
    store.say([Statement("Where is the tunnel?", "ben", text="Below the tunnel [1].", sources=(chunk.ref,))])
    return turn


def ask_page() -> None:
    from app.ui.ask import page as page

    page.show()


def source_page() -> None:
    from app.ui.source import page as page

    page.show()


def training_page() -> None:
    from app.ui.training import page as page

    page.show()


def quality_page() -> None:
    from app.ui.quality import page as page

    page.show()


def shown(page: AppTest) -> str:
    """Everything that the browser gets."""
    assert not page.exception

    def protos(node: Any) -> Iterator[str]:
        yield str(getattr(node, "proto", ""))
        for child in getattr(node, "children", {}).values():
            yield from protos(child)

    return "\n".join([*protos(page._tree), *(table.value.to_csv() for table in page.dataframe)])


def leaks(page: AppTest) -> list[str]:
    return [word for word in SECRET if word in shown(page)]


def opened(run_page: Run, page: Callable[[], None], **parameters: str) -> AppTest:
    app = AppTest.from_function(page, default_timeout=PATIENCE)
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.run()


def test_an_answer_of_earlier_is_hidden_and_its_question_can_be_asked_again(
    run_page: Run, stored: StoredAnswer, become: Become
) -> None:
    assert leaks(opened(run_page, ask_page, c="talk"))
    become(READER)
    page = opened(run_page, ask_page, c="talk")
    assert HIDDEN in [each.value for each in page.info]
    assert not leaks(page)
    next(button for button in page.button if button.label == "Ask again").click().run()
    assert not leaks(page)
    assert "leave.md" in shown(page) or "travel.md" in shown(page)


def test_a_share_link_shows_what_its_reader_may_read(
    run_page: Run, settings: Settings, stored: StoredAnswer, become: Become
) -> None:
    store = FeedbackStore(settings.home)
    store.save_answer(stored.answer, "theirs", "ben")
    token = store.share("theirs", "ben")
    assert leaks(opened(run_page, ask_page, share=token))
    become(READER)
    assert not leaks(opened(run_page, ask_page, share=token, a=stored.id))


def test_a_share_link_does_not_show_a_text_whose_sources_are_not_known_yet(
    run_page: Run, settings: Settings, stored: StoredAnswer, become: Become
) -> None:
    store, jobs = FeedbackStore(settings.home), AnswerJobStore(settings.home)
    growing = replace(stored.answer, query="", text="", citations=(), ranking=(), complete=False)
    job = jobs.begin(store.save_answer(growing, "theirs", "ben"))
    jobs.update(job.id, current="answer", text="It needs a hardware key")
    token = store.share("theirs", "ben")
    assert leaks(opened(run_page, ask_page, share=token))
    become(READER)
    assert not leaks(opened(run_page, ask_page, share=token))


def test_a_curator_withdraws_what_they_may_read(
    run_page: Run, settings: Settings, stored: StoredAnswer, become: Become
) -> None:
    from app.ui.feedback.say import withdraw

    run_page(lambda: None)
    store = FeedbackStore(settings.home)
    become(READER)
    withdraw(["Where is the tunnel?"], None)
    assert not any(each.withdrawn for each in store.statements())
    become(Rights("ann", "curator", frozenset({"it"})))
    withdraw(["Where is the tunnel?"], None)
    assert [each.question for each in store.statements() if each.withdrawn] == ["Where is the tunnel?"]


def test_a_curators_answer_replaces_none_that_they_cannot_see(
    run_page: Run, settings: Settings, stored: StoredAnswer, table: ChunkTable, become: Become
) -> None:
    from app.ui.feedback.say import say

    run_page(lambda: None)
    store, question = FeedbackStore(settings.home), "Where is the tunnel?"
    leave = next(document for document in table.documents() if document.name == "handbook/leave.md")
    source = table.chunks_of(leave.id)[0].ref
    become(READER)
    say([Statement(question, "", text="In no handbook [1].", sources=(source,))])
    said = {each.user: each for each in standing(store.statements()) if each.question == question}
    own = said["ann"]
    assert (said["ben"].text, own.collections) == ("Below the tunnel [1].", ("handbook",))
    become(Rights("ann"))
    say([replace(own, text="It is in none [1].")], instead_of=own)
    texts = {each.text for each in standing(store.statements()) if each.question == question}
    assert texts == {"It is in none [1]."}, "who reads everything replaces both: the one edited and their own"


def test_who_has_lost_access_strikes_nothing_on_an_open_page(
    run_page: Run, stored: StoredAnswer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.ui.source import strike

    def refuse() -> str:
        raise NoAccessError("ann has no access")

    run_page(lambda: None)
    num_events = len(resources.feedback_store().events())
    monkeypatch.setattr(strike, "current_user", refuse)
    strike._record(stored, stored.answer.citations[0].chunk.id, "undone")
    assert len(resources.feedback_store().events()) == num_events


def test_the_first_page_and_the_filters_know_only_readable_documents(run_page: Run, become: Become) -> None:
    assert leaks(opened(run_page, ask_page))
    become(READER)
    page = opened(run_page, ask_page)
    assert not leaks(page)
    assert page.multiselect(key="filter-collections").options == ["handbook"]
    assert "2 documents" in shown(page)
    become(Rights("ann", "reader", frozenset()))
    page = opened(run_page, ask_page)
    assert "No documents yet that you may read. Ask a curator" in shown(page)


def test_a_source_that_may_not_be_read_is_as_one_that_is_not_there(
    run_page: Run, stored: StoredAnswer, table: ChunkTable, become: Become
) -> None:
    chunk = stored.answer.citations[0].chunk
    assert leaks(opened(run_page, source_page, chunk=chunk.id))
    become(READER)
    for named, unknown in (
        ({"chunk": chunk.id}, {"chunk": "0" * 16}),
        ({"document": chunk.document_id}, {"document": "0" * 16}),
        ({"chunk": chunk.id, "a": stored.id}, {"chunk": "0" * 16, "a": stored.id}),
    ):
        page = opened(run_page, source_page, **named)
        assert not leaks(page)
        assert not page.get("download_button")
        assert shown(page) == shown(opened(run_page, source_page, **unknown))
    assert FeedbackStore(table.home).events()[-1].action != "opened"


def test_the_documents_page_lists_adds_and_moves_within_what_may_be_read(
    run_page: Run, settings: Settings, table: ChunkTable, become: Become, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JobStore, "start_worker", lambda _store: None)
    store = JobStore(settings.home)
    folder = settings.home
    store.add("folder", [folder / "VPN"], collection="it")
    store.add("folder", [folder / "Handbook"], collection="handbook")
    assert leaks(run_page(documents_page))
    become(READER)
    page = run_page(documents_page)
    assert not leaks(page)
    assert "Ingest of Handbook" in shown(page)
    assert "2 documents" in shown(page)
    assert page.selectbox(key="upload-collection").options == ["handbook"]
    assert page.get("file_uploader")[0].proto.disabled  # until a collection is chosen
    leave = next(document for document in table.documents() if document.name == "handbook/leave.md")
    from app.ui.documents import page as module

    module._move([leave], "it")
    assert {document.collection for document in table.documents() if document.id == leave.id} == {"handbook"}
    before = table.documents()
    module._remove([document for document in before if document.name == "it/vpn.md"])  # of a page opened long ago
    assert table.documents() == before


def test_a_correction_with_what_may_not_be_read_does_not_show_and_stays(
    run_page: Run, settings: Settings, table: ChunkTable, become: Become, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = {document.name: document.id for document in table.documents()}
    store = CorrectionStore(settings.home)
    store.replaced_by(ids["handbook/leave.md"], ids["it/vpn.md"], "root")
    monkeypatch.setattr(
        "app.ui.documents.page._choose",
        lambda documents, wanted: [each for each in documents if each.name == "handbook/leave.md"],
    )
    assert "Remove corrections" in shown(run_page(documents_page))
    become(READER)
    page = run_page(documents_page)
    assert not leaks(page)
    assert "Remove corrections" not in shown(page)
    store.separate(ids["handbook/leave.md"], [ids["handbook/travel.md"]], "ann")
    page = run_page(documents_page)
    next(button for button in page.button if button.label == "Remove corrections").click().run()
    assert [each.other_id for each in store.all()] == [ids["it/vpn.md"]]


def test_documents_are_moved_on_the_page(run_page: Run, table: ChunkTable, monkeypatch: pytest.MonkeyPatch) -> None:
    vpn = next(document for document in table.documents() if document.name == "it/vpn.md")
    monkeypatch.setattr("app.ui.documents.page._choose", lambda documents, wanted: [vpn])
    page = run_page(documents_page)
    page.selectbox(key="move-collection").set_value("handbook").run()
    next(button for button in page.button if button.label == "Move").click().run()
    assert "1 document moved to handbook" in shown(page)
    assert {document.collection for document in table.documents()} == {"handbook"}


@pytest.mark.parametrize(
    "name",
    [
        "Inbox",
        "By question",
        "By document",
        "Answers and gaps",
        "Proposed questions",
        "Log and files",
        "People",
    ],
)
def test_no_view_of_the_feedback_shows_what_may_not_be_read(
    run_page: Run, settings: Settings, pipeline: Pipeline, stored: StoredAnswer, become: Become, name: str
) -> None:
    store = FeedbackStore(settings.home)
    answer = pipeline.ask("How many days of leave?", within=Filter(collections=("handbook",)))
    mine = store.answer(store.save_answer(answer, "two", "ann"), "ann")
    assert mine is not None
    leave = next(each.chunk for each in mine.answer.citations if each.chunk.document == "handbook/leave.md")
    store.record(mine, leave.id, "deleted", "ann", "outdated")
    become(READER)
    page = view(run_page(feedback_page), name)
    assert not leaks(page)
    if name in ("By question", "By document", "Log and files"):
        assert "leave.md" in shown(page)
    if name == "Log and files":
        assert set(page.dataframe[0].value["Rank"]) == {0}, "ranks among passages of which some may be hidden"


def test_the_question_of_an_answer_that_showed_what_may_not_be_read_stands_in_no_view(
    run_page: Run, settings: Settings, pipeline: Pipeline, become: Become
) -> None:
    store = FeedbackStore(settings.home)
    turn = store.answer(store.save_answer(pipeline.ask("How long is the leave of the tunnel?"), "talk", "ben"), "ben")
    assert turn is not None
    leave = next(each.chunk for each in turn.answer.citations if each.chunk.document == "handbook/leave.md")
    store.record(turn, leave.id, "deleted", "ben", "outdated")
    assert "tunnel" in shown(view(run_page(feedback_page), "Log and files"))
    become(READER)
    for name in ("By question", "By document", "Log and files"):
        assert not leaks(view(run_page(feedback_page), name))


def test_what_may_be_read_is_cached_for_those_who_may_read_it(
    run_page: Run, stored: StoredAnswer, become: Become
) -> None:
    """The same objects are asked for by turns, as by two people at the same time."""
    run_page(lambda: None)
    for _ in range(2):
        become(READER)
        assert resources.filter_choices().collections == ("handbook",)
        assert not resources.feedback().events
        assert not review.inbox()
        assert not review.askings()
        become(Rights("ann", "curator", frozenset({"it"})))
        assert resources.filter_choices().collections == ("it",)
        assert len(resources.feedback().events) == 2
        assert review.askings()


@pytest.mark.parametrize("page", [training_page, quality_page])
def test_pages_on_all_documents_need_the_right_to_read_all(
    run_page: Run, become: Become, page: Callable[[], None]
) -> None:
    assert "needs the right to read every collection" not in shown(run_page(page))
    become(READER)
    app = run_page(page)
    assert "needs the right to read every collection" in app.info[0].value
    assert not app.button
