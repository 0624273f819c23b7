"""English text -> the same text in the reader's language.

The English texts are the keys of gettext catalogs in `locale/`; a text without an entry stays English. Outside the
pages (commands, API, files) every text stays English.
"""

from __future__ import annotations

import gettext as catalogs
import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import polib

Language = Literal["en", "de"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

FOLDER = Path(__file__).parent / "locale"
"""Holds a folder per language, with LC_MESSAGES/citeloop.po in it."""

_language_of_reader: Callable[[], Language] = lambda: "en"  # noqa: E731


def follow(language_of_reader: Callable[[], Language]) -> None:
    """Set the function that returns the reader's language; it is called for each text, from any thread."""
    global _language_of_reader
    _language_of_reader = language_of_reader


def N_(message: str) -> str:  # noqa: N802  # gettext's usual name
    """Mark a text that is translated later, when it is shown."""
    return message


def gettext(message: str, **values: object) -> str:
    """Return a text in the reader's language; values replace {name}, and whole numbers are grouped."""
    text = _catalog(_language_of_reader()).gettext(message) if message else ""  # a catalog has its header under ""
    return text.format(**_shown(values)) if values else text


def ngettext(one: str, many: str, n: int, **values: object) -> str:
    """Return the form for a number, which replaces {n}; values as in `gettext`."""
    text = _catalog(_language_of_reader()).ngettext(one, many, n)
    return text.format(**_shown({"n": n, **values}))


def pgettext(context: str, message: str) -> str:
    """Return a text that needs another translation in this context, such as `column`."""
    return _catalog(_language_of_reader()).pgettext(context, message)


def number(value: float, spec: str = ",d") -> str:
    """Return a number in a format such as `.1f` or `.0%`, with the reader's marks."""
    marks: dict[str, str | int | None] = dict(zip(",.%", number_marks(), strict=True))
    return format(value, spec).translate(str.maketrans(marks))


def number_marks() -> list[str]:
    """Return the reader's marks of thousands, of decimals and of percent."""
    return gettext(", . %").split(" ")


def _shown(values: dict[str, object]) -> dict[str, object]:
    return {name: number(value) if type(value) is int else value for name, value in values.items()}


@cache
def _catalog(language: Language) -> catalogs.NullTranslations:
    """Return the catalog of a language, from its .po file: nothing has to be compiled after a change."""
    if language == "en":
        return catalogs.NullTranslations()
    path = FOLDER / language / "LC_MESSAGES" / "citeloop.po"
    return catalogs.GNUTranslations(io.BytesIO(polib.pofile(str(path)).to_binary()))
