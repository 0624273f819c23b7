"""PDF -> pages of text by pdfium, with a box per line; by pypdf if pdfium cannot open the file."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pypdf
import pypdfium2
import pypdfium2.raw as pdfium
from pypdf.errors import PdfReadError
from pypdf.generic import Destination

from ingest.parse.document import (
    PAGE_BREAK,
    Parsed,
    ParseError,
    hidden_note,
    joined_notes,
    note_pages,
    one_line,
    real_title,
    whole_characters,
)
from ingest.parse.marks import without_invisible
from ingest.parse.pdf import ocr
from ingest.parse.pdf.annotations import attached_files, with_addresses, with_fields
from ingest.parse.pdf.bullets import bullets
from ingest.parse.pdf.layout import Printed, char_lines, text_of, with_marks
from ingest.parse.pdf.level_rules import level_grids
from ingest.parse.pdf.outline import Bookmark
from ingest.parse.pdf.paths import is_picture
from ingest.parse.pdf.pictures import Placed, figures, places
from ingest.parse.pdf.prose import prose
from ingest.parse.pdf.readable import is_readable, is_shifted
from ingest.parse.pdf.ruled_tables import grids, rules, with_tables
from ingest.parse.pdf.sheet import sheet_of
from ingest.parse.pdf.styles import with_styles
from ingest.parse.pdf.unmerged import unmerged
from ingest.parse.pdf.unseen import without_unseen

logging.getLogger("pypdf").setLevel(logging.ERROR)  # it warns about every flaw that it tolerates
logging.getLogger("pypdfium2").setLevel(logging.ERROR)

_FEW_LETTERS = 30
"""A scan with fewer letters in its text layer, such as a scanner's stamp, needs text recognition."""
_MOST_NAMED = 10


def parse_pdf(data: bytes) -> Parsed:
    """Parse a PDF page by page. Raises ParseError when it is locked with a password."""
    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError:
        return _by_pypdf(data)
    try:
        note_pages(len(pdf))
        if pdf.get_formtype() != pdfium.FORMTYPE_NONE:
            pdf.init_forms()
        found = _Found()
        lines = _pages(pdf, found)
        if all(page is None for page in lines):
            return _by_pypdf(data)
        parsed = _parsed([page or [] for page in lines], list(_bookmarks(pdf)), pdf.get_metadata_value("Title"))
        note = joined_notes(
            _unread_note(found.unread), _attachments_note(pdf, found.attached), hidden_note(found.num_hidden)
        )
        return replace(parsed, note=note, figures=figures(data, parsed.pages, found.placed))
    finally:
        pdf.close()


def _parsed(lines: list[list[Printed]], bookmarks: list[Bookmark], title: str) -> Parsed:
    return Parsed(*prose(lines, bookmarks), real_title(title))


def _bookmarks(pdf: pypdfium2.PdfDocument) -> Iterator[Bookmark]:
    for entry in pdf.get_toc():
        target = entry.get_dest()
        page = target.get_index() if target else None
        yield Bookmark(entry.level + 1, one_line(without_invisible(entry.get_title())), -1 if page is None else page)


# pages -------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Found:
    """Besides lines: numbers of unread scans, places of pictures per page, names of attached files, hidden texts."""

    unread: list[int] = field(default_factory=list)
    placed: list[list[Placed]] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)
    num_hidden: int = 0


def _pages(pdf: pypdfium2.PdfDocument, found: _Found) -> list[list[Printed] | None]:
    """Return the lines of each page, None if pdfium cannot load it, and add to what is found."""
    pages: list[list[Printed] | None] = []
    for index in range(len(pdf)):
        try:
            page = pdf[index]
        except pypdfium2.PdfiumError:
            pages.append(None)
            found.placed.append([])
            continue
        pages.append(_lines(pdf, page, index + 1, found))
        page.close()
    return pages


def _lines(pdf: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, number: int, found: _Found) -> list[Printed]:
    textpage = page.get_textpage()
    sheet = sheet_of(page, textpage, number)
    chars = char_lines(textpage, sheet)
    text = "".join(text_of(line) for line in chars)
    if is_shifted("".join(char.text for line in chars for char in line)) or not is_readable(text):
        chars, text = [], ""
    is_scan = _is_scan(page, sum(char.isalnum() for char in text))
    found.placed.append(places(page, sheet, is_read=not is_scan or ocr.available()))
    if is_scan:
        if ocr.available():
            return ocr.read_page(page, number)
        found.unread.append(number)
    chars, num_hidden = without_unseen(chars, page, sheet)
    found.num_hidden += num_hidden
    if pdfium.FPDFPage_GetAnnotCount(page):
        found.attached += attached_files(pdf, page)
        chars = with_fields(with_addresses(chars, pdf, page, sheet), pdf, page, sheet)
    level, upright = rules(page, sheet)
    found_grids = [unmerged(grid, chars) for grid in grids(level, upright)]
    found_grids += level_grids(chars, level, found_grids, sheet)
    printed = with_styles(with_tables(chars, found_grids, sheet), chars, page, textpage, sheet)
    return with_marks([*printed, *bullets(page, sheet, printed)])


def _unread_note(unread: list[int]) -> str:
    if not unread:
        return ""
    pages = ", ".join(map(str, unread[:_MOST_NAMED])) + (", ..." if len(unread) > _MOST_NAMED else "")
    return f'scanned and not read: page {pages}; text recognition (OCR) needs: pip install "citeloop[ocr]"'


def _attachments_note(pdf: pypdfium2.PdfDocument, on_pages: list[str]) -> str:
    number = min(pdf.count_attachments(), _MOST_NAMED + 1)
    names = [*(pdf.get_attachment(index).get_name() for index in range(number)), *on_pages]
    named = ", ".join(map(one_line, names[:_MOST_NAMED])) + ", ..." * (len(names) > _MOST_NAMED)
    return f"attachments not read: {named}" if names else ""


def _is_scan(page: pypdfium2.PdfPage, num_letters: int) -> bool:
    """Return whether a page may show text that its text layer lacks, as a picture or drawing."""
    if num_letters >= _FEW_LETTERS:
        return False
    if num_letters == 0:
        return bool(pdfium.FPDFPage_CountObjects(page) > 0)
    return is_picture(page)


# pypdf -------------------------------------------------------------------------------------------------


def _by_pypdf(data: bytes) -> Parsed:
    """Parse a file that pdfium cannot open, without boxes. Raises ParseError when it is damaged or locked."""
    try:
        return _without_boxes(data)
    except PdfReadError as error:
        raise ParseError(
            "the file is damaged or not really .pdf; open it in a PDF program, save it again and add it"
        ) from error


def _without_boxes(data: bytes) -> Parsed:
    reader = pypdf.PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise ParseError("the PDF is locked with a password; save it without one and add it again")
    note_pages(len(reader.pages))
    lines = [_pypdf_lines(page) for page in reader.pages]
    bookmarks = [
        Bookmark(level, one_line(str(entry.title or "")), _page_of(reader, entry))
        for level, entry in _outline(reader.outline)
    ]
    return _parsed(lines, bookmarks, str(reader.metadata.title or "") if reader.metadata else "")


def _pypdf_lines(page: pypdf.PageObject) -> list[Printed]:
    text = whole_characters(page.extract_text().replace(PAGE_BREAK, "\n"))
    return [Printed(line.strip()) for line in text.split("\n") if line.strip()]


def _page_of(reader: pypdf.PdfReader, entry: Destination) -> int:
    page = reader.get_destination_page_number(entry)
    return -1 if page is None else page


def _outline(entries: list[Any], level: int = 1) -> Iterator[tuple[int, Destination]]:
    for entry in entries:
        if isinstance(entry, list):
            yield from _outline(entry, level + 1)
        else:
            yield level, entry
