"""A conversation -> Markdown, to be kept or handed on: questions, answers, and what they cite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.answer import Answer
from app.feedback import StoredAnswer


def as_markdown(turns: Sequence[StoredAnswer]) -> str:
    """The whole conversation."""
    return "\n".join(line for turn in turns for line in _lines(turn))


def _lines(turn: StoredAnswer) -> Iterator[str]:
    answer = turn.answer
    yield f"## {_in_one_line(answer.question)}\n"
    yield f"{turn.asked_at:%Y-%m-%d %H:%M} UTC, answered by {answer.answered_by}, reranker {answer.reranker}\n"
    if answer.query:
        yield f"Searched for: {_in_one_line(answer.query)}\n"
    yield _quoted(answer.text) + "\n"
    if answer.note or not answer.complete:
        ended = f"This answer was {'stopped' if answer.stopped else 'cut off'} before its end."
        yield f"*{_in_one_line(answer.note) or ended}*\n"
    yield from _sources(answer)
    yield ""


def _sources(answer: Answer) -> Iterator[str]:
    for citation in answer.citations:
        chunk = citation.chunk
        place = _in_one_line(" > ".join((chunk.title, *chunk.headings)))
        struck = " (struck out)" if chunk.id in answer.without else ""
        page = f", page {chunk.page}" if chunk.page else ""
        yield f"- [{citation.number}]{struck} {place} ({chunk.document}{page})"
        yield _quoted(chunk.text, indent="  ")


def _in_one_line(text: str) -> str:
    return " ".join(text.split())


def _quoted(text: str, indent: str = "") -> str:
    """As a quotation, at whose end everything ends that the text leaves open.

    It says not where a [1] leads, and has no picture or tag, for which whatever shows it would call out.
    """
    for mark, shown in (("]:", "]\\:"), ("![", "!\\["), ("<", "\\<")):
        text = text.replace(mark, shown)
    return "\n".join(f"{indent}> {line}" for line in text.splitlines())
