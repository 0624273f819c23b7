"""HTML tables -> rows of cell text; layout tables -> plain blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile

from bs4.element import Tag

from ingest.parse.document import one_line
from ingest.parse.fields import Field, Row, is_title, said_once
from ingest.parse.tables import table_text

_BLOCKS = [
    "p",
    "div",
    "br",
    "li",
    "ul",
    "ol",
    "dl",
    "dt",
    "dd",
    "pre",
    "blockquote",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
]
_LONGEST_VALUE = 100
"""Characters of a cell of a table that is not marked as one."""
_MAX_SPAN = 100  # larger values are mistakes


def table_of(table: Tag) -> str:
    """Return the table as Markdown."""
    rows = rows_of(table)
    num_marked = _num_headers(table, rows)
    return table_text(rows, 1 if rows and num_marked == len(rows) else num_marked or None)


def _num_headers(table: Tag, rows: Sequence[Row]) -> int:
    """Return how many rows are marked as header; below names of columns, a cell over all of them begins a section."""
    num_marked = sum(1 for _ in takewhile(_is_header, _own_rows(table)))
    num_in_head = sum(1 for _ in takewhile(_is_in_head, _own_rows(table)))
    return next((number for number in range(max(1, num_in_head), num_marked) if is_title(rows[number])), num_marked)


def rows_of(table: Tag) -> list[list[str]]:
    """Return rows of cell text; a merged cell is repeated in each field, so that every row is complete."""
    rows: list[list[str]] = []
    hanging: dict[int, tuple[int, str]] = {}  # column -> (rows left, text)
    for row in _own_rows(table):
        cells: list[str] = []
        _fill(cells, hanging)
        for cell in row.find_all(["td", "th"], recursive=False):
            field = _field(cell)
            for _ in range(_span(cell, "colspan")):
                if (below := _span(cell, "rowspan") - 1) > 0:
                    hanging[len(cells)] = (below, field)
                cells.append(field)
            _fill(cells, hanging)
        rows.append(cells)
    return rows


def _is_header(row: Tag) -> bool:
    """Return whether it is marked as a row of column names."""
    return _is_in_head(row) or all(cell.name == "th" for cell in row.find_all(["td", "th"], recursive=False))


def _is_in_head(row: Tag) -> bool:
    group = row.find_parent(["thead", "table"])
    return group is not None and group.name == "thead"


def _field(cell: Tag) -> Field:
    bold = sum(len(mark.get_text(strip=True)) for mark in cell(["b", "strong"]))
    strong = cell.name == "th" or bold >= len(cell.get_text(strip=True)) > 0
    merged = id(cell) if _span(cell, "colspan") * _span(cell, "rowspan") > 1 else None
    return Field(_cell_text(cell), merged, strong)


def _fill(cells: list[str], hanging: dict[int, tuple[int, str]]) -> None:
    """Append cells that span down from rows above, as long as they come next."""
    while len(cells) in hanging and hanging[len(cells)][0] > 0:
        more, text = hanging[len(cells)]
        hanging[len(cells)] = (more - 1, text)
        cells.append(text)


def _own_rows(table: Tag) -> Iterator[Tag]:
    return (row for row in table("tr") if row.find_parent("table") is table)


def _span(cell: Tag, attribute: str) -> int:
    value = str(cell.get(attribute, "1")).strip()
    return min(int(value), _MAX_SPAN) if re.fullmatch(r"[1-9]\d{0,6}", value) else 1


def _cell_text(cell: Tag) -> str:
    """Return the cell in one line, with list items and nested rows separated by semicolons."""
    for table in reversed(cell("table")):
        table.replace_with(" " + "; ".join(", ".join(filter(None, said_once(row))) for row in rows_of(table)) + " ")
    for item in cell("li"):
        if item.find_next_sibling("li") and re.search(r"[\w)\]]\s*$", item.get_text()):
            item.append(";")
    for gone in cell(["s", "del"]):
        gone.insert_before(" ~~")
        gone.insert_after("~~ ")
    for block in cell(_BLOCKS):
        block.insert_before(" ")
        block.insert_after(" ")
    return one_line(cell.get_text())


def unwrap_layout(body: Tag) -> None:
    """Turn layout tables of a page, mail or box into plain blocks, so that their text flows."""
    for table in reversed(body("table")):
        if _is_layout(table):
            parts = table(["caption", "thead", "tbody", "tfoot", "tr", "td", "th"])
            for element in [*(part for part in parts if part.find_parent("table") is table), table]:
                element.name = "div"


def _is_layout(table: Tag) -> bool:
    if table.get("role") in ("presentation", "none"):
        return not _is_grid(table)
    widths = [len(row.find_all(["td", "th"], recursive=False)) for row in _own_rows(table)]
    if sum(widths) <= 1:
        return True
    inner = [nested for nested in table("table") if nested.find_parent("table") is table]
    words = sum(len(nested.get_text(strip=True)) for nested in inner)
    return bool(inner) and (max(widths) == 1 or words > 0.8 * len(table.get_text(strip=True)))


def _is_grid(table: Tag) -> bool:
    """Return whether it is a table of short values in spite of its role, as some editors write it."""
    rows = [row.find_all(["td", "th"], recursive=False) for row in _own_rows(table)]
    texts = [cell.get_text(strip=True) for row in rows for cell in row]
    is_even = len(rows) > 1 and len({len(row) for row in rows}) == 1 and len(rows[0]) > 1
    is_full = sum(0 < len(text) <= _LONGEST_VALUE for text in texts) >= 0.75 * len(texts)
    return is_even and is_full and not table.find(["table", "img"]) and all(len(t) <= _LONGEST_VALUE for t in texts)
