"""Document, and what every parser gives to make one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from markdown_it import MarkdownIt

from ingest import CiteloopError

PAGE_BREAK = "\f"
"""Stands between two pages in `Document.text`: the separator that plain-text tools have always used."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: level 1 (outermost) to 6, its words, and the span of its line in `Document.text`."""

    level: int
    title: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page as it is displayed: page number from 1, edges as fractions of its width and height.

    0, 0 is the upper left corner, 1, 1 the lower right one.
    """

    page: int
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Line:
    """A printed line, or a cell of a printed table: its span in `Page.text` and its box."""

    start: int
    end: int
    box: Box


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its number from 1, or None where the format has no pages, and its Markdown text.

    lines: in order of their spans, where the parser knows them; characters between two lines have no box.
    """

    number: int | None
    text: str
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file.

    id: stable for one source, so that a changed file replaces itself.
    name: what people see and judgements name, such as `handbook/leave.md`.
    source: where it came from, an absolute path.
    sha256: hex digest of the file's bytes.
    note: what of the file could not be read, or ''.
    """

    id: str
    name: str
    title: str
    source: str
    sha256: str
    pages: tuple[Page, ...]
    headings: tuple[Heading, ...] = ()
    note: str = ""

    @property
    def text(self) -> str:
        """All pages, joined by PAGE_BREAK; every character span in the program counts in this string."""
        return PAGE_BREAK.join(page.text for page in self.pages)


class ParseError(CiteloopError):
    """The file cannot be turned into text; the message says why, in words for the person who added it."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a format's parser finds: pages, headings, and the title that the file gives itself, or ''.

    note: what of the file could not be read, or ''.
    """

    pages: tuple[Page, ...]
    headings: tuple[Heading, ...]
    title: str
    note: str = ""


class Effort:
    """Told how much there is to read; one who limits what a file may cost puts its own in place of `effort`."""

    def pages(self, num_pages: int) -> None:
        """A file has so many pages, told before they are read. Raises ParseError where these are too many."""

    def scan(self) -> None:
        """One more page is read by text recognition, which takes long. Raises ParseError where these are too many."""


effort = Effort()


def note_pages(num_pages: int) -> None:
    """Tell how many pages a file has, before they are read. Raises ParseError where these are too many."""
    effort.pages(num_pages)


def note_scan() -> None:
    """Tell that a page is about to be read by text recognition. Raises ParseError where these are too many."""
    effort.scan()


def parse_text(text: str, name: str, title: str, headings: Iterable[Heading] | None = None) -> Document:
    """A Document from text that is at hand already, such as a row of an evaluation corpus.

    The text has PAGE_BREAK between pages if it has pages. headings: None finds them in it as Markdown.
    """
    parts = text.split(PAGE_BREAK)
    pages = tuple(Page(number if len(parts) > 1 else None, part) for number, part in enumerate(parts, 1))
    return Document(
        id=document_id(name),
        name=name,
        title=title,
        source=name,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        pages=pages,
        headings=tuple(markdown_headings(text.replace(PAGE_BREAK, "\n")) if headings is None else headings),
    )


def document_id(source: str) -> str:
    """The id of the document at this source: 16 hex digits."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def markdown_headings(text: str) -> Iterator[Heading]:
    """Headings with their spans, in order, found by the Markdown parser: a `#` in a code block is none."""
    line_starts = [0, *(match.end() for match in re.finditer("\n", text)), len(text) + 1]
    tokens = MarkdownIt("commonmark").parse(text)
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.map and inline.content.strip():
            start, end = line_starts[opening.map[0]], line_starts[opening.map[1]] - 1
            yield Heading(int(opening.tag[1]), inline.content.strip(), start, end)


def one_line(text: str) -> str:
    """The text with every run of white space as one space."""
    return " ".join(text.split())


def joined(parts: Iterable[Parsed], title: str) -> Parsed:
    """Slides, sheets or chapters, one after the other; their headings move to where their text then stands."""
    pages: list[Page] = []
    headings: list[Heading] = []
    offset = 0
    for part in parts:
        headings += [replace(mark, start=mark.start + offset, end=mark.end + offset) for mark in part.headings]
        pages += part.pages
        offset += sum(len(page.text) + len(PAGE_BREAK) for page in part.pages)
    return Parsed(tuple(pages), tuple(headings), title)


def whole_characters(text: str) -> str:
    """The text with the halves of a character joined, and one that stands alone replaced: else it cannot be stored."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
