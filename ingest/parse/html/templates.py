"""Text of a site generator -> text without Liquid, Jinja and Hugo tags, except in code."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator
from functools import cache
from html import escape

from markdown_it import MarkdownIt
from mdit_py_plugins.admon import admon_plugin

TITLE_OF_BOX = "admonition-title"
"""The class of a box's title, as in Sphinx and MkDocs."""
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
_WORDS = re.compile(r"\s(?:title|header|heading|text|caption)=(?:\"([^\"]*)\"|'([^']*)')")
_NO_WORDS = re.compile(r"\{%-?\s*(?:assign|set|if|elsif|elif|unless|case|when|for|macro|call|extends|capture)\b")
_NAMED = re.compile(r"[{<%\s-]+(?:tab|expand|details|accordion|collapse|tooltip)\s+\"([^\"]+)\"")
_SAYING = re.compile(
    r"(?!(?:include|render|partial|ref|relref|link|url|static|asset|anchor|icon|highlight)(?:_\w+)?\b)[\w-]+"
    r"(?:\s+\"(?P<words>[^\"./<>]+)\",?)+"
)
"""A tag whose quoted words are no address, such as `channel "help" "Help desk"`; the last ones are what it shows."""
_LIST_MARK = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+")
_EMBED = re.compile(r"\{%-?\s*embed\s+url=\"(https?://[^\"\s]+)\"")
_ELEMENT = re.compile(r"<(?P<end>/)?(?P<name>[a-zA-Z][\w-]*)(?:\s[^<>]*)?(?<!/)>")
"""A tag that opens or closes an element."""
_INDENTED_ELEMENT = re.compile(r"\n[ \t]*\n(?: {4}|\t)[ \t]*</?[a-zA-Z]")
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
_SITE_VALUES = r"\{\{-?\s*(?:site|page|layout|config)\.[^{}]*\}\}"
_VALUES = r"\{\{.{0,2000}?\}\}"

_ALWAYS = re.compile(f"{KEPT}|{_RAW}|{_COMMENTS}|(?P<tag>{_TAGS})|{_SITE_VALUES}", re.DOTALL)
_IN_SITES = re.compile(f"{KEPT}|{_RAW}|{_COMMENTS}|(?P<tag>{_TAGS})|{_VALUES}", re.DOTALL)


def without_tags(text: str, of_site: bool) -> str:
    """Return text without template tags.

    `{{ name }}` is removed only if of_site or other tags show that a generator would fill it in; a letter template
    has it as a placeholder.
    """
    pattern = _IN_SITES if of_site or re.search(r"\{%-?\s*\w+[^{}]*%\}|\{\{[<%]", _without_code(text)) else _ALWAYS
    return pattern.sub(lambda match: match["raw"] or _kept(match), text)


def _kept(match: re.Match[str]) -> str:
    return match[0] if match["ticks"] or match["code"] else _words_of(match)


def _words_of(match: re.Match[str]) -> str:
    """Return what a tag shows, such as the title of a tab or a term: a paragraph, or a part of its line."""
    tag = match["tag"] or ""
    if not tag or _NO_WORDS.match(tag):
        return ""
    named = _NAMED.match(tag) or _EMBED.match(tag)
    words = named[1] if named else ": ".join(one or other for one, other in _WORDS.findall(tag) if one or other)
    text, end = match.string, match.end()
    before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
    after = text[end : end + 200].partition("\n")[0]
    if not words and (said := _SAYING.fullmatch(tag.strip("{}<>%- \n"))) and _is_in_text(before, after):
        words = said["words"]
    if not words or (before + after).strip():
        return escape(words)
    name = tag.strip("{%<- ").split()[0]
    has_text = not _EMBED.match(tag) and any(text.find(mark + name, end) >= 0 for mark in ("end", "/", "/ "))
    kind = f' class="{TITLE_OF_BOX}"' if has_text else ""
    return f"\n<p{kind}>{escape(words)}</p>\n\n"


def _is_in_text(before: str, after: str) -> bool:
    """Return whether a tag stands between these words or in a list, and is no part of a link or of an HTML tag."""
    is_address = before.endswith(("(", "=", '"', "'", "<"))
    return not is_address and bool(re.search(r"\w", before + after) or _LIST_MARK.fullmatch(before))


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


def with_whole_html(text: str) -> str:
    """Return Markdown without the indent of HTML that goes on below an empty line; a strict reader takes it for code.

    It goes on where the HTML above has open elements and ends in an indented line itself.
    """
    if not _INDENTED_ELEMENT.search(text):
        return text
    lines, num_open, is_indented = text.split("\n"), 0, False
    for token in _block_parser().parse(text):
        if token.level or not token.map:
            continue
        block = lines[slice(*token.map)]
        if token.type == "code_block" and num_open > 0 and is_indented and _ELEMENT.match(token.content.lstrip()):
            lines[slice(*token.map)] = [line.lstrip() for line in block]
        elif token.type != "html_block":
            continue
        tags = [(tag["end"], tag["name"].lower()) for tag in _ELEMENT.finditer("\n".join(block))]
        num_open += sum(-1 if end else 1 for end, name in tags if name not in _VOID)
        written = [line for line in block if line.strip()]
        is_indented = written[-1].startswith("  ")
    return "\n".join(lines)


@cache
def _block_parser() -> MarkdownIt:
    return MarkdownIt("commonmark").use(admon_plugin).disable("inline")


def _blocks(text: str, kinds: Container[str]) -> Iterator[tuple[int, int]]:
    for token in _block_parser().parse(text):
        if token.type in kinds and token.map:
            yield token.map[0], token.map[1]
