"""Shapes of a slide -> the order of reading: row by row, but columns with a head from top to bottom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

_ROW = 300_000
"""EMU, a third of an inch: shapes whose tops differ by less are side by side."""
_NEAR = 100_000
"""EMU, a ninth of an inch."""


def in_order(shapes: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield the shapes in the order of reading: alone, or a head, such as a title or figure, and what is below it."""
    rows: list[list[Any]] = []
    for _, row in groupby(sorted(shapes, key=_place), lambda shape: _place(shape)[0]):
        rows.append(list(row))
    while rows:
        size = next((size for size in range(1, len(rows)) if not _are_aligned(*rows[size - 1 : size + 1])), len(rows))
        block, rows = rows[:size], rows[size:]
        if _have_heads(block):
            for heads, bodies in zip(block[::2], block[1::2], strict=True):
                yield from map(list, zip(heads, bodies, strict=True))
        else:
            yield from ([shape] for row in block for shape in row)


def _place(shape: Any) -> tuple[int, int]:
    return (shape.top or 0) // _ROW, shape.left or 0


def _are_aligned(row: Sequence[Any], below: Sequence[Any]) -> bool:
    """Return whether two rows have several shapes at the same places, all of one width."""
    widths = [shape.width or 0 for shape in (*row, *below)]
    shifts = (abs((upper.left or 0) - (lower.left or 0)) for upper, lower in zip(row, below, strict=False))
    return len(row) == len(below) > 1 and max(widths) - min(widths) < _NEAR and max(shifts) < _NEAR


def _have_heads(rows: Sequence[Sequence[Any]]) -> bool:
    """Return whether every other row is of another height; rows of one height are a table or single tiles."""
    heights = [max(shape.height or 0 for shape in row) for row in rows]
    is_even = len(rows) % 2 == 0 and abs(heights[0] - heights[1]) > _NEAR
    return is_even and all(abs(height - heights[row % 2]) < _NEAR for row, height in enumerate(heights))
