"""Numbers, times and names -> words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from app.access.users import shown_name
from app.translation import N_, ngettext, number
from app.translation import gettext as _

_NUM_LISTED = 5
_UNITS = (
    (86_400, N_("{n} days"), N_("{n} days ago")),
    (3_600, N_("{n} h"), N_("{n} h ago")),
    (60, N_("{n} min"), N_("{n} min ago")),
    (1, N_("{n} s"), N_("{n} s ago")),
)
"""Seconds of a unit, and the texts for a duration and a time ago."""
_STORED = (
    *(N_("not relevant"), N_("outdated"), N_("duplicate"), N_("wrong page"), N_("other"), N_("no reason given")),
    *(N_("undone"), N_("users contradict each other"), N_("decided by a curator")),
    *(N_("kept by people"), N_("struck out by people")),
)
"""Reasons and origins as they are stored; here for the catalogs."""
_STRUCK_OUT_AS = "struck out as "
OUTCOME_ICONS = {
    "done": ":green[:material/check_circle:]",
    "failed": ":red[:material/error:]",
    "cancelled": ":gray[:material/cancel:]",
}
"""Of ended jobs, by state."""
_HEADER_ALONE = re.compile(r"\s*^\|.*\|\n\|[\s|:-]+\|\Z", re.MULTILINE)
_CELL_BORDER = re.compile(r"\s*(?<!\\)\|\s*")


def people(number: int) -> str:
    """Return a number of people."""
    return ngettext("{n} person", "{n} people", number)


def listed(names: Sequence[str]) -> str:
    """Return the first names and the number of others, in English, for the audit log."""
    more = f" and {len(names) - _NUM_LISTED:,} more" if len(names) > _NUM_LISTED else ""
    return ", ".join(names[:_NUM_LISTED]) + more


def times(number: int) -> str:
    """Return `once`, `twice` or `N times`."""
    return {1: _("once"), 2: _("twice")}.get(number) or _("{n} times", n=number)


def beginning_of(text: str, num_characters: int) -> str:
    """Return the beginning of a long text, cut at a line end if possible, so tables keep whole rows."""
    if len(text) <= num_characters:
        return text
    beginning = text[:num_characters]
    cut = beginning.rfind("\n")
    beginning = _whole_words(beginning) if cut < num_characters // 3 else beginning[:cut]
    beginning = _HEADER_ALONE.sub("", beginning.rstrip())
    return f"{beginning}\n\n…" if beginning.endswith("|") else f"{beginning} …"


def preview(text: str, num_characters: int) -> str:
    """Return the beginning of a text in one line, of a table the cells."""
    line = " ".join(without_table_marks(text).split())
    return line if len(line) <= num_characters else f"{_whole_words(line[:num_characters]).rstrip()} …"


def sentence(words: str) -> str:
    """Return the words with a capital at the beginning."""
    return words[:1].upper() + words[1:]


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
    return ngettext("{n} passage that answers", "{n} passages that answer", number)


def milliseconds(value: float) -> str:
    """Return milliseconds, as seconds from one second on."""
    return _("{n} ms", n=round(value)) if value < 999.5 else _("{n} s", n=number(value / 1000, ".1f"))


def duration(seconds: float) -> str:
    """Return a duration in its largest sensible unit."""
    n, lasting, _ago = _in_largest_unit(seconds)
    return _(lasting, n=n)


def age(at: str | None) -> timedelta:
    """Return the time since `at` (ISO 8601 in UTC, None for now)."""
    return datetime.now(UTC) - datetime.fromisoformat(at) if at else timedelta(0)


def ago(at: str | None) -> str:
    """Return the time since `at` in words."""
    n, _lasting, ago = _in_largest_unit(seconds := age(at).total_seconds())
    return _("just now") if seconds < 10 else _(ago, n=n)


def _in_largest_unit(seconds: float) -> tuple[int, str, str]:
    """Return a number, and the texts for a duration and a time ago."""
    size, lasting, ago = next(unit for unit in _UNITS if seconds >= 2 * unit[0] or unit[0] == 1)
    return round(seconds / size), lasting, ago


def moment(at: str) -> str:
    """Return date and time to the minute where the browser is; at: ISO 8601 in UTC."""
    return _there(at).strftime(_("%-d %b %Y, %H:%M %Z"))


def day(at: str) -> str:
    """Return the date where the browser is; at: ISO 8601 in UTC."""
    return date_words(_there(at))


def _there(at: str) -> datetime:
    try:
        zone = ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):  # as the browser names it
        zone = ZoneInfo("UTC")
    return datetime.fromisoformat(at).astimezone(zone)


def date_words(date: datetime) -> str:
    """Return the date."""
    return date.strftime(_("%-d %b %Y"))


def person(user: str, me: str) -> str:
    """Return `you`, a name, or the beginning of a browser id."""
    return _("you") if user == me else shown_name(user)


def by_person(user: str, me: str) -> str:
    """Return `by you` or `by` and the name; some languages inflect it."""
    return _("by you") if user == me else _("by {name}", name=shown_name(user))


def reason_words(reason: str) -> str:
    """Return a reason for striking out; '' and unknown ones stay."""
    return _(reason)


def counted_reasons(reasons: Mapping[str, int]) -> str:
    """Return reasons in words, the most frequent first, with how often if more than once."""
    most_first = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{times(n)} " * (n > 1) + reason_words(reason) for reason, n in most_first)


def origin_words(origin: str) -> str:
    """Return where a label comes from, as `app.feedback.rules` words it."""
    if origin.startswith(_STRUCK_OUT_AS):
        reasons = origin.removeprefix(_STRUCK_OUT_AS).split(", ")
        return _("struck out as {reason}", reason=", ".join(map(reason_words, reasons)))
    return _(origin)


def on_page(number: int | None) -> str:
    """Return `, page N`, '' without a number."""
    return _(", page {number}", number=number) if number else ""
