"""question, citations -> Quotes: the parts of the passages that answer, word for word, with no language model.

Every sentence, list item and table row of the passages gets a value, the log-odds that it answers. The best one is
quoted with its surroundings: a paragraph's neighboring sentences, a list's intro, a table's header.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, zip_longest

from app.answer.about import about_terms, alternatives, is_named
from app.answer.answer import Citation
from app.answer.blocks import num_words
from app.answer.question import AskedValue, asked_value, asks_for_steps, figures_in, parts_of
from app.answer.quotes import Quote, with_context
from app.answer.ranges import asked_rows
from app.answer.units import WHOLE, CitedUnit, units_of
from app.reranking.similarity import Similarity
from app.search.follow_up import CONTEXT
from app.search.query import INTRO_ENDS, QUESTION_ENDS
from app.search.words.questions import ASKS_FOR_NAME

_ALONE, _BLOCK, _PASSAGE = 15.6, 12.6, 9.6
"""Log-odds of one unit of similarity between the question and a unit, its block and its passage."""
_RANK, _INCOMPLETE, _LENGTH, _ROW = -0.51, -1.2, -1.25, 0.41
"""Log-odds of each rank below the first, of saying nothing alone, of 60 words or more, and of being a table's row.

All seven were fitted on 646 questions about five handbooks and help centers that the shipped reranker has not learned
from, in the everyday words of their readers, and held near the weights of an earlier fit on 1,228 questions of several
kinds. A large language model wrote the questions and marked what answers (docs/benchmarks.md, "Quoted answers").
"""
_FIGURES = 1.5
"""Log-odds of holding all figures that the question names, such as 5 in "five people"; not fitted."""
_NAMES = 3.0
"""Log-odds of a table's row that holds all names of the question, such as Berlin; not fitted."""
_HOLDS = 3.0
"""Preference for a row by ranges that holds the quantity of the question, such as 3 years; as for names, not fitted."""
_ASKED_VALUE = 2.25
"""Log-odds of holding a value of the kind that the question asks for, such as a phone number; not fitted."""
_SHARE_OF_PART = 0.75
"""Weight of a part of the question, against the whole question, in choosing the quote for that part."""
_SHARE_OF_OWN = 0.25
"""Weight of a follow-up alone, against it with the question before it, which is answered already.

Chosen on one half of the 64 dialogues in tests/benchmarks/follow_ups.jsonl: .25, .4 and .5 quote the evidence for 26,
22 and 22 of the 32, without it 24; on the other half 25, 26 and 25, without it 24.
"""
_NEAREST = 28.0
"""Log-odds of one unit of similarity between the question and the nearest passage that search found.

Token vectors alone find some likeness in anything; the embedder tells what the documents are not about.
"""
MIN_VALUE = 25.9
"""Below this value of the best unit, nothing clearly answers.

4% of the 646 questions are below it.
"""
_MARGIN = 2.0
"""Largest distance of a second quote from the best, shared by the parts of a question."""
_MAX_QUOTES = 2
_MAX_WORDS = 100
"""Longer answers lose their last quotes."""
_FULL_LENGTH = 60
_MAX_HEADING_WORDS = 8
_WORD = re.compile(r"[^\W\d_]{3,}")
_NAME = re.compile(r"(?<=[\w,;:(] )[^\W\d_]{3,}")
"""A word that does not begin a sentence."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """What to quote, in the order of the citations.

    value: log-odds that the best quote answers, up to a constant; infinite where it holds an exact term of the question
    or stands under a heading of that name; minus infinity without the kind of value that the question asks for.
    """

    quotes: tuple[Quote, ...]
    value: float

    @property
    def is_clear(self) -> bool:
        """Whether the quotes clearly answer."""
        return self.value >= MIN_VALUE


def extract(question: str, citations: Sequence[Citation], scorer: Similarity, best_similarity: float) -> Extraction:
    """Return the parts of the cited passages that answer the question.

    scorer: late interaction trained on questions and the passages that answer them. best_similarity: the
    highest similarity of the question and a passage that search found, by the embedder.
    An exact term of the question, such as a part number, must be in what is quoted if any passage holds it. Each part
    of a question gets a quote.
    """
    units = list(units_of(citations))
    if not units:
        return Extraction((), -math.inf)
    rows, about = asked_rows(question, units), about_terms(question, units)
    whole, parts = rows.raised(_values(question, units, scorer)), parts_of(question)
    asked = rows.raised(_values_asked(question, whole, units, scorer), _HOLDS)
    choices = [
        (_with_asked_value(part, units, values, allowed), [*(set(allowed) - rows.not_asked)] or allowed)
        for part in parts
        for values in [
            asked
            if len(parts) == 1
            else rows.raised(_mixed(whole, _values(part, units, scorer), _SHARE_OF_PART), _HOLDS)
        ]
        for allowed in alternatives(part, question, units, about, values)
    ]
    near = [_nearest(values, allowed, _MARGIN / len(choices)) for values, allowed in choices]
    chosen = [number for best in zip_longest(*near) for number in best if number is not None]  # one for each first
    quotes = _quotes(question, units, dict.fromkeys(chosen), asked, about, rows.not_asked)
    value = max(whole[number] for number in chosen) + _NEAREST * best_similarity
    if any(is_named(question, units[number]) for number in chosen):
        value = math.inf
    is_of_kind = _hold_asked_values(question, quotes, [units[number] for number in chosen])
    return Extraction(tuple(_below_heading(each, question) for each in quotes), value if is_of_kind else -math.inf)


def _values_asked(
    question: str, whole: Sequence[float], units: Sequence[CitedUnit], scorer: Similarity
) -> Sequence[float]:
    """Return the value of each unit for what a follow-up asks; for other questions the values of the whole."""
    if not (context := CONTEXT.search(question)):
        return whole
    return _mixed(whole, _values(question[: context.start()], units, scorer), _SHARE_OF_OWN)


def _mixed(whole: Sequence[float], of_part: Sequence[float], share: float) -> list[float]:
    return [(1 - share) * a + share * b for a, b in zip(whole, of_part, strict=True)]


def _nearest(values: Sequence[float], allowed: Sequence[int], margin: float) -> list[int]:
    """Return the best units, at most _MAX_QUOTES."""
    ranked = sorted(allowed, key=lambda number: -values[number])
    return [number for number in ranked if values[number] >= values[ranked[0]] - margin][:_MAX_QUOTES]


def _with_asked_value(
    question: str, units: Sequence[CitedUnit], values: Sequence[float], allowed: Sequence[int]
) -> Sequence[float]:
    """Return the values, higher for units of the best passage that hold the kind of value asked for."""
    value, best = asked_value(question), units[max(allowed, key=lambda number: values[number])].citation
    if not value:
        return values
    return [
        number + _ASKED_VALUE * (unit.citation is best and _holds(value, unit, question))
        for unit, number in zip(units, values, strict=True)
    ]


def _hold_asked_values(question: str, quotes: Sequence[Quote], chosen: Sequence[CitedUnit]) -> bool:
    """Return whether the quotes hold a value of each kind that the parts of the question ask for."""
    text = "\n".join(quote.text for quote in quotes)
    return all(
        value.form.search(text) or any(_holds(value, unit, question) for unit in chosen)
        for part in parts_of(question)
        if (value := asked_value(part))
    )


def _holds(value: AskedValue, unit: CitedUnit, question: str) -> bool:
    """Return whether a unit holds a value of this kind; figures of a table's row count by what stands above them.

    Such a row must have a word of the question that is no name of a column, or an exact term of it.
    """
    if value.form.search(unit.text):
        return True
    if not (value.column and unit.is_row and re.search(r"\d", unit.text)):
        return False
    row, above = (
        set(_WORD.findall(text.casefold())) for text in (unit.block.units[unit.position].text, unit.block.intro)
    )
    is_asked = (row - above).intersection(_WORD.findall(question.casefold())) or is_named(question, unit)
    return bool(is_asked) and value.column.search(unit.chunk.passage) is not None


def _values(question: str, units: Sequence[CitedUnit], scorer: Similarity) -> list[float]:
    """Return the value of each unit: the log-odds that it answers, up to a constant."""
    texts = [unit.text or unit.surroundings for unit in units]
    blocks = [unit.surroundings for unit in units]
    passages = [unit.chunk.passage for unit in units]
    every = list(dict.fromkeys(chain(texts, blocks, passages)))
    similarity = dict(zip(every, scorer.similarities(question, every), strict=True))
    wanted, names = figures_in(question), _shared_names(question, texts)
    return [
        _ALONE * (max(similarity[text], similarity[block]) if unit.position == WHOLE else similarity[text])
        + _BLOCK * similarity[block]
        + _PASSAGE * similarity[passage]
        + _RANK * (unit.citation.number - 1)
        + _INCOMPLETE * _is_incomplete(unit)
        + _LENGTH * min(num_words(text), _FULL_LENGTH) / _FULL_LENGTH
        + _ROW * unit.is_row
        + (_FIGURES * len(wanted & figures_in(text)) / len(wanted) if wanted else 0.0)
        + _NAMES * _share_of_names(names, unit, text)
        for unit, text, block, passage in zip(units, texts, blocks, passages, strict=True)
    ]


def _is_incomplete(unit: CitedUnit) -> bool:
    """Return whether a unit is a question, or introduces what is not in its block."""
    ends = QUESTION_ENDS if unit.position == WHOLE else QUESTION_ENDS + INTRO_ENDS
    return unit.text.rstrip().endswith(ends)


def _shared_names(question: str, texts: Iterable[str]) -> frozenset[str]:
    """Return the words of the question, in any case, that the texts always begin with a capital, within a sentence."""
    words = set(chain.from_iterable(map(_WORD.findall, texts)))
    within = set(chain.from_iterable(map(_NAME.findall, texts)))
    asked = {word.capitalize() for word in _WORD.findall(question)}
    return frozenset(word for word in asked & within if word.lower() not in words)


def _share_of_names(names: Collection[str], unit: CitedUnit, text: str) -> float:
    """Return the share of the names that a row holds; those in its title and headings tell no rows apart."""
    telling = set(names).difference(_WORD.findall(unit.label)) if unit.is_row else set()
    return len(telling.intersection(_WORD.findall(text))) / len(telling) if telling else 0.0


def _below_heading(quote: Quote, question: str) -> Quote:
    """Return the quote with its heading, if that may hold the answer: a version, a date, a name."""
    heading = "".join(quote.citation.chunk.headings[-1:])
    may_answer = re.search(r"\d", heading) or ASKS_FOR_NAME.search(question)
    is_short = num_words(heading) <= _MAX_HEADING_WORDS
    return replace(quote, heading=heading) if may_answer and is_short else quote


def _quotes(
    question: str,
    units: Sequence[CitedUnit],
    chosen: Collection[int],
    values: Sequence[float],
    about: Sequence[Collection[int]],
    not_asked: Collection[int],
) -> tuple[Quote, ...]:
    """Return a quote for each block that has a chosen unit, in the order of the citations, if they fit an answer.

    about: the units about each exact term; a list is quoted without its items about others. not_asked: rows and items
    that are left out.
    """
    of_terms = {(id(units[number].block), units[number].position) for number in chain(*about)}
    left_out = {(id(units[number].block), units[number].position) for number in not_asked}
    by_block: dict[int, list[int]] = {}
    for number in chosen:
        by_block.setdefault(id(units[number].block), []).append(number)
    quotes = []
    for numbers in by_block.values():
        first = units[numbers[0]]
        of_block = {
            unit.position: value for unit, value in zip(units, values, strict=True) if unit.block is first.block
        }
        positions = {units[number].position for number in numbers}
        kept = with_context(first.block, positions, of_block, with_steps=asks_for_steps(question))
        if about and first.block.kind == "list":
            kept = {position for position in kept if (id(first.block), position) in of_terms} or kept
        kept = {position for position in kept if (id(first.block), position) not in left_out} or kept
        quotes.append(Quote(first.block.quote(kept), first.citation))
    lengths = accumulate(num_words(quote.text) for quote in quotes)
    num_fitting = bisect_right(list(lengths), _MAX_WORDS)
    return tuple(sorted(quotes[: max(1, num_fitting)], key=lambda quote: quote.citation.number))
