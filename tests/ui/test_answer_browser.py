"""An answer while it is written: a real server, a language model that drips its words, and Chromium."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from app.feedback import FeedbackStore, user_of_cookie
from app.ui.who import USER_COOKIE
from ingest.embed.embedder import load_embedder
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.app.faulty_server import DONE, FAULTS, FaultyServer, Reply, event
from tests.conftest import DOCUMENTS
from tests.ui.browser import CHROMIUM, browsing, expect_still, serving, type_question

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # a busy machine loads models for minutes
    pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="no Chromium; apt-get install chromium"),
]

QUESTION = "What may a hotel cost a night?"
SECONDS = 180.0


class Dripping:
    """Writes word1, word2 and so on, one in half a second, until it may end. The passage [99] is made up.

    For each word the pages draw the answer again, and after 120 seconds the server gives up.
    """

    def __init__(self) -> None:
        self.may_end = threading.Event()

    def __call__(self, reply: Reply) -> None:
        reply.begin()
        reply.send(event("A hotel may cost 150 euros [1][99]: "))
        for number in count(1):
            if self.may_end.is_set():
                break
            reply.send(event(f"word{number} "))
            reply.wait()
        reply.send(event("and that is all [1]."))
        reply.send(event(None, "stop") + DONE)
        reply.end()


@pytest.fixture(scope="module")
def language_model() -> Iterator[FaultyServer]:
    with FaultyServer("dripping") as server:
        server.delay_seconds = 0.5
        yield server


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the tiny documents, embedded by the real model."""
    folder, home = tmp_path_factory.mktemp("documents"), tmp_path_factory.mktemp("home")
    for name, text in DOCUMENTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    embedder = load_embedder()
    list(ingest([folder], ChunkTable(home, embedder), embedder))
    return home


@pytest.fixture(scope="module")
def server(home: Path, language_model: FaultyServer) -> Iterator[str]:
    """The address of a server whose answers the dripping language model writes."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in list(os.environ):
            if variable.startswith(("CITELOOP_", "OPENAI_", "AZURE_OPENAI_")):
                patch.delenv(variable)
        patch.setenv("OPENAI_BASE_URL", language_model.url)
        patch.setenv("OPENAI_MODEL", "writer-1")
        with serving(home) as address:
            yield address


@pytest.fixture
def dripping(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dripping]:
    dripping = Dripping()
    monkeypatch.setitem(FAULTS, "dripping", dripping)
    yield dripping
    dripping.may_end.set()


OpenContext = Callable[[], BrowserContext]


@pytest.fixture
def open_context(server: str) -> Iterator[OpenContext]:
    """Opens browsers of different people, none of which may ask anybody but the server."""
    foreign: list[str] = []

    def look(url: str) -> None:
        if not url.startswith((server, server.replace("http", "ws", 1), "data:", "blob:")):
            foreign.append(url)

    with browsing() as first:
        browser = first.context.browser
        assert browser is not None

        def open_context() -> BrowserContext:
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            context.set_default_timeout(SECONDS * 1000)
            context.on("request", lambda request: look(request.url))
            context.on("page", lambda page: page.on("websocket", lambda socket: look(socket.url)))
            return context

        yield open_context
    assert foreign == []


@pytest.fixture
def page(open_context: OpenContext) -> Page:
    return open_context().new_page()


def wait_until(page: Page, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it never came to that"
        page.wait_for_timeout(100)


def ask(page: Page, server: str, question: str = QUESTION) -> None:
    page.goto(server)
    type_question(page, question)
    expect(page.get_by_text("word3", exact=False)).to_be_visible()


def num_words(page: Page) -> int:
    """How many words of the growing answer are on the screen."""
    answer = page.get_by_test_id("stChatMessage").last
    return max((int(number) for number in re.findall(r"\bword(\d+)", answer.inner_text())), default=0)


def expect_growing(page: Page) -> None:
    expect(page.get_by_text("A hotel may cost 150 euros").first).to_be_visible()
    before = num_words(page)
    wait_until(page, lambda: num_words(page) > before + 1)


def stop_button(page: Page) -> Locator:
    """Streamlit has a Stop of its own, while a page is drawn."""
    return page.locator("[class*='st-key-stop-']").get_by_role("button")


def open_popover(page: Page, name: str, content: Locator) -> None:
    """A click that comes while the page is drawn again opens nothing, so click until the content is there."""

    def is_open() -> bool:
        if not content.is_visible():
            page.get_by_role("button", name=name, exact=True).first.click()
            page.wait_for_timeout(2000)
        return content.is_visible()

    wait_until(page, is_open)


def expect_whole(page: Page) -> None:
    expect(page.get_by_text("and that is all").first).to_be_visible()
    expect(stop_button(page)).to_have_count(0)
    expect(page.get_by_text("Removed 1 made-up citation")).to_be_visible()
    open_popover(page, "Details", page.get_by_text("by writer-1"))
    page.keyboard.press("Escape")
    expect(page.get_by_text("by writer-1")).to_be_hidden()


def test_an_answer_grows_beside_its_sources_over_a_reload_and_in_a_second_tab(
    server: str, page: Page, dripping: Dripping
) -> None:
    ask(page, server)
    expect(page.get_by_role("button", name="Strike out [1]")).to_be_visible()
    expect(stop_button(page)).to_be_visible()
    expect(page.get_by_role("link", name="[1]").first).to_have_attribute("href", re.compile(r"^#\w+-s1$"))
    expect(page.get_by_text("[99]")).to_have_count(0)
    expect_growing(page)

    page.reload()
    expect_growing(page)
    expect(page.get_by_role("button", name="Strike out [1]")).to_be_visible()

    tab = page.context.new_page()
    tab.goto(page.url)
    expect_growing(tab)
    expect_growing(page)

    dripping.may_end.set()
    expect_whole(page)
    expect_whole(tab)


def test_who_leaves_while_it_is_written_finds_it_written_on(server: str, page: Page, dripping: Dripping) -> None:
    ask(page, server, "How much may a hotel cost?")
    page.get_by_role("link", name="Documents").click()
    expect(page.get_by_role("heading", name="Documents", exact=True)).to_be_visible()
    expect(page.get_by_text("word3")).to_have_count(0)
    page.get_by_role("link", name="Ask", exact=True).click()
    expect_growing(page)
    page.get_by_role("link", name="Documents").click()
    expect(page.get_by_role("heading", name="Documents", exact=True)).to_be_visible()
    dripping.may_end.set()
    page.get_by_role("link", name="Ask", exact=True).click()
    expect_whole(page)


def test_stop_keeps_the_text_and_says_so(
    server: str, page: Page, dripping: Dripping, language_model: FaultyServer, home: Path
) -> None:
    language_model.left.clear()
    ask(page, server, "May a hotel cost 150 euros?")
    stop_button(page).click()
    expect(page.get_by_text("This answer was stopped")).to_be_visible()
    expect(stop_button(page)).to_have_count(0)
    assert language_model.left.wait(SECONDS)  # nobody computes what nobody reads
    words = num_words(page)
    assert words >= 3
    page.wait_for_timeout(1000)
    assert num_words(page) == words
    page.reload()
    expect(page.get_by_text("This answer was stopped")).to_be_visible()
    assert num_words(page) == words
    match = re.search(r"\bc=(\w+)", page.url)
    assert match is not None
    (turn,) = FeedbackStore(home).conversation(match[1], _user(page))
    assert (turn.answer.stopped, turn.answer.complete) == (True, False)
    assert turn.answer.text.endswith(f"word{words}")


def test_while_it_is_rewritten_no_source_is_shown_twice(server: str, page: Page, dripping: Dripping) -> None:
    ask(page, server, "What is a hotel allowed to cost?")
    dripping.may_end.set()
    expect_whole(page)
    dripping.may_end.clear()
    page.get_by_role("button", name="Strike out [1]").click()
    expect(page.get_by_role("button", name="Undo [1]")).to_be_focused()
    expect_growing(page)
    expect(page.get_by_role("button", name="Strike out [2]")).to_have_count(1)
    expect(page.get_by_role("button", name="Strike out [1]")).to_have_count(0)


def _user(page: Page) -> str:
    (cookie,) = [cookie.get("value", "") for cookie in page.context.cookies() if cookie.get("name") == USER_COOKIE]
    return user_of_cookie(cookie)


def test_a_conversation_is_listed_and_read_by_a_colleague_once_it_is_shared(
    server: str, page: Page, dripping: Dripping, open_context: OpenContext
) -> None:
    question = "What is the price of a hotel a night?"
    ask(page, server, question)
    address = page.url
    share = page.get_by_role("button", name="Share conversation").first
    open_popover(page, "Conversation", share)
    share.click()
    link = page.get_by_test_id("stCode").first.inner_text().strip()
    page.keyboard.press("Escape")
    colleague = open_context().new_page()
    colleague.goto(link)
    expect_growing(colleague)
    expect(stop_button(page)).to_be_visible()
    expect(stop_button(colleague)).to_have_count(0)

    dripping.may_end.set()
    expect_whole(page)
    expect_whole(colleague)
    expect_still(colleague)
    expect(colleague.get_by_role("dialog")).to_have_count(0)  # by which Streamlit says: Page not found
    expect(colleague.get_by_role("button", name="Conversation", exact=True)).to_have_count(0)
    expect(colleague.get_by_role("button", name="Strike out [1]")).to_have_count(0)
    expect(colleague.get_by_test_id("stSidebar").get_by_role("button", name=question)).to_have_count(0)
    colleague.get_by_role("button", name="Open [1]").click()
    colleague.get_by_role("link", name="Open on its own page").click()
    colleague.get_by_role("link", name="Back to the answer").click()
    expect_whole(colleague)
    colleague.goto(address)  # the owner's own link
    expect(colleague.get_by_role("heading", name="Ask your documents")).to_be_visible()
    expect(colleague.get_by_text(question)).to_have_count(0)

    sidebar = page.get_by_test_id("stSidebar")
    sidebar.get_by_role("button", name="New conversation").click()
    expect(page.get_by_role("heading", name="Ask your documents")).to_be_visible()
    sidebar.get_by_role("button", name=question).click()
    expect_whole(page)
    expect(page).to_have_url(address)
