"""How numbers, units and ranges of them are worded, in English and German."""

from __future__ import annotations

import re

from app.search.words.languages import in_any

NUMERALS = {
    word: float(number)
    for numerals in (
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
        " eighteen nineteen twenty",
        "ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
    )
    for number, word in enumerate(numerals.split(), 1)
} | dict.fromkeys(("eine", "einen", "einem", "einer", "a", "an"), 1.0)
UNITS = {
    r"years?[\s-](?:old|of[\s-]age)|jahren? alt|-?jährig\w*": ("age", 1),
    r"years?|yrs?|jahr(?:en?|es)?": ("month", 12),
    r"months?|monat(?:en?|s)?": ("month", 1),
    r"weeks?|wochen?": ("day", 7),
    r"days?|tage?n?": ("day", 1),
    r"hours?|hrs?|stunden?|std\.?|h": ("minute", 60),
    r"minutes?|mins?\.?|minuten?": ("minute", 1),
    r"eur|euros?|€": ("euro", 1),
    r"usd|dollars?|\$": ("dollar", 1),
    r"gbp|£": ("pound", 1),
    r"chf|francs?|franken": ("franc", 1),
    r"km|kilomet(?:er|re)[sn]?": ("meter", 1000),
    r"met(?:er|re)[sn]?|m": ("meter", 1),
    r"kg|kilos?|kilogram(?:m|me|mes|s)?": ("gram", 1000),
    r"grams?|gramm|g": ("gram", 1),
    r"%|percent|prozent": ("percent", 1),
    r"people|persons?|employees?|users?|members?|participants?|guests?"
    r"|personen|mitarbeiter(?:n|innen)?|nutzern?|teilnehmern?|gästen?": ("person", 1),
}
"""Unit behind a number -> its smallest unit, and how many of those it is. An age is not a length of time."""
CURRENCY = "eur|usd|gbp|chf|[€$£]"
"""Units that may stand before the number."""
AGE = re.compile(r"\b(?:age|ages|alter)\b", re.IGNORECASE)
"""Names a column of ages."""
AGED = in_any(
    en=r"aged|(?:child|boy|girl)(?:ren|s)? of|(?:i am|i'm)(?= \d)",
    de=r"im alter von|kind(?:er|ern)? (?:von|mit)|ich bin(?= \d)",
)
"""Before an age."""
OWN = in_any(en="i am|i'm", de="ich bin")
"""Before an age without its unit: "I am 8 years with the company" tells none."""
GROUP = in_any(en=r"(?:team|group|party) of", de=r"(?:team|gruppe) (?:von|mit)")
"""Before a number of people."""

_NOT = in_any(en="not?", de="nicht")
_MORE = in_any(en="more than|longer than|older than|greater than", de="mehr als|länger als|älter als")
_LESS = in_any(en="less than|fewer than|shorter than|younger than", de="weniger als|kürzer als|jünger als")
AT_MOST = rf"{_NOT} {_MORE}|[≤]|<=|" + in_any(
    en=r"up to(?: and including)?|at most|max(?:imum(?: of)?|\.)?|until|within",
    de=r"bis(?: zu)?|höchstens|maximal|innerhalb von",
)
AT_LEAST = rf"{_NOT} {_LESS}|[≥]|>=|" + in_any(
    en=r"at least|min(?:imum(?: of)?|\.)?|from|starting at", de="ab|mindestens"
)
AFTER = in_any(en="after|since", de="nach|seit")
"""From this time on in a rule; this time itself in a question."""
BELOW = rf"{_LESS}|<|" + in_any(en="under|below", de="unter")
ABOVE = rf"{_MORE}|>|" + in_any(en="over|above|exceeding", de="über")
MAY_BE_EXACT = in_any(de="über")
"""In a question: an invoice "über 500 Euro" is one of 500 euros."""
OR_MORE = r"\+|" + in_any(
    en=r"(?:or|and) (?:more|over|older|above|longer|up)\b|upwards?", de="(?:oder|und) (?:mehr|älter|länger)|aufwärts"
)
OR_LESS = in_any(
    en=r"(?:or|and) (?:less|fewer|under|younger|below|shorter)\b", de="(?:oder|und) (?:weniger|jünger|kürzer)"
)
THOUSANDS = in_any(en="k|bn|hundred|thousand|million|billion", de="tsd|mio|mrd|hundert|tausend|millionen")
"""Behind a number that is more than it looks."""
ARTICLE = r"(?:(?<=after )|(?<=than )|(?<=for ))an?"
"""An article that counts."""
TO = rf"[-–—]|{in_any(en='to|up to|through', de='bis(?: zu)?')}"  # noqa: RUF001
BETWEEN = re.compile(
    rf"\b{in_any(en='between', de='zwischen')}\s+(\S+(?:\s\w+)?)\s+{in_any(en='and', de='und')}\s+", re.IGNORECASE
)
OF = in_any(en="of", de="von")
ALSO = in_any(en="but|and", de="und|aber")
"""Joins two bounds of one range, such as "more than 2 but less than 5"."""

BEFORE_EVENT = re.compile(
    rf"\b{in_any(en='up to|until|by|latest|from|starting', de='bis|ab|spätestens')}\b[^.:?]*\d[^.:?]*"
    rf"\b{in_any(en='before|prior|ahead|in advance', de='vor|vorher')}\b",
    re.IGNORECASE,
)
"""Up to 14 days before arrival means 14 days or more."""
_BEFORE_ANOTHER = in_any(
    en="per|each|every|first|last|next|in|before",
    de="pro|je|alle|vor|jede[nrs]?|ersten?|letzten?|nächsten?",
)
_NEARLY = in_any(
    en=r"not|\w+n['\u2019]t|never|cannot|almost|nearly|around|roughly|approximately|(?<!what )(?<!how )about",
    de="nicht|keine?[nrm]?|fast|knapp|etwa|circa|ca|rund|ungefähr",
)
NO_QUANTITY = re.compile(rf"\b(?:{_BEFORE_ANOTHER}\s*|{_NEARLY}\b(?:\W+\w+){{0,4}}\W*)$", re.IGNORECASE)
"""Before a number that is a rate, one of another time, or one that does not hold or not exactly."""
RATE = re.compile(
    rf"\s*(?:\b{in_any(en='ago')}\b|(?:/|\b{in_any(en='an?|per|each|every', de='pro|je|am|im|in der|die')}\b)\s*"
    rf"{in_any(en='hour|day|week|month|year', de='stunde|tag|woche|monat|jahr')}\b)",
    re.IGNORECASE,
)
"""Behind a number that is a rate or of another time: who works 3 days a week is not ill for 3 days."""
