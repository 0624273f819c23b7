"""Text of documents and models -> Markdown that shows words: no image, no directive, no link but a bare address."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#$~|!:^=&])")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^)]*\)")
_BORDER = re.compile(r"(?<!\\)\|")
"""Between two cells of a table; a bar inside a cell has a backslash before it."""
_NO_CITATION = re.compile(r"\\*\[(?!\d+\])")
"""With the backslashes before it, which would take the meaning from ours."""


def plain(text: str) -> str:
    """Any text, shown as it stands; line breaks and list marks at the start of a line stay."""
    lines = (re.sub(r"^(\s*\d+)([.)])", r"\1\\\2", _SPECIAL.sub(r"\\\1", line)) for line in text.splitlines())
    return "  \n".join(re.sub(r"^([-+])", r"\\\1", line.strip()) for line in lines)


def passage(text: str) -> str:
    """A passage: its tables and lists as such, everything else as it stands."""
    blocks = re.split(r"\n{2,}|\s*\f\s*", text)  # a table goes on after a page break with a header of its own
    return "\n\n".join(_table(block) if _is_table(block) else plain(block) for block in blocks)


def written(text: str) -> str:
    """What a language model wrote: its Markdown stays, links and images become their words."""
    text = _NO_CITATION.sub(r"\\[", _LINK.sub(r"\1", text))
    # At the start of a line, [n]: would define where [n] leads, and # make a title larger than the page's own.
    text = re.sub(r"^([ \t]*)(\[\d+\]:|#{1,6}\s)", r"\1\\\2", text, flags=re.MULTILINE)
    return re.sub(r"\\*([$<&]|!(?=\\?\[)|(?<!/):(?=[\w/-]+[\[:]))", r"\\\1", text)


def with_citation_links(markdown: str, anchor: str) -> str:
    """Turn each [n], escaped or not, into a link to the source card `anchor-sn`."""
    return re.sub(r"\\?\[(\d+)\\?\]", rf"[\\[\1\\]](#{anchor}-s\1)", markdown)


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
