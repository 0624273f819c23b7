"""Styles of an ODT, ODS or ODP: how elements look, which are hidden, and the numbers of lists and headings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from lxml import etree

from ingest.parse.marks import list_figure

OUTLINE = "\0outline"
"""Key of the numbers of headings, which is no name of a list style."""
_SPACES = {
    "xlink": "http://www.w3.org/1999/xlink",
    "math": "http://www.w3.org/1998/Math/MathML",
    "draw": "urn:oasis:names:tc:opendocument:xmlns:drawing:1.0",
    "svg": "urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0",
}
_SMALLEST = 2
"""Points; smaller text is not for readers."""
_FAMILIES = {
    "text:p": "paragraph",
    "text:h": "paragraph",
    "text:span": "text",
    "table:table": "table",
    "table:table-cell": "table-cell",
    "draw:page": "drawing-page",
}
"""Element -> family of its styles."""
_MAY_BE_DARK = ("table:table", "draw:text-box", "draw:custom-shape", "draw:page")


def name_of(element: etree._Element) -> str:
    """Return the usual name of an element, such as text:p; '' for a comment."""
    return _usual(element.tag) if isinstance(element.tag, str) else ""


@cache
def _usual(tag: str) -> str:
    space, _, name = tag.lstrip("{").rpartition("}")
    prefix = next((prefix for prefix, known in _SPACES.items() if known == space), "")
    known = re.fullmatch(r"urn:oasis:names:tc:opendocument:xmlns:(\w+):1\.0", space)
    return f"{prefix or (known[1] if known else '')}:{name}"


def attribute(element: etree._Element, name: str) -> str:
    """Return the attribute of this usual name, such as text:style-name; '' without it."""
    return str(element.get(_full(name), ""))


@cache
def _full(name: str) -> str:
    prefix, _, local = name.partition(":")
    space = _SPACES.get(prefix, f"urn:oasis:names:tc:opendocument:xmlns:{prefix}:1.0")
    return f"{{{space}}}{local}"


def whole(element: etree._Element, name: str, otherwise: int = 1) -> int:
    text = attribute(element, name)
    return int(text) if text and re.fullmatch(r"\d{1,9}", text) else otherwise


def has_text(element: etree._Element) -> bool:
    return any("".join(words.itertext()).strip() for words in element.iter("{*}p", "{*}h", "{*}span", "{*}hidden-text"))


class Styles:
    """The styles of a file, and how far its lists have counted."""

    def __init__(self, *roots: etree._Element) -> None:
        self._styles: dict[tuple[str, str], etree._Element] = {}
        self._levels: dict[str, dict[int, etree._Element]] = {}
        self._looks: dict[tuple[str, str], dict[str, str]] = {}
        self._counts: dict[str, dict[int, int]] = {}
        for root in roots:
            for style in root.iter("{*}style"):
                self._styles[attribute(style, "style:family"), attribute(style, "style:name")] = style
            for style in root.iter("{*}list-style", "{*}outline-style"):
                name = attribute(style, "style:name") if name_of(style) == "text:list-style" else OUTLINE
                self._levels[name] = {whole(level, "text:level"): level for level in style}

    def look(self, element: etree._Element) -> Mapping[str, str]:
        """Return the properties of an element's style and those that it is based on, and their names as `names`."""
        name = name_of(element)
        family = _FAMILIES.get(name)
        style = f"{name.partition(':')[0]}:style-name"
        return self._look(family, attribute(element, style)) if family else {}

    def _look(self, family: str, name: str) -> dict[str, str]:
        style = self._styles.get((family, name))
        if style is None:
            return {}
        if (family, name) not in self._looks:
            self._looks[family, name] = {}  # a style may be based on itself
            base = self._look(family, attribute(style, "style:parent-style-name"))
            own = {key.rpartition("}")[2]: text for part in style for key, text in part.items()}
            self._looks[family, name] = {**base, **own, "names": f"{base.get('names', '')} {name}"}
        return self._looks[family, name]

    def is_hidden(self, element: etree._Element) -> bool:
        """Return whether no reader sees an element: by its style, color or size, or a condition of its own."""
        name = name_of(element)
        if name not in _FAMILIES:
            is_closed = name == "text:section" and attribute(element, "text:display") == "none"
            return is_closed or _is_concealed(element)
        look = self.look(element)
        size = re.fullmatch(r"([\d.]+)pt", look.get("font-size", ""))
        return (
            look.get("display") == "none"
            or (size is not None and float(size[1]) < _SMALLEST)
            or (look.get("color", "").lower() == "#ffffff" and not self._may_be_dark(element, look))
            or any(map(_is_concealed, element.iterchildren("{*}hidden-paragraph")))
        )

    def _may_be_dark(self, element: etree._Element, look: Mapping[str, str]) -> bool:
        outer = [] if name_of(element) == "table:table-cell" else list(element.iterancestors())
        looks = [look, *(self.look(one) for one in outer)]
        colored = any(one.get("background-color", "transparent") != "transparent" for one in looks)
        return colored or any(name_of(one) in _MAY_BE_DARK for one in outer)

    def restart(self, name: str, level: int) -> None:
        """Begin to count this level of a list, and those within, again."""
        counts = self._counts.get(name, {})
        self._counts[name] = {deep: count for deep, count in counts.items() if deep < level}

    def count(self, name: str, level: int) -> int:
        """Return the last number of a list's level, 0 before the first."""
        return self._counts.get(name, {}).get(level, 0)

    def kind(self, name: str, level: int) -> str:
        """Return the HTML element for a list's level: ul, ol, or div if its numbers are written out."""
        own = self._levels.get(name, {}).get(level)
        if own is None or not name_of(own).endswith("-number"):
            return "ul"
        shape = (
            attribute(own, "style:num-format"),
            attribute(own, "style:num-prefix"),
            whole(own, "text:display-levels"),
        )
        return "ol" if shape == ("1", "", 1) and attribute(own, "style:num-suffix") in ("", ".", ")") else "div"

    def next_number(self, name: str, level: int, item: etree._Element) -> str:
        """Count a list item or heading and return its number as text, '' without one."""
        levels = self._levels.get(name, {})
        own = levels.get(level)
        if own is None:
            return ""
        self.restart(name, level + 1)
        following = self._counts[name].get(level, whole(own, "text:start-value") - 1) + 1
        self._counts[name][level] = whole(item, "text:start-value", following)
        if not attribute(own, "style:num-format"):
            return ""
        above = range(max(1, level - whole(own, "text:display-levels") + 1), level + 1)
        figures = ".".join(filter(None, (self._figure(name, deep) for deep in above if deep in levels)))
        return f"{attribute(own, 'style:num-prefix')}{figures}{attribute(own, 'style:num-suffix')}".strip()

    def _figure(self, name: str, level: int) -> str:
        own = self._levels[name][level]
        style = attribute(own, "style:num-format")
        number = self.count(name, level) or whole(own, "text:start-value")
        return list_figure(number, style) if style else ""


def _is_concealed(element: etree._Element) -> bool:
    return attribute(element, "text:is-hidden") == "true"
