"""ODT, ODS and ODP -> Markdown text as a reader sees it; a table per block of cells, a page per slide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from html import escape

from lxml import etree

from ingest.parse.archive import opendocument_parts
from ingest.parse.document import Page, Parsed, hidden_note, joined, joined_notes, note_pages, one_line, real_title
from ingest.parse.fields import Field
from ingest.parse.figures import in_package
from ingest.parse.html.markup import from_html
from ingest.parse.office.opendocument_html import Html, plain
from ingest.parse.office.opendocument_styles import attribute, name_of
from ingest.parse.office.parts import is_telling, tree
from ingest.parse.office.sheets import headed
from ingest.parse.sheet_tables import block_text, blocks

_MOST_CELLS = 200_000
"""Cells of a sheet that repeat others or are merged; a sheet may claim to have billions."""
_MOST_REPEATED = 1000
_RUNNING = ("header", "footer", "date-time", "page-number")
_FIELDS = ("page-number", "page-count", "date", "time", "sheet-name", "file-name")


def parse_opendocument(data: bytes) -> Parsed:
    """Parse a text, spreadsheet or presentation, whichever the file contains."""
    parts = opendocument_parts(data)
    content, styles = tree(parts["content.xml"]), tree(parts.get("styles.xml", b"<none/>"))
    body = content.find("{*}body/*")
    kind = "" if body is None else name_of(body)
    html = Html(content, styles, parts)
    title = real_title(tree(parts.get("meta.xml", b"<none/>")).findtext(".//{*}title", ""))
    if kind == "office:spreadsheet":
        parsed = _book(html, body, title, "".join(_edges(html, styles)))
    elif kind == "office:presentation":
        parsed = _deck(html, body, title)
    else:
        text = "" if body is None else html.of(body)
        parsed = from_html(text + html.notes() + "".join(_edges(html, styles)))
    embedded = f"embedded files not read: {', '.join(sorted(html.embedded))}" if html.embedded else ""
    hidden = (hidden_note(html.hidden[what], what) for what in sorted(html.hidden))
    return replace(parsed, note=joined_notes(*hidden, embedded), figures=in_package(parsed.figures, data))


def _edges(html: Html, styles: etree._Element) -> Iterator[str]:
    """Yield the lines of headers and footers that say more than the number of the page, each once."""
    edges = [
        edge
        for name in ("header", "footer")
        for kind in ("", "-left", "-first")
        for edge in styles.iter(f"{{*}}{name}{kind}")
        if attribute(edge, "style:display") != "false"
    ]
    for field in (field for edge in edges for field in edge.iter(*(f"{{*}}{name}" for name in _FIELDS))):
        field.text = ""
    lines = (plain(html.of(paragraph)) for edge in edges for paragraph in edge.iter("{*}p"))
    yield from (f"<p>{escape(line)}</p>" for line in dict.fromkeys(filter(is_telling, lines)))


def _book(html: Html, body: etree._Element, title: str, edges: str) -> Parsed:
    """Return the visible sheets below their names, each with its pictures and text boxes; what pages repeat is last."""
    parts = [headed(1, title, "")] if title else []
    for table in body.iterfind("{*}table"):
        if html.styles.look(table).get("display") == "false":
            html.hidden["sheets"] += 1
            continue
        cells = "\n\n".join(map(block_text, blocks(_grid(html, table))))
        drawn = from_html(html.drawn(table))
        if text := "\n\n".join(filter(None, (cells, drawn.pages[0].text))):
            sheet = headed(2 if title else 1, one_line(attribute(table, "table:name")), text)
            above = len(sheet.pages[0].text) - len(drawn.pages[0].text)
            figures = (replace(figure, position=figure.position + above) for figure in drawn.figures)
            parts.append(replace(sheet, figures=tuple(figures)))
    return joined([*parts, from_html(edges)] if edges else parts, title)


def _grid(html: Html, table: etree._Element) -> Iterator[list[str]]:
    """Yield the visible rows; a merged cell is repeated in each of its fields."""
    merged: dict[tuple[int, int], Field] = {}
    top, num_left = 0, _MOST_CELLS
    for row, times in html.rows(table):
        fields: list[str] = []
        for left, cell in row:
            width, height = html.span(cell)
            is_covered = name_of(cell) == "table:covered-table-cell"
            field = merged.get((top, left), Field("")) if is_covered else _field(html, cell)
            if 1 < width * height <= num_left:
                num_left -= width * height
                field = Field(field, merged=cell, strong=field.strong)
                merged |= {(y, x): field for y in range(top, top + height) for x in range(left, left + width)}
            fields.append(field)
        times = min(times, _MOST_REPEATED, max(1, num_left // max(1, len(fields)))) if any(fields) else 1
        num_left -= (times - 1) * len(fields)
        top += times
        yield from [fields] * times


def _field(html: Html, cell: etree._Element) -> Field:
    """Return a cell's text, its comment last."""
    for comment in cell.findall("{*}annotation"):
        cell.append(comment)
    strong = html.styles.look(cell).get("font-weight") == "bold"
    is_simple = len(cell) == 1 and not len(cell[0]) and name_of(cell[0]) == "text:p" and not cell[0].attrib
    if is_simple and not html.styles.is_hidden(cell):  # most are, and it is ten times as fast
        return Field(one_line(cell[0].text or ""), strong=strong)
    shown = plain(html.of(cell)) or attribute(cell, "office:string-value") or attribute(cell, "office:value")
    return Field(shown, strong=strong)


def _deck(html: Html, body: etree._Element, title: str) -> Parsed:
    """Return a page per visible slide; the title of the presentation, or else of a slide, is the outermost heading."""
    slides = list(body.iterfind("{*}page"))
    note_pages(len(slides))
    shown = [
        (number, slide)
        for number, slide in enumerate(slides, 1)
        if html.styles.look(slide).get("visibility") != "hidden"
    ]
    html.hidden["slides"] += len(slides) - len(shown)
    headings = {number: _words(html, (shape for shape in slide if _role(shape) == "title")) for number, slide in shown}
    title = title or next(filter(None, headings.values()), "")
    pages = []
    for number, slide in shown:
        first, heading = title if number == 1 else "", headings[number]
        top = f"<h1>{escape(first)}</h1>" * bool(first) + f"<h2>{escape(heading)}</h2>" * (heading not in ("", first))
        shapes = html.in_order(shape for shape in slide if _role(shape) not in ("title", *_RUNNING))
        notes = _words(html, (frame for frame in slide.iterfind("{*}notes/{*}frame") if _role(frame) not in _RUNNING))
        parsed = from_html(top + shapes + f"<p>Notes: {escape(notes)}</p>" * bool(notes))
        figures = tuple(replace(figure, page=number) for figure in parsed.figures)
        pages.append(replace(parsed, pages=(Page(number, parsed.pages[0].text),), figures=figures))
    return joined(pages, title)


def _role(shape: etree._Element) -> str:
    return attribute(shape, "presentation:class")


def _words(html: Html, shapes: Iterable[etree._Element]) -> str:
    return plain(" ".join(map(html.of, shapes)))
