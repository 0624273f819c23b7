"""Word documents, slides and sheets as Office shows them: numbers, formats, headers, columns, charts."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import openpyxl
import pytest
from lxml import etree
from openpyxl.comments import Comment
from openpyxl.formatting.rule import FormulaRule
from openpyxl.styles import Color, Font, PatternFill
from openpyxl.worksheet.table import Table, TableStyleInfo
from pptx import Presentation
from pptx.util import Inches, Pt

from ingest.parse.document import Parsed
from ingest.parse.html.markup import from_html
from ingest.parse.office.cells import shown
from ingest.parse.office.charts import chart_html, chart_text
from ingest.parse.office.parts import is_telling
from ingest.parse.office.sheets import parse_xlsx
from ingest.parse.office.slides import parse_pptx
from ingest.parse.office.word import parse_docx
from tests.ingest.samples import zipped
from tests.ingest.test_as_shown import OFFICE, WORD, run, word
from tests.ingest.test_nothing_vanishes import docx, levels, numbered, paragraph, saved, workbook

BOLD = "<w:b/>"


def text_of(data: bytes) -> str:
    return parse_docx(data).pages[0].text


# Word ------------------------------------------------------------------------------------------------


def test_empty_paragraphs_of_a_list_are_not_counted() -> None:
    body = numbered(0, "") + numbered(0, "Close") + numbered(0, "") + numbered(0, "Open")
    assert text_of(docx(body, numbering=levels("%1."))) == "1. Close\n2. Open"


def test_column_of_automatic_numbers_is_read() -> None:
    rows = [(paragraph("Step"), "Action"), *((numbered(0, ""), action) for action in ("Close", "Open"))]
    cells = "".join(f"<w:tr><w:tc>{first}</w:tc><w:tc>{paragraph(words)}</w:tc></w:tr>" for first, words in rows)
    text = text_of(docx(f"<w:tbl>{cells}</w:tbl>", numbering=levels("%1.")))
    assert text.endswith("| 1. | Close |\n| 2. | Open |")


def test_numbered_paragraphs_in_cells_go_on_counting() -> None:
    cells = "".join(f"<w:tr><w:tc>{numbered(0, words)}</w:tc></w:tr>" for words in ("Close", "Open"))
    text = text_of(docx(f"<w:tbl>{cells}</w:tbl>", numbering=levels("%1.")))
    assert "2. Open" in text


def test_bullets_that_are_check_marks_and_words_in_symbol_fonts_are_signs() -> None:
    fonts = '<w:rFonts w:ascii="Wingdings" w:hAnsi="Wingdings"/>'
    bullet = levels("\uf0fb", kinds=("bullet",)).replace("</w:lvl>", f"<w:rPr>{fonts}</w:rPr></w:lvl>")
    assert text_of(docx(numbered(0, "Open fire"), numbering=bullet)) == "- ✗ Open fire"
    assert text_of(docx(numbered(0, "Fire"), numbering=levels("\uf0b7", kinds=("bullet",)))) == "- Fire"
    assert text_of(docx(paragraph("\uf0fe", look=fonts))) == "☑"


LINK = '<w:num w:numId="5"><w:abstractNumId w:val="8"/></w:num>'
OWN = '<w:lvlOverride w:ilvl="0"><w:lvl w:ilvl="0"><w:lvlText w:val="Annex %1:"/></w:lvl></w:lvlOverride>'


@pytest.mark.parametrize(
    ("numbering", "text"),
    [
        (
            '<w:abstractNum w:abstractNumId="8"><w:numStyleLink w:val="Own"/></w:abstractNum>'
            + levels("§ %1").partition("<w:num ")[0].replace('7">', '7"><w:styleLink w:val="Own"/>')
            + LINK,
            "§ 1 Close",
        ),
        (levels("%1.").replace("</w:num>", f"{OWN}</w:num>"), "Annex 1: Close"),
        (f'<w:abstractNum w:abstractNumId="8"><w:numStyleLink w:val="Gone"/></w:abstractNum>{LINK}', "Close"),
    ],
)
def test_list_has_the_levels_of_a_style_or_its_own(numbering: str, text: str) -> None:
    assert text_of(docx(numbered(0, "Close"), numbering=numbering)) == text


@pytest.mark.parametrize(
    ("sign", "text"),
    [
        ("<w:cr/>", "4\nline"),
        ("<w:ptab/>", "4 line"),
        ('<w:br w:type="page"/>', "4 line"),
        ('<w:br w:type="column"/>', "4 line"),
        ("<w:br/>", "4\nline"),
        ("<w:noBreakHyphen/>", "4-line"),
    ],
)
def test_breaks_and_hyphens_of_word_divide_words(sign: str, text: str) -> None:
    assert text_of(docx(f"<w:p>{run('4')}<w:r>{sign}</w:r>{run('line')}</w:p>")) == text


def test_cells_that_a_row_leaves_out_are_empty() -> None:
    rows = [("<w:trPr><w:gridBefore w:val='1'/><w:gridAfter w:val='1'/><w:tblHeader/></w:trPr>", ["Summer"])]
    rows.append(("", ["Pool", "24 C", "open"]))
    cells = ((look, "".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row)) for look, row in rows)
    text = text_of(docx(f"<w:tbl>{''.join(f'<w:tr>{look}{row}</w:tr>' for look, row in cells)}</w:tbl>"))
    assert text == "|  | Summer |  |\n| --- | --- | --- |\n| Pool | 24 C | open |"


@pytest.mark.parametrize(
    ("line", "is_kept"),
    [("QP-17", True), ("Rev. 4", True), ("v2.3", True), ("Page 3 of 7", False), ("Seite 2 von 5", False), ("4", False)],
)
def test_code_in_a_header_tells_more_than_a_page_number(line: str, is_kept: bool) -> None:
    assert is_telling(line) == is_kept


def test_row_of_a_header_is_one_line() -> None:
    cells = f"<w:tc>{paragraph('Document no.')}</w:tc><w:tc>{paragraph('WI-088')}</w:tc>"
    head = f"<w:hdr {WORD}><w:tbl><w:tr>{cells}</w:tr></w:tbl></w:hdr>"
    assert word(paragraph("Words"), header1=head).pages[0].text == "Words\n\nDocument no. | WI-088"


def test_heading_that_a_header_repeats_is_left_out() -> None:
    begin, separate, end = (f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>' for kind in ("begin", "separate", "end"))
    code = "<w:r><w:instrText>STYLEREF Title</w:instrText></w:r>"
    field = f"{begin}{code}{separate}{run('Error! No text of this style')}{end}"
    head = f"<w:hdr {WORD}><w:p>{field}{run(' Boat hire rules')}</w:p></w:hdr>"
    assert word(paragraph("Words"), header1=head).pages[0].text == "Words\n\nBoat hire rules"


def test_large_first_letter_belongs_to_its_word() -> None:
    letter = paragraph("T", '<w:framePr w:dropCap="drop" w:lines="3"/>')
    assert text_of(docx(letter + paragraph("he pool opens"))) == "The pool opens"
    assert text_of(docx(f"{paragraph('Open', '<w:framePr/>')}{paragraph('Pool')}{letter}")) == "Open\n\nPool\n\nT"


def with_chunk(name: str, content: str) -> Parsed:
    link = f'<Relationship Id="r9" Type="{OFFICE}/aFChunk" Target="/word/{name}"/>'
    with zipfile.ZipFile(io.BytesIO(docx(paragraph("Above") + '<w:altChunk r:id="r9"/>', links=link))) as package:
        parts: dict[str, str | bytes] = {part: package.read(part) for part in package.namelist()}
    return parse_docx(zipped({**parts, f"word/{name}": content}))


def test_imported_text_is_read_or_noted() -> None:
    page = "<html><head><title>x</title></head><body><p>Call <b>Ina</b>.</p></body></html>"
    assert with_chunk("a.htm", page).pages[0].text == "Above\n\nCall Ina."
    assert with_chunk("a.txt", "Call <Ina>.\n\nSoon.").pages[0].text == "Above\n\nCall <Ina>.\n\nSoon."
    parsed = with_chunk("a.rtf", "{}")
    assert (parsed.pages[0].text, parsed.note) == ("Above", "imported files not read: a.rtf")


@pytest.mark.parametrize(
    "entry",
    [
        f'<w:p><w:hyperlink w:anchor="_Toc1">{run("Rates")}<w:r><w:tab/></w:r>{run("3")}</w:hyperlink></w:p>',
        paragraph("Rates 3", '<w:pStyle w:val="Verzeichnis1"/>'),
    ],
)
def test_table_of_contents_is_left_out(entry: str) -> None:
    style = '<w:style w:type="paragraph" w:styleId="Verzeichnis1"><w:name w:val="toc 1"/></w:style>'
    assert text_of(docx(entry + paragraph("The rate is 3."), styles=style)) == "The rate is 3."


LINE = paragraph("Fee 20 euros.")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (paragraph("Dogs", look=BOLD) + LINE + paragraph("Cats", look=BOLD) + LINE, "# Dogs|Fee|# Cats|Fee"),
        (paragraph("Dogs", look=BOLD) + LINE + LINE, "Dogs|Fee|Fee"),
        (paragraph("Dogs:", look=BOLD) + LINE + paragraph("Cats:", look=BOLD) + LINE, "Dogs:|Fee|Cats:|Fee"),
        (paragraph("Dogs", look=BOLD) * 3, "Dogs|Dogs|Dogs"),
    ],
)
def test_bold_lines_above_plain_ones_are_headings(body: str, text: str) -> None:
    read = text_of(docx(body)).replace(" 20 euros.", "")
    assert read == text.replace("|", "\n\n")


LARGE = '<w:sz w:val="32"/>'
BULLET, DECIMAL = (
    f'<w:abstractNum w:abstractNumId="{number}"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="{kind}"/>'
    f'<w:lvlText w:val="{text}"/></w:lvl></w:abstractNum>'
    for number, kind, text in ((1, "bullet", "-"), (2, "decimal", "%1."))
)
LISTS = (
    BULLET
    + DECIMAL
    + "".join(f'<w:num w:numId="{number}"><w:abstractNumId w:val="{number}"/></w:num>' for number in (1, 2))
)


def item(number: int) -> str:
    return f'<w:numPr><w:ilvl w:val="0"/><w:numId w:val="{number}"/></w:numPr>'


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (paragraph("Rules", look=LARGE) + paragraph("Dogs", look=BOLD) + LINE, "# Rules|## Dogs|Fee"),
        (
            paragraph("Rules", look=LARGE) + (paragraph("Dogs", item(2), BOLD) + LINE) * 2,
            "# Rules|## 1. Dogs|Fee|## 2. Dogs|Fee",
        ),
        (paragraph("Rules:", look=LARGE) * 2 + LINE, "Rules:|Rules:|Fee"),
        ((paragraph("Rules:", look=LARGE) + LINE) * 2, "# Rules:|Fee|# Rules:|Fee"),
        ((paragraph("Rules", item(1), BOLD) + LINE) * 2, "- Rules|Fee|- Rules|Fee"),
        ((paragraph("Pool of 2 m.", look=LARGE) + LINE) * 2, "Pool of 2 m.|Fee|Pool of 2 m.|Fee"),
        (
            f"<w:p><w:r><w:tab/></w:r>{run('Rules', LARGE)}</w:p>{LINE}"
            f"<w:p>{run('Article 2', LARGE)}<w:r><w:tab/></w:r>{run('Dogs', LARGE)}</w:p>{LINE}",
            "# Rules|Fee|# Article 2 Dogs|Fee",
        ),
        ((f"<w:p>{run('Name', LARGE)}<w:r><w:tab/></w:r>{run('Ina', LARGE)}</w:p>{LINE}") * 2, "Name Ina|Fee|" * 2),
    ],
)
def test_lines_that_stand_out_are_headings_where_no_style_is_one(body: str, text: str) -> None:
    read = text_of(docx(body + LINE * 3, numbering=LISTS)).replace(" 20 euros.", "")
    assert read == (text.strip("|") + "|Fee" * 3).replace("|", "\n\n")


def test_larger_lines_stay_text_where_styles_are_headings() -> None:
    style = '<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style>'
    styled = paragraph("Dogs", '<w:pStyle w:val="Heading1"/>') + LINE
    body = paragraph("Rules", look=LARGE) + styled * 2
    assert text_of(docx(body, styles=style)).startswith("Rules\n\n# Dogs")


# slides ----------------------------------------------------------------------------------------------


def boxes(*rows: tuple[float, float, Sequence[str]]) -> str:
    """The text of a slide with rows of boxes: top and height in inches, texts."""
    deck = Presentation()
    shapes = deck.slides.add_slide(deck.slide_layouts[6]).shapes
    for top, height, texts in rows:
        for column, text in enumerate(texts):
            area = (Inches(1 + 3 * column), Inches(top), Inches(2.5), Inches(height))
            shapes.add_textbox(*area).text_frame.text = text
    return parse_pptx(saved(deck)).pages[0].text.replace("\n\n", "|")


def test_columns_of_a_slide_are_read_one_by_one() -> None:
    assert boxes((1, 0.5, ("Bonn", "Kiel")), (2, 2, ("Lease 2027\nStaff 40", "Lease 2031"))) == (
        "Bonn|Lease 2027|Staff 40|Kiel|Lease 2031"
    )
    assert boxes((1, 0.8, ("98.2%", "12")), (2, 0.5, ("On time", "Complaints"))) == "98.2% On time|12 Complaints"


def test_rows_of_one_height_are_read_across() -> None:
    assert boxes((1, 0.5, ("1", "2")), (2, 0.5, ("3", "4"))) == "1|2|3|4"


@pytest.mark.parametrize(
    ("texts", "heading"),
    [
        ([("Risks", 34), ("Staff leave", 24), ("Kiel", None)], "## Risks"),
        ([("Risks", 34), ("Staff leave", 32)], None),
        ([("Plan for Kiel", 20), ("Risks", 34)], None),
        ([("Risks", 34)], None),
        ([("Staff may leave soon.", 34), ("Kiel", 20)], None),
        ([("12", 34), ("Complaints", 20)], None),
    ],
)
def test_largest_line_above_all_text_is_the_title_of_a_slide_without_one(
    texts: Sequence[tuple[str, int | None]], heading: str | None
) -> None:
    deck = Presentation()
    deck.core_properties.title = "Boat hire"
    shapes = deck.slides.add_slide(deck.slide_layouts[6]).shapes
    for row, (text, size) in enumerate(texts):
        run = shapes.add_textbox(0, Inches(1 + row), Inches(5), Inches(0.5)).text_frame.paragraphs[0].add_run()
        run.text, run.font.size = text, size and Pt(size)
    lines = parse_pptx(saved(deck)).pages[0].text.split("\n\n")
    assert lines == ["# Boat hire", heading or texts[0][0], *(text for text, _ in texts[1:])]


def slide_of(shape: str) -> str:
    """The text of a slide with this XML, and a text box."""
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    slide.shapes.add_textbox(0, 0, 9, 9).text_frame.text = "Plan"
    slide.shapes._spTree.append(etree.fromstring(shape))
    return parse_pptx(saved(deck)).pages[0].text


def test_ink_or_a_lost_picture_on_a_slide_does_not_refuse_it() -> None:
    names = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
    ink = f"<p:contentPart {names}/>"
    markup = "http://schemas.openxmlformats.org/markup-compatibility/2006"
    choice = f'<m:AlternateContent xmlns:m="{markup}"><m:Choice>{ink}</m:Choice><m:Fallback/></m:AlternateContent>'
    assert slide_of(ink) == slide_of(choice) == "Plan"
    properties = '<p:nvPicPr><p:cNvPr id="9" name=""/><p:cNvPicPr/><p:nvPr/></p:nvPicPr><p:spPr/>'
    assert slide_of(f"<p:pic {names}>{properties}</p:pic>") == "Plan"  # without its picture


def test_check_marks_of_a_slide_are_signs() -> None:
    drawing = "http://schemas.openxmlformats.org/drawingml/2006/main"
    deck = Presentation()
    frame = deck.slides.add_slide(deck.slide_layouts[6]).shapes.add_textbox(0, 0, 9, 9).text_frame
    frame.text = "Wear gloves\nü"
    first, second = frame.paragraphs
    look = etree.SubElement(first._p.get_or_add_pPr(), f"{{{drawing}}}buFont", typeface="Wingdings")
    look.addnext(etree.Element(f"{{{drawing}}}buChar", char="ü"))
    etree.SubElement(second.runs[0]._r.get_or_add_rPr(), f"{{{drawing}}}sym", typeface="Wingdings")
    assert parse_pptx(saved(deck)).pages[0].text == "- ✓ Wear gloves\n- ✓"


# charts ----------------------------------------------------------------------------------------------


def point(number: int, text: str) -> str:
    return f'<pt idx="{number}"><v>{text}</v></pt>'


INNER = f"<lvl>{point(0, 'Oslo')}{point(1, 'Bodo')}{point(2, 'Bonn')}</lvl>"
LEVELS = f"{INNER}<lvl>{point(0, 'North')}{point(2, 'South')}</lvl>"
GROUPED = f"<c><ser><cat>{LEVELS}</cat><val><f>'Raw data'!A1</f>{point(0, '1')}{point(1, '2')}</val></ser></c>"
WATERFALL = (
    '<c><data id="0"><strDim><lvl><pt idx="0">Steel</pt></lvl></strDim><numDim><lvl formatCode="0%">'
    '<pt idx="0">0.42</pt></lvl></numDim></data>'
    "<title><tx><v>Bridge</v></tx><txPr><v>Bridge</v></txPr></title>"
    '<series><tx><v>Cost</v></tx><dataId val="0"/></series></c>'
)


@pytest.mark.parametrize(
    ("chart", "text"),
    [
        (GROUPED, "|  |  |\n| --- | --- |\n| North / Oslo | 1 |\n| North / Bodo | 2 |\n| South / Bonn |  |"),
        (WATERFALL, "Bridge\n\n|  | Cost |\n| --- | --- |\n| Steel | 42% |"),
    ],
)
def test_groups_of_categories_and_newer_charts_are_read(chart: str, text: str) -> None:
    assert from_html(chart_html(chart.encode())).pages[0].text == text


def test_chart_of_a_hidden_sheet_shows_its_numbers() -> None:
    assert chart_text(GROUPED.encode(), ["Other"]) == []
    assert "| North / Oslo | 1 |" in chart_text(GROUPED.encode(), ["Raw data"])[0]


# sheets ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number_format", "value", "text"),
    [
        ("+0.0%;-0.0%", -0.032, "-3.2%"),
        ("▲ 0.0%;▼ 0.0%", -0.041, "▼ 4.1%"),
        ('"Profit "#,##0;"Loss "#,##0', -5200, "Loss 5,200"),
        ('0.0" above";0.0" below"', -2.5, "2.5 below"),
        ("+#,##0;-#,##0;0", 0, "0"),
        ('#,##0;-#,##0;"-"??', 0, "-"),
        ("+0.0;(0.0)", -5, "-5.0"),
        ('0" m";[Red]0" m"', -5, "-5 m"),
        (r"#,##0 €;\(#,##0 €\)", -900, "-900 €"),
        ("General;[Red]-General", -5, "-5"),
        ("[>100]0.0;-0.0", -5, "-5"),
    ],
)
def test_section_of_a_number_format_shows_the_sign(number_format: str, value: float, text: str) -> None:
    assert shown(SimpleNamespace(value=value, data_type="n", number_format=number_format)) == text


def white_header(color: Color | str = "FFFFFFFF") -> openpyxl.Workbook:
    book = workbook(("Glue", "Life", "Store"), ("X", 6, "cold"))
    for cell in book.active[1]:
        cell.font = Font(color=color)
    return book


def with_table(book: openpyxl.Workbook) -> None:
    table = Table(displayName="T", ref="A1:C2")
    table.tableStyleInfo = TableStyleInfo(name="TableStyleMedium2")
    book.active.add_table(table)


def with_condition(book: openpyxl.Workbook) -> None:
    book.active.conditional_formatting.add("A1:C1", FormulaRule(formula=["TRUE"], fill=PatternFill(bgColor="FF000080")))


def test_gray_cells_and_white_ones_on_a_ground_are_read() -> None:
    books = [white_header(Color(theme=0, tint=-0.5)), white_header(), white_header()]
    with_table(books[1])
    with_condition(books[2])
    for book in books:
        parsed = parse_xlsx(saved(book))
        assert ("| Glue | Life | Store |" in parsed.pages[0].text, parsed.note) == (True, "")
    assert parse_xlsx(saved(white_header())).note == "left out, since hidden: 3 cells"


def rewritten(book: openpyxl.Workbook, *changes: tuple[bytes, bytes]) -> Parsed:
    with zipfile.ZipFile(io.BytesIO(saved(book))) as package:
        parts: dict[str, Any] = {name: package.read(name) for name in package.namelist()}
    for old, new in changes:
        parts["xl/worksheets/sheet1.xml"] = parts["xl/worksheets/sheet1.xml"].replace(old, new)
    return parse_xlsx(zipped(parts))


def test_prefixes_of_names_and_order_of_attributes_do_not_matter() -> None:
    book = workbook(("a", "b", "c"), ("k", 1, "=SUM(A9)"))
    book.active.merge_cells("A2:B2")
    prefixed = (b"</", b"<\0x:"), (b"<", b"<x:"), (b"<x:\0x:", b"</x:"), (b"xmlns=", b"xmlns:x=")
    reordered = (b'<c r="C2"', b'<c s="0" r="C2"')
    for changes in (prefixed, (reordered,)):
        parsed = rewritten(book, *changes)
        assert parsed.pages[0].text.endswith("| k | k | =SUM(A9) |")


def test_boilerplate_of_a_comment_with_replies_is_left_out() -> None:
    book = workbook(("a", "b", "c"), ("k", 1, 2))
    head = "[Kommentarthread]\n\nIhre Version: https://go.microsoft.com/fwlink/?linkid=870924\n\nKommentar:\n    "
    book.active["A2"].comment = Comment(f"{head}Now P-9\nAntwort:\n    Yes", "tc")
    assert "| k (Note: Now P-9 Antwort: Yes) |" in parse_xlsx(saved(book)).pages[0].text


def test_errors_and_signs_of_symbol_fonts_are_as_shown() -> None:
    book = workbook(("a", "b", "c"), ("#DIV/0!", "ü", "û"))
    book.active["B2"].font = book.active["C2"].font = Font(name="Wingdings")
    assert parse_xlsx(saved(book)).pages[0].text.endswith("| #DIV/0! | ✓ | ✗ |")


def test_codes_of_a_header_are_left_out() -> None:
    book = workbook(("a", "b"), ("k", 1))
    book.active.oddFooter.left.text = '&1#&"Calibri"&10&K01+000Confidential: &KffffffInternal use'
    assert parse_xlsx(saved(book)).pages[0].text.endswith("\n\nConfidential: Internal use")
