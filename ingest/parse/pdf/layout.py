"""A PDF page as read by pdfium -> its printed lines, with boxes on the displayed page.

pdfium returns characters in file order. This is the reading order, except for list marks that some writers put at
the page's end; these are moved to their items.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from ctypes import byref, c_double
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile

import pypdfium2
import pypdfium2.raw as pdfium

from ingest.parse.document import Box, Line, whole_characters
from ingest.parse.marks import FIGURES, RAISED, without_invisible
from ingest.parse.pdf.list_marks import CIRCLE, is_mark, with_circle
from ingest.parse.pdf.readable import UNMAPPED
from ingest.parse.pdf.right_to_left import in_reading_order
from ingest.parse.pdf.rivers import least_gap
from ingest.parse.pdf.sheet import Char, Sheet, around, moved, turned

SPREAD = " | "
"""Separates distant parts of a printed line, such as the cells of a table without rules."""

LEADER = re.compile(r"(\. ?|…|_){4,}\s*\S{0,6}$")
"""Ends a line of a table of contents, or a space to fill in."""

_ADDRESS = re.compile(r" \((?:https?|ftp)://[^\s)]*\)")

_HYPHEN = "\x02"
"""pdfium's character for a hyphen that divides a word at a line's end."""

_WIDE_GAP = 12.0  # points
_LEAST_RISE = 0.2  # of a character's height
_LONGEST_MARK = 3  # figures before a footnote
_NEAR_MARK = 6.0  # points between these and its text
_SIGNS = str.maketrans(
    "\uf0b7\uf0a7\uf0fc\uf0fb\uf0fe\uf0fd\uf0a8\uf06f\uf0e0\uf0d8\u2028\u2029\x85\xa0",
    "•▪✓✗☑☒☐☐→▪    ",
)
"""Signs that Word writes with Wingdings, which is mostly not said in the file, and spaces."""


Part = tuple[str, Box]
"""Words close together on a line, and their box on the sheet."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A heading's tag: level 1 (outermost) to 6, and its number on the page, which the lines of a heading share."""

    level: int
    number: int


@dataclass(frozen=True, slots=True)
class Style:
    """How a line is set. size: of its type, in points."""

    size: float = 0.0
    is_bold: bool = False
    tag: Tag | None = None


@dataclass(frozen=True, slots=True)
class Printed:
    """A printed line or table row: its text and the boxes of its pieces.

    box: its position on the sheet. row: whether it is a Markdown table row.
    """

    text: str
    pieces: tuple[Line, ...] = ()
    box: Box | None = None
    row: bool = False
    style: Style = Style()

    @property
    def top(self) -> float:
        return self.box.top if self.box else 0.0


def char_lines(textpage: pypdfium2.PdfTextPage, sheet: Sheet) -> list[list[Char]]:
    """Return the characters of each printed line, in pdfium's order but for right-to-left letters."""
    lines: list[list[Char]] = [[]]
    for char in _chars(textpage, sheet):
        if char.text in "\r\n":
            lines.append([])
        elif lines[-1] and lines[-1][-1].text == _HYPHEN:
            hyphen = lines[-1].pop()
            lines[-1].append(hyphen._replace(text="-"))
            same_line = char.left > hyphen.left and min(char.bottom, hyphen.bottom) > max(char.top, hyphen.top)
            lines[-1:] = [[*lines[-1], char]] if same_line else [lines[-1], [char]]
        else:
            lines[-1].append(char)
    return [with_circle(in_reading_order(line)) for line in _rejoined(line for line in lines if line)]


def _rejoined(lines: Iterable[list[Char]]) -> list[list[Char]]:
    """Join a line to the previous one if it starts where that ended, as after a superscript."""
    whole: list[list[Char]] = []
    for line in lines:
        if whole and 0 <= line[0].left - whole[-1][-1].right < 6 and _shared(line, whole[-1]) > 0.6:
            whole[-1] += line
        else:
            whole.append(line)
    return whole


def _shared(one: Sequence[Char], other: Sequence[Char]) -> float:
    """Return the vertical overlap of two lines as a fraction of the smaller height."""
    tops, bottoms = zip(
        *((min(c.top for c in line), max(c.bottom for c in line)) for line in (one, other)), strict=True
    )
    lower = min(bottom - top for top, bottom in zip(tops, bottoms, strict=True))
    return (min(bottoms) - max(tops)) / lower if lower > 0 else 0.0


def _chars(textpage: pypdfium2.PdfTextPage, sheet: Sheet) -> Iterator[Char]:
    """Yield the page's characters, with a mark or a raised form for raised figures."""
    base = last = Char("", 0, 0, 0, 0)  # base: the last character on the line itself
    chars = list(_plain_chars(textpage, sheet))
    marks = set(_note_marks(textpage, sheet, chars))
    for position, char in enumerate(chars):
        if position in marks:
            is_apart = position + 1 in marks or chars[position + 1].text == " "
            yield char._replace(text=char.text.translate(RAISED) + " " * (not is_apart))
            continue
        if char.text in FIGURES and _is_raised(textpage, sheet, char, base, last):
            is_first, after_figure = last is base, base.text.isdigit()
            last = char
            yield char._replace(text="^" * is_first + char.text if after_figure else char.text.translate(RAISED))
            continue
        if char.text.isdigit() and base.text.isdigit() and _is_lowered(textpage, sheet, char, base):
            yield char._replace(text=f"_{char.text}")
        else:
            yield char
        if not char.text.isspace():
            base = last = char


def _note_marks(textpage: pypdfium2.PdfTextPage, sheet: Sheet, chars: Sequence[Char]) -> Iterator[int]:
    """Yield the positions of raised figures that begin a line, as those before a footnote."""
    for start, char in enumerate(chars):
        if not char.text.isdigit() or (start and chars[start - 1].text not in "\r\n"):
            continue
        figures = takewhile(lambda char: char.text.isdigit(), chars[start : start + _LONGEST_MARK])
        for end, mark in enumerate(figures, start + 1):
            base = next((char for char in chars[end : end + 3] if not char.text.isspace()), None)
            is_near = base and -1 < base.left - mark.right < _NEAR_MARK
            if base and is_near and _is_above(textpage, sheet, mark, base):
                yield from range(start, end)


def _is_lowered(textpage: pypdfium2.PdfTextPage, sheet: Sheet, char: Char, base: Char) -> bool:
    """Return whether it is small, follows the base character, and stands below its line."""
    size = base.bottom - base.top
    if not -1 < char.left - base.right < 2 or not 0.1 * size < char.bottom - base.bottom < size:
        return False
    is_small = char.bottom - char.top < 0.9 * size
    return is_small and _line_at(textpage, sheet, char) - _line_at(textpage, sheet, base) > 0.1 * size


def _is_raised(textpage: pypdfium2.PdfTextPage, sheet: Sheet, char: Char, base: Char, last: Char) -> bool:
    """Return whether it follows the last character, above the line of the base one."""
    return -1 < char.left - last.right < 2 and _is_above(textpage, sheet, char, base)


def _is_above(textpage: pypdfium2.PdfTextPage, sheet: Sheet, char: Char, base: Char) -> bool:
    """Return whether it stands above the line of the base character."""
    size = base.bottom - base.top
    if not _LEAST_RISE * size < base.bottom - char.bottom < 2 * size:
        return False  # most figures end here; their lines are slow to get
    rise = _line_at(textpage, sheet, base) - _line_at(textpage, sheet, char)
    return rise > _LEAST_RISE * max(size, char.bottom - char.top)


def _line_at(textpage: pypdfium2.PdfTextPage, sheet: Sheet, char: Char) -> float:
    """Return the height of the line that a character stands on, in points from the sheet's upper edge."""
    x, y = c_double(), c_double()
    pdfium.FPDFText_GetCharOrigin(textpage, char.number, byref(x), byref(y))
    return moved(sheet.matrix, x.value, y.value)[1]


def _plain_chars(textpage: pypdfium2.PdfTextPage, sheet: Sheet) -> Iterator[Char]:
    a, b, c, d, e, f = sheet.matrix  # not through `moved`, which takes half of the time for as many calls
    left, right, bottom, top = c_double(), c_double(), c_double(), c_double()
    edges = (byref(left), byref(right), byref(bottom), byref(top))
    for index in range(pdfium.FPDFText_CountChars(textpage)):
        code = pdfium.FPDFText_GetUnicode(textpage, index)
        pdfium.FPDFText_GetCharBox(textpage, index, *edges)
        x1, y1 = a * left.value + c * top.value + e, b * left.value + d * top.value + f
        x2, y2 = a * right.value + c * bottom.value + e, b * right.value + d * bottom.value + f
        text = chr(code) if code else (UNMAPPED if top.value > bottom.value else " ")
        yield Char(text, min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2), index)


def text_of(chars: Iterable[Char]) -> str:
    """Return the characters as one line of text."""
    text = whole_characters("".join(char.text for char in chars))  # broken fonts give lone surrogates
    text = text.replace(_HYPHEN, "-").translate(_SIGNS)
    text = re.sub("[\x00-\x1f\x7f]", " ", text)
    return without_invisible(re.sub("\xad$", "-", text.strip()))


def parts_of(chars: Sequence[Char], sheet: Sheet, cuts: Sequence[float] = ()) -> list[Part]:
    """Return the separate parts of a line that are visible on the page. cuts: in points, where columns part."""
    parts = [(text_of(part), box) for part in _parts(chars, cuts) if (box := sheet.box(part))]
    return [(text, box) for text, box in parts if text]


def _parts(chars: Sequence[Char], cuts: Sequence[float]) -> Iterator[Sequence[Char]]:
    """Yield the line's characters, cut at gaps wider than between words, but not after a list mark."""
    seen = [index for index, char in enumerate(chars) if not char.text.isspace()]
    start, least = 0, least_gap(chars) if cuts else 0.0
    for before, after in pairwise(seen):
        gap = chars[after].left - chars[before].right
        wide = gap > _WIDE_GAP and gap > 2 * max(char.bottom - char.top for char in chars[start : before + 1])
        is_cut = gap > least and any(chars[before].right <= cut <= chars[after].left for cut in cuts)
        if (wide or is_cut) and not is_mark(text_of(chars[start:after])):
            yield chars[start:after]
            start = after
    yield chars[start:]


def line_of(parts: Sequence[Part], quarters: int, joint: str = SPREAD) -> Printed:
    """Return a line made of parts with boxes on a sheet turned by these quarters."""
    text, pieces = "", list[Line]()
    for words, box in parts:
        start = len(text + joint) if text else 0
        text = f"{text}{joint}{words}" if text else words
        pieces.append(Line(start, len(text), turned(box, -quarters)))
    return Printed(text, tuple(pieces), around([box for _, box in parts]))


def with_marks(lines: Sequence[Printed]) -> list[Printed]:
    """Return the lines, with each lone list mark moved before the line to its right."""
    marks = [line for line in lines if is_mark(line.text)]
    placed = {id(line): line for line in lines}
    for mark in marks:
        near = [(distance, line) for line in lines if line not in marks and (distance := _distance(mark, line)) < 0.1]
        if near:
            _, nearest = min(near, key=lambda pair: pair[0])
            placed[id(nearest)] = _marked(placed.pop(id(mark)), nearest)
    return list(placed.values())


def _distance(mark: Printed, line: Printed) -> float:
    """Return how far right of the mark the line begins, in page widths; 1 if at another height."""
    if line.row or not (mark.box and line.box):
        return 1.0
    apart = line.box.left - mark.box.left
    shared = min(mark.box.bottom, line.box.bottom) - max(mark.box.top, line.box.top)
    lower = min(mark.box.bottom - mark.box.top, line.box.bottom - line.box.top)
    return apart if apart > 0 and shared > 0.5 * lower else 1.0


def _marked(mark: Printed, line: Printed) -> Printed:
    sign = CIRCLE if mark.text == "o" else mark.text
    start = len(sign) + 1
    moved_right = (replace(piece, start=piece.start + start, end=piece.end + start) for piece in line.pieces)
    return replace(line, text=f"{sign} {line.text}", pieces=(*mark.pieces, *moved_right))


def without_addresses(text: str) -> str:
    """Return a line's text as printed, without the addresses that stand behind its links."""
    return _ADDRESS.sub("", text)
