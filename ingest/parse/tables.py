"""Rows of cells -> Markdown pipe tables; CSV and TSV -> one such table."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import chain, dropwhile, groupby, takewhile

from ingest.parse.document import Page, Parsed, ParseError, one_line
from ingest.parse.encoding import read_text

Row = Sequence[str]
_SAMPLE = 8192  # characters
_LONGEST_SHEET = 30  # rows of labels and values; longer files have a header
_LEAST_APART = 2  # rows that one of two tables side by side has more than the other


class Field(str):
    """A cell's text and what the file shows of it.

    merged: which merged cell it belongs to, None if to none. strong: whether it is bold or marked as a header.
    """

    __slots__ = ("merged", "strong")
    merged: Hashable
    strong: bool

    def __new__(cls, text: str, merged: Hashable = None, strong: bool = False) -> Field:
        field = super().__new__(cls, text)
        field.merged, field.strong = merged, strong
        return field


def table_text(rows: Sequence[Row], num_headers: int | None = None, doubtful: bool = False) -> str:
    """Return a table as Markdown, below its title if one cell covers the first row.

    num_headers: leading rows that the file marks as header, None if it marks nothing; see `has_header`.
    """
    width = max(map(len, rows), default=0)
    rows = [[*row, *[""] * (width - len(row))] for row in rows]
    titles = list(takewhile(_is_title, rows))
    rows = rows[len(titles) :]
    if num_headers is not None and titles:
        num_headers = num_headers - len(titles) if num_headers > len(titles) else None
    if num_headers is None:
        num_headers = int(has_header(rows, doubtful))
    return "\n\n".join(filter(None, [*(one_line(title[0]) for title in titles), markdown_table(rows, num_headers)]))


def markdown_table(rows: Iterable[Row], num_headers: int = 1) -> str:
    """Return a pipe table, '' for no rows; empty rows are left out.

    num_headers: leading rows with the names of the columns, which become one; with 0 the header row is empty.
    """
    rows = list(rows)
    width = max(map(len, rows), default=0)
    num_headers = _with_grouped(rows, num_headers)
    header = [_column_name(row[column] for row in rows[:num_headers] if column < len(row)) for column in range(width)]
    below = (row if num_headers and not _is_title(row) else said_once(row) for row in rows[num_headers:])
    cells = [list(map(_cell_text, row)) for row in below]
    cells = [row for row in cells if any(row)]
    if not any(header) and not cells:
        return ""
    lines = ["| " + " | ".join([*row, *[""] * (width - len(row))]) + " |" for row in (header, *cells)]
    return "\n".join([lines[0], "| " + " | ".join(["---"] * width) + " |", *lines[1:]])


def _cell_text(cell: str) -> str:
    return one_line(cell).replace("|", r"\|")


def _column_name(cells: Iterable[str]) -> str:
    return " / ".join(dict.fromkeys(filter(None, map(_cell_text, cells))))


def num_titles_and_headers(rows: Sequence[Row]) -> tuple[int, int]:
    """Return how many rows of a table that marks nothing are titles, and how many below name its columns."""
    num_titles = len(list(takewhile(_is_title, rows)))
    below = rows[num_titles:]
    return num_titles, _with_grouped(below, int(has_header(below, doubtful=True)))


def said_once(row: Row) -> list[str]:
    """Return the row with a cell that covers several columns only in the first of these."""
    return ["" if column and _covers(row[column - 1], cell) else cell for column, cell in enumerate(row)]


def _is_title(row: Row) -> bool:
    return len(row) > 1 and _covers(row[0], row[-1])


def _covers(one: str, other: str) -> bool:
    """Return whether two fields belong to one merged cell."""
    merged = one.merged if isinstance(one, Field) else None
    return merged is not None and isinstance(other, Field) and merged == other.merged


def _with_grouped(rows: Sequence[Row], num_headers: int) -> int:
    """Return the number of header rows, with those that name the columns below a merged cell."""
    while 0 < num_headers < len(rows) - 1 and _names_columns_of(rows[num_headers - 1], rows[num_headers]):
        num_headers += 1
    return num_headers


def _names_columns_of(groups: Row, names: Row) -> bool:
    """Return whether one row has merged cells and the next one has names below these only."""
    if len(groups) != len(names):
        return False
    grouped = [
        any(_covers(groups[column], groups[beside]) for beside in (column - 1, column + 1) if 0 <= beside < len(groups))
        for column in range(len(groups))
    ]
    return any(grouped) and all(
        bool(name.strip()) != _covers(group, name)
        if in_group
        else not (name.strip() and group.strip()) or _covers(group, name)
        for group, name, in_group in zip(groups, names, grouped, strict=True)
    )


def has_header(rows: Sequence[Row], doubtful: bool = False) -> bool:
    """Return whether the first row of a table names its columns; rows are of one width.

    If the file sets neither the first row nor the first column apart, a row with a date, amount or the like above more
    of the same kind is data. A table of two columns is in doubt too: its left column may name the rows. Then the first
    row is a header if it has words above figures of one kind.
    doubtful: the result where this does not show.
    """
    first, *rest = rows or [()]
    if all(map(_is_strong, first)) and not all(map(_is_strong, chain(*rest))):
        return True
    if all(_is_strong(row[0]) for row in rows) and not any(_is_strong(cell) for row in rows for cell in row[1:]):
        return False
    if any(_is_one_of(first[column], [row[column] for row in rest]) for column in range(len(first))):
        return False
    if len(first) != 2:
        return True
    if not rest or _is_figure(first[1]) or all(row[0].rstrip().endswith(":") for row in rows):
        return False
    columns = [[row[side] for row in rest if row[side].strip()] for side in (0, 1)]
    if any(not _is_figure(first[side]) and _are_alike(columns[side]) for side in (0, 1)):
        return True
    without_units = [re.sub(r"[^\W\d_]+", "", value) for value in columns[1]]
    return doubtful and (not all(map(_is_figure, columns[1])) or _are_alike(without_units))


def _is_strong(cell: str) -> bool:
    """Return whether it is a field set apart; an empty one may be anything."""
    return not cell.strip() or (isinstance(cell, Field) and cell.strong)


def _is_one_of(cell: str, below: Sequence[str]) -> bool:
    """Return whether a figure, other than a whole number such as a year, is of the same kind as all below it."""
    kinds = {re.sub(r"\d+", "0", value.strip()) for value in (cell, *below)}
    return len(below) > 1 and _is_figure(cell) and len(kinds) == 1 and "".join(kinds) != "0"


def _is_figure(text: str) -> bool:
    return re.match(r"\W{0,3}\d", text) is not None


def _are_alike(values: Sequence[str]) -> bool:
    """Return whether all values are figures, of one kind and unit for every two of them."""
    kinds = {re.sub(r"\d[\d.,]*", "0", value) for value in values}
    return all(map(_is_figure, values)) and (len(kinds) == 1 or 0 < 2 * len(kinds) <= len(values))


def without_empty_columns(rows: Sequence[Row]) -> list[list[str]]:
    """Return the rows without empty columns."""
    used = sorted({column for row in rows for column, cell in enumerate(row) if cell.strip()})
    return [[row[column] if column < len(row) else "" for column in used] for row in rows]


def blocks(rows: Iterable[Row]) -> Iterator[list[list[str]]]:
    """Yield the tables of a sheet, which empty rows or columns separate, each without empty columns."""
    for filled, group in groupby(rows, lambda row: any(cell.strip() for cell in row)):
        if filled:
            yield from map(without_empty_columns, _side_by_side(list(group)))


def _side_by_side(rows: list[Row]) -> list[list[Row]]:
    """Return the tables of rows with empty columns between; a column between parts of equal height only spaces them."""
    width = max(map(len, rows))
    whole = [[*row, *[""] * (width - len(row))] for row in rows]
    used = [any(row[column].strip() for row in whole) for column in range(width)]
    runs = [[column for column, _ in run] for filled, run in groupby(enumerate(used), lambda pair: pair[1]) if filled]
    parts = [[row[run[0] : run[-1] + 1] for row in whole] for run in runs]
    heights = [max(index for index, row in enumerate(part) if any(cell.strip() for cell in row)) + 1 for part in parts]
    has_gaps = any(
        not any(map(str.strip, row)) for part, height in zip(parts, heights, strict=True) for row in part[:height]
    )
    apart = max(heights) - min(heights) >= _LEAST_APART and min(map(len, runs)) > 1 and min(heights) > 1
    if len(parts) == 1 or not apart or has_gaps:
        return [rows]
    return [list(part[:height]) for part, height in zip(parts, heights, strict=True)]


def block_text(rows: list[list[str]]) -> str:
    """Return a block as Markdown: leading rows of one cell above wider ones are text, the rest is a table."""
    lines = []
    while rows and _is_line(rows):
        lines.append(one_line("".join(said_once(rows.pop(0)))))
    return "\n\n".join(filter(None, [*lines, table_text(without_empty_columns(rows))]))


def _is_line(rows: Sequence[Row]) -> bool:
    """Return whether the first row has one cell, and is neither a list's first item nor names a group of columns."""
    alone = sum(map(bool, said_once(rows[0]))) == 1 and (len(rows) == 1 or len(rows[0]) > 1)
    return alone and not (len(rows) > 1 and _names_columns_of(rows[0], rows[1]))


def parse_csv(data: bytes) -> Parsed:
    """Parse comma, semicolon, tab or bar separated values as one table, below the lines of text before it."""
    text = read_text(data)
    delimiter = _delimiter(text)
    text = re.sub(r"\Asep=.\n", "", text)  # Excel's delimiter line
    padded = bool(re.search(f'(?m)^[^"\n]*{re.escape(delimiter)} "', text[:_SAMPLE]))
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=padded))
    except csv.Error:  # a lone quotation mark swallowed the rest: ignore quotes
        try:
            rows = list(csv.reader(text.split("\n"), delimiter=delimiter, quoting=csv.QUOTE_NONE))
        except csv.Error as error:
            raise ParseError(f"not a table of separated values: {error}") from error
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    above = list(takewhile(lambda row: len(list(filter(str.strip, row))) == 1, rows))
    if len(above) == len(rows):  # a list of one column
        above = []
    lines = [one_line("".join(row)) for row in above]
    parts = [*lines, table_text(without_empty_columns(rows[len(above) :]), doubtful=len(rows) > _LONGEST_SHEET)]
    return Parsed((Page(None, "\n\n".join(filter(None, parts))),), (), "")


def _delimiter(text: str) -> str:
    """Return the delimiter that Excel's first line names, else the one that gives the most evenly wide rows."""
    if named := re.match(r"sep=(.)\n", text):
        return named[1]
    return max(",;\t|", key=lambda mark: _evenness(text[:_SAMPLE], mark))


def _evenness(sample: str, delimiter: str) -> tuple[float, int]:
    """Return the share of rows with the most common number of cells, and that number; 0, 0 if nothing is split."""
    try:
        widths = [len(row) for row in csv.reader(io.StringIO(sample), delimiter=delimiter) if row]
    except csv.Error:
        return 0, 0
    table = list(dropwhile(lambda width: width == 1, widths))  # below lines of text
    width, count = Counter(table).most_common(1)[0] if table else (0, 0)
    return (count / len(widths), width) if width > 1 else (0, 0)
