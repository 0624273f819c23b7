"""reStructuredText -> Markdown text, by docutils; Sphinx-only roles and directives keep their text."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from bs4 import BeautifulSoup
from bs4.element import Tag

from ingest.parse.document import Parsed
from ingest.parse.encoding import read_text
from ingest.parse.html.dialects import CHANGES
from ingest.parse.html.markup import from_html

_NO_TEXT = {"toctree", "index", "highlight", "currentmodule", "tabularcolumns", "sectionauthor", "codeauthor", "raw"}
_NO_TEXT |= {"include", "literalinclude", "graphviz", "uml", "default-domain", "meta", "contents", "module"}
_CODE = re.compile(r"(^|-)code(-|$)|sourcecode|prompt|console|mermaid|testcode|doctest|ipython")
_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 5,
    "halt_level": 5,
    "syntax_highlight": "none",
    "embed_stylesheet": False,
    "math_output": "LaTeX",
    "stylesheet_path": None,
    "_disable_config": True,
    "line_length_limit": 1_000_000,
}


def parse_rst(data: bytes) -> Parsed:
    """Parse the text; included files are not opened, and nothing is executed."""
    from docutils.core import publish_parts

    text = read_text(data)
    _accept_unknown(text)
    html = publish_parts(text, writer="html5", settings_overrides=_SETTINGS)["html_body"]
    included = re.findall(r"^[ \t]*\.\. (?:literal)?include::[ \t]*(\S+)", text, re.MULTILINE)
    note = f"included files not read: {', '.join(included)}" if included else ""
    return replace(from_html(html, _without_messages), note=note)


def _without_messages(soup: BeautifulSoup, _hidden: list[str]) -> Tag:
    for message in soup(class_=re.compile("^system-messages?$")):
        message.extract()
    return soup.body or soup


def _accept_unknown(text: str) -> None:
    """Register the text's roles and directives that docutils does not know or does not fully support."""
    from docutils.parsers.rst import directives, languages, roles
    from docutils.utils import Reporter, new_document

    document = new_document("")
    document.reporter = Reporter("", report_level=5, halt_level=5)
    english = languages.get_language("en", document.reporter)
    for name in set(re.findall(r"^[ \t]*\.\.[ \t]+([\w.+:-]+)::", text, re.MULTILINE)):
        if name in _NO_TEXT or _CODE.search(name) or directives.directive(name, english, document)[0] is None:
            directives.register_directive(name, _directive())
    for name in set(re.findall(r":([\w.+:-]+):`", text)):
        if roles.role(name, english, 0, document.reporter)[0] in (None, roles.unimplemented_role):
            roles.register_local_role(name, _role)
    for name in ("pep", "rfc"):
        roles.register_local_role(name, _numbered_role)


class _AnyOption(dict[str, Any]):
    """A directive's options: any name, with a text value."""

    def __missing__(self, name: str) -> Any:
        return lambda argument: argument or ""


def _directive() -> Any:
    """Return a directive as docutils expects it: a function with attributes."""

    def run(
        name: str, arguments: list[str], options: dict[str, str], content: Any, line: int, offset: int, *rest: Any
    ) -> Any:
        return _nodes(name.lower(), " ".join(arguments), options, content, line, offset, rest[1])

    run.arguments = (0, 1, True)  # type: ignore[attr-defined]
    run.options = _AnyOption({"class": str})  # type: ignore[attr-defined]
    run.content = True  # type: ignore[attr-defined]
    return run


def _nodes(
    name: str, argument: str, options: dict[str, str], content: Any, line: int, offset: int, state: Any
) -> list[Any]:
    """Return the nodes for a directive: none, its code, or its text."""
    from docutils import nodes

    if name in _NO_TEXT:
        return []
    if _CODE.search(name):
        code = "\n".join(content)
        caption, _ = state.inline_text(options.get("caption", ""), line)
        return [*([nodes.paragraph("", "", *caption)] if caption else []), nodes.literal_block(code, code)]
    words = nodes.container()
    if argument:
        inline, _ = state.inline_text(f"{CHANGES.get(name, '')} {argument}".strip(), line)
        words += nodes.paragraph("", "", *inline)
    state.nested_parse(content, offset, words)
    return [words]


def _role(_name: str, source: str, text: str, *_rest: Any, **_options: Any) -> Any:
    """Return an unknown role's text: the label of `Label <target>`, the last name of `~package.module.name`."""
    from docutils import nodes

    words = re.sub(r"(?s)(.+?)\s*<[^<>]*>\s*$", r"\1", nodes.unescape(text))
    words = words.rpartition(".")[2] if words.startswith("~") else words.removeprefix("!")
    return [nodes.inline(source, words)], []


def _numbered_role(name: str, source: str, text: str, *rest: Any, **options: Any) -> Any:
    """Return a reference to a numbered document; docutils knows no label or section."""
    from docutils.parsers.rst import roles

    if text.isdigit():
        return getattr(roles, f"{name}_reference_role")(name, source, text, *rest, **options)
    return _role(name, source, text if ">" in text else f"{name.upper()} {text}")
