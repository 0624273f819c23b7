"""question -> what an answer must hold: each of its parts, the figures it names, the kind of value it asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.search.follow_up import CONTEXT

_ASKING = (
    r"what|how|who|whom|when|where|which|why|was|wie|wer|wen|wem|wann|wo|wohin|woher|warum|welche[mnrs]?"
    r"|qui|quand|où|comment|combien|pourquoi|quel(?:le)?s?"
)
"""Question words in English, German and French."""
_PART = re.compile(
    r"(?:,\s*|\s+)(?:and|or|und|oder|et|ou)\s+"
    r"(?=(?:(?:from|by|until|in|on|at|to|with|for|ab|bis|mit|für|von|à|de|pour)\s+)?"
    rf"(?:{_ASKING}|do|does|is|are|can|may|must|will|should|muss|darf|kann)\b)"
    r"|,\s*(?=(?:from|by|until|in)\s+(?:which|what|when)\b)|(?<=[?.!])\s+",
    re.IGNORECASE,
)
"""Where the next question of a sentence begins."""
_ASKS = re.compile(
    rf"\b(?:{_ASKING})\b|^(?:please )?(?:tell|give|show|list|name|explain)\b"
    r"|^(?:do|does|did|is|are|am|can|could|may|must|will|would|should|has|have)\b",
    re.IGNORECASE,
)
_ASKS_FOR_STEPS = re.compile(
    r"\bhow (?:do|does|can|could|should|to|am|is|are)\b|\bwhat (?:do|should|must|can) (?:I|we|you|one) do\b|\bsteps\b"
    r"|\bwie (?:kann|komme|mache|melde|bekomme|geht|wird|werden|muss|soll)\b|\bcomment\b",
    re.IGNORECASE,
)
_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
_NUMERALS = {
    "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
    "ten": "10", "eleven": "11", "twelve": "12",
}  # fmt: skip

_NUMBER = (
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
    r"|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundreds?|thousands?|millions?|half|both|once|twice|none|no|zero|any|all"
    r"|unlimited|eine?n?|zwei|drei|vier|fünf|sechs|keine?n?|une?|deux|trois|aucune?)\b"
)
_OF_PAY = r" ?(?:che(?:ck|que)|cycle|day|grade|period|roll|scale|slip|stub|week)s?\b"
"""What makes `pay` the name of something else: leave per pay period is no amount of money."""
_ASKED_VALUES = (
    (
        r"\bwhat(?:'s| is| are)\b[^,?]*\b(?:tele)?phone numbers?\b"
        r"|\b(?:what|which) number\b[^,?]*\b(?:call|dial|ring|phone)\b"
        r"|\bwas ist\b.*\btelefonnummer\b|\bquel est\b.*\bnuméro de téléphone\b",
        r"\+?\(?\d{2,}\)?(?:[\s./()-]{1,2}\d{2,})+|\d{5,}|\b(?:ext\.?|extension|durchwahl|poste)\s*\d+",
        r"phone|mobile|\btel|\bext\b|extension|durchwahl|\bposte\b|téléphone",
    ),
    (
        rf"\b(?:what (?:do|does|did|will|would)|how much)\b[^,?]*\b(?:cost|pay(?!{_OF_PAY}))\b"
        r"|\bhow many (?:cents|dollars|euros)\b"
        r"|\bwhat(?:'s| is) the\b[^,?]*\b(?:price|fee|salary|cost) (?:of|for)\b|\bwas kostet\b|\bcombien coûte\b",
        r"[$€£¥]\s?\d|\d\s?[$€£¥]|\d\s*(?:k\s+)?(?:USD|EUR|GBP|CHF|cents?|dollars?|euros?|pounds?|francs?)\b"
        r"|\b(?:USD|EUR|GBP|CHF)\s?\d|\bfree\b|\bno (?:\w+ )?(?:costs?|charges?|fees?)\b|\bkostenlos|\bgratuit",
        r"[$€£¥]|\b(?:USD|EUR|GBP|CHF)\b|euros?\b|dollars?\b|price|cost|\bfees?\b|\brates?\b|preis|kosten|gebühr|\bprix|tarif",
    ),
    (
        r"\b(?:what|which)\b[^,?]*\be-?mail address (?:of|for)\b"
        r"|\be-?mail(?: address)? (?:do|should|can) I (?:write|send)\b",
        r"\S@\S",
        None,
    ),
    (r"\bhow many\b|\bwie ?viele\b|\bcombien de\b", _NUMBER, None),
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
    if re.search(rf"\b(?!(?:what|how) about\b)(?:{_ASKING})\b", own, re.IGNORECASE):
        question = own
    for asks, form, column in _ASKED_VALUES:
        if re.search(asks, question, re.IGNORECASE):
            return AskedValue(re.compile(form, re.IGNORECASE), re.compile(column, re.IGNORECASE) if column else None)
    return None


def asks_for_steps(question: str) -> bool:
    """Return whether a question asks how something is done."""
    return _ASKS_FOR_STEPS.search(question) is not None


def parts_of(question: str) -> list[str]:
    """Return the questions that a question consists of; the question itself where it is one.

    "How many days do I get, and who approves them?" has two parts. What only tells the situation is no part; what
    stands in brackets at the end, as behind a follow-up, belongs to each.
    """
    context = CONTEXT.search(question)
    own = question[: context.start()] if context else question
    parts = [part.strip() for part in _PART.split(own) if part and part.strip()]
    asking = [part for part in parts if _ASKS.search(part)]
    return [f"{part}{context[0] if context else ''}" for part in asking] if len(asking) > 1 else [question]


def figures_in(text: str) -> frozenset[str]:
    """Return the numbers in a text, also those written as English words, without leading zeros."""
    written = {_NUMERALS[word] for word in re.findall(r"[a-z]+", text.lower()) if word in _NUMERALS}
    return frozenset({figure.lstrip("0") or "0" for figure in _FIGURE.findall(text)} | written)
