"""Messages made in English by the other layers, values included -> the language of the reader."""

from __future__ import annotations

import re
from functools import cache

from app.search.languages import FOREIGN_QUESTION
from app.translation import gettext as _
from app.translation import number
from app.ui import answer_messages, ingest_messages

_DIGITS = r"\d+(?:,\d{3})*"
_NOTE_ENDS = re.compile(r"(?<=citeloop doctor\.) |(?<=order of search\.) ")
_MOST_CHARACTERS = 2000
"""Longer ones quote something; they stay as they are."""


def note_in_readers_language(note: str) -> str:
    """Return an answer's note, which joins those of search, reranker and language model with spaces."""
    parts = _NOTE_ENDS.split(note.replace(FOREIGN_QUESTION, _(FOREIGN_QUESTION)))
    return " ".join(map(in_readers_language, parts))


def in_readers_language(message: str) -> str:
    """Return a message, or several joined with semicolons, with its values; unknown ones stay."""
    if _("Documents") == "Documents" or not message or len(message) > _MOST_CHARACTERS:
        return message
    if known := _known(message):
        return known
    if message.endswith(".") and (known := _known(message[:-1])):
        return f"{known}."
    for end in (found.start() for found in reversed(list(re.finditer("; ", message)))):
        if first := _known(message[:end]):
            return f"{first}; {in_readers_language(message[end + 2 :])}"
    first, separator, rest = message.partition("; ")
    return f"{first}; {in_readers_language(rest)}" if separator else message


def _known(message: str) -> str:
    """Return the translation of one message, '' if it is unknown."""
    for text, pattern in _patterns():
        if found := pattern.fullmatch(message):
            return _(text, **{name: _value(value) for name, value in found.groupdict().items()})
    return ""


def _value(value: str) -> str:
    return number(int(value.replace(",", ""))) if re.fullmatch(_DIGITS, value) else in_readers_language(value)


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Return each message with its pattern, those with the most fixed words first."""
    texts = [text for each in (ingest_messages, answer_messages) for text in (*each.MESSAGES, *each.PARTS)]
    fixed = {text: re.sub(r"\{\w+\}", "", text) for text in texts}
    return [(text, _pattern(text)) for text in sorted(fixed, key=lambda text: -len(fixed[text]))]


def _pattern(text: str) -> re.Pattern[str]:
    """Return the pattern of a text, with a group for each {name}; {n} is a number."""
    parts = re.split(r"\{(\w+)\}", text)
    groups = [f"(?P<n>{_DIGITS})" if name == "n" else f"(?P<{name}>.+?)" for name in parts[1::2]]
    return re.compile("".join(re.escape(part) + group for part, group in zip(parts[::2], [*groups, ""], strict=True)))
