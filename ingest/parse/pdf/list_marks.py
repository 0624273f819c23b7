"""Marks and numbers of list items in a PDF's lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from ingest.parse.marks import BULLETS
from ingest.parse.pdf.sheet import Char

CIRCLE = "◦"
_MARK = re.compile(rf"[-\u2013\u2014{BULLETS}·*o]|\(?(\d{{1,3}}|[A-Za-z])[.)]")
_LEAST_GAP = 0.8  # of the line's height, between a mark and its item
_WIDER = 1.25  # times the line's other gaps, which are stretched in justified text


def is_mark(text: str) -> bool:
    """Return whether it is the mark or number of a list item."""
    return _MARK.fullmatch(text) is not None


def with_circle(line: list[Char]) -> list[Char]:
    """Return the line with a circle for the letter o that Word prints as one, far from its item.

    With a usual gap it is a word, such as "or" in Spanish or Italian.
    """
    first = next((index for index, char in enumerate(line) if not char.text.isspace()), 0)
    if line[first].text != "o" or not _is_far(line[first:]):
        return line
    return [*line[:first], line[first]._replace(text=CIRCLE), *line[first + 1 :]]


def _is_far(line: Sequence[Char]) -> bool:
    """Return whether the first character is far from the next one, compared with the words of the line."""
    seen = [char for char in line if not char.text.isspace()]
    gap, *gaps = [after.left - before.right for before, after in pairwise(seen)] or [0.0]
    height = max(char.bottom - char.top for char in seen)
    return gap > _LEAST_GAP * height and gap > _WIDER * max(gaps, default=0.0)
