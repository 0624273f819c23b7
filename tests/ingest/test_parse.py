from __future__ import annotations

import csv
import hashlib
import random
from pathlib import Path

import pytest

from ingest.parse import PAGE_BREAK, PARSERS, Document, Heading, ParseError, parse, parse_text
from tests.conftest import SHARED_DATA
from tests.ingest.samples import Bookmark, make_docx, make_pdf

LONG = "This printed line is as long as the widest lines of its page usually are and"


def read(folder: Path, name: str, content: str | bytes) -> Document:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return parse(path)


def outline(document: Document) -> list[tuple[int, str]]:
    return [(heading.level, heading.title) for heading in document.headings]


def spanned(document: Document) -> list[str]:
    return [document.text[heading.start : heading.end] for heading in document.headings]


# the Document ----------------------------------------------------------------------------------------


def test_document_tells_where_it_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "leave.md").write_bytes(b"# Leave\n\n30 days\n")
    monkeypatch.chdir(tmp_path)
    document = parse(Path("leave.md"), "handbook/leave.md")
    assert document.name == "handbook/leave.md"
    assert document.source == str(tmp_path.resolve() / "leave.md")
    assert document.sha256 == hashlib.sha256(b"# Leave\n\n30 days\n").hexdigest()


def test_name_defaults_to_the_file_name(tmp_path: Path) -> None:
    assert read(tmp_path, "leave.md", "30 days").name == "leave.md"


def test_changed_file_keeps_its_id_and_another_file_has_its_own(tmp_path: Path) -> None:
    before, after = read(tmp_path, "a.md", "30 days"), read(tmp_path, "a.md", "31 days")
    other = read(tmp_path, "b.md", "31 days")
    assert before.id == after.id != other.id
    assert before.sha256 != after.sha256 == other.sha256


def test_suffix_in_capitals_is_the_same_format(tmp_path: Path) -> None:
    assert outline(read(tmp_path, "LEAVE.MD", "# Leave\n\n30 days")) == [(1, "Leave")]


@pytest.mark.parametrize(("name", "said"), [("a.xyz", ".xyz"), ("README", "without a suffix")])
def test_unknown_format_names_the_suffix_and_the_known_ones(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ParseError, match=said) as caught:
        read(tmp_path, name, "text")
    assert all(suffix in str(caught.value) for suffix in PARSERS)


def test_missing_file_is_a_parse_error(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match="cannot open the file"):
        parse(tmp_path / "gone.md")


def test_folder_with_a_known_suffix_is_a_parse_error(tmp_path: Path) -> None:
    (tmp_path / "folder.md").mkdir()
    with pytest.raises(ParseError, match="cannot open the file"):
        parse(tmp_path / "folder.md")


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html"])
@pytest.mark.parametrize("content", ["", " \n\t\n"])
def test_file_without_text_is_a_parse_error(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(ParseError, match="no text found"):
        read(tmp_path, name, content)


@pytest.mark.parametrize(
    ("name", "title"),
    [("annual-leave_2024.txt", "Annual leave 2024"), ("VPN.txt", "Vpn"), ("__init__.txt", "Init")],
)
def test_title_comes_from_the_file_name_where_the_file_has_none(tmp_path: Path, name: str, title: str) -> None:
    assert read(tmp_path, name, "text").title == title


# plain text and encodings ----------------------------------------------------------------------------


def test_plain_text_is_taken_as_it_stands(tmp_path: Path) -> None:
    document = read(tmp_path, "a.txt", "# no heading\r\n\r\n  *stars* {{ x }} <b>\n")
    assert document.text == "# no heading\n\n  *stars* {{ x }} <b>\n"
    assert document.headings == ()
    assert [page.number for page in document.pages] == [None]


def test_form_feeds_divide_plain_text_into_pages(tmp_path: Path) -> None:
    document = read(tmp_path, "a.txt", "one\ftwo\fthree")
    assert [(page.number, page.text) for page in document.pages] == [(1, "one"), (2, "two"), (3, "three")]
    assert document.text == PAGE_BREAK.join(("one", "two", "three"))


GERMAN = "Für die Übernachtung werden höchstens 150 € erstattet. Größere Beträge müssen vorher genehmigt werden."
ENGLISH = "The traveller\u2019s hotel may cost 150 € a night \u2013 no more. “Trains come first,” says the café."


@pytest.mark.parametrize("text", [GERMAN, ENGLISH])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_recognized(tmp_path: Path, text: str, encoding: str) -> None:
    assert read(tmp_path, "a.txt", text.encode(encoding)).text == text


@pytest.mark.parametrize(("mark", "encoding"), [(b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")])
def test_utf_16_of_either_byte_order_is_read_even_if_short(tmp_path: Path, mark: bytes, encoding: str) -> None:
    assert read(tmp_path, "a.txt", mark + "Köln".encode(encoding)).text == "Köln"


@pytest.mark.parametrize(
    "text",
    [
        "Annual leave is 30 days. Don\u2019t forget it.",
        "Les congés payés sont fixés à trente jours par année. L\u2019employé prévient son supérieur.",
        "Costs 5 £ or 10 €",
    ],
)
def test_short_cp1252_texts_of_western_europe_are_read(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, "a.txt", text.encode("cp1252")).text == text


def test_byte_order_mark_does_not_hide_front_matter_or_heading(tmp_path: Path) -> None:
    with_mark = read(tmp_path, "a.md", "---\ntitle: Leave\n---\n# One\n\ntext".encode("utf-8-sig"))
    assert (with_mark.title, with_mark.text) == ("Leave", "# One\n\ntext")
    assert outline(read(tmp_path, "b.md", "# One\n\ntext".encode("utf-16"))) == [(1, "One")]


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html"])
def test_bytes_that_are_no_text_are_a_parse_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ParseError, match="encoding"):
        read(tmp_path, name, b"\x00\x01\x02\xff\xfe\xfd" * 100)


# Markdown --------------------------------------------------------------------------------------------


def test_markdown_headings_have_level_title_and_span(tmp_path: Path) -> None:
    document = read(tmp_path, "a.md", "Leave\n=====\n\nintro\n\n## Annual *leave*\n\ntext\n\n### Notes ###\n\nmore\n")
    assert outline(document) == [(1, "Leave"), (2, "Annual leave"), (3, "Notes")]
    assert spanned(document) == ["# Leave", "## Annual leave", "### Notes"]
    assert document.title == "Leave"


def test_windows_line_ends_give_the_same_markdown(tmp_path: Path) -> None:
    text = "# Leave\n\none\ntwo\n\n## Annual\n\n- a\n- b\n"
    unix, windows = read(tmp_path, "a.md", text), read(tmp_path, "b.md", text.replace("\n", "\r\n"))
    assert (windows.text, windows.headings) == (unix.text, unix.headings)


@pytest.mark.parametrize("code", ["```sh\n# remove all\nrm -r build\n```", "~~~\n## remove\n~~~", "    # remove all"])
def test_hash_in_a_code_block_is_no_heading(tmp_path: Path, code: str) -> None:
    document = read(tmp_path, "a.md", f"# Clean\n\nRun:\n\n{code}\n\n## After\n\ntext")
    assert outline(document) == [(1, "Clean"), (2, "After")]
    assert "# remove" in document.text


@pytest.mark.parametrize("body", ["````\n```\n# example\n```\n````", "Write\n\n\\# example\n\nfor a heading"])
def test_quoted_hash_is_no_heading(tmp_path: Path, body: str) -> None:
    assert outline(read(tmp_path, "a.md", f"# Markdown\n\n{body}\n\n## After\n\ntext")) == [
        (1, "Markdown"),
        (2, "After"),
    ]


def test_markdown_marks_are_left_out_and_words_and_addresses_stay(tmp_path: Path) -> None:
    document = read(
        tmp_path, "a.md", "**Call** the [desk](https://x.example/y) on `4400`.\n*Now* AT&amp;T ![map](m.png)"
    )
    assert document.text == "Call the desk (https://x.example/y) on 4400. Now AT&T"


def test_stars_and_underscores_that_are_no_marks_stay_bare(tmp_path: Path) -> None:
    assert read(tmp_path, "a.md", "Set max_num_days to 2 * 3 + [1]").text == "Set max_num_days to 2 * 3 + [1]"


def test_markdown_table_and_lists_stay(tmp_path: Path) -> None:
    table, items = "| Day | Rate |\n| --- | --- |\n| Mon | 150 |", "- one\n  - inner\n- two\n\n1. first\n2. second"
    assert read(tmp_path, "a.md", f"{table}\n\n{items}\n").text == f"{table}\n\n{items}"


def test_front_matter_gives_the_title_and_is_no_text(tmp_path: Path) -> None:
    document = read(tmp_path, "a.md", "---\ntitle: Annual leave\ntags: [hr]\n---\n# Heading\n\ntext\n")
    assert (document.title, document.text) == ("Annual leave", "# Heading\n\ntext")


def test_front_matter_without_a_title_leaves_it_to_the_first_heading(tmp_path: Path) -> None:
    assert read(tmp_path, "a.md", "---\ntags: [hr]\n---\n# Heading\n\ntext\n").title == "Heading"


@pytest.mark.parametrize("title", ["", "null", "~", "false", '""', "[]"])
def test_empty_title_in_front_matter_is_none(tmp_path: Path, title: str) -> None:
    document = read(tmp_path, "a.md", f"---\ntitle: {title}\n---\n# Heading\n\ntext\n")
    assert (document.title, document.text) == ("Heading", "# Heading\n\ntext")


@pytest.mark.parametrize("title", ["2024", "1.10", "2024-05-03", "Yes"])
def test_title_that_is_no_word_stands_as_it_is_written(tmp_path: Path, title: str) -> None:
    assert read(tmp_path, "a.md", f"---\ntitle: {title}\n---\ntext\n").title == title


LIQUID = "Before {% include\nmenu.html %}{{ site.name }}after"


def test_liquid_goes_where_there_is_front_matter(tmp_path: Path) -> None:
    assert read(tmp_path, "a.md", f"---\ntags: [hr]\n---\n{LIQUID}").text == "Before after"


def test_braces_stay_where_nothing_tells_of_a_site_generator(tmp_path: Path) -> None:
    assert read(tmp_path, "a.md", "Dear {{ name }}, {% 5 {").text == "Dear {{ name }}, {% 5 {"


@pytest.mark.parametrize("quoted", ["Please read this first.", "Note: this: is text."])
def test_text_between_two_rules_is_no_front_matter(tmp_path: Path, quoted: str) -> None:
    assert quoted in read(tmp_path, "a.md", f"---\n\n{quoted}\n\n---\n\nbody\n").text


# HTML ------------------------------------------------------------------------------------------------


def test_html_becomes_markdown(tmp_path: Path) -> None:
    document = read(
        tmp_path,
        "a.html",
        "<title>Site</title><h1>Leave</h1><p>Annual\n  <b>leave</b> &amp; more</p><h2>Rates</h2>"
        "<table><tr><th>Day</th><th>Rate</th></tr><tr><td>Mon</td><td>150</td></tr></table>"
        "<ul><li>one</li><li>two</li></ul><pre># code\n  indented</pre>",
    )
    assert document.text == (
        "# Leave\n\nAnnual leave & more\n\n## Rates\n\n| Day | Rate |\n| --- | --- |\n| Mon | 150 |\n\n"
        "- one\n- two\n\n```\n# code\n  indented\n```"
    )
    assert outline(document) == [(1, "Leave"), (2, "Rates")]
    assert document.title == "Leave"


def test_html_title_is_used_where_there_is_no_first_heading(tmp_path: Path) -> None:
    assert read(tmp_path, "a.html", "<title>Leave</title><h2>Rates</h2><p>text</p>").title == "Leave"


def test_navigation_and_scripts_of_a_page_are_no_content(tmp_path: Path) -> None:
    parts = ["nav", "header", "footer", "form", "script", "style", "template", "noscript", "svg"]
    around = "".join(f"<{part}>junk</{part}>" for part in parts)
    document = read(
        tmp_path, "a.html", f"<html><head><title>junk</title></head><body>{around}<p>Text</p></body></html>"
    )
    assert document.text == "Text"


def test_main_part_of_a_page_is_its_content(tmp_path: Path) -> None:
    document = read(tmp_path, "a.htm", "<body><div>menu</div><main><p>Text</p></main><div>imprint</div></body>")
    assert document.text == "Text"


def test_broken_html_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    assert read(tmp_path, "a.html", "<h1>Leave</h2><p>one<p>two</div></table><b").text.startswith("# Leave")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.html", "<h1>Leave</h1><!-- draft --><p>text</p>"),
        ("a.html", "<!DOCTYPE html><h1>Leave</h1><p>text</p>"),
        ("a.html", '<?xml version="1.0" encoding="UTF-8"?><h1>Leave</h1><p>text</p>'),
        ("a.md", "# Leave\n\n<!-- draft -->\n\ntext"),
    ],
)
def test_comments_and_declarations_are_no_text(tmp_path: Path, name: str, content: str) -> None:
    assert read(tmp_path, name, content).text == "# Leave\n\ntext"


def test_carriage_returns_in_preformatted_text_do_not_move_headings(tmp_path: Path) -> None:
    document = read(tmp_path, "a.html", "<h1>One</h1><pre>a\rb\rc</pre><h2>Two</h2><p>text</p>")
    assert spanned(document) == ["# One", "## Two"]


def test_form_feed_in_preformatted_text_is_no_page_break(tmp_path: Path) -> None:
    assert PAGE_BREAK not in read(tmp_path, "a.html", "<h1>One</h1><pre>a\fb</pre><p>text</p>").text


# titles in one line ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.html", b"<title>Annual\n  leave</title><p>text</p>"),
        ("a.md", b"---\ntitle: |\n  Annual\n  leave\n---\ntext\n"),
        ("a.pdf", make_pdf([["text"]], title="Annual\n leave")),
    ],
)
def test_title_of_two_lines_becomes_one(tmp_path: Path, name: str, content: bytes) -> None:
    assert read(tmp_path, name, content).title == "Annual leave"


@pytest.mark.parametrize("heading", ["Leave <b>now</b>.", "Annual\n leave"])
def test_title_reads_as_the_heading_that_it_comes_from(tmp_path: Path, heading: str) -> None:
    document = read(tmp_path, "a.html", f"<h1>{heading}</h1><p>text</p>")
    assert document.title == document.headings[0].title


# DOCX ------------------------------------------------------------------------------------------------


def test_docx_paragraphs_headings_and_tables_in_their_order(tmp_path: Path) -> None:
    blocks: list[tuple[str, str] | list[list[str]]] = [
        ("Title", "Leave & travel"),
        ("Heading1", "Leave"),
        ("", "30 days."),
        ("Heading2", "Rates"),
        [["Day", "Rate"], ["Mon", "150"]],
        ("", "The end."),
    ]
    document = read(tmp_path, "a.docx", make_docx(blocks))
    assert document.title == "Leave & travel"
    assert outline(document) == [(1, "Leave & travel"), (1, "Leave"), (2, "Rates")]
    assert document.text == (
        "# Leave & travel\n\n# Leave\n\n30 days.\n\n"
        "## Rates\n\n| Day | Rate |\n| --- | --- |\n| Mon | 150 |\n\nThe end."
    )


def test_docx_without_text_is_a_parse_error(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match="no text found"):
        read(tmp_path, "a.docx", make_docx([("", " ")]))


# PDF -------------------------------------------------------------------------------------------------


def test_pdf_pages_are_numbered_from_one(tmp_path: Path) -> None:
    document = read(tmp_path, "a.pdf", make_pdf([["one"], [], ["three"]]))
    assert [(page.number, page.text) for page in document.pages] == [(1, "one"), (2, ""), (3, "three")]


def test_pdf_outline_gives_headings_at_the_lines_that_read_the_same(tmp_path: Path) -> None:
    pages = [
        ["Contents", "All of it:", "Rates", "and", "so", "on"],
        ["Leave", "30 days.", "Annual   leave", "More."],
        ["Rates", "150"],
    ]
    bookmarks = [Bookmark("Leave", 1), Bookmark("Annual leave", 1, level=2), Bookmark("Rates", 2)]
    document = read(tmp_path, "a.pdf", make_pdf(pages, bookmarks))
    assert outline(document) == [(1, "Leave"), (2, "Annual leave"), (1, "Rates")]
    assert [" ".join(span.split()) for span in spanned(document)] == ["Leave", "Annual leave", "Rates"]
    assert document.headings[2].start == document.text.rindex("Rates")


def test_pdf_bookmark_without_its_line_on_the_page_is_left_out(tmp_path: Path) -> None:
    pages, bookmarks = [["Leave is long", "text"]], [Bookmark("Leave", 0), Bookmark("Cover", 0)]
    assert read(tmp_path, "a.pdf", make_pdf(pages, bookmarks)).headings == ()


def test_same_bookmark_twice_on_a_page_marks_both_lines(tmp_path: Path) -> None:
    pages, bookmarks = [["Notes", "First.", "Notes", "Second."]], [Bookmark("Notes", 0), Bookmark("Notes", 0)]
    starts = [heading.start for heading in read(tmp_path, "a.pdf", make_pdf(pages, bookmarks)).headings]
    assert starts == [0, len("Notes\nFirst.\n")]


def test_pdf_title_is_the_one_of_its_metadata(tmp_path: Path) -> None:
    assert read(tmp_path, "a.pdf", make_pdf([["text"]], title=" Travel guide 2.0 ")).title == "Travel guide 2.0"


@pytest.mark.parametrize(
    "title", ["", "Untitled", "untitled document", "Microsoft Word - leave.doc", "memo-final.docx"]
)
def test_pdf_title_that_an_export_wrote_is_none(tmp_path: Path, title: str) -> None:
    assert read(tmp_path, "travel-guide.pdf", make_pdf([["text"]], title=title)).title == "Travel guide"


def test_lines_of_a_printed_paragraph_become_one_line(tmp_path: Path) -> None:
    lines = [LONG, LONG.upper(), "then it ends.", "Short line.", "Another one."]
    text = read(tmp_path, "a.pdf", make_pdf([lines])).text
    assert text == f"{LONG} {LONG.upper()} then it ends.\nShort line.\nAnother one."


def test_short_line_goes_on_where_the_next_begins_in_lower_case(tmp_path: Path) -> None:
    text = read(tmp_path, "a.pdf", make_pdf([[LONG, LONG, "In a narrow", "column it goes on", "3 lines"]])).text
    assert text == f"{LONG} {LONG} In a narrow column it goes on\n3 lines"


def test_list_items_of_a_printed_page_stay_lines(tmp_path: Path) -> None:
    items = ["- trains come first", "• hotels come next", "1. one", "2) two"]
    assert read(tmp_path, "a.pdf", make_pdf([[LONG, *items]])).text == "\n".join([LONG, *items])


def test_outline_titles_of_a_printed_page_stay_lines(tmp_path: Path) -> None:
    lines = [LONG, "annual leave", "goes on below."]
    text = read(tmp_path, "a.pdf", make_pdf([lines], [Bookmark("annual leave", 0)])).text
    assert text == "\n".join(lines)


def test_word_that_was_hyphenated_at_a_line_end_is_whole(tmp_path: Path) -> None:
    text = read(tmp_path, "a.pdf", make_pdf([[f"{LONG} employ-", "ment goes on."]])).text
    assert text == f"{LONG} employment goes on."


def with_running_lines(num_pages: int) -> bytes:
    return make_pdf(
        [
            ["Handbook 2024", f"Body {word}", "Handbook 1", f"More {word}", f"Page {number} of 9"]
            for number, word in enumerate("abcd"[:num_pages], 1)
        ]
    )


def test_running_headers_and_footers_go(tmp_path: Path) -> None:
    text = read(tmp_path, "a.pdf", with_running_lines(4)).text
    assert "Page" not in text
    assert text.count("Handbook 20") == 1
    assert all(f"Body {word}" in text and f"More {word}" in text for word in "abcd")


def test_line_that_repeats_amid_the_pages_stays(tmp_path: Path) -> None:
    assert read(tmp_path, "a.pdf", with_running_lines(4)).text.count("Handbook 1") == 4


def test_outline_title_that_is_a_running_header_too_stays_a_heading(tmp_path: Path) -> None:
    pages = [["Travel policy", f"Body {word}", f"More {word}", f"Page {word}"] for word in "abcd"]
    assert outline(read(tmp_path, "a.pdf", make_pdf(pages, [Bookmark("Travel policy", 0)]))) == [(1, "Travel policy")]


def test_two_pages_are_too_few_to_know_a_running_line(tmp_path: Path) -> None:
    text = read(tmp_path, "a.pdf", with_running_lines(2)).text
    assert text.count("Handbook 20") == text.count("Page") == 2


@pytest.mark.parametrize("pages", [[[]], [[], []], [[" "]]])
def test_scanned_pdf_says_that_it_needs_text_recognition(tmp_path: Path, pages: list[list[str]]) -> None:
    with pytest.raises(ParseError, match="OCR"):
        read(tmp_path, "a.pdf", make_pdf(pages))


def test_locked_pdf_says_that_it_has_a_password(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match="locked with a password"):
        read(tmp_path, "a.pdf", make_pdf([["text"]], password="secret"))


def test_pdf_that_only_its_owner_may_change_opens(tmp_path: Path) -> None:
    document = read(tmp_path, "a.pdf", make_pdf([["Leave", "text"]], [Bookmark("Leave", 0)], "Guide", password=""))
    assert (document.title, document.text, outline(document)) == ("Guide", "Leave\ntext", [(1, "Leave")])


HALF_A_PAIR = b"begincmap 1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfchar <41> <d83d> endbfchar endcmap"


def test_text_of_a_pdf_can_always_be_encoded(tmp_path: Path) -> None:
    assert read(tmp_path, "a.pdf", make_pdf([["xAy"]], to_unicode=HALF_A_PAIR)).text.encode()


# damaged files ---------------------------------------------------------------------------------------

WHOLE = {
    ".pdf": make_pdf([["Leave", f"text of page {page}"] for page in range(4)], [Bookmark("Leave", 2)], "Guide"),
    ".docx": make_docx([("Heading1", "Leave"), *[("", f"paragraph {number}") for number in range(20)]]),
    ".md": "---\ntitle: Leave\n---\n# Leave\n\n| a | b |\n|---|---|\n| [x](y) | `z` |\n\n<b>größer</b>\n".encode(),
    ".html": "<html><body><h1>Leave</h1><table><tr><td>größer</table><pre>x</pre></body></html>".encode(),
}


def is_read_or_refused(path: Path) -> bool:
    try:
        return bool(parse(path).text.strip())
    except ParseError as error:
        return bool(str(error))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", WHOLE)
def test_cut_off_file_is_read_or_refused(tmp_path: Path, suffix: str) -> None:
    whole, path = WHOLE[suffix], tmp_path / f"cut{suffix}"
    for end in range(0, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:end])
        assert is_read_or_refused(path), end


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", WHOLE)
def test_file_with_wrong_bytes_is_read_or_refused(tmp_path: Path, suffix: str) -> None:
    whole, path = WHOLE[suffix], tmp_path / f"wrong{suffix}"
    for seed in range(40):
        chance, data = random.Random(seed), bytearray(whole)
        for _ in range(chance.randrange(1, 30)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        assert is_read_or_refused(path), seed


@pytest.mark.parametrize("suffix", [".pdf", ".docx"])
@pytest.mark.parametrize("content", [b"", b"Dear all, this is no such file.", b"%PDF-1.7\n", b"PK\x03\x04"])
def test_file_with_a_false_suffix_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    with pytest.raises(ParseError, match=f"damaged or not really {suffix}"):
        read(tmp_path, f"a{suffix}", content)


# parse_text ------------------------------------------------------------------------------------------


def test_text_at_hand_has_headings_and_no_pages() -> None:
    document = parse_text("# One\n\ntext\n\n## Two\n\nmore", "row-1", "Row")
    assert (document.name, document.title, document.source) == ("row-1", "Row", "row-1")
    assert document.headings == (Heading(1, "One", 0, 5), Heading(2, "Two", 13, 19))
    assert [page.number for page in document.pages] == [None]


def test_text_at_hand_has_pages_where_it_has_page_breaks() -> None:
    document = parse_text(f"one{PAGE_BREAK}two", "row-1", "Row")
    assert [(page.number, page.text) for page in document.pages] == [(1, "one"), (2, "two")]


@pytest.mark.parametrize("text", ["# One\ftext", "text\f# One\n\nmore"])
def test_page_break_beside_a_heading_ends_or_begins_its_line(text: str) -> None:
    assert spanned(parse_text(text, "row-1", "Row")) == ["# One"]


# real documents --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(not SHARED_DATA.exists(), reason="the real documents are not here")
def test_all_real_documents_have_text() -> None:
    folder = SHARED_DATA / "documents"
    with (folder / "MANIFEST.tsv").open(newline="") as manifest:
        names = [row["file"] for row in csv.DictReader(manifest, delimiter="\t")]
    documents = [parse(folder / name, name) for name in names]
    assert len(documents) == 60
    assert [document.name for document in documents if len(document.text.split()) < 30] == []
    assert [document.name for document in documents if not document.title] == []
    assert [document.name for document in documents if "" in spanned(document)] == []
