"""Markdown and HTML -> Markdown text, both by way of HTML, as most other formats go."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from html import escape, unescape

import yaml
from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning
from bs4.element import NavigableString, RubyTextString, Tag
from lxml.html.defs import tags as lxml_tags
from markdown_it import MarkdownIt
from markdownify import MarkdownConverter
from mdit_py_plugins.admon import admon_plugin
from mdit_py_plugins.deflist import deflist_plugin

from ingest.parse.document import FoundFigure, Heading, Page, Parsed, hidden_note, one_line
from ingest.parse.encoding import read_markup, read_text
from ingest.parse.html.boilerplate import content_of, visible_part_of
from ingest.parse.html.dialects import common_markdown
from ingest.parse.html.hidden import apply_style_sheet
from ingest.parse.html.icons import write_icons
from ingest.parse.html.pictures import MARK, pictures_of
from ingest.parse.html.shown import write_shown
from ingest.parse.html.tables import table_of, unwrap_layout
from ingest.parse.html.templates import outside_code_blocks, with_whole_html, without_tags
from ingest.parse.marks import address_of, without_invisible

warnings.filterwarnings("ignore", category=XMLParsedAsHTMLWarning)  # XHTML reads well as HTML


def parse_markdown(data: bytes) -> Parsed:
    """Parse Markdown without a site generator's tags; the title comes from the front matter.

    What looks like a tag and is none, as in `ssh <user>@<host>`, is text.
    """
    title, lead, body = _front_matter(read_text(data))
    body = _with_lead(body, lead)
    if _is_mdx(body):  # Docusaurus reads .md as MDX
        return parse_mdx(data)
    return _from_markdown(title, outside_code_blocks(body, _with_placeholders))


def _is_mdx(text: str) -> bool:
    if "<script" in text or not _IMPORT.search(text):  # a script of VitePress imports, too
        return False
    return outside_code_blocks(text, lambda part: _IMPORT.sub("", part)) != text


def _with_placeholders(text: str) -> str:
    tags = _TAGS | set(re.findall(r"</([\w-]+)", text))
    return _PLACEHOLDER.sub(lambda mark: mark[0] if (mark["name"] or "br") in tags else f"&lt;{mark[0][1:]}", text)


def parse_mdx(data: bytes) -> Parsed:
    """Parse MDX as Markdown: keep the text of components and their titles; drop imports, exports and comments."""
    title, lead, body = _front_matter(read_text(data))
    body = _with_lead(body, lead)
    # comments and code can contain each other: the one that begins first wins
    code = r"(`{3,}|~{3,})[^`\n]*\n[\s\S]*?(?:^[ \t>]*\2|\Z)|`[^`\n]+`"
    body = re.sub(rf"({code})|\{{\s*/\*[\s\S]*?\*/\s*\}}", r"\1", body, flags=re.MULTILINE)
    imports = r"import\s(?:.*\sfrom\s)?\s*[\"'{]|export\s+(?:const|let|default|function|async|class|type|\{|\*)"
    labels = {value: label for _, label, _, value in _LABEL.findall(body)}

    def named(tab: re.Match[str]) -> str:
        return f'<TabItem label="{labels.get(tab["value"], tab["value"])}">'

    module = re.compile(rf"^(?:{imports}).*(?:\n.+)*", re.MULTILINE)
    return _from_markdown(
        title,
        outside_code_blocks(body, lambda part: _COMPONENT.sub(_component_text, _TAB.sub(named, module.sub("", part)))),
    )


def _component_text(tag: re.Match[str]) -> str:
    """Return the title of a component as the beginning of its text; without one, a new paragraph or a space."""
    if tag["code"]:
        return tag[0]
    attributes = {name: value for name, _, value in re.findall(r"([\w-]+)=([\"'])(.*?)\2", tag["attributes"] or "")}
    title = next((attributes[name] for name in _TITLES if attributes.get(name)), "")
    default = f" (default {attributes['default']})" if "default" in attributes else ""
    if title:
        return f"\n\n{escape(title + default)}{'' if title.endswith('?') else ':'} "
    return "\n\n" if tag["begin"] is not None or tag["end"] is not None else " "


def _from_markdown(title: str | None, body: str) -> Parsed:
    body = with_whole_html(body)
    if "[^" in body:
        body = outside_code_blocks(body, _footnotes, code=("fence",))
    body = outside_code_blocks(
        body, lambda part: _FOOTNOTE.sub(r"\\[\1]", without_tags(part, of_site=title is not None))
    )
    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    html = markdown.use(deflist_plugin).use(admon_plugin).render(common_markdown(body))
    parsed = from_html(html, visible_part_of)
    return replace(parsed, title=title or parsed.title)


def _footnotes(text: str) -> str:
    return _NOTE.sub(lambda note: "\n" + re.sub("^(?: {4}|\t)", "", note[0], flags=re.MULTILINE), text)


def _front_matter(text: str) -> tuple[str | None, str, str]:
    """Return the title in the YAML front matter, the line below it, and the text after; None for none."""
    if match := re.match(r"---[ \t]*\n(.*?)^---[ \t]*$", text, re.DOTALL | re.MULTILINE):
        try:
            # load strings only: safe, and 2023-02-30 would fail as a date
            metadata = yaml.load(match[1], Loader=yaml.BaseLoader) or {}  # noqa: S506
        except yaml.YAMLError:
            return None, "", text
        if isinstance(metadata, dict):
            title, lead = (_words(metadata.get(name)) for name in ("title", "description"))
            return unescape(title), _words(metadata.get("subtitle")) or lead, text[match.end() :]
    return None, "", text


def _words(value: object) -> str:
    return value if isinstance(value, str) and value.lower() not in ("null", "~", "false") else ""


def _with_lead(body: str, lead: str) -> str:
    """Return the body with the line that many sites show below the title, unless it says so itself."""
    begin, words = ("".join(re.findall(r"\w+", part)) for part in (body, lead))
    if not words or words[:_BEGIN_OF_LEAD] in begin:
        return body
    heading = re.match(r"\s*# .*\n|", body)
    end = heading.end() if heading else 0
    return f"{body[:end]}\n<p>{escape(one_line(unescape(lead)))}</p>\n\n{body[end:]}"


def parse_html(data: bytes) -> Parsed:
    """Parse an HTML page without navigation, scripts, comments and a site generator's tags."""
    title, _, html = _front_matter(read_markup(data))
    html = without_tags(html, of_site=title is not None)
    parsed = from_html(html, content_of)
    if not parsed.pages[0].text:  # the rules removed everything
        parsed = from_html(html)
    return replace(parsed, title=title or parsed.title)


_BRACES = r"\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}"
_COMPONENT = re.compile(
    r"(?P<code>`[^`\n]+`)|(?P<begin>^[ \t]*)?</?[A-Z][\w.]*"
    rf"(?P<attributes>(?:\s+[\w-]+(?:=(?:\"[^\"]*\"|'[^']*'|{_BRACES}))?|\s+{_BRACES})*)\s*/?>"
    r"(?P<end>(?=[ \t]*(?:<|$)))?",
    re.MULTILINE,
)
"""A tag of MDX, such as <Tab title="Linux">."""
_TAB = re.compile(r"<TabItem\s+value=([\"'])(?P<value>[^\"'\n]+)\1(?:\s+default)?\s*>")
_LABEL = re.compile(r"\blabel:\s*([\"'])([^\"'\n]+)\1,\s*value:\s*([\"'])([^\"'\n]+)\3")
"""Tabs of Docusaurus show their value if neither they nor the list of tabs has a label."""
_IMPORT = re.compile(r"^import\s+[\w{}*, ]+\s+from\s+['\"][^'\"\n]+['\"];?[ \t]*$", re.MULTILINE)
_TITLES = ("title", "label", "summary", "name", "path", "question")
_FOOTNOTE = re.compile(r"(?<!\\)\[(\^[\w-]+)\]")
"""Markdown would take the text of a footnote of one word for the address of a link."""
_NOTE = re.compile(r"^\[\^[\w-]+\]:.*(?:\n(?!\[\^).*\S.*)*(?:\n(?:[ \t]*\n)*(?: {4}|\t).*)*", re.MULTILINE)
"""The text of a footnote; its further paragraphs are indented."""
_BEGIN_OF_LEAD = 60
"""Letters of the line below the title that are compared with the text, which may go on otherwise."""
_PLACEHOLDER = re.compile(r"`+[^`]+`+|<(?P<name>[A-Za-z][\w-]*)(?: [\w .|-]*)?>")
_TAGS = {*lxml_tags, "main", "picture", "template", "dialog", "bdi", "data", "slot"}
_NOT_CONTENT = ["script", "style", "template", "noscript", "nav", "svg", "iframe", "title"]
_MAX_DEPTH = 100
_HEADING = re.compile("^h[1-6]$")
_HEADING_MARK = "\ue000"  # a private character, marks headings during conversion


class _Converter(MarkdownConverter):
    """Converts to Markdown with `table_of`; a nested table becomes text of its cell."""

    def convert_table(self, el: Tag, text: str, parent_tags: set[str]) -> str:  # noqa: ARG002
        caption = one_line(el.caption.get_text()) if el.caption else ""
        return text if el.find_parent("table") else f"\n\n{caption}\n\n{table_of(el)}\n\n"


def from_html(html: str, content: Callable[[BeautifulSoup, list[str]], Tag] | None = None) -> Parsed:
    """Parse HTML to Markdown text with headings.

    content: selects a part of the page and adds texts that are hidden on it to a list; None takes all.
    """
    soup = BeautifulSoup(re.sub(f"[{_HEADING_MARK}{MARK}]", "", html), "lxml")
    titles = [one_line(element.get_text()) for element in (soup.h1, soup.title) if element]
    apply_style_sheet(soup)
    if "<svg" in html or "<i " in html:  # for the same reason as pictures below
        write_icons(soup)
    for element in soup(_NOT_CONTENT):
        element.extract()
    hidden: list[str] = []
    body = content(soup, hidden) if content else soup.body or soup
    _flatten(body)
    _plain_strings(body)
    _write_links(body)
    write_shown(body)
    unwrap_layout(body)
    for element in body(_HEADING):
        _mark_heading(element)
    converter = _Converter(
        strip=["a", "img", "b", "strong", "i", "em", "code"],  # marks cost tokens and break quotes
        escape_asterisks=False,
        escape_underscores=False,
        escape_misc=False,
        bullets="-",
    )
    text, headings = _place_headings(converter.convert_soup(body))
    figures: tuple[FoundFigure, ...] = ()
    if "<img" in html.lower():  # looking through all elements takes 5% of the time
        figures = pictures_of(
            body, lambda before: len(_place_headings(before)[0]), lambda: str(converter.convert_soup(body))
        )
    titles = [heading.title for heading in headings if heading.level == 1] + titles
    return Parsed((Page(None, text),), tuple(headings), next(iter(titles), ""), hidden_note(len(hidden)), figures)


def _plain_strings(body: Tag) -> None:
    """Remove comments and declarations, put readings of words in brackets, and turn white space to single spaces."""
    in_pre = {id(string) for pre in body("pre") for string in pre.find_all(string=True)}
    before = ""
    for string in body.find_all(string=True):
        if type(string) is not NavigableString:  # how a word is read, or a comment or declaration
            _put(string, f"({string})" if isinstance(string, RubyTextString) else "")
            continue
        is_code = id(string) in in_pre
        text = re.sub(r"\f" if is_code else r"\s+", " ", without_invisible(string))
        if not is_code and text != " " and (before[-1:] == " " or _is_break(string.previous_sibling)):
            text = text.removeprefix(" ")
        _put(string, text)
        before = text or before


def _put(string: NavigableString, text: str) -> None:
    """Replace a string; an empty one goes, since the converter would take the space beside it for the block's edge."""
    if text:
        string.replace_with(text)
    else:
        string.extract()


def _is_break(element: object) -> bool:
    return isinstance(element, Tag) and element.name == "br"


def _write_links(body: Tag) -> None:
    """Write the address of each link behind its text, or below the heading that it is in."""
    for link in body("a", href=True):
        if address := address_of(str(link["href"]), link.get_text()):
            if heading := link.find_parent(_HEADING):
                heading.insert_after(_paragraph(address))
            else:
                link.append(f"({address}) " if link.get_text()[-1:] == " " else f" ({address})")


def _paragraph(text: str) -> Tag:
    paragraph = Tag(name="p")
    paragraph.string = text
    return paragraph


def _flatten(body: Tag) -> None:
    """Unwrap elements nested too deeply for the converter; old pages leave hundreds of tags open."""
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
    """Turn marked lines into Markdown headings; returns tidy text and headings. Marks inside a line are removed."""
    marked = re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in marked.split("\n"))).strip()
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
