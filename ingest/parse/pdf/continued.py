"""Tables that go on overleaf -> each part below the header of the first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from ingest.parse.pdf.layout import Printed

_NEAR = 0.03  # of the page's width
_SHORT = 40  # characters of a line below a table, such as the number of the page


@dataclass(frozen=True, slots=True)
class _Open:
    """A table that ends a page: its header and rule, its left edge, and the page's first lines."""

    header: Printed
    rule: Printed
    left: float
    top: list[str]


def with_headers(pages: Iterable[Sequence[Printed]]) -> list[list[Printed]]:
    """Return the pages' lines; a table at a page's top has the header of the one that ends the page before."""
    result: list[list[Printed]] = []
    before: _Open | None = None
    for page in pages:
        lines = _continued(list(page), before) if before else list(page)
        before = _open_table(lines)
        result.append(lines)
    return result


def _open_table(lines: Sequence[Printed]) -> _Open | None:
    end = len(lines) - int(bool(lines) and not lines[-1].row and len(lines[-1].text) < _SHORT)
    rows = list(takewhile(lambda line: line.row, reversed(lines[:end])))
    rules = [index for index, row in enumerate(rows) if is_rule(row)]
    if not rules or rules[0] == 0 or rules[0] + 1 == len(rows):
        return None
    top = [_shape(line) for line in takewhile(lambda line: not line.row, lines)]
    return _Open(rows[rules[0] + 1], rows[rules[0]], _left(rows[: rules[0]]), top)


def _continued(lines: list[Printed], before: _Open) -> list[Printed]:
    """Return the lines with the header of the table before, if they begin with its next rows below the same lines."""
    start = next((index for index, line in enumerate(lines) if line.row), len(lines))
    if any(_shape(line) not in before.top for line in lines[:start]):
        return lines
    first, *rest = list(takewhile(lambda line: line.row, lines[start:])) or [Printed("")]
    if not rest or rest[0].text != before.rule.text or first.text == before.header.text:
        return lines
    own = [*([first] if first.box else []), *rest[1:]]
    if abs(_left(own) - before.left) > _NEAR or (first.box and _is_header(first, rest[1:])):
        return lines
    header = replace(before.header, pieces=(), box=None)
    return [*lines[:start], header, before.rule, *own, *lines[start + len(rest) + 1 :]]


def _is_header(first: Printed, rows: Sequence[Printed]) -> bool:
    """Return whether a row is words above figures."""
    return not _has_figure(first) and any(map(_has_figure, rows))


def _has_figure(row: Printed) -> bool:
    return re.search(r"\| \W{0,3}\d", row.text) is not None


def is_rule(row: Printed) -> bool:
    """Return whether a row is the rule between a table's header and its body."""
    return re.fullmatch(r"\|( --- \|)+", row.text) is not None


def _left(rows: Iterable[Printed]) -> float:
    return min((row.box.left for row in rows if row.box), default=-1.0)


def _shape(line: Printed) -> str:
    return re.sub(r"\d+", "0", line.text)
