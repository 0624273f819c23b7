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
    yield f"## {answer.question}\n"
    yield f"{turn.asked_at:%Y-%m-%d %H:%M} UTC, answered by {answer.answered_by}, reranker {answer.reranker}\n"
    if answer.query:
        yield f"Searched for: {answer.query}\n"
    yield answer.text + "\n"
    if answer.note or not answer.complete:
        yield f"*{answer.note or 'This answer was cut off before its end.'}*\n"
    yield from _sources(answer)
    yield ""


def _sources(answer: Answer) -> Iterator[str]:
    for citation in answer.citations:
        chunk = citation.chunk
        place = " > ".join((chunk.title, *chunk.headings))
        struck = " (struck out)" if chunk.id in answer.without else ""
        page = f", page {chunk.page}" if chunk.page else ""
        yield f"- [{citation.number}]{struck} {place} ({chunk.document}{page})"
        yield "\n".join(f"  > {line}" for line in chunk.text.splitlines())
