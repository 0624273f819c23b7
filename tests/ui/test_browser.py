"""One smoke test through a real server, real models and Chromium."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.answer import Citation
from app.feedback import FeedbackStore
from app.pipeline import Pipeline
from app.settings import Settings
from ingest.embed import load_embedder
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.ui.browser import CHROMIUM, browsing, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="no Chromium; apt-get install chromium"),
]


@pytest.fixture
def server(home: Path, documents: Path) -> Iterator[str]:
    """The address of a server over the tiny documents and a conversation that wants the browser to call out."""
    embedder = load_embedder()
    list(ingest([documents], ChunkTable(home, embedder), embedder))
    answer = Pipeline(Settings(home=home)).ask("What does the VPN need?")
    hostile = "The VPN ![x](http://127.0.0.2:9/a.png) <img src=http://127.0.0.2:9/b.png> [1] [y](http://127.0.0.2:9/)"
    chunk = replace(answer.citations[0].chunk, text=hostile, title=hostile)
    hostile_answer = replace(answer, text=hostile, answered_by="writer", citations=(Citation(1, chunk),))
    ranked = replace(answer.ranking[0], candidate=replace(answer.ranking[0].candidate, chunk=chunk))
    FeedbackStore(home).save_answer(replace(hostile_answer, ranking=(ranked,)), "hostile", "local")
    with serving(home) as address:
        yield address


def test_the_page_may_not_call_out_and_knows_each_browser(server: str, page: Page) -> None:
    foreign: list[str] = []
    page.on("request", lambda request: foreign.append(request.url) if _is_foreign(request.url, server) else None)
    response = page.goto(f"{server}/?c=hostile")
    assert response is not None
    assert "img-src 'self' data: blob:;" in response.headers["content-security-policy"]
    (cookie,) = [cookie for cookie in page.context.cookies() if cookie.get("name") == "citeloop_user"]
    assert cookie.get("httpOnly")
    expect(page.get_by_text("What does the VPN need?")).to_be_visible()
    expect(page.get_by_role("button", name="Strike out [1]")).to_be_visible()
    assert page.locator("img[src^=http]").count() == 0
    assert foreign == []
    blocked = page.evaluate(
        "() => new Promise(done => { document.addEventListener('securitypolicyviolation', e => done(e.blockedURI));"
        " new Image().src = 'http://127.0.0.2:9/c.png'; setTimeout(() => done('nothing'), 5000); })"
    )
    assert blocked == "http://127.0.0.2:9/c.png"


@pytest.fixture
def page() -> Iterator[Page]:
    expect.set_options(timeout=60_000)
    with browsing() as page:
        yield page


def test_ask_see_the_ranking_strike_out_undo_reload(server: str, page: Page) -> None:
    foreign: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: foreign.append(request.url) if _is_foreign(request.url, server) else None)
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto(server)
    expect(page.get_by_role("heading", name="Ask your documents")).to_be_visible()

    question = page.get_by_placeholder("Ask about your documents")
    question.fill("What may a hotel cost a night?")
    question.press("Enter")
    expect(page.get_by_text("A hotel may cost 150 euros a night.").first).to_be_visible()
    expect(page.get_by_role("link", name="[1]").first).to_have_attribute("href", re.compile(r"^#\w+-s1$"))

    page.get_by_role("button", name="Before and after reranking").click()
    drawer = page.get_by_role("dialog")
    expect(drawer.locator(".before li")).to_have_count(4)
    expect(drawer.locator(".after li.used")).to_have_count(1)
    expect(drawer.locator(".ranking svg path")).to_have_count(4)
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()

    page.get_by_role("button", name="Strike out [1]").click()
    expect(page.get_by_role("button", name="Undo [1]")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Undo [1]")).to_be_visible()
    page.get_by_role("button", name="Undo [1]").click()
    expect(page.get_by_role("button", name="Strike out [1]")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Strike out [1]")).to_be_visible()
    expect(page.get_by_text("A hotel may cost 150 euros a night.").first).to_be_visible()

    page.get_by_role("link", name="Feedback").click()
    expect(page.get_by_text("2 of 2 events")).to_be_visible()
    assert foreign == []
    assert problems == []


def _is_foreign(url: str, server: str) -> bool:
    return not url.startswith((server, server.replace("http", "ws", 1), "data:", "blob:"))
