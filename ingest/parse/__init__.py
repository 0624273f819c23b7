"""file -> Document: pages of Markdown text, with the headings and their places.

    document  Document  the types, and a Document from text that is at hand
    plain     bytes -> text, whatever the encoding
    markup    Markdown, HTML, DOCX -> Markdown text, all by the same converter
    pdf       PDF -> pages of text

This package does not know how long a passage may be, nor that there is a table.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from ingest.parse.document import (
    PAGE_BREAK,
    Document,
    Heading,
    Page,
    Parsed,
    ParseError,
    document_id,
    one_line,
    parse_text,
)
from ingest.parse.markup import parse_docx, parse_html, parse_markdown
from ingest.parse.pdf import parse_pdf
from ingest.parse.plain import parse_plain

__all__ = ["PAGE_BREAK", "PARSERS", "Document", "Heading", "Page", "ParseError", "document_id", "parse", "parse_text"]

PARSERS: dict[str, Callable[[bytes], Parsed]] = {
    ".pdf": parse_pdf,
    ".md": parse_markdown,
    ".markdown": parse_markdown,
    ".html": parse_html,
    ".htm": parse_html,
    ".docx": parse_docx,
    ".txt": parse_plain,
    ".text": parse_plain,
}
"""File suffix -> parser. Add a format here."""


def parse(path: Path, name: str | None = None) -> Document:
    """Read one file into a Document.

    Raises ParseError when the format is unknown, the file is damaged or locked, or it holds no text.
    """
    parser = PARSERS.get(path.suffix.lower())
    if parser is None:
        raise ParseError(f"cannot read {path.suffix or 'files without a suffix'}; known: {', '.join(sorted(PARSERS))}")
    try:
        data = path.read_bytes()
        parsed = parser(data)
    except ParseError:
        raise
    except OSError as error:
        raise ParseError(f"cannot open the file: {error.strerror or error}") from error
    except Exception as error:  # converters raise anything on damaged files
        raise ParseError(f"the file is damaged or not really {path.suffix}: {error or type(error).__name__}") from error
    if not any(page.text.strip() for page in parsed.pages):
        scan = "; a scanned document needs text recognition (OCR) first" if path.suffix.lower() == ".pdf" else ""
        raise ParseError(f"no text found{scan}")
    return Document(
        id=document_id(str(path.resolve())),
        name=name or path.name,
        title=one_line(parsed.title) or _title_from(path.stem),
        source=str(path.resolve()),
        sha256=hashlib.sha256(data).hexdigest(),
        pages=parsed.pages,
        headings=parsed.headings,
    )


def _title_from(stem: str) -> str:
    return re.sub(r"[-_\s]+", " ", stem).strip().capitalize()
