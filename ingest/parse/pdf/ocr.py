"""Pictures of pages -> printed lines, by text recognition (the `ocr` extra, whose wheels include the models)."""

from __future__ import annotations

import functools
import io
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.parse.document import Box, Parsed, ParseError, note_pages, note_scan
from ingest.parse.pdf.columns import lines_of_parts
from ingest.parse.pdf.layout import Part, Printed
from ingest.parse.pdf.prose import prose
from ingest.parse.pdf.sheet import around, turned

Picture = npt.NDArray[np.uint8]
"""Shape (height, width, 3), in the order blue, green, red."""

_THREADS = {"intra": 2, "inter": 1}
_DPI = 200
_LONGEST_SIDE = 2000
"""In pixels; the engine scales larger pictures down to this."""


def available() -> bool:
    """Return whether the `ocr` extra is installed."""
    return all(find_spec(package) for package in ("rapidocr", "onnxruntime"))


def no_text() -> ParseError:
    """Return the error for a scan without text."""
    if available():
        return ParseError("no text found, even with text recognition (OCR)")
    return ParseError(
        'no text found; a scanned document needs text recognition (OCR): pip install "citeloop[ocr]", then add it again'
    )


def parse_image(data: bytes) -> Parsed:
    """Read a picture, or the pages of a TIFF. Raises ParseError without the extra."""
    if not available():
        raise no_text()
    lines = [read_picture(picture, number) for number, picture in enumerate(_pictures(data), 1)]
    return Parsed(*prose(lines, ()), "")


def read_page(page: Any, number: int) -> list[Printed]:
    """Return the lines of a rendered PDF page."""
    scale = min(_DPI / 72, _LONGEST_SIDE / max(page.get_size()))
    return read_picture(page.render(scale=scale, rev_byteorder=False).to_numpy()[:, :, :3], number)


def _pictures(data: bytes) -> Iterator[Picture]:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(data))
    except UnidentifiedImageError as error:
        raise ParseError("the file is damaged or not really a picture") from error
    num_pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
    note_pages(num_pages)
    for index in range(num_pages):
        image.seek(index)
        upright = ImageOps.exif_transpose(image).convert("RGBA")
        paper = Image.new("RGBA", upright.size, "white")
        yield np.asarray(Image.alpha_composite(paper, upright).convert("RGB"))[:, :, ::-1]


# reading -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Words:
    """Words close together, and their box."""

    text: str
    box: Box

    @property
    def middle(self) -> float:
        return (self.box.top + self.box.bottom) / 2


def read_picture(picture: Picture, number: int) -> list[Printed]:
    """Return the printed lines of a picture in any orientation."""
    if picture.min() == picture.max():
        return []
    note_scan()
    quarters = 0
    found = _recognized(picture, number)
    if _is_sideways(found, picture):
        quarters, picture = 1, np.rot90(picture)
        found = _recognized(picture, number)
    if _is_upside_down(found, picture):
        quarters += 2
        found = [_Words(words.text, turned(words.box, 2)) for words in found]
    aspect = picture.shape[1] / picture.shape[0]
    return lines_of_parts([_parts(row, aspect) for row in _rows(found)], quarters)


@functools.cache
def _engine() -> Any:
    import rapidocr

    models = Path(rapidocr.__file__).parent / "models"
    named = {f"{part.title()}.model_path": str(next(models.glob(f"*_{part}_*.onnx"))) for part in ("det", "rec", "cls")}
    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": count for kind, count in _THREADS.items()}
    return rapidocr.RapidOCR(
        params={"Global.log_level": "critical", **threads, **named}
    )  # a model given by path is never downloaded


def _recognized(picture: Picture, number: int) -> list[_Words]:
    try:
        found = _engine()(np.ascontiguousarray(picture), use_det=True, use_cls=True, use_rec=True)
    except Exception as error:
        if "bad_alloc" in str(error):  # ONNX Runtime is out of memory
            raise MemoryError from error
        raise
    if found.boxes is None or found.txts is None:
        return []
    corners = (found.boxes / np.array([picture.shape[1], picture.shape[0]])).clip(0, 1)
    edges = zip(corners.min(axis=1).tolist(), corners.max(axis=1).tolist(), strict=True)
    return [_Words(_plain(text), Box(number, *low, *high)) for text, (low, high) in zip(found.txts, edges, strict=True)]


def _plain(text: str) -> str:
    """Replace full-width marks, which the multilingual model writes even outside Chinese."""
    chinese = any("\u2e80" <= char <= "\ud7ff" for char in text)
    return " ".join((text if chinese else unicodedata.normalize("NFKC", text)).split())


def _is_sideways(found: Sequence[_Words], picture: Picture) -> bool:
    aspect = picture.shape[0] / picture.shape[1]
    tall = [(words.box.bottom - words.box.top) * aspect > 1.5 * (words.box.right - words.box.left) for words in found]
    return tall.count(True) > len(tall) / 2


def _is_upside_down(found: Sequence[_Words], picture: Picture) -> bool:
    """Return whether the longest lines are upside down; the engine turns lines without reporting it."""
    height, width = picture.shape[:2]
    labels = list[str]()
    for box in sorted((words.box for words in found), key=lambda box: box.left - box.right)[:5]:
        rows, columns = (
            (int(box.top * height), int(box.bottom * height) + 1),
            (int(box.left * width), int(box.right * width) + 1),
        )
        crop = np.ascontiguousarray(picture[slice(*rows), slice(*columns)])
        labels.append(str(_engine()(crop, use_det=False, use_cls=True, use_rec=False).cls_res[0][0]))
    return labels.count("180") > len(labels) / 2


def _rows(found: Iterable[_Words]) -> list[list[_Words]]:
    """Group words at one height as a row; rows from the top, words from the left."""
    rows: list[list[_Words]] = []
    for words in sorted(found, key=lambda words: words.middle):
        if rows and any(other.box.top < words.middle and words.box.top < other.middle for other in rows[-1]):
            rows[-1].append(words)
        else:
            rows.append([words])
    return [sorted(row, key=lambda words: words.box.left) for row in rows]


def _parts(row: Sequence[_Words], aspect: float) -> list[Part]:
    """Return the words of a row, with close ones joined as one part."""
    parts: list[Part] = []
    for text, box in ((words.text, words.box) for words in row):
        if parts and (box.left - parts[-1][1].right) * aspect < 1.5 * (box.bottom - box.top):
            before, beside = parts[-1]
            parts[-1] = (f"{before} {text}", around([beside, box]) or box)
        else:
            parts.append((text, box))
    return parts
