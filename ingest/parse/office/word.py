"""DOCX -> Markdown text by mammoth, after numbers, fields and formulas are written out and hidden text is removed."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from html import escape
from typing import Any
from urllib.parse import quote

import mammoth
from lxml import etree

from ingest.parse.archive import embedded_note, office_file
from ingest.parse.document import Parsed, hidden_note, joined_notes, one_line
from ingest.parse.encoding import read_markup, read_text
from ingest.parse.figures import in_package
from ingest.parse.html.markup import from_html
from ingest.parse.office.charts import chart_html, diagram_html
from ingest.parse.office.formulas import MATH, formula_text
from ingest.parse.office.numbering import Numbering, W, properties_of, run_of, value
from ingest.parse.office.outline import headings_by_look, mark_headings, remove_contents
from ingest.parse.office.parts import is_telling, tree
from ingest.parse.office.runs import Looks

_DOCUMENT = "word/document.xml"
_MEDIA = "word/media/"
"""Pictures, replaced by their own names while the text is converted."""
_NOT_TEXT = (_MEDIA, "word/embeddings/", "word/fonts/")
_IS_CHANGED = re.compile(r"word/(document|numbering|footnotes|endnotes|comments|header\d*|footer\d*)\.xml")
_AT_EDGE = re.compile(r"word/(header|footer)")
_DRAWING_MARK = "\ue002"
"""A private character, stands for a chart, diagram or imported text while the text is converted."""
_IMPORT = f"{W}altChunk"
_SIGNS = {"cr": "br", "br": "tab", "ptab": "tab", "noBreakHyphen": "t"}
_MOST_COLUMNS = 63


def parse_docx(data: bytes) -> Parsed:
    """Parse a Word document by its styles; the style Title is the outermost heading."""
    styles = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => p:fresh\ncomment-reference => sup"
    package = office_file(data)
    written = _written_out(package)
    pictures = mammoth.images.img_element(lambda image: _source(image) if written.file is not package else {})
    html = mammoth.convert_to_html(io.BytesIO(written.file), style_map=styles, convert_image=pictures).value
    html = re.sub(r'\s*<a href="#[\w-]+-ref-\w+">↑</a>', "", html)  # links back from notes
    for number, drawing in enumerate(written.drawings):
        html = html.replace(f"<p>{_DRAWING_MARK}{number}.</p>", drawing)
    note = joined_notes(hidden_note(written.num_hidden), embedded_note(package), written.note)
    parsed = from_html(html)
    return replace(parsed, note=note, figures=in_package(parsed.figures, package))


def _source(image: Any) -> dict[str, str]:
    """Return the source of a picture: the name of its part of the file, which `_written_out` put in its place."""
    with suppress(KeyError, UnicodeDecodeError), image.open() as name:  # missing, or elsewhere in the file
        return {"src": quote(name.read().decode())}
    return {}


@dataclass(frozen=True, slots=True)
class _Written:
    """A file with all visible text in runs: its charts and diagrams as HTML, how many hidden texts it had, a note."""

    file: bytes
    drawings: Sequence[str] = ()
    num_hidden: int = 0
    note: str = ""


def _written_out(data: bytes) -> _Written:
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        parts = {name: package.read(name) for name in package.namelist() if not name.startswith(_NOT_TEXT)}
        parts |= {name: name.encode() for name in package.namelist() if name.startswith(_MEDIA)}
    if _DOCUMENT not in parts:
        return _Written(data)
    trees = {name: tree(part) for name, part in parts.items() if _IS_CHANGED.fullmatch(name)}
    drawings, num_hidden, note = _write_out(trees, parts)
    parts |= {name: etree.tostring(root, encoding="utf-8") for name, root in trees.items()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for name, part in parts.items():
            package.writestr(name, part)
    return _Written(buffer.getvalue(), drawings, num_hidden, note)


def _write_out(trees: Mapping[str, etree._Element], parts: Mapping[str, bytes]) -> tuple[list[str], int, str]:
    """Change the parts with text for mammoth; returns drawings, number of hidden texts and note."""
    document, styles = trees[_DOCUMENT], tree(parts.get("word/styles.xml", b"<none/>"))
    looks, num_hidden = Looks(styles), 0
    for root in trees.values():
        _move_text_boxes(root)
        _join_initials(root)
        _unwrap(root)
        _write_formulas(root)
        num_hidden += looks.write_into(root)
        _unlink_pictures(root)
    targets = _targets(parts)
    drawings = list(_mark_drawings(document, parts, targets))
    remove_contents(document, styles)
    _fill_rows(document)
    _mark_headers(document, styles)
    numbering = Numbering(styles, trees.get("word/numbering.xml", tree(b"<none/>")))
    by_look = headings_by_look(document, styles, numbering, looks)
    numbering.write_into(document, {paragraph for paragraph, _ in by_look})
    mark_headings(document, styles, looks, by_look)
    for line in dict.fromkeys(line for name, root in trees.items() if _AT_EDGE.match(name) for line in _lines(root)):
        _append(document, line)
    unread = ", ".join(posixpath.basename(_target(chunk, targets)) for chunk in document.iter(_IMPORT))
    return drawings, num_hidden, f"imported files not read: {unread}" if unread else ""


def _lines(part: etree._Element) -> Iterator[str]:
    """Yield the lines of a header or footer that say more than the number of the page; a table's row is one line."""
    for element in part.iter(f"{W}p", f"{W}tr"):
        if next(element.iterancestors(f"{W}tr"), None) is None:
            cells = element.findall(f"{W}tc") if element.tag == f"{W}tr" else [element]
            texts = (one_line(" ".join(map(_words, cell.iter(f"{W}p")))) for cell in cells)
            line = " | ".join(filter(None, texts))
            if is_telling(line):
                yield line


def _words(paragraph: etree._Element) -> str:
    """Return the text of a header's paragraph without the number of the page and the heading that it repeats."""
    words, depth, is_number = "", 0, False
    for element in paragraph.iter(f"{W}fldChar", f"{W}instrText", f"{W}t", f"{W}tab"):
        if element.tag == f"{W}fldChar":
            depth += {"begin": 1, "end": -1}.get(element.get(f"{W}fldCharType", ""), 0)
            is_number = is_number and depth > 0
        elif element.tag == f"{W}instrText":
            is_number = is_number or re.search("PAGE|STYLEREF", element.text or "") is not None
        elif not is_number:
            words += element.text or " "
    return words


def _append(document: etree._Element, text: str) -> None:
    paragraph = etree.Element(f"{W}p")
    paragraph.append(run_of(text))
    body = document.find(f"{W}body")
    section = None if body is None else body.find(f"{W}sectPr")
    if section is not None:
        section.addprevious(paragraph)
    elif body is not None:
        body.append(paragraph)


def _targets(parts: Mapping[str, bytes]) -> dict[str, str]:
    """Return id -> part of the file that the document refers to."""
    relations = tree(parts.get("word/_rels/document.xml.rels", b"<none/>"))
    return {
        link.get("Id", ""): posixpath.normpath(posixpath.join("/word", link.get("Target", ""))).lstrip("/")
        for link in relations
    }


def _target(element: etree._Element, targets: Mapping[str, str]) -> str:
    return next((targets.get(text, "") for key, text in element.attrib.items() if key.endswith(("}id", "}dm"))), "")


def _mark_drawings(document: etree._Element, parts: Mapping[str, bytes], targets: Mapping[str, str]) -> Iterator[str]:
    """Yield charts, diagrams and imported texts as HTML, and put a mark for each below the paragraph that it is in."""
    number = 0
    for drawing in list(document.iter("{*}chart", "{*}relIds", _IMPORT)):
        name = _target(drawing, targets)
        outer = drawing if drawing.tag == _IMPORT else next(drawing.iterancestors(f"{W}p"), None)
        html = _html(drawing.tag, name, parts[name]) if name in parts else ""
        if html and outer is not None:
            mark = etree.Element(f"{W}p")
            mark.append(run_of(f"{_DRAWING_MARK}{number}."))
            outer.addnext(mark)
            if outer is drawing:
                outer.getparent().remove(outer)
            number += 1
            yield html


def _html(tag: str, name: str, part: bytes) -> str:
    """Return a chart, a diagram or an imported page or text as HTML, '' if it is of another format."""
    if tag != _IMPORT:
        return (chart_html if tag.endswith("}chart") else diagram_html)(part)
    if name.endswith((".htm", ".html", ".xhtml")):
        return re.sub(r"(?is)^.*<body[^>]*>|</body>.*$", "", read_markup(part))
    lines = re.split(r"\n\s*\n", read_text(part)) if name.endswith(".txt") else []
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _move_text_boxes(document: etree._Element) -> None:
    """Put text boxes that mammoth does not read below the paragraph that they are anchored in."""
    for box in list(document.iter(f"{W}txbxContent")):
        choice = next(box.iterancestors("{*}AlternateContent", "{*}pict"), None)
        outer = next(box.iterancestors(f"{W}p"), None)
        if outer is not None and (
            choice is None or (choice.tag.endswith("Content") and choice.find("{*}Fallback") is None)
        ):
            for paragraph in reversed(box):
                outer.addnext(paragraph)


def _join_initials(document: etree._Element) -> None:
    """Put a large first letter, which Word keeps in a frame of its own, before the rest of its word."""
    for frame in list(document.iter(f"{W}framePr")):
        letter = frame.getparent().getparent()
        rest = letter.getnext() if letter is not None and letter.tag == f"{W}p" else None
        if frame.get(f"{W}dropCap") in ("drop", "margin") and rest is not None and rest.tag == f"{W}p":
            properties_of(rest).addnext(run_of("".join(letter.itertext(f"{W}t"))))
            letter.getparent().remove(letter)


def _unlink_pictures(document: etree._Element) -> None:
    """Forget the addresses of pictures that are not in the file, so that nothing reads them."""
    for picture in document.iter("{*}blip", "{*}imagedata"):
        for name in [name for name in picture.attrib if etree.QName(name).localname == "link"]:
            del picture.attrib[name]


def _unwrap(document: etree._Element) -> None:
    """Put what mammoth does not read where it stands: results of fields, chosen entries, words below their reading.

    Breaks and hyphens too, without which words would join.
    """
    for sign in document.iter(*(f"{W}{name}" for name in _SIGNS)):
        is_line = sign.tag == f"{W}br" and sign.get(f"{W}type") not in ("page", "column")
        sign.tag = sign.tag if is_line else W + _SIGNS[etree.QName(sign).localname]
        sign.text = "-" if sign.tag == f"{W}t" else None
    for ruby in list(document.iter(f"{W}ruby")):
        base, reading = ("".join(ruby.find(f"{W}{name}").itertext(f"{W}t")) for name in ("rubyBase", "rt"))
        ruby.getparent().replace(ruby, run_of(f"{base}({reading})").find(f"{W}t"))
    for entries in document.iter(f"{W}ddList"):
        options, run = entries.findall(f"{W}listEntry"), next(entries.iterancestors(f"{W}r"), None)
        chosen = value(entries, "result") or value(entries, "default") or "0"
        if run is not None and int(chosen) < len(options):
            run.addprevious(run_of(options[int(chosen)].get(f"{W}val", "")))
    for wrapper in list(document.iter(*(f"{W}{name}" for name in ("fldSimple", "bdo", "dir")))):
        for child in list(wrapper):
            wrapper.addprevious(child)
        wrapper.getparent().remove(wrapper)


def _write_formulas(document: etree._Element) -> None:
    for formula in list(document.iter(f"{MATH}oMath")):
        formula.getparent().replace(formula, run_of(formula_text(formula)))


def _fill_rows(document: etree._Element) -> None:
    """Add the empty cells that a row of a table leaves out at its start and end."""
    for properties in list(document.iter(f"{W}trPr")):
        row = properties.getparent()
        for name, add in (("gridBefore", properties.addnext), ("gridAfter", row.append)):
            number = value(properties, name)
            for _ in range(min(int(number), _MOST_COLUMNS) if number.isdigit() else 0):
                add(etree.Element(f"{W}tc"))


def _mark_headers(document: etree._Element, styles: etree._Element) -> None:
    """Mark the first row of tables whose style sets it apart as a header."""
    apart = {
        style.get(f"{W}styleId")
        for style in styles.iter(f"{W}style")
        if any(part.get(f"{W}type") == "firstRow" for part in style.findall(f"{W}tblStylePr"))
    }
    for table in document.iter(f"{W}tbl"):
        look, row = table.find(f"{W}tblPr/{W}tblLook"), table.find(f"{W}tr")
        style = value(table.find(f"{W}tblPr"), "tblStyle")
        if style in apart and look is not None and look.get(f"{W}firstRow") == "1" and row is not None:
            etree.SubElement(properties_of(row, "trPr"), f"{W}tblHeader")
