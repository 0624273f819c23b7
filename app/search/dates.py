"""question -> the period that it asks about; text -> the dates in it."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date

from app.search.query import QUESTION_ENDS
from app.search.words import dates as words
from ingest.parse.marks import without_vowel_marks

_MONTH = "|".join(sorted(words.MONTHS, key=len, reverse=True))
_DATE = re.compile(
    rf"(?P<y1>\d{{4}})-(?P<m1>\d\d)(?:-(?P<d1>\d\d))?(?!\d)"
    rf"|(?<![\d/])(?P<y5>(?:19|20)\d\d)/(?P<m5>\d{{1,2}})/(?P<d5>\d{{1,2}})(?![\d/])"
    rf"|(?:(?<!\d)(?P<y6>(?:19|20)\d\d)|(?P<era>{'|'.join(words.ERAS)})\s?(?P<y7>\d{{1,2}}|元))\s?年"
    rf"(?:\s?(?P<m6>\d{{1,2}})\s?月(?:\s?(?P<d6>\d{{1,2}})\s?[日号])?|度?版?)"
    rf"|(?:(?P<d2>\d{{1,2}}){words.ORDINAL}\s+(?:de\s+)?)?\b(?P<m2>{_MONTH})\.?\s+(?:del?\s+)?"
    rf"(?:(?P<d3>\d{{1,2}}),\s+)?(?P<y2>\d{{4}})(?!\d)"
    rf"|(?<![\d.])(?P<d4>\d{{1,2}})\.\s?(?P<m4>\d{{1,2}})\.\s?(?P<y4>(?:19|20)\d\d)(?!\d)"
    rf"|(?<![\d.,])(?P<y3>(?:19|20)\d\d)(?!\d|[.,]\d|[-/]\d{{3}}|\s?(?:[€$£%円元¥]|{words.UNITS}\b))",
    re.IGNORECASE,
)
_FROM, _BEFORE, _UNTIL = (
    re.compile(rf"\b(?:{before})\s+(?:del?\s+)?{words.ARTICLE}$", re.IGNORECASE)
    for before in (rf"(?P<after>{words.AFTER})|{words.FROM}", words.BEFORE, words.UNTIL)
)
_FROM_BEHIND, _BEFORE_BEHIND, _UNTIL_BEHIND = (
    re.compile(rf"\s?{behind}") for behind in (words.FROM_BEHIND, words.BEFORE_BEHIND, words.UNTIL_BEHIND)
)
_SENTENCE_END = re.compile(r"(?<=[.?!؟])(?<!\br\.)\s+|(?<=[。？！])")  # noqa: RUF001
"""Behind a year, the Polish "r." ends none."""
ASCII_DIGITS = str.maketrans("٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹", "01234567890123456789")

Period = tuple[date, date]
"""First and last day."""


def periods_in(text: str) -> list[Period]:
    """Return the days, months and years that a text names, in its order."""
    return [period for _, _, period in _found(text)]


def period_before(text: str, what: re.Pattern[str]) -> Period | None:
    """Return the first day, month or year that stands right before what a pattern finds, or None."""
    return next((period for _, end, period in _found(text) if what.match(text, end)), None)


def without_dates(text: str) -> str:
    """Return the text with a space for each date."""
    return _DATE.sub(" ", text.translate(ASCII_DIGITS))


def asked_periods(question: str) -> list[Period]:
    """Return the times that a question names, such as "in May 2025", "after March 2025" or "before 2020".

    Where a text has several sentences, only those with a question mark name them; the others tell the situation.
    """
    sentences = _SENTENCE_END.split(question)
    asking = [sentence for sentence in sentences if sentence.endswith(QUESTION_ENDS)] or sentences
    return list(dict.fromkeys(period for sentence in asking for period in _periods_asked_in(sentence)))


def _periods_asked_in(sentence: str) -> Iterator[Period]:
    for start, end, (first, last) in _found(sentence):
        before = without_vowel_marks(sentence[:start])
        if begins := _FROM.search(before):
            yield (_shifted(last, 1) if begins["after"] else first), date.max
        elif _FROM_BEHIND.match(sentence, end):
            yield first, date.max
        elif _BEFORE.search(before) or _BEFORE_BEHIND.match(sentence, end):
            yield date.min, _shifted(first, -1)
        elif _UNTIL.search(before) or _UNTIL_BEHIND.match(sentence, end):
            yield date.min, last
        else:
            yield first, last


def days_in(text: str) -> set[date]:
    """Return the days that a text names."""
    return {first for first, last in periods_in(text) if first == last}


def _shifted(day: date, num_days: int) -> date:
    """Return the day that many days later, but no day outside of the calendar."""
    return date.fromordinal(min(max(day.toordinal() + num_days, date.min.toordinal()), date.max.toordinal()))


def asks_for_latest(question: str) -> bool:
    """Return whether the newest of several is wanted."""
    return bool(words.LATEST.search(question))


def _found(text: str) -> Iterator[tuple[int, int, Period]]:
    """Yield start and end of each date in a text, and its first and last day."""
    for match in _DATE.finditer(text.translate(ASCII_DIGITS)):
        with suppress(ValueError):  # 31 February
            yield match.start(), match.end(), _period(match.groupdict())


def _period(groups: Mapping[str, str | None]) -> Period:
    """Return the day, month or year of a match. Raises ValueError for a day that is in no calendar."""
    parts: dict[str, str] = {}
    for group, value in groups.items():
        if value:
            parts.setdefault(group[0], value)
    year = words.ERAS.get(parts.get("e", ""), 0) + (1 if parts["y"] == "元" else int(parts["y"]))
    if not (name := parts.get("m")):
        return date(year, 1, 1), date(year, 12, 31)
    month = int(name) if name.isdigit() else words.MONTHS[name.lower()]
    if not (day := parts.get("d")):
        return date(year, month, 1), date(year, month, monthrange(year, month)[1])
    return date(year, month, int(day)), date(year, month, int(day))
