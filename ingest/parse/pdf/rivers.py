"""Lines of a table without rules -> where its columns part, though a group's name or a long cell lies over two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median

from ingest.parse.pdf.sheet import Char

FEWEST_ROWS = 3
_HEIGHTS = 1.2  # of a character, or ...
_ADVANCES = 1.5  # from the middle of one character to the next: no gap between words is as wide
_FEWEST_BESIDE = 4  # rows with a gap for each row that crosses it

Span = tuple[float, float]


def least_gap(line: Sequence[Char]) -> float:
    """Return the width, in points, above which a gap in a line of a table parts two cells."""
    letters = [(one, other) for one, other in pairwise(line) if one.text.strip() and other.text.strip()]
    advances = [(other.left + other.right - one.left - one.right) / 2 for one, other in letters]
    height = max((char.bottom - char.top for char in line if char.text.strip()), default=0.0)
    return max(_HEIGHTS * height, _ADVANCES * median(advances or [0.0]))


def pieces(line: Sequence[Char]) -> list[Span]:
    """Return the left and right edges, in points, of the words of a line that stand together."""
    seen, least = [char for char in line if not char.text.isspace()], least_gap(line)
    starts = [0, *(i + 1 for i, (one, other) in enumerate(pairwise(seen)) if other.left - one.right > least)]
    runs = [seen[start:end] for start, end in pairwise([*starts, len(seen)])]
    return [(min(char.left for char in run), max(char.right for char in run)) for run in runs if run]


def cuts(columns: Sequence[Span], rows: Sequence[Sequence[Span]]) -> list[float]:
    """Return where columns part: between those given, and at gaps within one that most rows have."""
    within = [cut for cut in rivers(rows) if any(left < cut < right for left, right in columns)]
    return sorted([(before[1] + after[0]) / 2 for before, after in pairwise(columns)] + within)


def rivers(rows: Iterable[Sequence[Span]]) -> list[float]:
    """Return the middle of each gap that several rows have at one place, and hardly any row crosses."""
    steps: Counter[tuple[float, bool]] = Counter()  # (position, whether of a gap) -> change of their number
    for row in rows:
        for left, right in row:
            steps[left, False] += 1
            steps[right, False] -= 1
        for (_, left), (right, _) in pairwise(sorted(row)):
            if left < right:
                steps[left, True] += 1
                steps[right, True] -= 1
    found: list[float] = []
    num_gaps = num_across = most = 0
    for at, after in pairwise(sorted({position for position, _ in steps})):
        num_gaps += steps[at, True]
        num_across += steps[at, False]
        if num_gaps < FEWEST_ROWS or num_gaps < _FEWEST_BESIDE * num_across:
            most = 0
        elif num_gaps > most:
            found[len(found) - (most > 0) :] = [(at + after) / 2]
            most = num_gaps
    return found
