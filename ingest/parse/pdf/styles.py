"""Printed lines of a PDF page -> the same lines with their style: type size, weight, and the tag of a heading."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ctypes import byref, c_int, create_string_buffer
from dataclasses import replace
from math import hypot
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from ingest.parse.pdf.layout import Printed, Style, Tag
from ingest.parse.pdf.sheet import Char, Sheet

_BOLD = 600  # weight of a font
_BOLD_NAME = re.compile(r"(?i)bold|black|heavy|demi|-medi\b|^(\w+\+)?(cmb|sfbx)")
_HEADING = re.compile(r"H([1-6]?)|Title")
_WITHOUT_HEADINGS = {"P", "Table", "TOC", "Figure"}  # elements that need no search, which are most
_MOST_TAGS = 20_000  # of a page
_MAX_DEPTH = 40  # of nested tags
_NAME_BYTES = 200
_NEAR = 1.0  # points: a line's box fits its letters


def with_styles(
    printed: Sequence[Printed],
    chars: Sequence[Sequence[Char]],
    page: pypdfium2.PdfPage,
    textpage: pypdfium2.PdfTextPage,
    sheet: Sheet,
) -> list[Printed]:
    """Return the page's lines with their styles. chars: of its printed lines; rows of tables have no style."""
    tags = _tags(page)
    styled = []
    for line in printed:
        ends = _ends(line, chars, sheet)
        styled.append(replace(line, style=_style(textpage, ends, tags)) if ends else line)
    return styled


def _ends(line: Printed, chars: Sequence[Sequence[Char]], sheet: Sheet) -> tuple[int, int] | None:
    """Return pdfium's numbers of the line's first and last letter."""
    if line.row or line.box is None:
        return None
    left, right = line.box.left * sheet.width - _NEAR, line.box.right * sheet.width + _NEAR
    top, bottom = line.box.top * sheet.height, line.box.bottom * sheet.height

    def is_letter(char: Char) -> bool:
        return char.number >= 0 and left <= char.left and char.right <= right and char.text.isalnum()

    inside = [found for found in chars if found and top <= (found[0].top + found[0].bottom) / 2 <= bottom]
    first = next((char.number for found in inside for char in found if is_letter(char)), None)
    last = next((char.number for found in reversed(inside) for char in reversed(found) if is_letter(char)), None)
    return None if first is None or last is None else (first, last)


def _style(textpage: pypdfium2.PdfTextPage, ends: tuple[int, int], tags: dict[int, Tag]) -> Style:
    """Return the style of a line: bold if both ends are, and the smaller of their sizes."""
    text = pdfium.FPDFText_GetTextObject(textpage, ends[0])
    tag = tags.get(pdfium.FPDFPageObj_GetMarkedContentID(text)) if tags and text else None
    return Style(min(_size(textpage, end) for end in ends), all(_is_bold(textpage, end) for end in ends), tag)


def _size(textpage: pypdfium2.PdfTextPage, index: int) -> float:
    """Return the size of a letter's type in points as the page shows it, to half a point."""
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFText_GetMatrix(textpage, index, byref(matrix))
    size: float = pdfium.FPDFText_GetFontSize(textpage, index) * hypot(matrix.c, matrix.d)
    return round(2 * size) / 2


def _is_bold(textpage: pypdfium2.PdfTextPage, index: int) -> bool:
    name, flags = create_string_buffer(_NAME_BYTES), c_int()
    pdfium.FPDFText_GetFontInfo(textpage, index, name, _NAME_BYTES, byref(flags))
    is_named = _BOLD_NAME.search(name.value.decode("utf-8", "ignore")) is not None
    return is_named or pdfium.FPDFText_GetFontWeight(textpage, index) >= _BOLD


# tags --------------------------------------------------------------------------------------------------


def _tags(page: pypdfium2.PdfPage) -> dict[int, Tag]:
    """Return number of marked content -> the heading tag around it."""
    tree = pdfium.FPDF_StructTree_GetForPage(page)
    if not tree:
        return {}
    try:
        roots = [
            pdfium.FPDF_StructTree_GetChildAtIndex(tree, i) for i in range(pdfium.FPDF_StructTree_CountChildren(tree))
        ]
        return dict(_marked(roots))
    finally:
        pdfium.FPDF_StructTree_Close(tree)


def _marked(roots: Sequence[Any]) -> Iterator[tuple[int, Tag]]:
    """Yield (number of marked content, tag) of the headings below these elements."""
    stack: list[tuple[Any, Tag | None, int]] = [(root, None, 0) for root in roots if root]
    for number in range(_MOST_TAGS):
        if not stack:
            return
        element, tag, depth = stack.pop()
        name = "" if tag else _name(element)
        if name in _WITHOUT_HEADINGS or depth > _MAX_DEPTH:
            continue
        if match := _HEADING.fullmatch(name):
            tag = Tag(int(match[1] or 1), number)
        for index in range(pdfium.FPDF_StructElement_CountChildren(element)):
            child = pdfium.FPDF_StructElement_GetChildAtIndex(element, index)
            if child:
                stack.append((child, tag, depth + 1))
            elif tag:
                yield pdfium.FPDF_StructElement_GetChildMarkedContentID(element, index), tag


def _name(element: Any) -> str:
    """Return an element's type, such as "H1"."""
    name = create_string_buffer(_NAME_BYTES)
    pdfium.FPDF_StructElement_GetType(element, name, _NAME_BYTES)
    return name.raw.decode("utf-16-le", "ignore").partition("\0")[0]
