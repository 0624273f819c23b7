"""Markdown of site generators and note apps -> CommonMark with HTML: attributes, boxes, tabs, links between notes."""

from __future__ import annotations

import re
from html import escape

from ingest.parse.html.templates import KEPT, TITLE_OF_BOX, outside_code_blocks
from ingest.parse.marks import without_own_files

_KINDS = (
    "note|tip|hint|info|important|caution|warning|danger|error|attention|success|question|faq|example|quote|abstract"
    "|summary|bug|failure|seealso|todo"
)
_NEWS = "versionadded|versionchanged|deprecated"
_SHOWN = (
    "admonition|dropdown|list-table|figure|figure-md|glossary|epigraph|sidebar|margin|topic|tab-item|tab-set|grid|card"
)
_NOT_SHOWN = "toctree|tableofcontents|contents|include|literalinclude|image|index|tags|bibliography"
_PAIR = r"(?:[.#][\w:.-]+|[\w:@-]+=(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s{}\"'=]+))"
_PAIRS = rf"[ \t]*{_PAIR}(?:[ \t]+{_PAIR})*[ \t]*"
_COMMENT = r"\{::comment\}.*?\{:/(?:comment)?\}"
_ATTRIBUTES = (
    r"^[ \t]*\{:[:/]?[^{}\n]*\}[ \t]*(?:\n|\Z)"  # kramdown: {:toc}, and of the block before
    rf"|[ \t]*\{{:{_PAIRS}\}}"  # within a line
    rf"|(?<=[\])`*_])\{{{_PAIRS}\}}"  # Pandoc: behind a link, code or emphasis
    r"|^[ \t]*\([\w.:-]+\)=[ \t]*$"  # MyST: a name to link to
    r"|(?<![\w:]):(?:icon|u-icon)\{[^{}\n]*\}"
    rf"|^[ \t]*\{{[ \t]*[.#][\w:.-]+(?:[ \t]+{_PAIR})*[ \t]*\}}[ \t]*(?:\n|\Z)"  # of the block before or behind
    r"|(?<=\w)\{#[\w-]+\}(?=[ \t]*#*[ \t]*$)"
    rf"|(?<=\S)[ \t]+\{{(?:-|[ \t]*[.#][\w:.-]+(?:[ \t]+{_PAIR})*[ \t]*)\}}(?=[ \t]*#*[ \t]*$)"  # behind a heading
)
_CONTENTS = r"^[ \t]*(?:\[TOC\]|\[\[(?:_?TOC_?|toc|_TOSP_)\]\])[ \t]*$"
_EMBEDDED = r"!\[\[[^\[\]\n]+\]\]"
_NOTES = r"(?<![%\w])%%(?!%)[^%]{1,2000}%%(?![%\w])|(?<=\S)[ \t]+\^[a-z0-9-]{4,}[ \t]*$"  # of Obsidian: comments, names
_ICON = r":(?:material|octicons|fontawesome|simple)-(?P<icon>[a-z][\w-]*):(?:\{[^{}\n]*\})?"
_REMOVED = re.compile(f"{KEPT}|{_COMMENT}|{_ATTRIBUTES}|{_CONTENTS}|{_EMBEDDED}|{_NOTES}", re.DOTALL | re.MULTILINE)
_LINK = re.compile(rf"{KEPT}|\[\[(?P<page>[^\[\]|\s][^\[\]|\n]*)(?:\|(?P<label>[^\[\]\n]+))?\]\](?!\()", re.DOTALL)
_MARKED = re.compile(rf"{KEPT}|(?<![=\w])==(?=\S)(?P<marked>[^=\n]+)(?<=\S)==(?![=\w])", re.DOTALL)
_SPAN = re.compile(rf"{KEPT}|(?<!\])\[(?P<text>[^\[\]\n]+)\]\{{{_PAIRS}\}}", re.DOTALL)
_ICONS = re.compile(
    rf"{KEPT}|{_ICON}(?P<after>[ \t]*)|(?<![\w:]):(?P<sign>white_check_mark|heavy_check_mark|x):", re.DOTALL
)
_ROLE = re.compile(r"\{[a-z][\w:+-]*\}`(?P<text>[^`<\n]+?)(?:[ \t]*<[^`>\n]+>)?`")
_PROPERTY = r"[^\W\d_][^\n:.,;!?|`<>\[\]()#*]{0,40}: \S[^\n]*"
_PROPERTIES = re.compile(rf"(?:\A|(?<=\n\n))(?:{_PROPERTY}\n)+{_PROPERTY}$", re.MULTILINE)
"""Lines such as "Status: Done" below a title, which are one paragraph only to a strict reader of Markdown."""
_ASIDE = re.compile(r"^(<aside>)[ \t]*(?=\n[^\n])", re.MULTILINE)
"""A box whose text is no Markdown to a strict reader, unless an empty line follows."""
_CALLOUT = re.compile(r"^(?P<mark>[ \t]*(?:>[ \t]*)+)\[!(?P<kind>[\w-]+)\][+-]?[ \t]*(?P<title>.*)$", re.MULTILINE)
_COLONS = re.compile(
    rf"^(?P<margin>[ \t]*)(?::{{3,}}[ \t]*|::(?=[a-z][\w-]*[ \t]*(?:\{{|$)|[ \t]*$))"
    rf"(?:\{{?\.?(?:callout-)?(?P<kind>{_KINDS}|[a-z][\w-]*)\b)?(?P<title>.*)$"
    r"(?P<options>(?:\n[ \t]*:[\w-]+:(?:[ \t].*)?$)*)"
    r"(?:\n[ \t]*---[ \t]*\n(?P<data>(?:[ \t]*(?:[\w-]+:|-|[ \t]{2}).*\n){1,50}?)[ \t]*---[ \t]*$)?",  # Nuxt
    re.MULTILINE,
)
_DIRECTIVES = rf"\{{(?P<kind>{_KINDS}|{_NEWS}|{_SHOWN}|{_NOT_SHOWN})\}}"
_ANY_DIRECTIVE = re.compile(rf"(?:```|:::){_DIRECTIVES}")
_DIRECTIVE = re.compile(
    rf"^[ \t]*(?P<code>`{{3,}}|~{{3,}})(?!{_DIRECTIVES.replace('?P<kind>', '?:')})"
    r"[^`\n]*\n.*?(?:^[ \t]*(?P=code)[`~]*[ \t]*$|\Z)"
    r"|^(?P<margin>[ \t]*)(?P<fence>`{3,}|:{3,})"
    rf"{_DIRECTIVES}[ \t]*(?P<title>[^\n]*)\n"
    r"(?:[ \t]*:[\w-]+:[^\n]*\n)*(?P<text>.*?)^[ \t]*(?P=fence)[ \t]*$",
    re.DOTALL | re.MULTILINE,
)
CHANGES = {
    "versionadded": "New in version",
    "versionchanged": "Changed in version",
    "deprecated": "Deprecated since version",
}
_NUXT = re.compile(r"^[ \t]*:{2,}[a-z][\w-]*(?:\{.*\})?[ \t]*$", re.MULTILINE)
_SLOT = re.compile(r"^[ \t]*#[a-z][\w-]*[ \t]*$", re.MULTILINE)
_DEEPEST = 4
"""Boxes within boxes that are read."""
_END = re.compile(r"^[ \t]*:{2,}[ \t]*$", re.MULTILINE)
"""Without an end, colons begin no box."""
_TAB = re.compile(r"^([ \t]*)===[+!]?[ \t]+(?=\")", re.MULTILINE)

_BOX = r"(?:!!!|\?\?\?\+?)[ \t]+[\w-]+(?: inline)?(?: end)?(?:[ \t]+\"[^\"\n]*\")?[ \t]*\n\s*?(?: {4}|\t)"
_NO_BOX = re.compile(rf"^((?:[ \t]|[-*+>] |\d+[.)] )*)(?=!!!|\?\?\?)(?!{_BOX})", re.MULTILINE)
"""The parser would take the rest of the line for a kind of box, and lose it."""


def common_markdown(text: str) -> str:
    """Return Markdown of kramdown, Pandoc, MkDocs, MyST, Docusaurus or Obsidian as what their readers see.

    Code stays as it is. Titles of boxes become HTML paragraphs of the class TITLE_OF_BOX.
    """
    text = _directives(text)
    text = outside_code_blocks(text, _indented_boxes, code=("fence",))
    has_boxes = _END.search(text) is not None  # a box may go on behind a block of code
    return outside_code_blocks(text, lambda part: _without_marks(part, has_boxes))


def _directives(text: str, depth: int = 0) -> str:
    """Return MyST with directives as the text that they show, also those within others."""
    if depth == _DEEPEST or not _ANY_DIRECTIVE.search(text):
        return text
    return _DIRECTIVE.sub(lambda found: _shown(found, depth), text)


def _shown(directive: re.Match[str], depth: int) -> str:
    kind = directive["kind"]
    if directive["code"]:
        return directive[0]
    if kind in _NOT_SHOWN.split("|"):
        return "\n"
    text = _directives(directive["text"], depth + 1)
    title = "" if kind.startswith("figure") else f"{directive['margin']}{_title_of(directive)}"
    return f"\n{title}\n{_rows(text) if kind == 'list-table' else text}\n"


def _rows(text: str) -> str:
    """Return a list of lists as the table that it stands for, unchanged if a cell has several paragraphs."""
    before, *parts = re.split(r"^[ \t]*[*-] +[-*]", text, flags=re.MULTILINE)
    rows = [re.split(r"^[ \t]+[-*][ \t]*", part, flags=re.MULTILINE) for part in parts]
    if before.strip() or "\n\n" in text.strip() or len({len(row) for row in rows}) != 1:
        return text
    cells = [[" ".join(cell.split()).replace("|", r"\|") for cell in row] for row in rows]
    cells.insert(1, ["---"] * len(cells[0]))
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


def _indented_boxes(text: str) -> str:
    return _NO_BOX.sub(r"\1\\", _TAB.sub(r"\1!!! tab ", text))  # a tab is a box that has a title


def _without_marks(text: str, has_boxes: bool) -> str:
    if has_boxes:
        text = _COLONS.sub(_box, _SLOT.sub("", text) if _NUXT.search(text) else text)
    text = _PROPERTIES.sub(lambda lines: re.sub(r"[ \t]*\n", "  \n", lines[0]), without_own_files(text))
    text = _ASIDE.sub(r"\1\n", text)
    text = _ROLE.sub(r"\g<text>", text)
    text = _SPAN.sub(lambda span: _code(span) or span["text"], text)
    text = _ICONS.sub(lambda icon: _code(icon) or _sign_of(icon), text)
    text = _REMOVED.sub(_code, text)
    text = _LINK.sub(lambda link: _code(link) or link["label"] or link["page"].replace("#", " > "), text)
    text = _MARKED.sub(lambda mark: _code(mark) or mark["marked"], text)
    return _CALLOUT.sub(lambda box: f"{box['mark']}{_title_of(box).strip()}\n{box['mark']}", text)


def _box(colons: re.Match[str]) -> str:
    options = "" if colons["title"].startswith("}") else colons["options"]
    return f"\n{colons['margin']}{_title_of(colons)}\n{options}"


def _sign_of(icon: re.Match[str]) -> str:
    """Return the check mark or cross that an icon stands for, else ''."""
    names = set(re.split("[-_]", icon["icon"] or icon["sign"]))
    sign = "✓" if "check" in names else "✗" if names & {"x", "close", "xmark"} else ""
    return sign and sign + (icon["after"] or "")


def _code(match: re.Match[str]) -> str:
    return match[0] if match["ticks"] or match["code"] else ""


def _title_of(box: re.Match[str]) -> str:
    """Return the paragraph with the title of a box: its own, else its kind; empty for parts that show none."""
    given = box["title"]
    data = box.groupdict().get("data") or ""
    named = (
        re.search(r"title=\"([^\"]*)\"", given)
        or re.search(r"(?m)^[ \t]*title:[ \t]*[\"']?(.*?)[\"']?$", data)
        or re.match(r"\[([^\]]+)\]", given)
    )
    title = named[1] if named else re.sub(r"^\}|\{[^}]*\}|[^{]*\}$|[`*]", "", given).strip()
    kind = (box["kind"] or "").lower()
    if kind in _NEWS.split("|"):
        return f"{CHANGES[kind]} {title}: "
    if not title and re.fullmatch(_KINDS, kind):
        title = "See also" if kind == "seealso" else kind.capitalize()
    if title.isdigit():  # a number of columns
        return ""
    return f'<p class="{TITLE_OF_BOX}">{escape(title)}</p>\n' if title else ""
