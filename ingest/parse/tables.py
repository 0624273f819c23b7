"""Rows of cells -> Markdown pipe tables; CSV and TSV -> one such table."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from ingest.parse.document import Page, Parsed, ParseError, one_line
from ingest.parse.encoding import read_text

Row = Sequence[str]


def markdown_table(rows: Iterable[Row]) -> str:
    """Return a pipe table with the first row as header, '' for no rows; empty rows are left out."""
    cells = [[one_line(cell).replace("|", r"\|") for cell in row] for row in rows]
    cells = [row for row in cells if any(row)]
    width = max(map(len, cells), default=0)
    lines = ["| " + " | ".join([*row, *[""] * (width - len(row))]) + " |" for row in cells]
    return "\n".join([*lines[:1], "| " + " | ".join(["---"] * width) + " |", *lines[1:]]) if lines else ""


def without_empty_columns(rows: Sequence[Row]) -> list[list[str]]:
    """Return the rows without empty columns."""
    used = sorted({column for row in rows for column, cell in enumerate(row) if cell.strip()})
    return [[row[column] if column < len(row) else "" for column in used] for row in rows]


def blocks(rows: Iterable[Row]) -> Iterator[list[list[str]]]:
    """Yield the tables of a sheet, which empty rows separate, each without empty columns."""
    block: list[Row] = []
    for row in rows:
        if any(cell.strip() for cell in row):
            block.append(row)
        elif block:
            yield without_empty_columns(block)
            block = []
    if block:
        yield without_empty_columns(block)


def block_text(rows: list[list[str]]) -> str:
    """Return a block as Markdown: leading rows of one cell above wider ones are text, the rest is a table."""
    lines = []
    while rows and sum(map(bool, rows[0])) == 1 and (len(rows) == 1 or len(rows[0]) > 1):
        lines.append(one_line("".join(rows.pop(0))))
    return "\n\n".join(filter(None, [*lines, markdown_table(without_empty_columns(rows))]))


def parse_csv(data: bytes) -> Parsed:
    """Parse comma, semicolon, tab or bar separated values as one table with the first row as header."""
    text = read_text(data)
    delimiter = _delimiter(text)
    text = re.sub(r"\Asep=.\n", "", text)  # Excel's delimiter line
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error:  # a lone quotation mark swallowed the rest: ignore quotes
        try:
            rows = list(csv.reader(text.split("\n"), delimiter=delimiter, quoting=csv.QUOTE_NONE))
        except csv.Error as error:
            raise ParseError(f"not a table of separated values: {error}") from error
    return Parsed((Page(None, markdown_table(without_empty_columns(rows))),), (), "")


def _delimiter(text: str) -> str:
    """Return the delimiter that Excel's first line names, else the one that gives the most evenly wide rows."""
    if named := re.match(r"sep=(.)\n", text):
        return named[1]
    return max(",;\t|", key=lambda mark: _evenness(text[:8192], mark))


def _evenness(sample: str, delimiter: str) -> tuple[float, int]:
    """Return the share of rows with the most common number of cells, and that number; 0, 0 if nothing is split."""
    try:
        widths = [len(row) for row in csv.reader(io.StringIO(sample), delimiter=delimiter) if row]
    except csv.Error:
        return 0, 0
    width, count = Counter(widths).most_common(1)[0] if widths else (0, 0)
    return (count / len(widths), width) if width > 1 and widths[0] > 1 else (0, 0)
