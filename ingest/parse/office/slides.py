"""PPTX -> a page per slide, with tables, charts and notes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import quote

from lxml import etree

from ingest.parse.archive import embedded_note, office_file
from ingest.parse.document import Page, Parsed, hidden_note, joined, joined_notes, note_pages, one_line, real_title
from ingest.parse.figures import in_package
from ingest.parse.html.markup import from_html
from ingest.parse.marks import list_figure
from ingest.parse.office.charts import chart_html, diagram_html
from ingest.parse.office.formulas import MATH, formula_text
from ingest.parse.office.parts import tree
from ingest.parse.office.slide_order import in_order
from ingest.parse.office.slide_titles import title_shape
from ingest.parse.symbols import as_shown, check_of

_SMALLEST = 200  # hundredths of a point
_TEXT = re.compile(r"<p>[^<]*</p>")
_FIGURE = re.compile(r"<p>\W?\d[^<]{0,10}</p>")
_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_EMBEDDED = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}embed"
_DIAGRAM = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}dm"
_LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def parse_pptx(data: bytes) -> Parsed:
    """Parse a presentation; its title, from the properties or the first slide, is the outermost heading."""
    from pptx.package import Package

    package = office_file(data)
    # not pptx.Presentation, which refuses slide shows
    deck = Package.open(io.BytesIO(package)).main_document_part.presentation
    slides = list(deck.slides)
    note_pages(len(slides))
    num_unseen = sum(_prepare(slide, deck.slide_width) for slide in slides if not _is_hidden(slide))
    title = real_title(deck.core_properties.title or "") or next(
        filter(None, (_title(title_shape(slide)) for slide in slides if not _is_hidden(slide))), ""
    )
    pages = []
    num_hidden = sum(_is_hidden(slide) for slide in slides)
    for number, slide in enumerate(slides, 1):
        if _is_hidden(slide):
            continue
        parsed = from_html(_slide(slide, title, number))
        figures = (replace(figure, page=number) for figure in parsed.figures)
        pages.append(Parsed((Page(number, parsed.pages[0].text),), parsed.headings, "", figures=tuple(figures)))
    whole = joined(
        pages, title, joined_notes(hidden_note(num_hidden, "slides"), hidden_note(num_unseen), embedded_note(package))
    )
    return replace(whole, figures=in_package(whole.figures, package))


def _is_hidden(slide: Any) -> bool:
    return slide._element.get("show") in ("0", "false")


def _prepare(slide: Any, width: int) -> int:
    """Put alternative content and formulas where python-pptx reads them; remove and count texts that are not shown."""
    for choice in list(slide._element.iter("{*}AlternateContent")):
        drawn = choice.find("{*}Choice[1]/{*}contentPart") is not None  # ink, which only its picture shows
        for child in choice.findall("{*}Fallback/*" if drawn else "{*}Choice[1]/*"):
            choice.addprevious(child)
        choice.getparent().remove(choice)
    for ink in list(slide._element.iter("{*}contentPart")):
        ink.getparent().remove(ink)
    for formula in list(slide._element.iter(f"{MATH}oMath")):
        run = etree.SubElement(etree.Element(f"{_DRAWING}p"), f"{_DRAWING}r")
        etree.SubElement(run, f"{_DRAWING}t").text = formula_text(formula)
        formula.getparent().replace(formula, run)
    unseen = [shape._element for shape in slide.shapes if _is_unseen(shape, width)]
    looks = slide._element.iter(f"{_DRAWING}rPr")
    unseen += [look.getparent() for look in looks if int(look.get("sz", "1800")) < _SMALLEST]
    if _is_white(slide):
        color = f"{_DRAWING}rPr/{_DRAWING}solidFill/{_DRAWING}srgbClr[@val='FFFFFF']"
        unseen += [run for run in slide._element.iter(f"{_DRAWING}r") if run.find(color) is not None]
    for element in unseen:
        element.getparent().remove(element)
    return sum(bool("".join(element.itertext()).strip()) for element in unseen)


def _is_unseen(shape: Any, width: int) -> bool:
    """Return whether a shape is hidden or beside the slide."""
    named = next(shape._element.iter("{*}cNvPr"), None)
    left, right = shape.left or 0, (shape.left or 0) + (shape.width or 0)
    return (named is not None and named.get("hidden") in ("1", "true")) or right < 0 or left > width


def _is_white(slide: Any) -> bool:
    """Return whether nothing on the slide or behind it has a color."""
    layout = slide.slide_layout
    parts = [part._element for part in (slide, layout, layout.slide_master)]
    colored = ("{*}pic", "{*}blipFill", "{*}gradFill", "{*}style", "{*}graphicFrame")
    filled = f"{{*}}spPr/{_DRAWING}solidFill", f"{{*}}bgPr/{_DRAWING}solidFill"
    return (
        not any(True for part in parts for _ in part.iter(*colored))
        and not any(part.find(f".//{path}") is not None for part in parts for path in filled)
        and all(color.get("val") == "bg1" for part in parts for color in part.iterfind(".//{*}bgRef/{*}schemeClr"))
    )


def _title(shape: Any) -> str:
    """Return the text of a slide's title, '' without one."""
    return one_line(shape.text_frame.text) if shape is not None and shape.has_text_frame else ""


def _slide(slide: Any, deck_title: str, number: int) -> str:
    heading = title_shape(slide)
    title = _title(heading)
    headings = [f"<h1>{escape(deck_title)}</h1>"] if number == 1 and deck_title else []
    if title and not (headings and title == deck_title):
        headings.append(f"<h2>{escape(title)}</h2>")
    shapes = [shape for shape in slide.shapes if heading is None or shape.shape_id != heading.shape_id]
    return "".join([*headings, *map(_column, in_order(shapes)), _notes(slide)])


def _column(shapes: Sequence[Any]) -> str:
    """Return shapes below each other as HTML; a figure and its label are one paragraph."""
    texts = list(map(_shape, shapes))
    is_tile = len(texts) > 1 and all(map(_TEXT.fullmatch, texts)) and any(map(_FIGURE.fullmatch, texts))
    return "".join(texts).replace("</p><p>", " ") if is_tile else "".join(texts)


def _shape(shape: Any) -> str:
    if hasattr(shape, "shapes"):  # a group
        return "".join(map(_column, in_order(shape.shapes)))
    if getattr(shape, "has_table", False):
        return _cells(shape.table)
    if shape.has_text_frame:
        return "" if _is_running(shape) else _text(shape)
    return _picture(shape) or "".join(_related(shape))


def _picture(shape: Any) -> str:
    """Return a picture as <img> with the name of its part of the file, '' for another shape."""
    blip = shape._element.find(f"{{*}}blipFill/{_DRAWING}blip")
    name = blip.get(_EMBEDDED) if blip is not None else None
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
    link = next(shape._element.iter("{*}cNvPr")).find(f"{_DRAWING}hlinkClick")
    address = _address(shape.part, link.get(_LINK)) if link is not None else ""
    below = f'<p><a href="{escape(address)}">Link</a></p>' if address and paragraphs else ""
    if not (body or bullets):
        return "".join(f"<p>{_words(paragraph)}</p>" for paragraph in paragraphs) + below
    return "".join(_list(paragraphs)) + below


def _list(paragraphs: list[Any]) -> Iterator[str]:
    depth = 0
    for paragraph in paragraphs:
        level = min(paragraph.level + 1, depth + 1)  # a list begins at its outermost level
        yield "<ul>" if level > depth else "</li>" + "</ul></li>" * (depth - level)
        yield f"<li>{_number(paragraph)}{_words(paragraph)}"
        depth = level
    yield "</li></ul>" * depth


def _number(paragraph: Any) -> str:
    """Return the automatic number of a paragraph, counted from the first of its kind in sequence, or a check mark."""
    kind = _numbering(paragraph._p)
    if kind is None:
        return _check(paragraph._p)
    count, level = 0, paragraph._p.pPr.get("lvl", "0")
    for before in paragraph._p.itersiblings(f"{_DRAWING}p", preceding=True):
        depth = before.pPr.get("lvl", "0") if before.pPr is not None else "0"
        if depth < level or (depth == level and (_numbering(before) is None or before.pPr is None)):
            break
        count += depth == level
    number, name = int(kind.get("startAt", "1")) + count, kind.get("type", "")
    style = "a" if name.startswith("alpha") else "i" if name.startswith("roman") else "1"
    figure = list_figure(number, style.upper() if "Uc" in name else style)
    return f"({figure}) " if "ParenBoth" in name else f"{figure}) " if "Paren" in name else f"{figure}. "


def _check(paragraph: Any) -> str:
    bullet, font = (paragraph.find(f"{_DRAWING}pPr/{_DRAWING}{name}") for name in ("buChar", "buFont"))
    return "" if bullet is None else check_of(bullet.get("char", ""), "" if font is None else font.get("typeface", ""))


def _numbering(paragraph: Any) -> Any:
    return None if paragraph.pPr is None else paragraph.pPr.find(f"{_DRAWING}buAutoNum")


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
    text = "".join(words.text or "" for words in part.iter(f"{_DRAWING}t"))
    look = part.find(f"{_DRAWING}rPr")
    if look is None or not text:
        return escape(text)
    for font in look.iterchildren(f"{_DRAWING}latin", f"{_DRAWING}sym"):
        text = as_shown(text, font.get("typeface", ""))
    text = escape(text)
    position = int(look.get("baseline", "0").rstrip("%") or 0)
    for name, applies in (("sup", position > 0), ("sub", position < 0), ("s", "Strike" in look.get("strike", "no"))):
        text = f"<{name}>{text}</{name}>" if applies else text
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


def _related(shape: Any) -> Iterator[str]:
    """Yield the charts and diagrams of a frame, which are in separate parts of the file."""
    for element in shape._element.iter("{*}chart", "{*}relIds"):
        for name in (name for key, name in element.attrib.items() if key in (_LINK, _DIAGRAM)):
            if name in shape.part.rels and not shape.part.rels[name].is_external:
                read = chart_html if element.tag.endswith("}chart") else diagram_html
                yield read(shape.part.related_part(name).blob)


def _notes(slide: Any) -> str:
    frame = slide.notes_slide.notes_text_frame if slide.has_notes_slide else None
    words = one_line(frame.text) if frame is not None else ""
    return (f"<p>Notes: {escape(words)}</p>" if words else "") + "".join(_comments(slide.part))


def _comments(part: Any) -> Iterator[str]:
    for relation in part.rels.values():
        if relation.reltype.endswith("/comments") and not relation.is_external:
            for comment in tree(relation.target_part.blob).iter("{*}cm"):
                words = one_line(" ".join(text.text or "" for text in comment.iter("{*}text", "{*}t")))
                yield f"<p>(Comment: {escape(words)})</p>"
