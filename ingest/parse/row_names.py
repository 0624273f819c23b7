"""Rows of a table -> rows that each say what they are about: names that stand once, above or for a section."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain, pairwise

from ingest.parse.fields import Field, Row, is_figure, is_strong, is_title, said_once


def with_parents(rows: Sequence[Row], num_headers: int) -> Sequence[Row]:
    """Return the rows; where indented names repeat, each follows the names above that hold it: Costs / Services."""
    body = rows[num_headers:]
    indented = [row[0].strip() for row in body if row[0].strip() and _indent(row[0])]
    if len(set(indented)) == len(indented):
        return rows
    named, above = list(rows[:num_headers]), list[tuple[int, str]]()
    for row in body:
        indent, name = _indent(row[0]), row[0].strip()
        if name:
            above = [*(outer for outer in above if outer[0] < indent), (indent, name)]
        named.append([" / ".join(outer for _, outer in above), *row[1:]] if name and indent else row)
    return named


def _indent(cell: str) -> int:
    """Return how far a cell is indented, by its format or by spaces."""
    return (cell.indent if isinstance(cell, Field) else 0) + len(cell) - len(cell.lstrip())


def with_repeated(rows: Sequence[Row], num_headers: int) -> Sequence[Row]:
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


def with_sections(rows: Sequence[Row], num_headers: int) -> Sequence[Row]:
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
