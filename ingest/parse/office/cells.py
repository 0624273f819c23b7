"""A cell's value -> its text as the sheet shows it: numbers, dates in ISO format, times, durations."""

from __future__ import annotations

import datetime
import math
import re
from typing import Any

from ingest.parse.document import one_line
from ingest.parse.marks import without_invisible


def shown(cell: Any) -> str:
    """Return the text of an openpyxl cell, '' for errors."""
    value = cell.value
    if value is None or cell.data_type == "e":
        return ""
    if isinstance(value, str):
        return without_invisible(value)
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
    """Format a number with the digits, percent sign and currency of its format's first section.

    Unformatted if the format is more complex: fractions, conditions, scaling by thousands, digits in groups.
    """
    if not math.isfinite(value):
        return ""
    shape = number_format.replace("_)_(", "_);_(")  # openpyxl lacks the semicolons of Excel's accounting format
    shape = re.sub(r"\[(?:\$([^\]-]*)[^\]]*|[^<=>\]]*)\]", r'"\1"', shape)  # [$€-407] is a €, [Red] is nothing
    # literal text masked, length unchanged: quoted, escaped, as wide as a space, or repeated to fill the cell
    marks = re.sub(r'"[^"]*"|\\.|_.|\*.', lambda text: "x" * len(text[0]), shape).split(";")[0]
    digits = re.search(r"(?=\.?[#0?])(?:[#0?,]*[#0?])?(?:\.(0+))?", marks)
    if digits is None or re.search(r"\[[<=>]|[#0?]\s*/", marks) or re.search("[#0?,]", marks[digits.end() :]):
        return _plain(value)
    percent = 100 if "%" in marks else 1
    width = len(digits[0].lstrip("#?,")) + (value < 0)  # from its first 0 on, all digits are shown
    number = f"{value * percent:0{width}{',' if ',' in digits[0] else ''}.{len(digits[1] or '')}f}"
    before, after = (
        re.sub(r"_.|\*\S|[^\w€$£¥%° /]", "", part)
        for part in (shape[: digits.start()], shape[digits.end() : len(marks)])
    )
    return one_line(f"{before}{number}{after}")


def _plain(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.15g}"
