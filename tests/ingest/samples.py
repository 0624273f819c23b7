"""Files of every format, made by hand: PDFs from lines, DOCX from paragraphs."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote
from xml.sax.saxutils import escape

import pypdf
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject


@dataclass(frozen=True)
class Bookmark:
    """An entry of a PDF's outline; page counts from 0."""

    title: str
    page: int
    level: int = 1


def make_pdf(
    pages: Sequence[Sequence[str]],
    bookmarks: Sequence[Bookmark] = (),
    title: str | None = None,
    password: str | None = None,
    to_unicode: bytes | None = None,
) -> bytes:
    """A text PDF: one list of printed lines for each page; to_unicode is the font's character map."""
    writer = pypdf.PdfWriter()
    names = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica", "/Encoding": "/WinAnsiEncoding"}
    font = DictionaryObject({NameObject(key): NameObject(value) for key, value in names.items()})
    if to_unicode:
        font[NameObject("/ToUnicode")] = writer._add_object(_stream(to_unicode))
    fonts = DictionaryObject({NameObject("/F1"): writer._add_object(font)})
    for lines in pages:
        page = writer.add_blank_page(595, 842)
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        drawn = b"".join(b"(%s) Tj 0 -14 Td " % _escaped(line) for line in lines)
        page[NameObject("/Contents")] = writer._add_object(_stream(b"BT /F1 11 Tf 50 800 Td " + drawn + b"ET"))
    parents: list[pypdf.generic.IndirectObject] = []
    for bookmark in bookmarks:
        del parents[bookmark.level - 1 :]
        parents.append(
            writer.add_outline_item(
                title=bookmark.title, page_number=bookmark.page, parent=parents[-1] if parents else None
            )
        )
    if title is not None:
        writer.add_metadata({"/Title": title})
    if password is not None:
        writer.encrypt(user_password=password, owner_password="owner", algorithm="AES-256")
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def _stream(data: bytes) -> DecodedStreamObject:
    stream = DecodedStreamObject()
    stream.set_data(data)
    return stream


def _escaped(line: str) -> bytes:
    return line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)").encode("cp1252")


_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_STYLES = {"Title": "Title", "Heading1": "heading 1", "Heading2": "heading 2"}


def make_docx(blocks: Sequence[tuple[str, str] | list[list[str]]]) -> bytes:
    """A DOCX: (style id, text) is a paragraph, '' the plain style; a list of rows is a table."""
    styles = "".join(
        f'<w:style w:type="paragraph" w:styleId="{key}"><w:name w:val="{name}"/></w:style>'
        for key, name in _STYLES.items()
    )
    body = "".join(_table(block) if isinstance(block, list) else _paragraph(*block) for block in blocks)
    relations = f"{_PACKAGE}/relationships"
    types = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{_PACKAGE}/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{types}.document.main+xml"/>'
            f'<Override PartName="/word/styles.xml" ContentType="{types}.styles+xml"/></Types>',
        )
        package.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{relations}"><Relationship Id="r1" Type="{_OFFICE}/relationships/officeDocument"'
            ' Target="word/document.xml"/></Relationships>',
        )
        package.writestr(
            "word/_rels/document.xml.rels",
            f'<Relationships xmlns="{relations}"><Relationship Id="r1" Type="{_OFFICE}/relationships/styles"'
            ' Target="styles.xml"/></Relationships>',
        )
        package.writestr("word/styles.xml", f'<w:styles xmlns:w="{_WORD}">{styles}</w:styles>')
        package.writestr("word/document.xml", f'<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>')
    return buffer.getvalue()


def _paragraph(style: str, text: str) -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{properties}<w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'


def _table(rows: list[list[str]]) -> str:
    cells = ("".join(f"<w:tc>{_paragraph('', cell)}</w:tc>" for cell in row) for row in rows)
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in cells) + "</w:tbl>"


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    """A zip file of these parts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, part in parts.items():
            package.writestr(name, part)
    return buffer.getvalue()


def make_epub(
    chapters: Mapping[str, str],
    order: Sequence[str] = (),
    title: str = "",
    navigation: str = "",
    encrypted: str = "",
) -> bytes:
    """An EPUB: address in the book -> HTML; navigation and encrypted name one of its files as such."""
    kind = 'media-type="application/xhtml+xml"'
    items = "".join(
        f'<item id="{number}" href="{name}" {kind} properties="{"nav" * (name == navigation)}"/>'
        for number, name in enumerate(chapters)
    )
    spine = "".join(f'<itemref idref="{list(chapters).index(name)}"/>' for name in order or chapters)
    parts: dict[str, str] = {
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OPS/book.opf"/></rootfiles></container>',
        "OPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata><dc:title>{title}</dc:title></metadata>"
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>",
    }
    for name, body in chapters.items():
        parts["OPS/" + unquote(name)] = f"<html><body>{body}</body></html>"
    if encrypted:
        parts["META-INF/encryption.xml"] = (
            '<encryption xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData><enc:CipherData>'
            f'<enc:CipherReference URI="{encrypted}"/></enc:CipherData></enc:EncryptedData></encryption>'
        )
    return zipped(parts)
