"""Markdown, HTML and DOCX -> Markdown text: all of them through HTML, and one converter from there."""

from __future__ import annotations

import io
import re
import warnings
from typing import Any

import mammoth
import yaml
from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning
from bs4.element import NavigableString
from markdown_it import MarkdownIt
from markdownify import MarkdownConverter

from ingest.parse.document import Heading, Page, Parsed, one_line
from ingest.parse.plain import decode

warnings.filterwarnings("ignore", category=XMLParsedAsHTMLWarning)  # XHTML reads well as HTML


def parse_markdown(data: bytes) -> Parsed:
    """Markdown without front matter, whose title it takes, and without a site generator's tags."""
    metadata, body = _front_matter(decode(data))
    if metadata is not None:  # it marks a site generator's page, where {% %} and {{ }} are instructions, not text
        body = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", body, flags=re.DOTALL)
    parsed = _from_html(MarkdownIt("commonmark", {"html": True}).enable("table").render(body))
    return Parsed(parsed.pages, parsed.headings, str((metadata or {}).get("title") or parsed.title))


def _front_matter(text: str) -> tuple[dict[str, Any] | None, str]:
    """The YAML mapping between two `---` at the top and the text after it; None and all of it if there is none."""
    if match := re.match(r"---[ \t]*\n(.*?)^---[ \t]*$", text, re.DOTALL | re.MULTILINE):
        try:
            metadata = yaml.safe_load(match[1])
        except yaml.YAMLError:
            return None, text
        if metadata is None or isinstance(metadata, dict):
            return metadata or {}, text[match.end() :]
    return None, text


def parse_html(data: bytes) -> Parsed:
    """The content of an HTML page: no navigation, no scripts, no comments."""
    return _from_html(decode(data))


def parse_docx(data: bytes) -> Parsed:
    """A Word document by its styles; the style Title counts as the outermost heading."""
    styles = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => p:fresh"
    return _from_html(mammoth.convert_to_html(io.BytesIO(data), style_map=styles).value)


_NOT_CONTENT = ["script", "style", "template", "noscript", "nav", "header", "footer", "aside", "form", "svg", "iframe"]
_HEADING_MARK = "\ue000"  # a private character, stands before a heading while HTML becomes Markdown


def _from_html(html: str) -> Parsed:
    soup = BeautifulSoup(html.replace(_HEADING_MARK, ""), "html.parser")
    titles = [one_line(element.get_text()) for element in (soup.h1, soup.title) if element]
    for element in soup([*_NOT_CONTENT, "title"]):
        element.decompose()
    body = soup.main or soup.body or soup
    for string in body.find_all(string=True):
        if type(string) is not NavigableString:  # comments and declarations are strings too
            string.extract()
            continue
        space = r"\f" if string.find_parent("pre") else r"\s+"  # a line break in HTML is a space
        string.replace_with(re.sub(space, " ", string))
    for element in body(re.compile("^h[1-6]$")):
        element.string = f"{_HEADING_MARK}{element.name[1]} {one_line(element.get_text())}"
        element.name = "p"
    converter = MarkdownConverter(
        strip=["a", "img", "b", "strong", "i", "em", "code"],  # marks cost the embedder tokens and quotes their words
        escape_asterisks=False,
        escape_underscores=False,
        escape_misc=False,
        table_infer_header=True,
        bullets="-",
    )
    lines = [line.rstrip() for line in converter.convert_soup(body).split("\n")]
    text, headings = _place_headings(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip())
    titles = [heading.title for heading in headings if heading.level == 1] + titles
    return Parsed((Page(None, text),), tuple(headings), next(iter(titles), ""))


def _place_headings(marked: str) -> tuple[str, list[Heading]]:
    """Turn marked lines into Markdown headings and say where they stand; a mark inside a line goes."""
    text, headings = "", []
    for line in marked.splitlines(keepends=True):
        if match := re.match(rf"{_HEADING_MARK}([1-6]) (.+)", line):
            level, title = int(match[1]), match[2]
            start = len(text)
            text += "#" * level + " " + title
            headings.append(Heading(level, title, start, len(text)))
            text += "\n"
        else:
            text += re.sub(rf"{_HEADING_MARK}[1-6] ?", "", line)
    return text.rstrip("\n"), headings
