"""Text of documents and models -> Markdown that shows words: no image, no directive, no link but a bare address."""

from __future__ import annotations

import re

from app.answer.marks import in_prose

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#$~|!:^=&])")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^)]*\)")
_BORDER = re.compile(r"(?<!\\)\|")
"""Between two cells of a table; a bar inside a cell has a backslash before it."""
_CITATION = re.compile(r"(?<![0-9A-Za-z_])\\?\[(\d{1,3})\\?\]")
_ITEM = re.compile(r"(\s*)([-*+•]|\d+[.)])\s+(.+)")
_NO_CITATION = re.compile(r"\\*\[(?!\d+\])")
"""With the backslashes before it, which would take the meaning from ours."""


def plain(text: str) -> str:
    """Any text, shown as it stands; line breaks and list marks at the start of a line stay."""
    lines = (re.sub(r"^(\s*\d+)([.)])", r"\1\\\2", _SPECIAL.sub(r"\\\1", line)) for line in text.splitlines())
    return "  \n".join(re.sub(r"^([-+])", r"\\\1", line.strip()) for line in lines)


def passage(text: str) -> str:
    """A passage: its tables and lists as such, everything else as it stands."""
    blocks = re.split(r"\n{2,}|\s*\f\s*", text)  # a table goes on after a page break with a header of its own
    return "\n\n".join(_table(block) if _is_table(block) else _with_lists(block) for block in blocks)


def _with_lists(block: str) -> str:
    """Lines as they stand, and list items as items, nested as they are."""
    shown: list[str] = []
    was_item = False
    for line in block.splitlines():
        item = _ITEM.fullmatch(line)
        if item and not was_item and shown:
            shown.append("")
        indent, mark, text = item.groups() if item else ("", "", line)
        shown.append(
            f"{indent}{mark.replace('•', '-')} {plain(text)}" if item else f"{'  ' if was_item else ''}{plain(line)}  "
        )
        was_item = item is not None or (was_item and line.startswith(" "))
    return "\n".join(shown).rstrip()


def written(text: str) -> str:
    """What a language model wrote: its Markdown stays, links and images become their words."""
    text = _NO_CITATION.sub(r"\\[", _LINK.sub(r"\1", text))
    # At the start of a line, [n]: would define where [n] leads, and # make a title larger than the page's own.
    text = re.sub(r"^([ \t]*)(\[\d+\]:|#{1,6}\s)", r"\1\\\2", text, flags=re.MULTILINE)
    return re.sub(r"\\*([$<&]|!(?=\\?\[)|(?<!/):(?=[\w/-]+[\[:]))", r"\\\1", text)


def with_citation_links(markdown: str, anchor: str) -> str:
    """Turn each [n] outside code, escaped or not, into a link to the source card `anchor-sn`."""
    return in_prose(lambda prose: _CITATION.sub(rf"[\\[\1\\]](#{anchor}-s\1)", prose), markdown)


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
    return "\n".join(escaped)
