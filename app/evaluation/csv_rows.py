"""text of a CSV file, as spreadsheets write it -> rows by the names of their columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.evaluation.beir_files import BenchmarkError


def csv_rows(
    path: Path, text: str, required: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Number as a spreadsheet counts, and the cells of these columns, stripped; of optional ones those that are there.

    Capitals in the names of columns do not matter. Empty rows are passed over. Raises BenchmarkError when columns
    are missing or the text is no CSV.
    """
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)  # spreadsheets write semicolons where the comma is the decimal mark
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        if missing := [column for column in required if column not in names]:
            raise BenchmarkError(
                f"{path} lacks {', '.join(missing)}: expected the columns {', '.join(required)} in its first line, "
                f"got {_shortened(head.strip())!r}"
            )
        places = {column: names.index(column) for column in (*required, *optional) if column in names}
        for number, cells in enumerate(reader, 2):
            row = {column: cells[at].strip() if at < len(cells) else "" for column, at in places.items()}
            if any(row.values()):
                yield number, row
    except csv.Error as error:
        raise BenchmarkError(f"{path} line {reader.line_num} is no CSV: {error}") from error


def _shortened(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}..."
