"""Pictures that a parser found -> Figures: opened, without small and repeated ones, within limits; and their captions.

Each is drawn again as PNG or JPEG, so that nothing else of a hostile file reaches a browser or a model.
"""

from __future__ import annotations

import hashlib
import io
import posixpath
import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.parse.document import Figure, FoundFigure, note_figure, one_line, whole_characters
from ingest.parse.marks import without_invisible

if TYPE_CHECKING:
    from PIL.Image import Image  # takes 40 ms to import, and most documents have no picture

MAX_FIGURES = 100
"""Per document, as are the bytes."""
_MAX_BYTES = 16_000_000
_MAX_FILE_BYTES = 50_000_000
_MAX_PIXELS = 40_000_000
_LONGEST_SIDE = 1600
"""In pixels, as kept: enough to read the labels of a chart."""
_MIN_SIDE = 64
_MIN_PIXELS = 15_000
"""Smaller ones are icons, buttons and bullets."""
_MAX_ASPECT = 8
"""Longer ones are rules and banners."""
_REPEATS = 3
_FEW_COLORS = 4096
"""Pictures with more are photos, which JPEG keeps in a tenth of the bytes."""
_CAPTION_CHARACTERS = 300
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")

_WORDS = {
    "figure": r"fig(?:ure|ura|uur)?|abb(?:ildung)?|bild|chart|graph(?:ic)?|grafik|gráfico|diagramm?e?|exhibit|image"
    r"|illustration|schema|rys(?:unek)?|[图圖図]",
    "table": r"tab(?:le|elle|leau|la|ella|ela|el)?|[表]",
}
_LABELS = {
    kind: re.compile(rf"(?<!\w)(?:{words})\s*\.?\s*([A-Z]?\d+(?:[.-]\d+)*[a-z]?)(?!\w)", re.IGNORECASE)
    for kind, words in _WORDS.items()
}


@dataclass(slots=True)
class Gallery:
    """The figures of a document. num_left_out: small and repeated ones. note: which others are missing, or ''."""

    figures: list[Figure] = field(default_factory=list)
    num_left_out: int = 0
    num_unread: int = 0
    num_over: int = 0

    @property
    def note(self) -> str:
        over = f"{self.num_over} beyond the first {MAX_FIGURES} or {_MAX_BYTES // 10**6} MB" if self.num_over else ""
        unread = f"{self.num_unread} damaged, too large, or of an unknown format" if self.num_unread else ""
        missing = ", ".join(filter(None, (unread, over)))
        return f"pictures left out: {missing}" if missing else ""


def open_figures(found: Sequence[FoundFigure], folder: Path) -> Gallery:
    """Return the pictures that are worth showing, in order. folder: of the document, for the files beside it."""
    gallery, num_bytes = Gallery(), 0
    repeats = Counter(figure.key for figure in found)
    for figure in found:
        if figure.is_small or repeats[figure.key] >= _REPEATS:
            gallery.num_left_out += 1
            continue
        if len(gallery.figures) == MAX_FIGURES or num_bytes > _MAX_BYTES:
            gallery.num_over += 1
            continue
        try:
            picture = _opened(figure, folder)
        except (Exception, MemoryError):  # decoders raise anything on damaged files
            gallery.num_unread += 1
            continue
        if picture is None:
            gallery.num_left_out += 1
            continue
        num_bytes += len(picture)
        caption = one_line(without_invisible(whole_characters(figure.caption)))[:_CAPTION_CHARACTERS]
        place = (caption, figure.page, figure.position)
        gallery.figures.append(Figure(*place, picture, figure.address, figure.box))
    return gallery


def _opened(figure: FoundFigure, folder: Path) -> bytes | None:
    """Return the picture as PNG or JPEG, b'' if its file is not there, or None if it is small."""
    note_figure()
    try:
        image = figure.load(folder)
    except FileNotFoundError:
        return b""
    return None if _is_small(*image.size) else encoded(image)


def _is_small(width: int, height: int) -> bool:
    short, long = sorted((width, height))
    return short < _MIN_SIDE or width * height < _MIN_PIXELS or long > _MAX_ASPECT * short


def opened(data: bytes) -> Image:
    """Return a picture whose size is known and whose pixels are not read yet. Raises ValueError if it is too large."""
    from PIL import Image

    with warnings.catch_warnings(action="ignore"):  # the limit below is lower
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    if image.width * image.height > _MAX_PIXELS:
        raise ValueError(f"a picture of {image.width:,} x {image.height:,} pixels is too large")
    return image


def encoded(image: Image) -> bytes:
    """Return the picture upright, on white, at most 1600 pixels long, as PNG or, with many colors, as JPEG."""
    from PIL import Image, ImageOps

    size = (_LONGEST_SIDE, _LONGEST_SIDE)
    if image.format == "JPEG":
        image.thumbnail(size)  # decodes no more pixels than needed
    flat = ImageOps.exif_transpose(image)
    if flat.mode not in ("RGB", "L"):
        clear = flat.convert("RGBA")
        flat = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    flat = flat.convert("RGB")
    flat.thumbnail(size)
    target = io.BytesIO()
    if flat.getcolors(_FEW_COLORS):
        flat.save(target, "PNG")
    else:
        flat.save(target, "JPEG", quality=85)
    return target.getvalue()


def embedded(data: bytes, caption: str, position: int = 0) -> FoundFigure:
    """Return a picture whose bytes are at hand."""
    return FoundFigure(caption, None, position, hashlib.sha256(data).digest(), lambda _: opened(data))


def at_address(address: str, caption: str) -> FoundFigure:
    """Return a picture at a relative address: a file beside the document or below its folder."""

    def load(folder: Path) -> Image:
        path = (folder / address).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            raise FileNotFoundError
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise ValueError("the file is too large")
        return opened(path.read_bytes())

    return FoundFigure(caption, None, 0, address, load, address)


def in_package(figures: Iterable[FoundFigure], package: bytes, folder: str = "") -> tuple[FoundFigure, ...]:
    """Return the pictures whose address, seen from a folder, is a part of this zip file, with its bytes."""
    figures, found = list(figures), list[FoundFigure]()
    if not figures:
        return ()
    with zipfile.ZipFile(io.BytesIO(package)) as parts:
        names = set(parts.namelist())
        for figure in figures:
            if (name := posixpath.normpath(posixpath.join(folder, figure.address))) in names:
                picture = embedded(parts.read(name), figure.caption, figure.position)
                found.append(replace(picture, page=figure.page))
    return tuple(found)


# captions ----------------------------------------------------------------------------------------------


def labels(text: str) -> set[tuple[str, str]]:
    """Return the numbered figures and tables that a text names, such as ("figure", "3")."""
    found = ((kind, match[1]) for kind, pattern in _LABELS.items() for match in pattern.finditer(text))
    return {(kind, number.lower()) for kind, number in found}


def label_of(line: str) -> tuple[str, str] | None:
    """Return the figure or table that a line is the caption of, or None: "Figure 3: ..." gives ("figure", "3")."""
    found = ((kind, pattern.match(line.strip())) for kind, pattern in _LABELS.items())
    return next(((kind, match[1].lower()) for kind, match in found if match), None)


def caption_in(lines: Iterable[str]) -> str:
    """Return the first line that is a caption, or ''."""
    return next((line.strip() for line in lines if label_of(line)), "")
