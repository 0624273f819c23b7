"""question, units -> AskedRows: which rows by ranges hold the quantity that the question names, and which do not.

"I have worked here for 3 years" is about the row "2 to 4 years" and about none of the rows beside it. Where anything is
doubtful, such as two quantities in the question, no row is left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from app.answer.blocks import cells_of
from app.answer.units import WHOLE, CitedUnit
from app.search.follow_up import CONTEXT
from app.search.words import quantities as words

_KNOWN_UNIT = rf"(?:{'|'.join(words.UNITS)})(?!\w)"
_NUMERALS = "|".join(sorted(words.NUMERALS.keys() - {"a", "an"}))
_NUMBER = (
    r"(?:(?:[1-9]\d{0,2}(?:[.,' ]\d{3})+|\d+)(?:[.,]\d{1,2})?(?![.,:/]?\d)"
    rf"|(?<!\w)(?:{words.ARTICLE}(?=\s{_KNOWN_UNIT})|{_NUMERALS})\b)(?!\s?{words.THOUSANDS}\b)"
)
_KINDS = {
    "at_most": words.AT_MOST,
    "at_least": words.AT_LEAST,
    "after": words.AFTER,
    "below": words.BELOW,
    "above": words.ABOVE,
}
_KIND = "|".join(_KINDS.values())
_UNITS = [(re.compile(pattern, re.IGNORECASE), unit) for pattern, unit in words.UNITS.items()]
_OTHER_UNIT = rf"(?!(?:{_KIND}|{words.TO}|{words.OR_MORE}|{words.OR_LESS}|{words.ALSO})(?!\w))[^\W\d_]{{4,}}"
_UNIT = rf"(?:{_KNOWN_UNIT}|{_OTHER_UNIT})"
_LIMIT = (
    rf"(?:(?<!\w)(?P<kind#>{_KIND})\s*)?(?:(?P<currency#>{words.CURRENCY})\s?)?(?P<number#>{_NUMBER})\s*"
    rf"(?P<more#>{words.OR_MORE})?(?P<less#>{words.OR_LESS})?(?:[\s-]?(?P<unit#>{_UNIT})|(?![^\W\d_]))"
    rf"(?:\s(?P<more_behind#>{words.OR_MORE})|\s(?P<less_behind#>{words.OR_LESS}))?"
)
_RANGE = re.compile(
    rf"(?:(?<!\w)(?:(?P<aged>{words.AGED})|(?P<group>{words.GROUP}))\s*)?(?<![\w/.,:–−-])"  # noqa: RUF001
    rf"{_LIMIT.replace('#', '1')}"
    rf"(?:\s*(?:{words.TO}|,?\s*{words.ALSO}\s+(?={_KIND}))\s*{_LIMIT.replace('#', '2')})?",
    re.IGNORECASE,
)
_AGE, _YEAR, _PERSON = ("age", 1), ("month", 12), ("person", 1)
_CALENDAR = re.compile(r"(?:19|20)\d\d")
"""A bare number that may be a year of the calendar."""

_Unit = tuple[str, float]
_Bound = tuple[float, int]


@dataclass(frozen=True, slots=True)
class _Range:
    """Quantities of one kind. low, high: bound in the smallest unit, with 1 or -1 if it does not belong to the range.

    start, end: where it stands in its text.
    """

    unit: str
    low: _Bound
    high: _Bound
    start: int
    end: int

    @property
    def is_point(self) -> bool:
        return self.low == self.high

    def meets(self, other: _Range) -> bool:
        """Return whether a quantity is in both."""
        return self.unit == other.unit and max(self.low, other.low) <= min(self.high, other.high)

    def holds(self, other: _Range) -> bool:
        """Return whether all quantities of the other are in this one, and more."""
        return self.low <= other.low and other.high <= self.high and (self.low, self.high) != (other.low, other.high)


@dataclass(frozen=True, slots=True)
class AskedRows:
    """Rows of each table or list by ranges, as numbers of units.

    held: those that hold the quantity of the question. left_out: those that do not.
    """

    held: tuple[frozenset[int], ...] = ()
    left_out: tuple[frozenset[int], ...] = ()

    @property
    def not_asked(self) -> frozenset[int]:
        """Return all rows that do not hold the quantity."""
        return frozenset(chain.from_iterable(self.left_out))

    def raised(self, values: Sequence[float], preference: float = 0.0) -> list[float]:
        """Return the values; the best row that holds the quantity gets at least that of the best one left out.

        preference: added to all that hold it.
        """
        result = list(values)
        for held, left_out in zip(self.held, self.left_out, strict=True):
            lack = max(values[number] for number in left_out) - max(values[number] for number in held)
            for number in held:
                result[number] += max(lack, 0.0) + preference
        return result


def asked_rows(question: str, units: Sequence[CitedUnit]) -> AskedRows:
    """Return the rows and items by ranges of the one quantity of its kind in the question."""
    question = words.BETWEEN.sub(r"\1 - ", question)
    own = CONTEXT.sub("", question)
    groups: dict[object, list[int]] = {}
    if not (asked := _quantities(own) or _quantities(question)):
        return AskedRows()
    for number, unit in enumerate(units):
        if unit.position != WHOLE and unit.block.kind != "paragraph":
            chunk, intro = unit.chunk, unit.block.intro  # alike where a long table was cut
            groups.setdefault((chunk.document_id, chunk.headings, intro or id(unit.block)), []).append(number)
    found = [rows for numbers in groups.values() if (rows := _rows(asked, own, units, numbers))]
    return AskedRows(tuple(held for held, _ in found), tuple(left_out for _, left_out in found))


def _quantities(question: str) -> list[_Range]:
    """Return the quantities that are the only one of their kind in the question."""
    if words.BEFORE_EVENT.search(question):
        return []
    found = [each for each in _ranges(question, None, is_question=True) if not _is_no_quantity(question, each)]
    return [each for each in found if sum(other.unit == each.unit for other in found) == 1]


def _is_no_quantity(question: str, found: _Range) -> bool:
    return bool(words.NO_QUANTITY.search(question[: found.start]) or words.RATE.match(question, found.end))


def _rows(
    asked: Sequence[_Range], question: str, units: Sequence[CitedUnit], numbers: Sequence[int]
) -> tuple[frozenset[int], frozenset[int]] | None:
    """Return which rows of a table or list hold the quantity, and which do not; None if it decides nothing."""
    first = units[numbers[0]].block
    header, *others = cells_of(first.intro.split("\n")[0]) if first.kind == "table" else [first.intro]
    parts = {number: _label_and_rest(units[number]) for number in numbers}
    is_flat = all(units[number].block.units[units[number].position].depth == 0 for number in numbers)
    if not is_flat or any(words.BEFORE_EVENT.search(label) for label, _ in parts.values()):
        return None
    unit = _header_unit(header, first.kind == "table")
    for quantity in asked:
        ranges = {}
        for number, (label, _) in parts.items():
            of_row = [each for each in _ranges(label, unit) if each.unit == quantity.unit]
            if len(of_row) == 1:
                ranges[number] = of_row[0]
        proper = {(each.low, each.high) for each in ranges.values() if not each.is_point}
        rest = [each for _, text in parts.values() for each in _ranges(text, None) if each.unit == quantity.unit]
        is_value = any(map(quantity.meets, rest)) or (rest and _is_of(question, quantity, header, others))
        if len(proper) < 2 or is_value:
            continue
        held = {number for number, each in ranges.items() if each.meets(quantity)}
        if quantity.is_point and first.kind == "table":  # of "from 2 years" and "from 5 years" the narrower
            held = {a for a in held if not any(ranges[a].holds(ranges[b]) for b in held)}
        if held and (left_out := ranges.keys() - held):
            return frozenset(held), frozenset(left_out)
    return None


def _label_and_rest(unit: CitedUnit) -> tuple[str, str]:
    """Return what tells a row or item from the others, and what it says."""
    text = unit.block.units[unit.position].text
    if unit.is_row:
        first, *others = cells_of(text)
        return first, "; ".join(others)
    label, _, rest = re.sub(r"[*_`]", "", unit.text).partition(":")
    if not rest:
        label, _, rest = label.partition(", ")
    return label, rest


def _is_of(question: str, quantity: _Range, header: str, others: Sequence[str]) -> bool:
    """Return whether the question's quantity is one of another column, as in "3 months of notice"."""
    beside = re.findall(r"\w{4,}", question[quantity.end :].casefold())[:1]
    beside += re.findall(rf"(\w+) {words.OF}\s*$", question[: quantity.start].casefold())
    named = re.findall(r"\w{4,}", " ".join(others).casefold())
    return any(word in named and word not in header.casefold() for word in beside)


def _header_unit(header: str, is_column: bool) -> _Unit | None:
    """Return the unit that a column's name or a list's lead-in tells, if it is one."""
    if words.AGE.search(header):
        return _AGE
    found = re.findall(r"\w+|[€$£%]", header)
    units = {unit for word in found if (unit := _known_unit(word))}
    if not units and is_column and len(found) == 1:
        return _unit(found[0])
    return units.pop() if len(units) == 1 else None


def _known_unit(word: str) -> _Unit | None:
    return next((unit for pattern, unit in _UNITS if pattern.fullmatch(word)), None)


def _unit(word: str) -> _Unit:
    return _known_unit(word) or (re.sub(r"(?:e?[sn]|e)$", "", word.casefold()), 1)


def _ranges(text: str, unit: _Unit | None, *, is_question: bool = False) -> Iterator[_Range]:
    """Yield the ranges and quantities in a text. unit: of those that name none."""
    for match in _RANGE.finditer(words.BETWEEN.sub(r"\1 - ", text)):
        ends = ("1", "2") if match["number2"] else ("1",)
        units = [_named_unit(match, end) for end in ends]
        known = [each or units[-1] or units[0] or unit for each in units]
        if unit == _AGE:
            known = [_AGE if each == _YEAR else each for each in known]
        numbers = [_number(match[f"number{end}"]) for end in ends]
        is_bare = not any(units) and any(_CALENDAR.fullmatch(match[f"number{end}"]) for end in ends)
        sizes = [(number * each[1], each[0]) for number, each in zip(numbers, known, strict=True) if each]
        if is_bare or len({kind for _, kind in sizes}) != 1 or len(sizes) < len(ends):
            continue
        limits = [_limits(match, end, size, is_question) for end, (size, _) in zip(ends, sizes, strict=True)]
        low, high = limits[0][0], limits[-1][1]
        if low <= high and (len(ends) == 1 or (limits[0][1] != high and math.inf > high[0] > low[0] > -math.inf)):
            yield _Range(sizes[0][1], low, high, match.start(), match.end())


def _named_unit(match: re.Match[str], end: str) -> _Unit | None:
    word = match[f"currency{end}"] or match[f"unit{end}"]
    unit = _unit(word) if word else None
    if end == "1" and (
        not word or not _known_unit(word) or (unit == _YEAR and not re.match(words.OWN, match["aged"] or "", re.I))
    ):
        return _AGE if match["aged"] else _PERSON if match["group"] and unit != _YEAR else unit
    return unit


def _number(text: str) -> float:
    if (word := text.casefold()) in words.NUMERALS:
        return words.NUMERALS[word]
    return float(re.sub(r"[.,' ](?=\d{3}(?!\d))", "", text).replace(",", "."))


def _limits(match: re.Match[str], end: str, size: float, is_question: bool) -> tuple[_Bound, _Bound]:
    """Return the lower and the upper bound that one number sets, such as "more than 5" or "5 or less"."""
    kind = match[f"kind{end}"] or ""
    names = [name for name, pattern in _KINDS.items() if re.fullmatch(pattern, kind, re.IGNORECASE)]
    name = names[0] if names else ""
    if name in ("at_most", "below") or match[f"less{end}"] or match[f"less_behind{end}"]:
        return (-math.inf, 0), (size, -1 if name == "below" else 0)
    is_open_ended = name in ("above", "at_least") or (name == "after" and not is_question)
    if is_open_ended or match[f"more{end}"] or match[f"more_behind{end}"]:
        may_be_exact = is_question and re.fullmatch(words.MAY_BE_EXACT, kind, re.IGNORECASE)
        return (size, 1 if name == "above" and not may_be_exact else 0), (math.inf, 0)
    return (size, 0), (size, 0)
