"""Lines with the size and weight of their type -> levels of headings, where a PDF or Word file marks none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

NUM_LEVELS = 6
NUMBER = re.compile(r"[^\w\n]*(\d+|[IVX]+|[A-Z])([.)]\d+)*[.)]?[ \t]+")
"""The number of a heading."""
_MOST_WORDS = 20
_MOST_BOLD_WORDS = 14  # of one in the size of the text
_MOST_BOLD = 0.4  # of the text; with more, bold type says nothing
_MOST_IN_HEADINGS = 0.3  # of a document's characters; with more, type says nothing
_LEAST_LETTERS = 0.6  # of its characters, without its number
_NO_TITLE = re.compile(r"[$€£%]|://|[.,;!]\W*$|^[a-z]")


@dataclass(frozen=True, slots=True)
class TypedLine:
    """A line or paragraph.

    size: of its type, in any unit, 0 if unknown. level: of a marked heading, else 0. depth: parts of a number that is
    not in the text, else 0.
    """

    text: str
    size: float
    is_bold: bool
    level: int = 0
    depth: int = 0

    @property
    def rank(self) -> tuple[float, bool, int]:
        """The higher, the higher its level: size, weight, and parts of its number, such as -2 for "1.2 Scope"."""
        number = NUMBER.match(self.text)
        in_text = len(re.findall(r"\w+", number[0])) if number else 1
        return self.size, self.is_bold, -(self.depth or in_text)


@dataclass(frozen=True, slots=True)
class UsualType:
    """The size of most of a document's text, and whether much of it is bold. larger: times this size is larger type."""

    size: float
    is_bold: bool
    larger: float

    @classmethod
    def of(cls, lines: Sequence[TypedLine], larger: float) -> UsualType:
        sizes, num_bold = Counter[float](), 0
        for line in lines:
            sizes[line.size] += len(line.text) * (line.size > 0)
            num_bold += len(line.text) * line.is_bold
        return cls(max(sizes, key=sizes.__getitem__, default=0.0), num_bold > _MOST_BOLD * sizes.total(), larger)

    def is_larger(self, line: TypedLine) -> bool:
        """Return whether a line that reads as a title is in larger type."""
        return line.size >= self.larger * self.size > 0 and _reads_as_title(line.text)

    def is_bolder(self, line: TypedLine) -> bool:
        """Return whether a short line that reads as a title, and introduces nothing, is in bold type."""
        is_short = len(line.text.split()) <= _MOST_BOLD_WORDS and not line.text.endswith(":")
        is_bold = line.is_bold and not self.is_bold and line.size >= self.size > 0
        return is_bold and is_short and _reads_as_title(line.text)


def _reads_as_title(text: str) -> bool:
    bare = "".join(NUMBER.sub("", text, count=1).split())
    is_named = sum(map(str.isalpha, bare)) > _LEAST_LETTERS * len(bare)
    return is_named and len(text.split()) <= _MOST_WORDS and not _NO_TITLE.search(text)


def levels_by_type(
    lines: Sequence[TypedLine], titles: Sequence[bool], *, fewest_below: int, outermost: int = 1
) -> list[int]:
    """Return the level of each line that is a title and has text below, 0 for others; none if titles are most text.

    titles: which lines are; the larger, the higher their levels. outermost: the highest of these.
    """
    ranks = sorted({line.rank for line, is_title in zip(lines, titles, strict=True) if is_title}, reverse=True)
    levels = [
        min(NUM_LEVELS, outermost + ranks.index(line.rank)) if is_title else 0
        for line, is_title in zip(lines, titles, strict=True)
    ]
    kept = with_text_below(lines, levels, fewest_below)
    in_headings = sum(len(line.text) for line, level in zip(lines, kept, strict=True) if level)
    return kept if in_headings < _MOST_IN_HEADINGS * sum(len(line.text) for line in lines) else [0] * len(lines)


def with_text_below(lines: Sequence[TypedLine], levels: Sequence[int], fewest: int) -> list[int]:
    """Return the levels, 0 for lines without as many characters below, up to the next one of this or an outer level.

    These stay text, so that nothing of a cover or a slide is lost.
    """
    kept: list[int] = []
    below = [0] * (NUM_LEVELS + 1)
    for line, level in zip(reversed(lines), reversed(levels), strict=True):
        is_heading = line.level or (level and below[level] >= fewest)
        kept.append(level if is_heading and not line.level else 0)
        if is_heading:
            outer = line.level or level
            below[outer:] = [0] * (NUM_LEVELS + 1 - outer)
        else:
            below = [count + len(line.text) for count in below]
    return kept[::-1]
