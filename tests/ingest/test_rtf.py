from __future__ import annotations

from pathlib import Path

import pytest

from ingest.parse import ParseError
from ingest.parse.rtf import parse_rtf
from tests.ingest.pictures import picture
from tests.ingest.test_parse import outline, read


def rtf(body: str, head: str = "") -> bytes:
    fonts = r"{\fonttbl{\f0\fswiss\fcharset0 Arial;}{\f1\fcharset204 Arial Cyr;}{\f2\ftech Symbol;}}"
    return rf"{{\rtf1\ansi\ansicpg1252\deff0{fonts}{head}{body}}}".encode("latin-1")


def text(body: str, head: str = "") -> str:
    return parse_rtf(rtf(body, head)).pages[0].text


def test_headings_paragraphs_and_the_title(tmp_path: Path) -> None:
    head = r"{\stylesheet{\s1\outlinelevel0 heading 1;}}{\info{\title Rules of the house}{\author Ann}}"
    body = r"\pard\s1\outlinelevel0 Leave\par\pard\plain 30 days\line a year, & more.\par\pard\outlinelevel1 Who\par"
    document = read(tmp_path, "a.rtf", rtf(body, head))
    assert document.text == "# Leave\n\n30 days\na year, & more.\n\n## Who"
    assert outline(document) == [(1, "Leave"), (2, "Who")]
    assert document.title == "Leave"
    assert parse_rtf(rtf(r"\pard No heading\par", head)).title == "Rules of the house"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (r"Gr\'f6\'dfe \endash  \ldblquote x\rdblquote", "Größe \u2013 “x”"),
        (r"{\f1 \'cc\'e8\'f0} and \u1052?\u1080?", "Мир and Ми"),
        (r"\uc2\u8364\'80\'80 5\~000", "€ 5 000"),
        (r"\u-10179?\u-8694?", "\U0001f60a"),
        ("caf\xe9", "café"),
        (r"a \{b\} \\ c \_d\-e", "a {b} \\ c \u2011de"),
        (r"5 m{\super 2} and {\strike old} CO{\sub 2}", "5 m² and ~~old~~ CO2"),
        (r"5 m\super 2\nosupersub  and on\super 1\plain  more", "5 m² and on¹ more"),
    ],
)
def test_characters_and_their_marks(written: str, shown: str) -> None:
    assert text(rf"\pard {written}\par") == shown


@pytest.mark.parametrize("properties", [r"\trowd\cellx1\cellx2 {}\row ", r"{}\trowd\cellx1\cellx2\row "])
def test_tables(properties: str) -> None:
    rows = [
        r"\pard\intbl City\cell Rate\cell",
        r"\pard\intbl Bonn\par near it\cell 120 {\b a day}\cell",
        r"\pard\intbl Köln | x\cell\cell".replace("ö", r"\'f6"),
    ]
    table = "".join(properties.replace("{}", row) for row in rows)
    assert text(rf"\pard Before\par {table}\pard After\par") == (
        "Before\n\n| City | Rate |\n| --- | --- |\n| Bonn near it | 120 a day |\n| Köln \\| x |  |\n\nAfter"
    )


def test_lists_have_their_bullets_and_numbers() -> None:
    bullet, old = r"{\listtext\f2\'b7\tab}", r"{\pntext\f2\'B7\tab}{\*\pn\pnlvlblt}"
    body = rf"\pard{bullet}a\par\pard{old}b\par\pard{{\listtext 2.1.\tab}}c\par"
    assert text(body) == "- a\n- b\n\n2.1. c"


def test_links_have_their_addresses() -> None:
    link = r'{\field{\*\fldinst{HYPERLINK "https://x.example/a" }}{\fldrslt{\ul the page}}}'
    page = r"{\field{\*\fldinst PAGE}{\fldrslt 7}}"
    assert text(rf"\pard See {link} and {link}, page {page}.\par") == (
        "See the page (https://x.example/a) and the page (https://x.example/a), page 7."
    )


def test_notes_comments_boxes_headers_and_footers_are_read() -> None:
    head = r"{\header\pard QM-117, version 4\par}{\headerl\pard QM-117, version 4\par}{\footer\pard Page 1\par}"
    comment = r"{\*\atnid IB}{\*\atnauthor Ida Berg}\chatn{\*\annotation\pard Check it}"
    box = r"{\shp{\*\shpinst\shpleft1{\sp{\sn shapeType}{\sv 202}}{\shptxt\pard In a box\par}}{\shprslt In a box}}"
    note = r"{\super\chftn}{\footnote\pard{\super\chftn} Since 2020}"
    assert text(rf"\pard Text{note} now{comment}{box}\par", head) == (
        "Text[1] now[IB1]\n\nIn a box\n\n1. Since 2020\n\nComment [IB1]\n:   Check it\n\nQM-117, version 4"
    )


def test_pictures_are_found(tmp_path: Path) -> None:
    data = picture()
    hexed = rf"{{\*\shppict{{\pict{{\*\picprop{{\sn a}}}}\pngblip\picw9 {data.hex()}}}}}"
    hexed += r"{\nonshppict{\pict\wmetafile8 01}}"
    binary = rf"{{\pict\jpegblip\bin{len(data)} ".encode() + data + b"}"
    document = read(tmp_path, "a.rtf", rtf(rf"\pard Figure 1: Bars\par\pard {hexed}\par @@").replace(b"@@", binary))
    assert document.text == "Figure 1: Bars"
    assert len(document.figures) == 2


@pytest.mark.parametrize("hidden", [r"{\v Secret}", r"\v Secret\v0 ", r"\v Secret\plain ", r"{\deleted{\b Secret}}"])
def test_what_no_reader_sees_is_left_out_and_counted(hidden: str) -> None:
    parsed = parse_rtf(rtf(rf"\pard Seen {hidden}too\par"))
    assert parsed.pages[0].text == "Seen too"
    assert parsed.note == "left out, since hidden: 1 passage"


def test_file_that_is_no_rtf_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match="not an RTF file"):
        read(tmp_path, "a.rtf", b"Just text")


def test_cut_off_or_nested_file_is_read_or_refused(tmp_path: Path) -> None:
    whole = rtf(r"\pard{\listtext 1.}a{\footnote b}\par\trowd\cellx1 c\cell\row{\pict\pngblip 89504e47}")
    for end in range(6, len(whole)):
        parse_rtf(whole[:end])
    deep = rtf("{" * 200_000 + "deep" + "}" * 200_000)
    assert read(tmp_path, "a.rtf", deep).text == "deep"
    assert text(r"{\super " * 5_000 + "deep") == "deep"
    for damaged in (
        r"}}}}Seen",
        r"Seen \bin99999999999 x",
        r"Seen{\pict\pngblip 8}",
        r"\cell\row\row",
    ):
        parse_rtf(rtf(damaged))
