"""Plain text -> pages, if it has page breaks."""

from __future__ import annotations

from ingest.parse.document import PAGE_BREAK, Page, Parsed
from ingest.parse.encoding import read_text


def parse_plain(data: bytes) -> Parsed:
    """Parse plain text, unchanged. Raises ParseError for an unknown encoding and for binary data."""
    parts = read_text(data).split(PAGE_BREAK)
    return Parsed(tuple(Page(number if len(parts) > 1 else None, part) for number, part in enumerate(parts, 1)), (), "")
