"""The outline of a Word document: bold and larger lines become headings, and its table of contents is removed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lxml import etree

from ingest.parse.document import one_line
from ingest.parse.office.numbering import Numbering, W, properties_of, styles_of, value, with_bases
from ingest.parse.office.runs import Looks

_CONTENTS = re.compile(r"(?:toc|contents) ?(?:\d|heading)", re.IGNORECASE)
"""Names of the styles of a table of contents."""
_LONGEST_HEADING = 80
_PLAIN = ("", "normal", "body text", "no spacing")
"""Names of styles that say nothing of a paragraph's purpose."""

_LEVELS = 6
_LARGER = 1.08  # times the size of the text
_MOST_WORDS = 20  # of a heading that only its look shows
_MOST_BOLD_WORDS = 14  # of one in the size of the text
_MOST_BOLD = 0.4  # of the text; with more, bold type says nothing
_MOST_IN_HEADINGS = 0.3  # of a document's characters; with more, its look says nothing
_LEAST_LETTERS = 0.6  # of its characters, without its number
_NUMBER = re.compile(r"\W*(?:\d+|[IVX]+|[A-Z])(?:[.)]\d+)*[.)]?\s+")
_ONLY_NUMBER = re.compile(r"(?:\w+ )?(?:\d+|[IVX]+|[A-Z])(?:[.)]\d+)*[.)]?")
_NO_HEADING = re.compile(r"[$€£%]|://|[.,;!]\W*$|^[a-z]|^[-*\u2013\u2014\u2022\u25a0-\u25ff\u27a2]\s")


def remove_contents(document: etree._Element, styles: etree._Element) -> None:
    """Remove a table of contents, whose entries are headings elsewhere."""
    known = styles_of(styles)
    for paragraph in list(document.iter(f"{W}p")):
        style = value(paragraph.find(f"{W}pPr"), "pStyle")
        names = (style, *(value(base, "name") for base in with_bases(known, style).values()))
        if any(map(_CONTENTS.match, names)) or _is_entry(paragraph):
            paragraph.getparent().remove(paragraph)


def _is_entry(paragraph: etree._Element) -> bool:
    """Return whether a paragraph is only a link to a heading that ends in the number of its page."""
    links = [link for link in paragraph.iter(f"{W}hyperlink") if link.get(f"{W}anchor", "").startswith("_Toc")]
    text = "".join(map(_text, links))
    is_divided = paragraph.find(f".//{W}r/{W}tab") is not None
    return is_divided and text == _text(paragraph) and re.search(r"\D\d+$", text) is not None


def mark_headings(
    document: etree._Element, styles: etree._Element, looks: Looks, by_look: Sequence[tuple[etree._Element, int]] = ()
) -> None:
    """Make lines headings: those by their look, else bold ones below styled headings, if there are several."""
    found = by_look or list(_bold_lines(document, styles_of(styles), looks))
    for paragraph, level in found if len(found) > 1 else ():
        properties = properties_of(paragraph)
        for style in properties.findall(f"{W}pStyle"):
            properties.remove(style)
        etree.SubElement(properties, f"{W}pStyle").set(f"{W}val", f"Heading{level}")


def _bold_lines(
    document: etree._Element, styles: Mapping[str, etree._Element], looks: Looks
) -> Iterator[tuple[etree._Element, int]]:
    """Yield the lines of the body that only their look makes headings, and the level that they would have.

    Without those that repeat a heading, as in a table of contents.
    """
    level = 1
    parts = [part for part in document.findall(f"{W}body/*") if part.tag != f"{W}p" or _text(part)]
    names = [value(styles.get(value(part.find(f"{W}pPr"), "pStyle")), "name").lower() for part in parts]
    titles = {_letters(part) for part, name in zip(parts, names, strict=True) if name.startswith("heading")}
    for (line, name), (below, name_below) in pairwise(zip(parts, names, strict=True)):
        if heading := re.fullmatch("heading ([1-6])", name):
            level = int(heading[1])
        elif name in _PLAIN and _is_short(line) and looks.is_bold(line) and _letters(line) not in titles:
            is_above_text = below.tag == f"{W}p" and not looks.is_bold(below) and not name_below.startswith("heading")
            if is_above_text:
                yield line, min(level + 1, 6)


def _is_short(line: etree._Element) -> bool:
    """Return whether a paragraph has few words, on one line, without a mark at their end or an automatic number."""
    in_pieces = (f"{W}{name}" for name in ("tab", "br", "drawing", "pict"))
    is_numbered = value(line.find(f"{W}pPr/{W}numPr"), "numId") not in ("", "0")
    if line.tag != f"{W}p" or is_numbered or next(line.iter(*in_pieces), None) is not None:
        return False
    return len(_text(line)) <= _LONGEST_HEADING and re.search(r"[^\W\d_].*[^.,;:!?]$", _text(line)) is not None


def _letters(paragraph: etree._Element) -> str:
    return re.sub(r"\W+", " ", _text(paragraph)).lower()


def _text(paragraph: etree._Element) -> str:
    return "".join(paragraph.itertext(f"{W}t")).strip()


# documents without styles ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    """A part of the body: its text, size and weight; level: of its heading style, 0 without one."""

    part: etree._Element
    text: str
    level: int
    size: float
    is_bold: bool
    is_item: bool

    @property
    def rank(self) -> tuple[float, bool, int]:
        """The higher, the higher its level: size, weight, and parts of its number, such as -2 for "1.2 Scope"."""
        depth = value(self.part.find(f"{W}pPr/{W}numPr"), "ilvl")
        number = _NUMBER.match(self.text)
        parts = int(depth) + 1 if depth.isdigit() else len(re.findall(r"\w+", number[0])) if number else 1
        return self.size, self.is_bold, -parts


def headings_by_look(
    document: etree._Element, styles: etree._Element, numbering: Numbering, looks: Looks
) -> list[tuple[etree._Element, int]]:
    """Return the larger and bold lines of a document that has at most one styled heading, with their levels."""
    lines = list(_lines(document, styles_of(styles), numbering, looks))
    styled = [line.level for line in lines if line.level]
    if len(styled) > 1:
        return []
    sizes, num_bold = Counter[float](), 0
    for line in lines:
        sizes[line.size] += len(line.text) * (line.size > 0)
        num_bold += len(line.text) * line.is_bold
    body = max(sizes, key=sizes.__getitem__, default=0.0)
    is_bold = num_bold > _MOST_BOLD * sizes.total()
    titles = [
        not line.level and _stands_out(line, below, body, is_bold)
        for line, below in zip(lines, [*lines, None][1:], strict=True)
    ]
    ranks = sorted({line.rank for line, is_title in zip(lines, titles, strict=True) if is_title}, reverse=True)
    outer = int(bool(styled) or len(ranks) == 1)
    levels = [
        min(_LEVELS, outer + 1 + ranks.index(line.rank)) if is_title else line.level
        for line, is_title in zip(lines, titles, strict=True)
    ]
    found = _with_text_below(lines, levels)
    in_headings = sum(len(_text(part)) for part, _ in found)
    return found if in_headings < _MOST_IN_HEADINGS * sum(len(line.text) for line in lines) else []


def _lines(
    document: etree._Element, styles: Mapping[str, etree._Element], numbering: Numbering, looks: Looks
) -> Iterator[_Line]:
    for part in document.findall(f"{W}body/*"):
        text = one_line("".join(part.itertext(f"{W}t")))
        if not text:
            continue
        if part.tag == f"{W}p":
            name = value(styles.get(value(part.find(f"{W}pPr"), "pStyle")), "name").lower()
            heading = re.fullmatch("heading ([1-6])|title", name)
            level = int(heading[1] or 1) if heading else 0
            yield _Line(part, text, level, looks.size(part), looks.is_bold(part), numbering.is_bullet(part))
        else:
            yield _Line(part, text, 0, 0, False, False)


def _stands_out(line: _Line, below: _Line | None, body: float, is_bold: bool) -> bool:
    """Return whether a line is larger than the text, or bolder, and reads as a title. is_bold: whether the text is."""
    num_words = len(line.text.split())
    if (
        not line.size
        or line.is_item
        or _is_divided(line.part)
        or _NO_HEADING.search(line.text)
        or num_words > _MOST_WORDS
    ):
        return False
    letters = "".join(_NUMBER.sub("", line.text, count=1).split())
    if sum(map(str.isalpha, letters)) <= _LEAST_LETTERS * len(letters) or (below and below.text[:1].islower()):
        return False
    is_bolder = line.is_bold and not is_bold and line.size >= body and num_words <= _MOST_BOLD_WORDS
    is_bolder = is_bolder and not line.text.endswith(":")  # which often begins a list
    return is_bolder or line.size >= _LARGER * body


def _is_divided(line: etree._Element) -> bool:
    """Return whether a paragraph has a picture, or a tab or break between words; a tab may follow a number."""
    if next(line.iter(f"{W}drawing", f"{W}pict"), None) is not None:
        return True
    parts = line.iter(f"{W}t", f"{W}tab", f"{W}br")
    first, *others = "".join(part.text or "" if part.tag == f"{W}t" else "\t" for part in parts).strip().split("\t")
    return len(others) > 1 or (len(others) == 1 and not _ONLY_NUMBER.fullmatch(first.strip()))


def _with_text_below(lines: Sequence[_Line], levels: Sequence[int]) -> list[tuple[etree._Element, int]]:
    """Return the lines with a level and without a style that have text before the next one of this or an outer level.

    The others stay text, so that nothing of a cover is lost.
    """
    found: list[tuple[etree._Element, int]] = []
    below = [0] * (_LEVELS + 1)
    for line, level in zip(reversed(lines), reversed(levels), strict=True):
        if level and (line.level or below[level]):
            found += [] if line.level else [(line.part, level)]
            below[level:] = [0] * (_LEVELS + 1 - level)
        else:
            below = [count + len(line.text) for count in below]
    return found[::-1]
