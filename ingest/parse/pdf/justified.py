"""Printed lines -> their parts, where justified text is not cut at the spaces that fill its lines."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise

from ingest.parse.pdf.layout import Part, parts_of, text_of
from ingest.parse.pdf.list_marks import is_mark
from ingest.parse.pdf.rivers import FEWEST_ROWS, pieces, rivers
from ingest.parse.pdf.sheet import Char, Sheet

_NEAR = 0.5  # of a character's height: gaps and edges that differ less are equal, since boxes fit the glyphs


def parts_of_lines(lines: Sequence[Sequence[Char]], sheet: Sheet) -> list[list[Part]]:
    """Return the parts of each visible line; a line with stretched spaces is one part."""
    result: list[list[Part]] = []
    in_paragraph = False  # after a stretched line of three words or more, which is hardly a table's row
    for index, line in enumerate(lines):
        parts = parts_of(line, sheet)
        if len(parts) > 1 and _is_stretched(lines, index, in_paragraph) and (box := sheet.box(line)):
            in_paragraph = in_paragraph or len(_words(line)) > 2
            parts = [(text_of(line), box)]
        else:
            in_paragraph = False
        result.append(parts)
    shown = [(line, parts) for line, parts in zip(lines, result, strict=True) if parts]
    runs = (list(run) for _, run in groupby(shown, lambda pair: len(pair[1]) > 1))
    return [parts for run in runs for parts in _in_columns(run, sheet)]


def _in_columns(run: Sequence[tuple[Sequence[Char], list[Part]]], sheet: Sheet) -> list[list[Part]]:
    """Return the parts of each line of a run; where all have several, they are cut at the gaps between columns."""
    rows = [pieces(line) for line, parts in run if len(parts) > 1]
    found = rivers(rows) if len(rows) >= FEWEST_ROWS else []
    return [parts_of(line, sheet, found) if found else parts for line, parts in run]


def _is_stretched(lines: Sequence[Sequence[Char]], index: int, in_paragraph: bool) -> bool:
    """Return whether the line's spaces are stretched to fill its column.

    Then they are equal, the lines around have its edges, one of them is no table's row, since it has three words at
    equal gaps, and the next line's first word did not fit. A last word without letters is rather a table's amount.
    """
    words = _words(lines[index])
    above, below = (_words(lines[near]) if 0 <= near < len(lines) else [] for near in (index - 1, index + 1))
    if len(words) < 2 or not below or not any(char.text.isalpha() for char in words[-1]):
        return False
    size = max(char.bottom - char.top for word in words for char in word)
    near, end = _NEAR * size, words[-1][-1].right
    around = [other for other in (above, below) if other and abs(other[-1][-1].right - end) < near]
    next_width = below[0][-1].right - below[0][0].left + size * len(words)  # with spaces, which are below its height
    return (
        _are_equal(words, near)
        and abs(below[0][0].left - words[0][0].left) < near
        and any(max(len(words), len(other)) > 2 and _are_equal(other, near) for other in around)
        and (in_paragraph or next_width > sum(_gaps(words)))
    )


def _words(line: Sequence[Char]) -> list[list[Char]]:
    """Return the words of a line, without the mark of a list item."""
    words = [list(run) for space, run in groupby(line, lambda char: char.text.isspace()) if not space]
    return words[1:] if words and is_mark(text_of(words[0])) else words


def _gaps(words: Sequence[Sequence[Char]]) -> list[float]:
    return [after[0].left - before[-1].right for before, after in pairwise(words)]


def _are_equal(words: Sequence[Sequence[Char]], near: float) -> bool:
    gaps = _gaps(words) or [0.0]
    return max(gaps) - min(gaps) < near
