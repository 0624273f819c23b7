"""The objects of a PDF page -> the straight lines of its painted paths, and the places of its pictures."""

from __future__ import annotations

from collections.abc import Iterator
from ctypes import byref, c_float, c_int
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from ingest.parse.pdf.sheet import Matrix, moved

_MAX_DEPTH = 4  # of nested forms
_SAME: Matrix = (1, 0, 0, 1, 0, 0)
_MOST_SHAPES = 2000  # of a page that is no drawing

Edges = tuple[float, float, float, float]


def segments(page: pypdfium2.PdfPage, matrix: Matrix) -> Iterator[tuple[float, float, float, float]]:
    """Yield both ends (x1, y1, x2, y2) of each straight line. matrix: applied to the page's coordinates."""
    for path, inner in _objects(page, matrix, pdfium.FPDF_PAGEOBJ_PATH):
        if not _is_painted(path):
            continue
        first = last = (0.0, 0.0)
        for index in range(pdfium.FPDFPath_CountSegments(path)):
            segment = pdfium.FPDFPath_GetPathSegment(path, index)
            kind, point = pdfium.FPDFPathSegment_GetType(segment), _point(segment, inner)
            if kind == pdfium.FPDF_SEGMENT_LINETO:
                yield *last, *point
            elif kind == pdfium.FPDF_SEGMENT_MOVETO:
                first = point
            last = point
            if pdfium.FPDFPathSegment_GetClose(segment):
                yield *last, *first


def _point(segment: Any, matrix: Matrix) -> tuple[float, float]:
    x, y = c_float(), c_float()
    pdfium.FPDFPathSegment_GetPoint(segment, byref(x), byref(y))
    return moved(matrix, x.value, y.value)


def shapes(page: pypdfium2.PdfPage, matrix: Matrix) -> Iterator[Edges]:
    """Yield left, top, right and bottom of each painted shape, none of a drawing.

    matrix: applied to the page's coordinates.
    """
    objects = (pdfium.FPDFPage_GetObject(page, index) for index in range(pdfium.FPDFPage_CountObjects(page)))
    paths = [item for item in objects if pdfium.FPDFPageObj_GetType(item) == pdfium.FPDF_PAGEOBJ_PATH]
    for path in filter(_is_painted, paths if len(paths) <= _MOST_SHAPES else ()):
        left, bottom, right, top = bounds(path)
        (x1, y1), (x2, y2) = moved(matrix, left, top), moved(matrix, right, bottom)
        yield min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def bounds(item: Any) -> Edges:
    """Return left, bottom, right and top of an object, in the page's coordinates."""
    edges = [c_float() for _ in range(4)]
    pdfium.FPDFPageObj_GetBounds(item, *map(byref, edges))
    left, bottom, right, top = (edge.value for edge in edges)
    return left, bottom, right, top


def images(page: pypdfium2.PdfPage, matrix: Matrix) -> Iterator[tuple[Any, Edges]]:
    """Yield each picture with its left, top, right and bottom edge. matrix: applied to the page's coordinates."""
    for image, (a, b, c, d, e, f) in _objects(page, matrix, pdfium.FPDF_PAGEOBJ_IMAGE):
        across, down = (e, e + a, e + c, e + a + c), (f, f + b, f + d, f + b + d)  # corners of the unit square
        yield image, (min(across), min(down), max(across), max(down))


def is_picture(page: pypdfium2.PdfPage) -> bool:
    """Return whether a picture covers most of the page, as on a scan."""
    width, height = page.get_size()
    placed = (edges for _, edges in images(page, _SAME))
    return any((right - left) * (bottom - top) > 0.6 * width * height for left, top, right, bottom in placed)


def text_objects(page: pypdfium2.PdfPage) -> Iterator[Any]:
    """Yield each text object."""
    return (text for text, _ in _objects(page, _SAME, pdfium.FPDF_PAGEOBJ_TEXT))


def _objects(page: pypdfium2.PdfPage, matrix: Matrix, wanted: int) -> Iterator[tuple[Any, Matrix]]:
    """Yield the page's objects of a kind, each with the matrix for its points."""
    objects = [(pdfium.FPDFPage_GetObject(page, index), matrix) for index in range(pdfium.FPDFPage_CountObjects(page))]
    for _ in range(_MAX_DEPTH):
        in_forms = []
        for item, outer in objects:
            kind = pdfium.FPDFPageObj_GetType(item)
            if kind == wanted:
                yield item, _inside(outer, item)
            elif kind == pdfium.FPDF_PAGEOBJ_FORM:
                inner, count = _inside(outer, item), pdfium.FPDFFormObj_CountObjects(item)
                in_forms += [(pdfium.FPDFFormObj_GetObject(item, index), inner) for index in range(count)]
        objects = in_forms


def _is_painted(path: Any) -> bool:
    fill, stroke = c_int(), c_int()
    pdfium.FPDFPath_GetDrawMode(path, byref(fill), byref(stroke))
    return bool(fill.value or stroke.value)


def _inside(outer: Matrix, item: Any) -> Matrix:
    """Return the object's own matrix followed by the outer one."""
    own = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(item, byref(own))
    e, f = moved(outer, own.e, own.f)
    (a, b), (c, d) = moved(outer, own.a + own.e, own.b + own.f), moved(outer, own.c + own.e, own.d + own.f)
    return a - e, b - f, c - e, d - f, e, f
