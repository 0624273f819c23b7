"""Office files, books, mails, tables, reStructuredText, and the frame of web pages."""

from __future__ import annotations

import datetime
import io
import re
import subprocess
import sys
import zipfile
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from bs4 import BeautifulSoup
from lxml import etree
from openpyxl.styles.numbers import BUILTIN_FORMATS
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.oxml.ns import qn
from pptx.util import Inches

from ingest.parse import PAGE_BREAK, PARSERS, ParseError, archive
from ingest.parse.document import Heading, Page, Parsed, joined
from ingest.parse.mail import parse_mail
from ingest.parse.pdf import ocr
from tests.conftest import SHARED_DATA
from tests.ingest.samples import make_docx, make_epub, zipped
from tests.ingest.test_parse import outline, read, spanned

NASTY = SHARED_DATA / "nasty"


# slides ----------------------------------------------------------------------------------------------


def saved(file: Any) -> bytes:
    buffer = io.BytesIO()
    file.save(buffer)
    return buffer.getvalue()


def make_pptx() -> bytes:
    deck = Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[0])
    first.shapes.title.text = "Travel & rates"
    first.placeholders[1].text = "For all of us"
    second = deck.slides.add_slide(deck.slide_layouts[1])
    second.shapes.title.text = "Hotels"
    frame = second.placeholders[1].text_frame
    frame.text = "Book early"
    for text, level in (("By the portal", 1), ("Keep receipts", 0)):
        paragraph = frame.add_paragraph()
        paragraph.text, paragraph.level = text, level
    second.notes_slide.notes_text_frame.text = "Mention the <new> portal."
    third = deck.slides.add_slide(deck.slide_layouts[6])
    table = third.shapes.add_table(2, 2, Inches(1), Inches(4), Inches(4), Inches(1)).table
    for row, cells in enumerate((("City", "Rate"), ("Bonn | Köln", "120"))):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    group = third.shapes.add_group_shape()
    for text, left, top in (("lower", 1, 3), ("right", 5, 1), ("left", 1, 1)):
        group.shapes.add_textbox(Inches(left), Inches(top), Inches(2), Inches(1)).text_frame.text = text
    return saved(deck)


def test_slides_are_pages_with_their_titles_as_headings(tmp_path: Path) -> None:
    document = read(tmp_path, "a.pptx", make_pptx())
    assert [page.number for page in document.pages] == [1, 2, 3]
    assert outline(document) == [(1, "Travel & rates"), (2, "Hotels")]
    assert spanned(document) == ["# Travel & rates", "## Hotels"]
    assert document.title == "Travel & rates"
    assert document.pages[0].text == "# Travel & rates\n\nFor all of us"


def test_bullets_of_a_slide_keep_their_levels_and_its_notes_follow(tmp_path: Path) -> None:
    document = read(tmp_path, "a.pptx", make_pptx())
    assert document.pages[1].text == (
        "## Hotels\n\n- Book early\n  - By the portal\n- Keep receipts\n\nNotes: Mention the <new> portal."
    )


def test_shapes_are_read_from_top_to_bottom_also_in_groups(tmp_path: Path) -> None:
    document = read(tmp_path, "a.pptx", make_pptx())
    assert document.pages[2].text == (
        "left\n\nright\n\nlower\n\n| City | Rate |\n| --- | --- |\n| Bonn \\| Köln | 120 |"
    )


def test_title_of_the_presentation_comes_from_its_properties(tmp_path: Path) -> None:
    deck = Presentation(io.BytesIO(make_pptx()))
    deck.core_properties.title = "Travel 2024"
    document = read(tmp_path, "a.pptx", saved(deck))
    assert outline(document) == [(1, "Travel 2024"), (2, "Travel & rates"), (2, "Hotels")]
    assert document.title == "Travel 2024"


def test_chart_comes_as_a_table(tmp_path: Path) -> None:
    deck = Presentation()
    data = CategoryChartData()
    data.categories = ["Q1", "Q2"]
    data.add_series("Sales", (1.5, 2))
    data.add_series("Costs", (1, None))
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    area = (Inches(1), Inches(1), Inches(4), Inches(3))
    chart = slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, *area, data).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "Money"
    table = "|  | Sales | Costs |\n| --- | --- | --- |\n| Q1 | 1.5 | 1 |\n| Q2 | 2 |  |"
    assert read(tmp_path, "a.pptx", saved(deck)).text == f"Money\n\n{table}"


def test_text_box_is_a_list_where_it_has_bullets(tmp_path: Path) -> None:
    deck = Presentation()
    frame = deck.slides.add_slide(deck.slide_layouts[6]).shapes.add_textbox(0, 0, Inches(2), Inches(1)).text_frame
    frame.text = "one\ntwo"
    plain = read(tmp_path, "a.pptx", saved(deck)).text
    for paragraph in frame.paragraphs:
        bullet = etree.SubElement(paragraph._p.get_or_add_pPr(), qn("a:buChar"))
        bullet.set("char", "•")
    assert (plain, read(tmp_path, "a.pptx", saved(deck)).text) == ("one\n\ntwo", "- one\n- two")


def test_slide_numbers_and_footers_are_no_text(tmp_path: Path) -> None:
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Hotels"
    for placeholder in slide.slide_layout.placeholders:
        if placeholder.placeholder_format.idx in (10, 11, 12):
            slide.shapes.clone_placeholder(placeholder)
            slide.placeholders[placeholder.placeholder_format.idx].text = "Tarnbeck, internal"
    assert read(tmp_path, "a.pptx", saved(deck)).text == "# Hotels"


# sheets ----------------------------------------------------------------------------------------------


def make_xlsx(*rows: list[Any], title: str | None = None, **formats: str) -> bytes:
    """A workbook with one sheet, Rates; formats: cell -> number format."""
    book = openpyxl.Workbook()
    book.active.title = "Rates"
    for row in rows:
        book.active.append(row)
    for cell, number_format in formats.items():
        book.active[cell].number_format = number_format
    book.properties.title = title
    return saved(book)


def test_sheet_is_a_heading_and_a_table_without_empty_rows_and_columns(tmp_path: Path) -> None:
    data = make_xlsx([], [None, "City", None, "Rate"], [None, "Bonn\nWest", None, 120.0], [], [])
    document = read(tmp_path, "a.xlsx", data)
    assert document.text == "# Rates\n\n| City | Rate |\n| --- | --- |\n| Bonn West | 120 |"
    assert (outline(document), spanned(document)) == ([(1, "Rates")], ["# Rates"])


def test_title_of_a_workbook_stands_over_its_sheets(tmp_path: Path) -> None:
    document = read(tmp_path, "a.xlsm", make_xlsx(["City"], ["Bonn"], title="Travel"))
    assert (document.title, outline(document)) == ("Travel", [(1, "Travel"), (2, "Rates")])
    assert spanned(document) == ["# Travel", "## Rates"]


def test_cells_read_as_they_look(tmp_path: Path) -> None:
    nothing = float("nan")
    row = [0.1 + 0.2, 1234.5, 0.125, datetime.datetime(2024, 5, 3), datetime.datetime(2024, 5, 3, 14, 30), 9.5, "#N/A"]
    data = make_xlsx(list("abcdefg"), [*row, True], [7, nothing], B2='#,##0.00 "€"', C2="0.0%", F2="[$$-409]0.00")
    last = read(tmp_path, "a.xlsx", data).text.splitlines()[-2:]
    assert last == [
        "| 0.3 | 1,234.50 € | 12.5% | 2024-05-03 | 2024-05-03 14:30 | $9.50 | #N/A | TRUE |",
        "| 7 |" + "  |" * 7,
    ]


@pytest.mark.parametrize(
    ("number_format", "value", "shown"),
    [
        ("00000", 42, "00042"),
        ("00000", -42, "-00042"),
        ("#000", 42, "042"),
        ("000.0", 4.5, "004.5"),
        ("0,000", 42, "0,042"),
        (".00", 0.25, "0.25"),
        ('"Q0 "0', 3, "Q0 3"),
        ('0" of 10"', 3, "3 of 10"),
        (r"\00", 42, "042"),
        ('0" a;b "', 3, "3 a;b"),
        ('0.0"%"', 12.5, "12.5%"),
        ("*00.00", 42, "42.00"),
        ('[Red]"EUR "#,##0;-0', 1234, "EUR 1,234"),
        (r"#,##0.00\ [$€-407];[Red]\-#,##0.00\ [$€-407]", 1234.5, "1,234.50 €"),
        ('_("$"* #,##0.00_);_("$"* (#,##0.00)', 1234.5, "$ 1,234.50"),
        (BUILTIN_FORMATS[44], 1234.5, "$ 1,234.50"),
        ("#,##0;[<5]0", 1234, "1,234"),
        ("000-00-0000", 12345678, "012-34-5678"),
        ('0000"-"00"-"00', 20240503, "2024-05-03"),
        ("(000) 000-0000", 5551234567, "(555) 123-4567"),
        ("# ##0", 1234567, "1234 567"),
        ('"INV-"00000', 42, "INV-00042"),
        ('0":1"', 3, "3:1"),
        ('"±"0.0', 4, "±4.0"),
        ("+0;-0", 5, "+5"),
        ("0.0#", 3.14159, "3.14"),
        ("#.##", 3, "3"),
        ("0", 2.5, "3"),
        ("0.00", 1.005, "1.01"),
        ('0.0,,"M"', 2500000, "2.5M"),
        ("#,##0,.0", 2500, "2.5"),
        ('#,##0,"k"', 2500, "3k"),
        ('"yes";;"no"', 1, "yes"),
        ('"yes";;"no"', 0, "no"),
        ('General" kg"', 2.5, "2.5 kg"),
        # plain where the format does more than add to the number
        ("0.00E+00", 1234567, "1234567"),
        ("# ?/8", 0.125, "0.125"),
        ('[>=1000000]0.0,,"M";[>=1000]0.0,"K";0', 500, "500"),
        ("[Red][<5]0.0;0", 7, "7"),
    ],
)
def test_number_has_the_digits_and_the_words_of_its_format(
    tmp_path: Path, number_format: str, value: float, shown: str
) -> None:
    text = read(tmp_path, "a.xlsx", make_xlsx(["n"], [value], A2=number_format)).text
    assert text.splitlines()[-1] == f"| {shown} |"


def test_empty_row_divides_two_tables_and_a_line_above_one_is_text(tmp_path: Path) -> None:
    data = make_xlsx(["Rates of 2024"], ["City", "Rate"], ["Bonn", 1], [], ["Day", "Hours"], ["Mon", 8])
    assert read(tmp_path, "a.xlsx", data).text == (
        "# Rates\n\nRates of 2024\n\n| City | Rate |\n| --- | --- |\n| Bonn | 1 |\n\n"
        "| Day | Hours |\n| --- | --- |\n| Mon | 8 |"
    )


def test_hidden_and_empty_sheets_are_left_out(tmp_path: Path) -> None:
    book = openpyxl.load_workbook(io.BytesIO(make_xlsx(["City"], ["Bonn"])))
    book.create_sheet("Secret").append(["hidden"])
    book["Secret"].sheet_state = "hidden"
    book.create_sheet("Empty")
    book.create_sheet("Days").append(["Mon"])
    document = read(tmp_path, "a.xlsx", saved(book))
    assert outline(document) == [(1, "Rates"), (1, "Days")]
    assert spanned(document) == ["# Rates", "# Days"]
    assert "hidden" not in document.text


@pytest.mark.slow
@pytest.mark.timeout(150)
def test_sheet_that_claims_to_be_huge_is_read_by_what_it_holds(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(make_xlsx(*([number] for number in range(20_000))))) as whole:
        parts = {name: whole.read(name).replace(b"A1:A20000", b"A1:XFD1048576") for name in whole.namelist()}
    assert any(b"XFD1048576" in part for part in parts.values())
    assert read(tmp_path, "a.xlsx", zipped(parts)).text.endswith("| 19998 |\n| 19999 |")


# separated values ------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_separated_values_become_a_table(tmp_path: Path, delimiter: str, encoding: str) -> None:
    rows = [["City", "Rate, net", "Note"], ["Köln", "1.250,50", '"two\nlines; ""quoted"""'], ["Bonn", "80", ""]]
    rows[0][1] = f'"{rows[0][1]}"'
    rows[1][1] = f'"{rows[1][1]}"'
    text = "\r\n".join(delimiter.join(row) for row in rows)
    assert read(tmp_path, "a.csv", text.encode(encoding)).text == (
        '| City | Rate, net | Note |\n| --- | --- | --- |\n| Köln | 1.250,50 | two lines; "quoted" |\n| Bonn | 80 |  |'
    )


def test_ragged_rows_empty_rows_and_bars_keep_a_table_whole(tmp_path: Path) -> None:
    text = read(tmp_path, "a.tsv", "a\tb\n\n1|2\n3\t4\t5\n").text
    assert text == "| a | b |  |\n| --- | --- | --- |\n| 1\\|2 |  |  |\n| 3 | 4 | 5 |"


def test_delimiter_that_a_file_names_counts(tmp_path: Path) -> None:
    assert read(tmp_path, "a.csv", "sep=;\na,b;c\n1,2;3").text == "| a,b | c |\n| --- | --- |\n| 1,2 | 3 |"


def test_lone_quotation_mark_does_not_swallow_a_table(tmp_path: Path) -> None:
    rows = "".join(f"{number},word\n" for number in range(30_000))
    assert read(tmp_path, "a.csv", f'a,b\n"x,y\n{rows}').text.count("\n") == 30_002


@pytest.mark.skipif(not NASTY.exists(), reason="the shared documents are not here")
def test_shift_jis_table_is_read(tmp_path: Path) -> None:
    text = read(tmp_path, "a.csv", (NASTY / "mk_test_mskanji.csv").read_bytes()).text
    assert text.startswith("| 名前 | 年齢 | 住所 |\n| --- | --- | --- |\n| 佐藤太郎 | 30 | 東京 |")


# encodings of text files -----------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32"])
def test_text_with_zero_bytes_is_read_where_it_is_text(tmp_path: Path, encoding: str) -> None:
    assert read(tmp_path, "a.txt", "A hotel may cost 150 €.".encode(encoding)).text == "A hotel may cost 150 €."


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.csv", "a.html", "a.rst"])
@pytest.mark.parametrize("data", [b"MZ\x90\0\3\0\0\0 text text text text", b"word\0word, word", bytes(range(32)) * 9])
def test_binary_file_with_a_name_of_text_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    with pytest.raises(ParseError, match="binary"):
        read(tmp_path, name, data)


@pytest.mark.parametrize("encoding", ["shift_jis", "iso-2022-jp", "koi8-r"])
def test_encoding_that_a_page_declares_counts(tmp_path: Path, encoding: str) -> None:
    word = "Отпуск" if encoding == "koi8-r" else "休暇"
    page = f"<meta charset='{encoding}'><p>{'Annual leave. ' * 20}{word}</p>"
    assert word in read(tmp_path, "a.html", page.encode(encoding)).text


# books -----------------------------------------------------------------------------------------------


def test_book_is_read_in_the_order_of_its_spine(tmp_path: Path) -> None:
    chapters = {"two.xhtml": "<h1>Two</h1><p>later</p>", "one%20a.xhtml": "<header><h1>One</h1></header><p>first</p>"}
    document = read(tmp_path, "a.epub", make_epub(chapters, order=["one%20a.xhtml", "two.xhtml"], title="Guide"))
    assert document.text == f"# One\n\nfirst{PAGE_BREAK}# Two\n\nlater"
    assert (outline(document), spanned(document)) == ([(1, "One"), (1, "Two")], ["# One", "# Two"])
    assert document.title == "Guide"


def test_table_of_contents_of_a_book_is_left_out(tmp_path: Path) -> None:
    chapters = {"nav.xhtml": "<h1>Contents</h1>", "one.xhtml": "<p>first</p>"}
    assert read(tmp_path, "a.epub", make_epub(chapters, navigation="nav.xhtml")).text == "first"


def test_protected_book_says_so_and_one_with_protected_fonts_opens(tmp_path: Path) -> None:
    chapters = {"one.xhtml": "<p>first</p>"}
    assert read(tmp_path, "a.epub", make_epub(chapters, encrypted="OPS/font.otf")).text == "first"
    with pytest.raises(ParseError, match="copy protection"):
        read(tmp_path, "a.epub", make_epub(chapters, encrypted="OPS/one.xhtml"))


# mails -----------------------------------------------------------------------------------------------


def make_mail(
    text: str = "Hello\n\n> earlier words\n", html: str = "", subject: str = "Größe & travel"
) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"], mail["From"] = subject, "Ann Lee <ann@example.org>"
    mail["To"], mail["Date"] = "bob@example.org", "Fri, 03 May 2024 14:30:00 +0200"
    mail.set_content(text)
    if html:
        mail.add_alternative(html, subtype="html")
    return mail


HEAD = "# Größe & travel\n\nFrom: Ann Lee <ann@example.org>\n\nTo: bob@example.org\n\nDate: 2024-05-03 14:30 +0200\n\n"


def test_mail_has_its_subject_people_and_text(tmp_path: Path) -> None:
    document = read(tmp_path, "a.eml", make_mail().as_bytes())
    assert document.text == f"{HEAD}Hello\n\n> earlier words"
    assert (document.title, outline(document)) == ("Größe & travel", [(1, "Größe & travel")])
    assert [page.number for page in document.pages] == [None]


def test_html_of_a_mail_comes_before_its_plain_text(tmp_path: Path) -> None:
    html = "<div style='display: none'>preview</div><table role=presentation><tr><td><h2>New</h2><p>rates</table>"
    document = read(tmp_path, "a.eml", make_mail("plain", html + "<blockquote>earlier</blockquote>").as_bytes())
    assert document.text == f"{HEAD}## New\n\nrates\n\n> earlier"


def test_plain_text_of_a_mail_serves_where_its_html_is_a_picture(tmp_path: Path) -> None:
    assert read(tmp_path, "a.eml", make_mail("plain", "<img src='cid:x'>").as_bytes()).text == f"{HEAD}plain"


def test_attachments_follow_below_their_names(tmp_path: Path) -> None:
    mail = make_mail("Hello")
    mail.add_attachment("# Leave\n\n## Rates\n\n30 days", subtype="markdown", filename="leave.md")
    mail.add_attachment(b"a;b\n1;2", maintype="text", subtype="csv", filename="rates.csv")
    mail.add_attachment(b"PK", maintype="application", subtype="zip", filename="all.zip")
    document = read(tmp_path, "a.eml", mail.as_bytes())
    table = "| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert document.text == (
        f"{HEAD}Hello\n\n## leave.md\n\n# Leave\n\n## Rates\n\n30 days\n\n## rates.csv\n\n{table}\n\n"
        "Other attachments: all.zip"
    )
    assert outline(document) == [(1, "Größe & travel"), (2, "leave.md"), (3, "Leave"), (4, "Rates"), (2, "rates.csv")]
    assert spanned(document) == ["# Größe & travel", "## leave.md", "# Leave", "## Rates", "## rates.csv"]


def test_text_after_an_attachment_belongs_to_the_mail(tmp_path: Path) -> None:
    mail = make_mail("Hello")
    mail.add_attachment("30 days", filename="leave.txt")
    more = EmailMessage()
    more.set_content("Goodbye")
    mail.attach(more)
    text = read(tmp_path, "a.eml", mail.as_bytes()).text
    assert text == f"{HEAD}Hello\n\n## leave.txt\n\n30 days\n\nGoodbye"


def test_bad_attachment_leaves_a_note_and_the_rest_is_read(tmp_path: Path) -> None:
    mail = make_mail("Hello")
    mail.add_attachment(b"no zip", maintype="application", subtype="x", filename="bad.docx")
    mail.add_attachment("30 days", filename="good.txt")
    text = read(tmp_path, "a.eml", mail.as_bytes()).text
    assert "## bad.docx\n\n(This attachment could not be read: File is not a zip" in text
    assert text.endswith("## good.txt\n\n30 days")


def test_mail_in_a_mail_is_read(tmp_path: Path) -> None:
    inner, outer = make_mail("inner", subject="Inner"), make_mail("outer")
    outer.add_attachment(inner)
    document = read(tmp_path, "a.eml", outer.as_bytes())
    assert (3, "Inner") in outline(document)
    assert "inner" in document.text


def test_pictures_in_the_text_of_a_mail_are_left_out() -> None:
    mail = make_mail("Hello")
    mail.add_attachment(b"logo", maintype="image", subtype="png", filename="logo.png", cid="<x>", disposition="inline")
    mail.add_attachment(b"scan", maintype="image", subtype="png", filename="scan.png")
    (page,) = parse_mail(mail.as_bytes(), {".png": PARSERS[".txt"]}).pages
    assert page.text == f"{HEAD}Hello\n\n## scan.png\n\nscan"


@pytest.mark.parametrize("name", ["windows-950", "x-windows-950", "Windows950", "cp-950"])
def test_encodings_are_known_in_other_spellings(name: str, tmp_path: Path) -> None:
    head = f"Subject: Leave\nContent-Type: text/plain; charset={name}\nContent-Transfer-Encoding: 8bit\n\n"
    assert read(tmp_path, "a.eml", head.encode() + "休假".encode("big5")).text == "# Leave\n\n休假"


def test_mail_of_an_unknown_encoding_is_read(tmp_path: Path) -> None:
    head = b"Subject: Leave\nContent-Type: text/plain; charset=x-none\nContent-Transfer-Encoding: 8bit\n\n"
    assert read(tmp_path, "a.eml", head + b"Gr\xf6\xdfe, to be ordered").text == "# Leave\n\nGröße, to be ordered"


def test_smile_of_an_outlook_mail_is_no_letter(tmp_path: Path) -> None:
    head = "Subject: Leave\nContent-Type: text/html\n\n"
    body = "<p>See you <span style='font-family:Wingdings'>J</span></p><p><font face='Wingdings'>ü</font> Paid</p>"
    assert read(tmp_path, "a.eml", head + body).text == "# Leave\n\nSee you ☺\n\n✓ Paid"


def test_broken_headers_of_a_mail_are_taken_as_they_stand(tmp_path: Path) -> None:
    document = read(tmp_path, "a.eml", b"From: ann@\nTo: <\nDate: tomorrow\nSubject: Leave\n\n30 days")
    assert document.text == "# Leave\n\nFrom: ann@\n\nTo: <\n\nDate: tomorrow\n\n30 days"


def test_text_that_is_no_mail_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match="not a mail"):
        read(tmp_path, "a.eml", "Just text.\n\nMore text.\n")


# reStructuredText ------------------------------------------------------------------------------------

SPHINX = """
Leave
=====

See :ref:`the rates <rates>`, :doc:`/travel` and :class:`~hr.leave.Form`. |project| ends.

.. toctree::
   :maxdepth: 2

   secret-page

.. note:: Ask early.

.. seealso:: The *handbook*

.. versionadded:: 2.0
   Half days.

.. tab-item:: Linux
   :sync: linux

   Run it.

.. code-block:: python
   :emphasize-lines: 1
   :caption: An example

   :ref:`stays <in code>`

.. include:: /etc/passwd

.. raw:: html

   <p>raw</p>

.. unknown
   comment

Rates
-----

======  ====
City    Rate
======  ====
Bonn    120
======  ====

Missing_ and :broken:`role`.
"""


def test_restructured_text_is_read_without_noise(tmp_path: Path) -> None:
    document = read(tmp_path, "a.rst", SPHINX)
    assert (document.title, outline(document)) == ("Leave", [(1, "Leave"), (2, "Rates")])
    assert document.text == (
        "# Leave\n\nSee the rates, /travel and Form. |project| ends.\n\nNote: Ask early.\n\nThe handbook"
        "\n\nNew in version 2.0 Half days.\n\nLinux\n\nRun it.\n\nAn example\n\n```\n:ref:`stays <in code>`\n```"
        "\n\n## Rates\n\n| City | Rate |\n| --- | --- |\n| Bonn | 120 |\n\nMissing_ and role."
    )


def test_restructured_text_opens_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("secret,secret")
    table = f".. csv-table::\n   :file: {tmp_path / 'other.csv'}\n"
    include = f".. |x| replace:: y\n\n.. include:: {tmp_path / 'other.csv'}\n"
    assert read(tmp_path, "a.rst", f"Text.\n\n{table}\n{include}").text == "Text."


# site generators' tags -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("component", "text"),
    [
        ('<Accordion title="How many calls?">\n120 calls.\n</Accordion>', "How many calls? 120 calls."),
        ('<Tab title="Old">A.</Tab>\n<Tab title="New">B.</Tab>', "Old: A.\n\nNew: B."),
        ('<Field path="size" type="number" default="25">Rows.</Field>', "size (default 25): Rows."),
        ("<Tabs>\n\nA.\n\n</Tabs>", "A."),
        ("The <Badge color={red} /> mark and `<Tab title='x'>` stay.", "The mark and <Tab title='x'> stay."),
    ],
)
def test_titles_of_components_of_mdx_are_read(tmp_path: Path, component: str, text: str) -> None:
    assert read(tmp_path, "a.mdx", component).text == text


@pytest.mark.parametrize("name", ["a.md", "a.mdx", "a.html"])
@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Before {% include\nmenu.html %}{# note #}after", "Before after"),
        ("Before {% comment %}draft{% endcomment %}{{ anything }}after", "Before after"),
        ("Before {{ site.name }}after", "Before after"),
        ("Before {{< note >}}inside{{< /note >}} after", "Before inside after"),
        ("Dear {{ first_name }}, welcome", "Dear {{ first_name }}, welcome"),
        ("{% raw %}Write {{ x }}{% endraw %} here", "Write {{ x }} here"),
        ("Write <code>{% raw %}{{ x }}</code> {% include y %}here", "Write {% raw %}{{ x }} here"),
    ],
)
def test_tags_of_site_generators_go_and_places_for_names_stay(tmp_path: Path, name: str, text: str, left: str) -> None:
    assert read(tmp_path, name, f"<p>{text}</p>" if name == "a.html" else text).text == left


@pytest.mark.parametrize(
    "code",
    [
        "```\n{% if x %}{{ x }}\n```",
        "Text:\n\n    {% if x %}{{ x }}",
        "Use `{% if x %}{{ x }}`",
        "- a\n\n  ~~~\n  {% if x %}{{ x }}\n  ~~~",
    ],
)
def test_code_of_markdown_keeps_its_tags(tmp_path: Path, code: str) -> None:
    text = read(tmp_path, "a.md", f"---\ntitle: Jinja\n---\n{{% include menu %}}\n\n{code}\n\n{{{{ gone }}}}").text
    assert "{% if x %}{{ x }}" in text
    assert "include" not in text
    assert "gone" not in text


def test_address_made_by_a_tag_is_still_an_address(tmp_path: Path) -> None:
    assert read(tmp_path, "a.md", "Ask the [desk]({{ site.baseurl }}/desk).").text == "Ask the desk."


def test_anchor_of_a_heading_is_no_comment(tmp_path: Path) -> None:
    text = read(tmp_path, "a.md", "## One {#one}\n\nBetween\n\n{# gone #}\n").text
    assert "Between" in text
    assert "gone" not in text


def test_imports_and_components_of_mdx_leave_their_words(tmp_path: Path) -> None:
    code = "```js\nimport x\n```"
    top = "---\ntitle: Leave\n---\nimport Tabs from '@theme/Tabs'\nexport const a = {\n  b: 1,\n}"
    text = f"{top}\n\nimport duties rise.\n\n# One\n\n<Tabs>\n\nText\n\n</Tabs>\n\n{code}"
    document = read(tmp_path, "a.mdx", text)
    assert (document.title, document.text) == ("Leave", "import duties rise.\n\n# One\n\nText\n\n```\nimport x\n```")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("one {/* gone */}two", "one two"),
        ("one\n\n{/* gone\ngone two\n*/}\n\ntwo", "one\n\ntwo"),
        ("one\n\n{\n  /*\n  gone\n\n      gone\n  */\n}\n\ntwo", "one\n\ntwo"),
        ("one\n\n{/* gone\n\n```js\nimport gone\n```\n\n*/}\n\ntwo", "one\n\ntwo"),
        ("```js\n{/* one\ntwo */}\n```", "```\n{/* one\ntwo */}\n```"),
        ("> ```js\n> {/* one */}\n> ```", "> ```\n> {/* one */}\n> ```"),
        ("~~~\n{/* one */}", "```\n{/* one */}\n```"),
        ("Write `{/*` before\n\nand `*/}` after", "Write {/* before\n\nand */} after"),
        ("A lone {/* stays", "A lone {/* stays"),
    ],
)
def test_comments_of_mdx_go_unless_they_are_code(tmp_path: Path, text: str, left: str) -> None:
    assert read(tmp_path, "a.mdx", text).text == left


@pytest.mark.parametrize("name", ["a.md", "a.mdx", "a.html"])
@pytest.mark.parametrize("date", ["2023-02-30", "0000-00-00", "2020-01-01T25:00:00Z"])
def test_date_that_does_not_exist_costs_neither_title_nor_text(tmp_path: Path, name: str, date: str) -> None:
    document = read(tmp_path, name, f"---\ntitle: Leave\ndate: {date}\n---\n<p>30 days</p>")
    assert (document.title, document.text) == ("Leave", "30 days")


def test_front_matter_of_an_html_page_is_its_title(tmp_path: Path) -> None:
    document = read(tmp_path, "a.html", "---\ntitle: Leave\nlayout: page\n---\n<p>30 {{ days }}</p>")
    assert (document.title, document.text) == ("Leave", "30")


# the frame of web pages ------------------------------------------------------------------------------

CONTENT = "<h1>Leave</h1><p>Everybody has thirty days of leave a year, and may carry five of them over.</p>"
LINKS = "<ul><li><a href='/a'>One</a></li><li><a href='/b'>Two</a></li></ul>"


@pytest.mark.parametrize(
    "frame",
    [
        "<div role=navigation>junk</div>",
        "<div role=banner>junk</div>",
        "<div role=contentinfo>junk</div>",
        "<div role=search>junk</div>",
        "<div hidden>junk</div>",
        "<div aria-hidden=true>junk</div>",
        "<div style='color: red; display: none'>junk</div>",
        "<a href='#main'>Skip to main content junk</a>",
        "<div class='breadcrumbs'>Home / junk</div>",
        "<div id='cookie-banner'><p>We use cookies, junk</p><button>Accept</button></div>",
        "<div class='site-footer'>© junk</div>",
        f"<div class='left-sidebar'>{LINKS}<a href='/'>junk</a></div>",
        f"<ul class='main-menu'><li><a href='/'>junk</a></li></ul>{LINKS[:0]}",
        "<div class='social-share'><a href='/'>junk</a> <a href='/'>Post</a></div>",
    ],
)
def test_frame_of_a_page_goes(tmp_path: Path, frame: str) -> None:
    document = read(tmp_path, "a.html", f"<body>{frame}<div class='with-sidebar'>{CONTENT}</div>{frame}</body>")
    assert document.text.startswith("# Leave\n\nEverybody has")
    assert "junk" not in document.text


@pytest.mark.parametrize(
    "kept",
    [
        "<div class='sidebar'>Mind that this needs approval.</div>",
        "<section id='menu'><h2>Canteen</h2><p>Soup</p></section>",
        "<h2 id='cookie-notice'>Cookie notice</h2>",
        "<div class='footnote'>Approval</div>",
        "<button aria-controls='x'>When?</button><div id='x' hidden>Approval in May</div>",
        "<div role=tabpanel hidden>Approval on Linux</div>",
        "<table><tr><th>a<th>b<tr><td>Approval<td class='menu'><a href='/x'>c</a></table>",
        "<article><header><h2>Approval</h2></header><p>Text</p></article>",
    ],
)
def test_content_that_looks_like_a_frame_stays(tmp_path: Path, kept: str) -> None:
    text = read(tmp_path, "a.html", f"<body>{CONTENT}{kept}</body>").text
    assert any(word in text.replace(CONTENT, "") for word in ("pproval", "Soup", "Cookie notice"))


@pytest.mark.parametrize(
    "outer", ["<form>{}</form>", "<div class=site-footer>{}</div>", "<body hidden>{}", "<header>{}</header>"]
)
def test_most_of_the_text_is_never_dropped(tmp_path: Path, outer: str) -> None:
    assert "thirty days" in read(tmp_path, "a.html", outer.format(CONTENT) + "<p>imprint</p>").text


@pytest.mark.parametrize("main", ["<div role=main>{}</div>", "<article>{}</article>"])
def test_main_part_is_known_by_its_role_or_as_the_one_article(tmp_path: Path, main: str) -> None:
    text = read(tmp_path, "a.html", f"<body><div>menu</div>{main.format(CONTENT)}<div>imprint</div></body>").text
    assert text.startswith("# Leave\n\nEverybody")
    assert "imprint" not in text


def test_teaser_is_not_the_main_part(tmp_path: Path) -> None:
    text = read(tmp_path, "a.html", f"<body><article>News</article>{CONTENT}</body>").text
    assert "News" in text
    assert "thirty days" in text


@pytest.mark.slow
def test_page_with_thousands_of_hidden_marks_is_read_quickly(tmp_path: Path) -> None:
    page = "<p>word <i aria-hidden=true>x</i></p>" * 5000
    assert "x" not in read(tmp_path, "a.html", f"<body>{page}</body>").text


def test_mark_that_links_to_a_heading_is_not_in_it(tmp_path: Path) -> None:
    assert outline(read(tmp_path, "a.html", "<h2>Leave<br>now<a href='#leave'>¶</a></h2><p>x")) == [(2, "Leave now")]


@pytest.mark.slow
@pytest.mark.parametrize("tag", ["p", "li", "div", "font", "blockquote"])
def test_tags_that_are_never_closed_do_not_nest_without_end(tmp_path: Path, tag: str) -> None:
    text = read(tmp_path, "a.html", "<body>" + "".join(f"<{tag}>word{n}\n" for n in range(3000))).text
    assert "word0" in text
    assert "word2999" in text


# tables of HTML and DOCX -----------------------------------------------------------------------------


def table_of(tmp_path: Path, html: str) -> str:
    return read(tmp_path, "a.html", f"<table>{html}</table>").text


def test_bars_and_line_breaks_in_cells_do_not_break_the_table(tmp_path: Path) -> None:
    text = table_of(tmp_path, "<tr><th>a|b<th>c<tr><td>one<br>two<td><p>x</p><p>y</p><tr><td><ul><li>l<li>m</ul><td>")
    assert text == "| a\\|b | c |\n| --- | --- |\n| one two | x y |\n| l; m |  |"


def test_cell_over_rows_is_in_each_and_one_over_columns_moves_none(tmp_path: Path) -> None:
    html = "<tr><th>City<th colspan=2>Rates<tr><td rowspan=2>Bonn<td>1<td>2<tr><td>3<td>4<tr><td>Kiel<td>5<td>6"
    assert table_of(tmp_path, html).splitlines()[2:] == ["| Bonn | 1 | 2 |", "| Bonn | 3 | 4 |", "| Kiel | 5 | 6 |"]


def test_span_without_sense_is_one_cell(tmp_path: Path) -> None:
    html = "<tr><th colspan=many>a<th rowspan=-1>b<tr><td colspan=0>1<td rowspan='99999999999'>2"
    assert table_of(tmp_path, html) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_table_in_a_cell_is_text_of_the_cell(tmp_path: Path) -> None:
    inner = "<table><tr><td>x<td>y<tr><td>1<td>2</table>"
    html = f"<caption>Rates</caption><tr><th>Kind<th>Value of it<tr><td>first of the rows<td>{inner}"
    assert table_of(tmp_path, html) == (
        "Rates\n\n| Kind | Value of it |\n| --- | --- |\n| first of the rows | x, y; 1, 2 |"
    )


@pytest.mark.parametrize("spacer", ["", "<td>"])
def test_table_that_lays_out_a_page_is_none(tmp_path: Path, spacer: str) -> None:
    inner = "<table><tr><td>some words<td>and more words<tr><td>1<td>2</table>"
    assert table_of(tmp_path, f"<tr>{spacer}<td><h2>Rates</h2><tr>{spacer}<td>{inner}") == (
        "## Rates\n\n| some words | and more words |\n| --- | --- |\n| 1 | 2 |"
    )


@pytest.mark.skipif(not NASTY.exists(), reason="the shared documents are not here")
@pytest.mark.parametrize("name", ["do_docx_rich_cells", "do_textbox", "do_Strict", "mk_rlink"])
def test_no_word_of_a_real_document_is_lost(tmp_path: Path, name: str) -> None:
    data = (NASTY / f"{name}.docx").read_bytes()
    document = read(tmp_path, "a.docx", data)
    xml = BeautifulSoup(zipfile.ZipFile(io.BytesIO(data)).read("word/document.xml"), "xml")
    for gap in xml.find_all(["w:p", "w:br", "w:tab"]):
        gap.insert_before(" ")
    for text in xml.find_all(["wp:posOffset", "w:instrText", "w:delText", "wp14:pctWidth", "wp14:pctHeight"]):
        text.decompose()
    words = set(re.findall(r"\w{3,}", xml.get_text()))
    missing = {word for word in words if word not in document.text}
    assert len(missing) <= 0.01 * len(words), missing
    assert all(span.endswith(mark.title) for span, mark in zip(spanned(document), document.headings, strict=True))


def test_strict_office_files_are_read(tmp_path: Path) -> None:
    for name, whole in (("a.xlsx", make_xlsx(["City"], ["Bonn"])), ("a.pptx", make_pptx())):
        assert read(tmp_path, name, strict(whole)).text == read(tmp_path, name, whole).text


def strict(data: bytes) -> bytes:
    """An Office file with the namespaces of Strict Open XML, which are those of its parts, not of its package."""
    usual = rb"http://schemas.openxmlformats.org/(officeDocument|drawingml|presentationml|spreadsheetml)/2006/"
    with zipfile.ZipFile(io.BytesIO(data)) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    return zipped({name: re.sub(usual, rb"http://purl.oclc.org/ooxml/\1/", part) for name, part in parts.items()})


# containers ------------------------------------------------------------------------------------------

CONTAINERS = {
    ".docx": make_docx([("Heading1", "Leave"), ("", "text")]),
    ".pptx": make_pptx(),
    ".xlsx": make_xlsx(["City"], ["Bonn"]),
    ".epub": make_epub({"one.xhtml": "<p>first</p>"}),
}
OLE = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600)


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_file_that_unpacks_to_too_much_is_refused_before_it_does(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 10_000_000)
    with zipfile.ZipFile(io.BytesIO(CONTAINERS[suffix])) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    assert read(tmp_path, f"a{suffix}", zipped(parts)).text
    with pytest.raises(ParseError, match="unpack to"):
        read(tmp_path, f"b{suffix}", zipped({**parts, "more.xml": b" " * 9_990_000}))


@pytest.mark.parametrize("suffix", CONTAINERS)
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (OLE + "EncryptedPackage".encode("utf-16-le"), "locked with a password"),
        (OLE, "old Office format"),
        (zipped({"a.txt": "text"}), "zip file, but not"),
        (b"no zip at all", "damaged or not really"),
        (b"", "damaged or not really"),
    ],
)
def test_file_that_is_no_such_container_is_refused(tmp_path: Path, suffix: str, data: bytes, said: str) -> None:
    with pytest.raises(ParseError, match=said):
        read(tmp_path, f"a{suffix}", data)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", [".pptx", ".xlsx", ".epub", ".eml", ".rst", ".csv"])
def test_cut_off_file_is_read_or_refused(tmp_path: Path, suffix: str) -> None:
    texts = {".eml": make_mail("a", "<p>b").as_bytes(), ".rst": SPHINX.encode(), ".csv": b'a,"b\nc",d\n1,2,3\n'}
    whole = CONTAINERS.get(suffix) or texts[suffix]
    for end in range(0, len(whole), max(1, len(whole) // 15)):
        assert is_read_or_refused(tmp_path, whole[:end], suffix), end


def is_read_or_refused(tmp_path: Path, data: bytes, suffix: str) -> bool:
    try:
        return bool(read(tmp_path, f"cut{suffix}", data).text.strip())
    except ParseError as error:
        return bool(str(error))


@pytest.mark.skipif(not NASTY.exists(), reason="the shared documents are not here")
def test_nasty_files_are_read_or_refused_in_plain_words(tmp_path: Path) -> None:
    for path in NASTY.glob("[mu]*"):
        if path.suffix in PARSERS and path.suffix != ".pdf" and "872p" not in path.name:
            assert is_read_or_refused(tmp_path, path.read_bytes(), path.suffix), path.name


def test_joined_parts_keep_their_headings_at_their_text() -> None:
    parts = [
        Parsed((Page(1, "# One\n\na"), Page(2, "b")), (Heading(1, "One", 0, 5),), "One"),
        Parsed((Page(3, ""),), (), ""),
        Parsed((Page(4, "c\n\n## Two"),), (Heading(2, "Two", 3, 9),), "Two"),
    ]
    whole = joined(parts, "All")
    text = PAGE_BREAK.join(page.text for page in whole.pages)
    assert [text[mark.start : mark.end] for mark in whole.headings] == ["# One", "## Two"]
    assert [page.number for page in whole.pages] == [1, 2, 3, 4]
    assert whole.title == "All"


@pytest.mark.slow
def test_heavy_libraries_wait_for_a_file_that_needs_them() -> None:
    code = "import sys, ingest.parse; print({'pptx', 'openpyxl', 'docutils'} & set(sys.modules) or '')"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


def test_text_recognition_that_runs_out_of_memory_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def engine(*_: object, **__: object) -> None:
        raise RuntimeError("Non-zero status code returned while running Add node: std::bad_alloc")

    monkeypatch.setattr(ocr, "_engine", lambda: engine)
    picture = np.zeros((20, 20, 3), np.uint8)
    picture[5:15, 5:15] = 255
    with pytest.raises(MemoryError):
        ocr.read_picture(picture, 1)
