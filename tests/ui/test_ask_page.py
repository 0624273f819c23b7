from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from app.feedback import FeedbackStore
from app.pipeline import Pipeline
from app.rerank import Reranker, RerankerError
from app.settings import Settings
from tests.conftest import FakeReranker
from tests.ui.conftest import Run


def ask_page() -> None:
    from app.ui import ask_page

    ask_page.show()


def ask(page: AppTest, question: str) -> AppTest:
    page.chat_input[0].set_value(question).run()
    assert not page.exception
    return page


def texts(page: AppTest) -> str:
    return "\n".join(element.value for element in (*page.markdown, *page.caption, *page.warning, *page.subheader))


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def test_first_visit_explains_itself_with_three_examples(run_page: Run) -> None:
    page = run_page(ask_page)
    assert page.title[0].value == "Ask your documents"
    assert "3 documents" in texts(page)
    assert len([button for button in page.button if button.key and button.key.startswith("example")]) == 3


def test_an_example_is_answered_at_a_click(run_page: Run) -> None:
    page = run_page(ask_page)
    page.button(key="example-0").click().run()
    assert "Sources" in texts(page)
    assert not page.title


def test_an_answer_shows_quotes_sources_and_times(run_page: Run) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    shown = texts(page)
    assert "A hotel may cost 150 euros a night" in shown
    assert "Closest passages found" in shown
    assert "handbook/travel" in shown
    assert "searched" in shown
    assert "Strike out [1]" in labels(page)


def test_each_source_opens_where_it_stands(run_page: Run, settings: Settings) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    (turn,) = FeedbackStore(settings.home).conversation(page.query_params["c"])
    shown = [(link.proto.label, link.proto.page, link.proto.query_string) for link in page.get("page_link")]
    assert shown == [
        (rf"Open \[{each.number}\]", "source", f"chunk={each.chunk.id}&a={turn.id}") for each in turn.answer.citations
    ]


def test_who_comes_back_from_a_source_is_led_to_the_answer_once(run_page: Run) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    page.query_params["a"] = "the-answer"
    page.run()
    assert page.session_state["scroll-to"] == "the-answer"
    ask(page, "What does the VPN need?")
    assert page.session_state["scroll-to"] != "the-answer"
    assert "a" not in page.query_params


def test_the_reranker_decides_the_order_and_the_toggle_takes_it_away(run_page: Run, settings: Settings) -> None:
    page = run_page(ask_page)
    assert page.toggle[0].value
    ask(page, "Who may call extension 4400?")
    page.toggle[0].set_value(False).run()
    ask(page, "Who may call extension 4400?")
    with_reranker, without = FeedbackStore(settings.home).conversation(page.query_params["c"])
    assert with_reranker.answer.reranker == "shipped"
    assert with_reranker.answer.ranking[0].chunk.document == "handbook/travel.md"
    assert without.answer.reranker == "none"
    assert without.answer.ranking[0].chunk.document == "it/vpn.md"


def test_a_reranker_that_does_not_load_leaves_the_order_of_search_and_a_note(
    run_page: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(name: str, _settings: Settings) -> Reranker:
        if name == "shipped":
            raise RerankerError("its weights are not at hand")
        return FakeReranker()

    monkeypatch.setattr("app.pipeline.load_reranker", load)
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


def test_a_conversation_comes_back_by_its_address(run_page: Run) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    address = page.query_params["c"]
    again = AppTest.from_function(ask_page, default_timeout=30)
    again.query_params["c"] = address
    again.run()
    assert "A hotel may cost 150 euros a night" in texts(again)


def test_somebody_elses_conversation_is_read_and_not_continued(
    run_page: Run, settings: Settings, pipeline: Pipeline
) -> None:
    store = FeedbackStore(settings.home)
    store.save_answer(pipeline.ask("What does the VPN need?"), "theirs", "ben")
    page = AppTest.from_function(ask_page, default_timeout=30)
    page.query_params["c"] = "theirs"
    page.run()
    assert "What does the VPN need?" in texts(page)
    ask(page, "How much may a hotel cost a night?")
    assert len(store.conversation("theirs")) == 1
    assert page.query_params["c"] != "theirs"


def test_a_made_up_address_is_not_taken_over(run_page: Run) -> None:
    page = AppTest.from_function(ask_page, default_timeout=30)
    page.query_params["c"] = "made-up-by-somebody"
    page.run()
    assert page.query_params["c"] != "made-up-by-somebody"


def test_a_new_conversation_starts_empty_and_the_old_one_stays(run_page: Run, settings: Settings) -> None:
    page = ask(run_page(ask_page), "How much may a hotel cost a night?")
    address = page.query_params["c"]
    next(button for button in page.button if button.label == "New").click().run()
    assert page.title[0].value == "Ask your documents"
    assert page.query_params["c"] != address
    assert len(FeedbackStore(settings.home).conversation(address)) == 1


def test_what_a_document_or_question_says_is_shown_and_not_obeyed(run_page: Run) -> None:
    page = ask(run_page(ask_page), "![x](http://evil.example/x.png) hotel <b>cost</b>")
    question = page.chat_message[0].markdown[0].value
    assert question == r"\!\[x\](http\://evil.example/x.png) hotel \<b\>cost\</b\>"
