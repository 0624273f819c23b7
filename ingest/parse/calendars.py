"""ICS (iCalendar, RFC 5545), such as an invitation -> each event with time, place, people and description."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import NamedTuple

from ingest.parse.document import Parsed, ParseError
from ingest.parse.encoding import read_text
from ingest.parse.html.markup import from_html

_FIELD = re.compile(r'(?m)^([\w-]+)((?:;[^:"\n]*(?:"[^"\n]*"[^:"\n]*)*)*):(.*)$')
_DAY = re.compile(r"\d{8}")
_UNITS = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}
_ORDINALS = {"1": "first", "2": "second", "3": "third", "4": "fourth", "5": "fifth", "-1": "last"}
_DAYS = {
    "MO": "Monday",
    "TU": "Tuesday",
    "WE": "Wednesday",
    "TH": "Thursday",
    "FR": "Friday",
    "SA": "Saturday",
    "SU": "Sunday",
}
_SHOWN = {
    "DTSTART": "Start",
    "DTEND": "End",
    "DUE": "Due",
    "DURATION": "Duration",
    "RRULE": "Repeats",
    "EXDATE": "Except",
    "LOCATION": "Place",
    "ORGANIZER": "Organizer",
    "ATTENDEE": "Attendee",
    "STATUS": "Status",
    "DESCRIPTION": "",
    "COMMENT": "",
    "URL": "Link",
}


class Field(NamedTuple):
    """A line of an entry: its name, its parameters as written, and its value."""

    name: str
    parameters: str
    value: str


def parse_calendar(data: bytes) -> Parsed:
    """Parse the events and tasks of a calendar. Raises ParseError if it is none."""
    text = re.sub(r"\n[ \t]", "", read_text(data))  # long lines are folded
    if not text.lstrip().upper().startswith("BEGIN:VCALENDAR"):
        raise ParseError("this is not a calendar: it does not begin with BEGIN:VCALENDAR")
    text = re.sub(r"(?ms)^BEGIN:VALARM.*?^END:VALARM", "", text)  # repeats the event's text
    entries = re.findall(r"(?ms)^BEGIN:(?:VEVENT|VTODO|VJOURNAL)\s*?\n(.*?)^END:(?:VEVENT|VTODO|VJOURNAL)", text)
    return from_html("".join("".join(_entry(entry)) for entry in entries))


def _entry(text: str) -> Iterator[str]:
    """Yield an entry as HTML: its title, its data as a list, and its texts."""
    fields = [Field(match[1].upper(), match[2], match[3]) for match in _FIELD.finditer(text)]
    yield from (f"<h1>{escape(_unescaped(field.value))}</h1>" for field in fields if field.name == "SUMMARY")
    starts = [field.value for field in fields if field.name == "DTSTART"]
    data: list[str] = []
    texts: list[str] = []
    for field in fields:
        if field.name in _SHOWN and (words := _words(field, starts)):
            label = _SHOWN[field.name]
            (data if label else texts).append(f"{label}: {words}" if label else words)
    yield f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in data)}</ul>"
    yield from (f"<p>{escape(words)}</p>" for words in texts)


def _words(field: Field, starts: Sequence[str]) -> str:
    """Return a field as people read it, '' for the end of a single day. starts: of the entry, at most one."""
    name, parameters, value = field
    if name in ("DTSTART", "DTEND", "DUE", "EXDATE"):
        zone = re.search(r'(?i)TZID="?([^;":]+)', parameters)
        times = [time.strip() for time in value.split(",")]
        if name == "DTEND" and _DAY.fullmatch(times[0]):  # the first day after it
            times = [_day_before(times[0])]
            if times == list(starts):
                return ""
        return "; ".join(_time(time, zone[1] if zone else "") for time in times)
    if name == "RRULE":
        return _rule(dict(part.split("=", 1) for part in value.upper().split(";") if "=" in part))
    if name == "DURATION":
        units = {"W": "weeks", "D": "days", "H": "h", "M": "min", "S": "s"}
        return " ".join(f"{number} {units[unit]}" for number, unit in re.findall(r"(\d+)([WDHMS])", value))
    if name in ("ORGANIZER", "ATTENDEE"):
        known = re.search(r'(?i)CN=(?:"([^"]*)"|([^;:]*))', parameters)
        address = re.sub("(?i)^mailto:", "", value.strip())
        person = f"{known[1] or known[2]} <{address}>" if known else address
        return f"{person} (declined)" if "PARTSTAT=DECLINED" in parameters.upper() else person
    return _unescaped(value)


def _rule(rule: Mapping[str, str]) -> str:
    """Return a rule such as FREQ=WEEKLY;BYDAY=MO,WE;COUNT=6 in words; '' for one of an unknown kind."""
    unit, step = _UNITS.get(rule.get("FREQ", ""), ""), rule.get("INTERVAL", "1")
    if not unit:
        return ""
    days = [
        f"the {_ORDINALS.get(match[1], match[1])} {_DAYS[match[2]]}" if match[1] else _DAYS[match[2]]
        for match in re.finditer(r"([+-]?\d*)(MO|TU|WE|TH|FR|SA|SU)", rule.get("BYDAY", ""))
    ]
    parts = [
        (f"every {unit}" if step == "1" else f"every {step} {unit}s") + (f" on {' and '.join(days)}" if days else ""),
        f"on day {rule['BYMONTHDAY']}" if "BYMONTHDAY" in rule else "",
        f"{rule['COUNT']} times" if "COUNT" in rule else "",
        f"until {_time(rule['UNTIL'], '')}" if "UNTIL" in rule else "",
    ]
    return ", ".join(filter(None, parts))


def _day_before(day: str) -> str:
    try:
        return (datetime.strptime(day, "%Y%m%d") - timedelta(days=1)).strftime("%Y%m%d")
    except (OverflowError, ValueError):  # no day of the calendar, or its first
        return day


def _time(value: str, zone: str) -> str:
    """Return 12 May 2025, 09:00 UTC for 20250512T090000Z."""
    match = re.fullmatch(r"(\d{8})(?:T(\d{4})\d{2}(Z?))?", value)
    if match is None:
        return value
    try:
        day = datetime.strptime(match[1], "%Y%m%d").date()
    except ValueError:
        return value
    time = f", {match[2][:2]}:{match[2][2:]}" if match[2] else ""
    return f"{day.day} {day:%B %Y}{time} {'UTC' if match[3] else zone if time else ''}".rstrip()


def _unescaped(value: str) -> str:
    return re.sub(r"\\(.)", lambda match: " " if match[1] in "nN" else match[1], value).strip()
