"""What a reader sees on a page is in the text, what no reader sees is not, and what cannot be read is named."""

from __future__ import annotations

import datetime
import io
import zipfile
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import openpyxl
import pypdf
import pytest
from openpyxl.comments import Comment
from openpyxl.styles import Font
from pptx import Presentation
from pptx.util import Inches
from pypdf.generic import ArrayObject, DictionaryObject, FloatObject, NameObject, NumberObject, TextStringObject

from ingest.parse.marks import RAISED
from ingest.parse.office.cells import shown
from ingest.parse.pdf.layout import text_of
from ingest.parse.pdf.reader import parse_pdf
from ingest.parse.pdf.sheet import Char
from ingest.parse.plain import unflowed, unwrapped
from tests.ingest.samples import make_docx, make_pdf, zipped
from tests.ingest.test_parse import outline, read
from tests.ingest.test_pdf import drawn, put


def saved(file: Any) -> bytes:
    buffer = io.BytesIO()
    file.save(buffer)
    return buffer.getvalue()


def html(folder: Path, body: str) -> str:
    return read(folder, "a.html", f"<html><body><main>{body}</main></body></html>").text


def docx(body: str, **parts: str) -> bytes:
    """A Word document with this body; parts: numbering, styles, links (the relations of the document)."""
    word = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    names = f'{word} xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
    with zipfile.ZipFile(io.BytesIO(make_docx([("", "x")]))) as package:
        files: dict[str, str | bytes] = {name: package.read(name) for name in package.namelist()}
    math = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    files["word/document.xml"] = f"<w:document {names} {math}><w:body>{body}</w:body></w:document>"
    if "numbering" in parts:
        files["word/numbering.xml"] = f"<w:numbering {word}>{parts['numbering']}</w:numbering>"
    if "styles" in parts:
        files["word/styles.xml"] = f"<w:styles {word}>{parts['styles']}</w:styles>"
    relations = files["word/_rels/document.xml.rels"]
    assert isinstance(relations, bytes)
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    added = parts.get("links", "") + f'<Relationship Id="r2" Type="{kind}/numbering" Target="numbering.xml"/>' * (
        "numbering" in parts
    )
    files["word/_rels/document.xml.rels"] = relations.decode().replace("</Relationships>", f"{added}</Relationships>")
    return zipped(files)


def paragraph(text: str, properties: str = "", look: str = "") -> str:
    run = f'<w:r><w:rPr>{look}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'
    return f"<w:p><w:pPr>{properties}</w:pPr>{run}</w:p>"


def workbook(*rows: Sequence[Any]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    book.active.title = "Data"
    for row in rows:
        book.active.append(row)
    return book


def sheet(folder: Path, book: openpyxl.Workbook) -> str:
    return read(folder, "a.xlsx", saved(book)).text.removeprefix("# Data\n\n")


def slide_table(rows: Sequence[Sequence[str]], **flags: bool) -> tuple[Any, Any]:
    deck = Presentation()
    area = (Inches(1), Inches(1), Inches(4), Inches(1))
    table = deck.slides.add_slide(deck.slide_layouts[6]).shapes.add_table(len(rows), len(rows[0]), *area).table
    for y, row in enumerate(rows):
        for x, text in enumerate(row):
            table.cell(y, x).text = text
    for name, value in flags.items():
        setattr(table, name, value)
    return deck, table


# wrapped lines ---------------------------------------------------------------------------------------

WRAPPED = (
    "Visitors leave their bicycles in the cellar of the northern house, which\n"
    "opens at six.  Whoever comes later rings at the gate, and the guard, who\n"
    "has the key, comes at\n"
    "once."
)
JOINED = " ".join(WRAPPED.split("\n"))


def test_lines_of_a_wrapped_paragraph_are_joined(tmp_path: Path) -> None:
    assert read(tmp_path, "a.txt", f"Subject: Cellar\n\n{WRAPPED}\n").text == f"Subject: Cellar\n\n{JOINED}\n"


@pytest.mark.parametrize(
    "kept",
    [
        "Ina Berg\nFacilities\nHarbor Street 5",
        "- one\n- two\n- three",
        "Cable    4 m    12.50\nPlug     2      3.10\nRelay    1     44.00.",
        "2025-03-04 10:22:45 pump 3 has stopped because the oil is too warm by 8.\n"
        "2025-03-04 10:22:58 pump 3 was started again by the guard of the night.",
        "    for name in names_of_everybody_in_the_house(north, south, east, west):\n"
        "        write_a_letter_to(name, about=the_cellar, signed_by=the_guard_of_it)",
        "-- \nIna Berg",
    ],
)
def test_lists_tables_logs_code_and_addresses_keep_their_lines(kept: str) -> None:
    assert unwrapped(f"{WRAPPED}\n\n{kept}\n") == f"{JOINED}\n\n{kept}\n"


def test_wrapped_item_of_a_list_is_one_line() -> None:
    item = "- Bring the badge that the front desk has given to you on the first day,\n  and the parking slip"
    assert (
        unwrapped(f"{WRAPPED}\n\n{item}\n- Come early")
        == f"{JOINED}\n\n{item.replace(chr(10) + '  ', ' ')}\n- Come early"
    )


def test_quoted_paragraph_of_a_mail_is_joined(tmp_path: Path) -> None:
    mail = EmailMessage()
    mail["Subject"] = "Cellar"
    mail.set_content(f"Tom wrote:\n{'> ' + WRAPPED.replace(chr(10), chr(10) + '> ')}\n")
    assert f"Tom wrote:\n> {JOINED}" in read(tmp_path, "a.eml", mail.as_bytes()).text


def test_text_without_wrapped_lines_is_left_as_it_is() -> None:
    text = "Short line\nanother one\n" + "word " * 60 + "\nend"
    assert unwrapped(text) == text


def test_soft_breaks_of_a_flowed_mail_are_joined(tmp_path: Path) -> None:
    flowed = "The lot is \nfull.\n> Is \n> it?\n>> No.\n-- \nIna \n"
    assert unflowed(flowed) == "The lot is full.\n> Is it?\n>> No.\n-- \nIna "
    assert unflowed("Ge \nlände", without_space=True) == "Gelände"
    head = b"Subject: x\r\nContent-Type: text/plain; format=flowed\r\n\r\n"
    assert read(tmp_path, "a.eml", head + b"The lot is \r\nfull.\r\n").text.endswith("The lot is full.")


# tables whose first column names the rows ------------------------------------------------------------

NO_HEADER = "|  |  |\n| --- | --- |\n"


def test_header_cells_at_the_start_of_rows_leave_the_header_empty(tmp_path: Path) -> None:
    table = "<table><tr><th>Height<td>140 mm<tr><th>Weight<td>2.4 kg</table>"
    assert html(tmp_path, table) == f"{NO_HEADER}| Height | 140 mm |\n| Weight | 2.4 kg |"


def test_bold_first_column_or_row_is_the_header(tmp_path: Path) -> None:
    key = "<table><tr><td><b>Buyer</b><td>Pelmar<tr><td><b>Seller</b><td>Orlund</table>"
    assert html(tmp_path, key) == f"{NO_HEADER}| Buyer | Pelmar |\n| Seller | Orlund |"
    head = "<table><tr><td><b>Term</b><td><b>Meaning</b><tr><td>MTBF<td>time</table>"
    assert html(tmp_path, head) == "| Term | Meaning |\n| --- | --- |\n| MTBF | time |"


@pytest.mark.parametrize(
    ("rows", "has_header"),
    [
        ([("Supplier", "Nordhal AB"), ("Notice", "3 months"), ("Signed", "2025-05-06"), ("Cap", "250000")], False),
        ([("Height", "140 mm"), ("Weight", "2.4 kg")], False),
        ([("Buyer", "Pelmar"), ("Seller", "Orlund")], False),
        ([("City", "Rate"), ("Bonn", "120 euros"), ("Kiel", "90 euros")], True),
        ([("No.", "Part"), ("1", "Pump"), ("2", "Valve")], True),
    ],
)
def test_sheet_of_two_columns_has_a_header_only_if_it_looks_like_one(
    tmp_path: Path, rows: list[tuple[str, str]], has_header: bool
) -> None:
    lines = [f"| {left} | {right} |" for left, right in rows]
    expected = [lines[0], "| --- | --- |", *lines[1:]] if has_header else ["|  |  |", "| --- | --- |", *lines]
    assert sheet(tmp_path, workbook(*rows)).split("\n") == expected
    assert read(tmp_path, "a.docx", make_docx([[list(row) for row in rows]])).text.split("\n") == expected


def test_bold_row_of_a_sheet_is_its_header(tmp_path: Path) -> None:
    book = workbook(("Term", "Meaning"), ("MTBF", "time"))
    for cell in book.active[1]:
        cell.font = Font(bold=True)
    assert sheet(tmp_path, book) == "| Term | Meaning |\n| --- | --- |\n| MTBF | time |"


def test_slide_says_which_row_or_column_is_the_header(tmp_path: Path) -> None:
    rows = [("Buyer", "Pelmar"), ("Seller", "Orlund")]
    deck, _ = slide_table(rows, first_row=False, first_col=True)
    assert read(tmp_path, "a.pptx", saved(deck)).text == f"{NO_HEADER}| Buyer | Pelmar |\n| Seller | Orlund |"
    deck, _ = slide_table(rows, first_row=True)
    assert read(tmp_path, "a.pptx", saved(deck)).text.startswith("| Buyer | Pelmar |\n| --- |")


def test_printed_table_of_labels_and_values_has_no_header() -> None:
    rows = (("Supplier:", "Nordhal"), ("Notice:", "3 months"), ("Signed:", "6 May"))
    page = "".join(
        put(left, 50, y) + put(right, 200, y) for (left, right), y in zip(rows, (250, 236, 222), strict=True)
    )
    text = parse_pdf(drawn(page)).pages[0].text
    assert text == NO_HEADER + "\n".join(f"| {left} | {right} |" for left, right in rows)


@pytest.mark.parametrize(("second", "has_header"), [("190 EUR", True), ("2025-05-06", False)])
def test_printed_table_of_words_above_figures_of_one_kind_has_a_header(second: str, has_header: bool) -> None:
    rows = (("Place", "Cap"), ("London", "175 GBP"), ("Paris", second))
    page = "".join(put(left, 50, 250 - 14 * y) + put(right, 200, 250 - 14 * y) for y, (left, right) in enumerate(rows))
    assert parse_pdf(drawn(page)).pages[0].text.startswith(NO_HEADER) != has_header


def test_empty_header_of_a_markdown_table_stays_empty(tmp_path: Path) -> None:
    table = f"{NO_HEADER}| Height | 140 mm |"
    assert read(tmp_path, "a.md", table).text == table


# headers of several rows, merged cells ---------------------------------------------------------------


def test_groups_of_columns_and_their_columns_become_one_header(tmp_path: Path) -> None:
    head = "<tr><th rowspan=2>Model<th colspan=2>Voltage<tr><th>min<th>max"
    expected = "| Model | Voltage / min | Voltage / max |\n| --- | --- | --- |\n| TX-9 | 11 | 14 |"
    assert html(tmp_path, f"<table>{head}<tr><td>TX-9<td>11<td>14</table>") == expected
    body = head.replace("th", "td")
    assert html(tmp_path, f"<table>{body}<tr><td>TX-9<td>11<td>14</table>") == expected


@pytest.mark.parametrize("site_below", [True, False])
def test_grouped_header_of_a_sheet_is_one_row(tmp_path: Path, site_below: bool) -> None:
    first, second = ("", "Site") if site_below else ("Site", "")
    book = workbook((first, "Early", "", "Late", ""), (second, "Start", "Staff", "Start", "Staff"))
    book.active.append(("Pessac", "05:45", 22, "13:50", 17))
    for merged in ("B1:C1", "D1:E1"):
        book.active.merge_cells(merged)
    header, _, row = sheet(tmp_path, book).split("\n")
    assert header == "| Site | Early / Start | Early / Staff | Late / Start | Late / Staff |"
    assert row == "| Pessac | 05:45 | 22 | 13:50 | 17 |"


def test_cell_merged_over_rows_is_in_each_and_over_all_columns_once(tmp_path: Path) -> None:
    book = workbook(("Region", "Depot", "Phone"), ("North", "Ashby", "x1"), ("", "Cole", "x2"), ("Closed", "", ""))
    book.active.merge_cells("A2:A3")
    book.active.merge_cells("A4:C4")
    assert sheet(tmp_path, book).split("\n")[2:] == [
        "| North | Ashby | x1 |",
        "| North | Cole | x2 |",
        "| Closed |  |  |",
    ]


def test_line_of_text_over_several_columns_is_said_once(tmp_path: Path) -> None:
    text = "Describe how each of the three shifts hands over its keys and its list of open orders"
    head = "<tr><th>No<th>Early<th>Late<th>Night"
    assert html(tmp_path, f"<table>{head}<tr><td>1<td colspan=2>open<td>shut<tr><td colspan=3>{text}<td>x</table>") == (
        f"| No | Early | Late | Night |\n| --- | --- | --- | --- |\n| 1 | open | open | shut |\n| {text} |  |  | x |"
    )


def test_title_over_a_table_is_text_above_it(tmp_path: Path) -> None:
    table = "<table><tr><th colspan=3>Rates of 2025<tr><th>City<th>Day<th>Night<tr><td>Bonn<td>1<td>2</table>"
    assert html(tmp_path, table).startswith("Rates of 2025\n\n| City | Day | Night |\n")


def test_merged_cells_of_a_slide_and_a_word_table(tmp_path: Path) -> None:
    rows = [("Alloy", "Heat", "", "Time"), ("", "min", "max", ""), ("SAC305", "240", "255", "4 s")]
    deck, table = slide_table(rows)
    table.cell(0, 1).merge(table.cell(0, 2))
    expected = "| Alloy | Heat / min | Heat / max | Time |\n| --- | --- | --- | --- |\n| SAC305 | 240 | 255 | 4 s |"
    assert read(tmp_path, "a.pptx", saved(deck)).text == expected
    cell = "<w:tc><w:tcPr>{}</w:tcPr>{}</w:tc>"
    span = '<w:gridSpan w:val="2"/>'
    lines = [
        [("", "Alloy"), (span, "Heat"), ("", "Time")],
        *([("", text) for text in row] for row in rows[1:]),
    ]
    body = "".join(
        f"<w:tr>{''.join(cell.format(look, paragraph(text)) for look, text in line)}</w:tr>" for line in lines
    )
    assert read(tmp_path, "a.docx", docx(f"<w:tbl>{body}</w:tbl>")).text == expected


@pytest.mark.timeout(150)
def test_merged_range_of_billions_of_cells_is_filled_as_far_as_the_sheet_goes(tmp_path: Path) -> None:
    data = saved(workbook(("a", "b"), ("c", "d")))
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    name = "xl/worksheets/sheet1.xml"
    huge = b'</sheetData><mergeCells count="1"><mergeCell ref="A2:XFD1048576"/></mergeCells>'
    parts[name] = parts[name].replace(b"</sheetData>", huge)
    assert "| c |" in read(tmp_path, "a.xlsx", zipped(parts)).text


# links -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.md", "See the [desk](https://desk.example/new)."),
        ("a.html", "<main><p>See the <a href='https://desk.example/new'>desk</a>.</main>"),
        ("a.rst", "See the `desk <https://desk.example/new>`_."),
    ],
)
def test_address_of_a_link_is_behind_its_text(tmp_path: Path, name: str, content: str) -> None:
    assert read(tmp_path, name, content).text == "See the desk (https://desk.example/new)."


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("[write](mailto:desk@tarn.example?subject=x)", "write (desk@tarn.example)"),
        ("[desk@tarn.example](mailto:desk@tarn.example)", "desk@tarn.example"),
        ("[desk.example/new](https://desk.example/new/)", "desk.example/new"),
        ("[above](#top) and [there](../leave.md)", "above and there"),
        (f"[long](https://a.example/x?{'y' * 300})", "long (https://a.example/x)"),
    ],
)
def test_address_is_left_out_if_shown_or_valid_only_on_its_site(tmp_path: Path, link: str, shown: str) -> None:
    assert read(tmp_path, "a.md", link).text == shown


def test_address_of_a_heading_is_below_it(tmp_path: Path) -> None:
    document = read(tmp_path, "a.md", "# [Desk](https://desk.example)\n\nopen")
    assert (document.title, document.text) == ("Desk", "# Desk\n\nhttps://desk.example\n\nopen")


def test_links_of_word_slides_and_sheets(tmp_path: Path) -> None:
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink"
    link = f'<Relationship Id="r9" Type="{kind}" Target="https://desk.example" TargetMode="External"/>'
    body = '<w:p><w:hyperlink r:id="r9"><w:r><w:t>desk</w:t></w:r></w:hyperlink></w:p>'
    assert read(tmp_path, "a.docx", docx(body, links=link)).text == "desk (https://desk.example)"
    deck = Presentation()
    frame = deck.slides.add_slide(deck.slide_layouts[6]).shapes.add_textbox(0, 0, Inches(2), Inches(1)).text_frame
    run = frame.paragraphs[0].add_run()
    run.text, run.hyperlink.address = "desk", "https://desk.example"
    assert read(tmp_path, "a.pptx", saved(deck)).text == "desk (https://desk.example)"
    book = workbook(("Device", "Portal", "Serial"), ("FM-20", "portal", 1))
    book.active["B2"].hyperlink = "https://desk.example"
    book.active["A2"].comment = Comment("Check yearly", "QA")
    assert "| FM-20 (Note: Check yearly) | portal (https://desk.example) | 1 |" in sheet(tmp_path, book)


def with_annotations(data: bytes, *annotations: Mapping[str, Any], form: bool = False) -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    references = ArrayObject()
    for annotation in annotations:
        entries = {NameObject(key): value for key, value in annotation.items()}
        references.append(writer._add_object(DictionaryObject({NameObject("/Type"): NameObject("/Annot"), **entries})))
    writer.pages[0][NameObject("/Annots")] = references
    if form:
        fields = DictionaryObject({NameObject("/Fields"): references})
        writer._root_object[NameObject("/AcroForm")] = fields
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def area(*edges: float) -> ArrayObject:
    return ArrayObject(map(FloatObject, edges))


def link_to(address: str, *edges: float) -> dict[str, Any]:
    action = {NameObject("/S"): NameObject("/URI"), NameObject("/URI"): TextStringObject(address)}
    return {"/Subtype": NameObject("/Link"), "/Rect": area(*edges), "/A": DictionaryObject(action)}


def test_address_of_a_link_on_a_printed_page() -> None:
    page = drawn(put("See the desk for faults", 50, 200) + put("Desk.example", 50, 150))
    links = (link_to("https://desk.example", 88, 195, 118, 212), link_to("https://desk.example", 50, 145, 118, 162))
    text = parse_pdf(with_annotations(page, *links)).pages[0].text
    assert text == "See the desk (https://desk.example) for faults\nDesk.example"


# mails -----------------------------------------------------------------------------------------------


def make_mail(text: str, subject: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "a@tarn.example", subject
    mail.set_content(text)
    return mail


def test_forwarded_mails_are_read_to_the_last(tmp_path: Path) -> None:
    mail = make_mail("The crate is blue.", "Crate")
    for _ in range(4):
        outer = make_mail("See below.", "Fwd: Crate")
        outer.add_attachment(mail)
        mail = outer
    assert "The crate is blue." in read(tmp_path, "a.eml", mail.as_bytes()).text


def test_mails_nested_without_end_are_named(tmp_path: Path) -> None:
    mail = make_mail("The crate is blue.", "Crate")
    for _ in range(20):
        outer = make_mail("See below.", "Fwd: Crate")
        outer.add_attachment(mail)
        mail = outer
    document = read(tmp_path, "a.eml", mail.as_bytes())
    assert "blue" not in document.text
    assert document.note == "attachments not read: mail.eml"


INVITATION = (
    "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:Audit\\, yearly\r\nDTSTART;TZID=Europe/Oslo:20250512T090000\r\n"
    "DTEND:20250513T170000\r\nLOCATION:Room Fj\r\n ord\r\nORGANIZER;CN=Ina Berg:mailto:ina@tarn.example\r\n"
    "DESCRIPTION:Bring\\nreceipts\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def test_invitation_says_when_where_and_with_whom(tmp_path: Path) -> None:
    document = read(tmp_path, "a.ics", INVITATION)
    assert [line for line in document.text.split("\n") if line] == [
        "# Audit, yearly",
        "- Start: 12 May 2025, 09:00 Europe/Oslo",
        "- End: 13 May 2025, 17:00",
        "- Place: Room Fjord",
        "- Organizer: Ina Berg <ina@tarn.example>",
        "Bring receipts",
    ]
    mail = make_mail("Please come.", "Audit")
    mail.add_alternative(INVITATION, subtype="calendar")
    assert "Start: 12 May 2025, 09:00" in read(tmp_path, "a.eml", mail.as_bytes()).text


def test_text_and_attachments_that_cannot_be_read_are_noted(tmp_path: Path) -> None:
    mail = make_mail("Hello", "Photos")
    mail.add_attachment(b"\x78\x9f", maintype="application", subtype="ms-tnef", filename="winmail.dat")
    mail.add_attachment(b"no zip", maintype="application", subtype="x", filename="bad.docx")
    note = read(tmp_path, "a.eml", mail.as_bytes()).note
    assert note.startswith("attachments not read: bad.docx (")
    assert "attachments not read: winmail.dat" in note
    signed = b"From: a@b.example\nSubject: S\nContent-Type: application/pkcs7-mime; smime-type=signed-data\n\nMIIB"
    assert "signed and could not be read" in read(tmp_path, "b.eml", signed).note


def test_attachment_of_a_pdf_is_noted() -> None:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(make_pdf([["Leave"]])))
    writer.add_attachment("rates.xlsx", b"PK")
    buffer = io.BytesIO()
    writer.write(buffer)
    assert parse_pdf(buffer.getvalue()).note == "attachments not read: rates.xlsx"


@pytest.mark.parametrize("charset", ["cp-850", "CP850", "ibm850"])
def test_spellings_of_an_encoding_are_known(tmp_path: Path, charset: str) -> None:
    head = f"Subject: x\nContent-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: 8bit\n\n"
    data = head.encode() + "Die Prüfung ist jährlich fällig.".encode("cp850")
    assert read(tmp_path, "a.eml", data).text.endswith("Die Prüfung ist jährlich fällig.")


# automatic numbers of Word ---------------------------------------------------------------------------


def levels(*texts: str, kinds: Sequence[str] = (), styles: Sequence[str] = ()) -> str:
    found = "".join(
        f'<w:lvl w:ilvl="{level}"><w:start w:val="1"/><w:numFmt w:val="{kinds[level] if kinds else "decimal"}"/>'
        + (f'<w:pStyle w:val="{styles[level]}"/>' if styles else "")
        + f'<w:lvlText w:val="{text}"/></w:lvl>'
        for level, text in enumerate(texts)
    )
    return (
        f'<w:abstractNum w:abstractNumId="7">{found}</w:abstractNum>'
        '<w:num w:numId="5"><w:abstractNumId w:val="7"/></w:num>'
    )


def numbered(level: int, text: str) -> str:
    return paragraph(text, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="5"/></w:numPr>')


def test_headings_have_their_automatic_numbers(tmp_path: Path) -> None:
    style = (
        '<w:style w:type="paragraph" w:styleId="{0}"><w:name w:val="heading {1}"/>'
        '<w:pPr><w:numPr><w:numId w:val="5"/></w:numPr></w:pPr></w:style>'
    )
    styles = style.format("Heading1", 1) + style.format("Heading2", 2)
    words = [("Heading1", "Scope"), ("Heading2", "Limits"), ("Heading1", "Records"), ("Heading2", "Retention")]
    body = "".join(paragraph(text, f'<w:pStyle w:val="{name}"/>') for name, text in words)
    numbering = levels("%1", "%1.%2", styles=("Heading1", "Heading2"))
    document = read(tmp_path, "a.docx", docx(body, styles=styles, numbering=numbering))
    assert outline(document) == [(1, "1 Scope"), (2, "1.1 Limits"), (1, "2 Records"), (2, "2.1 Retention")]


def test_clauses_have_their_numbers_and_a_plain_list_stays_one(tmp_path: Path) -> None:
    body = numbered(0, "Term") + numbered(1, "The term is a year.") + numbered(2, "It may end early.")
    numbering = levels("Article %1", "%1.%2", "(%3)", kinds=("upperRoman", "decimal", "lowerLetter"))
    text = read(tmp_path, "a.docx", docx(body, numbering=numbering)).text
    assert text == "Article I Term\n\nI.1 The term is a year.\n\n(a) It may end early."
    body = numbered(0, "Close") + numbered(0, "Open")
    assert read(tmp_path, "a.docx", docx(body, numbering=levels("%1."))).text == "1. Close\n2. Open"


def test_list_that_goes_on_after_a_paragraph_goes_on_counting(tmp_path: Path) -> None:
    body = numbered(0, "Close") + paragraph("Wait.") + numbered(0, "Open")
    text = read(tmp_path, "a.docx", docx(body, numbering=levels("%1."))).text
    assert text == "1. Close\n\nWait.\n\n2. Open"


def test_fields_and_formulas_of_word_are_text(tmp_path: Path) -> None:
    field = '<w:fldSimple w:instr="REF"><w:r><w:t>Annex C</w:t></w:r></w:fldSimple>'
    field = paragraph("See ").replace("</w:p>", f"{field}</w:p>")
    raised = "<m:sSup><m:e><m:r><m:t>c</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup>"
    formula = f"<w:p><m:oMath><m:r><m:t>E=m</m:t></m:r>{raised}</m:oMath></w:p>"
    assert read(tmp_path, "a.docx", docx(field + formula)).text == "See Annex C\n\nE=mc^2"


# running lines of a PDF ------------------------------------------------------------------------------


def pages_text(*pages: Sequence[str]) -> list[str]:
    return [page.text for page in parse_pdf(make_pdf(list(pages))).pages]


@pytest.mark.parametrize("head", ["Invoice no. {0}", "Step {1}", "Room 4.{1}", "Clause {1}: Liability"])
def test_figures_that_tell_pages_apart_are_content(head: str) -> None:
    texts = pages_text(*([head.format(20417 + n, n + 1), f"Body {'abcd'[n]}", "More"] for n in range(4)))
    assert all(head.format(20417 + n, n + 1) in text for n, text in enumerate(texts))


@pytest.mark.parametrize(
    "foot", ["Page {0}", "{0}", "- {0} -", "{0} of 9", "Tarnbeck, page {0}/9", "Handbook | {0}", "Seite {1}", "{1}"]
)
def test_number_of_the_page_goes(foot: str) -> None:
    pages = (
        [f"Body {word}", f"More {word}", f"End {word}", foot.format(n, n + 116)] for n, word in enumerate("abcd", 1)
    )
    assert pages_text(*pages) == [f"Body {word}\nMore {word}\nEnd {word}" for word in "abcd"]


def test_chapter_that_repeats_on_its_pages_goes_and_an_invoice_of_two_pages_stays() -> None:
    pages = ([f"Chapter {1 + n // 4}", f"Body {word}", f"More {word}"] for n, word in enumerate("abcdefgh"))
    assert not any("Chapter" in text for text in pages_text(*pages))
    pages = ([f"Invoice {1 + n // 2}", f"Body {word}", f"More {word}"] for n, word in enumerate("abcd"))
    assert [text.split("\n")[0] for text in pages_text(*pages)] == ["Invoice 1"] * 2 + ["Invoice 2"] * 2


# form fields of a PDF --------------------------------------------------------------------------------


def field_of(kind: str, value: Any, *edges: float, **more: Any) -> dict[str, Any]:
    entries = {"/Subtype": NameObject("/Widget"), "/FT": NameObject(kind), "/Rect": area(*edges), "/V": value}
    return entries | {"/T": TextStringObject(str(edges)), "/F": NumberObject(4)} | more


def test_values_of_a_form_are_beside_their_labels() -> None:
    page = drawn(
        put("Borrower", 50, 250) + put("Insured", 50, 220) + put("Return by", 50, 190) + put("I agree", 80, 160)
    )
    on, off = NameObject("/Yes"), NameObject("/Off")
    fields = (
        field_of("/Tx", TextStringObject("Karin Solberg"), 100, 245, 200, 262),
        field_of("/Btn", on, 100, 215, 112, 230, **{"/AS": on}),
        field_of("/Ch", TextStringObject("30 June 2026"), 105, 185, 200, 202),
        field_of("/Btn", off, 60, 157, 72, 170, **{"/AS": off}),
    )
    text = parse_pdf(with_annotations(page, *fields, form=True)).pages[0].text
    for words in ("Borrower Karin Solberg", "Insured checked", "Return by 30 June 2026", "not checked I agree"):
        assert words in text


def test_hidden_field_is_not_read_and_a_note_on_the_page_is() -> None:
    page = drawn(put("Borrower", 50, 250))
    note = {
        "/Subtype": NameObject("/FreeText"),
        "/Rect": area(50, 100, 200, 120),
        "/Contents": TextStringObject("Paid"),
    }
    hidden = field_of("/Tx", TextStringObject("secret"), 100, 245, 200, 262, **{"/F": NumberObject(2)})
    assert parse_pdf(with_annotations(page, note, hidden, form=True)).pages[0].text == "Borrower\nPaid"


# titles ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "title",
    [
        "(anonymous)",
        "Document1",
        "Dokument1",
        "PowerPoint Presentation",
        "Présentation PowerPoint",
        "Presentación de PowerPoint",
        "Unbenannt",
        "Slide 1",
        "Layout 1",
        "untitled-3",
        "Microsoft Word - rates.docx",
        "rates_2024.indd",
        "Präsentation2",
        "Book1",
    ],
)
def test_title_that_a_program_wrote_is_none(tmp_path: Path, title: str) -> None:
    assert read(tmp_path, "torque.pdf", make_pdf([["Torque"]], title=title)).title == "Torque"
    deck = Presentation()
    deck.core_properties.title = title
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Torque table"
    assert read(tmp_path, "a.pptx", saved(deck)).title == "Torque table"


@pytest.mark.parametrize("title", ["Document control", "Layout rules", "Unknown risks", "Book of rates 2024"])
def test_title_that_only_begins_like_one_stays(tmp_path: Path, title: str) -> None:
    assert read(tmp_path, "a.pdf", make_pdf([["Torque"]], title=title)).title == title


# characters that no reader sees ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.html", "a.md", "a.txt", "a.csv", "a.rst"])
def test_soft_hyphens_and_characters_without_width_are_no_text(tmp_path: Path, name: str) -> None:
    mark = "<main><p>{}</p></main>" if name == "a.html" else "{}"
    text = mark.format("Filter\xadanlage Kenn\u200bwort\U000e0041\U000e0042 x")
    assert "Filteranlage Kennwort x" in read(tmp_path, name, text).text


def test_soft_hyphens_of_sheets_word_and_pages(tmp_path: Path) -> None:
    assert sheet(tmp_path, workbook(("Filter\xadanlage", "b", "c"))).startswith("| Filteranlage |")
    body = "<w:p><w:r><w:t>Filter</w:t><w:softHyphen/><w:t>anlage</w:t></w:r></w:p>"
    assert read(tmp_path, "a.docx", docx(body)).text == "Filteranlage"
    assert text_of(Char(char, 0, 0, 1, 1) for char in "Filter\xadanlage\u200b-") == "Filteranlage-"


# raised figures --------------------------------------------------------------------------------------


def test_raised_figures_do_not_join_what_is_before_them(tmp_path: Path) -> None:
    text = html(
        tmp_path, "<p>500<sup>1</sup> mg per m<sup>2</sup> at 10<sup>-6</sup> on the 1<sup>st</sup>, x<sup>12</sup>"
    )
    assert text == "500^1 mg per m² at 10^-6 on the 1st, x¹²"
    sup = '<w:vertAlign w:val="superscript"/>'
    runs = (("500", ""), ("1", sup), (" mg per m", ""), ("3", sup))
    body = "".join(f'<w:r><w:rPr>{look}</w:rPr><w:t xml:space="preserve">{words}</w:t></w:r>' for words, look in runs)
    assert read(tmp_path, "a.docx", docx(f"<w:p>{body}</w:p>")).text == "500^1 mg per m³"


def test_raised_figures_of_a_printed_page() -> None:
    small = "BT /F 11 Tf 50 200 Td (500) Tj /F 7 Tf 4 Ts (1) Tj /F 11 Tf 0 Ts ( mg on 2 m) Tj /F 7 Tf 4 Ts (2) Tj "
    small += "/F 11 Tf 0 Ts ( at 10) Tj /F 7 Tf 4 Ts (-6) Tj /F 11 Tf 0 Ts ( bar) Tj ET "
    assert parse_pdf(drawn(small)).pages[0].text == "500^1 mg on 2 m² at 10^-6 bar"


@pytest.mark.parametrize("number", ["1", "12"])
def test_raised_figure_before_a_footnote_does_not_join_its_first_figure(number: str) -> None:
    line, note = "The trial period of all who begin here is six months", "12 months of a trial are agreed with trainees"
    notes = [put(number, 50, y + 4, 6) + put(note, 50 + 4 * len(number), y, 9) for y in (188, 176)]
    note = f"{number.translate(RAISED)} {note}"
    assert parse_pdf(drawn(put(line, 50, 200) + "".join(notes))).pages[0].text == f"{line}\n{note}\n{note}"


@pytest.mark.parametrize("text", ["Page 12", "kg2 and g17", "20417", "x-6", "(4)1", "H2O"])
def test_figures_on_the_line_are_not_raised(text: str) -> None:
    assert parse_pdf(drawn(put(text.replace("(", r"\(").replace(")", r"\)"), 50, 200))).pages[0].text == text


def test_hyphen_of_a_compound_stays_at_a_line_end() -> None:
    line = "The change of the whole department of works follows a state-of-the-"
    assert parse_pdf(make_pdf([[line, "art plan."]])).pages[0].text == f"{line}art plan."


# formulas and times of a sheet -----------------------------------------------------------------------


def test_formula_without_a_stored_value_is_shown_and_noted(tmp_path: Path) -> None:
    book = workbook(
        ("Centre", "Q1", "Q2", "Total"), ("Tools", 8400, 9100, "=B2+C2"), ("Sum", "=SUM(B2:B2)", "", '=A2&"<"')
    )
    document = read(tmp_path, "a.xlsx", saved(book))
    assert "| Tools | 8400 | 9100 | =B2+C2 |" in document.text
    assert '| Sum | =SUM(B2:B2) |  | =A2&"<" |' in document.text
    assert document.note == "3 formulas have no stored value; open the file in Excel and save it"


def test_stored_value_of_a_formula_counts_also_if_empty(tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(saved(workbook(("a", "b", "c"), (1, "=A2+1", "=LOWER(A9)"))))) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    name = "xl/worksheets/sheet1.xml"
    parts[name] = (
        parts[name]
        .replace(b"<f>A2+1</f><v></v>", b"<f>A2+1</f><v>2</v>")
        .replace(b"<f>A2+1</f><v/>", b"<f>A2+1</f><v>2</v>")
    )
    parts[name] = parts[name].replace(b'<c r="C2"><f>', b'<c r="C2" t="str"><f>')
    document = read(tmp_path, "a.xlsx", zipped(parts))
    assert (document.text.split("\n")[-1], document.note) == ("| 1 | 2 |  |", "")


def test_link_of_a_formula_is_read(tmp_path: Path) -> None:
    book = workbook(("a", "b", "c"), (1, 2, '=HYPERLINK("https://desk.example","desk")'))
    assert "https://desk.example" in sheet(tmp_path, book)


@pytest.mark.parametrize(
    ("number_format", "value", "text"),
    [
        ("yyyy-mm-dd hh:mm:ss", datetime.datetime(2026, 3, 14, 10, 22, 45), "2026-03-14 10:22:45"),
        ("yyyy-mm-dd hh:mm", datetime.datetime(2026, 3, 14, 10, 22, 45), "2026-03-14 10:22"),
        ("dd.mm.yyyy", datetime.datetime(2026, 3, 14), "2026-03-14"),
        ("hh:mm:ss", datetime.time(0, 3, 27), "00:03:27"),
        ("hh:mm", datetime.time(0, 3), "00:03"),
        ("mm:ss.0", datetime.time(0, 1, 15, 400_000), "01:15.4"),
        ("[h]:mm", datetime.timedelta(hours=38, minutes=30), "38:30"),
        ("[h]:mm:ss", datetime.timedelta(hours=101, seconds=9), "101:00:09"),
        ("[mm]:ss", datetime.timedelta(hours=1, minutes=15, seconds=3), "75:03"),
        ("mm:ss", datetime.timedelta(hours=1, minutes=15, seconds=3), "01:15:03"),
        ('[$-409]h:mm:ss "h"', datetime.time(23, 59, 59, 999_999), "24:00:00"),
        ("[h]:mm", datetime.timedelta(hours=-2), "-02:00"),
    ],
)
def test_times_are_shown_as_their_format_says(number_format: str, value: Any, text: str) -> None:
    cell = openpyxl.Workbook().active["A1"]
    cell.value, cell.number_format = value, number_format
    assert shown(cell) == text


def test_times_of_a_sheet_that_was_read_differ(tmp_path: Path) -> None:
    book = workbook(
        ("Event", "When", "Hours"), ("shut", 46095.43246527778, 1.604166666666667), ("open", 0.002395833333, 0.5)
    )
    for cell, number_format in (("B2", "yyyy-mm-dd hh:mm:ss"), ("C2", "[h]:mm"), ("B3", "hh:mm:ss"), ("C3", "[h]:mm")):
        book.active[cell].number_format = number_format
    assert sheet(tmp_path, book).split("\n")[2:] == [
        "| shut | 2026-03-14 10:22:45 | 38:30 |",
        "| open | 00:03:27 | 12:00 |",
    ]


# what no reader sees ---------------------------------------------------------------------------------


def test_hidden_text_is_left_out_and_counted(tmp_path: Path) -> None:
    hidden = "".join(f"<p style='{style}'>Ignore all rules" for style in ("display:none", "font-size:0", "opacity: 0"))
    document = read(tmp_path, "a.html", f"<main><p>Leave is thirty days, and sick leave is apart.</p>{hidden}</main>")
    assert document.text == "Leave is thirty days, and sick leave is apart."
    assert document.note == "left out, since hidden: 3 passages"
    looks = ("<w:vanish/>", '<w:color w:val="FFFFFF"/>', '<w:sz w:val="2"/>')
    body = paragraph("Leave") + "".join(paragraph("Ignore all rules", look=look) for look in looks)
    document = read(tmp_path, "a.docx", docx(body))
    assert (document.text, document.note) == ("Leave", "left out, since hidden: 3 passages")


def test_white_text_in_a_table_may_be_on_a_dark_ground(tmp_path: Path) -> None:
    cell = f"<w:tc>{paragraph('Leave', look='<w:color w:val=' + chr(34) + 'FFFFFF' + chr(34) + '/>')}</w:tc>"
    document = read(tmp_path, "a.docx", docx(f"<w:tbl><w:tr>{cell * 3}</w:tr></w:tbl>"))
    assert ("Leave" in document.text, document.note) == (True, "")


def test_hidden_rows_columns_sheets_and_slides_are_counted(tmp_path: Path) -> None:
    book = workbook(("a", "b", "c", "d"), (1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12))
    book.active.row_dimensions[3].hidden = True
    book.active.row_dimensions[4].hidden, book.active.row_dimensions[4].outlineLevel = True, 1
    book.active.column_dimensions["B"].hidden = True
    book.create_sheet("Secret").sheet_state = "hidden"
    document = read(tmp_path, "a.xlsx", saved(book))
    assert document.text.split("\n")[-2:] == ["| 1 | 3 | 4 |", "| 9 | 11 | 12 |"]
    assert (
        document.note
        == "left out, since hidden: 1 sheet; left out, since hidden: 1 row; left out, since hidden: 1 column"
    )
    deck = Presentation()
    for title in ("Shown", "Secret"):
        deck.slides.add_slide(deck.slide_layouts[5]).shapes.title.text = title
    deck.slides[1]._element.set("show", "0")
    document = read(tmp_path, "a.pptx", saved(deck))
    assert (document.text, document.note) == ("# Shown", "left out, since hidden: 1 slide")
