"""PDF -> pages of text by pypdf, with paragraphs joined, headers and footers dropped, bookmarks as headings."""

from __future__ import annotations

import io
import logging
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pypdf
from pypdf.generic import Destination

from ingest.parse.document import PAGE_BREAK, Heading, Page, Parsed, ParseError, one_line

logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns of every flaw that it can read around


def parse_pdf(data: bytes) -> Parsed:
    """The text of a PDF page by page. Raises ParseError when a password locks it."""
    reader = pypdf.PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise ParseError("the PDF is locked with a password; save it without one and add it again")
    bookmarks = [(level, one_line(str(entry.title or "")), entry) for level, entry in _outline(reader.outline)]
    titles = {title for _, title, _ in bookmarks}
    lines = _without_running_lines([_lines(page) for page in reader.pages], titles)
    texts = [_unwrap(page_lines, titles) for page_lines in lines]
    pages = tuple(Page(number, text) for number, text in enumerate(texts, 1))
    places = [(level, title, reader.get_destination_page_number(entry)) for level, title, entry in bookmarks]
    title = str(reader.metadata.title or "") if reader.metadata else ""
    if re.search(r"^untitled( document)?\W*\d*$|^microsoft word|\.\w{2,5}$", title.strip(), re.IGNORECASE):
        title = ""  # what an export wrote there is a file name, not a title
    return Parsed(pages, tuple(_outline_headings(places, texts)), title.strip())


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
        line = one_line(pages[page][index])
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
        apart = not following or titles & {one_line(line), one_line(following)}
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


def _outline(entries: list[Any], level: int = 1) -> Iterator[tuple[int, Destination]]:
    for entry in entries:
        if isinstance(entry, list):
            yield from _outline(entry, level + 1)
        else:
            yield level, entry
