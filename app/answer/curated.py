"""what a curator says of a question -> the text that is shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from app.access.users import shown_name
from app.answer.marks import cited_numbers
from app.answer.written import checked
from app.memory.votes import Statement
from app.translation import gettext as _
from ingest import CiteloopError
from ingest.chunk import PassageRef

MAX_SOURCES = 5
MAX_CHARACTERS = 2_000


class CuratedAnswerError(CiteloopError):
    """A curator's answer cannot be saved as it is."""


def said_by(statement: Statement) -> str:
    """Return who said it and when: `Cora on 3 May 2026`."""
    return _("{name} on {day}", name=_name(statement), day=_day(statement))


def text_of(statement: Statement) -> str:
    """Return a curator's answer, or the sentence that the documents hold none."""
    if statement.text:
        return statement.text
    return _(
        "{name} said on {day} that the documents do not answer this. The nearest passages are listed below.",
        name=_name(statement),
        day=_day(statement),
    )


def checked_text(text: str, sources: Sequence[PassageRef]) -> str:
    """Return a curator's answer with each citation as [n]. Raises CuratedAnswerError if it cannot be shown as one."""
    numbers = range(1, len(sources) + 1)
    found = checked(text, numbers)
    if not sources:
        raise CuratedAnswerError("An answer needs a source; pick at least one passage.")
    if found.num_dropped:
        raise CuratedAnswerError(f"Cite only the sources of this answer, [1] to [{len(sources)}].")
    if not set(cited_numbers(found.text)):
        raise CuratedAnswerError("Cite a source after what it says, such as [1].")
    if not found.found:
        raise CuratedAnswerError("This says that there is no answer; use “Nothing here answers this” instead.")
    return found.text


def _name(statement: Statement) -> str:
    return re.sub("^visitor ", "Visitor ", shown_name(statement.user))


def _day(statement: Statement) -> str:
    return datetime.fromisoformat(statement.at).strftime(_("%-d %B %Y"))
