from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from markdown_it import MarkdownIt

from app.ui import markup

HOSTILE = [
    "![x](http://evil.example/a.png)",
    "[click](http://evil.example)",
    "<img src=http://evil.example/a.png>",
    "# not a heading",
    "- not a list of mine\n+ nor this\n1. nor this",
    "`code` **bold** _it_ ~~gone~~",
    "| a | b |\n| - | - |",
    "> quoted",
    "title\n=====",
    "title\n-----",
    "-----",
    "    indented",
]
WRITTEN = [
    "[a][b]\n\n[b]: http://evil.example",
    "[[x]](http://evil.example)",
    r"[a\]b](http://evil.example)",
    "![x][1]\n\n[1]: http://evil.example/x.png",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_plain_text_shows_its_characters_and_nothing_else(text: str) -> None:
    html = MarkdownIt("gfm-like", {"linkify": False}).render(markup.plain(text))
    assert set(re.findall(r"<(\w+)", html)) <= {"p", "br"}


@pytest.mark.parametrize("text", WRITTEN)
def test_written_text_hides_no_link_behind_words(text: str) -> None:
    html = MarkdownIt("gfm-like", {"linkify": False}).render(markup.written(text))
    assert "<a " not in html
    assert "<img" not in html


def test_entities_are_shown_as_they_stand() -> None:
    assert "&amp;copy;" in MarkdownIt("commonmark").render(markup.plain("&copy;"))


@pytest.mark.parametrize("text", [":red[x]", ":material/home:", "$x^2$", "a :smile: b"])
def test_streamlit_directives_are_escaped(text: str) -> None:
    assert "\\:" in markup.plain(text) or "\\$" in markup.plain(text)


def test_a_passage_keeps_its_table() -> None:
    html = MarkdownIt("gfm-like", {"linkify": False}).render(
        markup.passage("Prices.\n\n| A | B |\n| --- | --- |\n| 1 | 2 |")
    )
    assert "<th>A</th>" in html
    assert "<td>2</td>" in html


def test_a_table_that_lost_its_header_is_still_a_table() -> None:
    html = MarkdownIt("gfm-like", {"linkify": False}).render(markup.passage("| 1 | 2 |\n| 3 | 4 |"))
    assert html.count("<td>") == 4


def test_a_bar_inside_a_cell_stays_there() -> None:
    """As browsers read it: there a bar behind two backslashes ends the cell, and what is too much is not shown."""
    table = "| Call | Means |\n| --- | --- |\n"
    assert markup.passage(table + r"| a \| b | either one |") == table + r"| a \| b | either one |"
    assert markup.passage(table + r"| C:\temp | a folder |") == table + r"| C\:\\temp | a folder |"
    assert markup.passage(table + r"| a\\| b | both |") == table + r"| a\\\| b | both |"


def test_what_names_a_character_is_shown_as_it_stands_in_a_cell() -> None:
    assert r"| \&copy; 2024 |" in markup.passage("| Mark |\n| --- |\n| &copy; 2024 |")


def test_a_bar_inside_a_cell_makes_no_column() -> None:
    rows = r"| a \| b | either one |" + "\n| c | one |"
    assert markup.passage(rows) == f"| | |\n| --- | --- |\n{rows}"
    assert markup.passage("|| one |\n|c| two |").startswith("| | |\n")


def test_written_text_keeps_lists_but_no_links_or_images() -> None:
    text = "- **one** [1]\n- [two](http://evil.example) ![p](http://evil.example/p.png) :red[x]"
    html = MarkdownIt("gfm-like", {"linkify": False}).render(markup.written(text))
    assert html.count("<li>") == 2
    assert "evil" not in html
    assert ":red[" not in markup.written(text)


def test_numbers_become_links_to_their_cards() -> None:
    assert markup.with_citation_links(markup.plain("So [2]."), "#a-s{}".format) == r"So [\[2\]](#a-s2)."
    assert markup.with_citation_links("So [2].", "#a-s{}".format) == r"So [\[2\]](#a-s2)."


def test_a_table_that_goes_on_after_a_page_break_is_a_table_of_its_own() -> None:
    shown = markup.passage("| a | b |\n| --- | --- |\n| 1 | 2 |\f| a | b |\n| --- | --- |\n| 3 | 4 |")
    assert shown.split("\n\n") == ["| a | b |\n| --- | --- |\n| 1 | 2 |", "| a | b |\n| --- | --- |\n| 3 | 4 |"]


@pytest.mark.parametrize("text", [r"\[read\] the policy](http://evil.example/?q=1)", r"\\[read](http://evil.example)"])
def test_backslashes_of_a_model_do_not_make_a_link(text: str) -> None:
    assert "<a " not in MarkdownIt("commonmark").render(markup.written(text)).replace('<a href="#', "")


def test_a_long_run_of_line_ends_takes_no_time() -> None:
    """It would be quadratic otherwise: minutes for a text that a model that is stuck may write."""
    assert markup.written("a" + "\n" * 100_000 + "b").endswith("b")


def test_lists_of_a_passage_are_lists_and_their_words_stand_as_they_are() -> None:
    text = "Bring these:\n- a *passport*\n  - signed\n1. a photo"
    assert markup.passage(text) == "Bring these\\:  \n\n- a \\*passport\\*\n  - signed\n1. a photo"


def test_brackets_in_code_and_years_are_no_citations() -> None:
    assert markup.with_citation_links("As of [2024] `queue[0]` holds it [1].", "#t-s{}".format) == (
        "As of [2024] `queue[0]` holds it [\\[1\\]](#t-s1)."
    )


def test_the_address_of_a_person_is_a_link_only_in_passages() -> None:
    """Streamlit makes a link of each address that it sees as one text."""
    assert markup.plain("by ann.b@example.org, a@b") == "by ann.b:small[]@example.org, a@b"
    assert markup.passage("Write to ann@example.org\n\n- or ben@example.org") == (
        "Write to ann@example.org\n\n- or ben@example.org"
    )


@pytest.mark.parametrize("show", [markup.plain, markup.passage, markup.written])
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (":material/verified: safe", ":small[]material/verified"),
        ("made with :streamlit:", ":small[]streamlit"),
        ("http://bank.example@evil.example/", ":small[]//bank.example@evil.example/"),
        ("www.bank.example@evil.example", "www:small[].bank.example@evil.example"),
    ],
)
def test_what_streamlit_makes_of_parsed_text_is_taken_apart(show: Callable[[str], str], text: str, shown: str) -> None:
    for whole in (text, f"| a | b |\n| --- | --- |\n| {text} | 1 |"):
        assert shown in show(whole).replace(":small[]@", "@")


def test_code_that_would_be_drawn_is_text() -> None:
    assert markup.written("- ```Mermaid\n  graph TD") == "- ```text Mermaid\n  graph TD"
    assert markup.written("~~~ a-mermaid") == "~~~text  a-mermaid"
    assert markup.written("```python\nmermaid") == "```python\nmermaid"


@pytest.mark.parametrize("show", [markup.plain, markup.passage, markup.written])
def test_letters_are_shown_in_the_order_in_which_they_stand(show: Callable[[str], str]) -> None:
    assert show("in\u202evoice\u202c \u2066a\u2069 \x1b7 b") == "invoice a 7 b"
