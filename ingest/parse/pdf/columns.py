"""Printed lines in parts -> lines of text, or Markdown tables if the parts form columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from statistics import median

from ingest.parse.document import Box, Line
from ingest.parse.pdf.layout import SPREAD, Part, Printed, line_of
from ingest.parse.pdf.sheet import around, turned
from ingest.parse.tables import has_header

_FEWEST_ROWS = 3
_PROSE = 30
"""Median characters of a line above which columns are running text, not table cells."""

Span = tuple[float, float]


def lines_of_parts(lines: Iterable[Sequence[Part]], quarters: int) -> list[Printed]:
    """Return the lines of a sheet turned by these quarters; a single line with a gap is not a table."""
    result: list[Printed] = []
    for spread, group in groupby(lines, lambda parts: len(parts) > 1):
        run = list(group)
        if not spread or len(run) == 1:
            result += [line_of(parts, quarters, " ") for parts in run]
        else:
            result += _columns(run, quarters)
    return result


def _columns(run: Sequence[Sequence[Part]], quarters: int) -> list[Printed]:
    columns = _spans(box for parts in run for _, box in parts)
    if len(run) < _FEWEST_ROWS or len(columns) < 2:
        return [line_of(parts, quarters, SPREAD) for parts in run]
    rows = [[_cell(parts, column) for column in columns] for parts in run]
    if len(columns) == 2 and all(median(len(row[side][0]) for row in rows) > _PROSE for side in (0, 1)):
        cells = [row[side] for side in (0, 1) for row in rows]
        return [line_of([(text, box)], quarters) for text, box in cells if box]
    return table(rows, quarters)


def _spans(boxes: Iterable[Box]) -> list[Span]:
    """Return the extent of each column; boxes that overlap are in one column."""
    spans: list[Span] = []
    for left, right in sorted((box.left, box.right) for box in boxes):
        if spans and left < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(right, spans[-1][1]))
        else:
            spans.append((left, right))
    return spans


def _cell(parts: Sequence[Part], column: Span) -> tuple[str, Box | None]:
    inside = [(text, box) for text, box in parts if column[0] <= box.left < column[1]]
    return " ".join(text for text, _ in inside), around([box for _, box in inside])


def table(rows: Iterable[Sequence[tuple[str, Box | None]]], quarters: int) -> list[Printed]:
    """Return rows of cells with boxes as lines of a Markdown table."""
    rows = list(rows)
    if not has_header([[text for text, _ in cells] for cells in rows], doubtful=True):
        rows.insert(0, [("", None)] * len(rows[0]))
    rule = Printed("|" + " --- |" * len(rows[0]), row=True)
    first, *others = [_row(cells, quarters) for cells in rows]
    return [first, rule, *others]


def _row(cells: Sequence[tuple[str, Box | None]], quarters: int) -> Printed:
    text, pieces = "|", list[Line]()
    for words, box in ((words.replace("|", r"\|"), box) for words, box in cells):
        if words and box:
            pieces.append(Line(len(text) + 1, len(text) + 1 + len(words), turned(box, -quarters)))
        text += f" {words} |"
    return Printed(text, tuple(pieces), around([box for _, box in cells if box]), row=True)
