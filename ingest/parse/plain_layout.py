"""What plain text shows by its layout: titles, and tables drawn with lines, tabs or spaces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from ingest.parse.document import Heading
from ingest.parse.tables import table_text

_RULE = re.compile(r"\s*\+(?:[-=]+\+)+\s*")
_LINES = str.maketrans(dict.fromkeys(map(chr, range(0x2500, 0x2580)), "+") | dict(zip("─━═│┃║", "---|||", strict=True)))
"""Characters that draw boxes, as + - and | draw them."""
_COLUMN_RULE = re.compile(r"\s*[-=]{2,}(?:\s+[-=]{2,})+\s*")
_GAP = re.compile(r"\t+|\s*\.{4,}\s*| {2,}")
_ROW_OF_TWO = re.compile(r"[^\t.]*\S(?:\t+|\s*\.{4,}\s*)\S.*")
_UNDERLINE = re.compile(r"([=~*#-])\1{2,}\s*")
_NUMBERED = re.compile(r"(\d+(?:\.\d+)*)[.)]?\s+\S.*")
_CAPITALS = re.compile(r"[^a-zß-ÿ]*[A-ZÀ-Þ]{4}[^a-zß-ÿ]*")
_SENTENCE_END = (".", "!", "?", ":", ";", ",")
_MOST_WORDS = 8
_FEWEST_ROWS = 3
_FAR = 10  # lines, most of them empty


def with_tables(text: str) -> str:
    """Return the text with its tables as Markdown."""
    lines = text.split("\n")
    parts: list[str] = []
    for is_blank, group in groupby(lines, lambda line: not line.strip()):
        block = list(group)
        rows = None if is_blank else _drawn(block) or _below_rule(block) or _aligned(block)
        parts += [table_text(*rows)] if rows else block
    return "\n".join(parts)


def _drawn(lines: Sequence[str]) -> tuple[list[list[str]], int | None] | None:
    """Return rows and number of header rows of a table that is framed with + and -, or with lines; else None."""
    lines = [line.translate(_LINES) for line in lines]
    if len(lines) < 4 or not all(_RULE.fullmatch(line) or line.strip().startswith("|") for line in lines):
        return None
    bands = [list(band) for is_rule, band in groupby(lines, lambda line: bool(_RULE.fullmatch(line))) if not is_rule]
    rows = [[_cells(line) for line in band] for band in bands]
    if len(bands) > 2:  # a rule below each row, which may have several lines
        return [[" ".join(filter(None, cell)) for cell in zip(*band, strict=False)] for band in rows], 1
    return [row for band in rows for row in band], 1 if len(bands) == 2 else None


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _below_rule(lines: Sequence[str]) -> tuple[list[list[str]], int] | None:
    """Return the rows of a table whose columns are underlined one by one; None if it is none."""
    rules = [number for number, line in enumerate(lines) if _COLUMN_RULE.fullmatch(line)]
    if rules[:1] != [1] or len(lines) < 3:
        return None
    starts = [match.start() for match in re.finditer(r"[-=]+", lines[1])]
    spans = list(pairwise([0, *starts[1:], None]))
    rows = [line for number, line in enumerate(lines) if number not in rules]
    return [[row[start:end].strip() for start, end in spans] for row in rows], 1


def _aligned(lines: Sequence[str]) -> tuple[list[list[str]], None] | None:
    """Return the rows of a table with tabs or dots between its cells, or with cells below each other; else None."""
    rows = [_GAP.split(line.strip()) for line in lines]
    width = len(rows[0])
    if len(rows) < _FEWEST_ROWS or width < 2 or any(len(row) != width for row in rows):
        return None
    if not all(_ROW_OF_TWO.fullmatch(line) for line in lines):
        starts = {tuple(match.end() for match in _GAP.finditer(line.rstrip())) for line in lines}
        if len(starts) > 1 or width < 3:
            return None
    return rows, None


def titles(text: str) -> Iterator[Heading]:
    """Yield the titles of a text: underlined, numbered, or in capitals, on a line of their own."""
    lines = text.split("\n")
    position = 0
    for number, line in enumerate(lines):
        title, below = line.strip(), _line(lines, number + 1)
        end = position + len(line)
        is_short = 0 < len(title.split()) <= _MOST_WORDS and not title.endswith(_SENTENCE_END)
        is_first = not _line(lines, number - 1)
        if is_short and is_first and _UNDERLINE.fullmatch(below) and 2 * len(below) >= len(title):
            yield Heading(1 if below[0] == "=" else 2, title, position, end + 1 + len(lines[number + 1]))
        elif is_short and (figure := _NUMBERED.fullmatch(title)) and _begins_section(figure[1], lines, number):
            yield Heading(min(2 + figure[1].count("."), 6), title, position, end)
        elif is_short and is_first and not below and _CAPITALS.fullmatch(title):
            yield Heading(2, title, position, end)
        position = end + 1


def _begins_section(figure: str, lines: Sequence[str], number: int) -> bool:
    """Return whether a numbered line has its own clauses below it, or as a paragraph a text; items of a list do not."""
    following = next(filter(None, (_line(lines, below) for below in range(number + 1, number + _FAR))), "")
    if match := _NUMBERED.fullmatch(following):
        return match[1].startswith(f"{figure}.")
    return bool(following) and not _line(lines, number - 1) and not _line(lines, number + 1)


def _line(lines: Sequence[str], number: int) -> str:
    return lines[number].strip() if 0 <= number < len(lines) else ""
