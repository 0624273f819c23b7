from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from app.answer import Answer, Citation
from app.feedback import StoredAnswer
from app.feedback.conversation_markdown import as_markdown
from tests.app.builders import make_answer, make_chunk

FIRST = make_chunk(
    "Everybody has 30 days.\n\nEven apprentices.", document="leave.pdf", title="Leave", headings=("Annual",), page=3
)
SECOND = make_chunk("Trains first.", document="travel.md", title="Travel")

HOSTILE = {
    "fence": "```\nnever closed",
    "tildes": "Look:\n~~~~\nnever closed",
    "comment": "<!-- never closed",
    "script": "<script>\nnever closed",
    "heading": "# Large\n\n## As large as a question",
    "underlined": "Large\n=====\n\nLess\n---",
    "list": "- one\n- two\n    - three\n\n1. four",
    "table": "| a | b |\n|---|---|\n| 1 | 2 |",
    "definition": "[1]: http://evil.example/ 'here'\n\n[2]:\nhttp://evil.example/",
    "rule": "---\n\n***",
    "page break": "One page\fanother page\u2028a line",
    "quote": "> > deep\nand lazy",
    "code": "    indented code\n\n\tmore",
    "unbalanced": "**bold and `code and [link](",
}


def stored(answer: Answer, number: int = 1) -> StoredAnswer:
    return StoredAnswer(f"a{number}", "c", "ann", datetime(2026, 3, 4, 15, number, tzinfo=UTC), answer)


def answer_of(text: str = "Thirty days [1].", *, question: str = "How many days?") -> Answer:
    citations = (Citation(1, FIRST), Citation(2, SECOND))
    return replace(make_answer(text), question=question, citations=citations, reranker="shipped", answered_by="gpt")


def nodes(markdown: str) -> list[SyntaxTreeNode]:
    return SyntaxTreeNode(MarkdownIt("commonmark").parse(markdown)).children


def text_of(node: SyntaxTreeNode) -> str:
    return " ".join(each.content for each in node.walk() if each.type in ("text", "code_inline", "fence", "code_block"))


def links(markdown: str) -> Iterator[str]:
    for node in nodes(markdown):
        yield from (str(each.attrs["href"]) for each in node.walk() if each.type == "link")


def test_everything_of_a_conversation_is_there_in_its_order() -> None:
    followed = replace(answer_of("150 euros [2].", question="and in Hamburg?"), query="What is a hotel in Hamburg?")
    assert as_markdown([stored(answer_of()), stored(followed, 2)]).split("\n") == [
        "## How many days?",
        "",
        "2026-03-04 15:01 UTC, written by gpt, passages reranked by the model that comes with Citeloop",
        "",
        "> Thirty days [1].",
        "",
        "- [1] Leave > Annual (leave.pdf, page 3)",
        "  > Everybody has 30 days.",
        "  > ",
        "  > Even apprentices.",
        "- [2] Travel (travel.md)",
        "  > Trains first.",
        "",
        "## and in Hamburg?",
        "",
        "2026-03-04 15:02 UTC, written by gpt, passages reranked by the model that comes with Citeloop",
        "",
        "Searched for: What is a hotel in Hamburg?",
        "",
        "> 150 euros [2].",
        "",
        "- [1] Leave > Annual (leave.pdf, page 3)",
        "  > Everybody has 30 days.",
        "  > ",
        "  > Even apprentices.",
        "- [2] Travel (travel.md)",
        "  > Trains first.",
        "",
    ]


def test_nothing_is_nothing() -> None:
    assert as_markdown([]) == ""


def test_what_is_struck_out_is_marked() -> None:
    markdown = as_markdown([stored(replace(answer_of(), without=(SECOND.id,)))])
    assert "- [2] (struck out) Travel (travel.md)" in markdown
    assert "- [1] Leave" in markdown


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"note": "The order of search. "}, "*The order of search.*"),
        ({"note": "One line,\nand another", "complete": False}, "*One line, and another*"),
        ({"complete": False}, "*This answer was cut off.*"),
        ({"complete": False, "stopped": True}, "*This answer was stopped.*"),
    ],
)
def test_what_went_wrong_is_said_below_the_answer(changes: dict[str, object], said: str) -> None:
    lines = as_markdown([stored(replace(answer_of(), **changes))]).split("\n")  # type: ignore[arg-type]
    assert lines.index(said) == lines.index("> Thirty days [1].") + 2


def test_of_a_whole_answer_nothing_is_said_to_be_wrong() -> None:
    assert "*" not in as_markdown([stored(answer_of())])


def test_an_answer_without_text_and_sources_is_there_too() -> None:
    empty = replace(answer_of(""), citations=(), note="the table is damaged", complete=False)
    first, _, third = nodes(as_markdown([stored(empty)]))
    assert text_of(first) == "How many days?"
    assert text_of(third) == "the table is damaged"


@pytest.mark.parametrize("question", ["One\n# two\n\n- three", "One\r\ntwo\u2028three"])
def test_a_question_of_several_lines_is_one_heading(question: str) -> None:
    markdown = as_markdown([stored(replace(answer_of(question=question), query=question))])
    heading, _, query, *_ = nodes(markdown)
    assert (heading.tag, text_of(heading)) == ("h2", " ".join(question.split()))
    assert text_of(query) == f"Searched for: {' '.join(question.split())}"


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("place", ["text", "passage", "title", "heading", "note"])
def test_no_markdown_of_a_document_or_a_model_reaches_beyond_its_place(place: str, hostile: str) -> None:
    """Two turns, and each keeps its heading and its two sources, whatever one of them says."""
    chunk = replace(FIRST, **{"passage": {"text": hostile}, "title": {"title": hostile}}.get(place, {}))  # type: ignore[arg-type]
    chunk = replace(chunk, headings=(hostile,)) if place == "heading" else chunk
    answer = replace(answer_of(), citations=(Citation(1, chunk), Citation(2, SECOND)))
    answer = replace(answer, text=hostile) if place == "text" else answer
    answer = replace(answer, note=hostile) if place == "note" else answer
    markdown = as_markdown([stored(answer), stored(answer_of("By train [2].", question="How?"), 2)])
    tree = nodes(markdown)
    assert [text_of(node) for node in tree if node.type == "heading"] == ["How many days?", "How?"]
    lists = [node for node in tree if node.type == "bullet_list"]
    assert [len(node.children) for node in lists] == [2, 2]
    assert text_of(lists[0].children[1]) == "[2] Travel (travel.md) Trains first."
    assert list(links(markdown)) == []
    if place == "text":
        (answered, _) = (text_of(node) for node in tree if node.type == "blockquote")
        assert answered or hostile in (HOSTILE["comment"], HOSTILE["script"], HOSTILE["rule"])
    words = [word for word in hostile.split() if word.isalpha()]
    assert all(word in markdown for word in words)


def test_the_words_of_a_text_are_kept_as_they_are() -> None:
    text = "Thirty days [1], *truly*:\n\n- one [2]\n- two"
    markdown = as_markdown([stored(answer_of(text))])
    assert "\n".join(line[2:] for line in markdown.split("\n") if line.startswith("> ")) == text
