"""Document -> Chunk: passages that fit the embedder, each with its position in the document.

A chunk never crosses a heading, so that its heading path holds for all its text. It ends where a sentence, line or
paragraph ends, if one fits. Word pieces are counted by a given function; this module does not know the embedder.
"""

from __future__ import annotations

import bisect
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

from semantic_text_splitter import TextSplitter

from ingest.parse import PAGE_BREAK, Box, Document, Heading, Page
from ingest.parse.marks import BULLETS

CountTokens = Callable[[str], int]
Span = tuple[int, int]

CHUNKING = "heading-sentence/5"
"""The rules of this file by name; a table records it, so that a table made with other rules is noticed.

The number also rises when documents are parsed differently, since tables are then to be rebuilt.
"""
_MIN_TEXT_TOKENS = 64
"""Word pieces always reserved for the text, however long the title and headings are."""
_MAX_CHARACTERS_PER_TOKEN = 12
_BLOCK_CHARACTERS = 20_000
_LONGEST_KEY = 60  # characters
_TABLE = re.compile(
    r"(?P<title>(?:(?<=\n\n)|(?<![^\n]))[^\n#|>*.!?-][^\n|]{0,118}[^\n.!?|]\n\n)?"
    r"^(?P<header>\|.*\n\|[ :|-]+\|[ \t]*\n)(?:\|.*(?:\n|\Z))+",
    re.MULTILINE,
)
"""A table with two header lines, and a line above it that is no sentence, such as what its figures count."""
_ITEM = rf"[ \t]*(?:[-*+{BULLETS}]|\d{{1,3}}[.)])[ \t].*(?:\n|\Z)"
_LIST = re.compile(
    rf"^(?P<intro>[^\n#|*+-][^\n]{{0,298}}:)[ \t]*\n\n?{_ITEM}(?:\n?{_ITEM}|[ \t]+\S.*(?:\n|\Z))*", re.MULTILINE
)
"""A list and the line that introduces it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageRef:
    """A passage and its place in the documents as they were when somebody spoke of it.

    text: the chunk's. The rest is '' or None where it is unknown, as in imported labels. What people say of a passage
    inherits from it.
    """

    chunk_id: str = ""
    document: str = ""
    title: str = ""
    heading: str = ""
    page: int | None = None
    text: str

    @property
    def ref(self) -> PassageRef:
        """Return the passage alone, without label, votes or ranks."""
        return PassageRef(**{field.name: getattr(self, field.name) for field in fields(PassageRef)})

    @property
    def passage(self) -> str:
        """Return title, heading and text, like `Chunk.passage`."""
        return f"{breadcrumb(self.title, self.heading)}\n{self.text}"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stored passage and its position.

    id: 16 hex digits made from document, headings and text, so that re-ingest does not change it.
    document: the document's name; headings: outermost first, without the title.
    text: `document.text[start:end]`, below a table's header or a list's intro if it begins inside one.
    page: where it starts. boxes: its printed lines, if the format has pages and the parser knows them.
    described_by: the vision model that wrote the text about a picture, '' for the document's own words; such a chunk
    has start == end, where the picture stands. picture: its digest.
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
    boxes: tuple[Box, ...] = ()
    described_by: str = ""
    picture: str = ""

    @property
    def heading(self) -> str:
        """Return the heading path in one line, '' above the first heading."""
        return breadcrumb(*self.headings)

    @property
    def passage(self) -> str:
        """Return title, heading path and text, as embedder, full-text index and reranker read them."""
        return f"{breadcrumb(self.title, *self.headings)}\n{self.text}"

    @property
    def shown(self) -> str:
        """Return the text for people and models, marked if a model wrote it about a picture."""
        return f"(Picture, described by {self.described_by}:) {self.text}" if self.described_by else self.text

    @property
    def ref(self) -> PassageRef:
        """Return the passage as it is now, to be kept."""
        place = {name: getattr(self, name) for name in ("document", "title", "heading", "page", "text")}
        return PassageRef(chunk_id=self.id, **place)


def breadcrumb(*path: str) -> str:
    """Return title and headings, outermost first, in one line; those that are '' are left out."""
    return " > ".join(filter(None, path))


def chunk(document: Document, count_tokens: CountTokens, max_tokens: int) -> list[Chunk]:
    """Cut a document into chunks whose passage has at most max_tokens word pieces by count_tokens.

    A passage is longer only if title and headings leave the text fewer than 64 word pieces.
    """
    text, pages = document.text, _Pages(document.pages)
    cutter = _Cutter(document, _at_least_by_length(count_tokens), max_tokens)
    chunks = [
        replace(piece, page=pages.number_at(piece.start), boxes=tuple(pages.boxes(piece.start, piece.end)))
        for headings, section in _sections(document, text)
        for piece in cutter.cut(headings, text, section)
    ]
    for figure in document.figures:
        words = f"{figure.caption}\n\n{figure.description}".strip() if figure.description else ""
        here: dict[str, Any] = {
            "page": figure.page,
            "start": figure.position,
            "end": figure.position,
            "boxes": (figure.box,) if figure.box else (),
            "described_by": figure.described_by,
            "picture": figure.digest,
        }
        pieces = cutter.cut(_headings_at(document, text, figure.position), words, (0, len(words)))
        chunks += [replace(piece, **here) for piece in pieces]
    return chunks


class _Cutter:
    """Makes chunks of one document, each with an id of its own."""

    def __init__(self, document: Document, count_tokens: CountTokens, max_tokens: int) -> None:
        self._document, self._count_tokens, self._max_tokens = document, count_tokens, max_tokens
        self._seen: Counter[str] = Counter()

    def cut(self, headings: tuple[str, ...], text: str, section: Span) -> Iterator[Chunk]:
        """Yield the chunks of a section of a text, without page and boxes."""
        document, count_tokens = self._document, self._count_tokens
        room = max(self._max_tokens - count_tokens(breadcrumb(document.title, *headings) + "\n"), _MIN_TEXT_TOKENS)
        for (start, end), above in _with_their_intros(text, _cut(text, section, count_tokens, room)):
            piece = above + text[start:end]
            content = "\n".join((document.id, *headings, piece))
            self._seen[content] += 1  # the same words twice in one document are two chunks
            chunk_id = hashlib.sha256(f"{content}\n{self._seen[content]}".encode()).hexdigest()[:16]
            yield Chunk(chunk_id, document.id, document.name, document.title, headings, piece, None, start, end)


def _at_least_by_length(count_tokens: CountTokens) -> CountTokens:
    """Count at least one token per 12 characters: a tokenizer takes a very long word for one unknown piece."""
    return lambda text: max(count_tokens(text), len(text) // _MAX_CHARACTERS_PER_TOKEN)


def _cut(text: str, section: Span, count_tokens: CountTokens, room: int) -> Iterator[tuple[Span, str]]:
    """Yield spans of at most `room` word pieces, each with what its first lines need from above, or ''.

    That is the header of a table, with the line above it, or the line that introduces a list; for the rest of a row
    that is cut, its first cell. A span that is too long with it is cut again.
    """
    needs = _needs(text, section)

    def needed(start: int) -> str:
        line = text[text.rfind("\n", 0, start) + 1 : start]
        if line.startswith("| "):
            return line[2:].split(" | ")[0][:_LONGEST_KEY] + " … "
        return next((above for (first, last), above in needs if first < start < last), "")

    for start, end in _spans(text, section, count_tokens, room):
        above = needed(start)
        if not above or count_tokens(above + text[start:end]) <= room:
            yield (start, end), above
            continue
        rest = room - max(map(count_tokens, (above, needed(end - 1))))
        if rest >= _MIN_TEXT_TOKENS // 2:
            yield from ((span, needed(span[0])) for span in _spans(text, (start, end), count_tokens, rest))
        else:  # it leaves no room for rows
            yield (start, end), ""


def _with_their_intros(text: str, cuts: Iterable[tuple[Span, str]]) -> Iterator[tuple[Span, str]]:
    """Join spans that only introduce the next one to it: alone they answer nothing, yet sound like it."""
    intros: list[Span] = []
    for (span, above), (_, next_above) in pairwise([*cuts, ((0, 0), "")]):
        if next_above.startswith(text[slice(*span)].strip()):
            intros.append(span)
        else:
            yield ((intros[0][0], span[1]), "") if intros else (span, above)
            intros = []


def _spans(text: str, section: Span, count_tokens: CountTokens, room: int) -> Iterator[Span]:
    start, end = section
    # A page break would end a chunk in mid-sentence; one space keeps every offset.
    content = text[start:end].replace(PAGE_BREAK, " ")
    splitter = TextSplitter.from_callback(count_tokens, room)
    for block_start, block in _blocks(content):
        for offset, piece in splitter.chunk_indices(block):
            yield start + block_start + offset, start + block_start + offset + len(piece)


def _blocks(content: str) -> Iterator[tuple[int, str]]:
    """Yield (offset, block), cut at a paragraph, line or word: the splitter's time grows with the squared length."""
    start = 0
    while len(content) - start > _BLOCK_CHARACTERS:
        end = start + _BLOCK_CHARACTERS
        for mark in ("\n\n", "\n", " "):
            if (found := content.rfind(mark, start + _BLOCK_CHARACTERS // 2, end)) > 0:
                end = found + len(mark)
                break
        yield start, content[start:end]
        start = end
    yield start, content[start:]


def _needs(text: str, section: Span) -> list[tuple[Span, str]]:
    """Return (span, what a chunk needs that begins inside it) for the tables and lists of a section."""
    needs = []
    for match in _TABLE.finditer(text, *section):
        above = match["title"] or ""
        needs += [((match.start("header"), match.end()), above + match["header"])]
        needs += [((match.start(), match.start("header") + 1), above)] if above else []
    return needs + [(match.span(), match["intro"] + "\n") for match in _LIST.finditer(text, *section)]


def _sections(document: Document, text: str) -> Iterator[tuple[tuple[str, ...], Span]]:
    """Yield (heading path, span) of the text before the first heading and under each heading."""
    path: list[Heading] = []
    start = 0
    for heading in document.headings:
        yield _titles(path, document.title), (start, heading.start)
        path = [outer for outer in path if outer.level < heading.level] + [heading]
        start = heading.end
    yield _titles(path, document.title), (start, len(text))


def _headings_at(document: Document, text: str, position: int) -> tuple[str, ...]:
    return next((path for path, (start, end) in _sections(document, text) if start <= position <= end), ())


def _titles(path: list[Heading], title: str) -> tuple[str, ...]:
    return tuple(heading.title for heading in path if heading.title != title)


class _Pages:
    """Positions of pages and their printed lines in the whole text."""

    def __init__(self, pages: tuple[Page, ...]) -> None:
        self._pages = pages
        self._starts = [0]
        for page in pages:
            self._starts.append(self._starts[-1] + len(page.text) + len(PAGE_BREAK))

    def number_at(self, position: int) -> int | None:
        return self._pages[bisect.bisect_right(self._starts, position) - 1].number

    def boxes(self, start: int, end: int) -> Iterator[Box]:
        """Yield the boxes of the lines between two positions; the first and last are clipped to the span."""
        first = bisect.bisect_right(self._starts, start) - 1
        for page, (page_start, next_start) in zip(self._pages[first:], pairwise(self._starts[first:]), strict=False):
            if page_start >= end:
                return
            span = max(start - page_start, 0), min(end, next_start) - page_start
            line_index = bisect.bisect_right(page.lines, span[0], key=lambda line: line.end)
            for line in page.lines[line_index:]:
                if line.start >= span[1]:
                    break
                yield _clipped(line.box, (line.start, line.end), span)


def _clipped(box: Box, line: Span, span: Span) -> Box:
    """Return the part of a line's box that the span covers, assuming equally wide characters."""
    length, width = line[1] - line[0], box.right - box.left
    left = box.left + width * max(span[0] - line[0], 0) / length
    right = box.right - width * max(line[1] - span[1], 0) / length
    return replace(box, left=round(left, 4), top=round(box.top, 4), right=round(right, 4), bottom=round(box.bottom, 4))
