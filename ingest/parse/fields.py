"""A cell of a table: its text, with what the file shows of it."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence

Row = Sequence[str]


class Field(str):
    """A cell's text and what the file shows of it.

    merged: which merged cell it belongs to, None if to none. strong: whether it is bold or marked as a header. indent:
    number of steps to the right.
    """

    __slots__ = ("indent", "merged", "strong")
    merged: Hashable
    strong: bool
    indent: int

    def __new__(cls, text: str, merged: Hashable = None, strong: bool = False, indent: int = 0) -> Field:
        field = super().__new__(cls, text)
        field.merged, field.strong, field.indent = merged, strong, indent
        return field


def said_once(row: Row, longest_repeated: int = 0) -> list[str]:
    """Return the row with a cell that covers several columns only in the first of these.

    longest_repeated: characters of a text that stays in each column.
    """
    return [
        "" if column and len(cell) > longest_repeated and covers(row[column - 1], cell) else cell
        for column, cell in enumerate(row)
    ]


def is_title(row: Row) -> bool:
    return len(row) > 1 and covers(row[0], row[-1])


def covers(one: str, other: str) -> bool:
    """Return whether two fields belong to one merged cell."""
    merged = one.merged if isinstance(one, Field) else None
    return merged is not None and isinstance(other, Field) and merged == other.merged


def is_strong(cell: str) -> bool:
    """Return whether it is a field set apart; an empty one may be anything."""
    return not cell.strip() or (isinstance(cell, Field) and cell.strong)


def is_figure(text: str) -> bool:
    return re.match(r"\W{0,3}\d", text) is not None
