"""Outline -> Version: what a document says about itself and about the documents that it replaces.

Read from title, name, headings and the first passages. What cannot be read for sure stays empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import PurePosixPath

from app.search.dates import Period, period_before, periods_in, without_dates
from app.search.fusion import exact_terms
from app.search.words import versions as wording
from ingest.listing import Outline
from ingest.parse.marks import without_vowel_marks

Number = tuple[int, ...]
"""A version: (2, 1) for 2.1."""

_DATE_CHARACTERS = 30
_MAX_STATEMENT = 200
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_WORD = re.compile(r"[^\W_]+")
_SECTION_NUMBER = re.compile(r"^[\W_]*(?:\d+[.)]?)+\s+")
_BARE_NUMBER = re.compile(r"^\W*(?:the\s+)?(\d{1,3}(?:\.\d+)+)\b")
_GLUED_NUMBER = re.compile(r"(?<=[^\W\d_]{3})\d{1,2}$")
"""The version in "isp4" and "policy26"; that of "pl2" may be a product."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a document says to replace or to be replaced by: the words, versions and dates that name it.

    All are empty for "all earlier versions". is_newer: the document that says it is the newer one. is_quoted: it names
    a title in quotes.
    """

    words: frozenset[str]
    numbers: tuple[Number, ...]
    periods: tuple[Period, ...]
    is_newer: bool
    is_quoted: bool


@dataclass(frozen=True)
class Version:
    """One document as a version of something; what is costly to read is read on first use, for few documents."""

    outline: Outline

    @property
    def id(self) -> str:
        return self.outline.document.id

    @property
    def name(self) -> str:
        return self.outline.document.name

    @property
    def title(self) -> str:
        return self.outline.document.title

    @cached_property
    def subject(self) -> str:
        """The title without version and date; a family shares it."""
        return subject_of(self.title)

    @cached_property
    def scope(self) -> frozenset[str]:
        """Words of path and file name that are not in the title."""
        words = frozenset(_GLUED_NUMBER.sub("", word) for word in subject_of(self._path).split())
        return words - frozenset(_words(self.title)) - wording.VERSION_WORDS

    @cached_property
    def number(self) -> Number | None:
        """The stated version."""
        return next(iter(numbers_in(self.title) or numbers_in(self._path)), None) or _number_of(self.outline.opening)

    @cached_property
    def since(self) -> date | None:
        """The stated first day of validity, else that of the period in title or name."""
        opening = without_vowel_marks(self.outline.opening)
        for match in wording.EFFECTIVE.finditer(opening):
            following = opening[match.end() : match.end() + _DATE_CHARACTERS]
            if (periods := periods_in(following)) and not wording.UNTIL.match(following):
                return periods[0][0]
        if before := period_before(opening, wording.EFFECTIVE_BEHIND):
            return before[0]
        periods = periods_in(self.title) or periods_in(self._path)
        return periods[-1][0] if periods else None

    @cached_property
    def headings(self) -> frozenset[str]:
        """Headings without numbers, versions and dates."""
        return frozenset(map(plain_heading, self.outline.headings)) - {"", self.subject}

    @cached_property
    def identifiers(self) -> frozenset[str]:
        """Codes in the opening without years, such as part numbers."""
        return frozenset(_YEAR.sub("", term.casefold()) for term in exact_terms(self.outline.opening))

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """What the opening says of documents that it replaces or that replace it."""
        return tuple(_statements(without_vowel_marks(self.outline.opening)))

    @property
    def _path(self) -> str:
        """Folders and file name without ending."""
        return self.name.removesuffix(PurePosixPath(self.name).suffix).replace("/", " ").replace("_", " ")

    @cached_property
    def words(self) -> frozenset[str]:
        """Words of the subject that tell documents apart."""
        return _telling(self.subject)

    @cached_property
    def is_sibling(self) -> bool:
        """Whether the title names a report, minutes or the like; these are never versions."""
        return not self.is_replaceable and wording.SIBLING.search(self.subject) is not None

    @cached_property
    def is_replaceable(self) -> bool:
        """Whether the title names a policy, manual, price list or the like, rather than a report or minutes."""
        kinds = list(wording.KIND.finditer(self.subject))
        siblings = list(wording.SIBLING.finditer(self.subject))
        if not kinds or not siblings:
            return bool(kinds)
        about = any(wording.ABOUT.match(self.subject, sibling.end()) for sibling in siblings)
        return kinds[-1].end() == len(self.subject) and not about  # such as "incident policy", not "report on rules"

    @property
    def label(self) -> str:
        """What tells it from the others of its family: year, version, or file name."""
        if years := _YEAR.findall(self.title) or _YEAR.findall(self.name):
            return str(years[-1])
        if self.number:
            return f"version {'.'.join(map(str, self.number))}"
        return str(self.since.year) if self.since else PurePosixPath(self.name).name

    @property
    def full_name(self) -> str:
        """Title, with the label unless the title has it."""
        return self.title if self.label in self.title else f"{self.title} ({self.label})"

    def is_newer_than(self, other: Version) -> bool | None:
        """Return whether version and day make it newer; None if they do not tell, or contradict each other."""
        newer = []
        if self.number and other.number and self.number != other.number:
            newer.append(self.number > other.number)
        if self.since and other.since and self.since != other.since:
            newer.append(self.since > other.since)
        return newer[0] if len(set(newer)) == 1 else None


def subject_of(title: str) -> str:
    """Return the words of a title without version and dates: "Price list 2025, v2" is "price list"."""
    return " ".join(_words(without_dates(wording.NUMBER.sub(" ", title))))


def _telling(text: str) -> frozenset[str]:
    """Return the words that tell which document is meant, whatever its version."""
    return frozenset(subject_of(text).split()) - wording.ARTICLES - wording.VERSION_WORDS


def plain_heading(heading: str) -> str:
    """Return the words of a heading without its number, version and dates."""
    return subject_of(_SECTION_NUMBER.sub("", heading))


def numbers_in(text: str) -> list[Number]:
    """Return the versions that a text names."""
    return [_as_number(match[1] or match[2] or match[3]) for match in wording.NUMBER.finditer(text)]


def _number_of(opening: str) -> Number | None:
    """Return the first version in an opening that is not of a document that replaces it or is replaced."""
    rest = opening
    for match in reversed([*wording.REPLACES.finditer(opening), *wording.REPLACED.finditer(opening)]):
        rest = rest[: match.start()] + rest[match.start() + len(_statement_at(opening, match.end())) :]
    return next(iter(numbers_in(rest)), None)


def _as_number(text: str) -> Number:
    parts = [int(part) for part in text.split(".")]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def _statements(opening: str) -> Iterator[Statement]:
    if not wording.HINT.search(opening):  # much quicker
        return
    for pattern, is_newer in ((wording.REPLACES, True), (wording.REPLACED, False)):
        for match in pattern.finditer(opening):
            yield from _stated(_statement_at(opening, match.end()), is_newer)
    for match in wording.REPLACES_BEHIND.finditer(opening):
        yield from _stated(match["older"], not match["passive"])


def _stated(text: str, is_newer: bool) -> Iterator[Statement]:
    """Yield what the words behind or before "replaces" name, as a whole and in parts."""
    quoted = wording.QUOTED.findall(text)
    for part in dict.fromkeys([*quoted, text, *wording.NEXT_PART.split(text)]):
        bare = _BARE_NUMBER.match(part)
        numbers = [*numbers_in(part), *([_as_number(bare[1])] if bare else [])]
        rest = wording.OF_A_DATE.sub("", part[bare.end() :] if bare else part)
        statement = Statement(_telling(rest), tuple(numbers), tuple(periods_in(rest)), is_newer, part in quoted)
        if statement.words or numbers or statement.periods or wording.EARLIER.search(part):
            yield statement


def _statement_at(opening: str, start: int) -> str:
    """Return the rest of the sentence or table cell."""
    text = opening[start : start + _MAX_STATEMENT]
    end = wording.END.search(text)
    return re.sub(r"\s+", " ", text[: end.start()] if end else text)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
