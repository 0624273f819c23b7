"""Text of a site generator -> text without Liquid, Jinja and Hugo tags, except in code."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator

from markdown_it import MarkdownIt
from mdit_py_plugins.admon import admon_plugin

CODE_BLOCKS = ("fence", "code_block")
KEPT = (
    r"(?<!`)(?P<ticks>`+)(?!`)(?:(?!\n[ \t]*\n).)+?(?<!`)(?P=ticks)(?!`)"  # inline code
    r"|<(?P<code>pre|code|kbd|samp|script|style)\b.*?</(?P=code)\s*>"
)
"""The pattern of code within text, in the groups `ticks` and `code`."""
_RAW = r"\{%-?\s*raw\s*-?%\}(?P<raw>.*?)\{%-?\s*endraw\s*-?%\}"
_COMMENTS = (
    r"\{%-?\s*comment\s*-?%\}.*?\{%-?\s*endcomment\s*-?%\}|\{#(?!\w[\w-]*\}).{0,2000}?#\}"  # {#name} is an anchor
)
_TAGS = r"\{%.{0,2000}?%\}|\{\{[<%].{0,2000}?[>%]\}\}"  # limited length: a lone brace must not remove the whole text
_SITE_VALUES = r"\{\{-?\s*(?:site|page|layout|config)\.[^{}]*\}\}"
_VALUES = r"\{\{.{0,2000}?\}\}"

_ALWAYS = re.compile(f"{KEPT}|{_RAW}|{_COMMENTS}|{_TAGS}|{_SITE_VALUES}", re.DOTALL)
_IN_SITES = re.compile(f"{KEPT}|{_RAW}|{_COMMENTS}|{_TAGS}|{_VALUES}", re.DOTALL)


def without_tags(text: str, of_site: bool) -> str:
    """Return text without template tags.

    `{{ name }}` is removed only if of_site or other tags show that a generator would fill it in; a letter template
    has it as a placeholder.
    """
    pattern = _IN_SITES if of_site or re.search(r"\{%-?\s*\w+[^{}]*%\}|\{\{[<%]", _without_code(text)) else _ALWAYS
    return pattern.sub(lambda match: match["raw"] or _kept(match), text)


def _kept(match: re.Match[str]) -> str:
    return match[0] if match["ticks"] or match["code"] else ""


def _without_code(text: str) -> str:
    return re.sub(KEPT, "", text, flags=re.DOTALL)


def outside_code_blocks(text: str, change: Callable[[str], str], code: Container[str] = CODE_BLOCKS) -> str:
    """Return Markdown with `change` applied to everything except blocks of code.

    code: kinds of blocks; the text of an indented box counts as code until its mark is one that the parser knows.
    """
    lines, done, parts = re.findall(r"[^\n]*\n|[^\n]+", text), 0, []
    for start, end in _blocks(text, code):
        parts += [change("".join(lines[done:start])), "".join(lines[start:end])]
        done = end
    return "".join([*parts, change("".join(lines[done:]))])


def _blocks(text: str, kinds: Container[str]) -> Iterator[tuple[int, int]]:
    blocks_only = MarkdownIt("commonmark").use(admon_plugin).disable("inline")
    for token in blocks_only.parse(text):
        if token.type in kinds and token.map:
            yield token.map[0], token.map[1]
