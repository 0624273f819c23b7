"""DOCX -> Markdown text by mammoth, after numbers, fields and formulas are written out and hidden text is removed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import mammoth
from lxml import etree

from ingest.parse.archive import office_file
from ingest.parse.document import Parsed, hidden_note
from ingest.parse.figures import in_package
from ingest.parse.html.markup import from_html
from ingest.parse.office.numbering import Numbering, W, flag, value

_DOCUMENT = "word/document.xml"
_MEDIA = "word/media/"
"""Pictures, replaced by their own names while the text is converted."""
_NOT_TEXT = (_MEDIA, "word/embeddings/", "word/fonts/")
_MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_SMALLEST = 4
"""Half points; smaller text is not for readers."""


def parse_docx(data: bytes) -> Parsed:
    """Parse a Word document by its styles; the style Title is the outermost heading."""
    styles = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => p:fresh"
    package = office_file(data)
    file, num_hidden = _written_out(package)
    pictures = mammoth.images.img_element(lambda image: _source(image) if file is not package else {})
    html = mammoth.convert_to_html(io.BytesIO(file), style_map=styles, convert_image=pictures).value
    parsed = from_html(html)
    return replace(parsed, note=hidden_note(num_hidden), figures=in_package(parsed.figures, package))


def _source(image: Any) -> dict[str, str]:
    """Return the source of a picture: the name of its part of the file, which `_written_out` put in its place."""
    with suppress(KeyError, UnicodeDecodeError), image.open() as name:  # missing, or elsewhere in the file
        return {"src": quote(name.read().decode())}
    return {}


def _written_out(data: bytes) -> tuple[bytes, int]:
    """Return the file with all visible text in runs, and how many hidden pieces of text were removed."""
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        parts = {name: package.read(name) for name in package.namelist() if not name.startswith(_NOT_TEXT)}
        parts |= {name: name.encode() for name in package.namelist() if name.startswith(_MEDIA)}
    if _DOCUMENT not in parts:
        return data, 0
    document = _tree(parts[_DOCUMENT])
    styles, numbering = (_tree(parts.get(f"word/{name}.xml", b"<none/>")) for name in ("styles", "numbering"))
    num_hidden = _remove_hidden(document)
    _unlink_pictures(document)
    _unwrap_fields(document)
    _write_formulas(document)
    _mark_headers(document, styles)
    Numbering(styles, numbering).write_into(document)
    parts[_DOCUMENT] = etree.tostring(document, encoding="utf-8")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for name, part in parts.items():
            package.writestr(name, part)
    return buffer.getvalue(), num_hidden


def _tree(xml: bytes) -> etree._Element:
    return etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))


def _remove_hidden(document: etree._Element) -> int:
    """Remove runs that are hidden, tiny, or white on the page; returns how many had text."""
    hidden = [run for run in document.iter(f"{W}r") if _is_hidden(run)]
    for run in hidden:
        run.getparent().remove(run)
    return sum(bool("".join(run.itertext()).strip()) for run in hidden)


def _is_hidden(run: etree._Element) -> bool:
    look = run.find(f"{W}rPr")
    if look is None:
        return False
    size = value(look, "sz")
    tiny = size.isdigit() and int(size) < _SMALLEST
    white = value(look, "color").upper() == "FFFFFF" and not any(True for _ in _shaded(run))
    return flag(look, "vanish") or tiny or white


def _shaded(run: etree._Element) -> Iterator[etree._Element]:
    """Yield what may make the ground of a run dark: shades, highlights, tables and drawings around it."""
    yield from run.findall(f"{W}rPr/{W}shd")
    yield from run.findall(f"{W}rPr/{W}highlight")
    for outer in run.iterancestors():
        if outer.tag in (f"{W}tbl", f"{W}txbxContent"):
            yield outer
        yield from outer.findall(f"{W}pPr/{W}shd")


def _unlink_pictures(document: etree._Element) -> None:
    """Forget the addresses of pictures that are not in the file, so that nothing reads them."""
    for picture in document.iter("{*}blip", "{*}imagedata"):
        for name in [name for name in picture.attrib if etree.QName(name).localname == "link"]:
            del picture.attrib[name]


def _unwrap_fields(document: etree._Element) -> None:
    """Put the result of simple fields, such as a reference, where the field is; mammoth does not read these."""
    for simple in list(document.iter(f"{W}fldSimple")):
        for child in list(simple):
            simple.addprevious(child)
        simple.getparent().remove(simple)


def _write_formulas(document: etree._Element) -> None:
    for formula in list(document.iter(f"{_MATH}oMath")):
        text = _formula_text(formula)
        formula.addprevious(_run(text))
        formula.getparent().remove(formula)


def _formula_text(element: etree._Element) -> str:
    """Return a formula in one line, with / for fractions, ^ and _ for raised and lowered parts."""
    name = element.tag.removeprefix(_MATH) if isinstance(element.tag, str) else ""
    if name == "t":
        return element.text or ""
    inner = "".join(map(_formula_text, element))
    marks = {"sup": "^", "sub": "_", "den": "/"}
    if name in (*marks, "num") and len(inner) > 1 and not inner.isalnum():
        inner = f"({inner})"
    return marks.get(name, "") + inner


def _run(text: str) -> etree._Element:
    run = etree.Element(f"{W}r")
    words = etree.SubElement(run, f"{W}t")
    words.text = text
    words.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    return run


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
            properties = row.find(f"{W}trPr")
            if properties is None:
                properties = etree.Element(f"{W}trPr")
                row.insert(0, properties)
            etree.SubElement(properties, f"{W}tblHeader")
