"""One smoke test through a real server, real models and Chromium."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.answer import EXTRACTIVE, Citation
from app.feedback import FeedbackStore, user_of_cookie
from app.pipeline import Pipeline
from app.settings import Settings
from app.ui.who import USER_COOKIE
from ingest.embed.embedder import load_embedder
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.ingest.samples import Bookmark, make_pdf
from tests.payloads import EVIL, PAYLOADS
from tests.ui.browser import CHROMIUM, browsing, expect_still, serving, type_question

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # a busy machine loads models for minutes
    pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="no Chromium; apt-get install chromium"),
]

COOKIE = "5eed" * 8
_TEXT_COLOR = "rgb(36, 39, 46)"
"""As in .streamlit/config.toml, in light."""


@pytest.fixture
def server(home: Path, documents: Path) -> Iterator[str]:
    """The address of a server over the tiny documents."""
    embedder = load_embedder()
    lines = [["Pumps", "", "The drain pump runs at 3000 turns."], ["Valves", "", "The inlet valve opens to the left."]]
    (documents / "it" / "manual.pdf").write_bytes(make_pdf(lines, [Bookmark("Pumps", 0), Bookmark("Valves", 1)]))
    list(ingest([documents], ChunkTable(home, embedder), embedder))
    with serving(home) as address:
        yield address


def test_no_text_makes_the_page_act_or_call_out(server: str, home: Path, documents: Path, page: Page) -> None:
    response = page.goto(server)
    assert response is not None
    assert "img-src 'self' data: blob:;" in response.headers["content-security-policy"]
    (cookie,) = [cookie for cookie in page.context.cookies() if cookie.get("name") == USER_COOKIE]
    assert cookie.get("httpOnly")
    blocked = page.evaluate(
        "() => new Promise(done => { document.addEventListener('securitypolicyviolation', e => done(e.blockedURI));"
        " new Image().src = 'http://127.0.0.2:9/c.png'; setTimeout(() => done('nothing'), 5000); })"
    )
    assert blocked == "http://127.0.0.2:9/c.png"

    foreign: list[str] = []
    page.on("request", lambda request: foreign.append(request.url) if _is_foreign(request.url, server) else None)
    page.context.add_cookies([{"name": USER_COOKIE, "value": COOKIE, "url": server}])
    save_hostile_answers(home, user_of_cookie(COOKIE))
    page.goto(f"{server}/?c=hostile")
    earlier = page.locator("[class*=st-key-sources-] summary")
    expect(earlier).to_have_count(9)
    for folded in earlier.all():
        folded.click()
    expect(page.get_by_role("button", name="Strike out [1]")).to_have_count(10)
    expect(page.get_by_text(PAYLOADS[-1]).first).to_be_visible()
    assert page.evaluate(NOT_ONLY_TEXT) == []

    page.get_by_role("link", name="Feedback").click()
    expect(page.get_by_role("button", name="Answers", exact=True).first).to_be_visible()
    assert page.evaluate(NOT_ONLY_TEXT) == []

    text = "\n\n".join(payload for payload in PAYLOADS if "\0" not in payload)
    (documents / "<img src=x onerror=window.pwned=1> [x](javascript:pwned=1).txt").write_text(text)
    embedder = load_embedder()
    (hostile,) = [
        result.name for result in ingest([documents], ChunkTable(home, embedder), embedder) if result.num_chunks
    ]
    (document,) = [each for each in ChunkTable(home, embedder).documents() if each.name == hostile]
    page.goto(f"{server}/source?document={document.id}")
    expect(page.get_by_test_id("stPageLink-NavLink").filter(has_text="Documents")).to_be_visible()
    expect(page.get_by_text("window.pwned=1").first).to_be_visible()
    assert page.evaluate(NOT_ONLY_TEXT) == []
    page.goto(f"{server}/?c=%3Cimg%20src=x%20onerror=window.pwned=1%3E&share=[x](https://{EVIL})&q=:material/home:")
    expect(page.get_by_role("heading", name="Ask your documents")).to_be_visible()
    assert page.evaluate(NOT_ONLY_TEXT) == []
    assert foreign == []


def save_hostile_answers(home: Path, user: str) -> None:
    """A conversation with each payload wherever an answer shows text, written by a model and quoted."""
    answer, store = Pipeline(Settings(home=home)).ask("What does the VPN need?"), FeedbackStore(home)
    (first, *_), chunk = answer.ranking, answer.citations[0].chunk
    for start in range(0, len(PAYLOADS), 20):
        part = PAYLOADS[start : start + 20]
        lines = "\n\n".join((*part, *(f"It is {payload} here [1]." for payload in part)))
        chunks = [
            replace(
                chunk,
                id=f"{number:016x}",
                title=payload,
                headings=(payload,),
                document=payload,
                text=f"{payload}\n\nIt is {payload} here.",
            )
            for number, payload in enumerate(part)
        ]
        candidates = [replace(first.candidate, chunk=each, superseded_by=each.title) for each in chunks]
        hostile = replace(
            answer,
            question="\n".join(part),
            query=part[0],
            text=lines,
            note=part[1],
            reranker=part[2],
            citations=tuple(Citation(number, each) for number, each in enumerate(chunks, 1)),
            ranking=tuple(replace(first, candidate=each, rank=rank) for rank, each in enumerate(candidates, 1)),
        )
        for name in (part[0], EXTRACTIVE):
            store.save_answer(replace(hostile, answered_by=name), "hostile", user)


NOT_ONLY_TEXT = """() => {
  const found = window.pwned ? ["a script ran"] : [];
  for (const link of document.querySelectorAll("a[href]")) {
    const host = /^\\w+:(?:[/][/])?(?:[^/]*@)?([^/:?#]*)/.exec(decodeURI(link.getAttribute("href")));
    if (host && link.origin !== location.origin && !link.textContent.startsWith(host[0].replace("mailto:", "")) &&
        "http://" + link.textContent !== link.getAttribute("href")) found.push(link.outerHTML);
    if (/[/][/][^/]*@/.test(link.getAttribute("href"))) found.push(link.outerHTML);
  }
  const elements = "img[src^=http], iframe, object, embed, video, audio, form, base, .katex, svg[id^=mermaid]";
  for (const element of document.querySelectorAll(`${elements}, [aria-label="verified icon"], [alt="Streamlit logo"]`))
    found.push(element.outerHTML);
  return found.concat(document.body.innerText.match(/[\\u202a-\\u202e\\u2066-\\u2069\\u200b\\x1b]/g) || []);
}"""
"""What a text did to a page: scripts, elements, links whose beginning does not show where they lead."""


@pytest.fixture
def page() -> Iterator[Page]:
    with browsing() as page:
        yield page


def test_ask_see_the_ranking_strike_out_undo_reload(server: str, page: Page) -> None:
    foreign: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: foreign.append(request.url) if _is_foreign(request.url, server) else None)
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto(server)
    expect(page.get_by_role("heading", name="Ask your documents")).to_be_visible()

    type_question(page, "What may a hotel cost a night?")
    expect(page.get_by_text("A hotel may cost 150 euros a night.").first).to_be_visible()
    expect(page.get_by_role("link", name="[1]").first).to_have_attribute("href", re.compile(r"^#\w+-s1$"))
    passage = page.get_by_role("tooltip").filter(has_text="Trains come first")
    while not passage.is_visible():  # a page that still scrolls closes it
        page.mouse.move(0, 0)
        page.get_by_role("link", name="[1]").first.hover()
        page.wait_for_timeout(500)
    page.keyboard.press("Escape")
    expect(passage).to_be_hidden()

    expect_still(page)
    page.get_by_role("button", name="Before and after reranking").click()
    drawer = page.get_by_role("dialog")
    expect(drawer.locator(".before li")).to_have_count(6)
    expect(drawer.locator(".after li.used")).to_have_count(1)
    expect(drawer.locator(".ranking svg path")).to_have_count(6)
    drawer.locator(".after .line").first.focus()
    expect(drawer.get_by_role("tooltip")).to_contain_text("Trains come first")
    page.keyboard.press("Escape")
    expect(drawer.get_by_role("tooltip")).to_have_count(0)
    link = drawer.locator(".after a").last
    expect(link).to_have_attribute("href", re.compile(r"^source\?chunk=\w+&a=\w+$"))
    with page.context.expect_page() as opened:
        link.click()
    expect(opened.value.get_by_role("link", name="Back to the answer")).to_be_visible()
    opened.value.close()
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()

    page.get_by_role("button", name="Strike out [1]").click()
    expect(page.get_by_role("button", name="Undo [1]")).to_be_visible()
    expect(page.get_by_text("Rewritten without [1]")).to_be_in_viewport()
    page.wait_for_function("document.activeElement !== document.body")  # the button that had the focus is gone
    page.reload()
    expect(page.get_by_role("button", name="Undo [1]")).to_be_visible()
    expect_still(page)
    page.get_by_role("button", name="Undo [1]").click()
    expect(page.get_by_role("button", name="Strike out [1]")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Strike out [1]")).to_be_visible()
    expect(page.get_by_text("A hotel may cost 150 euros a night.").first).to_be_visible()

    page.get_by_role("link", name="Feedback").click()
    page.get_by_role("radio", name="Log").click()
    expect(page.get_by_role("radio", name="Log")).to_have_css("color", _TEXT_COLOR)  # enough contrast
    expect(page.get_by_text("3 of 3 events")).to_be_visible()  # opened, struck out, undone
    assert foreign == []
    assert problems == []


def test_open_a_source_turn_the_page_go_back(server: str, page: Page) -> None:
    foreign: list[str] = []
    page.on("request", lambda request: foreign.append(request.url) if _is_foreign(request.url, server) else None)
    page.goto(server)
    type_question(page, "How fast is the drain pump?")
    expect(page.get_by_role("button", name="Open [1]")).to_be_visible()
    expect_still(page)
    page.get_by_role("button", name="Open [1]").click()
    part = page.get_by_role("img", name="the part with the passage")
    expect(part).to_be_visible()
    drawer, answer = page.get_by_role("dialog").bounding_box(), page.get_by_test_id("stChatMessage").last.bounding_box()
    assert drawer is not None
    assert answer is not None
    assert answer["x"] + answer["width"] <= drawer["x"]  # beside each other
    link = page.get_by_role("link", name="Open on its own page")
    expect(link).to_have_attribute("href", re.compile(r"^source\?chunk=\w+&a=\w+$"))
    link.click()
    expect(page.get_by_role("heading", name="Manual", exact=True)).to_be_visible()
    whole = page.get_by_role("img", name="Page 1 of 2 of it/manual.pdf, the passage marked")
    expect(whole).to_be_visible()
    expect(whole).to_have_js_property("naturalWidth", 1440)
    expect(page.get_by_role("img", name="the part with the passage")).to_be_hidden()
    source = page.url

    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("img", name="Page 2 of 2 of it/manual.pdf")).to_be_visible()
    page.get_by_role("button", name="Back to the passage").click()
    expect(whole).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download original").click()
    assert download.value.suggested_filename == "manual.pdf"
    page.get_by_role("link", name="Back to the answer").click()
    expect(page.get_by_role("button", name="Open [1]")).to_be_visible()
    page.go_back()
    expect(whole).to_be_visible()

    page.set_viewport_size({"width": 390, "height": 900})
    page.goto(source)  # as a colleague would
    expect(part).to_be_visible()
    expect(whole).to_be_hidden()
    page.get_by_text("Whole page").click()
    expect(whole).to_be_visible()
    expect(part).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert foreign == []


def test_the_marked_passage_of_a_long_text_is_in_view(server: str, home: Path, documents: Path, page: Page) -> None:
    sections = "\n\n".join(f"## Part {number}\n\n" + f"Number {number} of them. " * 40 for number in range(40))
    (documents / "long.md").write_text(f"# Long\n\n{sections}\n")
    embedder = load_embedder()
    table = ChunkTable(home, embedder)
    list(ingest([documents], table, embedder))
    document = next(document for document in table.documents() if document.name == "long.md")
    chunk = next(chunk for chunk in table.chunks_of(document.id) if "Number 20" in chunk.text)
    page.goto(f"{server}/source?chunk={chunk.id}")
    expect(page.locator(".st-key-source-marked")).to_be_in_viewport()


def test_an_upload_is_followed_until_it_is_listed(server: str, page: Page, tmp_path: Path) -> None:
    (tmp_path / "pump.md").write_text("# Pump\n\nThe pump has two valves.")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing more")
    page.goto(server)
    page.keyboard.press("Tab")
    page.get_by_role("link", name="Documents").focus()
    expect(page.get_by_role("link", name="Documents")).to_have_css("outline-style", "solid")  # the focus is visible
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Documents", exact=True)).to_be_visible()
    expect(page.get_by_text("4 documents")).to_be_visible()
    expect_still(page)
    page.locator("input[type=file]").set_input_files([tmp_path / "pump.md", tmp_path / "broken.pdf"])
    expect(page.get_by_text("Upload of broken.pdf and pump.md")).to_be_visible()
    expect(page.get_by_text("1 added, 1 failed")).to_be_visible()
    expect(page.get_by_text("pump.md added, 1 passage")).to_be_visible()
    expect(page.get_by_text("broken.pdf failed: the file is damaged")).to_be_visible()
    expect(page.get_by_text("5 documents")).to_be_visible()
    page.reload()
    expect(page.get_by_text("1 added, 1 failed")).to_be_visible()


def test_a_file_over_the_limit_is_named_beside_one_that_is_added(server: str, page: Page, tmp_path: Path) -> None:
    (tmp_path / "small.md").write_text("# Valve\n\nThe valve is closed at night.")
    with (tmp_path / "large.md").open("wb") as large:
        large.truncate(201 * 2**20)  # takes no space
    page.goto(f"{server}/documents")
    expect(page.get_by_text("4 documents")).to_be_visible()
    expect_still(page)
    with page.expect_file_chooser() as opened:
        page.get_by_test_id("stFileUploader").get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator("input[type=file]")).to_have_attribute("accept", re.compile(r"\.docx,.*\.pdf"))
    opened.value.set_files([tmp_path / "large.md", tmp_path / "small.md"])
    expect(page.get_by_text("small.md added, 1 passage")).to_be_visible()
    expect(page.get_by_text("Not added, since larger than 200 MB: large.md")).to_be_visible()


def _is_foreign(url: str, server: str) -> bool:
    return not url.startswith((server, server.replace("http", "ws", 1), "data:", "blob:"))


def test_a_follow_up_that_is_none_is_asked_as_typed(server: str, page: Page) -> None:
    page.goto(server)
    type_question(page, "What may a hotel cost in Berlin?")
    expect(page.get_by_role("button", name="Strike out [1]")).to_be_visible()
    expect(page.get_by_text("Quoted from the documents")).to_have_count(1)  # complete
    type_question(page, "and the pump?")
    expect(page.get_by_text("Understood as")).to_be_visible()
    expect(page.locator("[class*=st-key-sources-] summary")).to_have_count(1)  # earlier sources are folded
    expect(page.get_by_text("Quoted from the documents")).to_have_count(2)
    expect(page.get_by_role("button", name="Strike out [1]")).to_have_count(1)
    expect_still(page)
    expect(page.get_by_text("Understood as")).to_be_in_viewport()
    page.get_by_role("link", name="[1]").first.click()
    expect(page.get_by_role("button", name="Strike out [1]").first).to_be_in_viewport()
    expect(page.get_by_role("button", name="Strike out [1]")).to_have_count(2)
    expect_still(page)
    page.get_by_role("button", name="Ask as typed").click()
    expect(page.get_by_test_id("stChatMessage").filter(has_text="and the pump?")).to_have_count(2)
    expect(page.get_by_text("Understood as")).to_have_count(1)


def test_on_a_phone_the_sidebar_closes_once_a_page_is_chosen(server: str) -> None:
    with browsing(width=390) as page:
        page.goto(server)
        expect(page.get_by_role("heading", name="Ask your documents")).to_be_visible()
        expect_still(page)
        page.get_by_test_id("stExpandSidebarButton").click()
        page.get_by_test_id("stSidebar").get_by_role("link", name="Documents").click()
        expect(page.get_by_role("heading", name="Documents", exact=True)).to_be_visible()
        expect(page.get_by_test_id("stSidebar")).not_to_be_in_viewport()


def test_on_a_phone_the_views_of_feedback_are_one_row(server: str, home: Path) -> None:
    save_hostile_answers(home, user_of_cookie(COOKIE))
    with browsing(width=390) as page:
        page.context.add_cookies([{"name": USER_COOKIE, "value": COOKIE, "url": server}])
        page.goto(f"{server}/feedback")
        expect(page.get_by_role("radio", name="People")).to_be_visible()
        views = [view.bounding_box() for view in page.get_by_role("radio").all()]
        assert len({view["y"] for view in views if view}) == 1
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_on_a_phone_controls_cover_no_text_can_be_read_and_tapped(server: str) -> None:
    with browsing(width=390) as page:
        page.goto(f"{server}/documents")
        tools, text = page.get_by_test_id("stElementToolbar"), page.get_by_text("Select documents in the table")
        expect(tools).to_be_visible()
        expect_still(page)
        over, above = tools.bounding_box(), text.bounding_box()
        assert over
        assert above
        assert above["y"] + above["height"] <= over["y"]

        page.goto(server)
        type_question(page, "What does the VPN need?")
        share = page.get_by_role("button", name="Share", exact=True)
        share.click()
        expect(page.get_by_role("button", name="Share conversation")).to_be_visible()
        expect(share).to_have_css("color", _TEXT_COLOR)  # enough contrast
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Open [1]").click()
        close = page.get_by_role("dialog").get_by_role("button", name="Close")
        expect(close).to_be_visible()
        size = close.bounding_box()
        assert size
        assert min(size["width"], size["height"]) >= 24
