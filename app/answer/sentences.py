"""passage -> its sentences, list items and table rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest

from sentencex import segment


def split_sentences(text: str) -> list[str]:
    """Sentences, list items and table rows of a passage, without list marks, table rules and headings.

    A row says with each cell what its column is called, where the table has a header.
    """
    sentences: list[str] = []
    lines = text.splitlines()
    header: list[str] = []
    for line, below in zip_longest(lines, lines[1:], fillvalue=""):
        line = re.sub(r"^\s*(?:[-*+•▪]|\d+[.)])\s+", "", line).strip()
        if not line.startswith("|"):
            header = []
        if re.match(r"#{1,6}\s", line) or is_table_rule(line):
            continue
        if not line.startswith("|"):
            sentences.extend(sentence.strip() for sentence in segment("en", line))
        elif is_table_rule(below) and "|" in below:
            header = _cells(line)
        else:
            sentences.append(_row(_cells(line), header))
    return [sentence for sentence in sentences if re.search(r"\w\W+\w", sentence)]


def is_table_rule(line: str) -> bool:
    """Whether a line of a passage is what stands between the header of a table and its rows, or a rule."""
    return bool(re.fullmatch(r"[|:\s-]*-{3}[|:\s-]*", line))


def _cells(line: str) -> list[str]:
    """What stands between the borders of a row; a bar inside a cell has a backslash before it."""
    inside = re.sub(r"^\||(?<!\\)\|$", "", line)
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", inside)]


def _row(cells: Sequence[str], header: Sequence[str]) -> str:
    if len(cells) != len(header):
        return " | ".join(cell for cell in cells if cell)
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in zip(header, cells, strict=True) if cell)
