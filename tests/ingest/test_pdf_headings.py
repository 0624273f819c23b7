"""Headings of PDFs: from bookmarks, tags, or the size and weight of the type."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

import pypdf
import pytest
from pypdf.generic import (
    ArrayObject,
    BooleanObject,
    DecodedStreamObject,
    DictionaryObject,
    IndirectObject,
    NameObject,
    NumberObject,
    PdfObject,
)

from ingest.parse import PAGE_BREAK
from ingest.parse.document import Parsed
from ingest.parse.pdf.reader import parse_pdf
from tests.conftest import SHARED_DATA
from tests.ingest.samples import Bookmark, make_pdf

VPAT = SHARED_DATA / "documents" / "compliance" / "vpat-identity-verification.pdf"
FULL = "Every claim is sent with its receipts to the accounting office within thirty"
REST = "days after the journey, and it is paid with the next salary."


class Set(NamedTuple):
    """A printed line: its type, the space above it in points, and the tag around it."""

    text: str
    size: float = 11
    bold: bool = False
    above: float = 0
    tag: str = ""


TEXT = (Set(FULL, above=8), Set(REST))


def typeset(*pages: Sequence[Set]) -> bytes:
    """A PDF with these lines; it is tagged if one of them is."""
    writer = pypdf.PdfWriter()
    fonts = dictionary(F=writer._add_object(font("Helvetica")), B=writer._add_object(font("Helvetica-Bold")))
    root = dictionary(Type=NameObject("/StructTreeRoot"))
    tree = writer._add_object(root)
    parents = ArrayObject()
    for lines in pages:
        page = writer.add_blank_page(595, 842)
        page[NameObject("/Resources")] = dictionary(Font=fonts)
        stream = DecodedStreamObject()
        stream.set_data(content(lines).encode("cp1252"))
        page[NameObject("/Contents")] = writer._add_object(stream)
        if any(line.tag for line in lines):
            page[NameObject("/StructParents")] = NumberObject(len(parents) // 2)
            tags = [writer._add_object(element(line, number, page, tree)) for number, line in enumerate(lines)]
            parents.extend([NumberObject(len(parents) // 2), ArrayObject(tags)])
            root[NameObject("/K")] = ArrayObject([*root.get("/K", ArrayObject()), *tags])
    if parents:
        root[NameObject("/ParentTree")] = dictionary(Nums=parents)
        writer.root_object[NameObject("/StructTreeRoot")] = tree
        writer.root_object[NameObject("/MarkInfo")] = dictionary(Marked=BooleanObject(True))
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def content(lines: Sequence[Set]) -> str:
    y, drawn = 800.0, ""
    for number, line in enumerate(lines):
        y -= 1.25 * line.size + line.above
        mark = f"/{line.tag or 'P'} <</MCID {number}>> BDC "
        drawn += f"{mark}BT /{'B' if line.bold else 'F'} {line.size} Tf 50 {y} Td ({line.text}) Tj ET EMC\n"
    return drawn


def element(line: Set, number: int, page: PdfObject, tree: IndirectObject) -> DictionaryObject:
    reference = page.indirect_reference
    assert isinstance(reference, IndirectObject)
    return dictionary(
        Type=NameObject("/StructElem"),
        S=NameObject(f"/{line.tag or 'P'}"),
        Pg=reference,
        K=NumberObject(number),
        P=tree,
    )


def font(name: str) -> DictionaryObject:
    return dictionary(
        Type=NameObject("/Font"),
        Subtype=NameObject("/Type1"),
        BaseFont=NameObject(f"/{name}"),
        Encoding=NameObject("/WinAnsiEncoding"),
    )


def dictionary(**entries: PdfObject) -> DictionaryObject:
    return DictionaryObject({NameObject(f"/{key}"): value for key, value in entries.items()})


def outline(parsed: Parsed) -> list[tuple[int, str]]:
    """Level and title of each heading; each is a line of the text."""
    text = PAGE_BREAK.join(page.text for page in parsed.pages)
    for heading in parsed.headings:
        assert " ".join(text[heading.start : heading.end].split()) == heading.title
    return [(heading.level, heading.title) for heading in parsed.headings]


# type ------------------------------------------------------------------------------------------------


def test_larger_lines_are_headings_by_their_size() -> None:
    pages = [Set("Travel policy", 20), *TEXT, Set("Hotels", 14, above=9), *TEXT, Set("Breakfast", 13, above=9), *TEXT]
    parsed = parse_pdf(typeset(pages, [Set("Trains", 14), *TEXT]))
    assert outline(parsed) == [(1, "Travel policy"), (2, "Hotels"), (3, "Breakfast"), (2, "Trains")]


def test_bold_lines_apart_from_the_text_are_headings() -> None:
    parsed = parse_pdf(typeset([Set("Hotels", bold=True), *TEXT, Set("Trains", bold=True, above=9), *TEXT]))
    assert outline(parsed) == [(1, "Hotels"), (1, "Trains")]


def test_heading_of_two_lines_is_one() -> None:
    parsed = parse_pdf(typeset([Set("Hotels for journeys that take", 16), Set("more than a week", 16), *TEXT]))
    assert outline(parsed) == [(1, "Hotels for journeys that take more than a week")]


def test_number_gives_the_level_of_headings_that_are_set_alike() -> None:
    heads = ("1. Hotels", "1.1 Breakfast", "2. Trains")
    parsed = parse_pdf(typeset([line for head in heads for line in (Set(head, bold=True, above=9), *TEXT)]))
    assert outline(parsed) == [(1, "1. Hotels"), (2, "1.1 Breakfast"), (1, "2. Trains")]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(
            (Set("Every claim is sent with its receipts to the accounting office", bold=True), *TEXT[1:]), id="sentence"
        ),
        pytest.param((Set("Nothing is paid without a receipt.", bold=True, above=9), *TEXT), id="whole sentence"),
        pytest.param((Set("• Hotels", bold=True, above=9), *TEXT), id="item"),
        pytest.param((Set("1,240 €", 24, above=9), *TEXT), id="figure"),
        pytest.param((Set("Hotels ........................ 7", 16, above=9), *TEXT), id="table of contents"),
        pytest.param((Set("Hotels", 16, above=9),), id="nothing below"),
    ],
)
def test_line_that_is_no_heading_stays_text(lines: Sequence[Set]) -> None:
    parsed = parse_pdf(typeset([*TEXT, *TEXT, *lines]))
    assert outline(parsed) == []
    assert lines[0].text in parsed.pages[0].text


def test_lines_of_a_cover_stay_text() -> None:
    cover = [
        Set("Harbor Instruments", 24),
        Set("Travel policy", 30, above=9),
        Set("valid from 1 May 2026", 16, above=9),
    ]
    parsed = parse_pdf(typeset(cover, [Set("Hotels", 20), *TEXT]))
    assert outline(parsed) == [(1, "Travel policy"), (3, "Hotels")]
    assert "valid from 1 May 2026" in parsed.pages[0].text


def test_large_line_on_every_page_is_no_heading() -> None:
    heads = ("Hotels", "Breakfast", "Trains", "Taxis")
    header = [Set("Harbor Instruments", 9), Set("Internal", 9), Set("Travel policy", 16)]
    parsed = parse_pdf(typeset(*([*header, Set(head, 14), Set(f"{head}: {FULL}"), Set(REST)] for head in heads)))
    assert outline(parsed) == [(1, head) for head in heads]


def test_text_in_bold_type_has_no_bold_headings() -> None:
    bold = [Set(line.text, bold=True, above=line.above) for line in TEXT]
    assert outline(parse_pdf(typeset([Set("Hotels", bold=True), *bold, *bold]))) == []


# tags and bookmarks ----------------------------------------------------------------------------------


def test_tags_are_headings_whatever_their_type() -> None:
    lines = [Set("Travel policy", tag="Title"), Set("Hotels", tag="H2"), *TEXT, Set("Trains", tag="H2"), *TEXT]
    assert outline(parse_pdf(typeset(lines))) == [(1, "Travel policy"), (2, "Hotels"), (2, "Trains")]


def test_tagged_headings_side_by_side_stay_two() -> None:
    lines = [Set("Hotels", tag="H1"), Set("Breakfast", tag="H2"), *TEXT]
    assert outline(parse_pdf(typeset(lines))) == [(1, "Hotels"), (2, "Breakfast")]


def test_few_tags_give_way_to_type() -> None:
    lines = [
        Set("Travel policy", 20, tag="H1"),
        *TEXT,
        Set("Hotels", 14, above=9),
        *TEXT,
        Set("Trains", 14, above=9),
        *TEXT,
    ]
    assert [title for _, title in outline(parse_pdf(typeset(lines)))] == ["Travel policy", "Hotels", "Trains"]


def test_bookmark_without_the_number_of_its_heading_is_found() -> None:
    parsed = parse_pdf(make_pdf([["2.1 Hotels", FULL, REST]], [Bookmark("Hotels", 0)]))
    assert outline(parsed) == [(1, "2.1 Hotels")]


@pytest.mark.skipif(not VPAT.exists(), reason="the real documents are not here")
def test_real_report_has_its_tagged_headings() -> None:
    titles = [heading.title for heading in parse_pdf(VPAT.read_bytes()).headings]
    assert len(titles) == 17
    assert {"Product Description", "Terms", "Chapter 4: Hardware"} <= set(titles)
