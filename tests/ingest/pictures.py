"""Small pictures, and files that hold them."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pypdf
from PIL import Image, ImageDraw
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject, NumberObject

from ingest import CiteloopError
from tests.ingest.samples import make_pdf

Place = tuple[float, float, float, float]
"""Left, bottom, width and height in points."""


def picture(color: str = "red", size: tuple[int, int] = (300, 200), kind: str = "PNG") -> bytes:
    """A chart with one bar."""
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle((size[0] // 3, size[1] // 3, size[0] // 2, size[1]), fill=color)
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def pdf_with_pictures(pages: Sequence[Sequence[str]], drawn: Sequence[tuple[int, bytes, Place]]) -> bytes:
    """A PDF of these lines, with each JPEG on its page, counted from 0."""
    writer = pypdf.PdfWriter(io.BytesIO(make_pdf(pages)))
    for number, (index, data, (left, bottom, width, height)) in enumerate(drawn):
        pixels = Image.open(io.BytesIO(data)).size
        image = DecodedStreamObject()
        image.set_data(data)
        names = {"/Type": "/XObject", "/Subtype": "/Image", "/ColorSpace": "/DeviceRGB", "/Filter": "/DCTDecode"}
        image.update({NameObject(key): NameObject(value) for key, value in names.items()})
        numbers = {"/Width": pixels[0], "/Height": pixels[1], "/BitsPerComponent": 8}
        image.update({NameObject(key): NumberObject(value) for key, value in numbers.items()})
        page, name = writer.pages[index], NameObject(f"/P{number}")
        resources = page["/Resources"].get_object()
        assert isinstance(resources, DictionaryObject)
        resources.setdefault(NameObject("/XObject"), DictionaryObject())
        objects = resources["/XObject"]
        assert isinstance(objects, DictionaryObject)
        objects[name] = writer._add_object(image)
        content = DecodedStreamObject()
        drawing = f"\nq {width} 0 0 {height} {left} {bottom} cm {name} Do Q"
        lines = page.get_contents()
        assert lines is not None
        content.set_data(lines.get_data() + drawing.encode())
        page[NameObject("/Contents")] = writer._add_object(content)
        page[NameObject("/Resources")] = DictionaryObject(resources)
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


class Seeing:
    """Describes every picture with the same words; fails as often as it is told to."""

    name = "seeing-1"

    def __init__(self, words: str = "A bar chart: sales of valves fell to 17 in 2025.", num_failures: int = 0) -> None:
        self.words, self.num_failures = words, num_failures
        self.asked: list[str] = []

    def describe(self, picture: bytes, caption: str) -> str:
        assert picture.startswith(b"\x89PNG")
        self.asked.append(caption)
        if len(self.asked) <= self.num_failures:
            raise CiteloopError("the server is busy")
        return self.words
