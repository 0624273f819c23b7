"""A PDF page as pdfium reads it -> its printed lines, with their boxes on the page as it is displayed.

pdfium gives the characters in the order of the file, which is the reading order but for list marks that
some writers put at the page's end; these go back to their items.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from ctypes import byref, c_double, c_int
from dataclasses import dataclass, replace
from itertools import pairwise
from math import atan2, cos, pi, sin
from typing import NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium

from ingest.parse.document import Box, Line, whole_characters

SPREAD = " | "
"""Stands between the parts of a printed line that are far apart, such as the cells of a table without rules."""

_HYPHEN = "\x02"
"""pdfium's sign for a hyphen that divides a word at a line's end."""

_UNITS = 10_000  # to a point; pdfium gives whole numbers
_WIDE_GAP = 12.0  # points
_MARK = re.compile(r"[-\u2013\u2014•▪▫◦‣\u2043●○■□·*o]|\(?(\d{1,3}|[A-Za-z])[.)]")
_BULLETS = str.maketrans({"\uf0b7": "•", "\uf0a7": "▪", "\u2028": " ", "\u2029": " ", "\x85": " ", "\xa0": " "})


Part = tuple[str, Box]
"""Words that stand together on a line, and where on the sheet."""
Matrix = tuple[float, float, float, float, float, float]
"""a to f of a PDF matrix: x becomes a x + c y + e, y becomes b x + d y + f."""


class Char(NamedTuple):
    """A character and its edges in points of its sheet, from the upper left corner.

    Not a dataclass: a page has thousands, and these are made in a third of the time.
    """

    text: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page, turned so that its text is upright: its number from 1 and its size.

    matrix: from the page's own coordinates. quarters: how many quarter turns to the left it was turned from
    what is displayed.
    """

    number: int
    width: float
    height: float
    matrix: Matrix = (1, 0, 0, 1, 0, 0)
    quarters: int = 0

    def turned(self) -> Sheet:
        """The sheet after one more quarter turn to the left."""
        a, b, c, d, e, f = self.matrix
        return Sheet(self.number, self.height, self.width, (b, -a, d, -c, f, self.width - e), self.quarters + 1)

    def box(self, chars: Iterable[Char]) -> Box | None:
        """The box around the characters that show on the sheet; None if there are none."""
        seen = [char for char in chars if not char.text.isspace() and self._shows(char)]
        if not seen:
            return None
        left, right = min(char.left for char in seen), max(char.right for char in seen)
        top, bottom = min(char.top for char in seen), max(char.bottom for char in seen)
        edges = (left / self.width, top / self.height, right / self.width, bottom / self.height)
        return Box(self.number, *(min(1.0, max(0.0, edge)) for edge in edges))

    def _shows(self, char: Char) -> bool:
        return char.right > 0 and char.bottom > 0 and char.left < self.width and char.top < self.height


@dataclass(frozen=True, slots=True)
class Printed:
    """A printed line or the row of a table, its text with the boxes of its pieces.

    box: where it stands on its sheet. row: whether it is a row of a table in Markdown.
    """

    text: str
    pieces: tuple[Line, ...] = ()
    box: Box | None = None
    row: bool = False

    @property
    def top(self) -> float:
        return self.box.top if self.box else 0.0


def turned(box: Box, quarters: int) -> Box:
    """Where a box is after so many quarter turns of the page to the left."""
    if quarters % 4 == 0:
        return box
    return turned(Box(box.page, box.top, 1 - box.right, box.bottom, 1 - box.left), quarters - 1)


def around(boxes: Sequence[Box]) -> Box | None:
    """The box around them all."""
    if not boxes:
        return None
    left, top = min(box.left for box in boxes), min(box.top for box in boxes)
    return Box(boxes[0].page, left, top, max(box.right for box in boxes), max(box.bottom for box in boxes))


def moved(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    """Where the matrix puts a point."""
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def sheet_of(page: pypdfium2.PdfPage, textpage: pypdfium2.PdfTextPage, number: int) -> Sheet:
    """The page as it is displayed, with its rotation and crop box, and then turned until its text is upright."""
    width, height = page.get_size()
    (e, f), (a, b), (c, d) = (_displayed(page, width, height, x, y) for x, y in ((0, 0), (100, 0), (0, 100)))
    sheet = Sheet(number, width, height, ((a - e) / 100, (b - f) / 100, (c - e) / 100, (d - f) / 100, e, f))
    for _ in range(_direction(textpage, sheet.matrix)):
        sheet = sheet.turned()
    return sheet


def _direction(textpage: pypdfium2.PdfTextPage, matrix: Matrix) -> int:
    """Where most of the text runs: 0 to the right, 1 down, 2 to the left, 3 up."""
    count = pdfium.FPDFText_CountChars(textpage)
    angles = [pdfium.FPDFText_GetCharAngle(textpage, index) for index in range(0, count, max(1, count // 30))]
    directions = []
    for angle in angles:
        (x, y), (x0, y0) = moved(matrix, cos(angle), -sin(angle)), moved(matrix, 0, 0)  # pdfium counts clockwise
        directions.append(round(atan2(y - y0, x - x0) / (pi / 2)) % 4)
    return max(set(directions), key=directions.count, default=0)


def _displayed(page: pypdfium2.PdfPage, width: float, height: float, x: float, y: float) -> tuple[float, float]:
    size, across, down = (round(width * _UNITS), round(height * _UNITS)), c_int(), c_int()
    pdfium.FPDF_PageToDevice(page, 0, 0, *size, 0, x, y, byref(across), byref(down))
    return across.value / _UNITS, down.value / _UNITS


def char_lines(textpage: pypdfium2.PdfTextPage, sheet: Sheet) -> list[list[Char]]:
    """The characters of each printed line, in pdfium's order."""
    lines: list[list[Char]] = [[]]
    for char in _chars(textpage, sheet):
        if char.text in "\r\n":
            lines.append([])
        elif lines[-1] and lines[-1][-1].text == _HYPHEN:
            hyphen = lines[-1].pop()
            lines[-1].append(hyphen._replace(text="-"))
            goes_on = char.left > hyphen.left and min(char.bottom, hyphen.bottom) > max(char.top, hyphen.top)
            lines[-1:] = [[*lines[-1], char]] if goes_on else [lines[-1], [char]]
        else:
            lines[-1].append(char)
    return _rejoined(line for line in lines if line)


def _rejoined(lines: Iterable[list[Char]]) -> list[list[Char]]:
    """The lines, with one that goes on where the last one ended, as after a raised figure, as its rest."""
    whole: list[list[Char]] = []
    for line in lines:
        if whole and 0 <= line[0].left - whole[-1][-1].right < 6 and _shared(line, whole[-1]) > 0.6:
            whole[-1] += line
        else:
            whole.append(line)
    return whole


def _shared(one: Sequence[Char], other: Sequence[Char]) -> float:
    """How much of the lower of two lines is at the height of the other."""
    tops, bottoms = zip(
        *((min(c.top for c in line), max(c.bottom for c in line)) for line in (one, other)), strict=True
    )
    lower = min(bottom - top for top, bottom in zip(tops, bottoms, strict=True))
    return (min(bottoms) - max(tops)) / lower if lower > 0 else 0.0


def _chars(textpage: pypdfium2.PdfTextPage, sheet: Sheet) -> Iterator[Char]:
    left, right, bottom, top = c_double(), c_double(), c_double(), c_double()
    edges = (byref(left), byref(right), byref(bottom), byref(top))
    for index in range(pdfium.FPDFText_CountChars(textpage)):
        code = pdfium.FPDFText_GetUnicode(textpage, index)
        pdfium.FPDFText_GetCharBox(textpage, index, *edges)
        x1, y1 = moved(sheet.matrix, left.value, top.value)
        x2, y2 = moved(sheet.matrix, right.value, bottom.value)
        if code:
            yield Char(chr(code), min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))


def text_of(chars: Iterable[Char]) -> str:
    """The characters as one line of text."""
    text = whole_characters("".join(char.text for char in chars))  # broken fonts give halves
    text = text.replace(_HYPHEN, "-").translate(_BULLETS)
    text = re.sub("[\x00-\x1f\x7f]", " ", text)
    return re.sub("\xad(?=.)", "", text.strip()).replace("\xad", "-")


def parts_of(chars: Sequence[Char], sheet: Sheet) -> list[Part]:
    """The parts of a line that stand apart; none if nothing of it shows on the page."""
    parts = [(text_of(part), box) for part in _parts(chars) if (box := sheet.box(part))]
    return [(text, box) for text, box in parts if text]


def _parts(chars: Sequence[Char]) -> Iterator[Sequence[Char]]:
    """The line's characters, cut where the gap is wider than any between two words; not after a list mark."""
    seen = [index for index, char in enumerate(chars) if not char.text.isspace()]
    start = 0
    for before, after in pairwise(seen):
        gap = chars[after].left - chars[before].right
        wide = gap > _WIDE_GAP and gap > 2 * max(char.bottom - char.top for char in chars[start : before + 1])
        if wide and not _MARK.fullmatch(text_of(chars[start:after])):
            yield chars[start:after]
            start = after
    yield chars[start:]


def line_of(parts: Sequence[Part], quarters: int, joint: str = SPREAD) -> Printed:
    """A line of parts with their boxes on a sheet that was turned so."""
    text, pieces = "", list[Line]()
    for words, box in parts:
        start = len(text + joint) if text else 0
        text = f"{text}{joint}{words}" if text else words
        pieces.append(Line(start, len(text), turned(box, -quarters)))
    return Printed(text, tuple(pieces), around([box for _, box in parts]))


def with_marks(lines: Sequence[Printed]) -> list[Printed]:
    """The lines, with every lone list mark put before the line that stands to its right."""
    marks = [line for line in lines if _MARK.fullmatch(line.text)]
    placed = {id(line): line for line in lines}
    for mark in marks:
        near = [(distance, line) for line in lines if line not in marks and (distance := _distance(mark, line)) < 0.1]
        if near:
            _, nearest = min(near, key=lambda pair: pair[0])
            placed[id(nearest)] = _marked(placed.pop(id(mark)), nearest)
    return list(placed.values())


def _distance(mark: Printed, line: Printed) -> float:
    """How far right of the mark the line begins, in page widths; 1 if it is not at its height."""
    if line.row or not (mark.box and line.box):
        return 1.0
    apart = line.box.left - mark.box.left
    shared = min(mark.box.bottom, line.box.bottom) - max(mark.box.top, line.box.top)
    lower = min(mark.box.bottom - mark.box.top, line.box.bottom - line.box.top)
    return apart if apart > 0 and shared > 0.5 * lower else 1.0


def _marked(mark: Printed, line: Printed) -> Printed:
    start = len(mark.text) + 1
    moved_right = (replace(piece, start=piece.start + start, end=piece.end + start) for piece in line.pieces)
    return replace(line, text=f"{mark.text} {line.text}", pieces=(*mark.pieces, *moved_right))


def is_readable(text: str) -> bool:
    """Whether a text layer is text: not glyph numbers, private or unmapped characters for the most part."""
    bare = re.sub(r"\(cid:\d+\)", "\ufffd", "".join(text.split()))
    junk = sum(char == "\ufffd" or unicodedata.category(char) in ("Co", "Cn", "Cc") for char in bare)
    return junk <= 0.5 * len(bare)
