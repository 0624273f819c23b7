"""PPTX -> a page per slide, with tables, charts and notes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import quote

from ingest.parse.archive import office_file
from ingest.parse.document import Page, Parsed, hidden_note, joined, note_pages, one_line, real_title
from ingest.parse.figures import in_package
from ingest.parse.html.markup import from_html

_ROW = 300_000  # EMU, a third of an inch: shapes whose tops differ by less are side by side
_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def parse_pptx(data: bytes) -> Parsed:
    """Parse a presentation; its title, from the properties or the first slide, is the outermost heading."""
    from pptx import Presentation

    package = office_file(data)
    deck = Presentation(io.BytesIO(package))
    slides = list(deck.slides)
    note_pages(len(slides))
    title = real_title(deck.core_properties.title or "") or next(
        filter(None, (_title(slide) for slide in slides if not _is_hidden(slide))), ""
    )
    pages = []
    num_hidden = sum(_is_hidden(slide) for slide in slides)
    for number, slide in enumerate(slides, 1):
        if _is_hidden(slide):
            continue
        parsed = from_html(_slide(slide, title, number))
        figures = (replace(figure, page=number) for figure in parsed.figures)
        pages.append(Parsed((Page(number, parsed.pages[0].text),), parsed.headings, "", figures=tuple(figures)))
    whole = joined(pages, title, hidden_note(num_hidden, "slides"))
    return replace(whole, figures=in_package(whole.figures, package))


def _is_hidden(slide: Any) -> bool:
    return slide._element.get("show") in ("0", "false")


def _title(slide: Any) -> str:
    shape = slide.shapes.title
    return one_line(shape.text_frame.text) if shape is not None and shape.has_text_frame else ""


def _slide(slide: Any, deck_title: str, number: int) -> str:
    title = _title(slide)
    headings = [f"<h1>{escape(deck_title)}</h1>"] if number == 1 and deck_title else []
    if title and not (headings and title == deck_title):
        headings.append(f"<h2>{escape(title)}</h2>")
    heading = slide.shapes.title
    shapes = [shape for shape in slide.shapes if heading is None or shape.shape_id != heading.shape_id]
    return "".join([*headings, *(_shape(shape) for shape in _in_order(shapes)), _notes(slide)])


def _in_order(shapes: Iterable[Any]) -> list[Any]:
    return sorted(shapes, key=lambda shape: ((shape.top or 0) // _ROW, shape.left or 0))


def _shape(shape: Any) -> str:
    if hasattr(shape, "shapes"):  # a group
        return "".join(map(_shape, _in_order(shape.shapes)))
    if getattr(shape, "has_table", False):
        return _cells(shape.table)
    if getattr(shape, "has_chart", False):
        return _chart(shape.chart)
    if shape.has_text_frame:
        return "" if _is_running(shape) else _text(shape)
    return _picture(shape) or _diagram(shape)


def _picture(shape: Any) -> str:
    """Return a picture as <img> with the name of its part of the file, '' for another shape."""
    name = getattr(shape._element, "blip_rId", None)
    if not name or name not in shape.part.rels or shape.part.rels[name].is_external:
        return ""
    source = quote(str(shape.part.related_part(name).partname).lstrip("/"))
    words = shape._element.nvPicPr.cNvPr.get("descr", "")
    return f'<p><img src="{escape(source)}" alt="{escape(words)}"></p>'


def _is_running(shape: Any) -> bool:
    """Return whether it is a date, footer or slide number, repeated on every slide."""
    from pptx.enum.shapes import PP_PLACEHOLDER as KINDS

    return shape.is_placeholder and shape.placeholder_format.type in (KINDS.DATE, KINDS.FOOTER, KINDS.SLIDE_NUMBER)


def _text(shape: Any) -> str:
    """Return paragraphs as HTML, as a list if they have levels or bullets, or if a slide's body has several."""
    paragraphs = [paragraph for paragraph in shape.text_frame.paragraphs if paragraph.text.strip()]
    body = shape.is_placeholder and len(paragraphs) > 1
    bullets = any(paragraph.level or _has_bullet(paragraph) for paragraph in paragraphs)
    if not (body or bullets):
        return "".join(f"<p>{_words(paragraph)}</p>" for paragraph in paragraphs)
    return "".join(_list(paragraphs))


def _list(paragraphs: list[Any]) -> Iterator[str]:
    depth = 0
    for paragraph in paragraphs:
        level = min(paragraph.level + 1, depth + 1)  # a list begins at its outermost level
        yield "<ul>" if level > depth else "</li>" + "</ul></li>" * (depth - level)
        yield f"<li>{_words(paragraph)}"
        depth = level
    yield "</li></ul>" * depth


def _has_bullet(paragraph: Any) -> bool:
    properties = paragraph._p.pPr
    return properties is not None and any(
        properties.find(_DRAWING + kind) is not None for kind in ("buChar", "buAutoNum")
    )


def _words(paragraph: Any) -> str:
    """Return a paragraph's text as HTML, with links and raised figures."""
    return one_line("".join(_run(part, paragraph) for part in paragraph._p))


def _run(part: Any, paragraph: Any) -> str:
    if part.tag == f"{_DRAWING}br":
        return " "
    text = escape("".join(words.text or "" for words in part.iter(f"{_DRAWING}t")))
    look = part.find(f"{_DRAWING}rPr")
    if look is None or not text:
        return text
    if int(look.get("baseline", "0").rstrip("%") or 0) > 0:
        text = f"<sup>{text}</sup>"
    link = look.find(f"{_DRAWING}hlinkClick")
    address = _address(paragraph.part, link.get(_LINK) if link is not None else None)
    return f'<a href="{escape(address)}">{text}</a>' if address else text


def _address(part: Any, name: str | None) -> str:
    relation = part.rels.get(name) if name else None
    return str(relation.target_ref) if relation is not None and relation.is_external else ""


def _cells(table: Any) -> str:
    """Return a table as HTML, its header row or column marked."""
    rows = []
    for row_index, row in enumerate(table.rows):
        cells = ""
        for column, cell in enumerate(row.cells):
            if not cell.is_spanned:
                header = (row_index == 0 and table.first_row) or (column == 0 and table.first_col)
                name = "th" if header else "td"
                spans = f' rowspan="{cell.span_height}" colspan="{cell.span_width}"' if cell.is_merge_origin else ""
                text = "<br>".join(map(_words, cell.text_frame.paragraphs))
                cells += f"<{name}{spans}>{text}</{name}>"
        rows.append(f"<tr>{cells}</tr>")
    return f"<table>{''.join(rows)}</table>"


def _table(header: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    cells = ("".join(f"<td>{escape(str(cell))}</td>" for cell in row) for row in rows)
    names = "".join(f"<th>{escape(str(cell))}</th>" for cell in header)
    return f"<table><tr>{names}</tr>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"


def _chart(chart: Any) -> str:
    """Return the chart's title and, if it has categories, its numbers as a table."""
    title = chart.chart_title.text_frame.text if chart.has_title and chart.chart_title.has_text_frame else ""
    try:
        plot = chart.plots[0]
        series = [(line.name, list(line.values)) for line in plot.series]
        rows = [[category, *(values[row] for _, values in series)] for row, category in enumerate(plot.categories)]
    except (IndexError, KeyError, NotImplementedError, ValueError):  # this kind of chart has no categories
        return f"<p>{escape(title)}</p>"
    header = ["", *(name for name, _ in series)]
    shown = [
        ["" if cell is None else f"{cell:.15g}" if isinstance(cell, float) else cell for cell in row] for row in rows
    ]
    return f"<p>{escape(title)}</p>" + (_table(header, shown) if rows else "")


def _diagram(shape: Any) -> str:
    """Return the words of a SmartArt diagram, which are in a separate part of the file."""
    from lxml import etree

    frame = etree.tostring(shape._element).decode()
    words = []
    for name in re.findall(r'r:dm="(\w+)"', frame):
        part = shape.part.related_part(name)
        tree = etree.fromstring(part.blob, etree.XMLParser(resolve_entities=False))
        for paragraph in tree.iter(f"{_DRAWING}p"):
            words.append("".join(text.text or "" for text in paragraph.iter(f"{_DRAWING}t")))
    return "<ul>" + "".join(f"<li>{escape(one_line(word))}</li>" for word in words if word.strip()) + "</ul>"


def _notes(slide: Any) -> str:
    frame = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    words = one_line(frame.text) if frame is not None else ""
    return f"<p>Notes: {escape(words)}</p>" if words else ""
