"""A grid with rules missing, as in a form printed from a spreadsheet -> fields where its text stands in columns."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median

from ingest.parse.pdf.rivers import pieces, rivers
from ingest.parse.pdf.ruled_tables import Cell, Grid
from ingest.parse.pdf.sheet import Char

_FEWEST_LINES = 3
_PROSE = 30  # median characters of a line above which columns are running text

Lines = list[Sequence[Char]]


def unmerged(grid: Grid, lines: Iterable[Sequence[Char]]) -> Grid:
    """Return the grid; an area over several columns, with gaps in its text at their edges, is cut there.

    If it has three printed lines or more, it is cut between these, too.
    """
    widths: defaultdict[Cell, set[int]] = defaultdict(set)
    for (_, column), cell in grid.cells.items():
        widths[cell].add(column)
    texts: defaultdict[Cell, Lines] = defaultdict(list)
    for line in lines:
        for area, chars in grid.runs(line):
            if area is not None and len(widths[area]) > 1 and any(not char.text.isspace() for char in chars):
                texts[area].append(chars)
    heights = {cell: _bands(text) for cell, text in texts.items()}
    areas: dict[Cell, list[float]] = {}
    for cell, text in texts.items():
        known = {edge for edges in areas.values() for edge in edges}
        if found := _edges(grid, widths[cell], text, len(heights[cell]), known):
            areas[cell] = found
    return _cut(grid, areas, [height for cell in areas for height in heights[cell]]) if areas else grid


def _bands(text: Lines) -> list[float]:
    """Return the heights between the printed lines of a text, none if it has few."""
    extents = sorted((min(char.top for char in line), max(char.bottom for char in line)) for line in text)
    middles: list[float] = []
    lowest = extents[0][1]
    for top, bottom in extents:
        if top > lowest:
            middles.append((top + lowest) / 2)
        lowest = max(lowest, bottom)
    return middles if len(middles) + 1 >= _FEWEST_LINES else []


def _edges(grid: Grid, columns: set[int], text: Lines, num_cuts: int, known: set[float]) -> list[float]:
    """Return where an area is cut, nowhere for a title or columns of running text. known: edges of other areas."""
    extents = [pieces(line) for line in text]
    left, right = grid.columns[min(columns)], grid.columns[max(columns) + 1]
    inner = {edge for edge in {*grid.columns, *known} if left < edge < right}
    edges = [float("-inf"), *sorted(edge for edge in inner if _part(extents, edge)), float("inf")]
    is_title = len(columns) == len(grid.columns) - 1 and not num_cuts
    if len(edges) == 2 or is_title or _is_prose(text, edges):
        return []
    further: list[float] = []
    for left, right in pairwise(edges) if num_cuts else ():
        further += rivers([[span for span in line if left <= span[0] < right] for line in extents])
    return [*edges[1:-1], *further]


def _part(extents: Iterable[Sequence[tuple[float, float]]], edge: float) -> bool:
    """Return whether no text crosses the edge, and one line has text on both of its sides."""
    crossed = any(left < edge < right for line in extents for left, right in line)
    return not crossed and any(min(line)[0] < edge < max(line)[1] for line in extents)


def _is_prose(text: Lines, edges: Sequence[float]) -> bool:
    lengths = [
        [num for line in text if (num := sum(left <= char.left < right for char in line))]
        for left, right in pairwise(edges)
    ]
    return sum(median(column or [0]) > _PROSE for column in lengths) > 1


def _cut(grid: Grid, areas: dict[Cell, list[float]], heights: Iterable[float]) -> Grid:
    """Return the grid with further rows and columns. areas: cell -> where it is cut, besides at each row."""
    rows = sorted({*grid.rows, *(height for height in heights if grid.rows[0] < height < grid.rows[-1])})
    columns = sorted({*grid.columns, *(edge for edges in areas.values() for edge in edges)})
    old_rows = [bisect_right(grid.rows, row) - 1 for row in rows[:-1]]
    old_columns = [bisect_right(grid.columns, column) - 1 for column in columns[:-1]]
    cells: dict[Cell, Cell] = {}
    for row, old_row in enumerate(old_rows):
        for column, old_column in enumerate(old_columns):
            cell = grid.cells[old_row, old_column]
            before = grid.cells[old_row, old_columns[column - 1]] if column else None
            if cell not in areas:
                cells[row, column] = (old_rows.index(cell[0]), old_columns.index(cell[1]))
            elif before != cell or columns[column] in areas[cell]:
                cells[row, column] = (row, column)
            else:
                cells[row, column] = cells[row, column - 1]
    return Grid(tuple(columns), tuple(rows), cells)
