"""Printed lines of pages -> their text: paragraphs joined, headers and footers dropped, headings placed.

Every line keeps its span in the text.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from ingest.parse.document import Heading, Line, Page, one_line
from ingest.parse.marks import BULLETS, is_compound
from ingest.parse.pdf.continued import is_rule, with_headers
from ingest.parse.pdf.layout import LEADER, SPREAD, Printed, without_addresses
from ingest.parse.pdf.outline import Bookmark, headings, outline

_ITEM = re.compile(
    rf"\s*([-*{BULLETS}✓✗☐☑☒➢➤]|\d+[.)]|\(?([A-Za-z]|[ivx]+)\)|([a-z]|[ivx]+)\.(?!\s(\d|\w\.))"
    r"|[\u00b9\u00b2\u00b3\u2070-\u2079]+)\s"
)
"""Begins a list item or footnote; "p. 12" and "e. V." are abbreviations."""
_SPACELESS = r"[\u3001-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff60]"
_WIDE = re.compile(rf"{_SPACELESS}|[\uac00-\ud7a3]")
"""Chinese, Japanese and Korean characters are as wide as two Latin ones; Korean has spaces between words."""
_COMPOUND = re.compile(r"[^\W\d_]+-[^\W\d_]+")
_CODE = re.compile(r"\s*[A-Z]{1,4}-\d+\s")
"""Begins a row in a list of part numbers, or a line that continues a sentence."""

_PAGE_WORD = re.compile(
    r"(?i)(?<![^\W\d_])(pages?|p\.|pp\.|pg\.?|seite|s\.|blatt|p[áa]gina|p[áa]g\.|strona|side|sida|slide|folie|第)\s*$"
)
_OPENS_NUMBER = re.compile(r"(^|[|·•\u2013\u2014-])\s*$")
_CLOSES_NUMBER = re.compile(r"\s*($|[|·•/\u2013\u2014-]|(of|von|de|di|av|z)\s*\d)")
_NUMBER_OF_PAGE = re.compile(r"#-?\d+(\s*(/|of|von|de|di|av|z)\s*\d+)?")
_FEWEST_WORDS = 5
"""A running line with fewer words and no figures is a name, such as a company's."""
_FARTHEST = 1000
"""Largest distance of a page's number to its place in the file, as in an extract."""
_ALIGNED = 0.01  # of the page's width
_REPEATS = 3
"""Average number of pages with the same running line, apart from the page's number."""


def prose(
    lines: Sequence[Sequence[Printed]], bookmarks: Sequence[Bookmark]
) -> tuple[tuple[Page, ...], tuple[Heading, ...]]:
    """Return the pages' text and headings; each heading stays a separate line."""
    kept, apart = _without_running_lines(lines, {bookmark.title for bookmark in bookmarks})
    kept = with_headers(kept)
    entries = outline(bookmarks, kept)
    apart |= {one_line(line) for entry in entries for line in entry.title.split("\n")}
    compounds = _compounds(kept)
    texts = tuple(Page(number, *_unwrapped(lines, apart, compounds)) for number, lines in enumerate(kept, 1))
    return texts, tuple(headings(entries, texts))


def _without_running_lines(
    pages: Sequence[Sequence[Printed]], titles: set[str]
) -> tuple[list[list[Printed]], set[str]]:
    """Drop headers and footers: first and last lines that most pages share, but for the number of the page.

    Other figures may differ if they repeat, as a chapter's does; else they are content, such as an invoice's number.
    A header that is also a title is kept once, where it first appears; one that says more than the page's number, such
    as a version, once at the end of the last page that has it. Returns the lines, and those that stay separate lines.
    """
    if len(pages) < 3:
        return [list(lines) for lines in pages], titles
    edges = [_edges(lines, number) for number, lines in enumerate(pages)]
    running = _running(edges)
    placed: set[str] = set()

    def stays(page: int, index: int) -> bool:
        line = one_line(pages[page][index].text)
        if index not in edges[page] or edges[page][index].shape not in running or line in titles - placed:
            placed.add(line)
            return True
        return False

    kept = [[line for index, line in enumerate(lines) if stays(page, index)] for page, lines in enumerate(pages)]
    telling = [(page, pages[page][index]) for page, index in _telling(edges, running)]
    telling = [(page, line) for page, line in telling if one_line(line.text) not in placed]
    for page, line in telling:
        kept[page].append(line)
    return kept, titles | {one_line(line.text) for _, line in telling}


def _telling(edges: Sequence[Mapping[int, _Edge]], running: set[str]) -> Iterator[tuple[int, int]]:
    """Yield (page, index) of the last of each running line that is the same everywhere and says more than the page."""
    last = {edge.shape: (page, index) for page, lines in enumerate(edges) for index, edge in lines.items()}
    variants = defaultdict[str, set[str]](set)
    for lines in edges:
        for edge in lines.values():
            variants[edge.shape].add(edge.numbered)
    for shape in sorted(running, key=last.__getitem__):
        words = _NUMBER_OF_PAGE.sub("", next(iter(variants[shape])))
        if len(variants[shape]) == 1 and (re.search(r"\d", words) or len(words.split()) >= _FEWEST_WORDS):
            yield last[shape]


class _Edge(NamedTuple):
    """A first or last line of a page: with digits as 0, as printed, and with the page's number relative to the page."""

    shape: str
    text: str
    numbered: str


def _running(edges: Sequence[Mapping[int, _Edge]]) -> set[str]:
    """Return the shapes of the lines that are the same on most pages, but for a few changes."""
    found = defaultdict[str, list[_Edge]](list)
    for page in edges:
        for edge in {edge.shape: edge for edge in page.values()}.values():
            found[edge.shape].append(edge)
    return {
        shape
        for shape, lines in found.items()
        if len(lines) > 0.6 * len(edges)
        and min(len({line.text for line in lines}), len({line.numbered for line in lines}))
        <= max(1, len(lines) // _REPEATS)
    }


def _edges(lines: Sequence[Printed], page: int) -> dict[int, _Edge]:
    """Return index -> the two uppermost and two lowest lines of a page."""
    order = [index for index in sorted(range(len(lines)), key=lambda index: lines[index].top) if lines[index].text]
    at_edge = [index for index in {*order[:2], *order[-2:]} if not lines[index].row]
    return {
        index: _Edge(
            re.sub(r"\d+", "0", lines[index].text).strip(),
            lines[index].text.strip(),
            _with_relative_number(lines[index], page).strip(),
        )
        for index in at_edge
    }


def _with_relative_number(line: Printed, page: int) -> str:
    """Return the line's text; a figure that may be the page's number is replaced by its distance to `page`.

    That is one after a word for a page, or one that stands alone between marks, wide gaps or the line's ends.
    """
    starts, ends = {piece.start for piece in line.pieces}, {piece.end for piece in line.pieces}

    def replaced(match: re.Match[str]) -> str:
        before, after = line.text[: match.start()], line.text[match.end() :]
        distance = int(match[0]) - page
        opens = match.start() in starts or _OPENS_NUMBER.search(before)
        closes = match.end() in ends or _CLOSES_NUMBER.match(after)
        is_number = _PAGE_WORD.search(before) or (opens and closes and abs(distance) < _FARTHEST)
        return f"#{distance}" if is_number else match[0]

    return re.sub(r"(?<!\d)\d{1,6}(?!\d)", replaced, line.text)


def _compounds(pages: Iterable[Iterable[Printed]]) -> set[str]:
    """Return the words with a hyphen inside a line, in lower case."""
    return {word.lower() for lines in pages for line in lines for word in _COMPOUND.findall(line.text)}


def _unwrapped(lines: Sequence[Printed], titles: set[str], compounds: set[str]) -> tuple[str, tuple[Line, ...]]:
    """Join the lines of each paragraph, except lists, tables and headings; returns text and line spans."""
    shape = _Shape.of(lines)
    text, pieces = "", list[Line]()
    end = Printed("")
    around = zip([end, *lines], lines, [*lines[1:], end], [*lines[2:], end, end], strict=False)
    for before, line, following, after in around:
        start = len(text)
        text += line.text
        pieces += [replace(piece, start=piece.start + start, end=piece.end + start) for piece in line.pieces]
        joint = "\n\n" if is_rule(after) else shape.joint(before, line, following, titles)
        if joint is None and _is_written(line.text, following.text, compounds):
            joint = ""
        elif joint is None:  # drop the hyphen
            text = text[:-1]
            pieces[-1:] = [replace(piece, end=min(piece.end, len(text))) for piece in pieces[-1:]]
        text += joint or ""
    return text.rstrip("\n"), tuple(pieces)


def _is_written(line: str, following: str, compounds: set[str]) -> bool:
    """Return whether the word that a line's end divides is one of the compounds."""
    first, second = re.search(r"[^\W\d_]+-$", line), re.match(r"[^\W\d_]+", following)
    return bool(first and second and (first[0] + second[0]).lower() in compounds)


@dataclass(frozen=True, slots=True)
class _Shape:
    """A page's layout: length of its long lines in characters, and usual distance between line tops."""

    full: float
    pitch: float

    @classmethod
    def of(cls, lines: Sequence[Printed]) -> _Shape:
        lengths = sorted(_printed_length(line) for line in lines if not line.row) or [0]
        tops = [line.top for line in lines if not line.row]
        steps = [after - before for before, after in pairwise(tops) if after > before]
        return cls(max(40, lengths[int(0.9 * (len(lengths) - 1))]), median(steps) if steps else 1.0)

    def joint(self, before: Printed, line: Printed, following: Printed, titles: set[str]) -> str | None:
        """Return the text to put between a line and the following one; None if a hyphen divides a word across them.

        A line continues if it ends in a comma, is as long as the page's long lines or leaves no space for the next
        word, or the next one begins in lower case; not if either is a title, or the next one is a list item or starts
        a spaced paragraph, or a column after a sentence.
        """
        if line.row or following.row:
            return "\n" if line.row and following.row else "\n\n"
        lower = following.text[:1].islower()
        apart = (
            not titles.isdisjoint({one_line(line.text), one_line(following.text)})
            or SPREAD in line.text + following.text
            or _ITEM.match(following.text)
            or LEADER.search(line.text)
            or ((_CODE.match(following.text) or following.top < line.top - self.pitch) and line.text[-1:] in ".:;!?")
        )
        spaced = following.top - line.top > 1.4 * self.pitch and not lower
        continues = line.text.endswith(",") or lower or self._is_long(line) or self._is_full(before, line, following)
        if spaced and following.text and not _ITEM.match(following.text):
            return "\n\n"  # else Markdown takes a paragraph below a list for a part of its last item
        if not following.text or apart or spaced or not continues:
            return "\n"
        if re.search(r"[^\W_]-$", line.text):
            return None if lower and not is_compound(line.text) else ""
        return "" if re.fullmatch(_SPACELESS * 2, line.text[-1:] + following.text[:1]) else " "

    def _is_long(self, line: Printed) -> bool:
        return _printed_length(line) > 0.85 * self.full

    def _is_full(self, before: Printed, line: Printed, following: Printed) -> bool:
        """Return whether the following line's first word did not fit beside a long line of the same paragraph."""
        words = following.text.split(maxsplit=1)
        if not (words and line.box and following.box) or line.text[-1:] in ".:;!?" or line.style != following.style:
            return False
        if re.search(r"\d", words[0]):  # a number such as 2.1 begins a line
            return False
        edges = [
            other.box.right
            for other in (before, following)
            if other.box and abs(other.top - line.top) < 1.4 * self.pitch and self._is_long(other)
        ]
        is_aligned = abs(following.box.left - line.box.left) < _ALIGNED
        width = (following.box.right - following.box.left) * len(words[0]) / len(following.text)
        return is_aligned and bool(edges) and line.box.right + width > max(edges) > following.box.left


def _printed_length(line: Printed) -> int:
    """Return the width on the page in characters, without the addresses of links."""
    text = without_addresses(line.text)
    return len(text) if text.isascii() else len(text) + len(_WIDE.findall(text))
