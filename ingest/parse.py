"""file -> Document: pages of Markdown text, with the headings and their places.

Every format but PDF goes through HTML, and one converter turns HTML into Markdown, so that a table or a
list looks the same to the rest of the program whatever it came from. This module does not know how long
a passage may be, nor that there is a table.
"""

from __future__ import annotations

import hashlib
import io
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import frontmatter
import mammoth
import pypdf
from bs4 import BeautifulSoup
from charset_normalizer import from_bytes
from markdown_it import MarkdownIt
from markdownify import MarkdownConverter
from pypdf.generic import Destination

from ingest import CiteloopError

logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of every flaw that it can read around

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
class Page:
    """One page: its number from 1, or None where the format has no pages, and its Markdown text."""

    number: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file.

    id: stable for one source, so that a changed file replaces itself.
    name: what people see and judgements name, such as `handbook/leave.md`.
    source: where it came from, an absolute path.
    sha256: hex digest of the file's bytes.
    """

    id: str
    name: str
    title: str
    source: str
    sha256: str
    pages: tuple[Page, ...]
    headings: tuple[Heading, ...] = ()

    @property
    def text(self) -> str:
        """All pages, joined by PAGE_BREAK; every character span in the program counts in this string."""
        return PAGE_BREAK.join(page.text for page in self.pages)


class ParseError(CiteloopError):
    """The file cannot be turned into text; the message says why, in words for the person who added it."""


def parse(path: Path, name: str | None = None) -> Document:
    """Read one file into a Document.

    Raises ParseError when the format is unknown, the file is damaged or locked, or it holds no text.
    """
    parser = PARSERS.get(path.suffix.lower())
    if parser is None:
        raise ParseError(f"cannot read {path.suffix or 'files without a suffix'}; known: {', '.join(sorted(PARSERS))}")
    try:
        data = path.read_bytes()
        parsed = parser(data)
    except ParseError:
        raise
    except OSError as error:
        raise ParseError(f"cannot open the file: {error.strerror or error}") from error
    except (Exception, RecursionError) as error:  # converters raise anything on damaged files
        raise ParseError(f"the file is damaged or not really {path.suffix}: {error or type(error).__name__}") from error
    if not any(page.text.strip() for page in parsed.pages):
        raise ParseError("no text found; a scanned document needs text recognition (OCR) first")
    return Document(
        id=document_id(str(path.resolve())),
        name=name or path.name,
        title=parsed.title or _title_from(path.stem),
        source=str(path.resolve()),
        sha256=hashlib.sha256(data).hexdigest(),
        pages=parsed.pages,
        headings=parsed.headings,
    )


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
        headings=tuple(_markdown_headings(text) if headings is None else headings),
    )


def document_id(source: str) -> str:
    """The id of the document at this source: 16 hex digits."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What a format's parser finds: pages, headings, and the title that the file gives itself, or ''."""

    pages: tuple[Page, ...]
    headings: tuple[Heading, ...]
    title: str


def _parse_plain(data: bytes) -> _Parsed:
    text = _decode(data).replace("\r\n", "\n")
    pages = tuple(
        Page(number if PAGE_BREAK in text else None, part) for number, part in enumerate(text.split(PAGE_BREAK), 1)
    )
    return _Parsed(pages, (), "")


def _parse_markdown(data: bytes) -> _Parsed:
    metadata, body = frontmatter.parse(_decode(data))
    if metadata:  # front matter marks a site generator's page, where {% %} and {{ }} are instructions, not text
        body = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", body, flags=re.DOTALL)
    parsed = _from_html(MarkdownIt("commonmark", {"html": True}).enable("table").render(body))
    return _Parsed(parsed.pages, parsed.headings, str(metadata.get("title") or parsed.title))


def _parse_html(data: bytes) -> _Parsed:
    return _from_html(_decode(data))


def _parse_docx(data: bytes) -> _Parsed:
    styles = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => p:fresh"
    return _from_html(mammoth.convert_to_html(io.BytesIO(data), style_map=styles).value)


def _parse_pdf(data: bytes) -> _Parsed:
    reader = pypdf.PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise ParseError("the PDF is locked with a password; save it without one and add it again")
    bookmarks = [(level, _one_line(str(entry.title or "")), entry) for level, entry in _outline(reader.outline)]
    titles = {title for _, title, _ in bookmarks}
    lines = _without_running_lines([_lines(page) for page in reader.pages])
    texts = [_unwrap(page_lines, titles) for page_lines in lines]
    pages = tuple(Page(number, text) for number, text in enumerate(texts, 1))
    places = [(level, title, reader.get_destination_page_number(entry)) for level, title, entry in bookmarks]
    title = str(reader.metadata.title or "") if reader.metadata else ""
    if re.search(r"^(untitled|microsoft word)|\.\w{2,5}$", title.strip(), re.IGNORECASE):
        title = ""  # what an export wrote there is a file name, not a title
    return _Parsed(pages, tuple(_outline_headings(places, texts)), title.strip())


PARSERS: dict[str, Callable[[bytes], _Parsed]] = {
    ".pdf": _parse_pdf,
    ".md": _parse_markdown,
    ".markdown": _parse_markdown,
    ".html": _parse_html,
    ".htm": _parse_html,
    ".docx": _parse_docx,
    ".txt": _parse_plain,
    ".text": _parse_plain,
}
"""File suffix -> parser. Add a format here."""


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        best = from_bytes(data).best()
        if best is None:
            raise ParseError("not text in any known encoding; save it as UTF-8") from None
        return str(best)


def _title_from(stem: str) -> str:
    return re.sub(r"[-_\s]+", " ", stem).strip().capitalize()


# HTML ------------------------------------------------------------------------------------------------

_NOT_CONTENT = ["script", "style", "template", "noscript", "nav", "header", "footer", "aside", "form", "svg", "iframe"]


def _from_html(html: str) -> _Parsed:
    soup = BeautifulSoup(html, "html.parser")
    title = soup.h1 or soup.title
    title_text = title.get_text(" ", strip=True) if title else ""
    for element in soup([*_NOT_CONTENT, "title"]):
        element.decompose()
    body = soup.main or soup.body or soup
    for string in body.find_all(string=True):
        if not string.find_parent("pre"):  # a line break in HTML is a space
            string.replace_with(re.sub(r"\s+", " ", string))
    converter = MarkdownConverter(
        heading_style="ATX",
        strip=["a", "img", "b", "strong", "i", "em", "code"],  # marks cost the embedder tokens and quotes their words
        escape_asterisks=False,
        escape_underscores=False,
        escape_misc=False,
        table_infer_header=True,
        bullets="-",
    )
    text = re.sub(r"\n{3,}", "\n\n", converter.convert_soup(body)).strip()
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    return _Parsed((Page(None, text),), tuple(_markdown_headings(text)), title_text)


def _markdown_headings(text: str) -> Iterator[Heading]:
    """Headings with their spans, in order, found by the Markdown parser: a `#` in a code block is none."""
    line_starts = [0, *(match.end() for match in re.finditer("\n", text)), len(text) + 1]
    tokens = MarkdownIt("commonmark").parse(text)
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.map and inline.content.strip():
            start, end = line_starts[opening.map[0]], line_starts[opening.map[1]] - 1
            yield Heading(int(opening.tag[1]), inline.content.strip(), start, end)


# PDF -------------------------------------------------------------------------------------------------


def _lines(page: pypdf.PageObject) -> list[str]:
    return [line.rstrip() for line in page.extract_text().replace(PAGE_BREAK, "\n").split("\n")]


def _without_running_lines(pages: list[list[str]]) -> list[list[str]]:
    """Drop headers and footers: first and last lines that most pages share but for their digits."""
    if len(pages) < 3:
        return pages
    shape = [[re.sub(r"\d+", "0", line).strip() for line in lines] for lines in pages]
    edges = Counter(line for lines in shape for line in {*lines[:2], *lines[-2:]} if line)
    running = {line for line, count in edges.items() if count > 0.6 * len(pages)}
    return [
        [
            line
            for index, line in enumerate(lines)
            if not (shape[number][index] in running and (index < 2 or index >= len(lines) - 2))
        ]
        for number, lines in enumerate(pages)
    ]


def _unwrap(lines: list[str], titles: set[str]) -> str:
    """Join the lines of a printed paragraph, so that a sentence is one line; leave lists, tables, headings alone.

    A line goes on when the next one begins in lower case, or when it is as long as the page's long lines and
    neither is one of the titles, nor the next one a list item. A hyphen at the break goes.
    """
    full = sorted(len(line) for line in lines)[int(0.9 * (len(lines) - 1))] if lines else 0
    text = ""
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        apart = not following or titles & {_one_line(line), _one_line(following)}
        item = re.match(r"\s*([-•▪*]|\d+[.)])\s", following)
        if apart or item or not (following.lstrip()[:1].islower() or len(line) > 0.85 * full):
            text += line + "\n"
        elif line.endswith("-") and following[:1].islower():
            text += line[:-1]
        else:
            text += line + " "
    return text.strip("\n")


def _outline_headings(places: list[tuple[int, str, int | None]], texts: list[str]) -> Iterator[Heading]:
    """The PDF's bookmarks, each placed at the line of its page that reads the same; others are left out."""
    page_starts = [0]
    for text in texts:
        page_starts.append(page_starts[-1] + len(text) + len(PAGE_BREAK))
    position = 0
    for level, title, page_index in places:
        if page_index is None or page_index < 0 or not title:
            continue
        words = r"\s+".join(re.escape(word) for word in title.split())
        search_from = max(0, position - page_starts[page_index])
        line = re.compile(rf"^[ \t]*{words}[ \t]*$", re.MULTILINE)
        if match := line.search(texts[page_index], search_from):
            position = page_starts[page_index] + match.end()
            yield Heading(min(level, 6), title, page_starts[page_index] + match.start(), position)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _outline(entries: list[Any], level: int = 1) -> Iterator[tuple[int, Destination]]:
    for entry in entries:
        if isinstance(entry, list):
            yield from _outline(entry, level + 1)
        else:
            yield level, entry
