"""ICS (iCalendar, RFC 5545), such as an invitation -> each event with time, place, people and description."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from html import escape

from ingest.parse.document import Parsed, ParseError
from ingest.parse.encoding import read_text
from ingest.parse.html.markup import from_html

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


def parse_calendar(data: bytes) -> Parsed:
    """Parse the events and tasks of a calendar. Raises ParseError if it is none."""
    text = re.sub(r"\n[ \t]", "", read_text(data))  # long lines are folded
    if not text.lstrip().upper().startswith("BEGIN:VCALENDAR"):
        raise ParseError("this is not a calendar: it does not begin with BEGIN:VCALENDAR")
    text = re.sub(r"(?ms)^BEGIN:VALARM.*?^END:VALARM", "", text)  # repeats the event's text
    entries = re.findall(r"(?ms)^BEGIN:(?:VEVENT|VTODO|VJOURNAL)\s*?\n(.*?)^END:(?:VEVENT|VTODO|VJOURNAL)", text)
    return from_html("".join("".join(_entry(entry)) for entry in entries))


def _entry(text: str) -> Iterator[str]:
    lines = [
        match.groups() for match in re.finditer(r'(?m)^([\w-]+)((?:;[^:"\n]*(?:"[^"\n]*"[^:"\n]*)*)*):(.*)$', text)
    ]
    for name, _, value in lines:
        if name.upper() == "SUMMARY":
            yield f"<h1>{escape(_unescaped(value))}</h1>"
    for name, parameters, value in lines:
        if name.upper() in _SHOWN:
            label = _SHOWN[name.upper()]
            words = _value(name.upper(), parameters, value)
            yield f"<p>{f'{label}: ' * bool(label)}{escape(words)}</p>" if words else ""


def _value(name: str, parameters: str, value: str) -> str:
    if name in ("DTSTART", "DTEND", "DUE", "EXDATE"):
        zone = re.search(r'(?i)TZID="?([^;":]+)', parameters)
        return "; ".join(_time(time.strip(), zone[1] if zone else "") for time in value.split(","))
    if name == "DURATION":
        units = {"W": "weeks", "D": "days", "H": "h", "M": "min", "S": "s"}
        return " ".join(f"{number} {units[unit]}" for number, unit in re.findall(r"(\d+)([WDHMS])", value))
    if name in ("ORGANIZER", "ATTENDEE"):
        known = re.search(r'(?i)CN=(?:"([^"]*)"|([^;:]*))', parameters)
        address = re.sub("(?i)^mailto:", "", value.strip())
        return f"{known[1] or known[2]} <{address}>" if known else address
    return _unescaped(value)


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
