"""The zip container of Office files and EPUBs: opened, or refused with the reason."""

from __future__ import annotations

import io
import re
import zipfile

from ingest.parse.document import ParseError

MAX_BYTES = 500_000_000
"""More than any document unpacks to; what says it does is a zip bomb or a film."""

_MAX_RATIO = 400  # XML shrinks to a tenth, dull worksheets to a hundredth
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_LOCKED = "the file is locked with a password; save it without one and add it again"


def checked_zip(data: bytes, part: str) -> zipfile.ZipFile:
    """The open container. Raises ParseError where it is locked, lacks this part, or unpacks to too much."""
    if data.startswith(_OLE):
        raise ParseError(_LOCKED if _name("EncryptedPackage") in data else _OLD)
    container = zipfile.ZipFile(io.BytesIO(data))
    entries = container.infolist()
    size = sum(entry.file_size for entry in entries)
    if size > MAX_BYTES or size > max(_MAX_RATIO * len(data), MAX_BYTES // 10):
        raise ParseError(f"the file would unpack to {size / 1e6:,.0f} MB; this is no document, or a damaged one")
    if any(entry.flag_bits & 1 for entry in entries):
        raise ParseError(_LOCKED)
    if part not in container.namelist():
        raise ParseError("this is a zip file, but not of the format that its name says")
    return container


_OLD = "a file of the old Office formats (.doc, .xls, .ppt); save it as .docx, .xlsx or .pptx and add it again"


def _name(entry: str) -> bytes:
    """An entry's name as a container of the old Office formats spells it."""
    return entry.encode("utf-16-le")


def office_file(data: bytes) -> bytes:
    """A DOCX, PPTX or XLSX that is safe to open, with the namespaces that its readers know.

    Strict Open XML differs from the usual one in nothing but its namespaces.
    """
    with checked_zip(data, "[Content_Types].xml") as container:
        if b"http://purl.oclc.org/ooxml/" not in container.read("_rels/.rels"):
            return data
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as usual:
            for entry in container.infolist():
                usual.writestr(entry, _usual_namespaces(container.read(entry)))
    return buffer.getvalue()


def _usual_namespaces(part: bytes) -> bytes:
    return re.sub(rb"http://purl\.oclc\.org/ooxml/(\w+)/", rb"http://schemas.openxmlformats.org/\1/2006/", part)
