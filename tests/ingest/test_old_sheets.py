"""Workbooks of Excel until 2003, written by another library."""

from __future__ import annotations

import datetime
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import xlrd  # type: ignore[import-untyped]

from ingest.parse import ParseError, parse
from ingest.parse.document import Parsed
from ingest.parse.office.old_sheets import parse_xls

xlwt = pytest.importorskip("xlwt")


def read(fill: Callable[[Any], None]) -> Parsed:
    book = xlwt.Workbook()
    fill(book)
    file = io.BytesIO()
    book.save(file)
    return parse_xls(file.getvalue())


def text_of(parsed: Parsed) -> str:
    return "\n".join(page.text for page in parsed.pages)


def test_values_are_read_as_the_sheet_shows_them() -> None:
    def fill(book: Any) -> None:
        sheet, bold = book.add_sheet("Fees"), xlwt.easyxf("font: bold on")
        for column, name in enumerate(("Item", "Fee", "Since", "Share", "Active")):
            sheet.write(0, column, name, bold)
        sheet.write(1, 0, "Badge")
        sheet.write(1, 1, 1234.5, xlwt.easyxf(num_format_str="#,##0.00 €"))
        sheet.write(1, 2, datetime.date(2026, 3, 1), xlwt.easyxf(num_format_str="DD.MM.YYYY"))
        sheet.write(1, 3, 0.125, xlwt.easyxf(num_format_str="0.0%"))
        sheet.write(1, 4, True)
        sheet.write(2, 0, "=not a formula")

    text = text_of(read(fill))
    assert "# Fees" in text
    assert "| Badge | 1,234.50 € | 2026-03-01 | 12.5% | TRUE |" in text
    assert "=not a formula" in text


def test_merged_cells_name_their_columns() -> None:
    def fill(book: Any) -> None:
        sheet, bold = book.add_sheet("Sales"), xlwt.easyxf("font: bold on")
        sheet.write(0, 0, "Region", bold)
        sheet.write_merge(0, 0, 1, 2, "2025", bold)
        for column, name in enumerate(("", "Units", "Price")):
            sheet.write(1, column, name, bold)
        for column, value in enumerate(("North", 12, 7.5)):
            sheet.write(2, column, value)

    text = text_of(read(fill))
    assert "2025 / Units" in text
    assert "2025 / Price" in text


def test_what_is_hidden_is_counted_and_not_read() -> None:
    def fill(book: Any) -> None:
        sheet = book.add_sheet("Open")
        for row, name in enumerate(("Name", "Ann", "Secret Ben", "Cem")):
            sheet.write(row, 0, name)
            sheet.write(row, 1, row)
            sheet.write(row, 2, f"salary {row}")
        sheet.row(2).hidden = True
        sheet.col(2).hidden = True
        other = book.add_sheet("Internal")
        other.write(0, 0, "not for readers")
        other.visibility = 1

    parsed = read(fill)
    text = text_of(parsed)
    assert "Cem" in text
    assert not any(words in text for words in ("Secret", "salary", "not for readers"))
    assert all(f"1 {what}" in parsed.note or what in parsed.note for what in ("sheet", "row", "column"))


def test_notes_links_and_errors_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library that writes these files knows neither notes nor links, so they are added as they are opened."""
    open_workbook = xlrd.open_workbook

    def open_with_more(**options: Any) -> Any:
        book = open_workbook(**options)
        sheet = book.sheet_by_index(0)
        note, link = xlrd.sheet.Note(), xlrd.sheet.Hyperlink()
        note.text, note.author = "agreed with the works council", "Ann"
        link.frowx, link.fcolx, link.type, link.url_or_path = 1, 0, "url", "https://example.org/form"
        sheet.cell_note_map[1, 1] = note
        sheet.hyperlink_list.append(link)
        sheet.put_cell(2, 1, xlrd.XL_CELL_ERROR, 7, 0)
        return book

    def fill(book: Any) -> None:
        sheet = book.add_sheet("Links")
        for row, values in enumerate((("Form", "Days"), ("Leave", 30), ("Travel", 1))):
            for column, value in enumerate(values):
                sheet.write(row, column, value)

    monkeypatch.setattr(xlrd, "open_workbook", open_with_more)
    text = text_of(read(fill))
    assert "https://example.org/form" in text
    assert "agreed with the works council" in text
    assert "#DIV/0!" in text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            b"<html><table><tr><th>City</th><th>Days</th></tr><tr><td>Bremen</td><td>14</td></tr></table></html>",
            "Bremen",
        ),
        (b"City\tDays\r\nBremen\t14\r\n", "| Bremen | 14 |"),
    ],
)
def test_what_programs_save_under_this_suffix_is_read_too(content: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / "report.xls").write_bytes(content)
    assert expected in parse(tmp_path / "report.xls").pages[0].text


def test_a_damaged_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "broken.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    with pytest.raises(ParseError, match=r"damaged or not really \.xls"):
        parse(tmp_path / "broken.xls")
