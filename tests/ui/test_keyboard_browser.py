"""Ask with the keyboard alone, and at a large zoom, through a real server and Chromium."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

from ingest.embed.embedder import load_embedder
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.ui.browser import CHROMIUM, browsing, expect_still, serving, type_question

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # a busy machine loads models for minutes
    pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="no Chromium; apt-get install chromium"),
]

FOCUS_IS_COVERED = """() => {
  const focused = document.activeElement;
  if (!focused.closest("[data-testid=stMainBlockContainer]")) return false;
  const { left, top, width, height } = focused.getBoundingClientRect();
  const seen = document.elementFromPoint(left + width / 2, top + height / 2);
  return !(seen && (focused.contains(seen) || seen.contains(focused)));
}"""
HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")]
  .filter((heading) => heading.offsetParent).map((heading) => Number(heading.tagName[1]))"""


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page with an answer over documents that fill more than a screen."""
    home, documents = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("documents")
    for number in range(6):
        text = "\n\n".join(f"A hotel of group {number} may cost {price} euros a night." for price in range(150, 158))
        (documents / f"hotels-{number}.md").write_text(f"# Hotels {number}\n\n{text}\n")
    embedder = load_embedder()
    list(ingest([documents], ChunkTable(home, embedder), embedder))
    with serving(home) as address, browsing() as page:
        page.goto(address)
        type_question(page, "What may a hotel cost a night?")
        expect(page.get_by_role("button", name="Ask again")).to_be_visible()
        expect_still(page)
        yield page


def open_with_key(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).focus()
    page.keyboard.press("Enter")


def test_nothing_covers_what_has_the_focus(asked: Page) -> None:
    asked.get_by_test_id("stMain").focus()
    covered = []
    for _stop in range(25):
        asked.keyboard.press("Tab")
        asked.wait_for_timeout(300)  # the passage of a citation closes after that
        if asked.evaluate(FOCUS_IS_COVERED):
            covered.append(asked.evaluate("document.activeElement.textContent"))
    assert covered == []


def test_a_menu_that_a_key_opens_has_the_focus_and_gives_it_back(asked: Page) -> None:
    open_with_key(asked, "Share")
    expect(asked.get_by_role("dialog", name="Share")).to_be_focused()
    asked.keyboard.press("Tab")
    expect(asked.get_by_role("button", name="Share conversation")).to_be_focused()
    asked.keyboard.press("Escape")
    expect(asked.get_by_role("button", name="Share", exact=True)).to_be_focused()


def test_the_passages_of_both_rankings_are_reached_with_the_tab_key(asked: Page) -> None:
    open_with_key(asked, "Before and after reranking")
    drawer = asked.get_by_role("dialog", name="How these sources were chosen")
    expect(drawer.locator(".after li").first).to_be_visible()
    asked.keyboard.press("Tab")
    expect(drawer.get_by_role("button", name="Close")).to_be_focused()
    asked.keyboard.press("Tab")
    expect(drawer.locator(".before a").first).to_be_focused()
    asked.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(asked.get_by_role("button", name="Before and after reranking")).to_be_focused()


def test_a_strike_out_with_a_key_is_undone_with_the_next_one(asked: Page) -> None:
    open_with_key(asked, "Strike out [3]")
    expect(asked.get_by_text("Rewritten without [3]")).to_be_in_viewport()
    expect(asked.get_by_role("button", name="Undo [3]")).to_be_focused()
    asked.keyboard.press("Enter")
    expect(asked.get_by_text("Rewritten without [3]")).to_have_count(0)
    expect(asked.get_by_role("button", name="Strike out [3]")).to_be_focused()


def test_no_level_of_the_headings_is_left_out(asked: Page) -> None:
    levels = asked.evaluate(HEADINGS)
    assert levels[:2] == [1, 2]
    assert all(below - above <= 1 for above, below in pairwise(levels))


def test_the_first_stop_is_in_the_readers_language(asked: Page) -> None:
    browser = asked.context.browser
    assert browser
    german = browser.new_page(locale="de-DE")
    german.goto(asked.url)
    expect(german.get_by_role("link", name="Zum Inhalt springen")).to_have_count(1)
    german.close()


def test_at_a_zoom_of_400_percent_the_question_box_covers_no_source(asked: Page) -> None:
    asked.set_viewport_size({"width": 320, "height": 256})
    strike = asked.get_by_role("button", name="Strike out [1]")
    strike.scroll_into_view_if_needed()
    strike.click(trial=True, timeout=10_000)
    assert asked.evaluate("document.documentElement.scrollWidth <= innerWidth")
