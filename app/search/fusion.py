"""similarity and BM25 scores of a query's candidates -> fused scores.

A passage's fused score is its cosine similarity plus a word score: BM25 per word of the query, times the share of
these words in the passage. Both parts have the same scale for every query, so neither list dominates by a wider spread.
Dividing by the number of words also weighs each word less in long questions, where most words are common.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from itertools import chain, pairwise

from app.search.dates import days_in
from app.search.words.languages import CJK
from app.search.words.questions import SECTION

WORDS_WEIGHT = 0.2
"""Fused score per BM25 point per query word, learned on several kinds of documents (docs/decisions/0003)."""

EXACT_TERM_BONUS = 1.0
"""Larger than other differences between passages, so that an exact term always wins."""

MIN_DATED = 3
"""Days in a text whose rows or lines are looked up by date."""
_MAX_HOLDERS = 3
"""A term in more candidates does not distinguish them."""

_WORD = re.compile(r"[^\W_]+")
_SPACELESS = rf"\u0e00-\u0e7f\u3005-\u3007{CJK}"
SPACELESS = re.compile(f"[{_SPACELESS}]+")
"""A run of Thai, Japanese or Chinese, which have no spaces between words."""
_ARABIC = r"\u0620-\u065f"
_LETTER = rf"[^\W_{_SPACELESS}]"
"""A letter or digit that belongs to the same word as those beside it."""
UNSPACED_WORD = re.compile(rf"[{_SPACELESS}]|{_LETTER}+")
"""A word; in scripts without spaces each letter, since their words cannot be told apart."""
_TERM = re.compile(rf"{_LETTER}+(?:[-_./:#@+]{_LETTER}+)*")
_PREFIX = re.compile(rf"(?<=[{_ARABIC}])(?=[A-Za-z])")
"""The end of an Arabic word that is written together with a Latin one, such as "and" or "the"."""
_SECTION = re.compile(rf"\b{SECTION}\s+(\d+(?:\.\d+)+)", re.IGNORECASE)
_INITIALS = re.compile(r"\b[A-ZÀ-Þ][\w'-]+(?: [A-ZÀ-Þ]\.)+ [A-ZÀ-Þ][\w'-]+")
_DIGITS = re.compile(r"\d+")
_YEAR = re.compile(r"(?:19|20)\d\d")
_QUANTITY = re.compile(r"\d+-?[^\W\d_]+")
_SHORT_CODE = re.compile(r"[A-Z]{1,4}-\d")
_PAIR = re.compile(r"\d{2,}[-/](?!(?:19|20)\d\d$)\d{4,}")
"""Such as part 55-1009, but not 12-2024."""
_MIN_DIGITS_ALONE = 5
_MIN_NUMBERS = 3


def fused_scores(
    query: str, passages: Sequence[str], similarities: Sequence[float], matches: Sequence[float]
) -> list[float]:
    """Return one score per passage; higher is better.

    similarities: cosine, from -1 to 1. matches: BM25, 0 for a passage without a word of the query.
    """
    words, exact = word_scores(query, passages, matches), exact_matches(query, passages)
    return [
        similarity + WORDS_WEIGHT * word_score + EXACT_TERM_BONUS * is_exact
        for similarity, word_score, is_exact in zip(similarities, words, exact, strict=True)
    ]


def word_scores(query: str, passages: Sequence[str], matches: Sequence[float]) -> list[float]:
    """Return BM25 per word of the query, times the share of these words in the passage."""
    words = _words(query)
    num_words = max(1, len(words))
    shares = [len(words & _words(passage)) / num_words for passage in passages]
    return [match / num_words * share for match, share in zip(matches, shares, strict=True)]


def exact_matches(query: str, passages: Sequence[str]) -> list[bool]:
    """Return which passages contain a rare exact term of the query, such as a part number, error code or address.

    A term is rare if at most three passages contain it, as a whole word in any case. A query that is the heading of a
    passage, letter for letter, is such a term, too.
    """
    named = [passage.partition("\n")[0].endswith(f" > {query}") for passage in passages]
    found = named if sum(named) <= _MAX_HOLDERS else [False] * len(passages)
    of_terms = [
        [number for number, text in enumerate(passages) if holds_term(text, term)] for term in exact_terms(query)
    ]
    for holders in of_terms + [_holders_of_day(day, passages) for day in days_in(query)]:
        if len(holders) <= _MAX_HOLDERS:
            for number in holders:
                found[number] = True
    return found


def _holders_of_day(day: date, passages: Sequence[str]) -> list[int]:
    """Return which passages hold a day, in any form, among others, as a roster does."""
    days = map(days_in, passages)
    return [number for number, found in enumerate(days) if day in found and len(found) >= MIN_DATED]


def exact_terms(query: str) -> list[str]:
    """Return the terms that identify one thing: ZX-15321/5, 10.0.3.17, section 3.1 or Ann F. Lee, but not 30-day."""
    terms = (term for term in _TERM.findall(_PREFIX.sub(" ", query)) if _is_exact(term))
    return list(dict.fromkeys(chain(terms, _SECTION.findall(query), _INITIALS.findall(query))))


def holds_term(text: str, term: str) -> bool:
    """Return whether a text holds an exact term as a whole, in any case."""
    letter = f"{_LETTER[:-1]}{_ARABIC}]" if term.isascii() else _LETTER
    whole = rf"(?<!{letter})(?<!{letter}[-_./:#@+]){re.escape(term)}(?![-_./:#@+]?{letter})"
    return re.search(whole, text, re.IGNORECASE) is not None


def _is_exact(term: str) -> bool:
    """Return whether a term identifies one thing, unlike years, dates, short numbers and quantities."""
    if term.isdigit():
        return len(term) >= _MIN_DIGITS_ALONE
    if _SHORT_CODE.fullmatch(term) or _PAIR.fullmatch(term):
        return True
    numbers = _DIGITS.findall(term)
    has_year = any(map(_YEAR.fullmatch, numbers))
    if _QUANTITY.fullmatch(term):
        return False
    if not any(character.isalpha() for character in term):
        return len(numbers) >= _MIN_NUMBERS and not has_year
    return len(numbers) >= _MIN_NUMBERS or any(len(digits) > 1 and not _YEAR.fullmatch(digits) for digits in numbers)


def _words(text: str) -> frozenset[str]:
    """Return the words of a text; of scripts without spaces, each two neighboring characters."""
    text = text.casefold()
    pairs = ("".join(pair) for run in SPACELESS.findall(text) for pair in pairwise(run))
    return frozenset(chain(_WORD.findall(SPACELESS.sub(" ", text)), pairs))
