"""question -> the period that it asks about; text -> the dates in it."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date

_MONTHS = {
    name: number
    for names in (
        "january february march april may june july august september october november december",
        "jan feb mar apr may jun jul aug sep oct nov dec",
        "januar februar märz april mai juni juli august september oktober november dezember",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
        "januari februari maart april mei juni juli augustus september oktober november december",
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    )
    for number, name in enumerate(names.split(), 1)
}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_UNIT = (
    "(?:eur|usd|chf|gbp|euros?|dollars?|francs?|pounds?|km|kg|mm|nm|rpm|kwh|watts?|volts?|hours?|stunden|miles"
    "|heures|horas|ore|uur|kilómetros|quilómetros|chilometri|kilometers?|kilomètres)"
)
"""What makes a figure of four digits no year."""
_ORDINAL = "(?:\\.?[º°]|er\\b|\\.)?"
"""Behind the day: 1. März, 1er mars, 1º de marzo, 1° marzo, 1.º de março."""
_DATE = re.compile(
    rf"(?P<y1>\d{{4}})-(?P<m1>\d\d)(?:-(?P<d1>\d\d))?(?!\d)"
    rf"|(?:(?P<d2>\d{{1,2}}){_ORDINAL}\s+(?:de\s+)?)?\b(?P<m2>{_MONTH})\.?\s+(?:del?\s+)?"
    rf"(?:(?P<d3>\d{{1,2}}),\s+)?(?P<y2>\d{{4}})(?!\d)"
    rf"|(?<![\d.])(?P<d4>\d{{1,2}})\.\s?(?P<m4>\d{{1,2}})\.\s?(?P<y4>(?:19|20)\d\d)(?!\d)"
    rf"|(?<![\d.,])(?P<y3>(?:19|20)\d\d)(?!\d|[.,]\d|[-/]\d{{3}}|\s?(?:[€$£%]|{_UNIT}\b))",
    re.IGNORECASE,
)
_ARTICLE = r"(?:(?:the|le|el|l['\u2019])\s*)?$"
_FROM = re.compile(
    r"\b(?:(?P<after>after|nach|après|después de|dopo(?: il)?|na|depois de)|since|from|seit|ab|depuis|desde|a partir de"
    r"|a partire dal?|dal|sinds|vanaf)\s+(?:del?\s+)?" + _ARTICLE,
    re.IGNORECASE,
)
_BEFORE = re.compile(r"\b(?:before|vor|avant|antes del?|prima del?|voor)\s+" + _ARTICLE, re.IGNORECASE)
_UNTIL = re.compile(
    r"\b(?:until|till|up to|bis|jusqu['\u2019](?:en|au|à)|hasta|fino (?:a|al)|tot(?: en met)?|até(?: a)?)\s+"
    + _ARTICLE,
    re.IGNORECASE,
)
_LATEST = re.compile(
    r"\b(?:latest|newest|most recent|neueste[nrs]?|aktuellste[nrs]?|nieuwste|meest recente|plus récente?s?"
    r"|más recientes?|mais recentes?|più recent[ei]|más (?:nuev|actual)[oa]s?)\b"
    r"|\b(?:last|letzte[nrs]?|laatste|dernière?s?|últim[oa]s?|ultim[oaie])\s+(?:\w+\s+)?"
    r"(?:meeting|session|release|version|edition|minutes|sitzung|besprechung|fassung|réunion|séance|édition"
    r"|compte rendu|reunión|sesión|versión|edición|acta|riunione|seduta|versione|edizione|verbale|vergadering|versie"
    r"|editie|notulen|reunião|sessão|versão|edição|ata)",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.?!])\s+")

Period = tuple[date, date]
"""First and last day."""


def periods_in(text: str) -> list[Period]:
    """Return the days, months and years that a text names, in its order."""
    return [period for _, period in _found(text)]


def without_dates(text: str) -> str:
    """Return the text with a space for each date."""
    return _DATE.sub(" ", text)


def asked_periods(question: str) -> list[Period]:
    """Return the times that a question names, such as "in May 2025", "after March 2025" or "before 2020".

    Where a text has several sentences, only those with a question mark name them; the others tell the situation.
    """
    sentences = _SENTENCE_END.split(question)
    asking = [sentence for sentence in sentences if sentence.endswith("?")] or sentences
    return list(dict.fromkeys(period for sentence in asking for period in _periods_asked_in(sentence)))


def _periods_asked_in(sentence: str) -> Iterator[Period]:
    for start, (first, last) in _found(sentence):
        if begins := _FROM.search(sentence[:start]):
            yield (_shifted(last, 1) if begins["after"] else first), date.max
        elif _BEFORE.search(sentence[:start]):
            yield date.min, _shifted(first, -1)
        elif _UNTIL.search(sentence[:start]):
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
    return bool(_LATEST.search(question))


def _found(text: str) -> Iterator[tuple[int, Period]]:
    for match in _DATE.finditer(text):
        year = int(match["y1"] or match["y2"] or match["y3"] or match["y4"])
        number = match["m1"] or match["m4"]
        month = int(number) if number else _MONTHS.get((match["m2"] or "").lower())
        day = match["d1"] or match["d2"] or match["d3"] or match["d4"]
        try:
            if month is None:
                yield match.start(), (date(year, 1, 1), date(year, 12, 31))
            elif day is None:
                yield match.start(), (date(year, month, 1), date(year, month, monthrange(year, month)[1]))
            else:
                yield match.start(), (date(year, month, int(day)), date(year, month, int(day)))
        except ValueError:  # 31 February
            continue
