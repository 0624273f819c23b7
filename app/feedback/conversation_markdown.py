"""Conversation -> Markdown export: questions, answers and sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.answer import CURATED, EXTRACTIVE, Answer
from app.feedback import StoredAnswer
from app.registry import SHIPPED
from app.reranking.live import NONE
from ingest.chunk import breadcrumb
from ingest.parse.document import one_line


def as_markdown(turns: Sequence[StoredAnswer]) -> str:
    """Return the whole conversation as Markdown."""
    return "\n".join(line for turn in turns for line in _lines(turn))


def _lines(turn: StoredAnswer) -> Iterator[str]:
    answer = turn.answer
    yield f"## {one_line(answer.question)}\n"
    yield f"{turn.asked_at:%Y-%m-%d %H:%M} UTC, {_made(answer)}\n"
    if answer.query:
        yield f"Searched for: {one_line(answer.query)}\n"
    yield _quoted(answer.text) + "\n"
    if answer.note or not answer.complete:
        ended = f"This answer was {'stopped' if answer.stopped else 'cut off'}."
        yield f"*{one_line(answer.note) or ended}*\n"
    yield from _sources(answer)
    yield ""


def _made(answer: Answer) -> str:
    """Return how the answer was made, in plain words."""
    by = {EXTRACTIVE: "quoted from the documents", CURATED: "answered by a curator"}
    reranker = "the model that comes with Citeloop" if answer.reranker == SHIPPED else answer.reranker
    reranked = "not reranked" if answer.reranker == NONE else f"passages reranked by {reranker}"
    return f"{by.get(answer.answered_by) or f'written by {answer.answered_by}'}, {reranked}"


def _sources(answer: Answer) -> Iterator[str]:
    for citation in answer.citations:
        chunk = citation.chunk
        place = one_line(breadcrumb(chunk.title, *chunk.headings))
        struck = " (struck out)" if chunk.id in answer.without else ""
        page = f", page {chunk.page}" if chunk.page else ""
        yield f"- [{citation.number}]{struck} {place} ({chunk.document}{page})"
        yield _quoted(chunk.shown, indent="  ")


def _quoted(text: str, indent: str = "") -> str:
    """Return the text as a quotation, which closes all open Markdown.

    Escapes link targets, pictures and tags, so no viewer loads anything.
    """
    for mark, shown in (("]:", "]\\:"), ("![", "!\\["), ("<", "\\<")):
        text = text.replace(mark, shown)
    return "\n".join(f"{indent}> {line}" for line in text.splitlines())
