"""Printed lines in parts -> lines of text, or Markdown tables if the parts form columns."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import groupby, takewhile
from statistics import median

from ingest.parse.document import Box, Line
from ingest.parse.fields import Field, said_once
from ingest.parse.pdf.layout import SPREAD, Part, Printed, line_of
from ingest.parse.pdf.rivers import FEWEST_ROWS, Span, cuts
from ingest.parse.pdf.sheet import around, turned
from ingest.parse.tables import num_titles_and_headers

_PROSE = 30
"""Median characters of a line above which columns are running text, not table cells."""

_FEWEST_NAMES = 3  # of columns, in a table with one row
_EDGE = 2  # lines between this and the page's edge

Cell = tuple[str, Box | None]


def lines_of_parts(lines: Sequence[Sequence[Part]], quarters: int) -> list[Printed]:
    """Return the lines of a sheet turned by these quarters; a single line with a gap is not a table."""
    result: list[Printed] = []
    end = 0
    for spread, group in groupby(lines, lambda parts: len(parts) > 1):
        run = list(group)
        end += len(run)
        if not spread or len(run) == 1:
            result += [line_of(parts, quarters, " ") for parts in run]
        else:
            at_edge = end - len(run) < _EDGE or len(lines) - end < _EDGE
            result += _columns(run, quarters, at_edge)
    return result


def _columns(run: Sequence[Sequence[Part]], quarters: int, at_edge: bool) -> list[Printed]:
    """Return a run of lines with gaps. at_edge: whether it is at the page's, where headers and footers are."""
    extents = [[(box.left, box.right) for _, box in parts] for parts in run]
    clear = spans(span for row in extents for span in row)
    edges = cuts(clear, extents)
    rows = [_cells(parts, edges) for parts in run]
    num_texts = sum(median(len(text) for text, _ in column) > _PROSE for column in zip(*rows, strict=True))
    is_table = len(run) >= FEWEST_ROWS or (not at_edge and _are_names_and_values(rows))
    if not is_table or not edges or (num_texts > 1 and len(clear) <= len(edges)):
        return [line_of(parts, quarters, SPREAD) for parts in run]
    if num_texts == len(rows[0]) == 2:
        cells = [row[side] for side in (0, 1) for row in rows]
        return [line_of([(text, box)], quarters) for text, box in cells if box]
    return table(rows, quarters)


def _are_names_and_values(rows: Sequence[Sequence[Cell]]) -> bool:
    """Return whether two rows of three cells or more are names without figures above values, half of them figures."""
    names, values = ([text for text, _ in row] for row in rows)
    num_figures = sum(re.search(r"\d", value) is not None for value in values)
    is_filled = len(names) >= _FEWEST_NAMES and all([*names, *values])
    return is_filled and not re.search(r"\d", "".join(names)) and 2 * num_figures >= len(values)


def _cells(parts: Sequence[Part], edges: Sequence[float]) -> list[Cell]:
    """Return the cells of a row. edges: between columns; a lone part that lies over several is a merged cell."""
    inside: list[list[Part]] = [[] for _ in range(len(edges) + 1)]
    for part in parts:
        inside[bisect_right(edges, part[1].left)].append(part)
    cells: list[Cell] = [(" ".join(text for text, _ in cell), around([box for _, box in cell])) for cell in inside]
    for column, cell in enumerate(inside):
        if len(cell) == 1:
            text, box = cell[0]
            covered = takewhile(lambda other: not inside[other], range(column + 1, bisect_left(edges, box.right) + 1))
            for other in covered:
                cells[column] = cells[other] = Field(text, column), box
    return cells


def spans(extents: Iterable[Span]) -> list[Span]:
    """Return the extent of each column; extents that overlap are in one column."""
    spans: list[Span] = []
    for left, right in sorted(extents):
        if spans and left < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(right, spans[-1][1]))
        else:
            spans.append((left, right))
    return spans


def table(rows: Sequence[Sequence[Cell]], quarters: int) -> list[Printed]:
    """Return rows of cells as lines of a Markdown table, below its titles.

    A cell that covers several columns is in the first, since edges of frames may divide it, unless it groups columns.
    """
    num_titles, num_headers = num_titles_and_headers([[text for text, _ in cells] for cells in rows])
    titles = [line_of([(text, box)], quarters) for (text, box), *_ in rows[:num_titles] if box]
    headers, below = rows[num_titles : num_titles + num_headers], rows[num_titles + num_headers :]
    if num_headers == 1:
        names = _parts_once(headers[0])
    else:
        names = [
            [*{text: (text, box) for text, box in column if text}.values()] for column in zip(*headers, strict=True)
        ]
    header = _row(names or [[]] * len(rows[0]), quarters)
    rule = Printed("|" + " --- |" * len(rows[0]), row=True)
    return [*titles, header, rule, *(_row(_parts_once(cells), quarters) for cells in below)]


def _parts_once(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Return the parts of each cell, none for the further columns of one that covers several."""
    texts = said_once([text for text, _ in cells])
    return [[(text, box)] if text else [] for text, (_, box) in zip(texts, cells, strict=True)]


def _row(cells: Iterable[Sequence[Cell]], quarters: int) -> Printed:
    """Return a row; each cell is written as its parts with slashes between."""
    text, pieces, boxes = "|", list[Line](), list[Box]()
    for parts in cells:
        text += " "
        for index, (words, box) in enumerate(parts):
            text += " / " * (index > 0)
            start, text = len(text), text + words.replace("|", r"\|")
            if box:
                pieces.append(Line(start, len(text), turned(box, -quarters)))
                boxes.append(box)
        text += " |"
    return Printed(text, tuple(pieces), around(boxes), row=True)
