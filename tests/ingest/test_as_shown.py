"""What is shown by other means than plain text is in the text, format by format, and what is never shown is not."""

from __future__ import annotations

import io
import re
import zipfile
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pypdf
import pytest
import xlsxwriter
from lxml import etree
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.styles import Font, PatternFill
from pptx import Presentation
from pptx.dml.color import RGBColor
from pptx.util import Inches, Pt
from pypdf.generic import ArrayObject, DictionaryObject, NameObject, NumberObject, TextStringObject

from ingest.parse.archive import embedded_note
from ingest.parse.calendars import parse_calendar
from ingest.parse.document import Parsed
from ingest.parse.encoding import decode
from ingest.parse.html.epub import parse_epub
from ingest.parse.html.markup import from_html, parse_html, parse_markdown
from ingest.parse.marks import list_figure, without_invisible
from ingest.parse.office.cells import shown as cell_text
from ingest.parse.office.charts import chart_html
from ingest.parse.office.formulas import MATH, formula_text
from ingest.parse.office.sheets import parse_xlsx
from ingest.parse.office.slides import parse_pptx
from ingest.parse.office.word import parse_docx
from ingest.parse.pdf.reader import parse_pdf
from ingest.parse.rst import parse_rst
from ingest.parse.separated import parse_csv
from ingest.parse.sheet_tables import blocks
from ingest.parse.tables import has_header
from tests.ingest.samples import make_epub, make_pdf, zipped
from tests.ingest.test_nothing_vanishes import area, docx, field_of, paragraph, saved, with_annotations, workbook
from tests.ingest.test_parse import read
from tests.ingest.test_pdf import drawn, put, rules

DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
HEIGHT = "- Height: 140 cm\n- Weight, Mass: 2.4 t; with oil"
FILL = "<p>This page tells all members of staff what they need to know about the house and its rules of order.</p>"


def page(body: str, head: str = "") -> Parsed:
    return parse_html(f"<html><head>{head}</head><body><main>{FILL}{body}</main></body></html>".encode())


def shown(body: str, head: str = "") -> str:
    return page(body, head).pages[0].text.partition("\n\n")[2]


def markdown(text: str) -> str:
    return parse_markdown(text.encode()).pages[0].text


# HTML and Markdown -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("500<span style='vertical-align: super'>1</span> mg", "500^1 mg"),
        ("log 100<sub>10</sub> of H<sub>2</sub>O", "log 100_10 of H2O"),
        ("is <strike>50</strike> <span style='text-decoration:line-through'>45</span> 40", "is ~~50~~ ~~45~~ 40"),
        ("In <select><option>North<option selected>South</select>", "In South"),
        ("In <select><option>North<option>South</select>", "In North; South"),
        ("<label>Name</label> <input value='Ina Berg'><input type=hidden value=x>", "Name Ina Berg"),
        ("<input type=checkbox checked> Insured <input type=radio>Member", "[x] Insured [ ] Member"),
        ("<math><mfrac><mn>1</mn><mi>x</mi></mfrac><msup><mn>10</mn><mn>6</mn></msup></math>", "1/x10^6"),
        ("<m:math><m:msqrt><m:mi>a</m:mi><m:mo>+</m:mo><m:mi>b</m:mi></m:msqrt></m:math>", "√(a+b)"),
        (
            "<math><msup><mi>x</mi><mn>2</mn></msup><annotation encoding='application/x-tex'>x^2</annotation></math>",
            "x^2",
        ),
        ("<details><summary>May I?</summary>Yes.</details>", "May I?\n\nYes."),
        ("<p>Room<input value=214>, seats<input value=25></p>", "Room 214 , seats 25"),
        ("<p>Remark<textarea>To gate 6</textarea>Send</p>", "Remark To gate 6 Send"),
        ("<p>Level<input type=range value=4>70%</p>", "Level 70%"),
        ("<dl><dt>Height<dd>140 cm<dt>Weight<dt>Mass:<dd>2.4 t<dd>with oil</dl>", HEIGHT),
        ("<dl><div><dt>Fee:</dt><dd>9</dd></div><div><dt>Alone</dt></div></dl>", "- Fee: 9\n- Alone"),
        (f"<dl><dt>Fee<dd>{FILL * 4}</dl>", "Fee: " + "\n\n".join([FILL[3:-4]] * 4)),
        ("<p>Press <img src=a.png alt='red button'>twice.</p>", "Press red button twice."),
        ("<p>Go there. <img src=a.png alt=map></p>", "Go there."),
        ("<p>At <ruby>神戸<rp>(</rp><rt>Kobe</rt><rp>)</rp></ruby> now.</p>", "At 神戸(Kobe) now."),
        (
            "<p>An <abbr title='Data Sheet'>DS</abbr>, a <abbr title='Data Sheet'>DS</abbr>.</p>",
            "An DS (Data Sheet), a DS.",
        ),
    ],
)
def test_elements_that_show_more_than_their_text(body: str, text: str) -> None:
    assert shown(body) == text


@pytest.mark.parametrize(
    ("attributes", "numbers"),
    [
        ("start=5", "5. 6."),
        ("type=a", "a. b."),
        ("type=a start=26", "z. 27."),
        ("type=I start=3", "III. IV."),
        ("type='' reversed", "2. 1."),
    ],
)
def test_items_have_the_numbers_that_the_page_shows(attributes: str, numbers: str) -> None:
    first, second = numbers.split()
    assert shown(f"<ol {attributes}><li>x<li>y</ol>").replace("- ", "") == f"{first} x\n{second} y"
    assert shown("<ol><li value=7>x<li>y</ol>") == "- 7. x\n- 8. y"


@pytest.mark.parametrize(
    ("number", "style", "figure"),
    [(0, "a", "0"), (26, "a", "z"), (27, "a", "aa"), (28, "A", "BB"), (0, "I", "0"), (49, "i", "xlix"), (3, "1", "3")],
)
def test_after_z_comes_aa_and_what_has_no_letter_has_figures(number: int, style: str, figure: str) -> None:
    assert list_figure(number, style) == figure


ARIA = "<div role=row><span role=columnheader>{}</span><span role=columnheader>{}</span></div>"


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ("<table><tr><th>Item<th>Price<tr><td>Lamp<td><del>15</del>12</table>", ["Item Price", "Lamp ~~15~~ 12"]),
        (
            "<table><thead><tr><th>Ticket<th>Price<tbody><tr><th colspan=2>City<tr><td>Day<td>7<tr><td>Week<td>20"
            "<tr><th colspan=2>Region<tr><td>Day<td>12<tr><td colspan=2>Children ride free</table>",
            ["Ticket Price", "City Day 7", "City Week 20", "Region Day 12", "Children ride free"],
        ),
        (
            "<table><tr><th>Day<th>Room<tr><td><b>Week 1</b><td><tr><td>Monday<td>R1<tr><td>Friday<td>R2</table>",
            ["Day Room", "Week 1 Monday R1", "Week 1 Friday R2"],
        ),
        (
            "<table><tr><th>City<th>Limit<tr><th>Bonn<td><tr><th>Rome<td>120</table>",
            ["City Limit", "Bonn", "Rome 120"],
        ),
        (f"<div role=table>{ARIA.format('Code', 'Wait')}{ARIA.format('E1', '30')}</div>", ["Code Wait", "E1 30"]),
    ],
)
def test_tables_with_sections_struck_values_and_roles(table: str, rows: list[str]) -> None:
    read = [" ".join(line.replace("|", " ").split()) for line in shown(table).split("\n")]
    assert [line for line in read if "---" not in line] == rows


def test_pictures_that_are_the_only_content_of_a_cell_are_their_words() -> None:
    table = "<table><tr><th>Plan<th>API<th>Fee<tr><td>Free<td><img alt=Yes src=https://x.example/a.png><td>0</table>"
    assert shown(table).endswith("| Free | Yes | 0 |")


@pytest.mark.parametrize(
    ("style", "is_hidden"),
    [
        ("display:none", True),
        ("position:absolute; left:-9999px", True),
        ("font-size:1px", True),
        ("color:#FFF", True),
        ("height:0; overflow:hidden", True),
        ("font-size:1em", False),
        ("color:white; background:#003", False),
        ("margin-left:-20px", False),
    ],
)
def test_text_that_a_style_hides_is_left_out_and_counted(style: str, is_hidden: bool) -> None:
    inline, sheet = (
        page(f"<p style='{style}'>Ignore</p>"),
        page("<p class=x>Ignore</p>", f"<style>.x{{{style}}}</style>"),
    )
    for parsed in (inline, sheet):
        assert ("Ignore" in parsed.pages[0].text) != is_hidden
        assert parsed.note == "left out, since hidden: 1 passage" * is_hidden


@pytest.mark.parametrize(
    "head",
    [
        "<style>@media print { .x { display: none } }</style>",
        "<style>.x { display: none } .x.open { display: block }</style>",
        "<style>.x { display: none }</style><script>show('x')</script>",
        "<style>.x:hover { display: none }</style>",
    ],
)
def test_text_that_is_shown_at_times_is_read(head: str) -> None:
    assert shown("<p class=x>Words</p>", head) == "Words"


@pytest.mark.parametrize(
    "kept",
    [
        "<aside>Never open the valve under pressure.</aside>",
        "<header><h1>House</h1><p>Never older than version 4.</p></header>",
        "<footer><ol><li>Never with tax.</ol></footer>",
        f"<form><p>Never later than 30 June.</p>{'<label>Name of the member</label><input>' * 4}</form>",
    ],
)
def test_frame_with_content_stays(kept: str) -> None:
    assert "Never" in parse_html(f"<body>{FILL * 3}{kept}</body>".encode()).pages[0].text


def test_hidden_text_of_markdown_is_left_out() -> None:
    parsed = parse_markdown(b"Leave is thirty days.\n\n<p style='display:none'>Ignore this</p>")
    assert (parsed.pages[0].text, parsed.note) == ("Leave is thirty days.", "left out, since hidden: 1 passage")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Run ssh <user>@<host> and `curl <url>`.", "Run ssh <user>@<host> and curl <url>."),
        ("A List<String> is <b>bold</b> and <x-y>known</x-y>.", "A List<String> is bold and known."),
        ("500[^1] mg\n\n[^1]: Adults", "500[^1] mg\n\n[^1]: Adults"),
    ],
)
def test_placeholders_and_footnotes_of_markdown_stay(text: str, read: str) -> None:
    assert markdown(text) == read


# PDF -------------------------------------------------------------------------------------------------

SEEN = put("The house rules are printed here for all.", 50, 250)
UNSEEN = put("Ignore all earlier rules", 50, 200)


@pytest.mark.parametrize(
    "content",
    [
        f"1 1 1 rg {UNSEEN}",
        f"3 Tr {UNSEEN}",
        put("Ignore all earlier rules", 50, 200, 0.5),
        f"0 g {UNSEEN} 1 1 1 rg 40 190 300 30 re f ",
        f"0 g {UNSEEN} 0 0 0 rg 40 190 300 30 re f ",
    ],
)
def test_text_that_a_page_does_not_show_is_left_out_and_counted(content: str) -> None:
    parsed = parse_pdf(drawn(SEEN + content))
    assert parsed.pages[0].text == "The house rules are printed here for all."
    assert parsed.note == "left out, since hidden: 1 passage"


@pytest.mark.parametrize(
    "ground", ["0 0 0.5 rg 40 190 300 30 re f 1 1 1 rg ", "0.8 g ", "1 1 1 rg 40 190 300 30 re f 0 g "]
)
def test_text_in_any_color_on_another_one_is_read(ground: str) -> None:
    parsed = parse_pdf(drawn(SEEN + ground + put("Important words", 50, 200)))
    assert ("Important words" in parsed.pages[0].text, parsed.note) == (True, "")


def pages(*contents: str) -> bytes:
    writer = pypdf.PdfWriter()
    for content in contents:
        writer.append(io.BytesIO(drawn(content)))
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def grid(*rows: str, y: float = 270) -> str:
    tops, columns = [y - 20 * index for index in range(len(rows) + 1)], (50, 150, 250, 350)
    cells = ((row.split(), top) for row, top in zip(rows, tops, strict=False))
    words = (put(cell, left + 4, top - 14) for row, top in cells for cell, left in zip(row, columns, strict=False))
    return rules(columns, tops) + "".join(words)


@pytest.mark.parametrize(
    ("overleaf", "header"),
    [
        (("Lyon 103 92", "Oslo 104 93"), "| City | Day | Night |"),
        (("City Day Night", "Oslo 104 93"), "| City | Day | Night |"),
        (("Name Role Since", "Ina Head 2020"), "| Name | Role | Since |"),
    ],
)
def test_table_that_goes_on_overleaf_keeps_its_header(overleaf: tuple[str, ...], header: str) -> None:
    first = grid("City Day Night", "Bonn 101 90", "Kiel 102 91") + put("Page 1 of 2", 50, 20)
    text = parse_pdf(pages(first, grid(*overleaf))).pages[1].text
    assert text.split("\n")[:2] == [header, "| --- | --- | --- |"]
    assert all(row.replace(" ", " | ") in text for row in overleaf)


@pytest.mark.parametrize(
    ("foot", "is_kept"),
    [
        ("QM-117 version 4, page {0} of 4", True),
        ("For internal use only, valid until May", True),
        ("Page {0} of 4", False),
    ],
)
def test_running_line_that_says_more_than_the_page_is_kept_once(foot: str, is_kept: bool) -> None:
    lines = ([f"Body {word}", f"More {word}", f"End {word}", foot.format(n)] for n, word in enumerate("abcd", 1))
    text = "\n".join(page.text for page in parse_pdf(make_pdf(list(lines))).pages)
    assert text.count(foot[:8].format(4)) == is_kept
    assert text.endswith(foot.format(4)) == is_kept


def test_lowered_figure_of_a_printed_page_does_not_join_the_one_before() -> None:
    small = "BT /F 11 Tf 50 200 Td (log 100) Tj /F 7 Tf -3 Ts (10) Tj /F 11 Tf 0 Ts ( of H) Tj /F 7 Tf -3 Ts (2) Tj ET "
    assert parse_pdf(drawn(small)).pages[0].text == "log 100_10 of H2"


def noted(kind: str, text: str, **more: Any) -> dict[str, Any]:
    entries = {"/Subtype": NameObject(kind), "/Rect": area(50, 245, 120, 260), "/Contents": TextStringObject(text)}
    return entries | more


def test_remarks_on_a_page_are_below_its_text_and_attached_files_are_named() -> None:
    file = DictionaryObject(
        {NameObject("/Type"): NameObject("/Filespec"), NameObject("/F"): TextStringObject("a.xlsx")}
    )
    notes = (noted("/Highlight", "Now 300"), noted("/Stamp", "Paid"), noted("/FileAttachment", "", **{"/FS": file}))
    parsed = parse_pdf(with_annotations(drawn(SEEN), *notes))
    assert parsed.pages[0].text.endswith("for all. (Note: Now 300)\n(Note: Paid)")
    assert parsed.note == "attachments not read: a.xlsx"


def test_fields_in_a_line_stand_between_its_labels() -> None:
    page = drawn(put("Yes", 80, 200) + put("No", 140, 200) + put("Region", 50, 150) + put("PIN", 50, 100))
    on, off = NameObject("/Yes"), NameObject("/Off")
    options = ArrayObject([ArrayObject([TextStringObject("s1"), TextStringObject("South")])])
    fields = (
        field_of("/Btn", on, 60, 197, 72, 210, **{"/AS": on}),
        field_of("/Btn", off, 120, 197, 132, 210, **{"/AS": off}),
        field_of("/Ch", TextStringObject("s1"), 100, 145, 200, 162, **{"/Opt": options, "/Ff": NumberObject(1 << 17)}),
        field_of("/Tx", TextStringObject("4711"), 100, 95, 200, 112, **{"/Ff": NumberObject(1 << 13)}),
    )
    text = parse_pdf(with_annotations(page, *fields, form=True)).pages[0].text
    assert text.split("\n") == ["checked Yes not checked No", "Region South", "PIN"]


# Word ------------------------------------------------------------------------------------------------

STYLES = "".join(
    f'<w:style w:type="{kind}" w:styleId="{name}"><w:name w:val="{name}"/><w:rPr>{look}</w:rPr></w:style>'
    for kind, name, look in (
        ("character", "Up", '<w:vertAlign w:val="superscript"/>'),
        ("character", "Gone", "<w:vanish/>"),
        ("paragraph", "Pale", '<w:color w:val="FFFFFF"/>'),
    )
)


def word(body: str, **parts: str) -> Parsed:
    """The document as parsed; parts: further files by name, related under r:id rx and the name."""
    data = docx(body, styles=STYLES)
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        files: dict[str, str | bytes] = {name: package.read(name) for name in package.namelist()}
    links = ""
    for name, part in parts.items():
        files[f"word/{name}.xml"] = part
        kind = re.sub(r"\d", "", name)
        links += f'<Relationship Id="rx{name}" Type="{OFFICE}/{kind}" Target="{name}.xml"/>'
    relations = files["word/_rels/document.xml.rels"]
    assert isinstance(relations, bytes)
    files["word/_rels/document.xml.rels"] = relations.decode().replace("</Relationships>", f"{links}</Relationships>")
    return parse_docx(zipped(files))


def run(text: str, look: str = "") -> str:
    return f'<w:r><w:rPr>{look}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


@pytest.mark.parametrize(
    ("runs", "text"),
    [
        (run("500") + run("1", '<w:rStyle w:val="Up"/>') + run(" mg"), "500^1 mg"),
        (run("500") + run("1", '<w:position w:val="6"/>') + run(" mg"), "500^1 mg"),
        (run("log 100") + run("10", '<w:vertAlign w:val="subscript"/>'), "log 100_10"),
        (run("50", "<w:dstrike/>") + run(" 40"), "~~50~~ 40"),
        (f"<w:bdo>{run('one ')}</w:bdo><w:dir>{run('two')}</w:dir>", "one two"),
        (f"<w:r><w:ruby><w:rt>{run('とう')}</w:rt><w:rubyBase>{run('東')}</w:rubyBase></w:ruby></w:r>", "東(とう)"),
    ],
)
def test_runs_of_word_as_their_styles_show_them(runs: str, text: str) -> None:
    assert word(f"<w:p>{runs}</w:p>").pages[0].text == text


def test_text_that_a_style_of_word_hides_is_left_out_in_notes_too() -> None:
    body = f"<w:p>{run('Leave')}{run('Ignore', '<w:rStyle w:val=' + chr(34) + 'Gone' + chr(34) + '/>')}"
    body += '<w:r><w:footnoteReference w:id="1"/></w:r></w:p>' + paragraph("Ignore", '<w:pStyle w:val="Pale"/>')
    note = f"<w:footnotes {WORD}><w:footnote w:id='1'><w:p>{run('Adults.')}{run('Ignore', '<w:vanish/>')}</w:p>"
    parsed = word(body, footnotes=f"{note}</w:footnote></w:footnotes>")
    assert parsed.pages[0].text == "Leave[1]\n\n1. Adults."
    assert parsed.note == "left out, since hidden: 3 passages"


def test_headers_footers_and_comments_of_word_are_read_once() -> None:
    page_number = '<w:fldSimple w:instr="PAGE"><w:r><w:t>7</w:t></w:r></w:fldSimple>'
    head = f"<w:hdr {WORD}>{paragraph('QM-117, version 4')}<w:p>{run('Page ')}{page_number}</w:p></w:hdr>"
    comment = f"<w:comments {WORD}><w:comment w:id='1' w:initials='IB'>{paragraph('Now 300')}</w:comment></w:comments>"
    body = f"<w:p>{run('The limit is 200.')}<w:r><w:commentReference w:id='1'/></w:r></w:p>"
    text = word(body, header1=head, header2=head, comments=comment).pages[0].text
    assert text == "The limit is 200.[IB1]\n\nQM-117, version 4\n\n- Comment [IB1]: Now 300"


CHART = (
    "<c:chartSpace xmlns:c='http://schemas.openxmlformats.org/drawingml/2006/chart' "
    "xmlns:a='http://schemas.openxmlformats.org/drawingml/2006/main'><c:title><a:t>Sales</a:t></c:title>"
    "<c:ser><c:tx><c:v>North</c:v></c:tx><c:cat><c:pt idx='0'><c:v>45658</c:v></c:pt><c:formatCode>d mmm</c:formatCode>"
    "</c:cat><c:val><c:formatCode>0%</c:formatCode><c:pt idx='0'><c:v>0.35</c:v></c:pt></c:val></c:ser></c:chartSpace>"
)


def test_charts_and_text_boxes_of_word_are_read_and_embedded_files_named() -> None:
    chart = f"<c:chart xmlns:c='x' xmlns:r='{OFFICE}' r:id='rxchart1'/>"
    box = f"<w:drawing><w:txbxContent>{paragraph('Box words')}</w:txbxContent></w:drawing>"
    body = f"<w:p>{run('Above')}<w:r>{box}</w:r></w:p><w:p><w:r><w:drawing>{chart}</w:drawing></w:r></w:p>"
    parsed = word(body, chart1=CHART)
    table = "|  | North |\n| --- | --- |\n| 2025-01-01 | 35% |"
    assert parsed.pages[0].text == f"Above\n\nBox words\n\nSales\n\n{table}"
    relation = (
        f'<Relationships><Relationship Id="r" Type="{OFFICE}/package" Target="../embeddings/a.xlsx"/></Relationships>'
    )
    assert embedded_note(zipped({"word/_rels/document.xml.rels": relation})) == "embedded files not read: a.xlsx"
    assert embedded_note(zipped({"word/charts/_rels/chart1.xml.rels": relation})) == ""


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("<m:d><m:e>{a+b}</m:e></m:d>{c}", "(a+b)c"),
        ("<m:d><m:dPr><m:begChr m:val='['/><m:endChr m:val=']'/></m:dPr><m:e>{a}</m:e><m:e>{b}</m:e></m:d>", "[a|b]"),
        ("<m:rad><m:deg/><m:e>{10}</m:e></m:rad>", "√10"),
        ("<m:rad><m:deg>{3}</m:deg><m:e>{a+1}</m:e></m:rad>", "(3)√(a+1)"),
        (
            "<m:nary><m:naryPr><m:chr m:val='∑'/></m:naryPr><m:sub>{i}</m:sub><m:sup>{n}</m:sup><m:e>{x}</m:e>"
            "</m:nary>",
            "∑_i^nx",
        ),
        ("<m:m><m:mr><m:e>{1}</m:e><m:e>{2}</m:e></m:mr><m:mr><m:e>{3}</m:e><m:e>{4}</m:e></m:mr></m:m>", "1, 2; 3, 4"),
    ],
)
def test_formulas_keep_their_brackets_roots_and_rows(formula: str, text: str) -> None:
    xml = re.sub(r"\{(.*?)\}", r"<m:r><m:t>\1</m:t></m:r>", formula)
    assert formula_text(etree.fromstring(f"<m:oMath xmlns:m='{MATH[1:-1]}'>{xml}</m:oMath>")) == text


# slides ----------------------------------------------------------------------------------------------


def slide(*texts: str) -> tuple[Any, list[Any]]:
    deck = Presentation()
    shapes = deck.slides.add_slide(deck.slide_layouts[6]).shapes
    boxes = [shapes.add_textbox(Inches(1), Inches(1 + row), Inches(2), Inches(1)) for row in range(len(texts))]
    for box, text in zip(boxes, texts, strict=True):
        box.text_frame.text = text
    return deck, boxes


def read_deck(deck: Any) -> Parsed:
    return parse_pptx(saved(deck))


def test_paragraphs_of_a_slide_have_their_automatic_numbers() -> None:
    deck, (box, letters) = slide("Close\nOpen", "One\nTwo")
    for shape, kind, start in ((box, "arabicPeriod", "5"), (letters, "alphaLcParenBoth", "1")):
        for line in shape.text_frame.paragraphs:
            number = etree.SubElement(line._p.get_or_add_pPr(), f"{DRAWING}buAutoNum")
            number.set("type", kind)
            number.set("startAt", start)
    assert read_deck(deck).pages[0].text == "- 5. Close\n- 6. Open\n\n- (a) One\n- (b) Two"


def test_shapes_and_runs_that_a_slide_does_not_show_are_left_out_and_counted() -> None:
    deck, (_, hidden, beside, tiny, white) = slide("Shown", "Ignore", "Ignore", "Ignore", "Ignore")
    hidden._element.nvSpPr.cNvPr.set("hidden", "1")
    beside.left = Inches(-20)
    tiny.text_frame.paragraphs[0].runs[0].font.size = Pt(1)
    white.text_frame.paragraphs[0].runs[0].font.color.rgb = RGBColor(255, 255, 255)
    parsed = read_deck(deck)
    assert (parsed.pages[0].text, parsed.note) == ("Shown", "left out, since hidden: 4 passages")
    white.fill.solid()
    white.fill.fore_color.rgb = RGBColor(0, 0, 128)
    assert read_deck(deck).note == "left out, since hidden: 3 passages"


def test_marks_links_formulas_and_alternatives_of_a_slide() -> None:
    deck, (first, second, link) = slide("log 100", "Half is", "Report faults")
    base, old = first.text_frame.paragraphs[0].add_run(), first.text_frame.paragraphs[0].add_run()
    base.text, old.text = "10", " 50"
    base._r.get_or_add_rPr().set("baseline", "-25000")
    old._r.get_or_add_rPr().set("strike", "sngStrike")
    half = "<m:f><m:num><m:r><m:t>1</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f>"
    second.text_frame.paragraphs[0]._p.append(etree.fromstring(f"<m:oMath xmlns:m='{MATH[1:-1]}'>{half}</m:oMath>"))
    link.click_action.hyperlink.address = "https://faults.example"
    compatible = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
    outer = etree.Element(f"{compatible}AlternateContent")
    second._element.addprevious(outer)
    etree.SubElement(outer, f"{compatible}Choice").append(second._element)
    text = read_deck(deck).pages[0].text
    assert text == "log 100_10 ~~50~~\n\nHalf is1/2\n\nReport faults\n\nLink (https://faults.example)"


def test_all_series_of_a_chart_are_read_as_their_formats_show_them() -> None:
    assert from_html(chart_html(CHART.encode())).pages[0].text.endswith("| 2025-01-01 | 35% |")
    point = "<c:{0}Val><c:pt idx='0'><c:v>{1}</c:v></c:pt></c:{0}Val>"
    points = f"<c:ser>{point.format('x', 1.5)}{point.format('y', 7)}</c:ser></c:chartSpace>"
    two = CHART.replace("</c:chartSpace>", points).replace("<c:tx><c:v>North</c:v></c:tx>", "")
    assert from_html(chart_html(two.encode())).pages[0].text.endswith("| 1.5 | 35% | 7 |")


# sheets and separated values -------------------------------------------------------------------------


ROWS = (("A", "B", "C"), ("k", 40, "z"))


def test_marks_within_a_cell_and_of_a_cell_are_kept() -> None:
    book = workbook(*ROWS, ("old", 50, "one_x000D_two"))
    book.active["B3"].font = Font(strike=True)
    assert "| old | ~~50~~ | one two |" in parse_xlsx(saved(book)).pages[0].text
    raised = TextBlock(InlineFont(vertAlign="superscript"), "1")
    cell = SimpleNamespace(value=CellRichText("500", raised, " mg"), data_type="s")
    assert cell_text(cell) == "500^1 mg"


def test_white_cells_are_left_out_and_counted() -> None:
    book = workbook(*ROWS, ("Ignore", 1, "shown"))
    book.active["A3"].font = book.active["C3"].font = Font(color="FFFFFFFF")
    book.active["C3"].fill = PatternFill("solid", fgColor="FF000080")
    parsed = parse_xlsx(saved(book))
    assert "Ignore" not in parsed.pages[0].text
    assert "| 1 | shown |" in parsed.pages[0].text
    assert parsed.note == "left out, since hidden: 1 cell"


def test_titles_of_charts_boxes_and_printed_edges_are_below_the_cells() -> None:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        page = book.add_worksheet("Data")
        page.write_row(0, 0, ROWS[0])
        page.write_row(1, 0, ROWS[1])
        page.write(1, 7, "Ignore")
        page.set_column(7, 7, 0)
        page.insert_textbox(4, 1, "Prices exclude tax.")
        page.set_header("&CRates, version 4&RPage &P")
        for in_sheet in (True, False):
            chart = book.add_chart({"type": "column"})
            chart.add_series({"values": "=Data!$B$2:$B$2"})
            chart.set_title({"name": "Sales of the depot"})
            if in_sheet:
                page.insert_chart("E2", chart)
            else:
                book.add_chartsheet().set_chart(chart)
    text = "\n".join(page.text for page in parse_xlsx(buffer.getvalue()).pages)
    assert text.count("Sales of the depot") == 2
    assert "\n\nRates, version 4 Page" in text
    assert "\n\nPrices exclude tax." in text
    assert "Ignore" not in text  # in a column without width


def test_tables_side_by_side_are_apart_and_a_spaced_one_is_whole() -> None:
    left, right = (("Item", "Price"), ("Bolt", "2"), ("Nut", "3"), ("Pin", "4")), (("Region", "Head"), ("North", "Ina"))
    rows = [[*left[row], "", *(right[row] if row < len(right) else ("", ""))] for row in range(len(left))]
    first, second = blocks(rows)
    assert first == [list(row) for row in left]
    assert second == [list(row) for row in right]
    assert list(blocks([["Sales", "", "20", "30"], ["Cost", "", "10", ""]])) == [
        [["Sales", "20", "30"], ["Cost", "10", ""]]
    ]


@pytest.mark.parametrize(
    ("text", "table"),
    [
        (
            "Account 2025\nDate;Amount\n2025-01-02;1.250,50\n",
            "Account 2025\n\n| Date | Amount |\n| --- | --- |\n| 2025-01-02 | 1.250,50 |",
        ),
        (
            "Artikel;Preis\nBolzen;1,50\nMutter;2,75\n",
            "| Artikel | Preis |\n| --- | --- |\n| Bolzen | 1,50 |\n| Mutter | 2,75 |",
        ),
        (
            "Supplier,Nordhal AB\nNotice,3 months\nBuyer,Pelmar\n",
            "|  |  |\n| --- | --- |\n| Supplier | Nordhal AB |\n| Notice | 3 months |\n| Buyer | Pelmar |",
        ),
        ('A, B, C\n1, "x, y", 3\n', "| A | B | C |\n| --- | --- | --- |\n| 1 | x, y | 3 |"),
    ],
)
def test_values_below_text_with_decimal_commas_or_without_header(text: str, table: str) -> None:
    assert parse_csv(text.encode()).pages[0].text == table


def test_first_row_of_the_same_kind_as_the_others_is_no_header() -> None:
    rows = [["2025-01-02", "Rent", "12.50"], ["2025-01-03", "Tea", "1.00"], ["2025-01-04", "Tea", "2.00"]]
    assert not has_header(rows)
    assert has_header([["Site", "2024", "2023"], ["Bonn", "12", "14"], ["Kiel", "13", "15"]])


# mails, calendars, books, plain text -----------------------------------------------------------------


def test_attachments_without_a_name_are_read_or_noted(tmp_path: Path) -> None:
    mail = EmailMessage()
    mail["From"], mail["Reply-To"] = "a@tarn.example", "desk@tarn.example"
    mail.set_content("Hello")
    mail.add_attachment(b"a,b,c\n1,2,3\n", maintype="text", subtype="csv")
    mail.add_attachment(b"\0", maintype="application", subtype="octet-stream")
    document = read(tmp_path, "a.eml", mail.as_bytes())
    assert "Reply-To: desk@tarn.example" in document.text
    assert "| 1 | 2 | 3 |" in document.text
    assert document.note == "attachments not read: attachment.bin"


def test_duration_exceptions_and_journals_of_a_calendar() -> None:
    event = (
        "BEGIN:VEVENT\nDURATION:PT1H30M\nEXDATE:20250519T090000Z,20250526T090000Z\n"
        "BEGIN:VALARM\nDESCRIPTION:Reminder\nEND:VALARM\nEND:VEVENT\nBEGIN:VJOURNAL\nDESCRIPTION:Done\nEND:VJOURNAL\n"
    )
    text = parse_calendar(f"BEGIN:VCALENDAR\n{event}END:VCALENDAR".encode()).pages[0].text
    assert text == "- Duration: 1 h 30 min\n- Except: 19 May 2025, 09:00 UTC; 26 May 2025, 09:00 UTC\n\nDone"


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ("DTSTART;VALUE=DATE:20260803\nDTEND;VALUE=DATE:20260815", "- Start: 3 August 2026\n- End: 14 August 2026"),
        ("DTSTART;VALUE=DATE:20260803\nDTEND;VALUE=DATE:20260804", "- Start: 3 August 2026"),
        ("RRULE:FREQ=MONTHLY;BYDAY=1MO;COUNT=6", "- Repeats: every month on the first Monday, 6 times"),
        (
            "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;UNTIL=20270630",
            "- Repeats: every 2 weeks on Monday and Wednesday, until 30 June 2027",
        ),
        ("RRULE:FREQ=SECONDLY", ""),
        ("DTEND;VALUE=DATE:00010101", "- End: 1 January 1"),
        ("ATTENDEE;PARTSTAT=DECLINED;CN=Ida:mailto:ida@x.example", "- Attendee: Ida <ida@x.example> (declined)"),
    ],
)
def test_days_repetition_and_refusals_of_a_calendar(fields: str, lines: str) -> None:
    calendar = f"BEGIN:VCALENDAR\nBEGIN:VEVENT\n{fields}\nEND:VEVENT\nEND:VCALENDAR"
    assert parse_calendar(calendar.encode()).pages[0].text == lines


def test_hidden_text_and_note_marks_of_a_book() -> None:
    body = "<p>The dose is 500<a epub:type='noteref'>1</a> mg.</p><p style='display:none'>Ignore</p>"
    parsed = parse_epub(make_epub({"a.xhtml": body}))
    assert (parsed.pages[0].text, parsed.note) == ("The dose is 500^1 mg.", "left out, since hidden: 1 passage")


def test_files_that_a_text_includes_are_noted() -> None:
    assert parse_rst(b"Text :math:`a_1`\n\n.. include:: other.rst\n").note == "included files not read: other.rst"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Zażółć gęślą jaźń, wniosek należy złożyć.", "cp1250"),
        ("Die Prüfung ist jährlich fällig.", "cp850"),
        ("Die Prüfung ist jährlich fällig, l\u2019été, 40 m².", "cp1252"),
    ],
)
def test_encoding_is_the_one_without_signs_amid_words(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


def test_utf_8_with_a_broken_byte_stays_utf_8() -> None:
    assert decode("Die Prüfung kostet 40 €. ".encode() * 9 + b"\xff").startswith("Die Prüfung kostet 40 €.")


@pytest.mark.parametrize("written", ["Pru\u0308fung o\ufb03ce \uff10\uff13", "Prüfung office 03"])
def test_letters_that_look_the_same_are_spelled_the_same(written: str) -> None:
    assert without_invisible(written) == "Prüfung office 03"


def test_hyphens_and_check_marks_are_the_usual_ones() -> None:
    assert without_invisible("FM\u201120 KR\u201077 \U0001f5f8 \U0001f5f9") == "FM-20 KR-77 ✓ ☑"
