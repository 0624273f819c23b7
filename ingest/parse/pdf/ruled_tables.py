"""The ruling lines of a PDF page -> its tables, as Markdown rows with a box per cell."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import pypdfium2

from ingest.parse.document import Box
from ingest.parse.fields import Field, is_figure
from ingest.parse.pdf.columns import lines_of_parts, table
from ingest.parse.pdf.justified import parts_of_lines
from ingest.parse.pdf.layout import Printed, text_of
from ingest.parse.pdf.paths import segments
from ingest.parse.pdf.sheet import Char, Sheet

Cell = tuple[int, int]
"""Row and column."""

NEAR = 3.0  # points: edges within this distance meet
_SHORTEST = 4.0  # points: shorter lines are dashes, dots, or ends of thick lines
_MAX_SEGMENTS = 4000  # a page with more is a drawing
_LONGEST_CELL = 2000  # characters
_FEWEST_LINES = 3


@dataclass(frozen=True, slots=True)
class Edge:
    """A ruling line: its position on one axis, and its extent on the other."""

    at: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Grid:
    """A ruled table: the edges of columns and rows, and the cell of each field.

    A merged cell is identified by its upper left field.
    """

    columns: tuple[float, ...]
    rows: tuple[float, ...]
    cells: dict[Cell, Cell]

    def runs(self, line: Sequence[Char]) -> Iterator[tuple[Cell | None, list[Char]]]:
        """Yield (cell, characters) along a line, None outside the grid; a line is in one row."""
        row = bisect_right(self.rows, (min(char.top for char in line) + max(char.bottom for char in line)) / 2) - 1
        columns = ((bisect_right(self.columns, (char.left + char.right) / 2) - 1, char) for char in line)
        for cell, run in groupby(columns, lambda pair: self.cells.get((row, pair[0]))):
            yield cell, [char for _, char in run]


# ruling lines -> grids ---------------------------------------------------------------------------------


def grids(level: Iterable[Edge], upright: Iterable[Edge]) -> list[Grid]:
    """Return the ruled areas with at least two rows and columns."""
    found = [_grid(*group) for group in _crossing(level, upright)]
    return [grid for grid in found if len(grid.columns) > 2 and len(grid.rows) > 2]


def rules(page: pypdfium2.PdfPage, sheet: Sheet) -> tuple[list[Edge], list[Edge]]:
    """Return the page's level and upright ruling lines, with pieces of one line merged."""
    level, upright = list[Edge](), list[Edge]()
    for number, (x1, y1, x2, y2) in enumerate(segments(page, sheet.matrix)):
        if number > _MAX_SEGMENTS:
            return [], []
        if abs(y1 - y2) < 1 and abs(x1 - x2) > _SHORTEST:
            level.append(Edge(y1, min(x1, x2), max(x1, x2)))
        elif abs(x1 - x2) < 1 and abs(y1 - y2) > _SHORTEST:
            upright.append(Edge(x1, min(y1, y2), max(y1, y2)))
    return _merged(level), _merged(upright)


def _merged(edges: Sequence[Edge]) -> list[Edge]:
    positions = _positions(edge.at for edge in edges)
    near = [(positions[bisect_right(positions, edge.at) - 1], edge.start, edge.end) for edge in edges]
    merged: list[Edge] = []
    for at, start, end in sorted(near):
        if merged and merged[-1].at == at and start <= merged[-1].end + NEAR:
            merged[-1] = Edge(at, merged[-1].start, max(end, merged[-1].end))
        else:
            merged.append(Edge(at, start, end))
    return merged


def _positions(values: Iterable[float]) -> list[float]:
    """Return the values sorted, with close ones merged."""
    positions: list[float] = []
    for value in sorted(values):
        if not positions or value - positions[-1] > NEAR:
            positions.append(value)
    return positions


def _crossing(level: Iterable[Edge], upright: Iterable[Edge]) -> Iterator[tuple[set[Edge], set[Edge]]]:
    """Yield groups of lines that meet, directly or through others."""
    level, upright = set(level), set(upright)
    while upright:
        new = {upright.pop()}
        group: tuple[set[Edge], set[Edge]] = (set(), set(new))
        while new:
            met = {edge for edge in level if any(_meet(edge, other) for other in new)}
            new = {edge for edge in upright if any(_meet(other, edge) for other in met)}
            level, upright = level - met, upright - new
            group = group[0] | met, group[1] | new
        yield group


def _meet(level: Edge, upright: Edge) -> bool:
    across = level.start - NEAR <= upright.at <= level.end + NEAR
    return across and upright.start - NEAR <= level.at <= upright.end + NEAR


def _grid(level: Iterable[Edge], upright: Iterable[Edge]) -> Grid:
    columns, rows = _positions(edge.at for edge in upright), _positions(edge.at for edge in level)
    cells: dict[Cell, Cell] = {}
    for row in range(len(rows) - 1):
        for column in range(len(columns) - 1):
            x, y = (columns[column] + columns[column + 1]) / 2, (rows[row] + rows[row + 1]) / 2
            if column and not _separated(upright, columns[column], y):
                cells[row, column] = cells[row, column - 1]
            elif row and not _separated(level, rows[row], x):
                cells[row, column] = cells[row - 1, column]
            else:
                cells[row, column] = (row, column)
    return Grid(tuple(columns), tuple(rows), cells)


def _separated(edges: Iterable[Edge], at: float, middle: float) -> bool:
    return any(edge.at == at and edge.start <= middle <= edge.end for edge in edges)


# grids -> Markdown -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Table:
    """The printed lines in each cell of a grid; a merged cell is its upper left field."""

    grid: Grid
    cells: dict[Cell, list[list[Char]]]

    def is_table(self) -> bool:
        """Return whether it is a table; a frame of the layout has one row or column, or much text."""
        rows, columns = ({cell[axis] for cell in self.cells} for axis in (0, 1))
        short = all(sum(map(len, lines)) < _LONGEST_CELL for lines in self.cells.values())
        return len(rows) > 1 and len(columns) > 1 and short

    def printed(self, sheet: Sheet) -> list[Printed]:
        """Return its rows in Markdown."""
        return table([[_cell(lines, key, sheet) for key, lines in row] for row in self._rows()], sheet.quarters)

    def _rows(self) -> Iterator[list[tuple[Hashable, list[list[Char]]]]]:
        """Yield its rows, each field as a key of its cell and the cell's lines."""
        columns = sorted({column for _, column in self.cells})
        for row in sorted({row for row, _ in self.cells}):
            fields = [(row, column) for column in columns]
            cells = [self.grid.cells[field] for field in fields]
            for number, lines in enumerate(_split([self.cells.get(field, []) for field in fields])):
                split = dict(zip(fields, lines, strict=True))
                yield [((cell, number), split.get(cell, self.cells.get(cell, []))) for cell in cells]


def with_tables(lines: Sequence[list[Char]], found: Iterable[Grid], sheet: Sheet) -> list[Printed]:
    """Return the page's lines, with each grid's characters as table rows where its first one was."""
    flow: list[list[Char] | _Table] = list(lines)
    for grid in found:
        flow = _with_table(flow, grid)
    result: list[Printed] = []
    for ruled, group in groupby(flow, lambda item: isinstance(item, _Table)):
        if ruled:
            result += [line for item in group if isinstance(item, _Table) for line in item.printed(sheet)]
        else:
            parts = parts_of_lines([item for item in group if not isinstance(item, _Table)], sheet)
            result += lines_of_parts(parts, sheet.quarters)
    return result


def _with_table(flow: list[list[Char] | _Table], grid: Grid) -> list[list[Char] | _Table]:
    """Return the flow with the grid's characters as one table."""
    table, position = _Table(grid, defaultdict(list)), None
    rest: list[list[Char] | _Table] = []
    for item in flow:
        if isinstance(item, _Table):
            rest.append(item)
            continue
        for cell, chars in grid.runs(item):
            if cell is None:
                rest.append(chars)
            elif any(not char.text.isspace() for char in chars):
                position = len(rest) if position is None else position
                table.cells[cell].append(chars)
    if position is None or not table.is_table():
        return flow
    return [*rest[:position], table, *rest[position:]]


def _split(row: list[list[list[Char]]]) -> Iterator[list[list[list[Char]]]]:
    """Split a ruled row into its printed rows, if it has three or more and they are no lines of long texts.

    Then every cell has as many lines, side by side, or two cells have one in each row and one of these only figures.
    """
    filled = [lines for lines in row if lines]
    heights = zip(*([(line[0].top, line[0].bottom) for line in lines] for lines in filled), strict=False)
    level = all(max(top for top, _ in spans) < min(bottom for _, bottom in spans) for spans in heights)
    num_lines = {len(lines) for lines in filled}
    if len(filled) > 1 and len(num_lines) == 1 and min(num_lines) >= _FEWEST_LINES and level:
        for index in range(min(num_lines)):
            yield [lines[index : index + 1] for lines in row]
        return
    printed = _printed_rows(row)
    full = [lines for lines in filled if len(lines) == len(printed) >= _FEWEST_LINES]
    are_figures = (all(is_figure(text_of(line)) for line in lines) for lines in full)
    yield from printed if len(full) > 1 and any(are_figures) else [row]


def _printed_rows(row: list[list[list[Char]]]) -> list[list[list[list[Char]]]]:
    """Return the printed rows of a ruled row, none if a cell has two lines in one of them."""
    lines = sorted((line[0].top, line[0].bottom, column, line) for column, cell in enumerate(row) for line in cell)
    printed: list[list[list[list[Char]]]] = []
    lowest = float("-inf")
    for top, bottom, column, line in lines:
        if top >= lowest:
            printed.append([[] for _ in row])
            lowest = bottom
        elif printed[-1][column]:
            return []
        printed[-1][column].append(line)
        lowest = min(lowest, bottom)
    return printed


def _cell(lines: Sequence[Sequence[Char]], key: Hashable, sheet: Sheet) -> tuple[Field, Box | None]:
    """Return the lines of a cell joined, without hyphens that divide a word, and their box. key: of the cell."""
    text = " ".join(line for line in map(text_of, lines) if line)
    text = re.sub(r"(\w-\w+-) (?=[a-zß-ÿ])", r"\1", text)  # a compound keeps its hyphens
    text = re.sub(r"(?<=[^\W\d_])- (?=[a-zß-ÿ])", "", text)
    return Field(text, key), sheet.box(char for line in lines for char in line)
