"""Text of documents and models -> Markdown without images, directives or links, except bare addresses in passages."""

from __future__ import annotations

import re
from collections.abc import Callable

from app.answer.marks import in_prose
from ingest.parse.marks import without_invisible

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#$~|!:^=&])")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^)]*\)")
_BORDER = re.compile(r"(?<!\\)\|")
"""Separates table cells; a bar inside a cell is escaped."""
_CITATION = re.compile(r"(?<![0-9A-Za-z_])\\?\[(\d{1,3})\\?\]")
_ITEM = re.compile(r"(\s*)([-*+•]|\d+[.)])\s+(.+)")
_NO_CITATION = re.compile(r"\\*\[(?!\d+\])")
"""Includes backslashes before it, which would cancel the added one."""
_ICON = re.compile(r"(\\?:)(?=material\\?[/_]|streamlit\\?:)")
_HIDDEN_HOST = re.compile(r"(https?\\?:(?=//[^\s/?#]{0,999}@)|www(?=\.[^\s/?#]{0,999}@))", re.IGNORECASE)
"""An address such as https://bank.example@evil.example, which leads to the second host."""
_APART = r"\1:small[]"
"""An empty directive between two texts. Streamlit makes icons and links of parsed text, where no backslash helps."""
_MAIL = re.compile(r"([\w.+-])(?=@[\w-]+\.\w)")
"""Before the @ of an address: names of people are addresses, and a click should not open a letter."""
_DIAGRAM = re.compile(r"^([ \t>*+\-\d.)]*(?:`{3,}|~{3,}))(?=.*mermaid)", re.IGNORECASE | re.MULTILINE)
"""The beginning of code that Streamlit would draw as a diagram, with links in it."""


def plain(text: str) -> str:
    """Escape text; line breaks and list marks at line starts stay visible, and an e-mail address is no link."""
    return _MAIL.sub(_APART, _escaped(text))


def _escaped(text: str) -> str:
    lines = (_SPECIAL.sub(r"\\\1", line) for line in without_invisible(text).splitlines())
    lines = (re.sub(r"^(\s*\d+)([.)])", r"\1\\\2", line) for line in lines)
    return _inert("  \n".join(re.sub(r"^([-+])", r"\\\1", line.strip()) for line in lines))


def passage(text: str) -> str:
    """Format a passage: tables and lists stay, other text is escaped."""
    blocks = re.split(r"\n{2,}|\s*\f\s*", without_invisible(text))  # after a page break, a table has its own header
    return "\n\n".join(_table(block) if _is_table(block) else _with_lists(block) for block in blocks)


def _with_lists(block: str) -> str:
    """Escape lines; list items keep their nesting."""
    shown: list[str] = []
    was_item = False
    for line in block.splitlines():
        if item := _ITEM.fullmatch(line):
            if shown and not was_item:
                shown.append("")  # a list begins
            indent, mark, text = item.groups()
            shown.append(f"{indent}{mark.replace('•', '-')} {_escaped(text)}")
        else:
            shown.append(f"{'  ' if was_item else ''}{_escaped(line)}  ")
        was_item = item is not None or (was_item and line.startswith(" "))
    return "\n".join(shown).rstrip()


def written(text: str) -> str:
    """Format text of a language model: Markdown stays, links and images become words."""
    text = _NO_CITATION.sub(r"\\[", _LINK.sub(r"\1", without_invisible(text)))
    text = _DIAGRAM.sub(r"\1text ", text)
    # At a line start, [n]: would define a link target, and # a title larger than the page's.
    text = re.sub(r"^([ \t]*)(\[\d+\]:|#{1,6}\s)", r"\1\\\2", text, flags=re.MULTILINE)
    return _inert(re.sub(r"\\*([$<&]|!(?=\\?\[)|(?<!/):(?=[\w/-]+[\[:]))", r"\\\1", text))


def _inert(markdown: str) -> str:
    """Keep Streamlit from making icons, and links that hide their host, of escaped text."""
    return _HIDDEN_HOST.sub(_APART, _ICON.sub(_APART, markdown))


def with_citation_links(markdown: str, address: Callable[[int], str]) -> str:
    """Turn each [n] outside code, escaped or not, into a link to the address of n."""

    def link(found: re.Match[str]) -> str:
        return rf"[\[{found[1]}\]]({address(int(found[1]))})"

    return in_prose(lambda prose: _CITATION.sub(link, prose), markdown)


def _is_table(block: str) -> bool:
    lines = block.splitlines()
    return len(lines) > 1 and all(line.lstrip().startswith("|") for line in lines)


def _table(block: str) -> str:
    lines = block.splitlines()
    if not re.fullmatch(r"[\s|:-]+", lines[1]):  # a chunk that starts in the middle of a table has no header
        columns = len(_BORDER.findall(lines[0].strip()[1:-1])) + 1
        lines = ["|" + " |" * columns, "|" + " --- |" * columns, *lines]
    escaped = [re.sub(r"(\\(?!\|)|[`*_{}\[\]<>#$~!:^=&])", r"\\\1", line) for line in lines]
    escaped[1] = lines[1]
    return _inert("\n".join(escaped))
