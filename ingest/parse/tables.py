"""Rows of cells -> a Markdown pipe table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain, takewhile

from ingest.parse.document import one_line
from ingest.parse.fields import Field, Row, covers, is_figure, is_strong, is_title, said_once
from ingest.parse.row_names import with_parents, with_repeated, with_sections

_LONGEST_REPEATED = 60
"""Characters of a cell over several columns that is a value of each; a longer one is a line of text."""
_LONGEST_UNIT = 3  # words


def table_text(rows: Sequence[Row], num_headers: int | None = None, doubtful: bool = False) -> str:
    """Return a table as Markdown, below its title if one cell covers the first row.

    num_headers: leading rows that the file marks as header, None if it marks nothing; see `has_header`.
    """
    width = max(map(len, rows), default=0)
    if not width:
        return ""
    rows = _with_named_groups([[*row, *[""] * (width - len(row))] for row in rows])
    titles = list(takewhile(is_title, rows))
    rows = rows[len(titles) :]
    if num_headers is not None and titles:
        num_headers = num_headers - len(titles) if num_headers > len(titles) else None
    if num_headers is None:
        num_headers = int(has_header(rows, doubtful))
    num_headers = _with_grouped(rows, num_headers)
    if width > 1:
        rows = with_sections(with_repeated(with_parents(rows, num_headers), num_headers), num_headers)
    return "\n\n".join(filter(None, [*(one_line(title[0]) for title in titles), markdown_table(rows, num_headers)]))


def _with_named_groups(rows: list[list[str]]) -> list[list[str]]:
    """Return the rows; a name of several columns that nobody merged covers the empty cells beside it.

    That is so where the second row names these columns: both in bold, or the same names below each of the first.
    """
    if len(rows) < 3:
        return rows
    are_bold = all(map(is_strong, chain(*rows[:2]))) and not all(map(is_strong, rows[2]))
    if not are_bold and not _name_alike(*rows):
        return rows
    groups, names = rows[:2]
    covered = [groups[0]]
    for column, cell in enumerate(groups[1:], 1):
        goes_on = not cell.strip() and covered[-1].strip() and names[column].strip() and names[column - 1].strip()
        if goes_on and (not isinstance(covered[-1], Field) or covered[-1].merged is None):
            covered[-1] = Field(covered[-1], merged=column, strong=True)
        covered.append(covered[-1] if goes_on else cell)
    return [covered, *rows[1:]]


def _name_alike(groups: Row, names: Row, *below: Row) -> bool:
    """Return whether names of columns of figures repeat, as Units and Price do below 2023 and below 2024."""
    repeated = [column for column, name in enumerate(names) if name.strip() and names.count(name) > 1]
    beside = [column for column, name in enumerate(groups) if not name.strip() and any(map(str.strip, groups[:column]))]
    return (
        bool(repeated)
        and repeated[0] > 0
        and set(beside) <= set(repeated)
        and len({names[column] for column in repeated}) * (len(repeated) - len(beside)) == len(repeated)
        and all(_is_column_of_figures([row[column] for row in below]) for column in repeated)
        and not any(map(is_figure, names))
    )


def _is_column_of_figures(cells: Iterable[str]) -> bool:
    """Return whether each cell has a figure or no word, such as a dash."""
    return all(is_figure(cell) or not re.search(r"\w", cell) for cell in cells)


def markdown_table(rows: Iterable[Row], num_headers: int = 1) -> str:
    """Return a pipe table, '' for no rows; empty rows are left out.

    num_headers: leading rows with the names of the columns, which become one; with 0 the header row is empty.
    """
    rows = list(rows)
    width = max(map(len, rows), default=0)
    num_headers = _with_grouped(rows, num_headers)
    header = [_column_name(row[column] for row in rows[:num_headers] if column < len(row)) for column in range(width)]
    below = (said_once(row, _LONGEST_REPEATED * (num_headers > 0 and not is_title(row))) for row in rows[num_headers:])
    cells = [list(map(_cell_text, row)) for row in below]
    cells = [row for row in cells if any(row)]
    if not any(header) and not cells:
        return ""
    lines = ["| " + " | ".join([*row, *[""] * (width - len(row))]) + " |" for row in (header, *cells)]
    return "\n".join([lines[0], "| " + " | ".join(["---"] * width) + " |", *lines[1:]])


def _cell_text(cell: str) -> str:
    return one_line(cell).replace("|", r"\|")


def _column_name(cells: Iterable[str]) -> str:
    return " / ".join(dict.fromkeys(filter(None, map(_cell_text, cells))))


def num_titles_and_headers(rows: Sequence[Row]) -> tuple[int, int]:
    """Return how many rows of a table that marks nothing are titles, and how many below name its columns."""
    num_titles = len(list(takewhile(is_title, rows)))
    below = rows[num_titles:]
    return num_titles, _with_grouped(below, int(has_header(below, doubtful=True)))


def _with_grouped(rows: Sequence[Row], num_headers: int) -> int:
    """Return the number of header rows, with those that name the columns below a merged cell or an empty one."""
    while 0 < num_headers < len(rows) - 1 and (
        names_columns_of(rows[num_headers - 1], rows[num_headers])
        or _names_the_rest(rows[num_headers - 1 :])
        or _are_units(rows[num_headers - 1 :])
    ):
        num_headers += 1
    return num_headers


def _names_the_rest(rows: Sequence[Row]) -> bool:
    """Return whether the second row, which has no figure, names columns of figures that the first one leaves empty."""
    above, names, *below = rows
    nameless = [column for column, cell in enumerate(above) if not cell.strip() and names[column].strip()]
    return (
        len(nameless) > 1
        and len(below) > 1
        and any(map(str.strip, above))
        and not any(map(is_figure, names))
        and all(one.strip() or other.strip() for one, other in zip(above, names, strict=True))
        and all(_is_column_of_figures([row[column] for row in below]) for column in nameless)
    )


def _are_units(rows: Sequence[Row]) -> bool:
    """Return whether the second row says what the figures below it are measured in, such as kg below Weight."""
    above, (first, *units), *below = rows
    used = [column for column, unit in enumerate(units, 1) if unit.strip()]
    return (
        not first.strip()
        and bool(used)
        and len(below) > 1
        and all(above[column].strip() and len(units[column - 1].split()) <= _LONGEST_UNIT for column in used)
        and not any(map(is_figure, units))
        and all(is_figure(row[column]) for row in below for column in used)
        and all(row[0].strip() for row in below)
    )


def names_columns_of(groups: Row, names: Row) -> bool:
    """Return whether one row has merged cells and the next one has names below these only."""
    if len(groups) != len(names):
        return False
    grouped = [
        any(covers(groups[column], groups[beside]) for beside in (column - 1, column + 1) if 0 <= beside < len(groups))
        for column in range(len(groups))
    ]
    return any(grouped) and all(
        bool(name.strip()) != covers(group, name)
        if in_group
        else not (name.strip() and group.strip()) or covers(group, name)
        for group, name, in_group in zip(groups, names, grouped, strict=True)
    )


def has_header(rows: Sequence[Row], doubtful: bool = False) -> bool:
    """Return whether the first row of a table names its columns; rows are of one width.

    If the file sets neither the first row nor the first column apart, a row with a date, amount or the like above more
    of the same kind is data. A table of two columns is in doubt too: its left column may name the rows. Then the first
    row is a header if it has words above figures of one kind.
    doubtful: the result where this does not show.
    """
    first, *rest = rows or [()]
    if all(map(is_strong, first)) and not all(map(is_strong, chain(*rest))):
        return True
    if all(is_strong(row[0]) for row in rows) and not any(is_strong(cell) for row in rows for cell in row[1:]):
        return False
    if any(_is_one_of(first[column], [row[column] for row in rest]) for column in range(len(first))):
        return False
    if len(first) % 2 == 0 and len(first) > 2 and _is_form(rows):
        return False
    if len(first) != 2:
        return True
    if not rest or is_figure(first[1]) or all(row[0].rstrip().endswith(":") for row in rows):
        return False
    columns = [[row[side] for row in rest if row[side].strip()] for side in (0, 1)]
    if any(not is_figure(first[side]) and _are_alike(columns[side]) for side in (0, 1)):
        return True
    without_units = [re.sub(r"[^\W\d_]+", "", value) for value in columns[1]]
    return doubtful and (not all(map(is_figure, columns[1])) or _are_alike(without_units))


def _is_form(rows: Sequence[Row]) -> bool:
    """Return whether every other column has labels, and the first row a figure between them, as in a form."""
    labels = [cell for row in rows for cell in row[::2]]
    return any(map(is_figure, rows[0][1::2])) and not any(map(is_figure, labels))


def _is_one_of(cell: str, below: Sequence[str]) -> bool:
    """Return whether a figure, other than a whole number such as a year, is of the same kind as all below it."""
    kinds = {re.sub(r"\d+", "0", value.strip()) for value in (cell, *below)}
    return len(below) > 1 and is_figure(cell) and len(kinds) == 1 and "".join(kinds) != "0"


def _are_alike(values: Sequence[str]) -> bool:
    """Return whether all values are figures, of one kind and unit for every two of them."""
    kinds = {re.sub(r"\d[\d.,]*", "0", value) for value in values}
    return all(map(is_figure, values)) and (len(kinds) == 1 or 0 < 2 * len(kinds) <= len(values))
