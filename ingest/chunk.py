"""Document -> Chunk: passages that follow headings and sentences and fit the embedder.

A chunk never crosses a heading, so that its heading path is true of all its text. This module counts
word pieces with the function that it is given and does not know which embedder that belongs to.
"""

from __future__ import annotations

import bisect
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from semantic_text_splitter import TextSplitter

from ingest.parse import PAGE_BREAK, Document, Heading

POLICY = "heading-sentence/1"
"""Names the rules below; a table records it, so that a change of the rules is noticed."""

_MIN_TEXT_TOKENS = 64
"""However long the title and headings are, this many word pieces are left to the text."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stored passage and its place: `text == document.text[start:end]`, `page` where it starts.

    id: 16 hex digits made from document, headings and text, so that it survives re-ingest unchanged.
    document: the document's name; headings: outermost first, without the title.
    """

    id: str
    document_id: str
    document: str
    title: str
    headings: tuple[str, ...]
    text: str
    page: int | None
    start: int
    end: int

    @property
    def heading(self) -> str:
        """The heading path in one line, '' at the top of a document."""
        return " > ".join(self.headings)

    @property
    def passage(self) -> str:
        """What embedder, full-text index and reranker read: title and heading path, then the text."""
        return f"{label(self.title, self.headings)}\n{self.text}"


def label(title: str, headings: tuple[str, ...]) -> str:
    """Title and heading path in one line."""
    return " > ".join((title, *headings))


def chunk(document: Document, count_tokens: Callable[[str], int], max_tokens: int) -> list[Chunk]:
    """Cut a document into chunks whose passage has at most max_tokens word pieces by count_tokens.

    Only a title with headings so long that they leave the text less than 64 pieces makes a passage longer.
    """
    text = document.text
    page_starts = [0, *(index + 1 for index, character in enumerate(text) if character == PAGE_BREAK)]
    seen: Counter[str] = Counter()
    chunks = []
    for headings, section_start, section_end in _sections(document, text):
        room = max_tokens - count_tokens(label(document.title, headings) + "\n")
        splitter = TextSplitter.from_callback(count_tokens, max(room, _MIN_TEXT_TOKENS))
        # A page break would end a chunk in mid-sentence; one space keeps every offset.
        section = text[section_start:section_end].replace(PAGE_BREAK, " ")
        for offset, piece in splitter.chunk_indices(section):
            start = section_start + offset
            piece = text[start : start + len(piece)]
            content = "\n".join((document.id, *headings, piece))
            seen[content] += 1  # the same words twice in one document are two chunks
            page = document.pages[bisect.bisect_right(page_starts, start) - 1].number
            chunks.append(
                Chunk(
                    id=hashlib.sha256(f"{content}\n{seen[content]}".encode()).hexdigest()[:16],
                    document_id=document.id,
                    document=document.name,
                    title=document.title,
                    headings=headings,
                    text=piece,
                    page=page,
                    start=start,
                    end=start + len(piece),
                )
            )
    return chunks


def _sections(document: Document, text: str) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """(heading path, start, end) of the text under each heading, and of what stands before the first."""
    path: list[Heading] = []
    start = 0
    for heading in document.headings:
        yield _titles(path, document.title), start, heading.start
        path = [outer for outer in path if outer.level < heading.level] + [heading]
        start = heading.end
    yield _titles(path, document.title), start, len(text)


def _titles(path: list[Heading], title: str) -> tuple[str, ...]:
    return tuple(heading.title for heading in path if heading.title != title)
