"""question -> what an answer must hold: each of its parts, the figures it names, the kind of value it asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.search.dates import ASCII_DIGITS
from app.search.follow_up import CONTEXT
from app.search.words import questions as words

_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
_NUMERALS = {
    "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
    "ten": "10", "eleven": "11", "twelve": "12",
}  # fmt: skip

_ASKED_VALUES = (
    (words.ASKS_FOR_PHONE, words.PHONE, words.PHONE_COLUMN),
    (words.ASKS_FOR_PRICE, words.PRICE, words.PRICE_COLUMN),
    (words.ASKS_FOR_MAIL, r"\S@\S", None),
    (words.HOW_MANY, words.NUMBER, None),
)
"""What a question asks for, how such a value looks, and words above a table whose bare figures are such values."""


@dataclass(frozen=True, slots=True)
class AskedValue:
    """The kind of value that a question asks for, such as a price.

    form: how it looks. column: names a column or table whose bare figures are such values, None for no kind of table.
    """

    form: re.Pattern[str]
    column: re.Pattern[str] | None


def asked_value(question: str) -> AskedValue | None:
    """Return the kind of value that a question asks for; None if any text may answer.

    A follow-up with a question word, such as "how long does it last?", asks for what it says; "and in Bremen?" asks for
    what the question before it did, which stands in brackets.
    """
    own = CONTEXT.sub("", question)
    if re.search(rf"\b(?!(?:what|how) about\b){words.ASKING}\b", own, re.IGNORECASE):
        question = own
    for asks, form, column in _ASKED_VALUES:
        if re.search(asks, question, re.IGNORECASE):
            return AskedValue(re.compile(form, re.IGNORECASE), re.compile(column, re.IGNORECASE) if column else None)
    return None


def asks_for_steps(question: str) -> bool:
    """Return whether a question asks how something is done."""
    return words.ASKS_FOR_STEPS.search(question) is not None


def parts_of(question: str) -> list[str]:
    """Return the questions that a question consists of; the question itself where it is one.

    "How many days do I get, and who approves them?" has two parts. What only tells the situation is no part; what
    stands in brackets at the end, as behind a follow-up, belongs to each.
    """
    context = CONTEXT.search(question)
    own = question[: context.start()] if context else question
    parts = [part.strip() for part in words.PART.split(own) if part and part.strip()]
    asking = [part for part in parts if words.ASKS.search(part)]
    return [f"{part}{context[0] if context else ''}" for part in asking] if len(asking) > 1 else [question]


def figures_in(text: str) -> frozenset[str]:
    """Return the numbers in a text, also those written as English words, without leading zeros."""
    written = {_NUMERALS[word] for word in re.findall(r"[a-z]+", text.lower()) if word in _NUMERALS}
    figures = (figure.lstrip("0") or "0" for figure in _FIGURE.findall(text.translate(ASCII_DIGITS)))
    return frozenset({*figures, *written})
