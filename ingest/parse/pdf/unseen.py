"""Text of a PDF page that no reader sees -> left out: white, transparent, tiny, or below something painted later.

White text may stand on a dark ground, and invisible text on a scan. So a page with such text is drawn, and what has no
contrast where it stands is not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import byref, c_int, c_uint
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import pypdfium2
import pypdfium2.raw as pdfium

from ingest.parse.document import Box
from ingest.parse.pdf.paths import Edges, bounds, is_picture, text_objects
from ingest.parse.pdf.sheet import Char, Sheet, turned

_LIGHTEST = 240
_LEAST_CONTRAST = 24  # of 255
_SMALLEST = 1.5  # points: letters of a lower line are not for readers
_FEWEST = 3  # characters side by side
_MOST_PIXELS = 4_000_000
_MOST_FILLS = 300
_THIN = 4.0  # points: rules and underlines


def without_unseen(lines: Sequence[list[Char]], page: pypdfium2.PdfPage, sheet: Sheet) -> tuple[list[list[Char]], int]:
    """Return the lines without what no reader sees, and how many pieces that were."""
    tiny = [line for line in lines if _is_tiny(line)]
    lines = [line for line in lines if not _is_tiny(line)]
    if not lines or not _is_suspicious(page) or is_picture(page):
        return lines, len(tiny)
    width, height = page.get_size()
    scale = min(2.0, (_MOST_PIXELS / (width * height)) ** 0.5)
    picture = page.render(scale=scale, may_draw_forms=False, grayscale=True).to_numpy().squeeze()
    kept, num_unseen = [], len(tiny)
    for line in lines:
        pieces = [(seen, list(run)) for seen, run in groupby(line, lambda char: _is_seen(char, picture, sheet))]
        unseen = [not seen and sum(not char.text.isspace() for char in run) >= _FEWEST for seen, run in pieces]
        num_unseen += sum(unseen)
        rest = [char for (_, run), goes in zip(pieces, unseen, strict=True) if not goes for char in run]
        if any(not char.text.isspace() for char in rest):
            kept.append(rest)
    return kept, num_unseen


def _is_tiny(line: Sequence[Char]) -> bool:
    letters = [char for char in line if char.text.isalnum()]
    return bool(letters) and max(char.bottom - char.top for char in letters) < _SMALLEST


def _is_seen(char: Char, picture: npt.NDArray[np.uint8], sheet: Sheet) -> bool:
    """Return whether the page as drawn has contrast where the character stands; spaces go with those around them."""
    edges = (char.left / sheet.width, char.top / sheet.height, char.right / sheet.width, char.bottom / sheet.height)
    box = turned(Box(sheet.number, *edges), -sheet.quarters)
    height, width = picture.shape
    rows = slice(max(0, int(box.top * height)), int(box.bottom * height) + 1)
    columns = slice(max(0, int(box.left * width)), int(box.right * width) + 1)
    ground = picture[rows, columns]
    return not char.text.isspace() and ground.size > 0 and int(ground.max()) - int(ground.min()) >= _LEAST_CONTRAST


def _is_suspicious(page: pypdfium2.PdfPage) -> bool:
    """Return whether the page has text that is light or invisible, or that something is painted over."""
    return any(map(_is_pale, text_objects(page))) or _is_covered(page)


def _is_pale(text: Any) -> bool:
    mode = pdfium.FPDFTextObj_GetTextRenderMode(text)
    if mode in (pdfium.FPDF_TEXTRENDERMODE_INVISIBLE, pdfium.FPDF_TEXTRENDERMODE_CLIP):
        return True
    color = [c_uint() for _ in range(4)]
    pdfium.FPDFPageObj_GetFillColor(text, *map(byref, color))
    *rest, alpha = (part.value for part in color)
    return min(rest) >= _LIGHTEST or alpha < 255 - _LIGHTEST


def _is_covered(page: pypdfium2.PdfPage) -> bool:
    texts: list[Edges] = []
    num_fills = 0
    for index in range(pdfium.FPDFPage_CountObjects(page)):
        item = pdfium.FPDFPage_GetObject(page, index)
        kind = pdfium.FPDFPageObj_GetType(item)
        if kind == pdfium.FPDF_PAGEOBJ_TEXT:
            texts.append(bounds(item))
        elif texts and (kind == pdfium.FPDF_PAGEOBJ_IMAGE or (kind == pdfium.FPDF_PAGEOBJ_PATH and _is_filled(item))):
            num_fills += 1
            left, bottom, right, top = bounds(item)
            inside = (left <= x1 and bottom <= y1 and x2 <= right and y2 <= top for x1, y1, x2, y2 in texts)
            if top - bottom > _THIN and num_fills <= _MOST_FILLS and any(inside):
                return True
    return False


def _is_filled(path: Any) -> bool:
    fill, stroke = c_int(), c_int()
    pdfium.FPDFPath_GetDrawMode(path, byref(fill), byref(stroke))
    return bool(fill.value)
