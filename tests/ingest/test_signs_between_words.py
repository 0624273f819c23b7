"""Comments, icons, encodings, frames and numbers that stand between words, as readers of the file see them."""

from __future__ import annotations

from email.message import EmailMessage
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
from openpyxl.styles import Alignment
from pptx import Presentation

from ingest.parse.office.word import parse_docx
from tests.ingest.samples import make_docx
from tests.ingest.test_nothing_vanishes import docx, html, levels, numbered, saved, sheet, workbook
from tests.ingest.test_parse import read


@pytest.mark.parametrize(
    "body", ["Rent <!-- x --> is due", "Rent <!-- x -->is due", "Rent<!-- x --> is due", "Rent <b>\u200b</b>is due"]
)
def test_a_comment_does_not_join_the_words_beside_it(tmp_path: Path, body: str) -> None:
    assert html(tmp_path, f"<p>{body}</p>") == "Rent is due"
    assert read(tmp_path, "a.md", body).text == "Rent is due"


def test_a_comment_within_a_word_leaves_it_whole(tmp_path: Path) -> None:
    assert html(tmp_path, "<p>Rent<!-- x -->al</p>") == "Rental"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ('<i class="fa fa-check" aria-hidden="true"></i>', "✓"),
        ('<i class="bi bi-x-lg"></i>', "✗"),
        ('<svg><use href="#icon-tick"></use></svg>', "✓"),
        ("<svg><title>Included</title><path/></svg>", "Included"),
        ('<svg aria-label="Not included"><path/></svg>', "Not included"),
        ('<i class="fa fa-check"></i> after 3 months', "after 3 months"),
        ('<svg class="logo"><path/></svg>', ""),
    ],
)
def test_an_icon_alone_in_a_cell_is_read(tmp_path: Path, cell: str, shown: str) -> None:
    rows = f"<tr><th>Plan<th>Alarm<tr><td>Home<td>{cell}"
    assert html(tmp_path, f"<table>{rows}</table>").split("\n")[-1] == f"| Home | {shown} |"


@pytest.mark.parametrize("charset", ["iso-8859-1", "latin1"])
def test_latin_1_of_mails_and_pages_has_the_signs_of_windows(tmp_path: Path, charset: str) -> None:
    text = "Gebühr: 5 € „netto“".encode("cp1252")
    mail = f"Subject: Fee\nContent-Type: text/plain; charset={charset}\n\n".encode() + text
    assert read(tmp_path, "a.eml", mail).text.endswith("Gebühr: 5 € „netto“")
    page = f"<meta charset={charset}><p>".encode() + text
    assert read(tmp_path, "a.html", page).text == "Gebühr: 5 € „netto“"


def test_utf_8_in_a_mail_that_declares_latin_1_is_read(tmp_path: Path) -> None:
    mail = b"Subject: Fee\nContent-Type: text/plain; charset=iso-8859-1\n\n" + "Gebühr: 5 €".encode()
    assert read(tmp_path, "a.eml", mail).text.endswith("Gebühr: 5 €")


def test_a_mail_may_begin_with_empty_lines(tmp_path: Path) -> None:
    assert read(tmp_path, "a.eml", b"\r\n\nSubject: Fee\n\nIt is 5 euros.").title == "Fee"


def test_attached_plain_text_is_read_whatever_its_name(tmp_path: Path) -> None:
    mail = EmailMessage()
    mail["Subject"] = "Pump"
    mail.set_content("See below.")
    mail.add_attachment("pressure = 4 bar", filename="pump.conf")
    mail.add_attachment(b"\0\1", maintype="application", subtype="octet-stream", filename="pump.bin")
    document = read(tmp_path, "a.eml", mail.as_bytes())
    assert "## pump.conf\n\npressure = 4 bar" in document.text
    assert document.note == "attachments not read: pump.bin"


def test_a_table_framed_with_lines_is_a_table(tmp_path: Path) -> None:
    lines = ["┌──────┬──────┐", "│ Pipe │ Size │", "├──────┼──────┤", "│ A    │ 5 mm │", "└──────┴──────┘"]
    assert read(tmp_path, "a.txt", "\n".join(lines)).text == "| Pipe | Size |\n| --- | --- |\n| A | 5 mm |"
    tree = "docs\n├── rates\n│   └── may\n└── fees"
    assert read(tmp_path, "b.txt", tree).text == tree


def test_clauses_between_its_items_do_not_restart_a_list() -> None:
    body = numbered(0, "Scope") + numbered(1, "Pipes") + numbered(0, "Fees") + numbered(1, "Late fees")
    text = parse_docx(docx(body, numbering=levels("%1.", "%1.%2"))).pages[0].text
    assert text.split("\n\n") == ["1. Scope", "1.1 Pipes", "2. Fees", "2.1 Late fees"]
    nested = parse_docx(docx(body, numbering=levels("%1.", "%2."))).pages[0].text
    assert [line.strip() for line in nested.split("\n")] == ["1. Scope", "1. Pipes", "2. Fees", "1. Late fees"]


def test_indented_accounts_of_a_sheet_say_what_they_belong_to(tmp_path: Path) -> None:
    book = workbook(["Account", "May"], ["Sales", 9], ["Goods", 5], ["Costs", 7], ["Goods", 3])
    for row in (3, 5):
        book.active.cell(row, 1).alignment = Alignment(indent=1)
    assert sheet(tmp_path, book).split("\n")[-1] == "| Costs / Goods | 3 |"


@pytest.mark.parametrize("suffix", [".docm", ".dotx", ".xltx", ".pptm", ".ppsx", ".log"])
def test_templates_slide_shows_and_files_with_macros_are_read(tmp_path: Path, suffix: str) -> None:
    deck, show = Presentation(), BytesIO()
    deck.slides.add_slide(deck.slide_layouts[5]).shapes.title.text = "Fees"
    if suffix == ".ppsx":
        deck.part._content_type = deck.part.content_type.replace("presentation.main", "slideshow.main")
    deck.save(show)
    book = openpyxl.Workbook()
    book.template = True
    book.active.append(["Fees"])
    files = {"d": make_docx([("", "Fees")]), "x": saved(book), "p": show.getvalue(), "l": b"Fees"}
    assert "Fees" in read(tmp_path, f"a{suffix}", files[suffix[1]]).text
