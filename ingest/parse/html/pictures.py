"""The <img> elements of a page -> its pictures with captions.

Nothing is fetched: a picture is in the page as a data: address, or a file at a relative address.
"""

from __future__ import annotations

import base64
import re
from binascii import Error as NotBase64
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import PurePosixPath
from urllib.parse import unquote

from bs4.element import NavigableString, Tag

from ingest.parse.document import FoundFigure
from ingest.parse.figures import MAX_FIGURES, at_address, caption_in, embedded

MARK = "\ue001"
"""A private character, stands for a picture during conversion."""
_DATA = re.compile(r"data:image/(?:png|jpe?g|gif|webp|bmp|tiff)(?:;[\w=-]+)*;base64,", re.IGNORECASE)
_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".emf", ".wmf")
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|[/\\]", re.IGNORECASE)
_BLOCKS = ("p", "div", "figure", "td", "li", "section", "article", "body")


def pictures_of(body: Tag, length_before: Callable[[str], int], convert: Callable[[], str]) -> tuple[FoundFigure, ...]:
    """Return the pictures of a page that is converted already; replaces their elements.

    convert: returns the page converted once more. length_before: of the finished text up to a place in that. A second
    conversion, since marks would change the text of the first.
    """
    found = ((element, _picture(element, str(element.get("src") or "").strip())) for element in body("img"))
    pictures = list(islice(((element, picture) for element, picture in found if picture), 2 * MAX_FIGURES))
    if not pictures:
        return ()
    for element, _ in pictures:
        element.replace_with(NavigableString(MARK))
    parts = convert().split(MARK)
    return tuple(
        replace(picture, position=length_before("".join(parts[: number + 1])))
        for number, (_, picture) in enumerate(pictures)
    )


def _picture(element: Tag, source: str) -> FoundFigure | None:
    if match := _DATA.match(source):
        try:
            return embedded(base64.b64decode(unquote(source[match.end() :])), _caption(element))
        except NotBase64:
            return None
    address = unquote(re.split(r"[?#]", source)[0])
    if _ELSEWHERE.match(address) or PurePosixPath(address).suffix.lower() not in _SUFFIXES:
        return None
    return at_address(address, _caption(element))


def _caption(element: Tag) -> str:
    """Return the figcaption, a line beside the picture that begins as a caption does, or its alternative text."""
    around = element.find_parent("figure")
    if around and around.figcaption:
        return str(around.figcaption.get_text(" "))
    block = element.find_parent(_BLOCKS) or element
    beside = (block, block.find_next_sibling(True), block.find_previous_sibling(True))
    texts = (line for part in beside if part for line in part.get_text("\n").strip().split("\n"))
    return caption_in(texts) or str(element.get("alt") or element.get("title") or "")
