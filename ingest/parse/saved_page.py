"""MHTML -> the page in it: saved by a browser or notebook, or exported by a wiki under the name .doc."""

from __future__ import annotations

import base64
import email
import re
from collections.abc import Iterable
from email import policy
from email.message import MIMEPart
from html import unescape

from ingest.parse.archive import check_not_old_office
from ingest.parse.document import Parsed, ParseError
from ingest.parse.html.markup import parse_html
from ingest.parse.mail import bytes_of, words_of

_SOURCE = re.compile(r"(?P<tag><img\b[^>]*?\ssrc=[\"']?)(?P<address>[^\"'\s>]+)", re.IGNORECASE)


def parse_saved_page(data: bytes) -> Parsed:
    """Parse a web page with its pictures in one file, or HTML itself. Raises ParseError if it is neither."""
    check_not_old_office(data)
    parts = [part for part in email.message_from_bytes(data, policy=policy.default).walk() if not part.is_multipart()]
    page = next((part for part in parts if part.get_content_type() == "text/html"), None)
    if page is not None:
        return parse_html(_with_pictures(words_of(page), parts).encode())
    if re.search(rb"<html\b", data[:4096], re.IGNORECASE):
        return parse_html(data)
    raise ParseError("this is not a saved web page: it has no HTML")


def _with_pictures(html: str, parts: Iterable[MIMEPart]) -> str:
    """Return the page with each picture of the file in place of its address."""
    pictures: dict[str, str] = {}
    for part in parts:
        if part.get_content_maintype() == "image":
            location = str(part.get("Content-Location", "")).strip()
            data = f"data:{part.get_content_type()};base64,{base64.b64encode(bytes_of(part)).decode()}"
            names = (location, location.rpartition("/")[2], f"cid:{str(part.get('Content-ID', '')).strip(' <>')}")
            pictures |= {name: data for name in names if name not in ("", "cid:")}
    return _SOURCE.sub(lambda found: found["tag"] + pictures.get(unescape(found["address"]), found["address"]), html)
