"""What wikis, notebooks and help centers export."""

from __future__ import annotations

import random
from email.message import EmailMessage
from pathlib import Path

import pytest

from ingest.parse import ParseError, parse
from ingest.parse.html.markup import parse_html, parse_markdown
from ingest.parse.marks import address_of
from ingest.parse.saved_page import parse_saved_page
from ingest.parse.separated import parse_csv
from tests.ingest.pictures import picture

ID = "0123456789abcdef0123456789abcdef"
REST = "<p>" + "Everyone who travels for the company keeps to these rules. " * 8 + "</p>"

SHOWN = [
    pytest.param('<div class="checkbox checkbox-on"></div> <s>Ask</s>', "[x] ~~Ask~~", id="drawn-box"),
    pytest.param('<span role="checkbox" aria-checked="false"></span>Ask', "[ ] Ask", id="role-box"),
    pytest.param(
        '<ul class="inline-task-list"><li class="checked"><p>Ask</p></li><li>Book</li></ul>',
        "- [x] Ask\n- [ ] Book",
        id="tasks",
    ),
    pytest.param(
        '<p>Tags <span class="selected-value">a</span><span class="selected-value">b</span></p>',
        "Tags a, b",
        id="labels",
    ),
    pytest.param(
        '<ul class="b"><li>Rome</li></ul><ul class="b"><li>Oslo</li></ul>', "- Rome\n- Oslo", id="list-of-each-item"
    ),
    pytest.param(
        '<ol class="n" start="1"><li>Ask</li></ol> <ol class="n" start="2"><li>Book</li></ol>',
        "1. Ask\n2. Book",
        id="list-of-each-number",
    ),
    pytest.param("<ul><li>Ask</li></ul><ul><li>Book</li></ul>", "- Ask\n\n- Book", id="two-lists"),
    pytest.param(
        '<ul class="lst-kix_a-0 start"><li>A</li></ul><ol class="lst-kix_a-1 start"><li>B</li></ol>'
        '<ul class="lst-kix_a-2 start"><li>C</li></ul><ol class="lst-kix_a-1" start="2"><li>D</li></ol>'
        '<ul class="lst-kix_a-0"><li>E</li></ul>',
        "- A\n  1. B\n     - C\n  2. D\n- E",
        id="levels",
    ),
    pytest.param('<p class="x title" id="h.a">Travel</p><p>Rules</p>', "# Travel\n\nRules", id="title"),
    pytest.param('<div role="heading" aria-level="3">Meals</div><p>30</p>', "### Meals\n\n30", id="role-heading"),
    pytest.param('<time datetime="2023-01-05T10:00Z">2 years ago</time>', "2 years ago (2023-01-05)", id="time"),
    pytest.param('<time datetime="2023-01-05">5 Jan 2023</time>', "5 Jan 2023", id="time-in-full"),
    pytest.param('Tea <img alt="(tick)"> yes, <img alt=":cross_mark:"> no', "Tea ✓ yes, ✗ no", id="signs"),
    pytest.param('<img alt="https://x.example/i.svg"> Tip', "Tip", id="address-of-a-picture"),
    pytest.param('<div class="panelHeader">Note</div><div><p>Ask.</p></div>', "Note: Ask.", id="panel"),
    pytest.param("by <i> Ann</i>,<br> on Monday", "by Ann,\non Monday", id="one-space"),
    pytest.param('<a href="https://x.example/a">form </a> by Ann', "form (https://x.example/a) by Ann", id="link"),
]


@pytest.mark.parametrize(("html", "text"), SHOWN)
def test_what_style_shows_is_read(html: str, text: str) -> None:
    lines = parse_html(f"<body>{html}</body>".encode()).pages[0].text.split("\n")
    assert "\n".join(line.rstrip() for line in lines).strip() == text


LEFT_OUT = [
    pytest.param("<div class='toc-macro'><ul><li><a href='#a'>Meals</a></li></ul></div>", id="contents"),
    pytest.param('<div class="page-icon">🧳</div>', id="icon"),
    pytest.param('<h2>Meals<span class="mw-editsection">[<a href="?action=edit">edit</a>]</span></h2>', id="edit"),
    pytest.param('<div class="printfooter">Retrieved from <a href="https://x.example">it</a></div>', id="footer"),
]


@pytest.mark.parametrize("html", LEFT_OUT)
def test_frame_of_a_page_is_left_out(html: str) -> None:
    text = parse_html(f"<body>{html}{REST}</body>".encode()).pages[0].text
    assert text.removeprefix("## Meals\n\n").startswith("Everyone")


def test_date_of_the_last_change_is_kept_from_the_footer() -> None:
    footer = (
        "<footer><ul><li id='footer-info-lastmod'>Zuletzt am 5. Mai 2020 bearbeitet.</li><li>Imprint</li></ul></footer>"
    )
    text = parse_html(f"<body><main>{REST}</main>{footer}</body>".encode()).pages[0].text
    assert text.endswith("rules.\n\nZuletzt am 5. Mai 2020 bearbeitet.")
    line = "<div>Last updated on <span id='last-updated'>Jan 3, 2024</span></div>"
    docs = f"<footer>{line}<a href='/edit'>Edit this page</a></footer>"
    assert parse_html(f"<body>{REST}{docs}</body>".encode()).pages[0].text.endswith("\n\nLast updated on Jan 3, 2024")


def test_heading_is_without_the_name_of_the_wiki() -> None:
    crumbs = '<ol id="breadcrumbs"><li><a href="index.html">HR</a></li></ol>'
    page = f"<title>HR : Travel</title><body>{{}}<h1> HR : Travel </h1>{REST}</body>"
    assert parse_html(page.format(crumbs).encode()).title == "Travel"
    assert parse_html(page.format("").encode()).title == "HR : Travel"


def test_edges_of_a_spreadsheet_are_no_text() -> None:
    edge = '<th class="{}-headers-background">{}</th>'
    letters = '<th class="row-header x"></th>' + "".join(edge.format("column", letter) for letter in "AB")
    rows = "".join(
        f"<tr>{edge.format('row', number)}{cells}</tr>"
        for number, cells in enumerate(("<td>Meal<td>Limit", "<td>Dinner<td>30"), 1)
    )
    html = f"<table><thead><tr>{letters}</tr></thead><tbody>{rows}</tbody></table>"
    assert parse_html(html.encode()).pages[0].text == "| Meal | Limit |\n| --- | --- |\n| Dinner | 30 |"


def test_table_that_an_editor_marks_as_layout_is_a_table() -> None:
    rows = "<tr><td><p>Site</p><td><p>Desk</p><tr><td>Oslo<td>Floor 2"
    table = f'<table role="presentation">{rows}</table>'
    assert "| Oslo | Floor 2 |" in parse_html(table.encode()).pages[0].text
    layout = table.replace("Floor 2", "A long story. " * 20)
    assert "|" not in parse_html(layout.encode()).pages[0].text


@pytest.mark.parametrize(
    ("link", "address"),
    [
        ("https://www.google.com/url?q=https://x.example/f?a%3D1&sa=D&usg=AOv", "https://x.example/f?a=1"),
        (
            "https://eu1.safelinks.protection.outlook.com/?url=https%3A%2F%2Fx.example%2Ff&data=05",
            "https://x.example/f",
        ),
        ("https://urldefense.com/v3/__https://x.example/f__;!!ab$", "https://x.example/f"),
        ("https://x.example/url?q=https://y.example", "https://x.example/url?q=https://y.example"),
    ],
)
def test_address_is_the_one_that_a_detour_leads_to(link: str, address: str) -> None:
    assert address_of(link, "the form") == address


def test_properties_below_a_title_keep_their_lines() -> None:
    text = (
        f"# Launch\n\nStatus: Done\nOwner: Ann\nTasks: Plan (../Tasks%20a/Plan%20{ID}.md), Ask\n\nWe say:\nNote: a\nb"
    )
    shown = parse_markdown(text.encode()).pages[0].text
    assert shown == "# Launch\n\nStatus: Done\nOwner: Ann\nTasks: Plan, Ask\n\nWe say: Note: a b"
    assert parse_markdown(b"```\nA: b\nC: d\n```").pages[0].text == "```\nA: b\nC: d\n```"


def test_box_of_a_notebook_is_markdown() -> None:
    box = "<aside>\n💡 **Tip:** ask [Ann](a.md)\n\n</aside>\n\nText"
    assert parse_markdown(box.encode()).pages[0].text == "💡 Tip: ask Ann\n\nText"


def test_ids_are_no_part_of_titles_and_cells(tmp_path: Path) -> None:
    table = f"Name,Tasks\nLaunch,Plan (Tasks%20a/Plan%20(b)%20{ID}.md)\n"
    assert "| Launch | Plan |" in parse_csv(table.encode()).pages[0].text
    for name in (f"Our projects {ID}.csv", f"Our projects {ID}_all.csv"):
        path = tmp_path / name
        path.write_text(table)
        assert parse(path).title == "Our projects"


def saved_page(html: str, location: str = "file:///C:/x/image1.png") -> bytes:
    message = EmailMessage()
    message["Subject"] = "Exported"
    message.set_content(html, subtype="html", cte="quoted-printable")
    message.add_related(picture(), "image", "png", headers=[f"Content-Location: {location}"])
    return message.as_bytes()


@pytest.mark.parametrize("suffix", [".mht", ".mhtml", ".doc"])
@pytest.mark.parametrize("source", ["image1.png", "file:///C:/x/image1.png"])
def test_page_saved_in_one_file_is_read_with_its_pictures(tmp_path: Path, suffix: str, source: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(saved_page(f"<title>T</title><h1>Travel</h1><p>Café</p><img alt='The map' src='{source}'>"))
    document = parse(path)
    assert (document.title, document.text) == ("Travel", "# Travel\n\nCafé")
    assert [figure.caption for figure in document.figures] == ["The map"]


def test_other_files_with_the_name_of_a_saved_page() -> None:
    assert parse_saved_page(b"<html><p>Travel").pages[0].text == "Travel"
    with pytest.raises(ParseError, match="old Office format"):
        parse_saved_page(bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 600)
    with pytest.raises(ParseError, match="no HTML"):
        parse_saved_page(b"{\\rtf1 Travel}")


def test_damaged_exports_are_read_or_refused() -> None:
    page = saved_page("".join(str(case.values[0]) for case in [*SHOWN, *LEFT_OUT]))
    dice = random.Random(1)
    refused = []
    for _ in range(60):
        data = bytearray(page[: dice.randrange(len(page))])
        for _ in range(dice.randrange(20)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        try:
            parse_saved_page(bytes(data))
        except ParseError as error:
            refused.append(str(error))
    assert all(refused)
