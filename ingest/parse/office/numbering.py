"""The automatic numbers of a Word document -> text of its headings and clauses."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree

from ingest.parse.marks import list_figure
from ingest.parse.symbols import check_of

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_STYLES = {"upperRoman": "I", "lowerRoman": "i", "upperLetter": "A", "lowerLetter": "a"}


@dataclass(frozen=True, slots=True)
class _Level:
    """A level of a list: its first number, kind of number, text such as `%1.%2`, and a bullet that tells something."""

    start: int
    kind: str
    text: str
    legal: bool
    check: str

    def is_simple(self, level: int) -> bool:
        """Return whether Markdown's own list numbers are the same."""
        return self.kind == "decimal" and self.text in (f"%{level + 1}.", f"%{level + 1})")


class Numbering:
    """Numbers of paragraphs, counted as Word does."""

    def __init__(self, styles: etree._Element, numbering: etree._Element) -> None:
        self._styles = styles_of(styles)
        self._levels: dict[str, dict[int, _Level]] = {}  # abstract list -> its levels
        self._style_levels: dict[tuple[str, str], int] = {}  # abstract list and style -> level
        self._lists: dict[str, tuple[str, dict[int, int]]] = {}  # list -> abstract list, own first numbers
        self._counts: defaultdict[str, dict[int, int]] = defaultdict(dict)
        self._started: set[tuple[str, int]] = set()
        _resolve_levels(numbering)
        for abstract in numbering.findall(f"{W}abstractNum"):
            self._read_levels(abstract)
        for one in numbering.findall(f"{W}num"):
            starts = {
                int(override.get(f"{W}ilvl", "0")): int(value(override, "startOverride"))
                for override in one.findall(f"{W}lvlOverride")
                if value(override, "startOverride").isdigit()
            }
            self._lists[one.get(f"{W}numId", "")] = (value(one, "abstractNumId"), starts)

    def _read_levels(self, abstract: etree._Element) -> None:
        name = abstract.get(f"{W}abstractNumId", "")
        self._levels[name] = {}
        for level in abstract.findall(f"{W}lvl"):
            number, start = int(level.get(f"{W}ilvl", "0")), value(level, "start")
            fonts = level.find(f"{W}rPr/{W}rFonts")
            font = "" if fonts is None else fonts.get(f"{W}hAnsi") or fonts.get(f"{W}ascii", "")
            self._levels[name][number] = _Level(
                int(start) if start.isdigit() else 1,
                value(level, "numFmt") or "decimal",
                value(level, "lvlText"),
                is_on(level.find(f"{W}isLgl")),
                check_of(value(level, "lvlText"), font),
            )
            if style := value(level, "pStyle"):
                self._style_levels[name, style] = number

    def write_into(self, document: etree._Element, headings: Collection[etree._Element] = ()) -> None:
        """Write the numbers of headings, and of lists that Markdown would number otherwise, before their text.

        headings: paragraphs that are headings without a style of headings.
        """
        previous, position = None, 0
        for paragraph in document.iter(f"{W}p"):
            found = self._list_of(paragraph)
            if found is None:
                previous = None
                continue
            is_blank = not "".join(paragraph.itertext()).strip()
            if is_blank and not _is_whole_cell(paragraph):
                continue  # Word numbers empty paragraphs too, but they are rarely meant
            (name, level), outer = found, paragraph.getparent()
            position = position + 1 if level == 0 and previous == (name, outer) else 1
            previous = (name, outer) if level == 0 else previous
            kind, number = self._levels[name][level], self._next(name, level)
            simple = kind.is_simple(level) and (level or self._counts[name][0] == position) and not is_blank
            if (
                kind.kind not in ("bullet", "none")
                and number
                and (self._is_heading(paragraph) or paragraph in headings or not simple)
            ):
                _end_numbering(paragraph)
                properties_of(paragraph).addnext(run_of(f"{number} "))
                previous = None  # Markdown's list ends here
            elif kind.kind == "bullet" and kind.check and not is_blank:
                properties_of(paragraph).addnext(run_of(kind.check))

    def is_bullet(self, paragraph: etree._Element) -> bool:
        """Return whether a paragraph is an item of a list without numbers."""
        _, abstract, level = self._place_of(paragraph)
        return level in self._levels.get(abstract, {}) and self._levels[abstract][level].kind == "bullet"

    def _list_of(self, paragraph: etree._Element) -> tuple[str, int] | None:
        """Return the abstract list and level of a paragraph or its style, None without a number; a list may restart."""
        number, abstract, level = self._place_of(paragraph)
        if level not in self._levels.get(abstract, {}):
            return None
        self._restart(number, abstract, level)
        return abstract, level

    def _place_of(self, paragraph: etree._Element) -> tuple[str, str, int]:
        """Return the list, abstract list and level of a paragraph or its style; no abstract list without a number."""
        properties = paragraph.find(f"{W}pPr")
        style = value(properties, "pStyle")
        number, level = _numbered(properties)
        styles = with_bases(self._styles, style)
        for base in styles.values() if not number else ():
            number, _ = _numbered(base.find(f"{W}pPr"))
            if number:
                break
        if number not in self._lists:
            return "", "", 0
        abstract = self._lists[number][0]
        if level is None:
            own = (self._style_levels[abstract, name] for name in styles if (abstract, name) in self._style_levels)
            from_style = (_numbered(base.find(f"{W}pPr"))[1] for base in styles.values())
            level = next(own, next((found for found in from_style if found is not None), 0))
        return number, abstract, level

    def _restart(self, number: str, abstract: str, level: int) -> None:
        """Begin at a list's own first number when it is first used."""
        start = self._lists[number][1].get(level)
        if start is not None and (number, level) not in self._started:
            self._counts[abstract][level] = start - 1
        self._started.add((number, level))

    def _next(self, name: str, level: int) -> str:
        """Count a paragraph and return its number as text."""
        levels, counts = self._levels[name], self._counts[name]
        counts[level] = counts.get(level, levels[level].start - 1) + 1
        for deeper in [other for other in counts if other > level]:
            del counts[deeper]

        def shown(match: re.Match[str]) -> str:
            other = int(match[1]) - 1
            if other not in levels:
                return ""
            kind = "decimal" if levels[level].legal else levels[other].kind
            return _figure(counts.get(other, levels[other].start), kind)

        return re.sub(r"%([1-9])", shown, levels[level].text).strip()

    def _is_heading(self, paragraph: etree._Element) -> bool:
        styles = with_bases(self._styles, value(paragraph.find(f"{W}pPr"), "pStyle"))
        names = (value(style, "name").lower() for style in styles.values())
        return any(name.startswith("heading") for name in names)


def _resolve_levels(numbering: etree._Element) -> None:
    """Give each list the levels that it takes from another one by a style, or that it sets itself."""
    abstracts = {abstract.get(f"{W}abstractNumId"): abstract for abstract in numbering.findall(f"{W}abstractNum")}
    linked = {value(abstract, "styleLink"): abstract.findall(f"{W}lvl") for abstract in abstracts.values()}
    for abstract in abstracts.values():
        for link in abstract.findall(f"{W}numStyleLink"):
            abstract.remove(link)
            abstract.extend(deepcopy(linked.get(link.get(f"{W}val"), [])))
    for one in numbering.findall(f"{W}num"):
        base, own = one.find(f"{W}abstractNumId"), one.findall(f"{W}lvlOverride/{W}lvl")
        if own and base is not None and base.get(f"{W}val") in abstracts:
            abstract = deepcopy(abstracts[base.get(f"{W}val")])
            numbers = {level.get(f"{W}ilvl") for level in own}
            for level in [level for level in abstract.findall(f"{W}lvl") if level.get(f"{W}ilvl") in numbers]:
                abstract.remove(level)
            abstract.extend(own)
            base.set(f"{W}val", f"own{one.get(f'{W}numId')}")
            abstract.set(f"{W}abstractNumId", base.get(f"{W}val"))
            one.addprevious(abstract)


def value(element: etree._Element | None, name: str) -> str:
    """Return the value of a property, '' without it."""
    found = None if element is None else element.find(f"{W}{name}")
    return "" if found is None else found.get(f"{W}val", "")


def styles_of(part: etree._Element) -> dict[str, etree._Element]:
    """Return the styles of `styles.xml` by id."""
    return {style.get(f"{W}styleId"): style for style in part.iter(f"{W}style")}


def with_bases(styles: Mapping[str, etree._Element], name: str) -> dict[str, etree._Element]:
    """Return a style and those that it is based on, by id, the style itself first."""
    found: dict[str, etree._Element] = {}
    while name in styles and name not in found:
        found[name] = styles[name]
        name = value(styles[name], "basedOn")
    return found


def is_on(found: etree._Element | None) -> bool:
    """Return whether a property is there and not switched off."""
    return found is not None and found.get(f"{W}val", "1") not in ("0", "false", "off")


def _numbered(properties: etree._Element | None) -> tuple[str, int | None]:
    """Return the list of a paragraph's or style's properties, '' for none, and the level, None if not given."""
    numbers = None if properties is None else properties.find(f"{W}numPr")
    level = value(numbers, "ilvl")
    return value(numbers, "numId"), int(level) if level.isdigit() else None


def properties_of(element: etree._Element, name: str = "pPr") -> etree._Element:
    """Return the properties of a paragraph, run (rPr) or row (trPr), which are added if it has none."""
    properties = element.find(f"{W}{name}")
    if properties is None:
        properties = etree.Element(f"{W}{name}")
        element.insert(0, properties)
    return properties


def run_of(text: str) -> etree._Element:
    """Return a run with a text, spaces included."""
    run = etree.Element(f"{W}r")
    words = etree.SubElement(run, f"{W}t")
    words.text = text
    words.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    return run


def _is_whole_cell(paragraph: etree._Element) -> bool:
    """Return whether a paragraph is all that a cell of a table holds, as in a column of numbers."""
    cell = paragraph.getparent()
    return cell is not None and cell.tag == f"{W}tc" and len(cell.findall(f"{W}p")) == 1


def _end_numbering(paragraph: etree._Element) -> None:
    properties = properties_of(paragraph)
    for numbers in properties.findall(f"{W}numPr"):
        properties.remove(numbers)
    numbers = etree.SubElement(properties, f"{W}numPr")
    etree.SubElement(numbers, f"{W}ilvl").set(f"{W}val", "0")
    etree.SubElement(numbers, f"{W}numId").set(f"{W}val", "0")


def _figure(number: int, kind: str) -> str:
    if kind == "none":
        return ""
    return f"{number:02}" if kind == "decimalZero" else list_figure(number, _STYLES.get(kind, "1"))
