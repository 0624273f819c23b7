"""CSV and TSV -> tables below the lines of text before them."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from itertools import dropwhile
from typing import Any

from ingest.parse.document import Page, Parsed, ParseError
from ingest.parse.encoding import read_text
from ingest.parse.marks import without_own_files
from ingest.parse.sheet_tables import block_text, parted, without_empty_columns

_SAMPLE = 8192  # characters
_LONGEST_SHEET = 30  # rows of labels and values; longer files have a header
_REMARKS = re.compile(r"((?:#.*(?:\n|\Z))*)([\s\S]*)")


def parse_csv(data: bytes) -> Parsed:
    """Parse comma, semicolon, tab or bar separated values as tables, below the lines of text before them."""
    remarks, text = _REMARKS.fullmatch(without_own_files(read_text(data))).groups()  # type: ignore[union-attr]
    delimiter = _delimiter(text)
    rows = _rows(re.sub(r"\Asep=.\n", "", text), delimiter)  # Excel's delimiter line
    doubtful = len(rows) > _LONGEST_SHEET
    parts = parted(rows)
    if any(len(part) == 1 for part in parts):  # empty lines that divide nothing
        parts = [[row for part in parts for row in part]]
    texts = [remarks.strip(), *(block_text(without_empty_columns(part), doubtful) for part in parts)]
    return Parsed((Page(None, "\n\n".join(filter(None, texts))),), (), "")


def _rows(text: str, delimiter: str) -> list[list[str]]:
    """Return the rows. Raises ParseError."""
    csv.field_size_limit(max(len(text), csv.field_size_limit()))  # a cell may hold a whole text
    form: dict[str, Any] = {"delimiter": delimiter}
    form["skipinitialspace"] = bool(re.search(f'(?m)^[^"\n]*{re.escape(delimiter)} "', text[:_SAMPLE]))
    if re.search(rf'{re.escape(delimiter)}"[^"\n]*\\"[^"\n]', text[:_SAMPLE]):  # as MySQL writes quotes
        form |= {"escapechar": "\\", "doublequote": False}
    elif text.count('"') % 2:  # a lone quotation mark would swallow the rest
        form["quoting"] = csv.QUOTE_NONE
    try:
        return list(csv.reader(io.StringIO(text), **form))
    except csv.Error as error:
        raise ParseError(f"not a table of separated values: {error}") from error


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
