"""bytes -> text, whatever the encoding."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

from ingest.parse.document import PAGE_BREAK, Page, Parsed, ParseError


def parse_plain(data: bytes) -> Parsed:
    """Plain text as it stands, in pages where it has page breaks. Raises ParseError for an unknown encoding."""
    text = decode(data)
    pages = tuple(
        Page(number if PAGE_BREAK in text else None, part) for number, part in enumerate(text.split(PAGE_BREAK), 1)
    )
    return Parsed(pages, (), "")


def decode(data: bytes) -> str:
    """The text, with line breaks as newlines: UTF-8 or what the byte order mark says, else a guess."""
    try:
        text = data.decode("utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")
    except UnicodeDecodeError:
        if sum(byte > 127 for byte in data) < 0.2 * len(data):  # a few accents and quotes: a Western text
            text = data.decode("cp1252", errors="replace")
        elif best := from_bytes(data).best():
            text = str(best)
        else:
            raise ParseError("not text in any known encoding; save it as UTF-8") from None
    return re.sub(r"\r\n?", "\n", text)
