"""question -> what an answer must serve: each of its parts, and the figures that it names."""

from __future__ import annotations

import re

_PART = re.compile(
    r"(?:,\s*|\s+)(?:and|or)\s+"
    r"(?=(?:(?:from|by|until|in|on|at|to|with|for)\s+)?"
    r"(?:what|how|who|when|where|which|why|do|does|is|are|can|may|must|will|should)\b)"
    r"|,\s*(?=(?:from|by|until|in)\s+(?:which|what|when)\b)|(?<=[?.!])\s+",
    re.IGNORECASE,
)
"""Where the next question of a sentence begins."""
_ASKS = re.compile(
    r"\b(?:what|how|who|whom|when|where|which|why)\b"
    r"|^(?:do|does|did|is|are|am|can|could|may|must|will|would|should|has|have)\b",
    re.IGNORECASE,
)
_CONTEXT = re.compile(r"\s\([^()]*\)$")
_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
_NUMERALS = {
    "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
    "ten": "10", "eleven": "11", "twelve": "12",
}  # fmt: skip


def parts_of(question: str) -> list[str]:
    """Return the questions that a question consists of; the question itself where it is one.

    "How many days do I get, and who approves them?" has two parts. What only tells the situation is no part; what
    stands in brackets at the end, as behind a follow-up, belongs to each.
    """
    context = _CONTEXT.search(question)
    own = question[: context.start()] if context else question
    parts = [part.strip() for part in _PART.split(own) if part and part.strip()]
    asking = [part for part in parts if _ASKS.search(part)]
    return [f"{part}{context[0] if context else ''}" for part in asking] if len(asking) > 1 else [question]


def figures_in(text: str) -> frozenset[str]:
    """Return the numbers in a text, also those written as English words, without leading zeros."""
    written = {_NUMERALS[word] for word in re.findall(r"[a-z]+", text.lower()) if word in _NUMERALS}
    return frozenset({figure.lstrip("0") or "0" for figure in _FIGURE.findall(text)} | written)
