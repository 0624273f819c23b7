"""A cell's value -> its text as the sheet shows it: numbers, dates in ISO format, times, durations."""

from __future__ import annotations

import datetime
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal, localcontext
from itertools import pairwise
from typing import Any

from ingest.parse.document import one_line
from ingest.parse.fields import Field
from ingest.parse.marks import lowered, raised, without_invisible
from ingest.parse.symbols import as_shown

_PARTS = re.compile(
    r'"(?P<text>[^"]*)"|\\(?P<escaped>.)|(?P<space>_.|\* )|\*.|\[\$(?P<currency>[^\]-]*)[^\]]*\]|\[(?P<rule>[^\]]*)\]'
    r"|(?P<digits>[#0?][#0?,]*(?:\.[#0?]*,*)?(?:E[+-]0+)?|\.[#0?]+|General|@)|(?P<mark>.)",
    re.IGNORECASE,
)
"""What a number format is made of; `_x` is a space as wide as x, and `*x` fills the cell with x."""
_Part = tuple[str, str]
"""Kind and text of a part of a number format."""


class Looks:
    """Looks of cells by their style: bold, struck out, white without a color behind, their font and indent.

    grounds: ranges as (left, top, right, bottom) that a table's style or a condition may color.
    """

    def __init__(self, counts: Counter[str], grounds: Sequence[tuple[int, int, int, int]] = ()) -> None:
        self._counts, self._grounds = counts, grounds
        self._known: dict[int, tuple[bool, bool, bool, str, int]] = {}

    def field(self, cell: Any) -> str:
        """Return a cell's text, '' if it is white; that is counted."""
        text = shown(cell)
        if not text or not cell._style_id:
            return text
        bold, struck, white, font, indent = self._known.get(cell._style_id) or self._of(cell)
        if white:
            column, row = cell.column, cell.row
            white = not any(left <= column <= right and top <= row <= foot for left, top, right, foot in self._grounds)
        self._counts["hidden cells"] += white
        text = as_shown(text, font)
        text = "" if white else f"~~{text}~~" if struck else text
        return Field(text, strong=bold, indent=indent) if (bold or indent) and text else text

    def _of(self, cell: Any) -> tuple[bool, bool, bool, str, int]:
        font, color = cell.font, cell.font.color if cell.font else None
        of_theme = color is not None and color.type == "theme" and color.theme == 0 and color.tint >= 0
        is_white = of_theme or (color is not None and color.rgb == "FFFFFFFF")
        white = is_white and cell.fill.fill_type is None
        name = font.name or "" if font else ""
        indent = int(cell.alignment.indent) if cell.alignment else 0
        self._known[cell._style_id] = (bool(font and font.bold), bool(font and font.strike), white, name, indent)
        return self._known[cell._style_id]


def shown(cell: Any) -> str:
    """Return the text of an openpyxl cell; an error is its name, such as #DIV/0!."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        return without_invisible(_unescaped(value))
    if isinstance(value, list):  # a rich text
        return without_invisible(_unescaped(_marked(value)))
    if isinstance(value, bool):
        return str(value).upper()
    number_format = str(cell.number_format or "General")
    if isinstance(value, (int, float)):
        return _number(value, number_format)
    if isinstance(value, datetime.datetime):
        return _date(value, _codes(number_format))
    if isinstance(value, datetime.timedelta):
        return _clock(value.total_seconds(), _codes(number_format))
    if isinstance(value, datetime.time):
        return _clock(_seconds(value), _codes(number_format))
    return str(value)


def _unescaped(text: str) -> str:
    """Return the text with characters that XML cannot hold, which Excel writes as _x000D_."""
    return re.sub("_x([0-9A-F]{4})_", lambda code: chr(int(code[1], 16)), text) if "_x" in text else text


def _marked(parts: Iterable[Any]) -> str:
    """Return a rich text with marks for what is raised, lowered or struck out."""
    text = ""
    for part in parts:
        words, font = str(part), getattr(part, "font", None)
        position = getattr(font, "vertAlign", None)
        if position in ("superscript", "subscript"):
            words = (raised if position == "superscript" else lowered)(words, text)
        text += f"~~{words}~~" if getattr(font, "strike", None) else words
    return text


def _codes(number_format: str) -> str:
    """Return the codes of a format's first section in lower case, without literal text, colors and countries."""
    return re.sub(r'"[^"]*"|\\.|\[(?![hms]+\])[^\]]*\]', "", number_format.lower()).split(";")[0]


def _date(value: datetime.datetime, codes: str) -> str:
    """Return date and time; midnight and zero seconds are left out, and the date if the format has none."""
    if not re.search("[yd]", codes) and re.search("[hs]", codes):
        return _clock(_seconds(value.time()), codes)
    if value.time() == datetime.time.min:
        return value.date().isoformat()
    time = _clock(_seconds(value.time()), codes) if "s" in codes else value.time().isoformat("minutes")
    return f"{value.date().isoformat()} {time.removesuffix(':00') if time.count(':') > 1 else time}"


def _seconds(time: datetime.time) -> float:
    return time.hour * 3600 + time.minute * 60 + time.second + time.microsecond / 1e6


def _clock(seconds: float, codes: str) -> str:
    """Return a time of day or duration with the parts of its format: hours, minutes, seconds, fractions of seconds."""
    if seconds < 0:
        return "-" + _clock(-seconds, codes)
    fraction = re.search(r"s\.(0+)", codes)
    places = len(fraction[1]) if fraction else 0
    width = 2 + (places + 1 if places else 0)
    if not re.search(r"h|m", codes):
        return f"{seconds:.{places}f}"
    minutes, rest = divmod(round(seconds, places) if "s" in codes else seconds, 60)
    parts = [f"{rest:0{width}.{places}f}"] if "s" in codes else []
    if "h" in codes or (minutes >= 60 and "[m" not in codes):
        hours, minutes = divmod(minutes, 60)
        return ":".join([f"{hours:02.0f}", f"{minutes:02.0f}", *parts])
    return ":".join([f"{minutes:02.0f}", *parts])


def _number(value: float, number_format: str) -> str:
    """Return a number with the digits and words of its format, in percent or thousands, rounded half up.

    Unformatted if the format has fractions, powers of ten or conditions.
    """
    if not math.isfinite(value):
        return ""
    parts, value = _section(value, number_format)
    runs = [text for kind, text in parts if kind == "digits"]
    marks = "".join(text for kind, text in parts if kind == "mark")
    is_date = not runs and re.search("[a-z]", marks, re.IGNORECASE)
    is_fraction = len(runs) > 1 and ("/" in marks or re.search("[.,]", "".join(runs[:-1])))
    if is_date or is_fraction or any(kind == "rule" and text[:1] in "<=>" for kind, text in parts):
        return _plain(value)
    filled = iter(_filled(value * (100 if "%" in marks else 1), runs))
    return one_line("".join(next(filled) if kind == "digits" else text * (kind != "rule") for kind, text in parts))


def _section(value: float, number_format: str) -> tuple[list[_Part], float]:
    """Return the parts of a format for this value, and the value without its sign if they show it.

    Brackets, and a color alone, become a minus.
    """
    first, *others = _sections(number_format)
    index = 1 if value == 0 else 0
    own = others[index] if value <= 0 and index < len(others) else []
    rules = [(kind, text) for kind, text in (*first, *own) if kind == "rule"]
    if not own or any(text.startswith(("<", "=", ">")) for _, text in rules):
        return rules + first, value
    if value == 0:  # the digits ? and # show no zero
        return [part for part in own if part[0] != "digits" or re.search("0|G", part[1], re.IGNORECASE)], value
    is_text = not any(kind == "digits" for kind, _ in own)
    if is_text or _signs(own) - _signs(first) - set("() "):
        return own, abs(value)
    return [part for part in own if part[1] not in ("(", ")")], value


def _sections(number_format: str) -> list[list[_Part]]:
    """Return the parts of each section of a format: for positive and negative numbers, zero and text."""
    sections: list[list[_Part]] = [[]]
    number_format = number_format.replace("_)_(", "_);_(")  # openpyxl lacks the semicolons of the accounting formats
    for match in _PARTS.finditer(number_format):
        kind = match.lastgroup or ""
        if match[0] == ";":
            sections.append([])
        elif kind:
            sections[-1].append((kind, " " if kind == "space" else match[kind]))
    return sections


def _signs(section: Iterable[_Part]) -> set[str]:
    return {sign for kind, text in section if kind not in ("digits", "rule") for sign in text}


def _filled(value: float, runs: Sequence[str]) -> list[str]:
    """Return the number's text for each run of digits in a format; the first one takes what does not fit."""
    if not runs or "E" in runs[0].upper() or "@" in runs:  # General, scientific
        return [_plain(value)] * len(runs)
    whole, _, decimals = "".join(runs).partition(".")
    thousands = len(whole) - len(whole.rstrip(",")) + decimals.count(",")
    places, fixed = len(decimals.strip(",")), len(decimals.rstrip("#?,"))
    width = len(whole.rstrip(",").lstrip("#?,")) + (value < 0) + (places + 1 if places else 0)
    number = Decimal(f"{value:.15g}") / 1000**thousands
    with localcontext(rounding=ROUND_HALF_UP):
        text = f"{number:0{width}{',' * (',' in whole.rstrip(','))}.{places}f}"
    if fixed < places:
        text = (text[: fixed - places] + text[fixed - places :].rstrip("0")).rstrip(".")
    cuts = [-sum(map(len, runs[number:])) for number in range(1, len(runs))]
    return [text[start:end] for start, end in pairwise([None, *cuts, None])]


def _plain(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.15g}"
