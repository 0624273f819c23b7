"""Plain text -> pages, if it has page breaks; paragraphs that were wrapped by hand or by a mail program are joined."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from ingest.parse.document import PAGE_BREAK, Page, Parsed, joined
from ingest.parse.encoding import read_text
from ingest.parse.marks import is_compound
from ingest.parse.plain_layout import titles, with_tables

_WIDTHS = range(50, 101)
"""Characters in the longest line of a text that is wrapped."""
_FEW = 0.1
"""Most longer lines in a wrapped text, such as web addresses, as a share."""
_ITEM = re.compile(r"(?:[-*+•▪◦\u2013]|\(?(?:\d{1,3}|[A-Za-z]|[ivx]+)[.)]|\d+(?:\.\d+)+\.?)\s")
_MARGIN = re.compile(r"[> ]*")
_COLUMNS = re.compile(r"\t|\||[^\s.!?:;,] {2,}\S|\S {3,}\S")
_SENTENCE_END = re.compile(r"[.!?:…][\"'”\u2019)\]]*\s*$")


def parse_plain(data: bytes) -> Parsed:
    """Parse plain text. Raises ParseError for an unknown encoding and for binary data."""
    parts = [with_tables(part) for part in unwrapped(read_text(data)).split(PAGE_BREAK)]
    numbers = range(1, len(parts) + 1) if len(parts) > 1 else [None]
    pages = zip(numbers, parts, strict=True)
    return joined((Parsed((Page(number, part),), tuple(titles(part)), "") for number, part in pages), "")


def unwrapped(text: str) -> str:
    """Return the text with the lines of each wrapped paragraph joined.

    Lists, tables, code, addresses and signatures keep their lines, and so does a text without wrapped lines.
    """
    lengths = [len(line) for line in text.split("\n") if line.strip()]
    width = max((length for length in lengths if length < _WIDTHS.stop), default=0)
    if width not in _WIDTHS or sum(length > width for length in lengths) > _FEW * len(lengths):
        return text
    pages = ("\n".join(_joined(page.split("\n"), width)) for page in text.split(PAGE_BREAK))
    return PAGE_BREAK.join(pages)


def _joined(lines: Sequence[str], width: int) -> Iterator[str]:
    for unit in _units(lines):
        yield from _unit(unit, width)


def _units(lines: Sequence[str]) -> Iterator[list[str]]:
    """Yield the lines of each list item, and those between with the same margin and depth of quotation."""
    unit: list[str] = []
    for line in lines:
        if unit and (_is_item(line) or not line.strip() or not _goes_on(unit, line)):
            yield unit
            unit = []
        unit.append(line)
    yield unit


def _is_item(line: str) -> bool:
    return _ITEM.match(line, _margin(line)) is not None


def _margin(line: str) -> int:
    match = _MARGIN.match(line)
    return match.end() if match else 0


def _goes_on(unit: Sequence[str], line: str) -> bool:
    """Return whether a line may belong to the paragraph or item above."""
    margin, above = line[: _margin(line)], unit[-1][: _margin(unit[-1])]
    if not unit[-1].strip():
        return False
    in_item = _is_item(unit[0]) and len(unit) == 1
    return margin == above or (in_item and margin.count(">") == above.count(">") and len(margin) > len(above))


def _unit(lines: Sequence[str], width: int) -> list[str]:
    """Return the lines joined where they were wrapped, if most were."""
    breaks = [_is_wrapped(line, after, width) for line, after in pairwise(lines)]
    is_item = _is_item(lines[0])
    is_code = not is_item and len(lines[0]) - len(lines[0].lstrip(" ")) >= 4
    ends = is_item or _SENTENCE_END.search(lines[-1])
    if 2 * sum(breaks) <= len(breaks) or is_code or not ends or any(_COLUMNS.search(line) for line in lines):
        return list(lines)
    result = [lines[0]]
    for line, joins in zip(lines[1:], breaks, strict=True):
        if joins:
            result[-1] = _with(result[-1].rstrip(), line[_margin(line) :])
        else:
            result.append(line)
    return result


def _with(above: str, line: str) -> str:
    """Return two lines as one; a hyphen that divides a word across them goes, unless the word has another one."""
    if not (re.search(r"[^\W\d_]-$", above) and line[:1].islower()):
        return f"{above} {line}"
    return (above if is_compound(above) else above[:-1]) + line


def _is_wrapped(line: str, after: str, width: int) -> bool:
    """Return whether the next line's first word did not fit, or goes on in lower case; rows of a log do not."""
    first, following = (text[_margin(text) :].split(" ", 1)[0] for text in (line, after))
    same_kind = re.sub(r"\d+", "0", first) == re.sub(r"\d+", "0", following) and any(map(str.isdigit, first))
    lower = following[:1].islower() and not _SENTENCE_END.search(line)
    return not same_kind and (lower or len(line.rstrip()) + 1 + len(following) > width)


def unflowed(text: str, without_space: bool = False) -> str:
    """Return a text of the kind format=flowed (RFC 3676) with its soft line breaks joined.

    without_space: the space that marks a soft break is no text (DelSp).
    """
    lines: list[str] = []
    soft: str | None = None  # the marks of quotation of a line that goes on
    for raw in text.split("\n"):
        unquoted = raw.lstrip(">")
        quotes, words = raw[: len(raw) - len(unquoted)], unquoted.removeprefix(" ")
        if soft == quotes and words != "-- ":
            lines[-1] += words
        else:
            lines.append(f"{quotes} {words}" if quotes else words)
        soft = quotes if words.endswith(" ") and words != "-- " else None
        if soft is not None and without_space:
            lines[-1] = lines[-1].removesuffix(" ")
    return "\n".join(lines)
