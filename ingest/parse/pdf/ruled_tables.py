"""The ruling lines of a PDF page -> its tables, as rows of Markdown with a box for each cell."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import pypdfium2

from ingest.parse.document import Box
from ingest.parse.pdf.columns import lines_of_parts, table
from ingest.parse.pdf.layout import Char, Printed, Sheet, parts_of, text_of
from ingest.parse.pdf.paths import segments

Cell = tuple[int, int]
"""Row and column."""

_NEAR = 3.0  # points: edges no farther apart meet
_SHORTEST = 4.0  # points: what is shorter is a dash, a dot, or the end of a thick line
_MAX_SEGMENTS = 4000  # a page with more is a drawing
_LONGEST_CELL = 2000  # characters
_FEWEST_LINES = 3


@dataclass(frozen=True, slots=True)
class _Edge:
    """A ruling line: where it stands on the one axis, and from where to where it goes on the other."""

    at: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Grid:
    """A ruled table: the edges of its columns and rows, and for each field the cell that it belongs to.

    A cell of several fields is known by its upper left one.
    """

    columns: tuple[float, ...]
    rows: tuple[float, ...]
    cells: dict[Cell, Cell]

    def runs(self, line: Sequence[Char]) -> Iterator[tuple[Cell | None, list[Char]]]:
        """The characters of a line by the cell that they are in, None outside; one line is in one row."""
        row = bisect_right(self.rows, (min(char.top for char in line) + max(char.bottom for char in line)) / 2) - 1
        columns = ((bisect_right(self.columns, (char.left + char.right) / 2) - 1, char) for char in line)
        for cell, run in groupby(columns, lambda place: self.cells.get((row, place[0]))):
            yield cell, [char for _, char in run]


# ruling lines -> grids ---------------------------------------------------------------------------------


def grids(page: pypdfium2.PdfPage, sheet: Sheet) -> list[Grid]:
    """The page's ruled areas of at least two rows and columns."""
    found = [_grid(*group) for group in _crossing(*_edges(page, sheet))]
    return [grid for grid in found if len(grid.columns) > 2 and len(grid.rows) > 2]


def _edges(page: pypdfium2.PdfPage, sheet: Sheet) -> tuple[list[_Edge], list[_Edge]]:
    """The page's level and upright ruling lines, pieces of one line as one."""
    level, upright = list[_Edge](), list[_Edge]()
    for number, (x1, y1, x2, y2) in enumerate(segments(page, sheet.matrix)):
        if number > _MAX_SEGMENTS:
            return [], []
        if abs(y1 - y2) < 1 and abs(x1 - x2) > _SHORTEST:
            level.append(_Edge(y1, min(x1, x2), max(x1, x2)))
        elif abs(x1 - x2) < 1 and abs(y1 - y2) > _SHORTEST:
            upright.append(_Edge(x1, min(y1, y2), max(y1, y2)))
    return _merged(level), _merged(upright)


def _merged(edges: Sequence[_Edge]) -> list[_Edge]:
    places = _places(edge.at for edge in edges)
    near = [(places[bisect_right(places, edge.at) - 1], edge.start, edge.end) for edge in edges]
    merged: list[_Edge] = []
    for at, start, end in sorted(near):
        if merged and merged[-1].at == at and start <= merged[-1].end + _NEAR:
            merged[-1] = _Edge(at, merged[-1].start, max(end, merged[-1].end))
        else:
            merged.append(_Edge(at, start, end))
    return merged


def _places(values: Iterable[float]) -> list[float]:
    """The values in order, those near each other as one."""
    places: list[float] = []
    for value in sorted(values):
        if not places or value - places[-1] > _NEAR:
            places.append(value)
    return places


def _crossing(level: Iterable[_Edge], upright: Iterable[_Edge]) -> Iterator[tuple[set[_Edge], set[_Edge]]]:
    """The lines in groups of those that meet, directly or by way of others."""
    level, upright = set(level), set(upright)
    while upright:
        new = {upright.pop()}
        group: tuple[set[_Edge], set[_Edge]] = (set(), set(new))
        while new:
            met = {edge for edge in level if any(_meet(edge, other) for other in new)}
            new = {edge for edge in upright if any(_meet(other, edge) for other in met)}
            level, upright = level - met, upright - new
            group = group[0] | met, group[1] | new
        yield group


def _meet(level: _Edge, upright: _Edge) -> bool:
    across = level.start - _NEAR <= upright.at <= level.end + _NEAR
    return across and upright.start - _NEAR <= level.at <= upright.end + _NEAR


def _grid(level: Iterable[_Edge], upright: Iterable[_Edge]) -> Grid:
    columns, rows = _places(edge.at for edge in upright), _places(edge.at for edge in level)
    cells: dict[Cell, Cell] = {}
    for row in range(len(rows) - 1):
        for column in range(len(columns) - 1):
            x, y = (columns[column] + columns[column + 1]) / 2, (rows[row] + rows[row + 1]) / 2
            if column and not _parted(upright, columns[column], y):
                cells[row, column] = cells[row, column - 1]
            elif row and not _parted(level, rows[row], x):
                cells[row, column] = cells[row - 1, column]
            else:
                cells[row, column] = (row, column)
    return Grid(tuple(columns), tuple(rows), cells)


def _parted(edges: Iterable[_Edge], at: float, middle: float) -> bool:
    return any(edge.at == at and edge.start <= middle <= edge.end for edge in edges)


# grids -> Markdown -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Table:
    """The printed lines in each cell."""

    cells: dict[Cell, list[list[Char]]]

    def is_one(self) -> bool:
        """Whether it is a table: the frames of a page's layout have one row or column, or hold much text."""
        rows, columns = ({cell[axis] for cell in self.cells} for axis in (0, 1))
        short = all(sum(map(len, lines)) < _LONGEST_CELL for lines in self.cells.values())
        return len(rows) > 1 and len(columns) > 1 and short

    def printed(self, sheet: Sheet) -> list[Printed]:
        """Its rows in Markdown."""
        columns = sorted({column for _, column in self.cells})
        rows = (
            [self.cells.get((row, column), []) for column in columns] for row in sorted({row for row, _ in self.cells})
        )
        split = (cells for row in rows for cells in _split(row))
        return table(([_cell(lines, sheet) for lines in cells] for cells in split), sheet.quarters)


def with_tables(lines: Sequence[list[Char]], found: Iterable[Grid], sheet: Sheet) -> list[Printed]:
    """The page's lines, with the characters inside a grid as its rows, at the place of the first of them."""
    flow: list[list[Char] | _Table] = list(lines)
    for grid in found:
        flow = _with_table(flow, grid)
    result: list[Printed] = []
    for ruled, group in groupby(flow, lambda item: isinstance(item, _Table)):
        if ruled:
            result += [line for item in group if isinstance(item, _Table) for line in item.printed(sheet)]
        else:
            parts = (parts_of(item, sheet) for item in group if not isinstance(item, _Table))
            result += lines_of_parts(filter(None, parts), sheet.quarters)
    return result


def _with_table(flow: list[list[Char] | _Table], grid: Grid) -> list[list[Char] | _Table]:
    """The flow with what stands in the grid as one table."""
    table, place = _Table(defaultdict(list)), None
    rest: list[list[Char] | _Table] = []
    for item in flow:
        if isinstance(item, _Table):
            rest.append(item)
            continue
        for cell, chars in grid.runs(item):
            if cell is None:
                rest.append(chars)
            elif any(not char.text.isspace() for char in chars):
                place = len(rest) if place is None else place
                table.cells[cell].append(chars)
    if place is None or not table.is_one():
        return flow
    return [*rest[:place], table, *rest[place:]]


def _split(row: list[list[list[Char]]]) -> Iterator[list[list[list[Char]]]]:
    """A ruled row -> its printed rows, if at least three lines of every cell stand side by side."""
    filled = [lines for lines in row if lines]
    heights = zip(*([(line[0].top, line[0].bottom) for line in lines] for lines in filled), strict=False)
    level = all(max(top for top, _ in places) < min(bottom for _, bottom in places) for places in heights)
    num_lines = {len(lines) for lines in filled}
    if len(filled) > 1 and len(num_lines) == 1 and min(num_lines) >= _FEWEST_LINES and level:
        for index in range(min(num_lines)):
            yield [lines[index : index + 1] for lines in row]
    else:
        yield row


def _cell(lines: Sequence[Sequence[Char]], sheet: Sheet) -> tuple[str, Box | None]:
    """The lines of a cell as one; a hyphen that divides a word goes."""
    text = " ".join(line for line in map(text_of, lines) if line)
    return re.sub(r"(?<=[^\W\d_])- (?=[a-zß-ÿ])", "", text), sheet.box(char for line in lines for char in line)
