"""A kept PDF or picture -> one page of it as PNG, a passage marked, and the part round the passage for a phone.

The file comes from anybody, so it is opened by `python -m app.ui.source.page_picture`, a process of its own with
limits: one that breaks the renderer breaks nothing else.
"""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
import threading
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pypdfium2
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from ingest import CiteloopError

if TYPE_CHECKING:
    from ingest.parse import Box  # its package brings every converter along

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
SUFFIXES = (".pdf", *PICTURES)
"""The formats of which a page can be shown."""

_WIDTH = 1440
"""Pixels: twice what a wide window gives it; Streamlit would scale a wider one down, and blur it."""
_MAX_HEIGHT = 4 * _WIDTH
_YELLOW = (255, 238, 140)
_OUTLINE = (214, 158, 0)
_MARGIN = 0.045
"""Of the page's width, round the passage in the part for a phone."""
_MIN_PART_WIDTH = 0.5
_SECONDS = 30
_MEMORY_MB = 2048
_at_once = threading.Semaphore(2)

Edges = tuple[float, float, float, float]
"""Left, top, right, bottom, as fractions of the page."""


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A page as PNG, and the part of it round the passage, which is empty where no passage is on the page.

    middle: how far down the passage's middle is, as a fraction of the page's height.
    """

    whole: bytes
    part: bytes
    middle: float
    num_pages: int


class PictureError(CiteloopError):
    """The page cannot be shown as a picture."""


def page_picture(path: Path, page: int, boxes: Sequence[Box]) -> PagePicture:
    """The page with this number, from 1, with the boxes that are on it marked. Raises PictureError."""
    edges = [(box.left, box.top, box.right, box.bottom) for box in boxes if box.page == page]
    request = json.dumps({"path": str(path.resolve()), "page": page, "boxes": edges})
    command = [sys.executable, "-m", "app.ui.source.page_picture"]
    with _at_once:
        try:
            done = subprocess.run(  # noqa: S603  # our own module
                command, input=request.encode(), capture_output=True, timeout=_SECONDS, check=True
            )
            answer = json.loads(done.stdout)
        except (subprocess.SubprocessError, OSError, ValueError) as error:
            raise PictureError("this page cannot be shown as a picture; its text is below") from error
    return PagePicture(b64decode(answer["whole"]), b64decode(answer["part"]), answer["middle"], answer["num_pages"])


def marked(page: Image.Image, boxes: Sequence[Edges]) -> Image.Image:
    """The page with a yellow field over the boxes, as by a marker, and a thin line round it."""
    mask = Image.new("L", page.size)
    draw = ImageDraw.Draw(mask)
    for left, top, right, bottom in boxes:
        gap = min((bottom - top) * page.height * 0.22, 7)  # the lines of a paragraph flow together
        corners = (left * page.width - 6, top * page.height - gap, right * page.width + 6, bottom * page.height + gap)
        draw.rounded_rectangle(corners, radius=5, fill=255)
    line = ImageChops.subtract(mask, mask.filter(ImageFilter.MinFilter(5)))
    yellow = ImageChops.multiply(page, Image.new("RGB", page.size, _YELLOW))
    return Image.composite(
        Image.new("RGB", page.size, _OUTLINE), Image.composite(yellow, page, mask), line.point(lambda value: value // 2)
    )


def part_round(page: Image.Image, boxes: Sequence[Edges]) -> Image.Image:
    """The part of the page that the boxes are in, with some margin, and at least half of the page's width."""
    left, top = min(box[0] for box in boxes) - _MARGIN, min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes) + _MARGIN, max(box[3] for box in boxes)
    if (missing := _MIN_PART_WIDTH - (right - left)) > 0:
        left, right = left - missing / 2, right + missing / 2
        left, right = left + max(-left, 0) - max(right - 1, 0), right + max(-left, 0) - max(right - 1, 0)
    margin = 1.7 * _MARGIN * page.width  # a heading above shows whole
    corners = (left * page.width, top * page.height - margin, right * page.width, bottom * page.height + margin)
    limits = (0, 0, page.width, page.height)
    inside = [max(corners[0], 0), max(corners[1], 0), min(corners[2], limits[2]), min(corners[3], limits[3])]
    return page.crop((int(inside[0]), int(inside[1]), int(inside[2]), int(inside[3])))


# in the process of its own -------------------------------------------------------------------------------


def main() -> None:
    """Answer the request on standard input: a line of JSON with the pictures in base64."""
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_MB << 20, _MEMORY_MB << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    request: dict[str, Any] = json.load(sys.stdin)
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    page, num_pages = _rendered(Path(request["path"]), request["page"])
    part, middle, boxes = b"", 0.0, [tuple(edges) for edges in request["boxes"]]
    if boxes:
        page = marked(page, boxes)
        part = _png(part_round(page, boxes))
        middle = (min(box[1] for box in boxes) + max(box[3] for box in boxes)) / 2
    answer = {"whole": b64encode(_png(page)).decode(), "part": b64encode(part).decode()}
    with open(answers, "w") as out:
        json.dump(answer | {"middle": middle, "num_pages": num_pages}, out)


def _rendered(path: Path, page: int) -> tuple[Image.Image, int]:
    """The page as a picture of the width that is shown, and how many pages there are."""
    if path.suffix == ".pdf":
        return _rendered_pdf(path, page)
    image = Image.open(path)
    num_pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
    image.seek(min(page, num_pages) - 1)
    upright = ImageOps.exif_transpose(image).convert("RGBA")
    paper = Image.new("RGBA", upright.size, "white")
    flat = Image.alpha_composite(paper, upright).convert("RGB")
    scale = min(_WIDTH / flat.width, _MAX_HEIGHT / flat.height)
    if scale < 1 or flat.width < _WIDTH // 2:
        scale = min(scale, 2.0)
        size = (max(round(flat.width * scale), 1), max(round(flat.height * scale), 1))
        flat = flat.resize(size, Image.Resampling.LANCZOS)
    return flat, num_pages


def _rendered_pdf(path: Path, page: int) -> tuple[Image.Image, int]:
    document = pypdfium2.PdfDocument(path)
    opened = document[min(page, len(document)) - 1]
    width, height = opened.get_size()
    scale = min(_WIDTH / width, _MAX_HEIGHT / height)
    return opened.render(scale=scale).to_pil().convert("RGB"), len(document)


def _png(image: Image.Image) -> bytes:
    target = io.BytesIO()
    image.save(target, "PNG", compress_level=4)
    return target.getvalue()


if __name__ == "__main__":
    main()
