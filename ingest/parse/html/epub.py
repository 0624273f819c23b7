"""EPUB -> its chapters in reading order."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import unquote

from bs4 import BeautifulSoup

from ingest.parse.archive import checked_zip
from ingest.parse.document import Parsed, ParseError, joined, one_line
from ingest.parse.encoding import read_markup
from ingest.parse.figures import in_package
from ingest.parse.html.boilerplate import visible_part_of
from ingest.parse.html.markup import from_html

_CONTAINER = "META-INF/container.xml"


def parse_epub(data: bytes) -> Parsed:
    """Parse a book. Raises ParseError when its chapters are encrypted."""
    with checked_zip(data, _CONTAINER) as book:
        package = _xml(book, _CONTAINER).find("rootfile")
        if package is None:
            raise ParseError("this EPUB is damaged: it does not list its content")
        path = str(package["full-path"])
        content = _xml(book, path)
        chapters = list(_chapters(content, posixpath.dirname(path)))
        if _encrypted(book) & set(chapters):
            raise ParseError("the book has copy protection (DRM); add a copy without it")
        names = set(book.namelist())
        parts = []
        for chapter in chapters:
            if chapter in names:
                parsed = from_html(read_markup(book.read(chapter)), visible_part_of)
                pictures = in_package(parsed.figures, data, posixpath.dirname(chapter))
                parts.append(replace(parsed, figures=pictures))
        title = content.find("title")
    return joined((part for part in parts if part.pages[0].text), one_line(title.get_text()) if title else "")


def _xml(book: zipfile.ZipFile, path: str) -> BeautifulSoup:
    return BeautifulSoup(book.read(path), "xml")


def _chapters(content: BeautifulSoup, folder: str) -> Iterator[str]:
    """Yield the paths of the chapters in spine order, without the table of contents."""
    files = {str(item.get("id")): item for item in content.find_all("item")}
    for reference in content.find_all("itemref"):
        item = files.get(str(reference.get("idref")))
        kind = str(item.get("media-type")) if item else ""
        if item and "html" in kind and "nav" not in str(item.get("properties", "")).split():
            yield posixpath.normpath(posixpath.join(folder, unquote(str(item["href"]))))


def _encrypted(book: zipfile.ZipFile) -> set[str]:
    """Return the paths of encrypted files; in readable books these are only fonts."""
    if "META-INF/encryption.xml" not in book.namelist():
        return set()
    references = _xml(book, "META-INF/encryption.xml").find_all("CipherReference")
    return {posixpath.normpath(unquote(str(reference.get("URI", "")))) for reference in references}
