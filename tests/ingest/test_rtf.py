"""RTF as a word processor shows it: headings, lists, tables, other encodings, and nothing that is hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.parse.rtf import parse_rtf
from tests.ingest.test_parse import outline, read

HEAD = rb"""{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fswiss\fcharset0 Arial;}{\f1\fnil\fcharset204 Arial Cyr;}}
{\stylesheet{\s1 heading 1;}}{\info{\title Draft}{\author Ida}}{\*\generator Pen;}{\header Inn\par}"""


def text_of(body: bytes) -> str:
    return parse_rtf(HEAD + body + b"}").pages[0].text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb"\pard 500\~\'80 a day\line at most\par", "500 € a day\nat most"),
        (rb"\pard M\u252?nze, \uc0\u246 l {\uc2\u8364 EU}\par", "Münze, öl €"),
        (rb"\pard\f1 \'e4\'e0\f0  is yes\par", "да is yes"),
        (rb"\pard {\v secret}{\deleted 40 }{\strike 45} 55{\super 2}\par", "~~45~~ 55^2"),
        (rb"\pard {\listtext 1.\tab}Open\par{\listtext 2.\tab}Close\par", "1. Open\n\n2. Close"),
        (rb"\pard {\pntext\bullet\tab}{\*\pn\pnlvlblt}Cap\par{\pntext\'b7\tab}Gloves\par", "- Cap\n- Gloves"),
        (rb"\pard Free{\footnote\pard Not in May.\par} \{here\}\par", "Free (Not in May.) {here}"),
        (rb"\pard See {\field{\*\fldinst HYPERLINK x}{\fldrslt rates}}{\pict 0a0b}{\pict\bin3 {{{}\par", "See rates"),
        (rb"{\shp{\*\shpinst{\sp{\sn a}{\sv b}}{\shptxt\pard In a box\par}}}", "In a box"),
    ],
)
def test_text_is_read_as_shown(body: bytes, text: str) -> None:
    assert text_of(body) == text


def test_rows_become_a_table_and_outline_levels_headings(tmp_path: Path) -> None:
    table = rb"\trowd\trhdr\pard\intbl City\cell Rate\cell\row\trowd\pard\intbl Bonn\cell 120\par net\cell\row"
    body = rb"\pard\outlinelevel0 Rates\par" + table + rb"\pard Ask Ida.\par"
    document = read(tmp_path, "a.rtf", HEAD + body + b"}")
    assert document.text == "# Rates\n\n| City | Rate |\n| --- | --- |\n| Bonn | 120 net |\n\nAsk Ida."
    assert (document.title, outline(document)) == ("Rates", [(1, "Rates")])


def test_hidden_text_is_counted() -> None:
    assert parse_rtf(HEAD + rb"\pard Rates {\v secret}\par}").note == "left out, since hidden: 1 passage"


def test_a_doc_may_be_rtf_and_an_rtf_plain_text(tmp_path: Path) -> None:
    assert read(tmp_path, "a.doc", HEAD + rb"\pard Rates\par}").text == "Rates"
    assert read(tmp_path, "a.rtf", b"Rates").text == "Rates"


@pytest.mark.parametrize("data", [rb"{\rtf1 Rates}}}", rb"{\rtf1\ansicpg99999 Rates", rb"{\rtf1 Rates\u99999999?\'"])
def test_damaged_files_are_read_as_far_as_they_go(data: bytes) -> None:
    assert parse_rtf(data).pages[0].text.startswith("Rates")
