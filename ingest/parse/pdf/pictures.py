"""A PDF page -> the places of its pictures; those places and the pages' text -> pictures with captions.

A picture is drawn from the page as a reader sees it, with the words and lines over it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ctypes import c_uint
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pypdfium2
import pypdfium2.raw as pdfium

from ingest.parse.document import PAGE_BREAK, Box, FoundFigure, Page
from ingest.parse.figures import label_of
from ingest.parse.pdf.paths import images
from ingest.parse.pdf.sheet import Sheet, turned

if TYPE_CHECKING:
    from PIL.Image import Image

Edges = tuple[float, float, float, float]
"""Left, top, right and bottom in points from the upper left corner of the sheet."""

_LEAST_SIDE = 48.0  # points: smaller ones are icons
_LEAST_SHARE = 0.015  # of the page
_WHOLE_PAGE = 0.85  # of the page
_TOUCH = 2.0  # points: pieces of one picture, which some writers cut into strips
_MOST_PIECES = 200
_NEAR = 0.06  # of the page's height: between a picture and its caption
_DPI = 150
_LONGEST_PAGE = 4000  # pixels


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture's place on its page. keys: of its pieces, the same where they show the same."""

    box: Box
    keys: tuple[object, ...]
    is_small: bool = False


def places(page: pypdfium2.PdfPage, sheet: Sheet, *, is_read: bool) -> list[Placed]:
    """Return the places of the page's pictures, without those behind all of its text.

    is_read: whether the page's text is known, so that a picture of the whole page is a scan or a background.
    """
    pieces = [
        (edges, _key(image, edges))
        for image, edges in images(page, sheet.matrix)
        if not (is_read and _share(edges, sheet) > _WHOLE_PAGE)
    ]
    return [_placed(edges, keys, sheet) for edges, keys in _merged(pieces[:_MOST_PIECES])]


def _key(image: Any, edges: Edges) -> object:
    """Return the size in pixels, in bytes and on the page: enough to know a logo again without reading its pixels."""
    width, height = c_uint(), c_uint()
    pdfium.FPDFImageObj_GetImagePixelSize(image, width, height)
    num_bytes = pdfium.FPDFImageObj_GetImageDataRaw(image, None, 0)
    return width.value, height.value, num_bytes, round(edges[2] - edges[0]), round(edges[3] - edges[1])


def _merged(pieces: Sequence[tuple[Edges, object]]) -> Iterator[tuple[Edges, tuple[object, ...]]]:
    """Yield pictures whose pieces touch as one."""
    left: list[tuple[Edges, tuple[object, ...]]] = [(edges, (key,)) for edges, key in pieces]
    while left:
        edges, keys = left.pop(0)
        while touching := next((piece for piece in left if _touch(edges, piece[0])), None):
            left.remove(touching)
            edges, keys = _around(edges, touching[0]), (*keys, *touching[1])
        yield edges, keys


def _touch(one: Edges, other: Edges) -> bool:
    return (
        max(one[0], other[0]) <= min(one[2], other[2]) + _TOUCH
        and max(one[1], other[1]) <= min(one[3], other[3]) + _TOUCH
    )


def _around(one: Edges, other: Edges) -> Edges:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _share(edges: Edges, sheet: Sheet) -> float:
    return (edges[2] - edges[0]) * (edges[3] - edges[1]) / (sheet.width * sheet.height)


def _placed(edges: Edges, keys: tuple[object, ...], sheet: Sheet) -> Placed:
    shown = (max(edges[0], 0), max(edges[1], 0), min(edges[2], sheet.width), min(edges[3], sheet.height))
    width, height = shown[2] - shown[0], shown[3] - shown[1]
    is_small = min(width, height) < _LEAST_SIDE or _share(shown, sheet) < _LEAST_SHARE
    fractions = (shown[0] / sheet.width, shown[1] / sheet.height, shown[2] / sheet.width, shown[3] / sheet.height)
    return Placed(turned(Box(sheet.number, *fractions), -sheet.quarters), keys, is_small)


# pages' text -> captions -------------------------------------------------------------------------------


def figures(data: bytes, pages: Sequence[Page], placed: Sequence[Sequence[Placed]]) -> tuple[FoundFigure, ...]:
    """Return the pictures of all pages with captions and positions. placed: for each page."""
    pdf = cache(partial(pypdfium2.PdfDocument, data))  # opened again for the first picture that is drawn
    found, start = list[FoundFigure](), 0
    for page, on_page in zip(pages, placed, strict=True):
        for place in on_page:
            caption, position = _caption(page, place.box)
            load = partial(_drawn, pdf, place.box)
            found.append(
                FoundFigure(
                    caption, page.number, start + position, place.keys, load, box=place.box, is_small=place.is_small
                )
            )
        start += len(page.text) + len(PAGE_BREAK)
    return tuple(found)


def _caption(page: Page, box: Box) -> tuple[str, int]:
    """Return the nearest caption above or below a picture and its place; without one, that of the nearest text."""
    distances = [(_distance(line.box, box), line) for line in page.lines]
    captions = [
        (distance, line.start, paragraph)
        for distance, line in distances
        if distance < _NEAR and label_of(paragraph := page.text[line.start :].split("\n", 1)[0])
    ]
    if captions:
        _, start, paragraph = min(captions)
        return paragraph, start
    nearest = min(distances, key=lambda pair: pair[0], default=None)
    return "", nearest[1].start if nearest else 0


def _distance(line: Box, picture: Box) -> float:
    """Return how far a line is above or below a picture, in page heights; 2 and more if it is beside it."""
    beside = max(line.left - picture.right, picture.left - line.right, 0.0)
    apart = max(line.top - picture.bottom, picture.top - line.bottom, 0.0)
    return apart + (2 + beside if beside else 0)


def _drawn(pdf: Any, box: Box, _folder: Path) -> Image:
    page = pdf()[box.page - 1]
    width, height = page.get_size()
    scale = min(_DPI / 72, _LONGEST_PAGE / max(width, height))
    crop = (box.left * width, (1 - box.bottom) * height, (1 - box.right) * width, box.top * height)
    image: Image = page.render(scale=scale, crop=crop).to_pil()
    page.close()
    return image
