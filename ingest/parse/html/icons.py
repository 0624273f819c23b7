"""Icons that are all that a cell of a table shows -> what they say, such as a check mark."""

from __future__ import annotations

import re

from bs4 import BeautifulSoup
from bs4.element import Tag

from ingest.parse.document import one_line

_LONGEST = 60
"""Characters of a label; a longer one describes a drawing."""
_SIGNS = dict.fromkeys(("check", "checkmark", "tick", "yes"), "✓") | dict.fromkeys(
    ("times", "xmark", "cross", "close", "remove", "no", "x"), "✗"
)
"""Part of the name of an icon, such as fa-check, bi-x or icon-cross, and the sign that it draws."""


def write_icons(soup: BeautifulSoup) -> None:
    """Write what an icon says into a cell that has no words; icons have no text, and drawings are left out."""
    for icon in soup(["svg", "i"]):
        cell = icon.find_parent(["td", "th"])
        if cell and (words := _words(icon)) and not _has_text(cell):
            icon.replace_with(words)


def _words(icon: Tag) -> str:
    """Return the label of an icon, else the sign that its name tells, '' for none."""
    title = icon.title.get_text() if icon.name == "svg" and icon.title else ""
    label = one_line(str(icon.get("aria-label") or icon.get("title") or title))
    if label:
        return label if len(label) <= _LONGEST else ""
    used = [str(part.get(name, "")) for part in icon("use") for name in ("href", "xlink:href")]
    names = re.split(r"[^a-z]+", " ".join([*map(str, icon.get_attribute_list("class")), *used]).lower())
    return next((_SIGNS[name] for name in names if name in _SIGNS), "")


def _has_text(cell: Tag) -> bool:
    return any(text.strip() and not text.find_parent("svg") for text in cell.find_all(string=True)) or bool(
        cell.find("img", alt=re.compile(r"\S"))
    )
