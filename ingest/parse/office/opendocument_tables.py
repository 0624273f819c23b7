"""Rows, columns and cells of a table in an ODT, ODS or ODP, as a reader counts them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from ingest.parse.office.opendocument_styles import attribute, name_of, whole

WIDEST = 16_384
"""Columns read of a table; LibreOffice has no more."""
_GROUPS = re.compile(r"table:table-(header-)?(rows|columns|row-group|column-group)")
_CELLS = ("table:table-cell", "table:covered-table-cell")


def own(table: etree._Element, name: str) -> Iterator[etree._Element]:
    """Yield rows or columns of a table, not of those within."""
    for part in table:
        if name_of(part) == name:
            yield part
        elif _GROUPS.fullmatch(name_of(part)):
            yield from own(part, name)


def is_collapsed(part: etree._Element) -> bool:
    """Return whether a row or column is hidden, and not only in a folded group that a reader can open."""
    is_grouped = name_of(part.getparent()).endswith("-group")
    return attribute(part, "table:visibility") == "collapse" and not is_grouped


def repeated(row: etree._Element) -> list[etree._Element]:
    """Return the cells of a row, without empty ones at the end, which fill sheets."""
    cells = [cell for cell in row if name_of(cell) in _CELLS]
    while cells and not len(cells[-1]) and name_of(cells[-1]) == "table:table-cell":
        cells.pop()
    times = (min(whole(cell, "table:number-columns-repeated"), WIDEST) for cell in cells)
    return [cell for cell, number in zip(cells, times, strict=True) for _ in range(number)][:WIDEST]
