"""file -> Document: pages of Markdown text, with positions of the headings.

    document   Document  the types, and a Document from text
    encoding   bytes -> text, whatever the encoding
    archive    zip containers, checked before they are opened
    figures    Gallery   pictures -> PNG or JPEG with captions, within limits
    marks      raised figures, link addresses, invisible characters, forms of letters -> plain text
    tables     rows of cells (fields) -> Markdown tables; row_names completes rows; sheet_tables finds those of a sheet
    type_headings    size and weight of lines -> levels of headings, for PDF and Word
    plain, separated, rst, rtf, mail, outlook, calendars, office    one format or family each
    saved_page MHTML -> the web page in it
    html       Markdown, HTML, EPUB -> Markdown text; most other parsers use it too
    pdf        PDF -> pages of text with the boxes of its lines; ocr does the same for scans and pictures

This package does not know the length limit of passages or the table.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from ingest.parse.calendars import parse_calendar
from ingest.parse.document import (
    PAGE_BREAK,
    UPLOAD,
    Box,
    Document,
    Figure,
    Heading,
    Line,
    Page,
    Parsed,
    ParseError,
    document_id,
    joined_notes,
    one_line,
    parse_text,
)
from ingest.parse.figures import open_figures
from ingest.parse.html.epub import parse_epub
from ingest.parse.html.markup import parse_html, parse_markdown, parse_mdx
from ingest.parse.mail import parse_mail
from ingest.parse.marks import without_id, without_invisible
from ingest.parse.office.old_sheets import parse_xls
from ingest.parse.office.opendocument import parse_opendocument
from ingest.parse.office.sheets import parse_xlsx
from ingest.parse.office.slides import parse_pptx
from ingest.parse.office.word import parse_docx
from ingest.parse.outlook import parse_msg
from ingest.parse.pdf import ocr
from ingest.parse.pdf.reader import parse_pdf
from ingest.parse.plain import parse_plain
from ingest.parse.rst import parse_rst
from ingest.parse.rtf import is_rtf, parse_rtf
from ingest.parse.saved_page import parse_saved_page
from ingest.parse.separated import parse_csv

__all__ = [
    "PAGE_BREAK",
    "PARSERS",
    "UPLOAD",
    "Box",
    "Document",
    "Figure",
    "Heading",
    "Line",
    "Page",
    "ParseError",
    "document_id",
    "parse",
    "parse_text",
]

PARSERS: dict[str, Callable[[bytes], Parsed]] = {
    ".pdf": parse_pdf,
    ".md": parse_markdown,
    ".markdown": parse_markdown,
    ".html": parse_html,
    ".htm": parse_html,
    ".xhtml": parse_html,
    ".mdx": parse_mdx,
    ".rst": parse_rst,
    **dict.fromkeys((".docx", ".docm", ".dotx"), parse_docx),
    **dict.fromkeys((".pptx", ".pptm", ".ppsx"), parse_pptx),
    **dict.fromkeys((".xlsx", ".xlsm", ".xltx"), parse_xlsx),
    ".xls": parse_xls,
    ".odt": parse_opendocument,
    ".ods": parse_opendocument,
    ".odp": parse_opendocument,
    ".csv": parse_csv,
    ".tsv": parse_csv,
    ".epub": parse_epub,
    ".mht": parse_saved_page,
    ".mhtml": parse_saved_page,
    ".rtf": parse_rtf,
    ".doc": lambda data: (parse_rtf if is_rtf(data) else parse_saved_page)(data),
    ".ics": parse_calendar,
    ".txt": parse_plain,
    ".text": parse_plain,
    ".log": parse_plain,
}
"""File suffix -> parser. Add a format here."""

_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
_SCANS = (".pdf", *_PICTURES)
PARSERS |= dict.fromkeys(_PICTURES, ocr.parse_image)
_PICTURES_FAILED = "pictures left out: opening one took too long or crashed"
_DEEPEST_MAIL = 8
"""Mails inside mails that are read, such as a chain of forwarded ones."""


def _parse_mail(suffix: str, data: bytes, depth: int = 1) -> Parsed:
    inner = {mail: partial(_parse_mail, mail, depth=depth + 1) for mail in _MAILS} if depth < _DEEPEST_MAIL else {}
    others = {other: parser for other, parser in PARSERS.items() if other not in _MAILS}
    return _MAILS[suffix](data, others | inner)


_MAILS = {".eml": parse_mail, ".msg": parse_msg}
PARSERS |= {suffix: partial(_parse_mail, suffix) for suffix in _MAILS}


def parse(path: Path, name: str | None = None, on_text: Callable[[Document], None] = lambda _: None) -> Document:
    """Read one file into a Document.

    on_text: called with the document before its pictures are opened; what it then says of them holds if that fails.
    Raises ParseError when the format is unknown, the file is damaged or locked, or it has no text. Time and memory
    are not limited here; `ingest.isolation` does that.
    """
    data, parsed = _parsed(path)
    if not any(page.text.strip() for page in parsed.pages):
        raise ocr.no_text() if path.suffix.lower() in _SCANS else ParseError("no text found")
    document = Document(
        id=document_id(str(path.resolve())),
        name=name or path.name,
        title=one_line(without_invisible(parsed.title)) or _title_from(Path(name or path.name).stem),
        source=str(path.resolve()),
        sha256=hashlib.sha256(data).hexdigest(),
        pages=parsed.pages,
        headings=parsed.headings,
        note=parsed.note,
    )
    if not parsed.figures:
        on_text(document)
        return document
    on_text(replace(document, note=joined_notes(parsed.note, _PICTURES_FAILED)))
    gallery = open_figures(parsed.figures, path.parent)
    return replace(
        document,
        note=joined_notes(parsed.note, gallery.note),
        figures=tuple(gallery.figures),
        num_figures_left_out=gallery.num_left_out,
    )


def _parsed(path: Path) -> tuple[bytes, Parsed]:
    """Return the bytes of a file and what its parser reads in them. Raises ParseError as `parse`."""
    parser = PARSERS.get(path.suffix.lower())
    if parser is None:
        raise ParseError(f"cannot read {path.suffix or 'files without a suffix'}; known: {', '.join(sorted(PARSERS))}")
    try:
        data = path.read_bytes()
        return data, parser(data)
    except (ParseError, MemoryError):
        raise
    except RecursionError as error:
        raise ParseError("the file is nested too deeply to be read") from error
    except OSError as error:
        raise ParseError(f"cannot open the file: {error.strerror or error}") from error
    except Exception as error:  # converters raise anything on damaged files
        raise ParseError(f"the file is damaged or not really {path.suffix}: {error or type(error).__name__}") from error


def _title_from(stem: str) -> str:
    return re.sub(r"[-_\s]+", " ", without_id(stem)).strip().capitalize()
