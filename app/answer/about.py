"""question, units -> the units about what the question names: a part number or other exact term, a day, a year."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

from app.answer.units import WHOLE, CitedUnit
from app.search.dates import Period, asked_periods, asks_for_latest, days_in, periods_in, without_dates
from app.search.follow_up import CONTEXT
from app.search.fusion import MIN_DATED, exact_terms, holds_term
from ingest.chunk import Chunk

_MAX_TERMS = 4
_OPENING = 600
"""Characters at a document's beginning that say what it is about."""


def alternatives(
    part: str, question: str, units: Sequence[CitedUnit], about: Sequence[Sequence[int]], values: Sequence[float]
) -> list[Sequence[int]]:
    """Return what to choose from, once for each exact term and for each time that the question names."""
    times = asked_periods(part) or asked_periods(question)
    return [
        allowed
        for of_term in about or [range(len(units))]
        for allowed in _of_times(times, asks_for_latest(question), units, of_term, values)
    ]


def _asked_terms(question: str) -> list[str]:
    """Return the exact terms of a question; those of an earlier one only if it has none."""
    context = CONTEXT.search(question)
    return exact_terms(question[: context.start()] if context else question) or exact_terms(question)


def about_terms(question: str, units: Sequence[CitedUnit]) -> list[list[int]]:
    """Return the units about each of the first exact terms that any of them holds."""
    about = (_about(term, units) for term in _asked_terms(question))
    return list(islice(filter(None, about), _MAX_TERMS))


def _about(term: str, units: Sequence[CitedUnit]) -> list[int]:
    """Return the units about an exact term, none if no unit holds it.

    A unit is about a term if it, its heading or another unit of its block holds the term. In a block, units that hold
    another term of the same shape are left out: the other rows of a parts list. A text that names no other one is about
    it as a whole, and if it opens a document, so is the document.
    """
    holders = {number for number, unit in enumerate(units) if holds_term(unit.text, term)}
    blocks = {id(units[number].block) for number in holders}
    texts = [units[number].chunk for number in holders if units[number].block.kind != "table"]
    alone = [chunk for chunk in texts if _terms_like(term, chunk.text) <= {term.casefold()}]
    passages, documents = (
        {chunk.id for chunk in alone},
        {chunk.document_id for chunk in alone if chunk.start < _OPENING},
    )
    return [
        number
        for number, unit in enumerate(units)
        if number in holders
        or _is_below(unit.chunk, term)
        or (id(unit.block) in blocks and not _is_about_another(unit, term))
        or unit.chunk.id in passages
        or unit.chunk.document_id in documents
    ]


def _is_below(chunk: Chunk, term: str) -> bool:
    """Return whether a heading of the chunk holds the term or begins with it, as with a section number."""
    return holds_term(chunk.heading, term) or any(heading.split()[:1] == [term] for heading in chunk.headings)


def _is_about_another(unit: CitedUnit, term: str) -> bool:
    return unit.position == WHOLE or bool(_terms_like(term, unit.text) - {term.casefold()})


def _terms_like(term: str, text: str) -> set[str]:
    """Return the exact terms of a text that have the shape of this one."""
    return {other.casefold() for other in exact_terms(text) if _shape(other) == _shape(term)}


def _shape(term: str) -> str:
    """Return the kind of a term: ERR_NET_005 and ERR_DISK_017 have one shape."""
    return re.sub(r"\d+", "0", re.sub(r"[^\W\d_]+", "a", term))


def _of_times(
    times: Sequence[Period], latest: bool, units: Sequence[CitedUnit], allowed: Sequence[int], values: Sequence[float]
) -> list[Sequence[int]]:
    """Return the units of each time that is asked about; all of them if no time decides.

    A day decides between the rows of a list of dated ones. Other times decide between the sections of the document that
    answers best, and others with its title, such as the price lists of two years.
    """
    of_days = [[number for number in allowed if _is_row_of(units[number], time)] for time in times]
    best = units[max(allowed, key=lambda number: values[number])]
    alike = [number for number in allowed if _are_alike(units[number], best)]
    of_times = [
        [number for number in alike if any(first <= end and start <= last for start, end in _dates(units[number]))]
        for first, last in times
    ]
    if found := list(filter(None, of_days)) or list(filter(None, of_times)):
        return [*found]
    newest = max((dates[-1] for number in alike if (dates := _dates(units[number]))), default=None)
    of_newest = [number for number in alike if newest in _dates(units[number])] if latest else []
    return [of_newest or allowed]


def _is_row_of(unit: CitedUnit, time: Period) -> bool:
    """Return whether a unit of a list of dated ones has this day."""
    first, last = time
    return first == last and first in days_in(unit.text) and len(days_in(unit.surroundings)) >= MIN_DATED


def _are_alike(one: CitedUnit, other: CitedUnit) -> bool:
    """Return whether two units are of one document, or of documents whose titles differ in their dates only."""
    return one.chunk.document_id == other.chunk.document_id or _undated(one) == _undated(other)


def _dates(unit: CitedUnit) -> list[Period]:
    return periods_in(unit.label)


def _undated(unit: CitedUnit) -> str:
    """Return the title without dates and digits: "Price list 2024" and "Price list 2026" are the same list."""
    return re.sub(r"[\W\d_]+", " ", without_dates(unit.chunk.title)).strip().casefold()


def is_named(question: str, unit: CitedUnit) -> bool:
    """Return whether the question is the unit's heading, or names it by an exact term."""
    chunk = unit.chunk
    named = any(holds_term(unit.text, term) or _is_below(chunk, term) for term in _asked_terms(question))
    return named or question.casefold() == chunk.heading.casefold()
