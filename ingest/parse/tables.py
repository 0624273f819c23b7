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
    """A pipe table whose first row is its header, one line a row, '' for no rows; rows without text are left out."""
    cells = [[one_line(cell).replace("|", r"\|") for cell in row] for row in rows]
    cells = [row for row in cells if any(row)]
    width = max(map(len, cells), default=0)
    lines = ["| " + " | ".join([*row, *[""] * (width - len(row))]) + " |" for row in cells]
    return "\n".join([*lines[:1], "| " + " | ".join(["---"] * width) + " |", *lines[1:]]) if lines else ""


def without_empty_columns(rows: Sequence[Row]) -> list[list[str]]:
    """The rows without the columns in which no row has text."""
    used = sorted({column for row in rows for column, cell in enumerate(row) if cell.strip()})
    return [[row[column] if column < len(row) else "" for column in used] for row in rows]


def blocks(rows: Iterable[Row]) -> Iterator[list[list[str]]]:
    """The tables of a sheet: what empty rows part from each other, each without its empty columns."""
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
    """A block as Markdown: rows of one cell that stand over wider ones are lines of text, the rest is a table."""
    lines = []
    while rows and sum(map(bool, rows[0])) == 1 and (len(rows) == 1 or len(rows[0]) > 1):
        lines.append(one_line("".join(rows.pop(0))))
    return "\n\n".join(filter(None, [*lines, markdown_table(without_empty_columns(rows))]))


def parse_csv(data: bytes) -> Parsed:
    """Comma, semicolon, tab or bar separated values: one table, its first row the header."""
    text = read_text(data)
    delimiter = _delimiter(text)
    text = re.sub(r"\Asep=.\n", "", text)  # Excel's note to itself
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error:  # a lone quotation mark swallowed the rest: take the lines as they are
        try:
            rows = list(csv.reader(text.split("\n"), delimiter=delimiter, quoting=csv.QUOTE_NONE))
        except csv.Error as error:
            raise ParseError(f"not a table of separated values: {error}") from error
    return Parsed((Page(None, markdown_table(without_empty_columns(rows))),), (), "")


def _delimiter(text: str) -> str:
    """What Excel's first line names, else what cuts most rows of the top, and the header, into equally many cells."""
    if named := re.match(r"sep=(.)\n", text):
        return named[1]
    return max(",;\t|", key=lambda mark: _evenness(text[:8192], mark))


def _evenness(sample: str, delimiter: str) -> tuple[float, int]:
    """The share of rows that have the most common number of cells, and that number; 0 where nothing is cut."""
    try:
        widths = [len(row) for row in csv.reader(io.StringIO(sample), delimiter=delimiter) if row]
    except csv.Error:
        return 0, 0
    width, count = Counter(widths).most_common(1)[0] if widths else (0, 0)
    return (count / len(widths), width) if width > 1 and widths[0] > 1 else (0, 0)
