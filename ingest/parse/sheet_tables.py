"""Rows of a sheet -> its tables: which rows and columns belong together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import dropwhile, groupby

from ingest.parse.document import one_line
from ingest.parse.fields import Row, is_figure, is_strong, said_once
from ingest.parse.tables import names_columns_of, table_text

_LEAST_APART = 2  # rows that one of two tables side by side has more than the other
_MOST_NOTES, _FEWEST_WORDS = 3, 4  # of each note
_DIGIT = re.compile(r"\d")
_AMOUNT = re.compile(r"\d|^\s*[-\u2013\u2014]\s*$")
"""Financial reports write nothing as a dash."""


def blocks(rows: Iterable[Row]) -> Iterator[list[list[str]]]:
    """Yield the tables of a sheet, which empty rows or columns separate, each without empty columns."""
    for part in parted(rows):
        yield from map(without_empty_columns, _side_by_side(part))


def parted(rows: Iterable[Row]) -> list[list[Row]]:
    """Return the rows in parts, which empty rows separate; rows that go on below an empty one belong to one part."""
    rows = list(rows)
    width = max(map(len, rows), default=0)
    rows = [[*row, *[""] * (width - len(row))] for row in rows]
    parts: list[list[Row]] = []
    for filled, group in groupby(rows, lambda row: any(cell.strip() for cell in row)):
        part = list(group) if filled else []
        if parts and part and _goes_on(parts[-1], part):
            parts[-1] += part
        elif part:
            parts.append(part)
    return parts


def _goes_on(above: Sequence[Row], rows: Sequence[Row]) -> bool:
    """Return whether rows have the columns of the table above and no header of their own, unlike that one.

    A header is bold, or has a word above cells with figures; its names may take several rows.
    """
    used = _used(above)
    if len(used) < 2 or _used(rows) != used:
        return False
    inner = [[row[column] for column in used] for row in above]
    below = [[row[column] for column in used] for row in rows]
    if all(map(is_strong, inner[0])):
        return not all(map(is_strong, below[0]))
    columns = (list(dropwhile(lambda cell: not cell.strip(), column)) for column in zip(*inner, strict=True))
    return any(
        not _DIGIT.search(name) and any(map(_DIGIT.search, figures)) and all(map(_AMOUNT.search, [*cells, *figures]))
        for (name, *cells), figures in zip(columns, zip(*below, strict=True), strict=True)
    )


def _side_by_side(rows: list[Row]) -> list[list[Row]]:
    """Return the tables of rows with empty columns between; a column between parts of equal height only spaces them."""
    used = [any(row[column].strip() for row in rows) for column in range(len(rows[0]))]
    runs = [[column for column, _ in run] for filled, run in groupby(enumerate(used), lambda pair: pair[1]) if filled]
    parts = [[row[run[0] : run[-1] + 1] for row in rows] for run in runs]
    heights = [max(index for index, row in enumerate(part) if any(cell.strip() for cell in row)) + 1 for part in parts]
    has_gaps = any(
        not any(map(str.strip, row)) for part, height in zip(parts, heights, strict=True) for row in part[:height]
    )
    apart = max(heights) - min(heights) >= _LEAST_APART and min(map(len, runs)) > 1 and min(heights) > 1
    if len(parts) == 1 or not apart or has_gaps:
        return [rows]
    return [list(part[:height]) for part, height in zip(parts, heights, strict=True)]


def block_text(rows: list[list[str]], doubtful: bool = False) -> str:
    """Return a block as Markdown: lines of text above a table, then the table. doubtful: as for `table_text`."""
    lines = []
    while rows and (_is_line(rows) or _is_label(rows) or _are_notes(rows)):
        lines.append(one_line(": ".join(filter(str.strip, said_once(rows.pop(0))))))
    return "\n\n".join(filter(None, [*lines, table_text(without_empty_columns(rows), doubtful=doubtful)]))


def _is_line(rows: Sequence[Row]) -> bool:
    """Return whether the first row has one cell, and is neither a list's first item nor names a group of columns."""
    alone = sum(map(bool, said_once(rows[0]))) == 1 and (len(rows) == 1 or len(rows[0]) > 1)
    return alone and not (len(rows) > 1 and names_columns_of(rows[0], rows[1]))


def _is_label(rows: Sequence[Row]) -> bool:
    """Return whether the first row is a label and a value, and a later one the names of more columns."""
    first, *rest = rows
    num_filled = sum(bool(cell.strip()) for cell in first)
    names = next((row for row in rest if all(map(str.strip, row))), ())
    return bool(first[0].strip() and names) and num_filled <= 2 < len(first) and not any(map(is_figure, names))


def _are_notes(rows: Sequence[Row]) -> bool:
    """Return whether the rows are a few lines of text, such as notes below a table."""
    are_sentences = len(rows) <= _MOST_NOTES and all(len(row[0].split()) >= _FEWEST_WORDS for row in rows)
    return len(rows[0]) == 1 and (are_sentences or rows[0][0].startswith("*"))


def _used(rows: Sequence[Row]) -> list[int]:
    """Return the columns that are not empty."""
    return sorted({column for row in rows for column, cell in enumerate(row) if cell.strip()})


def without_empty_columns(rows: Sequence[Row]) -> list[list[str]]:
    """Return the rows without empty columns."""
    used = _used(rows)
    return [[row[column] if column < len(row) else "" for column in used] for row in rows]
