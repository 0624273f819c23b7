"""Zip containers of Office files and EPUBs, checked before they are opened."""

from __future__ import annotations

import io
import re
import zipfile

from ingest.parse.document import ParseError

MAX_BYTES = 500_000_000
"""More than any document unpacks to: a larger one is a zip bomb or a film."""

_MAX_RATIO = 400  # XML shrinks to a tenth, dull worksheets to a hundredth
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_MANIFEST = "META-INF/manifest.xml"
LOCKED = "the file is locked with a password; save it without one and add it again"


def checked_zip(data: bytes, part: str) -> zipfile.ZipFile:
    """Return the open container. Raises ParseError if it is locked, lacks this part, or would unpack too large."""
    check_not_old_office(data)
    container = zipfile.ZipFile(io.BytesIO(data))
    entries = container.infolist()
    size = sum(entry.file_size for entry in entries)
    if size > MAX_BYTES or size > max(_MAX_RATIO * len(data), MAX_BYTES // 10):
        raise ParseError(f"the file would unpack to {size / 1e6:,.0f} MB; it is damaged or not a document")
    if any(entry.flag_bits & 1 for entry in entries):
        raise ParseError(LOCKED)
    if part not in container.namelist():
        raise ParseError("this is a zip file, but not of the format in its name")
    return container


_OLD = "this is an old Office format; name a workbook .xls, save others as .docx or .pptx, and add it again"


def check_not_old_office(data: bytes) -> None:
    """Raise ParseError if it is a container of the old Office formats; a locked file of the new ones is one, too."""
    if data.startswith(_OLE):
        raise ParseError(LOCKED if is_locked(data) else _OLD)


def is_locked(data: bytes) -> bool:
    """Return whether a container of the old Office formats holds a locked file of the new ones."""
    return _name("EncryptedPackage") in data


def _name(entry: str) -> bytes:
    """Return an entry's name as old Office containers encode it."""
    return entry.encode("utf-16-le")


def office_file(data: bytes) -> bytes:
    """Return a DOCX, PPTX or XLSX that is safe to open, with the namespaces that parsers know.

    Strict Open XML differs from the usual one only in its namespaces.
    """
    with checked_zip(data, "[Content_Types].xml") as container:
        if b"http://purl.oclc.org/ooxml/" not in container.read("_rels/.rels"):
            return data
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as usual:
            for entry in container.infolist():
                usual.writestr(entry, _usual_namespaces(container.read(entry)))
    return buffer.getvalue()


def opendocument_parts(data: bytes) -> dict[str, bytes]:
    """Return the XML of an ODT, ODS or ODP by name. Raises ParseError if it is encrypted or has no content."""
    with checked_zip(data, _MANIFEST) as package:
        if b"encryption-data" in package.read(_MANIFEST):
            raise ParseError(LOCKED)
        parts = {name: package.read(name) for name in package.namelist() if name.endswith(".xml")}
    if "content.xml" not in parts:
        raise ParseError("this OpenDocument file is damaged: it has no content.xml")
    return parts


def embedded_note(data: bytes) -> str:
    """Return a note on the files that an Office file embeds, '' for none; a chart's own numbers are read."""
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        parts = {name: package.read(name) for name in package.namelist() if name.endswith(".rels")}
    links = [
        link
        for name, part in parts.items()
        if "/charts/" not in name
        for link in re.findall(rb"<Relationship [^>]*>", part)
    ]
    targets = [
        target
        for link in links
        if b"TargetMode" not in link
        for target in re.findall(rb'Target="([^"]*embeddings/[^"]*)"', link)
    ]
    names = ", ".join(sorted({target.decode(errors="replace").rpartition("/")[2] for target in targets}))
    return f"embedded files not read: {names}" if names else ""


def _usual_namespaces(part: bytes) -> bytes:
    return re.sub(rb"http://purl\.oclc\.org/ooxml/(\w+)/", rb"http://schemas.openxmlformats.org/\1/2006/", part)
