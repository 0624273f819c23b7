"""What stands where on a PDF page or a scan: every box is checked against the page as it is rendered."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pypdf
import pypdfium2
import pytest
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject, RectangleObject

from ingest.parse import Document, ParseError, document, parse
from ingest.parse.document import Line, Page
from ingest.parse.pdf import ocr
from ingest.parse.pdf.layout import Printed
from ingest.parse.pdf.ocr import Picture
from ingest.parse.pdf.reader import parse_pdf
from tests.conftest import SHARED_DATA
from tests.ingest.samples import Bookmark, make_pdf

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"
NASTY = SHARED_DATA / "nasty"
ALIKE = 0.556 * 11  # points: width of the letters abdeghnopqu
SENTENCE = "A printed line that is long enough to be text and no stamp"

needs_shared_data = pytest.mark.skipif(not NASTY.exists(), reason="the real documents are not here")


def read(folder: Path, content: bytes, name: str = "a.pdf") -> Document:
    (folder / name).write_bytes(content)
    return parse(folder / name)


def drawn(content: str, rotation: int = 0, crop: tuple[float, float, float, float] | None = None) -> bytes:
    """A page of 400 by 300 points with these drawing commands; F is Helvetica, I a grey picture."""
    writer = pypdf.PdfWriter()
    page = writer.add_blank_page(400, 300)
    names = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica", "/Encoding": "/WinAnsiEncoding"}
    font = DictionaryObject({NameObject(key): NameObject(value) for key, value in names.items()})
    image = DecodedStreamObject()
    image.set_data(b"\xc0")
    image.update(pypdf.generic.DictionaryObject({NameObject("/Type"): NameObject("/XObject")}))
    for key, value in {"/Subtype": NameObject("/Image"), "/ColorSpace": NameObject("/DeviceGray")}.items():
        image[NameObject(key)] = value
    for key in ("/Width", "/Height"):
        image[NameObject(key)] = pypdf.generic.NumberObject(1)
    image[NameObject("/BitsPerComponent")] = pypdf.generic.NumberObject(8)
    stream = DecodedStreamObject()
    stream.set_data(content.encode("cp1252"))
    page[NameObject("/Resources")] = DictionaryObject(
        {
            NameObject("/Font"): DictionaryObject({NameObject("/F"): writer._add_object(font)}),
            NameObject("/XObject"): DictionaryObject({NameObject("/I"): writer._add_object(image)}),
        }
    )
    page[NameObject("/Contents")] = writer._add_object(stream)
    if crop:
        page.cropbox = RectangleObject(crop)
    page.rotate(rotation)
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def put(text: str, x: float, y: float, size: float = 11) -> str:
    return f"BT /F {size} Tf {x} {y} Td ({text}) Tj ET "


def rules(columns: Sequence[float], rows: Sequence[float]) -> str:
    level = "".join(f"{columns[0]} {y} m {columns[-1]} {y} l S " for y in rows)
    return level + "".join(f"{x} {rows[0]} m {x} {rows[-1]} l S " for x in columns)


def map_of(code: str, character: str) -> bytes:
    """A font's character map for one code."""
    start = b"begincmap 1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfchar "
    return start + f"<{code}> <{ord(character):04x}> endbfchar endcmap".encode()


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text)


def check_boxes(data: bytes, pages: Sequence[Page]) -> int:
    """Check that every line's box has ink and that the lines are in order, and count them."""
    pdf = pypdfium2.PdfDocument(data)
    num_lines = 0
    for page in pages:
        shown = pdf[page.number - 1 if page.number else 0]
        picture = shown.render(scale=2, may_draw_forms=False).to_numpy()[:, :, :3].min(axis=2)
        for line in page.lines:
            assert page_has_ink(picture, line), page.text[line.start : line.end]
            num_lines += 1
        assert [line.start for line in page.lines] == sorted(line.start for line in page.lines)
        assert all(one.end <= other.start for one, other in zip(page.lines, page.lines[1:], strict=False))
    return num_lines


def page_has_ink(picture: Picture, line: Line) -> bool:
    height, width = picture.shape
    box = line.box
    rows = slice(int(box.top * height), int(np.ceil(box.bottom * height)))
    columns = slice(int(box.left * width), int(np.ceil(box.right * width)))
    return bool((picture[rows, columns] < 160).any())


def read_back(data: bytes, page: Page, line: Line) -> str:
    """What pdfium finds in the line's box, on a page that is not rotated."""
    shown = pypdfium2.PdfDocument(data)[page.number - 1 if page.number else 0]
    left, bottom, right, top = shown.get_cropbox()
    width, height, box = right - left, top - bottom, line.box
    edges = (left + box.left * width, top - box.bottom * height, left + box.right * width, top - box.top * height)
    found: str = shown.get_textpage().get_text_bounded(
        *(edges[0] - 0.5, edges[1] - 0.5, edges[2] + 0.5, edges[3] + 0.5)
    )
    return found


# boxes -----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["finance/travel-and-expense-policy-2026.pdf", "product/pl-200-quick-guide.pdf", "people/employee-handbook.pdf"],
)
def test_box_of_every_line_holds_the_words_of_the_line(name: str) -> None:
    data = (SAMPLE / name).read_bytes()
    pages = parse_pdf(data).pages
    assert check_boxes(data, pages) > 150
    for page in pages[:3]:
        for line in page.lines:
            text = page.text[line.start : line.end]
            assert "".join(words(text)) == "".join(words(read_back(data, page, line))), text


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("crop", [None, (50, 40, 380, 280)])
def test_box_is_where_a_rotated_and_cropped_page_shows_the_line(
    rotation: int, crop: tuple[float, float, float, float] | None
) -> None:
    data = drawn(put("Leave", 60, 250) + put("Travel and hotels", 120, 100), rotation, crop)
    page = parse_pdf(data).pages[0]
    assert page.text == "Leave\nTravel and hotels"
    picture = pypdfium2.PdfDocument(data)[0].render(scale=4).to_numpy()[:, :, :3].min(axis=2) < 160
    boxes = np.zeros_like(picture)
    for line in page.lines:
        height, width = picture.shape
        box = line.box
        rows = slice(int(box.top * height) - 2, int(box.bottom * height) + 3)
        columns = slice(int(box.left * width) - 2, int(box.right * width) + 3)
        assert picture[rows, columns].any()
        boxes[rows, columns] = True
    assert not (picture & ~boxes).any()
    assert boxes.mean() < 0.05


def test_text_outside_the_crop_box_is_not_on_the_page() -> None:
    data = drawn(put("Printer's mark", 10, 10) + put("Leave", 100, 200), crop=(50, 40, 380, 280))
    assert parse_pdf(data).pages[0].text == "Leave"


def test_line_keeps_its_place_when_a_paragraph_is_joined() -> None:
    data = make_pdf([[f"{SENTENCE} employ-", "ment goes on"]])
    page = parse_pdf(data).pages[0]
    assert page.text == f"{SENTENCE} employment goes on"
    assert [page.text[line.start : line.end] for line in page.lines] == [f"{SENTENCE} employ", "ment goes on"]


@pytest.mark.parametrize(
    ("elsewhere", "joined"), [("A cross-check", "cross-check"), ("Crossing", "crosscheck"), ("", "crosscheck")]
)
def test_divided_word_keeps_its_hyphen_if_it_has_one_elsewhere(elsewhere: str, joined: str) -> None:
    page = parse_pdf(make_pdf([[f"{SENTENCE} cross-", "check goes on.", elsewhere]])).pages[0]
    assert page.text.split("\n")[0] == f"{SENTENCE} {joined} goes on."


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_text_that_runs_up_the_page_is_read_as_if_it_were_upright(rotation: int) -> None:
    columns, rows = (100, 130, 160), (50, 150, 250)
    upright = rules(columns, rows)
    turned = "".join(
        f"BT 0 1 -1 0 {x} {y} Tm /F 11 Tf ({text}) Tj ET "
        for text, x, y in (("Place", 120, 60), ("Cap", 120, 160), ("London", 150, 60), ("175", 150, 160))
    )
    data = drawn(upright + turned, rotation)
    page = parse_pdf(data).pages[0]
    assert page.text == "| Place | Cap |\n| --- | --- |\n| London | 175 |"
    assert check_boxes(data, [page]) == 4


# lines -----------------------------------------------------------------------------------------------


def test_list_marks_at_the_end_of_the_page_go_back_to_their_items() -> None:
    marks = put("•", 50, 200) + put("•", 50, 180)
    data = drawn(put("Only in these cases:", 50, 220) + put("a fair", 65, 200) + put("a ferry", 65, 180) + marks)
    assert parse_pdf(data).pages[0].text == "Only in these cases:\n• a fair\n• a ferry"


def test_bullets_that_are_drawn_are_list_marks() -> None:
    items = ("Trains come first", "Hotels cost at most 120 euros", "Taxis need a reason")
    lines = "".join(put(item, 60, 250 - 14 * row) for row, item in enumerate(items))
    squares = "".join(f"48 {252 - 14 * row} 4 4 re f " for row in range(len(items)))
    text = parse_pdf(drawn(put("How to travel", 40, 270) + lines + squares)).pages[0].text
    assert text == "How to travel\n" + "\n".join(f"• {item}" for item in items)


@pytest.mark.parametrize(
    "shape",
    [
        "10 252 4 4 re f",
        "48 246 4 14 re f",
        "48 252 12 12 re f",
        "48 120 4 4 re f",
        "300 252 4 4 re f",
        "48 252 4 4 re n",
    ],
)
def test_other_shapes_are_no_list_marks(shape: str) -> None:
    assert parse_pdf(drawn(put("Trains come first", 60, 250) + shape)).pages[0].text == "Trains come first"


@pytest.mark.parametrize("mark", "•◦●○■□✓☐")
def test_item_with_a_sign_is_a_line_of_its_own(mark: str) -> None:
    data = make_pdf([["€ Valid tickets,", "€ all receipts,", "€ and the form"]], to_unicode=map_of("80", mark))
    assert parse_pdf(data).pages[0].text == f"{mark} Valid tickets,\n{mark} all receipts,\n{mark} and the form"


@pytest.mark.parametrize("is_last", [False, True])
def test_letter_o_far_before_an_item_is_a_circle(is_last: bool) -> None:
    marks = put("o", 50, 200) + put("o", 50, 180)
    items = put("a fair", 65, 200) + put("a ferry", 65, 180)
    if not is_last:
        items, marks = put("o", 50, 200) + put("a fair", 65, 200) + put("o", 50, 180) + put("a ferry", 65, 180), ""
    data = drawn(put("Only in these cases:", 50, 220) + items + marks)
    assert parse_pdf(data).pages[0].text == "Only in these cases:\n◦ a fair\n◦ a ferry"


@pytest.mark.parametrize("spacing", [0, 12])
def test_letter_o_is_a_word_if_it_is_as_near_as_the_other_words(spacing: int) -> None:
    data = drawn(f"{spacing} Tw " + put("Viaggi in treno", 50, 214) + put("o in auto propria", 50, 200))
    assert parse_pdf(data).pages[0].text == "Viaggi in treno o in auto propria"


def test_sample_policy_has_its_list_marks_before_their_items() -> None:
    data = (SAMPLE / "finance" / "travel-and-expense-policy-2026.pdf").read_bytes()
    text = parse_pdf(data).pages[1].text
    assert text.count("\n• ") == text.count("•") == 4
    assert "\n• The customer or host has reserved the room.\n" in text


def test_character_that_is_drawn_twice_is_read_once() -> None:
    data = drawn(put("Leave policy", 50, 200) + put("Leave policy", 50.3, 200))
    assert parse_pdf(data).pages[0].text == "Leave policy"


@needs_shared_data
def test_line_goes_on_after_a_raised_figure() -> None:
    assert "Area (km²) | Capital" in parse_pdf((NASTY / "sf_multicolumn.pdf").read_bytes()).pages[2].text


def test_paragraph_that_is_set_apart_is_one_of_its_own() -> None:
    lines = "".join(put(SENTENCE, 30, y) for y in (280, 266, 252, 220, 206))
    assert parse_pdf(drawn(lines)).pages[0].text == f"{SENTENCE} {SENTENCE} {SENTENCE}\n\n{SENTENCE} {SENTENCE}"


def test_paragraph_below_a_list_is_no_part_of_its_last_item() -> None:
    items = ("1. Valid tickets", "2. All receipts", "3. The form")
    drawn_items = "".join(put(item, 20, 250 - 14 * row) for row, item in enumerate(items))
    text = parse_pdf(drawn(drawn_items + put("The office pays", 20, 194))).pages[0].text
    assert text == "\n".join(items) + "\n\nThe office pays"


def test_footer_that_the_file_draws_amid_the_page_goes_too() -> None:
    writer = pypdf.PdfWriter()
    for word in "ABCD":
        upper, lower = ("".join(put(f"{word}{y} text", 50, y) for y in ys) for ys in ((250, 220), (190, 160)))
        writer.append(io.BytesIO(drawn(upper + put("Tarnbeck page 1", 50, 20) + lower)))
    buffer = io.BytesIO()
    writer.write(buffer)
    assert parse_pdf(buffer.getvalue()).pages[0].text == "A250 text\nA220 text\nA190 text\nA160 text"


@needs_shared_data
def test_two_columns_are_read_one_after_the_other() -> None:
    text = parse_pdf((NASTY / "sf_multicolumn.pdf").read_bytes()).pages[0].text
    assert "consectetuer adipiscing elit. Ut purus elit, vestibulum ut, placerat ac, adipiscing vitae" in text
    assert "|" not in text


@pytest.mark.parametrize("item", ["a. Open gate 3", "b) Read the meter", "(c) Lock up", "iv. Call the guard"])
def test_lettered_item_is_a_line_of_its_own(item: str) -> None:
    assert parse_pdf(make_pdf([["1. Morning", item]])).pages[0].text == f"1. Morning\n{item}"


@pytest.mark.parametrize("start", ["e. V. in Bonn", "p. 12 below", "a tonne"])
def test_line_that_begins_with_a_letter_goes_on(start: str) -> None:
    assert parse_pdf(make_pdf([["Ask the club", start]])).pages[0].text == f"Ask the club {start}"


@pytest.mark.parametrize(
    ("word", "is_joined"), [("Telecommunications", True), ("Council", False), ("2.11.23.4-telecommunications", False)]
)
def test_line_goes_on_if_the_next_word_does_not_fit(word: str, is_joined: bool) -> None:
    lines = [SENTENCE, "Ask the Department of Waterways and Highways", f"{word} is not asked", SENTENCE]
    text = parse_pdf(drawn("".join(put(line, 50, 250 - 14 * n) for n, line in enumerate(lines)))).pages[0].text
    assert (f"Highways {word}" in text) is is_joined


@pytest.mark.parametrize(("first", "space"), [(0x4E61, ""), (0x3061, ""), (0xAC00, " ")])
def test_lines_of_wide_characters_are_joined_with_a_space_only_in_korean(first: int, space: str) -> None:
    to_unicode = map_of("61", chr(first)).replace(b"bfchar <61>", b"bfrange <61> <7a>").replace(b"bfchar", b"bfrange")
    text = parse_pdf(make_pdf([["a" * 24, "b" * 3]], to_unicode=to_unicode)).pages[0].text
    assert text == chr(first) * 24 + space + chr(first + 1) * 3


def test_lines_of_a_table_of_contents_stay_lines() -> None:
    lines = [f"{number} Clause of the contract {'.' * 30} {number}" for number in range(1, 4)]
    assert parse_pdf(make_pdf([lines])).pages[0].text == "\n".join(lines)


def test_heading_at_the_top_of_a_column_does_not_join_the_one_before() -> None:
    line = "The canteen serves fish and soup on Monday."
    column = "".join(put(line, 20, y, 8) for y in (250, 240, 230))
    text = parse_pdf(drawn(column + put("Bikes", 220, 250, 8) + put(line, 220, 240, 8))).pages[0].text
    assert text == f"{line} {line} {line}\nBikes\n{line}"


# tables ----------------------------------------------------------------------------------------------


def test_ruled_table_becomes_rows_with_a_box_for_each_cell() -> None:
    grid = rules((50, 150, 250), (250, 200, 150))
    cells = put("Place", 55, 230) + put("Cap | night", 155, 230) + put("outside", 55, 185) + put("London", 55, 170)
    data = drawn(put("5. Hotels", 50, 270) + grid + cells + put("175 GBP", 155, 185) + put("The end.", 50, 100))
    page = parse_pdf(data).pages[0]
    table = "| Place | Cap \\| night |\n| --- | --- |\n| outside London | 175 GBP |"
    assert page.text == f"5. Hotels\n\n{table}\n\nThe end."
    texts = [page.text[line.start : line.end] for line in page.lines]
    assert texts == ["5. Hotels", "Place", "Cap \\| night", "outside London", "175 GBP", "The end."]
    assert check_boxes(data, [page]) == 6


def test_tables_one_below_the_other_stay_two() -> None:
    upper, lower = (rules((50, 150, 250), (y, y + 20, y + 40)) for y in (200, 100))
    texts = (("Place", 60, 225), ("Cap", 160, 225), ("Rome", 60, 205), ("120", 160, 205))
    cells = "".join(put(text, x, y) + put(text, x, y - 100) for text, x, y in texts)
    table = "| Place | Cap |\n| --- | --- |\n| Rome | 120 |"
    assert parse_pdf(drawn(upper + lower + cells)).pages[0].text == f"{table}\n\n{table}"


def test_cell_over_two_columns_keeps_the_others_in_their_columns() -> None:
    grid = rules((50, 150, 250), (200, 150)) + "50 250 200 -50 re S "
    cells = put("Hotels of the year", 100, 230) + put("London", 55, 170) + put("175", 155, 170)
    text = parse_pdf(drawn(grid + cells)).pages[0].text
    assert text == "Hotels of the year\n\n|  |  |\n| --- | --- |\n| London | 175 |"


def test_merged_cells_group_columns_and_are_in_each_row_that_they_cover() -> None:
    grid = rules((50, 350), (250, 210, 150)) + "".join(
        f"{line} l S " for line in ("150 230 m 350 230", "150 180 m 350 180", "150 250 m 150 150", "250 230 m 250 150")
    )
    cells = "".join(
        put(text, x, y)
        for text, x, y in (
            ("Region", 55, 225), ("Guests", 200, 235), ("Summer", 155, 215), ("Winter", 255, 215),
            ("North", 55, 180), ("20", 155, 190), ("22", 255, 190), ("40", 155, 160), ("42", 255, 160),
        )
    )  # fmt: skip
    data = drawn(grid + cells)
    page = parse_pdf(data).pages[0]
    assert page.text.split("\n") == [
        "| Region | Guests / Summer | Guests / Winter |", "| --- | --- | --- |", "| North | 20 | 22 |",
        "| North | 40 | 42 |",
    ]  # fmt: skip
    assert check_boxes(data, [page]) == 11


def test_cells_of_many_lines_side_by_side_are_rows() -> None:
    grid = rules((50, 150, 250), (250, 220, 150))
    cells = put("Place", 55, 230) + put("Cap", 155, 230)
    for y, place, cap in ((205, "London", "175"), (185, "Paris", "190"), (165, "Rome", "150")):
        cells += put(place, 55, y) + put(cap, 155, y)
    assert parse_pdf(drawn(grid + cells)).pages[0].text.split("\n")[2:] == [
        "| London | 175 |", "| Paris | 190 |", "| Rome | 150 |",
    ]  # fmt: skip


def test_frame_around_a_page_is_no_table() -> None:
    data = drawn(rules((20, 380), (290, 20)) + put("Leave", 50, 250) + put("30 days", 50, 200))
    assert parse_pdf(data).pages[0].text == "Leave\n30 days"


def test_frames_with_one_column_of_text_are_no_table() -> None:
    data = drawn(rules((20, 300, 380), (290, 220, 20)) + put("Leave", 50, 250) + put("30 days", 50, 200))
    assert parse_pdf(data).pages[0].text == "Leave\n30 days"


WRAPPED = (
    ("Level", 50, 240), ("Reply", 130, 240), ("Contact", 260, 240),
    ("Gold", 50, 220), ("in two hours on", 130, 220), ("each day", 130, 208), ("Anna Berg", 260, 220),
    ("Silver", 50, 186), ("in a day", 130, 186), ("Bo Lund", 260, 186),
)  # fmt: skip


@pytest.mark.parametrize("last_rule", [180, 200])
def test_rows_between_level_rules_keep_the_lines_of_their_cells(last_rule: int) -> None:
    level = "".join(f"50 {y} m 350 {y} l S " for y in (254, 234, 200, 180) if y >= last_rule)
    data = drawn(level + "".join(put(*word) for word in WRAPPED) + put("The end of the levels.", 50, 150))
    page = parse_pdf(data).pages[0]
    assert page.text.split("\n") == [
        "| Level | Reply | Contact |", "| --- | --- | --- |", "| Gold | in two hours on each day | Anna Berg |",
        "| Silver | in a day | Bo Lund |", "", "The end of the levels.",
    ]  # fmt: skip
    assert check_boxes(data, [page]) == 10


def test_columns_of_text_between_level_rules_are_no_table() -> None:
    line = "The canteen serves fish and soup on Mondays"
    level = "".join(f"20 {y} m 380 {y} l S " for y in (250, 210, 170, 130))
    ys = ((238, 227, 216), (198, 187, 176), (158, 147, 136))
    text = "".join(put(line, x, y, 8) for band in ys for x in (20, 220) for y in band)
    assert "|" not in parse_pdf(drawn(level + text)).pages[0].text


def test_columns_without_rules_become_a_table() -> None:
    rows = ((250, "Place", "Cap"), (236, "London", "175 GBP"), (222, "Paris", "190 EUR"))
    cells = "".join(put(place, 50, y) + put(cap, 200, y) for y, place, cap in rows)
    page = parse_pdf(drawn(cells)).pages[0]
    assert page.text == "| Place | Cap |\n| --- | --- |\n| London | 175 GBP |\n| Paris | 190 EUR |"


def test_columns_part_where_a_long_name_leaves_a_narrow_gap() -> None:
    rows = (
        ("Product Code", "Shelf", "Count"),
        ("K-88", "A-12", "450"),
        ("K-92", "B-07", "780"),
        ("K-45", "C-15", "12"),
    )
    cells = "".join(
        put(code, 50, 250 - 14 * index) + put(shelf, 130, 250 - 14 * index) + put(count, 220, 250 - 14 * index)
        for index, (code, shelf, count) in enumerate(rows)
    )
    assert parse_pdf(drawn(cells)).pages[0].text.split("\n") == [
        "| Product Code | Shelf | Count |", "| --- | --- | --- |", "| K-88 | A-12 | 450 |", "| K-92 | B-07 | 780 |",
        "| K-45 | C-15 | 12 |",
    ]  # fmt: skip


@pytest.mark.parametrize("level_rules", [False, True])
def test_name_above_columns_without_rules_names_each_of_them(level_rules: bool) -> None:
    rows = (
        ("Team", "2023", "2024", "2023", "2024"), ("North", "12.0", "13.5", "9.0", "9.5"),
        ("South", "8.0", "9.5", "5.0", "5.5"), ("East", "4.0", "5.5", "3.0", "3.5"),
    )  # fmt: skip
    ys = (236, 222, 208, 194)
    cells = put("Sales in euros", 150, 250) + put("Costs in euros", 260, 250)
    for y, row in zip(ys, rows, strict=True):
        cells += "".join(put(cell, x, y) for x, cell in zip((50, 150, 195, 260, 305), row, strict=True))
    level = "".join(f"50 {y - 4} m 350 {y - 4} l S " for y in (264, 250, *ys) if level_rules)
    data = drawn(level + cells)
    page = parse_pdf(data).pages[0]
    names = "Sales in euros / 2023 | Sales in euros / 2024 | Costs in euros / 2023 | Costs in euros / 2024"
    assert page.text.split("\n") == [
        f"| Team | {names} |", "| --- | --- | --- | --- | --- |", "| North | 12.0 | 13.5 | 9.0 | 9.5 |",
        "| South | 8.0 | 9.5 | 5.0 | 5.5 |", "| East | 4.0 | 5.5 | 3.0 | 3.5 |",
    ]  # fmt: skip
    assert check_boxes(data, [page]) == 24


def test_form_with_rules_missing_has_a_row_for_each_line() -> None:
    frame = "50 150 250 100 re S 50 230 m 300 230 l S 50 180 m 300 180 l S "
    heads = "120 180 m 120 150 l S 180 180 m 180 150 l S 240 180 m 240 150 l S "
    fields = (
        ("Name", 55, 218), ("Ada", 125, 218), ("Make", 185, 218), ("Volvo", 245, 218), ("Phone", 55, 204),
        ("555", 125, 204), ("Year", 185, 204), ("2022", 245, 204), ("Color", 185, 190), ("White", 245, 190),
        ("Claim", 55, 236), ("Order", 55, 160), ("R-8", 125, 160), ("By", 185, 160), ("Bo", 245, 160),
    )  # fmt: skip
    data = drawn(frame + heads + "".join(put(*field) for field in fields))
    page = parse_pdf(data).pages[0]
    assert page.text.split("\n") == [
        "Claim", "", "| Name | Ada | Make | Volvo |", "| --- | --- | --- | --- |", "| Phone | 555 | Year | 2022 |",
        "|  |  | Color | White |", "| Order | R-8 | By | Bo |",
    ]  # fmt: skip
    assert check_boxes(data, [page]) == 15


def test_lines_of_a_ruled_row_are_rows_though_one_has_an_empty_cell() -> None:
    cells = put("Item", 55, 230) + put("Price", 155, 230) + put("Discount", 255, 230)
    for y, item, price, discount in ((205, "Desk", "175", "5"), (185, "Lamp", "19", ""), (165, "Chair", "90", "7")):
        cells += put(item, 55, y) + put(price, 155, y) + put(discount, 255, y)
    text = parse_pdf(drawn(rules((50, 150, 250, 350), (250, 220, 150)) + cells)).pages[0].text
    assert text.split("\n")[2:] == ["| Desk | 175 | 5 |", "| Lamp | 19 |  |", "| Chair | 90 | 7 |"]


def test_lines_of_wrapped_cells_beside_a_short_one_are_one_row() -> None:
    cells = put("Role", 55, 230) + put("Task", 155, 230) + put("Deputy", 255, 230) + put("Clerk", 55, 185)
    for y, task, deputy in ((205, "keeps the", "the clerk"), (185, "files of", "next"), (165, "the board", "door")):
        cells += put(task, 155, y) + put(deputy, 255, y)
    text = parse_pdf(drawn(rules((50, 150, 250, 350), (250, 220, 150)) + cells)).pages[0].text
    assert text.split("\n")[2:] == ["| Clerk | keeps the files of the board | the clerk next door |"]


TWO_LINES = (
    (("Invoice date", "Due date", "Order"), ("3 May 2024", "2 June 2024", "K-88")),
    (("Ada Berg", "Bo Lund", "Cy Holm"), ("12 Hill Road", "9 Lake Road", "Tarnbeck")),
)


@pytest.mark.parametrize(("index", "is_table", "text_around"), [(0, True, True), (0, False, False), (1, True, False)])
def test_names_above_one_row_of_values_are_a_table(index: int, is_table: bool, text_around: bool) -> None:
    cells = "".join(
        put(text, x, 200 - 14 * line)
        for line, row in enumerate(TWO_LINES[index])
        for x, text in zip((50, 150, 250), row, strict=True)
    )
    above, below = ("".join(put(f"Line {y}", 50, y) for y in ys if text_around) for ys in ((260, 240), (140, 120)))
    text = parse_pdf(drawn(above + cells + below)).pages[0].text
    table = "| Invoice date | Due date | Order |\n| --- | --- | --- |\n| 3 May 2024 | 2 June 2024 | K-88 |"
    assert (table in text) == (is_table and text_around)


def filled(lines: Sequence[str], left: float = 50, right: float = 200) -> str:
    """Lines whose words are spread from edge to edge; only letters of one width are allowed."""
    commands = ""
    for y, texts in enumerate(map(str.split, lines)):
        gap = (right - left - ALIKE * sum(map(len, texts))) / (len(texts) - 1)
        for index, word in enumerate(texts):
            commands += put(word, left + ALIKE * sum(map(len, texts[:index])) + gap * index, 250 - 14 * y)
    return commands


def test_justified_text_in_a_narrow_column_is_no_table() -> None:
    lines = ("happened unheeded", "abandoned and bounded", "unbounded happened", "unheeded and hedged")
    page = parse_pdf(drawn(filled(lines) + put("upon a bed.", 50, 194))).pages[0]
    assert page.text == " ".join(lines) + " upon a bed."
    assert len(page.lines) == 5


@pytest.mark.parametrize(
    "rows",
    [
        ("depa bonn", "happened den", "haggen boden", "gouda unna"),
        ("unhappened bonn", "unabandoned bed", "happened boden", "unbounded unna"),
    ],
)
def test_columns_that_end_at_one_edge_are_a_table(rows: tuple[str, ...]) -> None:
    text = parse_pdf(drawn(put("one and one is on hand and page", 50, 264) + filled(rows, right=170))).pages[0].text
    assert all("| " + row.replace(" ", " | ") + " |" in text for row in rows)


def test_gap_in_a_single_line_is_a_space() -> None:
    assert parse_pdf(drawn(put("Bremen,", 50, 250) + put("1 May", 250, 250))).pages[0].text == "Bremen, 1 May"


def test_hotel_cap_of_the_sample_policy_stands_in_one_row() -> None:
    text = parse_pdf((SAMPLE / "finance" / "travel-and-expense-policy-2026.pdf").read_bytes()).pages[2].text
    assert "\n| London | 175 GBP | finance director only |\n" in text
    assert text.count("175 GBP") == 1


# files that pdfium cannot read -------------------------------------------------------------------------


def test_file_that_pdfium_cannot_open_is_read_by_pypdf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot_open(data: bytes) -> None:
        raise pypdfium2.PdfiumError("no")

    monkeypatch.setattr(pypdfium2, "PdfDocument", cannot_open)
    pages = [["Leave", "30 days."], ["Rates", "150"]]
    document = read(tmp_path, make_pdf(pages, [Bookmark("Rates", 1)], "Guide"))
    assert (document.title, document.text) == ("Guide", "Leave\n30 days.\fRates\n150")
    assert [heading.title for heading in document.headings] == ["Rates"]
    assert all(page.lines == () for page in document.pages)


@pytest.mark.parametrize("list_of_pages", [b"/Kids [ 5 0 R ]", b"/Pages 2"])
def test_damaged_file_is_refused_in_plain_words(list_of_pages: bytes, tmp_path: Path) -> None:
    damaged = make_pdf([["Leave"]]).replace(list_of_pages, b"/Kids << >>")
    with pytest.raises(ParseError, match=r"^the file is damaged or not really \.pdf; open it in a PDF program"):
        read(tmp_path, damaged)


@pytest.mark.parametrize("limit", [2, 3])
def test_number_of_pages_is_told_before_they_are_read(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class AtMost(document.Effort):
        def pages(self, num_pages: int) -> None:
            if num_pages > limit:
                raise ParseError(f"{num_pages} pages")

    monkeypatch.setattr(document, "effort", AtMost())
    data = make_pdf([["one"], ["two"], ["three"]])
    if limit < 3:
        with pytest.raises(ParseError, match="3 pages"):
            parse_pdf(data)
    else:
        assert len(parse_pdf(data).pages) == 3


# scans -----------------------------------------------------------------------------------------------

IMAGE = "q 400 0 0 300 0 0 cm /I Do Q "


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Which pages were given to text recognition, which finds nothing."""
    numbers: list[int] = []
    monkeypatch.setattr(ocr, "available", lambda: True)

    def read_page(page: object, number: int) -> list[Printed]:
        numbers.append(number)
        return []

    monkeypatch.setattr(ocr, "read_page", read_page)
    return numbers


@pytest.mark.parametrize("layer", ["", put("Scanned by me", 50, 10)])
def test_page_whose_picture_says_more_than_its_text_is_a_scan(layer: str, seen: list[int]) -> None:
    parse_pdf(drawn(IMAGE + layer))
    assert seen == [1]


@pytest.mark.parametrize(
    "content",
    [
        "",
        put("Leave", 50, 200),
        "q 40 0 0 30 0 0 cm /I Do Q " + put("Leave", 50, 200),
        IMAGE + "3 Tr " + put(SENTENCE, 9, 99),
    ],
)
def test_page_that_is_empty_or_has_text_is_no_scan(content: str, seen: list[int]) -> None:
    parse_pdf(drawn(content))
    assert seen == []


def test_text_that_an_earlier_recognition_put_under_a_scan_is_read(seen: list[int]) -> None:
    assert parse_pdf(drawn(IMAGE + "3 Tr " + put(SENTENCE, 9, 99))).pages[0].text == SENTENCE


UNMAPPED = (
    b"begincmap 1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfrange <20> <7e> <e020> endbfrange endcmap"
)
SHIFTED = UNMAPPED.replace(b"<e020>", b"<0003>")
HOLES = SHIFTED.replace(b"<20> <7e> <0003>", b"<21> <78> <0004>").replace(
    b" endcmap", b" 2 beginbfchar <20> <0000> <79> <0000> endbfchar endcmap"
)
SHOUTED = UNMAPPED.replace(b"<20> <7e> <e020>", b"<61> <7a> <0041>").replace(
    b" endcmap", b" 1 beginbfchar <79> <0000> endbfchar endcmap"
)


@pytest.mark.parametrize("data", [make_pdf([[SENTENCE]], to_unicode=UNMAPPED), make_pdf([["(cid:12)" * 9]])])
def test_page_of_glyphs_without_letters_is_a_scan(data: bytes, seen: list[int]) -> None:
    assert parse_pdf(data).pages[0].text == ""
    assert seen == [1]


@pytest.mark.parametrize("to_unicode", [SHIFTED, HOLES])
def test_page_of_glyph_numbers_is_a_scan(to_unicode: bytes, seen: list[int]) -> None:
    assert parse_pdf(make_pdf([[f"{SENTENCE}, many say"]], to_unicode=to_unicode)).pages[0].text == ""
    assert seen == [1]


def test_text_in_capitals_with_unknown_glyphs_is_read(seen: list[int]) -> None:
    page = parse_pdf(make_pdf([[f"{SENTENCE}, many say so every day"]], to_unicode=SHOUTED)).pages[0]
    assert page.text == f"{SENTENCE}, many say so every day".upper().replace("Y", "\ufffd")
    assert seen == []


def test_text_in_another_script_with_names_and_unknown_glyphs_is_read(seen: list[int]) -> None:
    greek = SHOUTED.replace(b"<0041>", b"<0391>")
    page = parse_pdf(make_pdf([[f"{SENTENCE.lower()}, many say so every day: XHTML"]], to_unicode=greek)).pages[0]
    assert page.text.endswith(": XHTML")
    assert seen == []


def test_scan_says_how_it_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "available", lambda: False)
    for name, content in (("a.pdf", drawn(IMAGE)), ("a.png", b"")):
        with pytest.raises(ParseError, match=r'pip install "citeloop\[ocr\]"'):
            read(tmp_path, content, name)


def picture_of(data: bytes, turns: int = 0) -> Picture:
    shown = pypdfium2.PdfDocument(data)[0].render(scale=3).to_numpy()[:, :, :3]
    return np.ascontiguousarray(np.rot90(shown, turns))


def image_file(picture: Picture, kind: str, **options: object) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind, **options)
    return buffer.getvalue()


NOTICE = drawn(
    put("Annual leave in Bremen", 40, 250, 16) + put("Ask your lead before you book.", 40, 200, 16)
    + put("Room", 40, 150, 16) + put("1.14", 300, 150, 16)
)  # fmt: skip
SAID = "Annual leave in Bremen\nAsk your lead before you book.\nRoom 1.14"


@pytest.mark.slow
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_picture_is_read_whichever_way_up_it_is(turns: int) -> None:
    pytest.importorskip("rapidocr")
    picture = picture_of(NOTICE, turns)
    page = ocr.parse_image(image_file(picture, "PNG")).pages[0]
    assert page.text == SAID
    ink = picture.min(axis=2)
    assert all(page_has_ink(ink, line) for line in page.lines)
    outside = ink.copy()
    for line in page.lines:
        height, width = ink.shape
        rows = slice(max(0, int(line.box.top * height) - 3), int(line.box.bottom * height) + 4)
        outside[rows, max(0, int(line.box.left * width) - 3) : int(line.box.right * width) + 4] = 255
    assert (outside > 160).all()


@pytest.mark.slow
def test_pages_of_a_tiff_are_pages() -> None:
    pytest.importorskip("rapidocr")
    from PIL import Image

    pages = [Image.fromarray(picture_of(drawn(put(text, 40, 150, 18)))) for text in ("Annual leave", "Travel policy")]
    buffer = io.BytesIO()
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:])
    parsed = ocr.parse_image(buffer.getvalue())
    assert [(page.number, page.text) for page in parsed.pages] == [(1, "Annual leave"), (2, "Travel policy")]
    assert [line.box.page for page in parsed.pages for line in page.lines] == [1, 2]


@pytest.mark.slow
def test_document_of_text_and_a_scan_reads_both(tmp_path: Path) -> None:
    pytest.importorskip("rapidocr")
    from PIL import Image

    scan = io.BytesIO()
    Image.fromarray(picture_of(NOTICE)).save(scan, "PDF", resolution=216)
    writer = pypdf.PdfWriter()
    for part in (make_pdf([[SENTENCE]]), scan.getvalue()):
        writer.append(io.BytesIO(part))
    whole = io.BytesIO()
    writer.write(whole)
    assert read(tmp_path, whole.getvalue()).text == f"{SENTENCE}\f{SAID}"


@pytest.mark.slow
def test_recognition_says_nothing_and_fetches_nothing(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rapidocr")
    from rapidocr.utils.download_file import DownloadFile

    def fetch(request: object) -> None:
        raise AssertionError("it would fetch a model")

    monkeypatch.setattr(DownloadFile, "run", fetch)
    ocr._engine.cache_clear()
    assert ocr.parse_image(image_file(picture_of(NOTICE), "PNG")).pages[0].text == SAID
    assert capfd.readouterr() == ("", "")


def test_file_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("rapidocr")
    with pytest.raises(ParseError, match="damaged or not really"):
        read(tmp_path, b"Dear all", "a.png")


@needs_shared_data
@pytest.mark.slow
@pytest.mark.parametrize("name", ["do_ocr_test.pdf", "do_ocr_test_rotated_180.pdf"])
def test_real_scan_is_read(name: str) -> None:
    pytest.importorskip("rapidocr")
    assert "JSON and Markdown in an easy self contained package" in parse_pdf((NASTY / name).read_bytes()).pages[0].text
