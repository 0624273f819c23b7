"""PDF or picture -> one page as PNG with a passage marked, and a crop around the passage for phones.

Files are untrusted, so `python -m app.ui.source.page_picture` opens them in a separate process with limits: a file that
crashes the renderer harms nothing else.
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

from app.translation import N_
from ingest import CiteloopError

if TYPE_CHECKING:
    from ingest.parse import Box  # its package imports every converter

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
SUFFIXES = (".pdf", *PICTURES)
"""Formats with page pictures."""

_WIDTH = 1440
"""Pixels: twice the width in a wide window; Streamlit would shrink and blur a wider one."""
_MAX_HEIGHT = 4 * _WIDTH
_YELLOW = (255, 238, 140)
_OUTLINE = (214, 158, 0)
_MARGIN = 0.045
"""Margin of the crop, as a fraction of the page's width."""
_MIN_PART_WIDTH = 0.5
_SECONDS = 30
_MEMORY_MB = 2048
_at_once = threading.Semaphore(2)

Edges = tuple[float, float, float, float]
"""Left, top, right, bottom, as fractions of the page."""


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A page as PNG, and its crop around the passage, empty if the passage is not on the page.

    middle: of the passage, from the top, as a fraction of the page's height.
    """

    whole: bytes
    part: bytes
    middle: float
    num_pages: int


class PictureError(CiteloopError):
    """The page cannot be shown as a picture."""


def page_picture(path: Path, page: int, boxes: Sequence[Box]) -> PagePicture:
    """Return page number `page` (from 1) with its boxes marked. Raises PictureError."""
    edges = [(box.left, box.top, box.right, box.bottom) for box in boxes if box.page == page]
    request = json.dumps({"path": str(path.resolve()), "page": page, "boxes": edges})
    command = [sys.executable, "-m", "app.ui.source.page_picture"]
    with _at_once:
        try:
            done = subprocess.run(  # noqa: S603  # fixed module name
                command, input=request.encode(), capture_output=True, timeout=_SECONDS, check=True
            )
            answer = json.loads(done.stdout)
        except (subprocess.SubprocessError, OSError, ValueError) as error:
            raise PictureError(N_("this page cannot be shown as a picture; its text is below")) from error
    return PagePicture(b64decode(answer["whole"]), b64decode(answer["part"]), answer["middle"], answer["num_pages"])


def marked(page: Image.Image, boxes: Sequence[Edges]) -> Image.Image:
    """Return the page with the boxes highlighted in yellow and outlined."""
    mask = Image.new("L", page.size)
    draw = ImageDraw.Draw(mask)
    for left, top, right, bottom in boxes:
        gap = min((bottom - top) * page.height * 0.22, 7)  # joins the lines of a paragraph
        corners = (left * page.width - 6, top * page.height - gap, right * page.width + 6, bottom * page.height + gap)
        draw.rounded_rectangle(corners, radius=5, fill=255)
    line = ImageChops.subtract(mask, mask.filter(ImageFilter.MinFilter(5)))
    yellow = ImageChops.multiply(page, Image.new("RGB", page.size, _YELLOW))
    return Image.composite(
        Image.new("RGB", page.size, _OUTLINE), Image.composite(yellow, page, mask), line.point(lambda value: value // 2)
    )


def part_round(page: Image.Image, boxes: Sequence[Edges]) -> Image.Image:
    """Return the crop around the boxes, with a margin and at least half the page's width."""
    left, top = min(box[0] for box in boxes) - _MARGIN, min(box[1] for box in boxes)
    right, bottom = max(box[2] for box in boxes) + _MARGIN, max(box[3] for box in boxes)
    if (missing := _MIN_PART_WIDTH - (right - left)) > 0:
        left, right = left - missing / 2, right + missing / 2
        left, right = left + max(-left, 0) - max(right - 1, 0), right + max(-left, 0) - max(right - 1, 0)
    margin = 1.7 * _MARGIN * page.width  # enough for a heading above
    corners = (left * page.width, top * page.height - margin, right * page.width, bottom * page.height + margin)
    limits = (0, 0, page.width, page.height)
    inside = [max(corners[0], 0), max(corners[1], 0), min(corners[2], limits[2]), min(corners[3], limits[3])]
    return page.crop((int(inside[0]), int(inside[1]), int(inside[2]), int(inside[3])))


# in the separate process --------------------------------------------------------------------------------


def main() -> None:
    """Read a request from standard input; write JSON with the pictures in base64."""
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_MB << 20, _MEMORY_MB << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    request: dict[str, Any] = json.load(sys.stdin)
    answers = os.dup(1)
    os.dup2(2, 1)  # keep library output out of the answer
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
    """Return the page as a picture of the shown width, and the number of pages."""
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
