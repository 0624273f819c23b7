"""text of a spreadsheet's CSV file -> rows by column name."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.evaluation.beir_files import BenchmarkError


def csv_rows(
    path: Path, text: str, required: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (row number as in a spreadsheet, column -> stripped cell) for these columns, if present.

    Column names are case-insensitive. Empty rows are skipped. Raises BenchmarkError when columns are missing or the
    text is not CSV.
    """
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)  # spreadsheets use semicolons if the comma is the decimal mark
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        if missing := [column for column in required if column not in names]:
            raise BenchmarkError(
                f"{path} lacks {', '.join(missing)}: expected the columns {', '.join(required)} in its first line, "
                f"got {_shortened(head.strip())!r}"
            )
        indexes = {column: names.index(column) for column in (*required, *optional) if column in names}
        for number, cells in enumerate(reader, 2):
            row = {column: cells[at].strip() if at < len(cells) else "" for column, at in indexes.items()}
            if any(row.values()):
                yield number, row
    except csv.Error as error:
        raise BenchmarkError(f"{path} line {reader.line_num} is not CSV: {error}") from error


def _shortened(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}..."
