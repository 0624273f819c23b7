"""Markdown of site generators and note apps -> CommonMark with HTML: attributes, boxes, tabs, links between notes."""

from __future__ import annotations

import re
from html import escape

from ingest.parse.html.templates import KEPT, outside_code_blocks

TITLE_OF_BOX = "admonition-title"
"""The class of a box's title, as in Sphinx and MkDocs."""

_KINDS = (
    "note|tip|hint|info|important|caution|warning|danger|error|attention|success|question|faq|example|quote|abstract"
    "|summary|bug|failure|seealso|todo"
)
_PAIR = r"(?:[.#][\w:.-]+|[\w:@-]+=(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s{}\"'=]+))"
_PAIRS = rf"[ \t]*{_PAIR}(?:[ \t]+{_PAIR})*[ \t]*"
_COMMENT = r"\{::comment\}.*?\{:/(?:comment)?\}"
_ATTRIBUTES = (
    r"^[ \t]*\{:[:/]?[^{}\n]*\}[ \t]*(?:\n|\Z)"  # kramdown: {:toc}, and of the block before
    rf"|[ \t]*\{{:{_PAIRS}\}}"  # within a line
    rf"|(?<=[\])`*_])\{{{_PAIRS}\}}"  # Pandoc: behind a link, code or emphasis
    rf"|(?<=\S)[ \t]+\{{(?:-|[ \t]*[.#][\w:.-]+(?:[ \t]+{_PAIR})*[ \t]*)\}}(?=[ \t]*#*[ \t]*$)"  # behind a heading
)
_CONTENTS = r"^[ \t]*(?:\[TOC\]|\[\[_?TOC_?\]\])[ \t]*$"
_EMBEDDED = r"!\[\[[^\[\]\n]+\]\]"
_REMOVED = re.compile(f"{KEPT}|{_COMMENT}|{_ATTRIBUTES}|{_CONTENTS}|{_EMBEDDED}", re.DOTALL | re.MULTILINE)
_LINK = re.compile(rf"{KEPT}|\[\[(?P<page>[^\[\]|\s][^\[\]|\n]*)(?:\|(?P<label>[^\[\]\n]+))?\]\](?!\()", re.DOTALL)
_MARKED = re.compile(rf"{KEPT}|(?<![=\w])==(?=\S)(?P<marked>[^=\n]+)(?<=\S)==(?![=\w])", re.DOTALL)
_ROLE = re.compile(r"\{[a-z][\w:+-]*\}`(?P<text>[^`<\n]+?)(?:[ \t]*<[^`>\n]+>)?`")
_CALLOUT = re.compile(r"^(?P<mark>[ \t]*(?:>[ \t]*)+)\[!(?P<kind>[\w-]+)\][+-]?[ \t]*(?P<title>.*)$", re.MULTILINE)
_COLONS = re.compile(
    rf"^[ \t]*:{{3,}}[ \t]*(?:\{{?\.?(?:callout-)?(?P<kind>{_KINDS}|[a-z][\w-]*)\b)?(?P<title>.*)$", re.MULTILINE
)
_DIRECTIVE = re.compile(
    rf"^[ \t]*(?P<fence>`{{3,}}|:{{3,}})\{{(?P<kind>{_KINDS}|admonition|dropdown)\}}[ \t]*(?P<title>[^\n]*)\n"
    r"(?:[ \t]*:[\w-]+:[^\n]*\n)*(?P<text>.*?)^[ \t]*(?P=fence)[ \t]*$",
    re.DOTALL | re.MULTILINE,
)
_TAB = re.compile(r"^([ \t]*)===[+!]?[ \t]+(?=\")", re.MULTILINE)

_BOX = r"(?:!!!|\?\?\?\+?)[ \t]+[\w-]+(?: inline)?(?: end)?(?:[ \t]+\"[^\"\n]*\")?[ \t]*\n\s*?(?: {4}|\t)"
_NO_BOX = re.compile(rf"^((?:[ \t]|[-*+>] |\d+[.)] )*)(?=!!!|\?\?\?)(?!{_BOX})", re.MULTILINE)
"""The parser would take the rest of the line for a kind of box, and lose it."""


def common_markdown(text: str) -> str:
    """Return Markdown of kramdown, Pandoc, MkDocs, MyST, Docusaurus or Obsidian as what their readers see.

    Code stays as it is. Titles of boxes become HTML paragraphs of the class TITLE_OF_BOX.
    """
    text = _DIRECTIVE.sub(lambda box: f"{_title_of(box)}\n{box['text']}", text)
    text = outside_code_blocks(text, _indented_boxes, code=("fence",))
    return outside_code_blocks(text, _without_marks)


def _indented_boxes(text: str) -> str:
    return _NO_BOX.sub(r"\1\\", _TAB.sub(r"\1!!! tab ", text))  # a tab is a box that has a title


def _without_marks(text: str) -> str:
    if re.search(r"^[ \t]*:{3,}[ \t]*$", text, re.MULTILINE):  # without an end they begin no box
        text = _COLONS.sub(lambda box: f"\n{_title_of(box)}\n", text)
    text = _ROLE.sub(r"\g<text>", text)
    text = _REMOVED.sub(_code, text)
    text = _LINK.sub(lambda link: _code(link) or link["label"] or link["page"].replace("#", " > "), text)
    text = _MARKED.sub(lambda mark: _code(mark) or mark["marked"], text)
    return _CALLOUT.sub(lambda box: f"{box['mark']}{_title_of(box).strip()}\n{box['mark']}", text)


def _code(match: re.Match[str]) -> str:
    return match[0] if match["ticks"] or match["code"] else ""


def _title_of(box: re.Match[str]) -> str:
    """Return the paragraph with the title of a box: its own, else its kind; empty for parts that show none."""
    given = box["title"]
    named = re.search(r"title=\"([^\"]*)\"", given) or re.match(r"\[([^\]]+)\]", given)
    title = named[1] if named else re.sub(r"^\}|\{[^}]*\}|[^{]*\}$|[`*]", "", given).strip()
    kind = (box["kind"] or "").lower()
    if not title and re.fullmatch(_KINDS, kind):
        title = "See also" if kind == "seealso" else kind.capitalize()
    return f'<p class="{TITLE_OF_BOX}">{escape(title)}</p>\n' if title else ""
