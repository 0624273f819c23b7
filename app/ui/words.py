"""Numbers, times and names -> words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from app.access.users import shown_name

_NUM_LISTED = 5
_CELL_BORDER = re.compile(r"\s*(?<!\\)\|\s*")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural with s."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def people(number: int) -> str:
    """Return a number of people."""
    return "1 person" if number == 1 else f"{number:,} people"


def listed(names: Sequence[str]) -> str:
    """Return the first names and the number of others."""
    more = f" and {len(names) - _NUM_LISTED:,} more" if len(names) > _NUM_LISTED else ""
    return ", ".join(names[:_NUM_LISTED]) + more


def times(number: int) -> str:
    """Return `once`, `twice` or `N times`."""
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")


def beginning_of(text: str, num_characters: int) -> str:
    """Return the beginning of a long text, cut at a line end if possible, so tables keep whole rows."""
    if len(text) <= num_characters:
        return text
    beginning = text[:num_characters]
    cut = beginning.rfind("\n")
    beginning = _whole_words(beginning) if cut < num_characters // 3 else beginning[:cut]
    return f"{beginning.rstrip()}\n\n…"


def preview(text: str, num_characters: int) -> str:
    """Return the beginning of a text in one line."""
    line = " ".join(text.split())
    return line if len(line) <= num_characters else f"{_whole_words(line[:num_characters]).rstrip()} …"


def _whole_words(beginning: str) -> str:
    """Drop a cut-off last word if it is short: some scripts and addresses have no spaces."""
    cut = beginning.rfind(" ")
    return beginning if cut < len(beginning) * 2 // 3 else beginning[:cut]


def without_table_marks(text: str) -> str:
    """Return a passage as plain text: the cells of a table row separated by dots, no line below the header."""
    lines = (line.strip() for line in text.splitlines() if not re.fullmatch(r"\s*\|[\s|:-]+\|\s*", line))
    return "\n".join(
        " · ".join(_CELL_BORDER.split(line.strip("|").strip())) if line[:1] == "|" else line for line in lines
    )


def passages_that_answer(number: int) -> str:
    """Return `N passages that answer`."""
    return "1 passage that answers" if number == 1 else f"{number:,} passages that answer"


def duration(seconds: float) -> str:
    """Return a duration in its largest sensible unit."""
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def age(at: str | None) -> timedelta:
    """Return the time since `at` (ISO 8601 in UTC, None for now)."""
    return datetime.now(UTC) - datetime.fromisoformat(at) if at else timedelta(0)


def ago(at: str | None) -> str:
    """Return the time since `at` in words."""
    seconds = age(at).total_seconds()
    return "just now" if seconds < 10 else f"{duration(seconds)} ago"


def moment(at: str) -> str:
    """Return date and time to the minute; at: ISO 8601 in UTC."""
    return f"{datetime.fromisoformat(at):%-d %b %Y, %H:%M} UTC"


def day(at: str) -> str:
    """Return the date; at: ISO 8601 in UTC."""
    return f"{datetime.fromisoformat(at):%-d %b %Y}"


def person(user: str, me: str) -> str:
    """Return `you`, a name, or the beginning of a browser id."""
    return "you" if user == me else shown_name(user)
