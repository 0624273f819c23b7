"""Elements that a page always hides: by an attribute, their own style, or a rule of the page's style sheet."""

from __future__ import annotations

import re
from contextlib import suppress

from bs4 import BeautifulSoup
from bs4.element import Tag
from soupsieve import SelectorSyntaxError

_MOST_RULES = 200
_WHITE = r"(white|#fff|#ffffff|transparent|rgba?\(255,255,255(,1)?\)|rgba\(\d+,\d+,\d+,0\))"
_HIDING = {
    "display": r"none",
    "visibility": r"hidden|collapse",
    "opacity": r"0(\.0+)?",
    "font-size": r"[01]?(\.\d+)?(px|pt)|0(\.0\d*)?(r?em|%)?",
    "text-indent": r"-\d{3,}.*",
} | dict.fromkeys(("left", "top", "right", "margin-left", "margin-top"), r"-\d{4,}(\.\d+)?\w*")
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_NAME = re.compile(r"[.#]([\w-]+)")
_COUNTS = re.compile(
    r"display|visibility|opacity|font-size|indent|left|top|right|color|vertical-align|decoration|height"
)
_BACKGROUND = re.compile(rf"background(-color|-image)?:(?!{_WHITE}|none|inherit|initial)")


def style_of(element: Tag) -> dict[str, str]:
    """Return the properties of an element's style, in lower case and without spaces."""
    rules = str(element.get("style", "")).lower().replace("!important", "").split(";")
    return {name.strip(): "".join(value.split()) for name, _, value in (rule.partition(":") for rule in rules)}


def apply_style_sheet(soup: BeautifulSoup) -> None:
    """Copy what hides, raises or strikes out text from the page's own style sheet to the elements.

    Not what a script or another rule may show again.
    """
    sheets = "\n".join(sheet.get_text() for sheet in soup("style"))
    if not sheets:
        return
    sheets = re.sub(r"/\*.*?\*/|@[^{};]+(;|\{([^{}]*\{[^{}]*\})*\s*\})", "", sheets, flags=re.DOTALL)
    rules = [(selector.strip(), text) for selector, text in _RULE.findall(sheets)]
    scripts = " ".join(script.get_text() for script in soup("script"))
    named = [name for selector, _ in rules for name in _NAME.findall(selector)]
    for selector, text in [rule for rule in rules if _COUNTS.search(rule[1])][:_MOST_RULES]:
        names = _NAME.findall(selector)
        if ":" in selector or not names or any(named.count(name) > 1 or name in scripts for name in names):
            continue
        with suppress(SelectorSyntaxError):
            for element in soup.select(selector):
                element["style"] = f"{text};{element.get('style', '')}"


def is_hidden(element: Tag, expandable: set[str]) -> bool:
    """Return whether it is always hidden; what a button expands, such as an answer below its question, is content."""
    if element.has_attr("hidden") or (element.has_attr("style") and _hides(element)):
        return element.get("role") != "tabpanel" and element.get("id") not in expandable
    return is_aria_hidden(element)


def is_aria_hidden(element: Tag) -> bool:
    """Return whether it is an ornament that a screen reader skips."""
    return str(element.get("aria-hidden")).lower() == "true"


def _hides(element: Tag) -> bool:
    style = style_of(element)
    if any(re.fullmatch(hiding, style.get(name, "x")) for name, hiding in _HIDING.items()):
        return True
    if style.get("overflow") == "hidden" and re.fullmatch(r"[01](px)?", style.get("height", "")):
        return True
    return re.fullmatch(_WHITE, style.get("color", "")) is not None and not _may_be_dark(element)


def _may_be_dark(element: Tag) -> bool:
    """Return whether there may be another ground than white behind an element, or another color within it."""
    page = [*element.parents][-1]
    around = [element, *element.parents]
    return (
        any(
            part.has_attr("bgcolor") or _BACKGROUND.search(";".join(map(":".join, style_of(part).items())))
            for part in around
        )
        or bool(page.find("link", rel="stylesheet"))
        or bool(element.find(style=re.compile("color")))
    )
