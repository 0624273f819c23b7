"""question, citations -> Quotes: the parts of the passages that answer, word for word, with no language model.

Every sentence, list item and table row of the passages gets a value, the log-odds that it answers. The best one is
quoted with its surroundings: a paragraph's neighboring sentences, a list's intro, a table's header.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, zip_longest

from app.answer.answer import Citation
from app.answer.blocks import Block, split_blocks
from app.answer.question import asked_value, figures_in, parts_of
from app.answer.quotes import WHOLE, Quote, with_context
from app.reranking.similarity import Similarity
from app.search.dates import Period, asked_period, asks_for_latest, periods_in
from app.search.fusion import exact_terms, holds_term
from app.search.query import QUESTION_ENDS
from ingest.chunk import Chunk

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
_ASKED_VALUE = 2.25
"""Log-odds of holding a value of the kind that the question asks for, such as a phone number; not fitted."""
_SHARE_OF_PART = 0.75
"""Weight of a part of the question, against the whole question, in choosing the quote for that part."""
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


@dataclass(frozen=True, slots=True)
class _Unit:
    """Sentence, item, row or whole list of a cited passage.

    position: its number in the block. text: of a whole list, its lead-in, '' if it has none. surroundings: title,
    headings and the whole block as sentences.
    """

    citation: Citation
    block: Block
    position: int
    text: str
    surroundings: str


def extract(question: str, citations: Sequence[Citation], scorer: Similarity, best_similarity: float) -> Extraction:
    """Return the parts of the cited passages that answer the question.

    scorer: late interaction trained on questions and the passages that answer them. best_similarity: the
    highest similarity of the question and a passage that search found, by the embedder.
    An exact term of the question, such as a part number, must be in what is quoted if any passage holds it. Each part
    of a question gets a quote.
    """
    units = list(_units(citations))
    if not units:
        return Extraction((), -math.inf)
    whole = _values(question, units, scorer)
    exact = _with_exact_terms(question, units)
    allowed = _of_period(question, units, exact or range(len(units)), whole)
    parts = parts_of(question)
    of_parts: list[list[int]] = []
    for part in parts:
        values: Sequence[float] = whole
        if len(parts) > 1:
            of_part = _values(part, units, scorer)
            values = [(1 - _SHARE_OF_PART) * a + _SHARE_OF_PART * b for a, b in zip(whole, of_part, strict=True)]
        values = _with_asked_value(part, units, values, allowed)
        ranked = sorted(allowed, key=lambda number: -values[number])
        near = [number for number in ranked if values[number] >= values[ranked[0]] - _MARGIN / len(parts)]
        of_parts.append(near[:_MAX_QUOTES])
    chosen = [number for best in zip_longest(*of_parts) for number in best if number is not None]  # one for each first
    headings = {units[number].citation.chunk.heading.casefold() for number in chosen}
    is_named = bool(exact) or question.casefold() in headings
    value = math.inf if is_named else max(whole[number] for number in chosen) + _NEAREST * best_similarity
    quotes = tuple(_below_heading(each, question) for each in _quotes(units, dict.fromkeys(chosen), whole))
    return Extraction(quotes, value if _hold_asked_values(parts, quotes) else -math.inf)


def _with_asked_value(
    question: str, units: Sequence[_Unit], values: Sequence[float], allowed: Sequence[int]
) -> Sequence[float]:
    """Return the values, higher for units of the best passage that hold the kind of value asked for."""
    value, best = asked_value(question), units[max(allowed, key=lambda number: values[number])].citation
    if not value:
        return values
    return [
        number + _ASKED_VALUE * (unit.citation is best and bool(value.search(unit.text)))
        for unit, number in zip(units, values, strict=True)
    ]


def _hold_asked_values(parts: Iterable[str], quotes: Sequence[Quote]) -> bool:
    """Return whether the quotes hold a value of each kind that the parts of the question ask for."""
    text = "\n".join(quote.text for quote in quotes)
    return all(value.search(text) for value in map(asked_value, parts) if value)


def _units(citations: Sequence[Citation]) -> Iterator[_Unit]:
    for citation in citations:
        for block in split_blocks(citation.chunk.text):
            surroundings = f"{_label(citation.chunk)}\n{' '.join(block.sentences)}"
            if block.kind == "list":
                yield _Unit(citation, block, WHOLE, block.lead_in, surroundings)
            for position, unit in enumerate(block.units):
                yield _Unit(citation, block, position, unit.plain, surroundings)


def _values(question: str, units: Sequence[_Unit], scorer: Similarity) -> list[float]:
    """Return the value of each unit: the log-odds that it answers, up to a constant."""
    texts = [unit.text or unit.surroundings for unit in units]
    blocks = [unit.surroundings for unit in units]
    passages = [unit.citation.chunk.passage for unit in units]
    every = list(dict.fromkeys(chain(texts, blocks, passages)))
    similarity = dict(zip(every, scorer.similarities(question, every), strict=True))
    wanted, names = figures_in(question), _shared_names(question, texts)
    return [
        _ALONE * (max(similarity[text], similarity[block]) if unit.position == WHOLE else similarity[text])
        + _BLOCK * similarity[block]
        + _PASSAGE * similarity[passage]
        + _RANK * (unit.citation.number - 1)
        + _INCOMPLETE * _is_incomplete(unit)
        + _LENGTH * min(len(text.split()), _FULL_LENGTH) / _FULL_LENGTH
        + _ROW * _is_row(unit)
        + (_FIGURES * len(wanted & figures_in(text)) / len(wanted) if wanted else 0.0)
        + (_NAMES * len(names.intersection(_WORD.findall(text))) / len(names) if names and _is_row(unit) else 0.0)
        for unit, text, block, passage in zip(units, texts, blocks, passages, strict=True)
    ]


def _is_incomplete(unit: _Unit) -> bool:
    """Return whether a unit is a question, or introduces what is not in its block."""
    ends = QUESTION_ENDS if unit.position == WHOLE else (*QUESTION_ENDS, ":")
    return unit.text.rstrip().endswith(ends)


def _is_row(unit: _Unit) -> bool:
    return unit.block.kind == "table"


def _shared_names(question: str, texts: Iterable[str]) -> frozenset[str]:
    """Return the words of the question, in any case, that the texts always begin with a capital, within a sentence."""
    words = set(chain.from_iterable(map(_WORD.findall, texts)))
    within = set(chain.from_iterable(map(_NAME.findall, texts)))
    asked = {word.capitalize() for word in _WORD.findall(question)}
    return frozenset(word for word in asked & within if word.lower() not in words)


def _label(chunk: Chunk) -> str:
    return f"{chunk.title} {chunk.heading}"


def _with_exact_terms(question: str, units: Sequence[_Unit]) -> list[int]:
    """Return the units about each exact term of the question, none if no unit holds any; others are ignored.

    A unit is about a term if it, its heading or another unit of its block holds the term. In a block, units that hold
    another term of the same shape are left out: the other rows of a parts list.
    """
    allowed: list[int] = []
    for term in exact_terms(question):
        left = allowed or range(len(units))
        holders = {number for number in left if holds_term(units[number].text, term)}
        blocks = {id(units[number].block) for number in holders}
        about = [
            number
            for number in left
            if number in holders
            or _is_below(units[number].citation.chunk, term)
            or (id(units[number].block) in blocks and not _is_about_another(units[number], term))
        ]
        allowed = about or allowed
    return allowed


def _below_heading(quote: Quote, question: str) -> Quote:
    """Return the quote with its heading, if only that holds an exact term of the question, such as a version."""
    heading = "".join(quote.citation.chunk.headings[-1:])
    is_missing = any(holds_term(heading, term) and not holds_term(quote.text, term) for term in exact_terms(question))
    return replace(quote, heading=heading) if is_missing else quote


def _is_below(chunk: Chunk, term: str) -> bool:
    """Return whether a heading of the chunk holds the term or begins with it, as with a section number."""
    return holds_term(chunk.heading, term) or any(heading.split()[:1] == [term] for heading in chunk.headings)


def _is_about_another(unit: _Unit, term: str) -> bool:
    return unit.position == WHOLE or _shape(term) in map(_shape, exact_terms(unit.text))


def _shape(term: str) -> str:
    """Return the kind of a term: ERR_NET_005 and ERR_DISK_017 have one shape."""
    return re.sub(r"\d+", "0", re.sub(r"[^\W\d_]+", "a", term))


def _of_period(question: str, units: Sequence[_Unit], allowed: Sequence[int], values: Sequence[float]) -> Sequence[int]:
    """Return the units whose document or heading is dated as the question asks; all of them if none is."""
    if period := asked_period(question):
        first, last = period
        return [
            number for number in allowed if any(first <= end and start <= last for start, end in _dates(units[number]))
        ] or allowed
    if not asks_for_latest(question):
        return allowed
    best = units[max(allowed, key=lambda number: values[number])]
    alike = [number for number in allowed if _undated(units[number]) == _undated(best)]
    newest = max((dates[-1] for number in alike if (dates := _dates(units[number]))), default=None)
    return [number for number in alike if newest in _dates(units[number])] or allowed


def _dates(unit: _Unit) -> list[Period]:
    return periods_in(_label(unit.citation.chunk))


def _undated(unit: _Unit) -> str:
    """Return the title without digits: "Price list 2024" and "Price list 2026" are the same list."""
    return re.sub(r"[\W\d_]+", " ", unit.citation.chunk.title).strip().casefold()


def _quotes(units: Sequence[_Unit], chosen: Collection[int], values: Sequence[float]) -> tuple[Quote, ...]:
    """Return a quote for each block that has a chosen unit, in the order of the citations, if they fit an answer."""
    by_block: dict[int, list[int]] = {}
    for number in chosen:
        by_block.setdefault(id(units[number].block), []).append(number)
    quotes = []
    for numbers in by_block.values():
        first = units[numbers[0]]
        of_block = {
            unit.position: value for unit, value in zip(units, values, strict=True) if unit.block is first.block
        }
        kept = with_context(first.block, {units[number].position for number in numbers}, of_block)
        quotes.append(Quote(first.block.quote(kept), first.citation))
    num_words = accumulate(len(quote.text.split()) for quote in quotes)
    num_fitting = bisect_right(list(num_words), _MAX_WORDS)
    return tuple(sorted(quotes[: max(1, num_fitting)], key=lambda quote: quote.citation.number))
