"""Word documents, slides and sheets as Office shows them: numbers, formats, headers, columns, charts."""

from __future__ import annotations

import io
import zipfile

import pytest

from ingest.parse.document import Parsed
from ingest.parse.office.parts import is_telling
from ingest.parse.office.word import parse_docx
from tests.ingest.samples import zipped
from tests.ingest.test_as_shown import OFFICE, WORD, run, word
from tests.ingest.test_nothing_vanishes import docx, levels, numbered, paragraph

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
        (paragraph("Dogs", look=BOLD) + LINE + paragraph("Cats", look=BOLD) + LINE, "## Dogs|Fee|## Cats|Fee"),
        (paragraph("Dogs", look=BOLD) + LINE + LINE, "Dogs|Fee|Fee"),
        (paragraph("Dogs:", look=BOLD) + LINE + paragraph("Cats:", look=BOLD) + LINE, "Dogs:|Fee|Cats:|Fee"),
        (paragraph("Dogs", look=BOLD) * 3, "Dogs|Dogs|Dogs"),
    ],
)
def test_bold_lines_above_plain_ones_are_headings(body: str, text: str) -> None:
    read = text_of(docx(body)).replace(" 20 euros.", "")
    assert read == text.replace("|", "\n\n")
