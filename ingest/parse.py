"""file -> Document: pages of Markdown text, with the headings and their places.

Every format but PDF goes through HTML, and one converter turns HTML into Markdown, so that a table or a
list looks the same to the rest of the program whatever it came from. This module does not know how long
a passage may be, nor that there is a table.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import logging
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import mammoth
import pypdf
import yaml
from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning
from bs4.element import NavigableString
from charset_normalizer import from_bytes
from markdown_it import MarkdownIt
from markdownify import MarkdownConverter
from pypdf.generic import Destination

from ingest import CiteloopError

logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of every flaw that it can read around
warnings.filterwarnings("ignore", category=XMLParsedAsHTMLWarning)  # XHTML reads well as HTML

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
        title=_one_line(parsed.title) or _title_from(path.stem),
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
        headings=tuple(_markdown_headings(text.replace(PAGE_BREAK, "\n")) if headings is None else headings),
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
    text = _decode(data)
    pages = tuple(
        Page(number if PAGE_BREAK in text else None, part) for number, part in enumerate(text.split(PAGE_BREAK), 1)
    )
    return _Parsed(pages, (), "")


def _parse_markdown(data: bytes) -> _Parsed:
    metadata, body = _front_matter(_decode(data))
    if metadata is not None:  # it marks a site generator's page, where {% %} and {{ }} are instructions, not text
        body = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", body, flags=re.DOTALL)
    parsed = _from_html(MarkdownIt("commonmark", {"html": True}).enable("table").render(body))
    return _Parsed(parsed.pages, parsed.headings, str((metadata or {}).get("title") or parsed.title))


def _front_matter(text: str) -> tuple[dict[str, Any] | None, str]:
    """The YAML mapping between two `---` at the top and the text after it; None and all of it if there is none."""
    if match := re.match(r"---[ \t]*\n(.*?)^---[ \t]*$", text, re.DOTALL | re.MULTILINE):
        try:
            metadata = yaml.safe_load(match[1])
        except yaml.YAMLError:
            return None, text
        if metadata is None or isinstance(metadata, dict):
            return metadata or {}, text[match.end() :]
    return None, text


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
    lines = _without_running_lines([_lines(page) for page in reader.pages], titles)
    texts = [_unwrap(page_lines, titles) for page_lines in lines]
    pages = tuple(Page(number, text) for number, text in enumerate(texts, 1))
    places = [(level, title, reader.get_destination_page_number(entry)) for level, title, entry in bookmarks]
    title = str(reader.metadata.title or "") if reader.metadata else ""
    if re.search(r"^untitled( document)?\W*\d*$|^microsoft word|\.\w{2,5}$", title.strip(), re.IGNORECASE):
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
    """The text, with line breaks as newlines: UTF-8 or what the byte order mark says, else a guess."""
    try:
        text = data.decode("utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")
    except UnicodeDecodeError:
        if sum(byte > 127 for byte in data) < 0.2 * len(data):  # a few accents and quotes: a Western text
            text = data.decode("cp1252", errors="replace")
        elif best := from_bytes(data).best():
            text = str(best)
        else:
            raise ParseError("not text in any known encoding; save it as UTF-8") from None
    return re.sub(r"\r\n?", "\n", text)


def _title_from(stem: str) -> str:
    return re.sub(r"[-_\s]+", " ", stem).strip().capitalize()


# HTML ------------------------------------------------------------------------------------------------

_NOT_CONTENT = ["script", "style", "template", "noscript", "nav", "header", "footer", "aside", "form", "svg", "iframe"]
_HEADING_MARK = "\ue000"  # a private character, stands before a heading while HTML becomes Markdown


def _from_html(html: str) -> _Parsed:
    soup = BeautifulSoup(html.replace(_HEADING_MARK, ""), "html.parser")
    titles = [_one_line(element.get_text()) for element in (soup.h1, soup.title) if element]
    for element in soup([*_NOT_CONTENT, "title"]):
        element.decompose()
    body = soup.main or soup.body or soup
    for string in body.find_all(string=True):
        if type(string) is not NavigableString:  # comments and declarations are strings too
            string.extract()
            continue
        space = r"\f" if string.find_parent("pre") else r"\s+"  # a line break in HTML is a space
        string.replace_with(re.sub(space, " ", string))
    for element in body(re.compile("^h[1-6]$")):
        element.string = f"{_HEADING_MARK}{element.name[1]} {_one_line(element.get_text())}"
        element.name = "p"
    converter = MarkdownConverter(
        strip=["a", "img", "b", "strong", "i", "em", "code"],  # marks cost the embedder tokens and quotes their words
        escape_asterisks=False,
        escape_underscores=False,
        escape_misc=False,
        table_infer_header=True,
        bullets="-",
    )
    lines = [line.rstrip() for line in converter.convert_soup(body).split("\n")]
    text, headings = _place_headings(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip())
    titles = [heading.title for heading in headings if heading.level == 1] + titles
    return _Parsed((Page(None, text),), tuple(headings), next(iter(titles), ""))


def _place_headings(marked: str) -> tuple[str, list[Heading]]:
    """Turn marked lines into Markdown headings and say where they stand; a mark inside a line goes."""
    text, headings = "", []
    for line in marked.splitlines(keepends=True):
        if match := re.match(rf"{_HEADING_MARK}([1-6]) (.+)", line):
            level, title = int(match[1]), match[2]
            start = len(text)
            text += "#" * level + " " + title
            headings.append(Heading(level, title, start, len(text)))
            text += "\n"
        else:
            text += re.sub(rf"{_HEADING_MARK}[1-6] ?", "", line)
    return text.rstrip("\n"), headings


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
    text = page.extract_text().replace(PAGE_BREAK, "\n")
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # broken fonts give half characters
    return [line.rstrip() for line in text.split("\n")]


def _without_running_lines(pages: list[list[str]], titles: set[str]) -> list[list[str]]:
    """Drop headers and footers: first and last lines that most pages share but for their digits.

    One that is also a title stays where it first stands.
    """
    if len(pages) < 3:
        return pages
    shape = [[re.sub(r"\d+", "0", line).strip() for line in lines] for lines in pages]
    edges = Counter(line for lines in shape for line in {*lines[:2], *lines[-2:]} if line)
    running = {line for line, count in edges.items() if count > 0.6 * len(pages)}
    placed: set[str] = set()

    def stays(page: int, index: int) -> bool:
        line = _one_line(pages[page][index])
        at_edge = index < 2 or index >= len(pages[page]) - 2
        if not (at_edge and shape[page][index] in running) or line in titles - placed:
            placed.add(line)
            return True
        return False

    return [[line for index, line in enumerate(lines) if stays(page, index)] for page, lines in enumerate(pages)]


def _unwrap(lines: list[str], titles: set[str]) -> str:
    """Join the lines of a printed paragraph, so that a sentence is one line; leave lists, tables, headings alone.

    A line goes on when it ends in a comma, the next one begins in lower case, or it is as long as the page's
    long lines; not when one of them is a title, or the next one a list item or a table row that begins with
    a number or code. A hyphen at the break goes.
    """
    full = max(40, sorted(len(line) for line in lines)[int(0.9 * (len(lines) - 1))]) if lines else 0
    text = ""
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        apart = not following or titles & {_one_line(line), _one_line(following)}
        item = re.match(r"\s*([-•▪*]|\d+[.)]|[A-Z]{1,4}-\d+)\s", following)
        goes_on = line.endswith(",") or following.lstrip()[:1].islower() or len(line) > 0.85 * full
        if apart or item or not goes_on:
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
