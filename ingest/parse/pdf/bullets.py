"""Bullets that a PDF draws as shapes, as browsers print lists -> list marks before their lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pypdfium2

from ingest.parse.document import Box
from ingest.parse.pdf.layout import Printed
from ingest.parse.pdf.paths import shapes
from ingest.parse.pdf.sheet import Sheet

_SIZES = 1.5, 6.0  # points
_ROUND = 1.3  # times as wide as high at most, or as high as wide
_NEAR = 24.0  # points to the line


def bullets(page: pypdfium2.PdfPage, sheet: Sheet, lines: Sequence[Printed]) -> list[Printed]:
    """Return a mark for each small round or square shape closely before a line."""
    boxes = [line.box for line in lines if line.box and not line.row]
    return [
        Printed("•", box=spot) for spot in _spots(page, sheet) if any(_is_before(spot, box, sheet) for box in boxes)
    ]


def _spots(page: pypdfium2.PdfPage, sheet: Sheet) -> Iterator[Box]:
    for left, top, right, bottom in shapes(page, sheet.matrix):
        width, height = right - left, bottom - top
        is_small = _SIZES[0] <= min(width, height) and max(width, height) <= _SIZES[1]
        if is_small and max(width, height) <= _ROUND * min(width, height):
            edges = (left / sheet.width, top / sheet.height, right / sheet.width, bottom / sheet.height)
            yield Box(sheet.number, *edges)


def _is_before(spot: Box, line: Box, sheet: Sheet) -> bool:
    gap = (line.left - spot.right) * sheet.width
    return 0 < gap < _NEAR and line.top <= (spot.top + spot.bottom) / 2 <= line.bottom
