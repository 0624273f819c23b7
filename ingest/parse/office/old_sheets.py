"""XLS, the format of Excel until 2003 -> XLSX, so that both are read in one way."""

from __future__ import annotations

import io
from typing import Any

import xlrd  # type: ignore[import-untyped]

from ingest.parse.archive import LOCKED, is_locked
from ingest.parse.document import Parsed, ParseError
from ingest.parse.html.markup import parse_html
from ingest.parse.office.sheets import parse_xlsx
from ingest.parse.separated import parse_csv

_WHITE = (255, 255, 255)


def parse_xls(data: bytes) -> Parsed:
    """Parse a workbook, or what programs save under the same suffix: XLSX, a web page or separated values.

    Charts and what is printed at the edges of pages are not read. Raises ParseError for a locked file.
    """
    kind = xlrd.inspect_format(content=data)
    if kind != "xls":
        return (parse_xlsx if kind else parse_html if data.lstrip()[:1] == b"<" else parse_csv)(data)
    try:
        old = xlrd.open_workbook(file_contents=data, formatting_info=True, logfile=io.StringIO())
    except xlrd.XLRDError as error:
        if "encrypted" in str(error) or is_locked(data):
            raise ParseError(LOCKED) from error
        raise
    return parse_xlsx(_as_xlsx(old))


def _as_xlsx(old: Any) -> bytes:
    from openpyxl import Workbook
    from openpyxl.utils.datetime import CALENDAR_MAC_1904

    book = Workbook()
    book.remove(book.worksheets[0])
    if old.datemode:
        book.epoch = CALENDAR_MAC_1904
    styles: dict[int, Any] = {}
    for sheet in old.sheets():
        _copy(old, sheet, book.create_sheet(sheet.name), styles)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _copy(old: Any, sheet: Any, new: Any, styles: dict[int, Any]) -> None:
    """Copy a sheet. styles: index of a style in the old book -> that of the new one, filled here."""
    from openpyxl.comments import Comment

    new.sheet_state = "hidden" if sheet.visibility else "visible"
    for row in range(sheet.nrows):
        for column in range(sheet.row_len(row)):
            if sheet.cell_type(row, column) not in (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK):
                _copy_cell(old, sheet.cell(row, column), new.cell(row + 1, column + 1), styles)
    for top, bottom, left, right in sheet.merged_cells:
        new.merged_cells.add(f"{_name(top, left)}:{_name(bottom - 1, right - 1)}")
    for (row, column), note in sheet.cell_note_map.items():
        new.cell(row + 1, column + 1).comment = Comment(note.text, note.author)
    for link in sheet.hyperlink_list:
        if link.url_or_path and link.type == "url":
            new.cell(link.frowx + 1, link.fcolx + 1).hyperlink = link.url_or_path
    for row, info in sheet.rowinfo_map.items():
        new.row_dimensions[row + 1].hidden = bool(info.hidden)
    for column, info in sheet.colinfo_map.items():
        if info.hidden:
            new.column_dimensions[_name(0, column)[:-1]].hidden = True


def _name(row: int, column: int) -> str:
    return f"{xlrd.colname(column)}{row + 1}"


def _copy_cell(old: Any, cell: Any, new: Any, styles: dict[int, Any]) -> None:
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if cell.ctype == xlrd.XL_CELL_TEXT:
        new.value = ILLEGAL_CHARACTERS_RE.sub("", cell.value)
        new.data_type = "s"  # though it may begin as a formula does
    elif cell.ctype == xlrd.XL_CELL_ERROR:
        new.value = xlrd.error_text_from_code.get(cell.value, "#VALUE!")
    elif cell.ctype == xlrd.XL_CELL_BOOLEAN:
        new.value = bool(cell.value)
    else:
        new.value = cell.value
    if cell.xf_index in styles:
        new._style = styles[cell.xf_index]
    elif cell.xf_index is not None:
        _set_style(old, old.xf_list[cell.xf_index], new)
        styles[cell.xf_index] = new._style


def _set_style(old: Any, style: Any, new: Any) -> None:
    from openpyxl.styles import Alignment, Font, PatternFill

    font, ground = old.font_list[style.font_index], style.background
    is_white = old.colour_map.get(font.colour_index) == _WHITE
    new.number_format = old.format_map[style.format_key].format_str
    new.font = Font(
        name=font.name, bold=bool(font.bold), strike=bool(font.struck_out), color="FFFFFFFF" if is_white else None
    )
    new.alignment = Alignment(indent=style.alignment.indent_level)
    if ground.fill_pattern:
        new.fill = PatternFill("solid")
