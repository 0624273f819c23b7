from __future__ import annotations

from typing import Any

import pytest
from markdown_it import MarkdownIt

from app.api.chat_text import closing, rest_of, url_citations, without_links

_PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")

HOSTILE = [
    "[click](http://evil.example)",
    "![picture](http://evil.example/a.png)",
    "[click][1]\n\n[1]: http://evil.example",
    "[1](http://evil.example)",
    "\\[click](http://evil.example)",
    "\\\\[click](http://evil.example)",
    "[a\\](b](http://evil.example)",
    "``[click](http://evil.example)`",
    "`code` `` ` [click](http://evil.example)",
    "```\n[x](http://evil.example)\n``` [click](http://evil.example)",
    "[click](<http://evil.example>)",
    "<http://evil.example>",
    "\\<a href='http://evil.example'>click</a>",
    "<img src=http://evil.example/a.png>",
    "<!-- <a -->",
    "> [click]: http://evil.example\n\n[click]",
    "[\nclick\n]: http://evil.example\n\n[click]",
    "![a][b]\n\n- [b]: http://evil.example",
]


def made_of(markdown: str) -> set[str]:
    """The kinds of links, images and HTML that a parser of Markdown finds."""
    tokens = [child for token in _PARSER.parse(markdown) for child in (token, *(token.children or ()))]
    return {token.type for token in tokens} & {"link_open", "image", "html_inline", "html_block"}


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_in_a_text_becomes_a_link(text: str) -> None:
    assert made_of(without_links(text)) == set()


def test_without_that_care_these_texts_would_be_links() -> None:
    assert len([text for text in HOSTILE if made_of(text)]) >= 14


def test_what_is_not_a_link_stays() -> None:
    text = "Take a[0], [1] and [2], if x < 3 and List <String>.\n\n| a | b |\n|---|---|\n| [1] | **x** |"
    assert without_links(text) == text.replace("<String", "< String")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_can_be_sent_in_pieces(text: str) -> None:
    for length in range(len(text)):
        assert without_links(text).startswith(without_links(text[:length]))


def test_the_rest_is_what_is_not_sent_yet_or_all_again() -> None:
    assert rest_of("Thirty days", "Thirty") == " days"
    assert rest_of("Forty days", "Thirty") == "\n\nThe complete answer:\n\nForty days"


def record(**citation: Any) -> dict[str, Any]:
    cited = {"number": 1, "title": "Leave", "page": None, "used": True, "superseded_by": "", "chunk_id": "c1"}
    return {"answer": "Thirty [1].", "note": "", "citations": [{**cited, **citation}]}


@pytest.mark.parametrize(
    "title",
    [
        "Leave](http://evil.example) [more",
        "Leave\\](http://evil.example",
        "Leave ![x](http://evil.example)",
        "Leave <a href='http://evil.example'>x</a>",
        "Leave `x](http://evil.example)",
        "Leave\n\n[x]: http://evil.example",
    ],
)
def test_a_title_makes_no_other_link(title: str) -> None:
    for named in ({"title": title}, {"superseded_by": title}):
        listed = closing(record(**named), lambda _: "https://docs.example.com/source?chunk=c1")
        tokens = [child for token in _PARSER.parse(listed) for child in token.children or ()]
        addresses = [token.attrs["href"] for token in tokens if token.type == "link_open"]
        assert addresses == ["https://docs.example.com/source?chunk=c1"]
        assert made_of(listed) == {"link_open"}


def test_the_list_names_page_and_newest_version() -> None:
    listed = closing(record(page=3, superseded_by="Leave 2026"), lambda _: "https://docs.example.com")
    assert listed == "\n\nSources:\n\n- [1] [Leave, page 3](https://docs.example.com) (superseded by Leave 2026)"


def test_numbers_that_are_no_sources_are_not_annotated() -> None:
    found = url_citations("See [1], [7] and a[1].", record()["citations"], lambda _: "https://docs.example.com")
    assert [(each.url_citation.start_index, each.url_citation.end_index) for each in found] == [(4, 7)]
