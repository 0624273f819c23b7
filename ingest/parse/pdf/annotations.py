"""What a PDF lays over its pages -> characters of their lines: values of form fields, notes, addresses of links."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ctypes import byref, c_int, c_ushort, create_string_buffer
from dataclasses import dataclass
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from ingest.parse.document import one_line
from ingest.parse.marks import address_of
from ingest.parse.pdf.sheet import Char, Sheet, moved

_MOST = 2000
"""Annotations read per page."""
_LONGEST_VALUE = 10_000
_BESIDE = 20.0  # points between a check box and the label to its right
_NOT_SHOWN = pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW
_NOTE = "(Note: "
_NOTES = (
    pdfium.FPDF_ANNOT_TEXT,
    pdfium.FPDF_ANNOT_HIGHLIGHT,
    pdfium.FPDF_ANNOT_UNDERLINE,
    pdfium.FPDF_ANNOT_STRIKEOUT,
    pdfium.FPDF_ANNOT_CARET,
    pdfium.FPDF_ANNOT_STAMP,
)
_VALUES = (pdfium.FPDF_FORMFIELD_TEXTFIELD, pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX)
_CHECKS = (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON)


@dataclass(frozen=True, slots=True)
class _Area:
    """A rectangle on the sheet, in points, and its text. check: whether it is a check box or radio button."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    check: bool = False

    def holds(self, char: Char) -> bool:
        x, y = (char.left + char.right) / 2, (char.top + char.bottom) / 2
        return self.left <= x <= self.right and self.top <= y <= self.bottom

    def chars(self) -> list[Char]:
        """Return the text as characters spread over the area."""
        width = (self.right - self.left) / len(self.text)
        edges = [self.left + index * width for index in range(len(self.text) + 1)]
        return [
            Char(char, edges[index], self.top, edges[index + 1], self.bottom) for index, char in enumerate(self.text)
        ]


# form fields and notes ---------------------------------------------------------------------------------


def with_fields(
    lines: Sequence[list[Char]], pdf: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, sheet: Sheet
) -> list[list[Char]]:
    """Return the lines with the values of the page's form fields behind their labels, and its text notes."""
    result = [list(line) for line in lines]
    notes = []
    for area in _fields(pdf, page, sheet):
        if area.text.startswith(_NOTE):
            notes.append(area.chars())  # below all text, since it may lie on the middle of a sentence
        else:
            _place(area, result)
    return result + notes


def _place(area: _Area, lines: list[list[Char]]) -> None:
    """Add the area's text where it stands in its line, a check's before the label to its right, or as a line."""
    level = [line for line in lines if _is_level(area, line)]
    space = Char(" ", area.left, area.top, area.left, area.bottom)
    if within := [line for line in level if line[0].left < area.left]:
        line = max(within, key=lambda line: max(char.right for char in line if char.left < area.left))
        index = next((index for index, char in enumerate(line) if char.left >= area.left), len(line))
        before = [] if line[index - 1].text.isspace() else [space]
        line[index:index] = [*before, *area.chars(), *([space] if index < len(line) else [])]
    elif beside := [line for line in level if area.check and 0 <= line[0].left - area.right < _BESIDE]:
        beside[0][:0] = [*area.chars(), space]
    else:
        below = (index for index, line in enumerate(lines) if min(char.top for char in line) > area.top)
        lines.insert(next(below, len(lines)), area.chars())


def _is_level(area: _Area, line: Sequence[Char]) -> bool:
    top, bottom = min(char.top for char in line), max(char.bottom for char in line)
    return min(bottom, area.bottom) - max(top, area.top) > 0.5 * min(bottom - top, area.bottom - area.top)


def _fields(pdf: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, sheet: Sheet) -> Iterator[_Area]:
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), _MOST)):
        note = pdfium.FPDFPage_GetAnnot(page, index)
        text, check = _shown(pdf, note)
        if text and not pdfium.FPDFAnnot_GetFlags(note) & _NOT_SHOWN:
            rectangle = pdfium.FS_RECTF()
            pdfium.FPDFAnnot_GetRect(note, byref(rectangle))
            yield _area(text, rectangle, sheet, check)
        pdfium.FPDFPage_CloseAnnot(note)


def _shown(pdf: pypdfium2.PdfDocument, note: Any) -> tuple[str, bool]:
    """Return the text that an annotation shows on the page, '' for none, and whether it is a check."""
    kind = pdfium.FPDFAnnot_GetSubtype(note)
    if kind in (pdfium.FPDF_ANNOT_FREETEXT, *_NOTES):
        text = _string(lambda *space: pdfium.FPDFAnnot_GetStringValue(note, b"Contents", *space))
        return f"{_NOTE}{text})" if text and kind in _NOTES else text, False
    if kind != pdfium.FPDF_ANNOT_WIDGET or pdf.formenv is None:
        return "", False
    field = pdfium.FPDFAnnot_GetFormFieldType(pdf.formenv, note)
    if field in _CHECKS:
        return "checked" if pdfium.FPDFAnnot_IsChecked(pdf.formenv, note) else "not checked", True
    flags = pdfium.FPDFAnnot_GetFormFieldFlags(pdf.formenv, note)
    is_secret = field == pdfium.FPDF_FORMFIELD_TEXTFIELD and flags & pdfium.FPDF_FORMFLAG_TEXT_PASSWORD
    if field not in _VALUES or is_secret:
        return "", False
    chosen = [
        _string(lambda *space, option=option: pdfium.FPDFAnnot_GetOptionLabel(pdf.formenv, note, option, *space))
        for option in range(min(pdfium.FPDFAnnot_GetOptionCount(pdf.formenv, note), _MOST))
        if pdfium.FPDFAnnot_IsOptionSelected(pdf.formenv, note, option)
    ]
    return ", ".join(chosen) or _string(
        lambda *space: pdfium.FPDFAnnot_GetFormFieldValue(pdf.formenv, note, *space)
    ), False


def attached_files(pdf: pypdfium2.PdfDocument, page: pypdfium2.PdfPage) -> Iterator[str]:
    """Yield the names of the files that are attached to places on the page."""
    for index in range(min(pdfium.FPDFPage_GetAnnotCount(page), _MOST)):
        note = pdfium.FPDFPage_GetAnnot(page, index)
        if pdfium.FPDFAnnot_GetSubtype(note) == pdfium.FPDF_ANNOT_FILEATTACHMENT:
            yield pypdfium2.PdfAttachment(pdfium.FPDFAnnot_GetFileAttachment(note), pdf).get_name()
        pdfium.FPDFPage_CloseAnnot(note)


def _string(read: Callable[[Any, int], int]) -> str:
    space = (c_ushort * _LONGEST_VALUE)()
    size = read(space, 2 * _LONGEST_VALUE)
    return one_line(bytes(space)[: max(0, min(size, 2 * _LONGEST_VALUE) - 2)].decode("utf-16-le", "replace"))


def _area(text: str, rectangle: Any, sheet: Sheet, check: bool = False) -> _Area:
    (x1, y1), (x2, y2) = (
        moved(sheet.matrix, x, y) for x, y in ((rectangle.left, rectangle.top), (rectangle.right, rectangle.bottom))
    )
    return _Area(text, min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2), check)


# links -------------------------------------------------------------------------------------------------


def with_addresses(
    lines: Sequence[list[Char]], pdf: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, sheet: Sheet
) -> list[list[Char]]:
    """Return the lines with the address of each link behind the words that it lies on."""
    result = [list(line) for line in lines]
    areas: list[_Area] = []  # of one link: a rectangle for each line
    for link in _links(pdf, page, sheet):
        if areas and not _goes_on(areas[-1], link):
            _write_address(areas, result)
            areas = []
        areas.append(link)
    if areas:
        _write_address(areas, result)
    return result


def _goes_on(above: _Area, link: _Area) -> bool:
    """Return whether two rectangles are of one link that is broken at a line's end."""
    height = above.bottom - above.top
    return above.text == link.text and 0.5 * height < link.top - above.top < 2 * height and link.left < above.right


def _write_address(areas: Sequence[_Area], lines: Sequence[list[Char]]) -> None:
    """Write the address of a link behind the last character in its areas."""
    level = [line for line in lines if any(_is_level(area, line) for area in areas)]
    shown = "".join(char.text for line in level for char in line if any(area.holds(char) for area in areas))
    address, last_area = address_of(areas[-1].text, shown), areas[-1]
    line = next((line for line in level if any(last_area.holds(char) and char.text.strip() for char in line)), None)
    if line and address:
        last = max(index for index, char in enumerate(line) if last_area.holds(char) and not char.text.isspace())
        line.insert(last + 1, line[last]._replace(text=f" ({address})", left=line[last].right))


def _links(pdf: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, sheet: Sheet) -> Iterator[_Area]:
    position, link = c_int(0), pdfium.FPDF_LINK()
    for _ in range(_MOST):
        if not pdfium.FPDFLink_Enumerate(page, byref(position), byref(link)):
            return
        if address := _address(pdf, link):
            rectangle = pdfium.FS_RECTF()
            pdfium.FPDFLink_GetAnnotRect(link, byref(rectangle))
            yield _area(address, rectangle, sheet)


def _address(pdf: pypdfium2.PdfDocument, link: Any) -> str:
    action = pdfium.FPDFLink_GetAction(link)
    if not action or pdfium.FPDFAction_GetType(action) != pdfium.PDFACTION_URI:
        return ""
    size = pdfium.FPDFAction_GetURIPath(pdf, action, None, 0)
    space = create_string_buffer(size)
    pdfium.FPDFAction_GetURIPath(pdf, action, space, size)
    return space.value.decode("utf-8", "replace")
