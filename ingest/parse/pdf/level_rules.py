"""Tables with level rules only, or shaded rows -> grids: a row between two rules, columns where the text has gaps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, pairwise
from statistics import median

from ingest.parse.pdf.columns import spans
from ingest.parse.pdf.justified import parts_of_lines
from ingest.parse.pdf.layout import Part
from ingest.parse.pdf.rivers import Span, cuts, pieces
from ingest.parse.pdf.ruled_tables import NEAR, Cell, Edge, Grid
from ingest.parse.pdf.sheet import Char, Sheet

_FARTHEST = 2.0  # heights of a character from a rule to the text of its row; headings stand farther off
_LONGEST_ROW = 600  # characters; a section of the page has more
_NEXT_LINE = 1.0  # heights of a character between two lines of a cell
_LABEL = 60  # characters; a table has a column of shorter cells
_FEWEST_ROWS = 2

Lines = list[Sequence[Char]]


def level_grids(
    lines: Sequence[Sequence[Char]], level: Iterable[Edge], found: Sequence[Grid], sheet: Sheet
) -> Iterator[Grid]:
    """Yield a grid for each run of rows between level rules of one width, outside the grids that are found."""
    free = sorted((rule for rule in level if not any(_is_in(rule, grid) for grid in found)), key=_width)
    middles = [(sum(_extent(line)) / 2, line) for line in lines if len(free) > _FEWEST_ROWS]
    for _, group in groupby(free, _width):
        rules = sorted(group, key=lambda rule: rule.at)
        bands = [(upper, lower, _between(middles, upper, lower)) for upper, lower in pairwise(rules)]
        for is_row, run in groupby(bands, lambda band: _is_row(band[2], band[0].at, band[1].at, sheet)):
            uppers, lowers, rows = zip(*run, strict=True)
            if is_row and len(rows) >= _FEWEST_ROWS:
                yield from _grid(lines, [uppers[0], *lowers], list(rows), sheet)


def _width(rule: Edge) -> tuple[int, int]:
    return round(rule.start / NEAR), round(rule.end / NEAR)


def _is_in(rule: Edge, grid: Grid) -> bool:
    across = rule.start < grid.columns[-1] - NEAR and rule.end > grid.columns[0] + NEAR
    return across and grid.rows[0] - NEAR <= rule.at <= grid.rows[-1] + NEAR


def _between(middles: Iterable[tuple[float, Sequence[Char]]], upper: Edge, lower: Edge) -> Lines:
    level = (line for middle, line in middles if upper.at < middle < lower.at)
    return [line for line in level if line[0].left < upper.end and line[-1].right > upper.start]


def _extent(line: Sequence[Char]) -> tuple[float, float]:
    return min(char.top for char in line), max(char.bottom for char in line)


def _is_row(lines: Lines, upper: float, lower: float, sheet: Sheet) -> bool:
    """Return whether lines are one row: near both rules, with gaps in one line at most, or a single line."""
    extents = sorted(map(_extent, lines))
    if not extents or sum(map(len, lines)) > _LONGEST_ROW:
        return False
    edges = [upper, *(edge for extent in extents for edge in extent), lower]
    widest = max(edges[index + 1] - edges[index] for index in range(0, len(edges), 2))
    if widest > _FARTHEST * min(bottom - top for top, bottom in extents):
        return False
    parts = parts_of_lines(lines, sheet)
    return sum(len(line) > 1 for line in parts) < 2 and (len(lines) == 1 or len(_columns(parts)) > 1)


def _columns(parts: Iterable[Sequence[Part]]) -> list[Span]:
    return spans((box.left, box.right) for line in parts for _, box in line)


def _grid(lines: Sequence[Sequence[Char]], rules: Sequence[Edge], rows: list[Lines], sheet: Sheet) -> Iterator[Grid]:
    """Yield the grid of the rows, with those beyond the first and last rule."""
    first, last = _beyond(lines, rules[0], -1, sheet), _beyond(lines, rules[-1], 1, sheet)
    parts = [parts_of_lines(row, sheet) for row in (first, *rows, last) if row]
    columns = _columns(line for row in parts for line in row)
    if sum(len(_columns(row)) > 1 for row in parts) < _FEWEST_ROWS or _are_texts(parts, columns):
        return
    printed = [[pieces(line) for line in row] for row in (first, *rows, last) if row]
    edges = cuts([(left * sheet.width, right * sheet.width) for left, right in columns], list(chain(*printed)))
    tops = [min(_extent(line)[0] for line in row) for row in (first,) if row]
    bottoms = [max(_extent(line)[1] for line in row) for row in (last,) if row]
    across, down = (rules[0].start, *edges, rules[0].end), (*tops, *(rule.at for rule in rules), *bottoms)
    cells: dict[Cell, Cell] = {}
    for row, extents in enumerate(printed):
        for column in range(len(across) - 1):
            covered = column and any(left < across[column] < right for left, right in chain(*extents))
            cells[row, column] = cells[row, column - 1] if covered else (row, column)
    yield Grid(across, down, cells)


def _are_texts(rows: Sequence[Sequence[Sequence[Part]]], columns: Sequence[Span]) -> bool:
    """Return whether all columns are running text, as on a page in columns with rules between its sections."""
    return all(
        median(sum(len(text) for line in row for text, box in line if left <= box.left < right) for row in rows)
        > _LABEL
        for left, right in columns
    )


def _beyond(lines: Iterable[Sequence[Char]], rule: Edge, sign: int, sheet: Sheet) -> Lines:
    """Return the lines of a row above (sign -1) or below (sign 1) the outermost rule; none unless one line has gaps."""
    row: Lines = []
    edge, farthest = rule.at, _FARTHEST
    extents = [(sorted((sign * top, sign * bottom)), line) for line in lines for top, bottom in [_extent(line)]]
    for (near, far), line in sorted(extents, key=lambda pair: pair[0][0]):
        within = line[0].left < rule.end and line[-1].right > rule.start and (near + far) / 2 > sign * rule.at
        if within and near - sign * edge > farthest * (far - near):
            break
        if within:
            row.append(line)
            edge, farthest = sign * max(far, sign * edge), _NEXT_LINE
    return row if sum(len(parts) > 1 for parts in parts_of_lines(row, sheet)) == 1 else []
