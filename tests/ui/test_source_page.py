from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.feedback import FeedbackStore, NotSavedError, StoredAnswer
from app.pipeline import Pipeline
from app.settings import Settings
from app.ui.source.page import address_link, download_name
from ingest.chunk import Chunk
from ingest.files import SourceFile
from ingest.isolation import Limits
from ingest.originals import Originals
from ingest.pipeline import Ingest, ingest
from ingest.removal import remove
from ingest.table import ChunkTable
from tests.conftest import PATIENCE, FakeEmbedder
from tests.ingest.samples import Bookmark, make_pdf
from tests.ui.conftest import Run

pytestmark = pytest.mark.slow

Open = Callable[..., AppTest]


def source() -> None:
    from app.ui.source import page as source_page

    source_page.show()


@pytest.fixture
def open_source(run_page: Run) -> Open:
    """Opens the page with these parameters in its address."""

    def open_with(**parameters: str) -> AppTest:
        page = AppTest.from_function(source, default_timeout=PATIENCE)
        for name, value in parameters.items():
            page.query_params[name] = value
        page.run()
        assert not page.exception
        return page

    return open_with


@pytest.fixture
def pdf(table: ChunkTable, documents: Path, embedder: FakeEmbedder) -> list[Chunk]:
    """The chunks of a PDF of three pages that is in the table."""
    path = documents / "it" / "manual.pdf"
    names = ("Red", "Blue", "Green")
    pages = [[f"{name} valves", "", f"The {name.lower()} valve is closed by hand."] for name in names]
    path.write_bytes(make_pdf(pages, [Bookmark(f"{name} valves", page) for page, name in enumerate(names)]))
    results = list(ingest([documents], table, embedder))
    assert {result.status for result in results} == {"added", "unchanged"}
    (stored,) = [document for document in table.documents() if document.name.endswith(".pdf")]
    return table.chunks_of(stored.id)


def asked(settings: Settings, pipeline: Pipeline, question: str, user: str = "ann") -> StoredAnswer:
    store = FeedbackStore(settings.home)
    store.save_answer(pipeline.ask(question), "talk", user)
    return store.conversation("talk", user)[-1]


def texts(page: AppTest) -> str:
    kinds = (page.title, page.markdown, page.caption, page.warning, page.info)
    return "\n".join(str(element.value) for elements in kinds for element in elements)


def links(page: AppTest) -> dict[str, str]:
    protos = [element.proto for element in page.get("page_link")]
    return {proto.label: f"{proto.page}?{proto.query_string}" for proto in protos}


def alternatives(page: AppTest) -> list[str]:
    return [image.alt for element in page.get("image") for image in element.proto.imgs]


def only(table: ChunkTable, word: str) -> Chunk:
    return next(chunk for document in table.documents() for chunk in table.chunks_of(document.id) if word in chunk.text)


def test_a_passage_is_shown_in_its_document_with_a_way_back(
    open_source: Open, table: ChunkTable, settings: Settings, pipeline: Pipeline
) -> None:
    answer = asked(settings, pipeline, "How much leave does everybody have?")
    page = open_source(chunk=only(table, "30 days").id, a=answer.id)
    assert page.title[0].value == "Leave"
    assert "## Annual leave" in texts(page)
    assert "## Parental leave" in texts(page)  # what comes after
    assert links(page) == {"Back to the answer": f"ask?c=talk&a={answer.id}"}
    assert page.get("download_button")


def test_somebody_elses_answer_is_as_one_that_nobody_has(
    open_source: Open, table: ChunkTable, settings: Settings, pipeline: Pipeline
) -> None:
    answer = asked(settings, pipeline, "How much leave does everybody have?", user="ben")
    chunk = only(table, "30 days")
    page, unknown = open_source(chunk=chunk.id, a=answer.id), open_source(chunk=chunk.id, a="nobody's")
    assert list(links(page)) == list(links(unknown)) == ["All documents"]
    assert texts(page) == texts(unknown)
    table.remove([chunk.document_id])
    page, unknown = open_source(chunk=chunk.id, a=answer.id), open_source(chunk=chunk.id, a="nobody's")
    assert texts(page) == texts(unknown)
    assert "30 days" not in texts(page)
    assert FeedbackStore(settings.home).events() == []


def test_an_answer_that_is_shared_is_led_back_to(
    open_source: Open, table: ChunkTable, settings: Settings, pipeline: Pipeline
) -> None:
    answer = asked(settings, pipeline, "How much leave does everybody have?", user="ben")
    token = FeedbackStore(settings.home).share("talk", "ben")
    named = {"chunk": only(table, "30 days").id, "a": answer.id}
    assert links(open_source(**named, share=token)) == {"Back to the answer": f"ask?share={token}&a={answer.id}"}
    assert list(links(open_source(**named, share="made-up"))) == ["All documents"]
    assert FeedbackStore(settings.home).events() == []  # who reads a share says nothing


def test_who_has_the_link_of_a_programs_answer_strikes_out_in_their_own_name(
    open_source: Open, settings: Settings, pipeline: Pipeline, table: ChunkTable
) -> None:
    answer = asked(settings, pipeline, "How much leave does everybody have?", user="api:webui/ann")
    store, chunk = FeedbackStore(settings.home), only(table, "30 days")
    page = open_source(chunk=chunk.id, a=answer.id)
    assert list(links(page)) == ["All documents"], "the conversation stays closed"
    (number,) = (each.number for each in answer.answer.citations if each.chunk.id == chunk.id)
    button(page, f"Strike out [{number}]").click().run()
    assert f"\\[{number}\\] is struck out for “How much leave does everybody have?”" in texts(page)
    page.pills[0].set_value("outdated").run()
    assert [(event.user, event.action, event.reason) for event in store.events()] == [
        ("ann", "deleted", None),
        ("ann", "deleted", "outdated"),
    ]
    button(page, f"Undo [{number}]").click().run()
    assert store.deleted(answer.id, "ann") == {}
    assert button(page, f"Strike out [{number}]")


def test_a_shared_conversation_of_another_person_is_read_only(
    open_source: Open, settings: Settings, pipeline: Pipeline, table: ChunkTable
) -> None:
    answer = asked(settings, pipeline, "How much leave does everybody have?", user="ben")
    token = FeedbackStore(settings.home).share("talk", "ben")
    page = open_source(chunk=only(table, "30 days").id, a=answer.id, share=token)
    assert not [each for each in page.button if "Strike" in each.label]


def test_a_strike_that_cannot_be_kept_is_said(
    open_source: Open, settings: Settings, pipeline: Pipeline, table: ChunkTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = asked(settings, pipeline, "How much leave does everybody have?")
    page = open_source(chunk=only(table, "30 days").id, a=answer.id)

    def refuse(*_: object) -> None:
        raise NotSavedError("the disk is full")

    monkeypatch.setattr(FeedbackStore, "record", refuse)
    next(each for each in page.button if "Strike" in each.label).click().run()
    assert page.error[0].value == "the disk is full"


def test_that_a_passage_was_opened_is_noted_once(
    open_source: Open, table: ChunkTable, settings: Settings, pipeline: Pipeline
) -> None:
    answer = asked(settings, pipeline, "How much leave does everybody have?")
    chunk = only(table, "30 days")
    page = open_source(chunk=chunk.id, a=answer.id)
    page.run()
    open_source(chunk=chunk.id, a=answer.id)
    (event,) = FeedbackStore(settings.home).events()
    assert (event.action, event.user, event.answer_id, event.chunk_id) == ("opened", "ann", answer.id, chunk.id)
    assert event.number is not None


def test_a_passage_that_was_ranked_and_not_cited_is_opened_too(
    open_source: Open, settings: Settings, pipeline: Pipeline
) -> None:
    answer = pipeline.ask("How much leave does everybody have?")
    store = FeedbackStore(settings.home)
    answer_id = store.save_answer(replace(answer, citations=answer.citations[:1]), "talk", "ann")
    page = open_source(chunk=answer.ranking[-1].chunk.id, a=answer_id)
    assert links(page) == {"Back to the answer": f"ask?c=talk&a={answer_id}"}
    assert [(event.action, event.number, event.rank) for event in store.events()] == [
        ("opened", None, len(answer.ranking))
    ]


def test_what_is_opened_without_an_answer_that_ranked_it_is_not_noted(
    open_source: Open, table: ChunkTable, settings: Settings, pipeline: Pipeline
) -> None:
    store = FeedbackStore(settings.home)
    answer = pipeline.ask("How much leave does everybody have?")
    answer_id = store.save_answer(replace(answer, citations=(), ranking=()), "talk", "ann")
    chunk = only(table, "VPN")
    open_source(chunk=chunk.id)
    open_source(chunk=chunk.id, a="nobody's")
    open_source(chunk=chunk.id, a=answer_id)
    open_source(document=chunk.document_id, a=answer_id)
    assert store.events() == []


def test_without_an_answer_the_way_back_is_the_list_of_documents(open_source: Open, table: ChunkTable) -> None:
    assert links(open_source(chunk=only(table, "VPN").id)) == {"All documents": "documents?"}


def test_the_page_of_a_pdf_is_shown_with_the_passage_marked_and_its_words(open_source: Open, pdf: list[Chunk]) -> None:
    blue = next(chunk for chunk in pdf if "blue" in chunk.text)
    page = open_source(chunk=blue.id)
    assert "page 2 of 3" in texts(page)
    assert "The blue valve" in texts(page)
    whole, part = alternatives(page)
    assert whole == "Page 2 of 3 of it/manual.pdf, the passage marked"
    assert part == "Page 2 of 3 of it/manual.pdf: the part with the passage, marked"


def test_pages_can_be_turned_and_the_passage_is_one_click_away(open_source: Open, pdf: list[Chunk]) -> None:
    page = open_source(chunk=next(chunk.id for chunk in pdf if "blue" in chunk.text))
    button(page, "Next").click().run()
    assert "page 3 of 3" in texts(page)
    assert button(page, "Next").disabled
    assert alternatives(page) == ["Page 3 of 3 of it/manual.pdf"]
    button(page, "Back to the passage").click().run()
    assert "page 2 of 3" in texts(page)
    button(page, "Previous").click().run()
    assert "page 1 of 3" in texts(page)
    assert button(page, "Previous").disabled


def test_a_narrow_window_may_have_the_whole_page(open_source: Open, pdf: list[Chunk]) -> None:
    page = open_source(chunk=pdf[0].id)
    page.toggle(key="page-toggle").set_value(True).run()
    assert len(alternatives(page)) == 1


def test_a_pdf_opens_at_its_first_page_from_the_list_of_documents(open_source: Open, pdf: list[Chunk]) -> None:
    page = open_source(document=pdf[0].document_id)
    assert "page 1 of 3" in texts(page)
    assert "The red valve" in texts(page)
    assert "The blue valve" not in texts(page)
    assert len(alternatives(page)) == 1


def test_a_page_that_cannot_be_drawn_leaves_its_words(open_source: Open, pdf: list[Chunk], table: ChunkTable) -> None:
    stored = next(document for document in table.documents() if document.id == pdf[0].document_id)
    Originals(table.home).path(stored).write_bytes(b"%PDF-1.4 damaged since")
    page = open_source(chunk=pdf[0].id)
    assert "cannot be shown as a picture" in page.warning[0].value
    assert "The red valve" in texts(page)


def test_without_the_kept_file_the_text_is_shown_and_it_says_so(
    open_source: Open, pdf: list[Chunk], table: ChunkTable
) -> None:
    Originals(table.home).remove(pdf[0].document_id)
    page = open_source(chunk=pdf[0].id)
    assert "not stored" in texts(page)
    assert "The red valve" in texts(page)
    assert not page.get("download_button")


def test_a_passage_that_was_changed_is_shown_as_the_answer_knew_it(
    open_source: Open,
    table: ChunkTable,
    settings: Settings,
    pipeline: Pipeline,
    documents: Path,
    embedder: FakeEmbedder,
) -> None:
    answer = asked(settings, pipeline, "How much may a hotel cost a night?")
    old = only(table, "150 euros")
    (documents / "handbook" / "travel.md").write_text("# Travel\n\nA hotel may cost 99 euros.\n")
    list(ingest([documents], table, embedder))
    page = open_source(chunk=old.id, a=answer.id)
    assert "no longer in the documents: handbook/travel.md has changed" in page.warning[0].value
    assert "150 euros a night" in texts(page)
    assert links(page)["Open current document"] == f"source?document={old.document_id}"


def test_a_passage_of_a_removed_document_is_shown_as_the_answer_knew_it(
    open_source: Open, table: ChunkTable, settings: Settings, pipeline: Pipeline
) -> None:
    answer = asked(settings, pipeline, "How much may a hotel cost a night?")
    old = only(table, "150 euros")
    with table.writing():
        remove([document for document in table.documents() if document.id == old.document_id], table)
    page = open_source(chunk=old.id, a=answer.id)
    assert "handbook/travel.md was removed" in page.warning[0].value
    assert list(links(page)) == ["Back to the answer"]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"chunk": "unknown"},
        {"chunk": "../../etc/passwd", "a": "'; DROP TABLE answers"},
        {"document": "../../../etc/passwd"},
        {"a": "nobody"},
        {"chunk": "\x00' OR 1=1"},
    ],
)
def test_an_address_that_names_nothing_gets_a_friendly_answer(open_source: Open, parameters: dict[str, str]) -> None:
    page = open_source(**parameters)
    assert page.info
    assert not page.get("image")
    assert not page.get("download_button")


def test_a_long_document_is_shown_round_the_passage(
    open_source: Open, table: ChunkTable, documents: Path, embedder: FakeEmbedder
) -> None:
    sections = "\n\n".join(f"## Part {number}\n\nThis is number {number} of them." for number in range(100))
    (documents / "long.md").write_text(f"# Long\n\n{sections}\n")
    list(ingest([documents], table, embedder))
    page = open_source(chunk=only(table, "number 50 of them").id)
    assert "number 44" in texts(page)
    assert "number 56" in texts(page)
    assert "number 43" not in texts(page)
    button(page, "Show earlier").click().run()
    button(page, "Show later").click().run()
    assert "number 24 " in texts(page)
    assert "number 76 " in texts(page)
    assert "number 77 " not in texts(page)


def test_a_document_that_became_shorter_is_shown_with_what_is_left(
    open_source: Open, table: ChunkTable, documents: Path, embedder: FakeEmbedder
) -> None:
    sections = [f"## Part {number}\n\nThis is number {number} of them." for number in range(60)]
    path = documents / "long.md"
    path.write_text("\n\n".join(["# Long", *sections]))
    list(ingest([documents], table, embedder))
    page = open_source(chunk=only(table, "number 50 of them").id)
    path.write_text("\n\n".join(["# Long", sections[50]]))
    list(ingest([documents], table, embedder))
    page.run()
    assert not page.exception
    assert "number 50" in texts(page)
    assert not page.button
    path.write_text("\n\n".join(["# Long", *sections[:51], *sections[:9]]))
    list(ingest([documents], table, embedder))
    page.run()
    assert not page.exception
    assert "number 50" in texts(page)


def test_what_a_document_says_is_shown_and_not_obeyed(
    open_source: Open, table: ChunkTable, documents: Path, embedder: FakeEmbedder
) -> None:
    hostile = "![x](http://evil.example/x.png) <img src=http://evil.example/y.png> zebra"
    (documents / "hostile.txt").write_text(hostile)
    list(ingest([documents], table, embedder))
    page = open_source(chunk=only(table, "zebra").id)
    assert r"\!\[x\](http\://evil.example/x.png)" in texts(page)
    assert r"\<img src" in texts(page)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("it/manual.pdf", "manual.pdf"),
        ("../../etc/pass wd.md", "pass wd.md"),
        ("..\\..\\evil.exe.md", "evil.exe.md"),
        ('a"b\n:c?.md', "a_b__c_.md"),
        ("invoice\u202efdp.exe", "invoice_fdp.exe"),
        ("x" * 300 + ".pdf", "x" * 120 + ".pdf"),
        (" . .txt", "document.txt"),
    ],
)
def test_a_download_has_a_safe_name(name: str, expected: str) -> None:
    assert download_name(name) == expected


def button(page: AppTest, label: str):  # type: ignore[no-untyped-def]  # streamlit's test element
    return next(button for button in page.button if button.label == label)


def test_the_address_of_a_followed_document_is_a_link_if_a_browser_can_open_it() -> None:
    assert address_link("https://a.b/x?p=1") == r"[https\://a.b/x?p\=1](https://a.b/x?p=1)"
    assert address_link("s3://bucket/x") == r"s3\://bucket/x"
    hostile = address_link("https://a.b/)![x](https://c.d/p.png) <b>")
    assert hostile.endswith("](https://a.b/%29%21%5Bx%5D%28https://c.d/p.png%29%20%3Cb%3E)")
    assert "![" not in hostile


def test_the_page_of_a_followed_document_shows_its_address(
    open_source: Open, table: ChunkTable, documents: Path, embedder: FakeEmbedder
) -> None:
    (documents / "it/vpn.md").write_text("# VPN\n\nFollowed elsewhere.")
    file = SourceFile(documents / "it/vpn.md", "wiki/vpn.md", "https://wiki.example.com/vpn")
    with table.writing():
        list(Ingest(table, embedder, Limits()).store([file]))
    (stored,) = [document for document in table.documents() if document.name == "wiki/vpn.md"]
    assert "(https://wiki.example.com/vpn)" in texts(open_source(document=stored.id))
