from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.access.admission import BusyError
from app.access.audit import AuditLog
from app.answer import ALL_STRUCK_OUT, Answer
from app.answer.writer import Writer
from app.feedback import FeedbackStore, StoredAnswer
from app.memory.votes import Statement
from app.pipeline import Pipeline
from app.reranking.rerank import Reranker, RerankerError
from app.search.filters import Filter
from app.settings import Settings
from ingest.removal import remove
from tests.conftest import PATIENCE, FakeLanguageModel, FakeReranker, refuse
from tests.ui.conftest import Run

pytestmark = pytest.mark.slow


def ask_page() -> None:
    from app.ui.ask import page as ask_page

    ask_page.show()


def ask(page: AppTest, question: str) -> AppTest:
    page.chat_input[0].set_value(question).run()
    assert not page.exception
    return page


def texts(page: AppTest) -> str:
    return "\n".join(element.value for element in (*page.markdown, *page.caption, *page.warning, *page.header))


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def test_first_visit_explains_itself_with_three_examples(run_page: Run) -> None:
    page = run_page(ask_page)
    assert page.title[0].value == "Ask your documents"
    assert page.title[0].proto.hide_anchor  # nothing to link to, so no stop for the keyboard
    assert "3 documents" in texts(page)
    assert len([button for button in page.button if button.key and button.key.startswith("example")]) == 3


def test_an_example_is_answered_at_a_click(run_page: Run) -> None:
    page = run_page(ask_page)
    page.button(key="example-0").click().run()
    assert "Sources" in texts(page)
    assert [title.value for title in page.title] == ["Conversation"]


def test_an_answer_shows_quotes_sources_and_times(run_page: Run) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    shown = texts(page)
    assert "A hotel may cost 150 euros a night" in shown
    assert "Quoted from the documents" in shown
    assert "handbook/travel" in shown
    assert "Searched in" in shown
    assert "Strike out [1]" in labels(page)


def test_each_source_opens_where_it_stands(run_page: Run, settings: Settings) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    (turn,) = FeedbackStore(settings.home).conversation(page.query_params["c"], "ann")
    for cited in turn.answer.citations:
        click(page, f"Open [{cited.number}]")
        (link,) = page.get("page_link")
        assert (link.proto.page, link.proto.query_string) == ("source", f"chunk={cited.chunk.id}&a={turn.id}")
        assert any(cited.chunk.text.splitlines()[0] in shown.value for shown in page.main.markdown)
    assert {event.action for event in FeedbackStore(settings.home).events()} == {"opened"}


def test_who_comes_back_from_a_source_is_led_to_the_answer_once(run_page: Run) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    page.query_params["a"] = "the-answer"
    page.run()
    assert page.session_state["scroll-to"] == "the-answer"
    ask(page, "What does the VPN need?")
    assert page.session_state["scroll-to"] != "the-answer"
    assert "a" not in page.query_params


def test_the_toggle_ranks_the_question_on_screen_again(run_page: Run, settings: Settings) -> None:
    page = run_page(ask_page)
    assert page.toggle[0].value
    ask(page, "Who may call extension 4400?")
    reranked = only_turn(page, settings)
    assert reranked.answer.reranker == "shipped"
    assert reranked.answer.ranking[0].chunk.document == "handbook/travel.md"
    page.toggle[0].set_value(False).run()
    assert not page.exception
    in_search_order = only_turn(page, settings)
    assert in_search_order.id == reranked.id
    assert in_search_order.answer.reranker == "none"
    assert in_search_order.answer.ranking[0].chunk.document == "it/vpn.md"
    assert "Compare with reranker" in labels(page)
    page.toggle[0].set_value(True).run()
    assert replace(only_turn(page, settings).answer, timings_ms={}) == replace(reranked.answer, timings_ms={})


def test_a_reload_keeps_the_toggles_which_are_in_the_address(run_page: Run) -> None:
    page = AppTest.from_function(ask_page, default_timeout=PATIENCE)
    page.query_params["reranker-on"], page.query_params["ignore-votes"] = "false", "true"
    page.run()
    assert (page.toggle(key="reranker-on").value, page.toggle(key="ignore-votes").value) == (False, True)


def test_ranking_again_leaves_out_what_was_struck_out(
    run_page: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITELOOP_NUM_CITATIONS", "1")
    page = ask(run_page(ask_page), "Who may call extension 4400?")
    click(page, "Strike out [1]")
    (struck,) = only_turn(page, settings).answer.without
    for on in (False, True):
        page.toggle[0].set_value(on).run()
        assert struck not in [citation.chunk.id for citation in only_turn(page, settings).answer.citations]
    click(page, "Bring back")
    page.run()
    assert [citation.chunk.id for citation in only_turn(page, settings).answer.citations] == [struck]


def test_a_reranker_that_does_not_load_leaves_the_order_of_search_and_a_note(
    run_page: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str, _settings: Settings) -> Reranker:
        if name == "shipped":
            raise RerankerError("its weights are not at hand")
        return FakeReranker()

    monkeypatch.setattr("app.models.load_reranker", load)
    page = ask(run_page(ask_page), "VPN hardware key")
    assert "its weights are not at hand" in texts(page)
    assert "Strike out [1]" in labels(page)


def test_striking_out_collapses_the_card_and_undo_brings_it_back(run_page: Run, settings: Settings) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    next(button for button in page.button if button.label == "Strike out [1]").click().run()
    assert "Undo [1]" in labels(page)
    assert "Strike out [1]" not in labels(page)
    assert "struck out" in texts(page)
    next(button for button in page.button if button.label == "Undo [1]").click().run()
    assert "Strike out [1]" in labels(page)
    assert [event.action for event in FeedbackStore(settings.home).events()] == ["deleted", "undone"]


def test_a_reason_is_kept_with_the_deletion(run_page: Run, settings: Settings) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    next(button for button in page.button if button.label == "Strike out [1]").click().run()
    page.pills[0].set_value("outdated").run()
    assert FeedbackStore(settings.home).events()[-1].reason == "outdated"
    assert "struck out as outdated" in texts(page)


# Writing again ---------------------------------------------------------------------------------------

HOTEL = "A hotel may cost 150 euros a night"


def click(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception
    return page


def said(page: AppTest) -> str:
    """What the last answer says, without its sources."""
    shown = [element.value for element in page.chat_message[-1].markdown]
    return "\n".join(shown[: next(place for place, each in enumerate(shown) if each.startswith("**Sources**"))])


def only_turn(page: AppTest, settings: Settings) -> StoredAnswer:
    (turn,) = FeedbackStore(settings.home).conversation(page.query_params["c"], "ann")
    return turn


def test_striking_out_writes_the_answer_again_and_undo_brings_it_back(run_page: Run, settings: Settings) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    before = only_turn(page, settings)
    assert HOTEL in said(page)
    click(page, "Strike out [1]")
    assert HOTEL not in said(page)
    assert "Rewritten without \\[1\\]" in texts(page)
    assert page.session_state["scroll-to"] == before.id
    after = only_turn(page, settings)
    assert after.id == before.id
    assert after.answer.without == (before.answer.citations[0].chunk.id,)
    assert after.answer.citations == before.answer.citations
    assert 1 not in after.answer.used
    assert after.answer.complete
    in_the_answer = [caption.value for caption in page.caption if "**in the answer**" in caption.value]
    assert len(in_the_answer) == len(after.answer.used)
    click(page, "Undo [1]")
    assert HOTEL in said(page)
    back = only_turn(page, settings).answer
    assert replace(back, timings_ms={}) == replace(before.answer, timings_ms={})


def test_with_every_source_struck_out_the_answer_says_so(run_page: Run, settings: Settings) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    for citation in only_turn(page, settings).answer.citations:
        click(page, f"Strike out [{citation.number}]")
    assert ALL_STRUCK_OUT in said(page)
    click(page, "Undo [1]")
    assert HOTEL in said(page)


def test_what_is_written_already_is_not_written_again(
    run_page: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = click(ask(run_page(ask_page), "How much may a hotel cost a night?"), "Strike out [1]")
    monkeypatch.setattr("app.pipeline.Pipeline.rewrite", None)
    page.pills[0].set_value("not relevant").run()
    assert not page.exception
    assert only_turn(page, settings).answer.without


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> FakeLanguageModel:
    """The language model of every pipeline, which writes of the first two passages."""
    writer = FakeLanguageModel("A hotel may cost 150 euros [1]", ", and that is all [2].")
    monkeypatch.setattr(
        "app.writing.Writing.writer", Writer(writer, FakeReranker, FakeReranker, lambda text: len(text.split()))
    )
    return writer


def test_a_language_model_writes_again_from_the_other_sources(
    run_page: Run, settings: Settings, writer: FakeLanguageModel
) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    struck = only_turn(page, settings).answer.citations[0].chunk
    click(page, "Strike out [1]")
    assert struck.text not in writer.messages[-1]["content"]
    answer = only_turn(page, settings).answer
    assert answer.text == "A hotel may cost 150 euros, and that is all [2]."
    assert (answer.without, answer.answered_by, answer.num_dropped) == ((struck.id,), "fake-writer", 1)
    assert "that is all" in said(page)
    assert "Removed 1 made-up citation" in texts(page)
    assert not page.status


def test_a_rewrite_that_fails_says_why_and_leaves_the_rest_of_the_page(
    run_page: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    before = only_turn(page, settings)
    calls = []

    def rewrite(*_: object) -> Iterator[Answer]:
        calls.append(1)
        raise RerankerError("its weights are [gone](x)")

    monkeypatch.setattr("app.pipeline.Pipeline.rewrite", rewrite)
    click(page, "Strike out [1]")
    assert r"could not be written again\: its weights are \[gone\](x)" in page.warning[0].value
    assert HOTEL in said(page)
    assert page.chat_input
    assert only_turn(page, settings).answer.text == before.answer.text
    page.run()
    assert len(calls) == 1  # it is not tried again by itself


# While it is written ---------------------------------------------------------------------------------


def count_words(text: str) -> int:
    return len(text.split())


class SlowWriter(FakeLanguageModel):
    """Waits in the middle until it is told to go on, or to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()

    def stream(self, messages: Sequence[Mapping[str, str]], stop: threading.Event | None = None) -> Iterator[str]:
        yield "A hotel may cost "
        while not self.goes_on.wait(0.01):
            if stop and stop.is_set():
                return
        yield "150 euros [1]."


@pytest.fixture
def slow_writer(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowWriter]:
    writer = SlowWriter()
    monkeypatch.setattr("app.answering.ThreadPoolExecutor", ThreadPoolExecutor)
    monkeypatch.setattr(
        "app.writing.Writing.writer", Writer(writer, FakeReranker, FakeReranker, lambda text: len(text.split()))
    )
    yield writer
    writer.goes_on.set()


def run_until(page: AppTest, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)
        page.run()
        assert not page.exception


def test_an_answer_grows_beside_its_sources_and_on_every_page(
    run_page: Run, settings: Settings, slow_writer: SlowWriter
) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    run_until(page, lambda: "A hotel may cost" in texts(page))
    assert "Strike out [1]" in labels(page)  # the sources are there before the text is
    assert "Stop" in labels(page)
    again = AppTest.from_function(ask_page, default_timeout=PATIENCE)
    again.query_params["c"] = page.query_params["c"]
    again.run()
    assert "A hotel may cost" in texts(again)
    slow_writer.goes_on.set()
    run_until(again, lambda: "Stop" not in labels(again))
    assert "150 euros" in texts(again)
    assert only_turn(page, settings).answer.complete


def test_a_question_is_kept_before_anything_is_done_for_it(
    run_page: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.ui.conftest.AtOnce.submit", lambda *_: None)
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    answer = only_turn(page, settings).answer
    assert (answer.question, answer.text, answer.complete) == ("How much may a hotel cost a night?", "", False)


def test_stop_keeps_what_is_there_and_says_so(run_page: Run, settings: Settings, slow_writer: SlowWriter) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    run_until(page, lambda: "A hotel may cost" in texts(page))
    click(page, "Stop")
    run_until(page, lambda: "Stop" not in labels(page))
    assert "This answer was stopped" in texts(page)
    answer = only_turn(page, settings).answer
    assert (answer.text, answer.stopped, answer.complete) == ("A hotel may cost", True, False)


def test_striking_out_while_it_is_written_begins_it_anew(
    run_page: Run, settings: Settings, slow_writer: SlowWriter
) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    run_until(page, lambda: "A hotel may cost" in texts(page))
    click(page, "Strike out [1]")
    assert "Rewriting without [1]" in [status.label for status in page.status]
    slow_writer.goes_on.set()
    run_until(page, lambda: not page.status)
    answer = only_turn(page, settings).answer
    assert len(answer.without) == 1
    assert answer.text == "A hotel may cost 150 euros."


# Follow-ups, filters, comparing ----------------------------------------------------------------------


def test_a_follow_up_is_understood_from_the_question_before_and_can_be_changed(
    run_page: Run, settings: Settings
) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night in Berlin?")
    ask(page, "and in Hamburg?")
    _, second = FeedbackStore(settings.home).conversation(page.query_params["c"], "ann")
    assert second.answer.question == "and in Hamburg?"
    assert "hotel" in second.answer.query
    assert "Hamburg" in second.answer.query
    assert f"Understood as: {second.answer.query}" in texts(page).replace("\\", "")
    page.text_area(key=f"query-{second.id}").set_value("And a train?").run()
    page.button(key=f"ask-{second.id}").click().run()
    *_, third = FeedbackStore(settings.home).conversation(page.query_params["c"], "ann")
    assert (third.answer.question, third.answer.query) == ("And a train?", "")
    kept = {event.answer_id for event in FeedbackStore(settings.home).events() if event.action == "kept"}
    assert second.id not in kept  # it answered what was not asked


@pytest.mark.usefixtures("rare_words")
def test_typos_are_corrected_and_can_be_searched_as_typed(run_page: Run, settings: Settings) -> None:
    page = ask(run_page(ask_page), "How much may a hotle cost?")
    turn = only_turn(page, settings)
    assert "Showing results for **How much may a hotel cost?**" in texts(page).replace("\\", "")
    assert "How much may a hotle cost?" in texts(page)  # the question as asked
    assert "Understood as" not in texts(page)
    page.button(key=f"as-typed-{turn.id}").click().run()
    *_, again = FeedbackStore(settings.home).conversation(page.query_params["c"], "ann")
    assert (again.answer.question, again.answer.query) == ("How much may a hotle cost?", "")
    assert texts(page).count("Showing results for") == 1


@pytest.mark.usefixtures("rare_words")
def test_the_same_query_is_compared_without_reranker(run_page: Run, settings: Settings) -> None:
    page = ask(run_page(ask_page), "How much may a hotle cost?")
    turn = only_turn(page, settings)
    page.button(key=f"as-typed-{turn.id}").click().run()
    *_, again = FeedbackStore(settings.home).conversation(page.query_params["c"], "ann")
    page.button(key=f"compare-{again.id}").click().run()
    assert not page.exception
    assert "Not in the other list" not in texts(page)


def test_a_question_is_asked_again_or_edited_in_the_place_where_it_stands(run_page: Run, settings: Settings) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night in Berlin?")
    ask(page, "and in Hamburg?")
    store = FeedbackStore(settings.home)
    first, second = store.conversation(page.query_params["c"], "ann")
    num_events = len(store.events())
    page.button(key=f"again-{second.id}").click().run()
    page.text_area(key=f"edit-{first.id}").set_value("and in Munich?").run()
    page.button(key=f"ask-edited-{first.id}").click().run()
    assert not page.exception
    *_, again, edited = store.conversation(page.query_params["c"], "ann")
    assert (again.answer.question, again.answer.query) == (second.answer.question, second.answer.query)
    assert edited.answer.searched == "and in Munich?"  # as the first question, it follows up none
    assert len(store.events()) == num_events  # who asks again did not keep the answer


def test_an_answer_is_copied_with_the_sources_that_it_cites() -> None:
    from app.ui.ask.controls import as_text
    from tests.app.builders import make_answer

    answer = make_answer()
    cited = [each for each in answer.citations if each.number in answer.used]
    lines = as_text(answer).splitlines()
    assert lines[0] == answer.text
    assert cited
    assert [line.split()[0] for line in lines[lines.index("Sources:") + 1 :]] == [f"[{each.number}]" for each in cited]
    assert cited[0].chunk.document in lines[-len(cited)]


def test_a_filter_holds_for_the_questions_that_follow(run_page: Run, settings: Settings) -> None:
    page = run_page(ask_page)
    page.multiselect(key="filter-collections").set_value(["it"]).run()
    ask(page, "How much may a hotel cost a night?")
    answer = only_turn(page, settings).answer
    assert answer.within == Filter(collections=("it",))
    assert {ranked.chunk.document for ranked in answer.ranking} == {"it/vpn.md"}


def test_a_filter_by_a_document_that_is_gone_is_not_dropped(run_page: Run, settings: Settings) -> None:
    page = run_page(ask_page)
    table = Pipeline(settings).table
    (vpn,) = [each for each in table.documents() if each.name == "it/vpn.md"]
    page.multiselect(key="filter-documents").set_value([vpn.id]).run()
    with table.writing():
        remove([vpn], table)
    st.cache_data.clear()
    ask(page, "How much may a hotel cost a night?")
    assert page.multiselect(key="filter-documents").value == [vpn.id]
    assert f"there is no document '{vpn.id}'" in texts(page)
    assert not only_turn(page, settings).answer.ranking


def test_all_documents_are_asked_again_at_a_click(run_page: Run, settings: Settings) -> None:
    page = run_page(ask_page)
    page.multiselect(key="filter-collections").set_value(["it"]).run()
    click(page, "Clear filters")
    assert page.multiselect(key="filter-collections").value == []
    ask(page, "How much may a hotel cost a night?")
    assert not only_turn(page, settings).answer.within


def test_a_question_that_finds_too_many_waiting_can_be_asked_again(
    run_page: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> Answer:
        raise BusyError(7)

    with monkeypatch.context() as busy:
        busy.setattr(Pipeline, "rank", refuse)
        page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    assert "How much may a hotel cost a night?" in texts(page)
    assert "too many questions at once; ask again in about 7 seconds" in texts(page)
    next(button for button in page.button if button.label == "Ask again").click().run()
    assert "A hotel may cost 150 euros a night" in texts(page)


def test_a_follow_up_that_is_asked_again_takes_its_meaning_from_an_answer(
    run_page: Run, monkeypatch: pytest.MonkeyPatch, settings: Settings, pipeline: Pipeline
) -> None:
    def refuse_to_rank(*_: object, **__: object) -> Answer:
        raise BusyError(7)

    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    with monkeypatch.context() as busy:
        busy.setattr(Pipeline, "rank", refuse_to_rank)
        ask(page, "And for trains?")
    [button for button in page.button if button.label == "Ask again"][-1].click().run()
    *_, again = FeedbackStore(settings.home).conversation(page.query_params["c"], "ann")
    assert again.answer.searched == pipeline.in_full("And for trains?", ["How much may a hotel cost a night?"])


def test_on_a_full_disk_the_question_is_answered_and_striking_out_says_why_not(
    run_page: Run, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    page = ask(run_page(ask_page), "What does the VPN need?")
    with monkeypatch.context() as full:
        full.setattr("ingest.home.database._opened_for_writing", refuse)
        ask(page, "How much may a hotel cost a night?")
        assert "A hotel may cost 150 euros a night" in texts(page)
        assert "Not saved" in texts(page)
        assert "What does the VPN need?" in texts(page)
        strike = [button for button in page.button if button.label == "Strike out [1]"][-1]
        strike.click().run()
        assert any("Not saved" in error.value for error in page.error)
    page.run()
    assert "Not saved" not in texts(page)
    assert len(FeedbackStore(settings.home).conversation(page.query_params["c"], "ann")) == 2


def test_a_damaged_endpoint_leaves_every_question_its_quotes(run_page: Run, settings: Settings) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    (settings.home / "endpoint.json").write_text("{")
    for question in ("What does the VPN need?", "and in Hamburg?"):
        ask(page, question)
    for turn in FeedbackStore(settings.home).conversation(page.query_params["c"], "ann")[1:]:
        assert turn.answer.citations
        assert turn.answer.text
        assert "endpoint.json is damaged" in turn.answer.note


def test_earlier_questions_come_at_a_click(run_page: Run, settings: Settings, pipeline: Pipeline) -> None:
    store = FeedbackStore(settings.home)
    answer = pipeline.ask("What does the VPN need?")
    ids = [store.save_answer(replace(answer, question=f"Question {n}?"), "long", "ann") for n in range(12)]
    page = AppTest.from_function(ask_page, default_timeout=PATIENCE)
    page.query_params["c"] = "long"
    page.run()
    assert "Question 1?" not in texts(page)
    assert "Question 2?" in texts(page)
    click(page, "Show earlier questions")
    assert "Question 0?" in texts(page)
    linked = AppTest.from_function(ask_page, default_timeout=PATIENCE)
    linked.query_params.update({"c": "long", "a": ids[0]})
    linked.run()
    assert "Question 0?" in texts(linked)


def test_the_sources_of_an_earlier_question_are_drawn_once_they_are_unfolded(run_page: Run, settings: Settings) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    cards = page.header.values
    ask(page, "What does the VPN need?")
    assert cards[0] in page.header.values  # of the last question, over the same documents
    num_cards = len(page.header)
    earlier, _ = FeedbackStore(settings.home).conversation(page.query_params["c"], "ann")
    page.session_state[f"sources-{earlier.id}"] = True
    page.run()
    assert len(page.header) == num_cards + len(cards)


def test_the_other_order_is_shown_beside_the_answer(run_page: Run, settings: Settings) -> None:
    page = ask(run_page(ask_page), "Who may call extension 4400?")
    click(page, "Compare without reranker")
    titles = {element.value for element in page.subheader}
    assert {"Reranked (model that comes with Citeloop)", "Not reranked"} <= titles
    assert len(FeedbackStore(settings.home).conversation(page.query_params["c"], "ann")) == 1


# Conversations ---------------------------------------------------------------------------------------


def test_conversations_are_listed_found_renamed_and_removed(run_page: Run, settings: Settings) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    first = page.query_params["c"]
    click(page, "New conversation")
    ask(page, "What does the VPN need?")
    assert {"How much may a hotel cost a night?", "What does the VPN need?"} <= set(labels(page))
    page.text_input(key="conversation-words").set_value("HOW much").run()
    assert "What does the VPN need?" not in labels(page)
    click(page, "How much may a hotel cost a night?")
    assert page.query_params["c"] == first
    page.text_input(key=f"title-{first}").set_value("Hotels").run()
    click(page, "Rename")
    assert "Hotels" in labels(page)
    assert "Remove conversation" not in labels(page)  # not at one click
    page.checkbox[0].check().run()
    click(page, "Remove conversation")
    assert "Hotels" not in labels(page)
    assert FeedbackStore(settings.home).conversation(first, "ann") == []
    acts = [(each.act, each.subject) for each in AuditLog(settings.home).entries()]
    assert acts == [("conversation removed", first), ("conversation renamed", first)]


# Read and not corrected ------------------------------------------------------------------------------


def kept(settings: Settings) -> list[tuple[str, int | None]]:
    events = FeedbackStore(settings.home).events()
    return [(event.question, event.number) for event in events if event.action == "kept"]


def test_who_asks_the_next_question_has_kept_the_answer_before(run_page: Run, settings: Settings) -> None:
    question = "How much may a hotel cost a night?"
    page = ask(run_page(ask_page), question)
    used = only_turn(page, settings).answer.used
    assert kept(settings) == []
    ask(page, "What does the VPN need?")
    assert kept(settings) == [(question, number) for number in sorted(used)]
    click(page, "New conversation")
    ask(page, question)
    assert {asked for asked, _ in kept(settings)} == {question}


def test_a_source_that_was_struck_out_is_not_kept(run_page: Run, settings: Settings) -> None:
    page = ask(run_page(ask_page), "Which hotel may I take for a night?")
    click(page, "Strike out [1]")
    used = only_turn(page, settings).answer.used
    ask(page, "What does the VPN need?")
    assert kept(settings) == [("Which hotel may I take for a night?", number) for number in sorted(used)]
    assert 1 not in used


def test_who_reads_a_shared_conversation_keeps_nothing(run_page: Run, shared: Shared) -> None:
    ask(open_page(share=shared.token), "How much may a hotel cost a night?")
    assert shared.store.events() == []


def test_a_conversation_comes_back_by_its_address(run_page: Run) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    address = page.query_params["c"]
    again = AppTest.from_function(ask_page, default_timeout=PATIENCE)
    again.query_params["c"] = address
    again.run()
    assert "A hotel may cost 150 euros a night" in texts(again)


# Shared conversations --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shared:
    """A conversation of ben's, and the token by which ann may read it."""

    store: FeedbackStore
    turn: StoredAnswer
    token: str


@pytest.fixture
def shared(settings: Settings, pipeline: Pipeline) -> Shared:
    store = FeedbackStore(settings.home)
    store.save_answer(pipeline.ask("What does the VPN need?"), "theirs", "ben")
    (turn,) = store.conversation("theirs", "ben")
    return Shared(store, turn, store.share("theirs", "ben"))


def open_page(**parameters: str) -> AppTest:
    page = AppTest.from_function(ask_page, default_timeout=PATIENCE)
    page.query_params.update(parameters)
    page.run()
    assert not page.exception
    return page


@pytest.mark.parametrize("named", ["c", "c and a", "a"])
def test_somebody_elses_conversation_is_as_one_that_nobody_has(run_page: Run, shared: Shared, named: str) -> None:
    theirs = {"c": "theirs", "a": shared.turn.id}
    opened = open_page(**{name: value for name, value in theirs.items() if name in named})
    unknown = open_page(**{name: "made-up-by-somebody" for name in theirs if name in named})
    assert opened.query_params["c"] not in ("theirs", "made-up-by-somebody")
    assert unknown.query_params["c"] not in ("theirs", "made-up-by-somebody")
    assert "VPN" not in texts(opened)
    assert texts(opened) == texts(unknown)
    assert labels(opened) == labels(unknown)
    ask(opened, "How much may a hotel cost a night?")
    assert len(shared.store.conversation("theirs", "ben")) == 1
    assert shared.store.conversation("theirs", "ann") == []


def test_a_shared_conversation_is_read_and_not_changed(run_page: Run, shared: Shared) -> None:
    struck, other = (citation.chunk.id for citation in shared.turn.answer.citations[:2])
    shared.store.record(shared.turn, struck, "deleted", "ben", "outdated")
    page = open_page(share=shared.token)
    assert "What does the VPN need?" in texts(page)
    assert "~~" in page.header[0].value  # as ben struck it out
    opened = {f"Open [{each.number}]" for each in shared.turn.answer.citations[1:]}
    others = {"New conversation", "Clear filters", "How these were ranked", "Compare with reranker"}
    assert set(labels(page)) == opened | others
    assert not page.pills
    assert not page.get("download_button")
    click(page, "Open [2]")
    (link,) = page.get("page_link")
    assert link.proto.query_string == f"chunk={other}&a={shared.turn.id}&share={shared.token}"
    (turn,) = shared.store.conversation("theirs", "ben")
    assert turn.answer.without == ()  # ann's page has nothing written again


def test_a_question_after_a_shared_conversation_starts_an_own_one(run_page: Run, shared: Shared) -> None:
    page = open_page(share=shared.token)
    ask(page, "How much may a hotel cost a night?")
    assert "share" not in page.query_params
    (turn,) = shared.store.conversation(page.query_params["c"], "ann")
    assert turn.answer.query == ""  # it takes no meaning from what ben asked
    assert len(shared.store.conversation("theirs", "ben")) == 1


def test_a_conversation_is_shared_and_closed_again(run_page: Run, settings: Settings, shared: Shared) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    conversation_id = page.query_params["c"]
    assert "Only you can open this conversation." in texts(page)
    click(page, "Share conversation")
    token = shared.store.share_token(conversation_id, "ann")
    assert token
    assert "Anyone with this link can read this conversation" in texts(page)
    assert [code.value.endswith(f"/?share={token}") for code in page.code] == [True, False]
    assert f"/?share={token}&a=" in page.code[1].value  # to the answer
    click(page, "Stop sharing")
    assert shared.store.shared_conversation(token) == []
    assert not page.code
    closed = open_page(share=token)
    assert "This link is not valid" in closed.info[0].value
    assert closed.query_params["c"] != conversation_id


def test_who_opens_a_share_of_their_own_goes_on_in_it(run_page: Run, settings: Settings, shared: Shared) -> None:
    conversation_id = ask(run_page(ask_page), "How much may a hotel cost a night?").query_params["c"]
    page = open_page(share=shared.store.share(conversation_id, "ann"))
    assert page.query_params["c"] == conversation_id
    assert "Strike out [1]" in labels(page)


def test_a_made_up_address_is_not_taken_over(run_page: Run) -> None:
    page = AppTest.from_function(ask_page, default_timeout=PATIENCE)
    page.query_params["c"] = "made-up-by-somebody"
    page.run()
    assert page.query_params["c"] != "made-up-by-somebody"


def test_a_new_conversation_starts_empty_and_the_old_one_stays(run_page: Run, settings: Settings) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    address = page.query_params["c"]
    next(button for button in page.button if button.label == "New conversation").click().run()
    assert page.title[0].value == "Ask your documents"
    assert page.query_params["c"] != address
    assert len(FeedbackStore(settings.home).conversation(address, "ann")) == 1


def test_what_a_document_or_question_says_is_shown_and_not_obeyed(run_page: Run) -> None:
    page = ask(run_page(ask_page), "![x](http://evil.example/x.png) hotel <b>cost</b>")
    question = page.chat_message[0].markdown[0].value
    assert question == r"\!\[x\](http\://evil.example/x.png) hotel \<b\>cost\</b\>"


def test_what_people_said_can_be_ignored_for_the_question_on_screen(run_page: Run, settings: Settings) -> None:
    question = "How much may a hotel cost a night?"
    page = ask(run_page(ask_page), question)
    turn = only_turn(page, settings)
    store = FeedbackStore(settings.home)
    struck = turn.answer.citations[0].chunk
    store.record(turn, struck.id, "deleted", "ann")
    page.toggle(key="ignore-votes").set_value(True).run()
    page.run()
    again = only_turn(page, settings)
    assert again.answer.ignores_votes
    assert "All documents · without what people said" in [each.proto.popover.label for each in page.get("popover")]
    assert struck.id in [ranked.chunk.id for ranked in again.answer.ranking[:1]]
    page.toggle(key="ignore-votes").set_value(False).run()
    page.run()
    assert struck.id not in [citation.chunk.id for citation in only_turn(page, settings).answer.citations]


def test_a_curators_answer_names_who_and_when_and_one_click_shows_what_the_documents_say(
    run_page: Run, settings: Settings, pipeline: Pipeline
) -> None:
    question = "How much may a hotel cost a night?"
    source = pipeline.rank(question).citations[-1].chunk
    written = Statement(question, "cora", text="Ask the front desk [1].", sources=(source.ref,))
    FeedbackStore(settings.home).say([written])
    page = ask(run_page(ask_page), question)
    assert "Answered by cora on" in texts(page)
    assert "Ask the front desk" in texts(page)
    assert "Quoted from the documents" not in texts(page)
    page.button(key=next(str(each.key) for each in page.button if each.label == "Show what the documents say")).click()
    page.run()
    assert "A hotel may cost 150 euros a night" in texts(page)
    assert "Without what people said" in texts(page)
    assert "Answered by cora on" not in texts(page)
    page.button(key=next(str(each.key) for each in page.button if each.label == "Include what people said")).click()
    page.run()
    assert "Answered by cora on" in texts(page)
