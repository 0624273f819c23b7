from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from app.ui.source.page_picture import PictureError, page_picture
from ingest.parse import Box
from tests.ingest.samples import make_pdf

BOX = Box(2, 0.1, 0.5, 0.6, 0.52)


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    path = tmp_path / "three.pdf"
    path.write_bytes(make_pdf([["One."], ["Two."], ["Three."]]))
    return path


def opened(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def pixel(png: bytes, across: float, down: float) -> tuple[int, ...]:
    image = opened(png)
    colour = image.getpixel((int(across * image.width), int(down * image.height)))
    assert isinstance(colour, tuple)
    return tuple(int(value) for value in colour)


def test_a_page_is_marked_where_its_boxes_are_and_nowhere_else(pdf: Path) -> None:
    picture = page_picture(pdf, 2, [BOX])
    assert picture.num_pages == 3
    red, green, blue = pixel(picture.whole, 0.3, 0.51)
    assert red > 240
    assert green > 200
    assert blue < 180
    assert pixel(picture.whole, 0.3, 0.6) == (255, 255, 255)
    assert picture.middle == pytest.approx(0.51)


def test_the_words_below_the_mark_stay_black(tmp_path: Path) -> None:
    path = tmp_path / "words.pdf"
    path.write_bytes(make_pdf([["W" * 20]]))
    whole = opened(page_picture(path, 1, [Box(1, 0.05, 0.03, 0.5, 0.06)]).whole)
    assert sum(whole.convert("L").histogram()[:60]) > 100


def test_the_part_for_a_phone_is_what_is_round_the_boxes(pdf: Path) -> None:
    picture = page_picture(pdf, 2, [BOX])
    whole, part = opened(picture.whole), opened(picture.part)
    assert whole.width == 1440  # twice what a wide window gives it, and what Streamlit leaves as it is
    assert 0.5 * whole.width <= part.width < 0.7 * whole.width
    assert part.height < 0.15 * whole.height


def test_a_box_at_the_edge_gives_a_part_inside_the_page(pdf: Path) -> None:
    part = opened(page_picture(pdf, 1, [Box(1, 0.9, 0.0, 1.0, 0.02)]).part)
    assert part.width >= 720


def test_boxes_of_another_page_mark_nothing(pdf: Path) -> None:
    picture = page_picture(pdf, 1, [BOX])
    assert picture.part == b""
    assert pixel(picture.whole, 0.3, 0.51) == (255, 255, 255)


def test_a_page_number_beyond_the_end_gives_the_last_page(pdf: Path) -> None:
    assert page_picture(pdf, 99, []).whole == page_picture(pdf, 3, []).whole


def test_a_picture_is_shown_as_a_camera_held_it(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.new("RGB", (400, 200), "navy").save(path, exif=exif)
    picture = page_picture(path, 1, [])
    shown = opened(picture.whole)
    assert shown.height > shown.width
    assert picture.num_pages == 1


def test_each_page_of_a_tiff_can_be_seen(tmp_path: Path) -> None:
    path = tmp_path / "fax.tiff"
    pages = [Image.new("RGB", (900, 1200), colour) for colour in ("white", "navy")]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    picture = page_picture(path, 2, [])
    assert picture.num_pages == 2
    assert pixel(picture.whole, 0.5, 0.5) == (0, 0, 128)


@pytest.mark.parametrize("data", [b"", b"%PDF-1.4 nothing more", b"\x89PNG\r\n\x1a\n damaged"])
@pytest.mark.parametrize("suffix", [".pdf", ".png"])
def test_a_file_that_does_not_open_is_one_clear_error(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(data)
    with pytest.raises(PictureError, match="cannot be shown as a picture"):
        page_picture(path, 1, [])
