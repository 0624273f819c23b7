"""Markdown, HTML and DOCX -> Markdown text: all of them through HTML, and one converter from there."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable

import mammoth
import yaml
from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning
from bs4.element import NavigableString, Tag
from markdown_it import MarkdownIt
from markdownify import MarkdownConverter

from ingest.parse.archive import office_file
from ingest.parse.document import Heading, Page, Parsed, one_line
from ingest.parse.encoding import read_markup, read_text
from ingest.parse.html.boilerplate import content_of
from ingest.parse.html.tables import rows_of, unwrap_layout
from ingest.parse.html.templates import outside_code_blocks, without_tags
from ingest.parse.tables import markdown_table

warnings.filterwarnings("ignore", category=XMLParsedAsHTMLWarning)  # XHTML reads well as HTML


def parse_markdown(data: bytes) -> Parsed:
    """Markdown without front matter, whose title it takes, and without a site generator's tags."""
    return _from_markdown(*_front_matter(read_text(data)))


def parse_mdx(data: bytes) -> Parsed:
    """MDX as Markdown: the words of its components stay, what it imports and exports and its comments go."""
    title, body = _front_matter(read_text(data))
    # a comment may hold code and code a comment: what begins first counts
    code = r"(`{3,}|~{3,})[^`\n]*\n[\s\S]*?(?:^[ \t>]*\2|\Z)|`[^`\n]+`"
    body = re.sub(rf"({code})|\{{\s*/\*[\s\S]*?\*/\s*\}}", r"\1", body, flags=re.MULTILINE)
    imports = r"import\s(?:.*\sfrom\s)?\s*[\"'{]|export\s+(?:const|let|default|function|async|class|type|\{|\*)"
    module = re.compile(rf"^(?:{imports}).*(?:\n.+)*", re.MULTILINE)
    return _from_markdown(title, outside_code_blocks(body, lambda part: module.sub("", part)))


def _from_markdown(title: str | None, body: str) -> Parsed:
    body = outside_code_blocks(body, lambda part: without_tags(part, of_site=title is not None))
    parsed = from_html(MarkdownIt("commonmark", {"html": True}).enable("table").render(body))
    return Parsed(parsed.pages, parsed.headings, title or parsed.title)


def _front_matter(text: str) -> tuple[str | None, str]:
    """The title in the YAML between two `---` at the top and the text after it; None and all of it if there is none."""
    if match := re.match(r"---[ \t]*\n(.*?)^---[ \t]*$", text, re.DOTALL | re.MULTILINE):
        try:
            # strings alone, and so no objects: 2023-02-30 would be an error as a date
            metadata = yaml.load(match[1], Loader=yaml.BaseLoader) or {}  # noqa: S506
        except yaml.YAMLError:
            return None, text
        if isinstance(metadata, dict):
            title = metadata.get("title")
            is_title = isinstance(title, str) and title.lower() not in ("null", "~", "false")
            return title if is_title else "", text[match.end() :]
    return None, text


def parse_html(data: bytes) -> Parsed:
    """The content of an HTML page: no navigation, no scripts, no comments, no site generator's tags."""
    title, html = _front_matter(read_markup(data))
    html = without_tags(html, of_site=title is not None)
    parsed = from_html(html, content_of)
    if not parsed.pages[0].text:  # a page that is all frame
        parsed = from_html(html)
    return Parsed(parsed.pages, parsed.headings, title or parsed.title)


def parse_docx(data: bytes) -> Parsed:
    """A Word document by its styles; the style Title counts as the outermost heading."""
    styles = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => p:fresh"
    no_images = mammoth.images.img_element(lambda _: {})
    file = io.BytesIO(office_file(data))
    return from_html(mammoth.convert_to_html(file, style_map=styles, convert_image=no_images).value)


_NOT_CONTENT = ["script", "style", "template", "noscript", "nav", "svg", "iframe", "title"]
_MAX_DEPTH = 100
_HEADING_MARK = "\ue000"  # a private character, stands before a heading while HTML becomes Markdown


class _Converter(MarkdownConverter):
    """To Markdown, with our own tables; a table in a cell is text of that cell."""

    def convert_table(self, el: Tag, text: str, parent_tags: set[str]) -> str:  # noqa: ARG002
        caption = one_line(el.caption.get_text()) if el.caption else ""
        return text if el.find_parent("table") else f"\n\n{caption}\n\n{markdown_table(rows_of(el))}\n\n"


def from_html(html: str, content: Callable[[BeautifulSoup], Tag] | None = None) -> Parsed:
    """HTML -> Markdown text with headings; content chooses the part of the page, None takes all of it."""
    soup = BeautifulSoup(html.replace(_HEADING_MARK, ""), "lxml")
    titles = [one_line(element.get_text()) for element in (soup.h1, soup.title) if element]
    for element in soup(_NOT_CONTENT):
        element.extract()
    body = content(soup) if content else soup.body or soup
    _flatten(body)
    _plain_strings(body)
    unwrap_layout(body)
    for element in body(re.compile("^h[1-6]$")):
        _mark_heading(element)
    converter = _Converter(
        strip=["a", "img", "b", "strong", "i", "em", "code"],  # marks cost the embedder tokens and quotes their words
        escape_asterisks=False,
        escape_underscores=False,
        escape_misc=False,
        bullets="-",
    )
    lines = [line.rstrip() for line in converter.convert_soup(body).split("\n")]
    text, headings = _place_headings(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip())
    titles = [heading.title for heading in headings if heading.level == 1] + titles
    return Parsed((Page(None, text),), tuple(headings), next(iter(titles), ""))


def _plain_strings(body: Tag) -> None:
    """Leave no string but text, and in text no white space but spaces: a line break in HTML is one."""
    in_pre = {id(string) for pre in body("pre") for string in pre.find_all(string=True)}
    for string in body.find_all(string=True):
        if type(string) is not NavigableString:  # comments and declarations are strings too
            string.extract()
            continue
        space = r"\f" if id(string) in in_pre else r"\s+"
        string.replace_with(re.sub(space, " ", string))


def _flatten(body: Tag) -> None:
    """Unwrap what stands deeper than the converter can go: old pages open tags by the hundred and close none."""
    depths = {id(body): 0}
    deep = []
    for element in body.find_all(True):
        depths[id(element)] = depths[id(element.parent)] + 1
        if depths[id(element)] > _MAX_DEPTH:
            deep.append(element)
    for element in deep:
        element.insert_before(" ")
        element.unwrap()


def _mark_heading(element: Tag) -> None:
    for link in element("a", href=re.compile("^#")):
        if not re.search(r"\w", link.get_text()):  # the ¶ that links to the heading itself
            link.extract()
    for line_break in element("br"):
        line_break.replace_with(" ")
    element.string = f"{_HEADING_MARK}{element.name[1]} {one_line(element.get_text())}"
    element.name = "p"


def _place_headings(marked: str) -> tuple[str, list[Heading]]:
    """Turn marked lines into Markdown headings and say where they stand; a mark inside a line goes."""
    lines: list[str] = []
    headings: list[Heading] = []
    position = 0
    for line in marked.splitlines(keepends=True):
        if match := re.match(rf"{_HEADING_MARK}([1-6]) (.+)", line):
            line = "#" * int(match[1]) + " " + match[2]
            headings.append(Heading(int(match[1]), match[2], position, position + len(line)))
            line += "\n"
        else:
            line = re.sub(rf"{_HEADING_MARK}[1-6] ?", "", line)
        lines.append(line)
        position += len(line)
    return "".join(lines).rstrip("\n"), headings
