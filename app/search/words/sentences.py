"""What ends a sentence in each language, and what looks like an end."""

from __future__ import annotations

import re

from app.search.words.languages import CJK, in_any
from ingest.parse.marks import BULLETS

_ABBREVIATIONS = in_any(
    en="approx|incl|vs|etc|Mrs|Prof|No|max|min|tel",
    de="inkl|bzw|ca|Abs|Art|Nr|usw|resp|zzgl",
    fr="Mme",
    es="Sra|Dña|núm|pág|aprox",
    it="pag|dott|sigg?|ing|avv|cfr|ecc",
    nl="dhr|mevr|mw|drs|blz|bijv",
    pt="(?-i:Arq|Eng|Exm[oa])",
    pl="ul|al|rozp|godz|ust|pkt|tzn|tj|np|wg|zob|por|itp|inż|mgr",
    ar="[دأم]",
)
ABBREVIATION = re.compile(rf"(?:^|[\s('\u2019]){_ABBREVIATIONS}\.$", re.IGNORECASE)
"""Abbreviations that the sentence splitter takes for an end."""
SPLITTER_LANGUAGES = ("en", "de", "fr", "es", "pl")
"""Languages whose abbreviations the sentence splitter is asked for."""
ORDINAL_MARKS = ("º", "ª", "°")
"""A sentence does not begin with one: art. 5.º."""
FULL_STOP = re.compile(
    r"(?<=[。！？])(?![」』）】！？])|(?<=[。！？][」』）】])(?![\u3040-\u309f、。])"  # noqa: RUF001
    rf"|(?<=[?!])(?=[{CJK}])|(?<= r\.)\s+(?=[A-ZĄĆĘŁŃÓŚŹŻ])"
)
"""An end that the sentence splitter does not find; the Polish "r." behind a year may be one."""
BULLET = re.compile(rf"^[ \t]*[・◆{BULLETS}][ \t]*(?=\S)", re.M)
"""Of a list, as Japanese and text without Markdown write it."""
