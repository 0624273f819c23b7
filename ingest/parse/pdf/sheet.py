"""A PDF page as read by pdfium -> Sheet: the displayed page turned until its text is upright, and boxes on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ctypes import byref, c_int
from dataclasses import dataclass
from math import atan2, cos, pi, sin
from typing import NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium

from ingest.parse.document import Box

_UNITS = 10_000  # per point, since pdfium returns whole numbers

Matrix = tuple[float, float, float, float, float, float]
"""A PDF matrix, a to f: x becomes a x + c y + e, y becomes b x + d y + f."""


class Char(NamedTuple):
    """A character and its edges, in points from the upper left corner of its sheet.

    number: its place on the page as pdfium counts, -1 if it was added. A NamedTuple, since a page has thousands
    and a dataclass takes three times as long to create.
    """

    text: str
    left: float
    top: float
    right: float
    bottom: float
    number: int = -1


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page turned so that its text is upright: number from 1, and size in points.

    matrix: from PDF page coordinates to the sheet. quarters: quarter turns to the left from the displayed page.
    """

    number: int
    width: float
    height: float
    matrix: Matrix = (1, 0, 0, 1, 0, 0)
    quarters: int = 0

    def turned(self) -> Sheet:
        """Return the sheet after one more quarter turn to the left."""
        a, b, c, d, e, f = self.matrix
        return Sheet(self.number, self.height, self.width, (b, -a, d, -c, f, self.width - e), self.quarters + 1)

    def box(self, chars: Iterable[Char]) -> Box | None:
        """Return the box around the visible characters, or None."""
        seen = [char for char in chars if not char.text.isspace() and self._shows(char)]
        if not seen:
            return None
        left, right = min(char.left for char in seen), max(char.right for char in seen)
        top, bottom = min(char.top for char in seen), max(char.bottom for char in seen)
        edges = (left / self.width, top / self.height, right / self.width, bottom / self.height)
        return Box(self.number, *(min(1.0, max(0.0, edge)) for edge in edges))

    def _shows(self, char: Char) -> bool:
        return char.right > 0 and char.bottom > 0 and char.left < self.width and char.top < self.height


def turned(box: Box, quarters: int) -> Box:
    """Return the box after this number of quarter turns of the page to the left."""
    if quarters % 4 == 0:
        return box
    return turned(Box(box.page, box.top, 1 - box.right, box.bottom, 1 - box.left), quarters - 1)


def around(boxes: Sequence[Box]) -> Box | None:
    """Return the box around all boxes, or None."""
    if not boxes:
        return None
    left, top = min(box.left for box in boxes), min(box.top for box in boxes)
    return Box(boxes[0].page, left, top, max(box.right for box in boxes), max(box.bottom for box in boxes))


def moved(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    """Return the point transformed by the matrix."""
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def sheet_of(page: pypdfium2.PdfPage, textpage: pypdfium2.PdfTextPage, number: int) -> Sheet:
    """Return the displayed page, with rotation and crop box, turned until its text is upright."""
    width, height = page.get_size()
    (e, f), (a, b), (c, d) = (_displayed(page, width, height, x, y) for x, y in ((0, 0), (100, 0), (0, 100)))
    sheet = Sheet(number, width, height, ((a - e) / 100, (b - f) / 100, (c - e) / 100, (d - f) / 100, e, f))
    for _ in range(_direction(textpage, sheet.matrix)):
        sheet = sheet.turned()
    return sheet


def _direction(textpage: pypdfium2.PdfTextPage, matrix: Matrix) -> int:
    """Return the direction of most text: 0 right, 1 down, 2 left, 3 up."""
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
