"""The outline of a Word document: bold and larger lines become headings, and its table of contents is removed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from lxml import etree

from ingest.parse.document import one_line
from ingest.parse.office.numbering import Numbering, W, properties_of, styles_of, value, with_bases
from ingest.parse.office.runs import Looks
from ingest.parse.type_headings import TypedLine, UsualType, levels_by_type

_CONTENTS = re.compile(r"(?:toc|contents) ?(?:\d|heading)", re.IGNORECASE)
"""Names of the styles of a table of contents."""
_LONGEST_HEADING = 80
_PLAIN = ("", "normal", "body text", "no spacing")
"""Names of styles that say nothing of a paragraph's purpose."""

_LARGER = 1.08  # times the size of the text
_ONLY_NUMBER = re.compile(r"(?:\w+ )?(?:\d+|[IVX]+|[A-Z])(?:[.)]\d+)*[.)]?")
_BULLET = re.compile(r"[-*\u2013\u2014\u2022\u25a0-\u25ff\u27a2]\s")


def remove_contents(document: etree._Element, styles: etree._Element) -> None:
    """Remove a table of contents, whose entries are headings elsewhere."""
    known = styles_of(styles)
    for paragraph in list(document.iter(f"{W}p")):
        style = value(paragraph.find(f"{W}pPr"), "pStyle")
        names = (style, *(value(base, "name") for base in with_bases(known, style).values()))
        if any(map(_CONTENTS.match, names)) or _is_entry(paragraph):
            paragraph.getparent().remove(paragraph)


def _is_entry(paragraph: etree._Element) -> bool:
    """Return whether a paragraph is only a link to a heading that ends in the number of its page."""
    links = [link for link in paragraph.iter(f"{W}hyperlink") if link.get(f"{W}anchor", "").startswith("_Toc")]
    text = "".join(map(_text, links))
    is_divided = paragraph.find(f".//{W}r/{W}tab") is not None
    return is_divided and text == _text(paragraph) and re.search(r"\D\d+$", text) is not None


def mark_headings(
    document: etree._Element, styles: etree._Element, looks: Looks, by_look: Sequence[tuple[etree._Element, int]] = ()
) -> None:
    """Make lines headings: those by their look, else bold ones below styled headings, if there are several."""
    found = by_look or list(_bold_lines(document, styles_of(styles), looks))
    for paragraph, level in found if len(found) > 1 else ():
        properties = properties_of(paragraph)
        for style in properties.findall(f"{W}pStyle"):
            properties.remove(style)
        etree.SubElement(properties, f"{W}pStyle").set(f"{W}val", f"Heading{level}")


def _bold_lines(
    document: etree._Element, styles: Mapping[str, etree._Element], looks: Looks
) -> Iterator[tuple[etree._Element, int]]:
    """Yield the lines of the body that only their look makes headings, and the level that they would have.

    Without those that repeat a heading, as in a table of contents.
    """
    level = 1
    parts = [part for part in document.findall(f"{W}body/*") if part.tag != f"{W}p" or _text(part)]
    names = [value(styles.get(value(part.find(f"{W}pPr"), "pStyle")), "name").lower() for part in parts]
    titles = {_letters(part) for part, name in zip(parts, names, strict=True) if name.startswith("heading")}
    for (line, name), (below, name_below) in pairwise(zip(parts, names, strict=True)):
        if heading := re.fullmatch("heading ([1-6])", name):
            level = int(heading[1])
        elif name in _PLAIN and _is_short(line) and looks.is_bold(line) and _letters(line) not in titles:
            is_above_text = below.tag == f"{W}p" and not looks.is_bold(below) and not name_below.startswith("heading")
            if is_above_text:
                yield line, min(level + 1, 6)


def _is_short(line: etree._Element) -> bool:
    """Return whether a paragraph has few words, on one line, without a mark at their end or an automatic number."""
    in_pieces = (f"{W}{name}" for name in ("tab", "br", "drawing", "pict"))
    is_numbered = value(line.find(f"{W}pPr/{W}numPr"), "numId") not in ("", "0")
    if line.tag != f"{W}p" or is_numbered or next(line.iter(*in_pieces), None) is not None:
        return False
    return len(_text(line)) <= _LONGEST_HEADING and re.search(r"[^\W\d_].*[^.,;:!?]$", _text(line)) is not None


def _letters(paragraph: etree._Element) -> str:
    return re.sub(r"\W+", " ", _text(paragraph)).lower()


def _text(paragraph: etree._Element) -> str:
    return "".join(paragraph.itertext(f"{W}t")).strip()


# documents without styles ------------------------------------------------------------------------------


def headings_by_look(
    document: etree._Element, styles: etree._Element, numbering: Numbering, looks: Looks
) -> list[tuple[etree._Element, int]]:
    """Return the larger and bold lines of a document that has at most one styled heading, with their levels."""
    parts = [part for part in document.findall(f"{W}body/*") if _letters(part)]
    known = styles_of(styles)
    lines = [_typed(part, known, looks) for part in parts]
    num_styled = sum(line.level > 0 for line in lines)
    if num_styled > 1:
        return []
    usual = UsualType.of(lines, _LARGER)
    titles = [
        not line.level
        and (usual.is_larger(line) or usual.is_bolder(line))
        and not (below and below.text[:1].islower())
        and not (_BULLET.match(line.text) or numbering.is_bullet(part) or _is_divided(part))
        for part, line, below in zip(parts, lines, [*lines, None][1:], strict=True)
    ]
    levels = levels_by_type(lines, titles, fewest_below=1, outermost=1 + num_styled)
    return [(part, level) for part, level in zip(parts, levels, strict=True) if level]


def _typed(part: etree._Element, styles: Mapping[str, etree._Element], looks: Looks) -> TypedLine:
    """Return a paragraph with its type, a table without."""
    text = one_line(_text(part))
    if part.tag != f"{W}p":
        return TypedLine(text, 0, is_bold=False)
    properties = part.find(f"{W}pPr")
    heading = re.fullmatch("heading ([1-6])|title", value(styles.get(value(properties, "pStyle")), "name").lower())
    in_list = value(part.find(f"{W}pPr/{W}numPr"), "ilvl")
    depth = int(in_list) + 1 if in_list.isdigit() else 0
    return TypedLine(text, looks.size(part), looks.is_bold(part), int(heading[1] or 1) if heading else 0, depth)


def _is_divided(line: etree._Element) -> bool:
    """Return whether a paragraph has a picture, or a tab or break between words; a tab may follow a number."""
    if next(line.iter(f"{W}drawing", f"{W}pict"), None) is not None:
        return True
    parts = line.iter(f"{W}t", f"{W}tab", f"{W}br")
    first, *others = "".join(part.text or "" if part.tag == f"{W}t" else "\t" for part in parts).strip().split("\t")
    return len(others) > 1 or (len(others) == 1 and not _ONLY_NUMBER.fullmatch(first.strip()))
