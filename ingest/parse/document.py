"""Document, and the types that parsers return to make one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from pydantic import Base64Bytes

from ingest import CiteloopError

if TYPE_CHECKING:
    from PIL.Image import Image

UPLOAD = "upload:"
"""Prefix of the source of a document that was uploaded in the browser."""
PAGE_BREAK = "\f"
"""Separates two pages in `Document.text`, as in plain-text tools."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: level 1 (outermost) to 6, its text, and the span of its line in `Document.text`."""

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
    """One page: its number from 1, or None if the format has no pages, and its Markdown text.

    lines: in order of their spans, if the parser knows them; characters between two lines have no box.
    """

    number: int | None
    text: str
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture of a document: a photo, chart, drawing, or a table that is a picture.

    caption: the document's own words about it, or ''. position: where it stands in `Document.text`. picture: a PNG or
    JPEG made by this program; b'' if the file at `address`, beside the document, is not there now. address: '' for a
    picture in the file itself. box: its place on the page, if the format has pages and the parser knows it.
    description: what a vision model saw, '' for a decoration. described_by: that model, '' before it was asked.
    """

    caption: str
    page: int | None
    position: int
    picture: Base64Bytes
    address: str = ""
    box: Box | None = None
    description: str = ""
    described_by: str = ""

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the picture in hex digits."""
        return hashlib.sha256(self.picture).hexdigest()


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file.

    id: stable for one source, so that a changed file replaces its old version.
    name: shown to people and used in judgements, such as `handbook/leave.md`.
    source: its absolute path, or UPLOAD and the name.
    sha256: hex digest of the file's bytes.
    note: which part could not be read or is hidden, or ''.
    collection: its name; '' for a document that is not to be stored.
    num_figures_left_out: small ones, such as icons, and ones that repeat, such as logos.
    """

    id: str
    name: str
    title: str
    source: str
    sha256: str
    pages: tuple[Page, ...]
    headings: tuple[Heading, ...] = ()
    note: str = ""
    collection: str = ""
    figures: tuple[Figure, ...] = ()
    num_figures_left_out: int = 0

    @property
    def text(self) -> str:
        """Return all pages joined by PAGE_BREAK; all character spans refer to this string."""
        return PAGE_BREAK.join(page.text for page in self.pages)


class ParseError(CiteloopError):
    """The file cannot be turned into text; the message tells the person who added it why."""


@dataclass(frozen=True, slots=True)
class FoundFigure:
    """A picture that a parser found and did not open yet; other fields as in Figure.

    key: the same for the same picture, to find logos. load: opens it, given the folder of the document; raises
    anything for a damaged one, FileNotFoundError if the file at the address is not there. is_small: as printed.
    """

    caption: str
    page: int | None
    position: int
    key: object
    load: Callable[[Path], Image]
    address: str = ""
    box: Box | None = None
    is_small: bool = False


@dataclass(frozen=True, slots=True)
class Parsed:
    """A parser's result: pages, headings, and the file's own title, or ''.

    note: which part could not be read or is hidden, or ''. figures: their positions refer to the joined pages.
    """

    pages: tuple[Page, ...]
    headings: tuple[Heading, ...]
    title: str
    note: str = ""
    figures: tuple[FoundFigure, ...] = ()


class Effort:
    """Receives the amount of work per file; to limit it, replace `effort` with a subclass."""

    def pages(self, num_pages: int) -> None:
        """Receive the number of pages before they are read. Raises ParseError if there are too many."""

    def scan(self) -> None:
        """Count a page for text recognition, which is slow. Raises ParseError if there are too many."""

    def figure(self) -> None:
        """Count a picture that is about to be opened."""


effort = Effort()


def note_pages(num_pages: int) -> None:
    """Report the number of pages before they are read. Raises ParseError if there are too many."""
    effort.pages(num_pages)


def note_scan() -> None:
    """Report that a page needs text recognition. Raises ParseError if there are too many."""
    effort.scan()


def note_figure() -> None:
    """Report that a picture is about to be opened."""
    effort.figure()


def parse_text(text: str, name: str, title: str, headings: Iterable[Heading] | None = None) -> Document:
    """Return a Document made from text, such as a row of an evaluation corpus.

    text: with PAGE_BREAK between pages, if any. headings: None reads the text as Markdown to find them.
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
    """Return the id of the document at this source: 16 hex digits."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def markdown_headings(text: str) -> Iterator[Heading]:
    """Yield headings with their spans in order; a `#` in a code block is not a heading."""
    line_starts = [0, *(match.end() for match in re.finditer("\n", text)), len(text) + 1]
    tokens = MarkdownIt("commonmark").parse(text)
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.map and inline.content.strip():
            start, end = line_starts[opening.map[0]], line_starts[opening.map[1]] - 1
            yield Heading(int(opening.tag[1]), inline.content.strip(), start, end)


def one_line(text: str) -> str:
    """Return the text with every run of white space as one space."""
    return " ".join(text.split())


_NO_TITLE = re.compile(
    r"""\W*(?: anonymous | unspecified | unknown | none | null | title | titel
    | (?:no|sans|ohne)\ ?(?:title|titre|titel)
    | untitled(?:\ (?:document|presentation|spreadsheet))? | unbenannt(?:es\ dokument)? | (?:blank|leere)\ \w+
    | (?:power\ ?point[ -])?(?:pr[eäé]sentation|presentación|presentazione|presentatie)
    | (?:présentation|presentación\ de|presentazione\ (?:standard\ )?di|apresentação\ do)\ power\ ?point
    | do[ck]ument(?:o|en)?
    | slide | folie | layout | page | seite | sheet | book | mappe | classeur | libro | tabelle
    )[\W_\d]* | microsoft\ (?:word|power\ ?point|excel|office)\b.* | .*\.[a-z]\w{1,4}""",
    re.IGNORECASE | re.VERBOSE,
)


def real_title(title: str) -> str:
    """Return a title from a file's properties in one line, '' if a program filled it in, perhaps with a file name."""
    title = one_line(title)
    return "" if _NO_TITLE.fullmatch(title) else title


def hidden_note(number: int, what: str = "passages") -> str:
    """Return the note about what no reader sees and was therefore not read, '' for none."""
    return f"left out, since hidden: {number:,} {what.removesuffix('s') if number == 1 else what}" if number else ""


def joined_notes(*notes: str) -> str:
    """Return the notes as one, each once, without empty ones."""
    return "; ".join(dict.fromkeys(filter(None, notes)))


def joined(parts: Iterable[Parsed], title: str, note: str = "") -> Parsed:
    """Concatenate slides, sheets or chapters, shift their headings and figures, and join their notes with this one."""
    pages: list[Page] = []
    headings: list[Heading] = []
    figures: list[FoundFigure] = []
    offset = 0
    notes = [note]
    for part in parts:
        notes.append(part.note)
        headings += [replace(mark, start=mark.start + offset, end=mark.end + offset) for mark in part.headings]
        figures += [replace(figure, position=figure.position + offset) for figure in part.figures]
        pages += part.pages
        offset += sum(len(page.text) + len(PAGE_BREAK) for page in part.pages)
    return Parsed(tuple(pages), tuple(headings), title, joined_notes(*notes), tuple(figures))


def whole_characters(text: str) -> str:
    """Return the text with surrogate pairs joined and lone surrogates replaced, since those cannot be stored."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
