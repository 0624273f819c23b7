from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.feedback import FeedbackError, FeedbackStore, Judgement
from app.feedback.rules import label
from app.pipeline import Pipeline
from app.settings import Settings
from app.training.exchange.exports import export_bytes
from app.ui.feedback.by_question import DECISIONS, counts_as, people_words
from app.ui.words import preview, times
from ingest.pipeline import ingest
from ingest.removal import remove
from ingest.table import ChunkTable
from tests.conftest import PATIENCE, FakeEmbedder
from tests.ui.conftest import Run

pytestmark = pytest.mark.slow

HOTEL, VPN = "How much may a hotel cost?", "What does the VPN need?"


def feedback() -> None:
    from app.ui.feedback import page as feedback_page

    feedback_page.show()


@pytest.fixture
def store(settings: Settings, pipeline: Pipeline) -> FeedbackStore:
    """Two questions asked, of each the first source struck out: by ann, and by ben as outdated."""
    store = FeedbackStore(settings.home)
    for question, user, reason in ((HOTEL, "ann", None), (VPN, "ben", "outdated")):
        shown = store.answer(store.save_answer(pipeline.ask(question), "one", "ann"), "ann")
        assert shown is not None
        store.record(shown, shown.answer.citations[0].chunk.id, "deleted", user, reason)  # type: ignore[arg-type]
    return store


def view(page: AppTest, name: str) -> AppTest:
    """The page with this view open; without feedback it has no views, and shows Files."""
    if page.button_group:
        page.button_group(key="feedback-view").set_value(name).run()
    assert not page.exception
    return page


def texts(page: AppTest) -> str:
    assert not page.exception
    kinds = (page.header, page.markdown, page.caption, page.info, page.warning, page.success, page.error)
    return "\n".join(str(element.value) for elements in kinds for element in elements)


def click(page: AppTest, label: str, place: int = 0) -> AppTest:
    [button for button in page.button if button.label == label][place].click().run()
    assert not page.exception
    return page


def contradict(store: FeedbackStore) -> None:
    """What ann struck out for the first question, ben has left standing."""
    first = store.conversation("one", "ann")[0]
    store.record(first, first.answer.citations[0].chunk.id, "kept", "ben")


def test_without_feedback_the_page_says_how_to_give_some_and_can_still_import(run_page: Run) -> None:
    page = run_page(feedback)
    assert "Strike out a wrong source" in page.info[0].value
    assert not page.text_input
    assert "Import" in texts(page)
    click(page, "Add question and answer")
    assert page.text_input(key="answer-question")


def test_without_documents_the_page_says_to_add_some(run_page: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.ui.feedback.page.readable_documents", lambda: ())
    page = run_page(feedback)
    assert "No documents yet" in page.info[0].value
    assert [link.proto.label for link in page.get("page_link")] == ["Add documents"]
    assert [button.label for button in page.button] == ["Import"]


# the log -------------------------------------------------------------------------------------------------


def test_the_log_is_shown_newest_first_and_can_be_filtered(run_page: Run, store: FeedbackStore) -> None:
    page = view(run_page(feedback), "Log and files")
    assert list(page.dataframe[0].value["Question"]) == [VPN, HOTEL]
    page.selectbox(key="feedback-reason").set_value("outdated").run()
    assert list(page.dataframe[0].value["By"]) == ["ben"]
    page.selectbox(key="feedback-reason").set_value("all").run()
    page.text_input(key="feedback-filter").set_value("hotel cost").run()
    assert list(page.dataframe[0].value["By"]) == ["ann"]


def test_the_log_keeps_the_text_of_a_passage_whose_document_is_gone(
    run_page: Run, store: FeedbackStore, table: ChunkTable
) -> None:
    event = store.events()[0]
    with table.writing():
        remove(table.documents(), table)
    page = view(run_page(feedback), "Log and files")
    assert page.dataframe[0].value["Passage"].iloc[-1] == preview(event.text, 200)
    assert page.dataframe[0].value["Document"].iloc[-1] == event.document


# by question ---------------------------------------------------------------------------------------------


def test_each_question_shows_what_people_say_and_what_it_counts_as(run_page: Run, store: FeedbackStore) -> None:
    page = view(run_page(feedback), "By question")
    assert "**1 question with usable feedback**: 0 passages that answer, 1 that do not." in texts(page)
    assert "67 more questions with an answering passage" in texts(page)
    assert "**How much may a hotel cost?**" in texts(page)
    assert ":red-badge[does not answer]" in texts(page)
    assert "People: struck out by 1 (no reason given)" in texts(page)
    assert "Counted as wrong (weight 0.7)" in texts(page)
    assert "People: struck out (outdated)" in texts(page)
    assert "Not used for training: struck out as outdated" in texts(page)


def test_contradictions_come_first_and_can_be_shown_alone(
    run_page: Run, store: FeedbackStore, pipeline: Pipeline
) -> None:
    later = store.answer(store.save_answer(pipeline.ask(VPN), "two", "cleo"), "cleo")
    assert later is not None
    for user, action in (("ann", "deleted"), ("cleo", "kept")):
        store.record(later, later.answer.citations[0].chunk.id, action, user)  # type: ignore[arg-type]
    page = view(run_page(feedback), "By question")
    assert texts(page).index("What does the VPN need") < texts(page).index("How much may a hotel cost")
    assert ":orange-badge[:material/warning: conflict]" in texts(page)
    page.selectbox(key="questions-shown").set_value("contradicted").run()
    assert "How much may a hotel cost" not in texts(page)
    assert page.selectbox(key="questions-shown").options == [
        "All (2)",
        "Conflicting feedback (1)",
        "No answering passage (2)",
        "Decided by a curator (0)",
    ]


def test_a_curator_decides_and_decides_otherwise(run_page: Run, store: FeedbackStore) -> None:
    contradict(store)
    page = view(run_page(feedback), "By question")
    assert "with conflicting feedback" in texts(page)
    assert control(page, store).options == ["Answers", "Does not answer", "Not used for training"]
    for said, expected in DECISIONS.items():
        control(page, store).set_value(said).run()
        assert store.judgements()[0].label == said
        assert store.judgements()[0].user == "ann"
        assert f"Decided by you: {expected}" in texts(page)
    assert "with conflicting feedback" not in texts(page)


def test_a_decision_is_withdrawn_and_what_people_say_counts_again(run_page: Run, store: FeedbackStore) -> None:
    contradict(store)
    page = view(run_page(feedback), "By question")
    assert "Withdraw decision" not in [button.label for button in page.button]
    control(page, store).set_value("relevant").run()
    click(page, "Withdraw decision")
    assert store.judgements() == []
    assert control(page, store).value is None
    assert f"the decision on “{HOTEL}”." in page.success[0].value
    assert "with conflicting feedback" in texts(page)


def test_a_reload_keeps_the_view_which_is_in_the_address(run_page: Run, store: FeedbackStore) -> None:
    page = AppTest.from_function(feedback, default_timeout=PATIENCE)
    page.query_params["feedback-view"] = "By question"
    assert page.run().button_group(key="feedback-view").value == "By question"


@pytest.mark.parametrize(
    ("saved", "now"),
    [
        ("Unanswered", "Answers and gaps"),
        ("Written answers", "Answers and gaps"),
        ("Log", "Log and files"),
        ("Files", "Log and files"),
        ("Nach Frage", "Inbox"),
        ("Nothing", "Inbox"),
    ],
)
def test_a_saved_link_to_an_earlier_view_opens_where_it_is_now(
    run_page: Run, store: FeedbackStore, saved: str, now: str
) -> None:
    page = AppTest.from_function(feedback, default_timeout=PATIENCE)
    page.query_params["feedback-view"] = saved
    assert page.run().button_group(key="feedback-view").value == now
    assert not page.exception


def test_the_address_names_the_view_in_english_in_each_language(
    run_page: Run, store: FeedbackStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.translation._language_of_reader", lambda: "de")
    page = AppTest.from_function(feedback, default_timeout=30)
    page.query_params["feedback-view"] = "Nach Frage"  # as earlier versions named it
    assert page.run().button_group(key="feedback-view").value == "By question"
    page.button_group(key="feedback-view").set_value("People").run()
    assert page.query_params["feedback-view"] == "People"
    assert page.button_group(key="feedback-view").value == "People"


def control(page: AppTest, store: FeedbackStore):  # type: ignore[no-untyped-def]  # streamlit's test element
    """What a curator says of the first passage that was struck out."""
    key = f"judge-{Judgement.of(store.events()[0].question, store.events()[0], 'relevant', '').key}"
    return next(each for each in page.button_group if each.key and each.key.startswith(key))


def test_what_another_curator_says_is_shown_and_can_be_changed_back(run_page: Run, store: FeedbackStore) -> None:
    page = view(run_page(feedback), "By question")
    control(page, store).set_value("relevant").run()
    store.judge([Judgement.of(store.events()[0].question, store.events()[0], "not relevant", "ben")])
    page.run()
    assert "Decided by ben: does not answer" in texts(page)
    assert control(page, store).value == "not relevant"
    control(page, store).set_value("relevant").run()
    assert (store.judgements()[0].label, store.judgements()[0].user) == ("relevant", "ann")


def test_a_passage_that_was_picked_as_the_answer_is_shown_so(run_page: Run, store: FeedbackStore) -> None:
    page = view(run_page(feedback), "By question")
    assert control(page, store).value is None
    store.judge([Judgement.of(store.events()[0].question, store.events()[0], "relevant", "ann")])  # as the drawer does
    assert control(page.run(), store).value == "relevant"


def test_a_browser_that_is_behind_takes_nobodys_word_back(run_page: Run, store: FeedbackStore) -> None:
    """It sends the control as it was drawn before another curator changed the word."""
    event = store.events()[0]
    store.judge([Judgement.of(event.question, event, "relevant", "ben")])
    page = view(run_page(feedback), "By question")
    behind = control(page, store)
    store.judge([Judgement.of(event.question, event, "not relevant", "cleo")])
    page.run()
    behind.set_value("relevant").run()
    assert (store.judgements()[0].label, store.judgements()[0].user) == ("not relevant", "cleo")


def test_a_word_that_cannot_be_kept_can_be_said_again(
    run_page: Run, store: FeedbackStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = view(run_page(feedback), "By question")
    control(page, store).set_value("relevant").run()
    with monkeypatch.context() as patch:
        patch.setattr(FeedbackStore, "judge", refuse)
        control(page, store).set_value("not relevant").run()
        assert page.error[0].value == "the disk is full"
        assert control(page, store).value == "relevant"
    control(page, store).set_value("not relevant").run()
    assert store.judgements()[0].label == "not relevant"


def refuse(*_: object) -> None:
    raise FeedbackError("the disk is full")


def test_the_drawer_that_searches_opens_with_the_question(run_page: Run, store: FeedbackStore) -> None:
    page = click(view(run_page(feedback), "By question"), "Add answering passage")
    assert page.text_input(key=f"answer-words-{HOTEL}").value == HOTEL
    assert "A hotel may cost 150 euros" in texts(page)


def finding() -> None:  # AppTest draws the whole page at every click, which would close the drawer
    from app.ui.ask import answer_search

    answer_search.find_answer("How much may a hotel cost?")


def finding_anything() -> None:
    from app.ui.ask import answer_search

    answer_search.find_answer("")


def test_the_passage_that_answers_is_searched_and_picked(run_page: Run, store: FeedbackStore) -> None:
    page = run_page(finding)
    page.text_input(key=f"answer-words-{HOTEL}").set_value("150 euros a night").run()
    page = click(page, "Pick passage 1")
    (judged,) = store.judgements()
    assert (judged.question, judged.label, judged.user) == (HOTEL, "relevant", "ann")
    assert judged.document == "handbook/travel.md"
    assert "150 euros a night" in judged.text
    assert ":green-badge[answers]" in texts(page)
    assert ":green-badge[answers]" in texts(view(run_page(feedback), "By question"))


def test_a_question_that_nobody_asked_can_be_added(run_page: Run, store: FeedbackStore) -> None:
    page = run_page(finding_anything)
    assert "pick the passage that answers it" in texts(page)
    page.text_input(key="answer-question").set_value("Which trains come first?").run()
    click(page, "Pick passage 1")
    assert store.judgements()[0].question == "Which trains come first?"


def test_where_nothing_is_found_the_drawer_says_what_to_do(
    run_page: Run, store: FeedbackStore, table: ChunkTable
) -> None:
    with table.writing():
        remove(table.documents(), table)
    assert "add the document first" in run_page(finding).info[0].value


def test_thousands_of_passages_are_shown_page_by_page(run_page: Run, settings: Settings) -> None:
    FeedbackStore(settings.home).judge(
        Judgement(user="ann", question=f"Question {n // 5}?", label="relevant", text=f"Passage {n}.")
        for n in range(3000)
    )
    page = view(run_page(feedback), "By question")
    assert "**600 questions with usable feedback**" in texts(page)
    assert texts(page).count("\\?**") + texts(page).count("?**") == 10
    assert [toggle.label for toggle in page.toggle] == ["Show 2 more passages"] * 10
    page.text_input(key="questions-filter").set_value("question 599").run()
    assert "**Question 599?**" in texts(page)
    page.toggle[0].set_value(True).run()
    assert "Passage 2999" in texts(page)


def test_text_of_questions_and_documents_is_shown_as_it_stands(run_page: Run, settings: Settings) -> None:
    nasty = "![x](http://evil.example/x.png) <b>bold</b> :red[x]"
    FeedbackStore(settings.home).judge(
        [Judgement(user=nasty, question=nasty, label="relevant", text=nasty, title=nasty, document=nasty)]
    )
    shown = texts(view(run_page(feedback), "By question"))
    assert "![x]" not in shown.replace(r"\!\[x\]", "")
    assert "<b>" not in shown.replace(r"\<b\>", "")
    assert ":red[x]" not in shown.replace(r"\:red\[x\]", "")


# by document ---------------------------------------------------------------------------------------------


def test_documents_that_are_struck_out_most_come_first(run_page: Run, store: FeedbackStore) -> None:
    first = store.conversation("one", "ann")[0]
    store.record(first, first.answer.citations[0].chunk.id, "deleted", "ben", "not relevant")
    page = view(run_page(feedback), "By document")
    documents = [event.document for event in store.events()]
    assert texts(page).index(documents[0]) < texts(page).index(documents[1])
    assert "Struck out twice by 2 people: no reason given, not relevant" in texts(page)
    assert "Struck out once by 1 person: outdated" in texts(page)
    assert texts(page).count("check document]") == 1
    page.toggle(key="documents-feedback-care").set_value(True).run()
    assert "Struck out twice" not in texts(page)
    assert [expander.label for expander in page.expander] == ["1 passage struck out"]


def test_of_a_document_that_is_gone_the_page_says_so(run_page: Run, store: FeedbackStore, table: ChunkTable) -> None:
    with table.writing():
        remove(table.documents(), table)
    assert texts(view(run_page(feedback), "By document")).count("document removed") == 2


def test_a_renamed_document_stays_one_document(
    run_page: Run, store: FeedbackStore, table: ChunkTable, documents: Path, embedder: FakeEmbedder
) -> None:
    """Its old name may be that of another document by now."""
    old = store.events()[0].document
    (documents / old).rename(documents / "renamed.md")
    assert "renamed" in {result.status for result in ingest([documents], table, embedder, prune=True)}
    (documents / old).write_text("# Other\n\nSomething else stands here now.\n")
    list(ingest([documents], table, embedder))
    later = store.answer(
        store.save_answer(Pipeline(Settings(home=table.home), embedder).ask(HOTEL), "two", "ann"), "ann"
    )
    assert later is not None
    store.record(later, store.events()[0].chunk_id, "deleted", "ben")
    shown = texts(view(run_page(feedback), "By document"))
    assert "**renamed.md**" in shown
    assert "Struck out twice by 2 people" in shown
    assert old not in shown
    assert "document removed" not in shown


def test_only_what_goes_on_ends_with_dots(run_page: Run, store: FeedbackStore) -> None:
    page = view(run_page(feedback), "By document")
    assert "Trains come first for short trips.  \nLast asked" in texts(page)
    assert "…" not in texts(page)


def test_where_nothing_is_struck_out_there_are_no_documents(run_page: Run, settings: Settings) -> None:
    FeedbackStore(settings.home).judge([Judgement(user="ann", question="q?", label="relevant", text="a")])
    assert "No source is struck out." in texts(view(run_page(feedback), "By document"))


# files ---------------------------------------------------------------------------------------------------


def judged(*pairs: tuple[str, bool]) -> list[Judgement]:
    return [
        Judgement(user="ben", question="q?", label="relevant" if good else "not relevant", title="T", text=text)
        for text, good in pairs
    ]


def upload(page: AppTest, name: str, content: bytes) -> AppTest:
    page.file_uploader[0].set_value([(name, content, "application/octet-stream")])
    return click(page, "Import")


def packed(judgements: Sequence[Judgement]) -> bytes:
    return export_bytes("beir", label([], judgements))[1]


def test_what_each_format_would_hold_is_said_before_anything_is_built(
    run_page: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.ui.feedback.files.export_bytes", lambda *_: pytest.fail("built without a click"))
    FeedbackStore(settings.home).judge(judged(("yes", True)))
    page = view(run_page(feedback), "Log and files")
    buttons = {button.proto.label: button.proto.disabled for button in page.get("download_button")}
    assert buttons == {
        "Export events (.jsonl)": True,
        "Triplets (.jsonl)": True,
        "Pairs (.jsonl)": False,
        "BEIR (.zip)": False,
    }
    assert "Holds 0 of 1 question: those with both kinds of passages." in texts(page)


def test_a_csv_is_imported_with_a_report(run_page: Run, settings: Settings) -> None:
    content = b"question,answer,label\nHow many days?,Thirty.,yes\nHow many days?,Trains first.,no\n"
    page = upload(view(run_page(feedback), "Log and files"), "answers.csv", content)
    assert "answers.csv: 2 labels read, 2 new, 0 already there" in texts(page).replace("\\:", ":")
    assert {each.origin for each in FeedbackStore(settings.home).judgements()} == {"imported from answers.csv"}
    page = upload(view(page, "Log and files"), "answers.csv", content)
    assert "2 labels read, 0 new, 2 already there" in texts(page)


def test_what_a_curator_said_otherwise_is_not_taken(run_page: Run, settings: Settings) -> None:
    FeedbackStore(settings.home).judge([Judgement(user="ann", question="q?", label="not relevant", text="yes")])
    page = upload(view(run_page(feedback), "Log and files"), "a.csv", b"question,answer\nq?,yes\n")
    assert "1 skipped because a curator decided otherwise" in texts(page)


def test_the_zip_of_an_export_is_taken_back(run_page: Run, settings: Settings) -> None:
    page = upload(
        view(run_page(feedback), "Log and files"), "citeloop-beir.zip", packed(judged(("yes", True), ("no", False)))
    )
    assert "2 labels read, 2 new" in texts(page)
    assert {each.text: each.label for each in FeedbackStore(settings.home).judgements()} == {
        "yes": "relevant",
        "no": "not relevant",
    }


def with_entry(name: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(name, json.dumps({"_id": "1", "text": "x"}))
    return target.getvalue()


def damaged(method: int) -> bytes:
    """A zip of which a file's packed bytes are no longer such."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        archive.writestr("corpus.jsonl", "x" * 100)
    content = target.getvalue()
    start = 30 + len("corpus.jsonl") + (9 if method == zipfile.ZIP_LZMA else 0)  # after LZMA's own settings
    return content[:start] + b"\xff" * 4 + content[start + 4 :]


def with_a_name_in_no_alphabet() -> bytes:
    return with_entry("é.jsonl").replace("é".encode(), b"\xff\xff")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"question\nq?\n", "a.csv"),
        ("a.jsonl", b"no json", "a.jsonl line 1 is not JSON"),
        ("a.zip", b"PK\x03\x04 broken", "a.zip cannot be unpacked"),
        ("a.zip", damaged(zipfile.ZIP_DEFLATED), "a.zip cannot be unpacked"),
        ("a.zip", damaged(zipfile.ZIP_LZMA), "a.zip cannot be unpacked"),
        ("a.zip", with_a_name_in_no_alphabet(), "a.zip cannot be unpacked"),
        ("a.zip", with_entry("../../corpus.jsonl"), "a"),
        ("a.zip", with_entry("evil.txt"), "a"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_as_a_whole(
    run_page: Run, settings: Settings, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    page = upload(view(run_page(feedback), "Log and files"), name, content)
    assert page.error[0].value.replace("\\", "").startswith(f"Nothing was imported: {message}")
    assert "/tmp/" not in page.error[0].value
    assert not FeedbackStore(settings.home).judgements()


def test_without_a_file_nothing_is_imported(run_page: Run) -> None:
    assert "Choose a file first." in texts(click(view(run_page(feedback), "Log and files"), "Import"))


# words ---------------------------------------------------------------------------------------------------


def test_words() -> None:
    (passage,) = label(
        [], [Judgement(user="ben", question="q?", label="left out", text="t", origin="imported from a_b")]
    )
    assert counts_as(passage, "ann") == "Decided by ben: not used for training"
    assert people_words(passage, {}) == ""
    assert [times(number) for number in (1, 2, 1000)] == ["once", "twice", "1,000 times"]
