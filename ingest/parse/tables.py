"""Rows of cells -> a Markdown pipe table."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from itertools import chain, pairwise, takewhile

from ingest.parse.document import one_line

Row = Sequence[str]

_LONGEST_REPEATED = 60
"""Characters of a cell over several columns that is a value of each; a longer one is a line of text."""


class Field(str):
    """A cell's text and what the file shows of it.

    merged: which merged cell it belongs to, None if to none. strong: whether it is bold or marked as a header.
    """

    __slots__ = ("merged", "strong")
    merged: Hashable
    strong: bool

    def __new__(cls, text: str, merged: Hashable = None, strong: bool = False) -> Field:
        field = super().__new__(cls, text)
        field.merged, field.strong = merged, strong
        return field


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
        rows = _with_sections(_with_repeated(rows, num_headers), num_headers)
    return "\n\n".join(filter(None, [*(one_line(title[0]) for title in titles), markdown_table(rows, num_headers)]))


def _with_named_groups(rows: list[list[str]]) -> list[list[str]]:
    """Return the rows; a bold name of several columns that nobody merged covers the empty cells beside it.

    That is so where the second row names these columns, in bold too.
    """
    if len(rows) < 3 or not all(map(is_strong, chain(*rows[:2]))) or all(map(is_strong, rows[2])):
        return rows
    groups, names = rows[:2]
    covered = [groups[0]]
    for column, cell in enumerate(groups[1:], 1):
        goes_on = not cell.strip() and covered[-1].strip() and names[column].strip() and names[column - 1].strip()
        if goes_on and (not isinstance(covered[-1], Field) or covered[-1].merged is None):
            covered[-1] = Field(covered[-1], merged=column, strong=True)
        covered.append(covered[-1] if goes_on else cell)
    return [covered, *rows[1:]]


def _with_repeated(rows: Sequence[Row], num_headers: int) -> Sequence[Row]:
    """Return the rows; a name in the first column that stands once for several rows is repeated in each."""
    body = rows[num_headers:]
    blank = [not row[0].strip() for row in body]
    is_key = any(blank) and not blank[0] and not any(is_figure(row[0]) or _is_sum(row) for row in body)
    if not num_headers or not is_key or not all(map(str.strip, chain(*(row[1:] for row in body)))):
        return rows
    repeated = list(rows[:num_headers])
    for row in body:
        repeated.append(row if row[0].strip() else [repeated[-1][0], *row[1:]])
    return repeated


def _is_sum(row: Row) -> bool:
    return (
        not row[0].strip()
        and re.match(r"(?i)(?:(?:sub|grand )?total|sum|gesamt\w*|(zwischen)?summe)\b", row[1]) is not None
    )


def _with_sections(rows: Sequence[Row], num_headers: int) -> Sequence[Row]:
    """Return the rows; where lines of one cell divide them into sections, each begins with the name of its section."""
    body = rows[num_headers:]
    lone = [_is_lone(row, below) for row, below in pairwise(body)]
    divided = sum(lone) > 1 and lone[0]  # from top to bottom, so the lines need not stand out
    begins = [
        alone and (divided or is_title(row) or is_strong(row[0]) > is_strong(below[0]))
        for alone, (row, below) in zip(lone, pairwise(body), strict=True)
    ]
    if not any(begins):
        return rows
    named: list[Row] = [["", *row] for row in rows[:num_headers]]
    section = ""
    for row, begins_section in zip(body, [*begins, False], strict=True):
        if begins_section:
            section = row[0]
        else:
            named.append(["", *said_once(row)] if is_title(row) else [section, *row])
    return named


def _is_lone(row: Row, below: Row) -> bool:
    """Return whether only the first cell of a row is filled, and several of the next one."""
    first, *others = said_once(row)
    num_below = sum(bool(cell.strip()) for cell in said_once(below))
    return bool(first.strip()) and not any(map(str.strip, others)) and num_below > 1


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


def said_once(row: Row, longest_repeated: int = 0) -> list[str]:
    """Return the row with a cell that covers several columns only in the first of these.

    longest_repeated: characters of a text that stays in each column.
    """
    return [
        "" if column and len(cell) > longest_repeated and _covers(row[column - 1], cell) else cell
        for column, cell in enumerate(row)
    ]


def is_title(row: Row) -> bool:
    return len(row) > 1 and _covers(row[0], row[-1])


def _covers(one: str, other: str) -> bool:
    """Return whether two fields belong to one merged cell."""
    merged = one.merged if isinstance(one, Field) else None
    return merged is not None and isinstance(other, Field) and merged == other.merged


def _with_grouped(rows: Sequence[Row], num_headers: int) -> int:
    """Return the number of header rows, with those that name the columns below a merged cell or an empty one."""
    while 0 < num_headers < len(rows) - 1 and (
        names_columns_of(rows[num_headers - 1], rows[num_headers]) or _names_the_rest(rows[num_headers - 1 :])
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
        and all(is_figure(row[column]) or not re.search(r"\w", row[column]) for row in below for column in nameless)
    )


def names_columns_of(groups: Row, names: Row) -> bool:
    """Return whether one row has merged cells and the next one has names below these only."""
    if len(groups) != len(names):
        return False
    grouped = [
        any(_covers(groups[column], groups[beside]) for beside in (column - 1, column + 1) if 0 <= beside < len(groups))
        for column in range(len(groups))
    ]
    return any(grouped) and all(
        bool(name.strip()) != _covers(group, name)
        if in_group
        else not (name.strip() and group.strip()) or _covers(group, name)
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


def is_strong(cell: str) -> bool:
    """Return whether it is a field set apart; an empty one may be anything."""
    return not cell.strip() or (isinstance(cell, Field) and cell.strong)


def _is_one_of(cell: str, below: Sequence[str]) -> bool:
    """Return whether a figure, other than a whole number such as a year, is of the same kind as all below it."""
    kinds = {re.sub(r"\d+", "0", value.strip()) for value in (cell, *below)}
    return len(below) > 1 and is_figure(cell) and len(kinds) == 1 and "".join(kinds) != "0"


def is_figure(text: str) -> bool:
    return re.match(r"\W{0,3}\d", text) is not None


def _are_alike(values: Sequence[str]) -> bool:
    """Return whether all values are figures, of one kind and unit for every two of them."""
    kinds = {re.sub(r"\d[\d.,]*", "0", value) for value in values}
    return all(map(is_figure, values)) and (len(kinds) == 1 or 0 < 2 * len(kinds) <= len(values))
