from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from ingest.parse import ParseError, archive
from ingest.parse.document import Heading, Parsed
from ingest.parse.office.opendocument import parse_opendocument
from tests.ingest.pictures import picture
from tests.ingest.samples import zipped
from tests.ingest.test_parse import read

NAMES = {
    "office": "office", "style": "style", "text": "text", "table": "table", "draw": "drawing",
    "presentation": "presentation", "chart": "chart", "svg": "svg-compatible", "fo": "xsl-fo-compatible",
}  # fmt: skip
SPACES = " ".join(
    [f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for short, name in NAMES.items()]
    + ['xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/"']
)


def content(kind: str, body: str, styles: str = "") -> str:
    return (
        f"<office:document-content {SPACES}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
    )


def make_opendocument(
    kind: str, body: str, styles: str = "", master: str = "", title: str = "", **parts: str | bytes
) -> bytes:
    """An ODT, ODS or ODP; master: pages of styles.xml; parts: others, with `__` for `/` in their names."""
    common = {
        "META-INF/manifest.xml": "<manifest/>",
        "content.xml": content(kind, body, styles),
        "styles.xml": f"<office:document-styles {SPACES}>{master}</office:document-styles>",
        "meta.xml": f"<office:document-meta {SPACES}><dc:title>{title}</dc:title></office:document-meta>",
    }
    return zipped(common | {name.replace("__", "/").replace("_xml", ".xml"): part for name, part in parts.items()})


def style(name: str, family: str, properties: str, parent: str = "") -> str:
    """A style; properties: attributes with their kind first, such as `text fo:color="#ffffff"`."""
    return (
        f'<style:style style:name="{name}" style:family="{family}" style:parent-style-name="{parent}">'
        f"<style:{properties.replace(' ', '-properties ', 1)}/></style:style>"
    )


def parsed(kind: str, body: str, *styles: str, **more: str) -> Parsed:
    return parse_opendocument(make_opendocument(kind, body, "".join(styles), **more))


def text(body: str, *styles: str, **more: str) -> str:
    return parsed("text", body, *styles, **more).pages[0].text


# text ------------------------------------------------------------------------------------------------


def test_headings_have_their_levels_and_the_title_is_outermost(tmp_path: Path) -> None:
    body = (
        '<text:p text:style-name="P1">Leave</text:p><text:h text:outline-level="2">Who</text:h>'
        "<text:p>All of<text:s text:c='3'/>us,<text:tab/>here<text:line-break/>and &lt;there&gt;.</text:p>"
        '<text:h text:outline-level="9">Deep</text:h>'
    )
    document = read(
        tmp_path,
        "a.odt",
        make_opendocument(
            "text", body, style("P1", "paragraph", "text ", "Title") + style("Title", "paragraph", "text ")
        ),
    )
    assert document.text == "# Leave\n\n## Who\n\nAll of us, here\nand <there>.\n\n###### Deep"
    assert document.title == "Leave"
    assert document.headings[1] == Heading(2, "Who", 9, 15)


def test_numbers_of_headings_are_counted_as_the_outline_says() -> None:
    levels = "".join(
        f'<text:outline-level-style text:level="{level}" style:num-format="{shape}" text:display-levels="{level}"'
        f' style:num-suffix="."/>'
        for level, shape in ((1, "A"), (2, "1"), (3, ""))
    )
    heads = [(1, "a"), (2, "b"), (2, "c"), (3, "d"), (1, "e"), (2, "f")]
    body = "".join(f'<text:h text:outline-level="{level}">{words}</text:h>' for level, words in heads)
    body += '<text:h text:outline-level="1" text:is-list-header="true">g</text:h>'
    shown = text(body, master=f"<text:outline-style>{levels}</text:outline-style>")
    assert [line.lstrip("# ") for line in shown.split("\n\n")] == [
        "A. a",
        "A.1. b",
        "A.2. c",
        "d",
        "B. e",
        "B.1. f",
        "g",
    ]


def test_links_marks_notes_and_comments_are_read() -> None:
    body = (
        '<text:p>See <text:a xlink:href="https://x.example/a">the page</text:a>, 5 m<text:span text:style-name="up">2'
        '</text:span> <text:span text:style-name="out">old</text:span><text:note text:note-class="footnote">'
        "<text:note-citation>*</text:note-citation><text:note-body><text:p>Since 2020</text:p></text:note-body>"
        "</text:note> now<office:annotation><dc:creator>Ida Berg</dc:creator><dc:date>2024-01-01</dc:date>"
        "<text:p>Check it</text:p></office:annotation>.</text:p>"
    )
    looks = (
        style("up", "text", 'text style:text-position="super 58%"'),
        style("out", "text", 'text style:text-line-through-style="solid"'),
    )
    assert text(body, *looks) == (
        "See the page (https://x.example/a), 5 m² ~~old~~[1] now[IB1].\n\n1. Since 2020\n\n- Comment [IB1]: Check it"
    )


LISTS = (
    '<text:list-style style:name="dots"><text:list-level-style-bullet text:level="1"/>'
    '<text:list-level-style-number text:level="2" style:num-format="a" style:num-suffix=")"/></text:list-style>'
    '<text:list-style style:name="steps"><text:list-level-style-number text:level="1" style:num-format="1"'
    ' style:num-suffix="." text:start-value="3"/></text:list-style>'
    '<text:list-style style:name="clauses"><text:list-level-style-number text:level="1" style:num-format="I"'
    ' style:num-prefix="("  style:num-suffix=")"/></text:list-style>'
)


def items(*texts: str, name: str = "", more: str = "") -> str:
    named = f'text:style-name="{name}"' if name else ""
    inner = "".join(
        f"<text:list-item>{one if '<' in one else f'<text:p>{one}</text:p>'}</text:list-item>" for one in texts
    )
    return f"<text:list {named} {more}>{inner}</text:list>"


def test_lists_have_their_bullets_and_numbers() -> None:
    nested = items("a", f"<text:p>b</text:p>{items('c', 'd')}", "e", name="dots")
    assert text(nested, LISTS) == "- a\n- b\n\n  a) c\n\n  b) d\n- e"
    assert text(items("a", "b", name="steps"), LISTS) == "3. a\n4. b"
    going_on = items("c", name="steps", more='text:continue-numbering="true"')
    assert text(items("a", "b", name="steps") + "<text:p>Then</text:p>" + going_on, LISTS) == (
        "3. a\n4. b\n\nThen\n\n5. c"
    )
    assert text(items("a", "b", name="clauses"), LISTS) == "(I) a\n\n(II) b"


def test_tables_have_headers_spans_and_no_hidden_rows() -> None:
    body = (
        "<table:table><table:table-column table:number-columns-repeated='3'/><table:table-header-rows><table:table-row>"
        "<table:table-cell table:number-columns-spanned='2'><text:p>Rate</text:p></table:table-cell>"
        "<table:covered-table-cell/><table:table-cell><text:p>City</text:p></table:table-cell></table:table-row>"
        "</table:table-header-rows><table:table-row table:number-rows-repeated='2'><table:table-cell"
        " table:number-columns-repeated='2'><text:p>1</text:p></table:table-cell><table:table-cell>"
        "<text:p>Bonn</text:p></table:table-cell></table:table-row></table:table>"
    )
    assert text(body) == "| Rate | Rate | City |\n| --- | --- | --- |\n| 1 | 1 | Bonn |\n| 1 | 1 | Bonn |"


def test_boxes_stand_below_their_paragraph() -> None:
    box = "<draw:frame><draw:text-box><text:p>In a box</text:p></draw:text-box></draw:frame>"
    shape = "<draw:custom-shape><text:p>On a shape</text:p></draw:custom-shape>"
    assert text(f"<text:p>Be{box}fore{shape}</text:p><text:p>After</text:p>") == (
        "Before\n\nIn a box\n\nOn a shape\n\nAfter"
    )


def test_pictures_have_their_captions(tmp_path: Path) -> None:
    image = '<draw:image xlink:href="Pictures/a%20b.png"/><svg:desc>Bars &amp; lines</svg:desc>'
    body = f"<text:p>Text</text:p><text:p><draw:frame>{image}</draw:frame></text:p><text:p>End</text:p>"
    data = make_opendocument("text", body)
    with zipfile.ZipFile(buffer := io.BytesIO(data), "a") as package:
        package.writestr("Pictures/a b.png", picture())
    (figure,) = read(tmp_path, "a.odt", buffer.getvalue()).figures
    assert figure.caption == "Bars & lines"
    assert figure.picture


def test_formulas_and_charts_are_read_from_their_parts() -> None:
    math = (
        '<math xmlns="http://www.w3.org/1998/Math/MathML"><semantics><mfrac><mi>a</mi><mi>b</mi></mfrac>'
        '<annotation encoding="StarMath 5.0">a over b</annotation></semantics></math>'
    )
    table = (
        "<chart:chart><chart:title><text:p>Sales</text:p></chart:title><table:table><table:table-row><table:table-cell>"
        "<text:p>Bonn</text:p></table:table-cell><table:table-cell><text:p>12</text:p></table:table-cell>"
        "</table:table-row></table:table></chart:chart>"
    )
    objects = "".join(
        f'<draw:frame><draw:object xlink:href="./{name}"/><draw:image xlink:href="./r/{name}"/></draw:frame>'
        for name in ("F", "C", "Sheet 1")
    )
    found = parsed(
        "text", f"<text:p>So {objects}</text:p>", F__content_xml=math, C__content_xml=content("chart", table)
    )
    assert found.pages[0].text == "So a/b\n\nSales\n\n|  |  |\n| --- | --- |\n| Bonn | 12 |"
    assert found.note == "embedded files not read: Sheet 1"


def test_headers_and_footers_are_read_once_if_they_say_something() -> None:
    edge = "<text:p>QM-117, version 4, page <text:page-number>7</text:page-number></text:p>"
    master = f"<style:header>{edge}</style:header><style:header-left>{edge}</style:header-left>"
    master += "<style:footer><text:p>Page <text:page-number>12345678</text:page-number></text:p></style:footer>"
    assert text("<text:p>Text</text:p>", master=master) == "Text\n\nQM-117, version 4, page"


@pytest.mark.parametrize(
    "hidden",
    [
        "<text:p text:style-name='gone'>Secret</text:p>",
        "<text:p>Text <text:span text:style-name='white'>Secret</text:span></text:p>",
        "<text:p>Text <text:span text:style-name='tiny'>Secret</text:span></text:p>",
        "<text:section text:display='none'><text:p>Secret</text:p></text:section>",
        "<text:section text:is-hidden='true'><text:p>Secret</text:p></text:section>",
        "<text:p>Secret<text:hidden-paragraph text:is-hidden='true'/></text:p>",
        "<text:p>Text <text:hidden-text text:is-hidden='true'>Secret</text:hidden-text></text:p>",
        "<text:tracked-changes><text:changed-region><text:deletion><text:p>Secret</text:p></text:deletion>"
        "</text:changed-region></text:tracked-changes>",
    ],
)
def test_what_no_reader_sees_is_left_out_and_counted(hidden: str) -> None:
    looks = [
        style("base", "paragraph", 'text text:display="none"'),
        style("gone", "paragraph", "text ", "base"),
        style("white", "text", 'text fo:color="#FFFFFF"'),
        style("tiny", "text", 'text fo:font-size="1pt"'),
    ]
    found = parsed("text", f"<text:p>Seen</text:p>{hidden}", *looks)
    assert "Secret" not in found.pages[0].text
    assert found.note == "left out, since hidden: 1 passage"


def test_white_words_in_a_table_may_be_on_a_dark_ground() -> None:
    look = style("white", "paragraph", 'text fo:color="#ffffff"')
    cell = "<table:table-cell><text:p text:style-name='white'>Head</text:p></table:table-cell>"
    assert "Head" in text(f"<table:table><table:table-row>{cell}</table:table-row></table:table>", look)


# sheets ----------------------------------------------------------------------------------------------


def sheet(name: str, rows: str, more: str = "") -> str:
    return f'<table:table table:name="{name}" {more}>{rows}</table:table>'


def row(*cells: str, more: str = "") -> str:
    inner = "".join(
        cell if cell.startswith("<") else f"<table:table-cell><text:p>{cell}</text:p></table:table-cell>"
        for cell in cells
    )
    return f"<table:table-row {more}>{inner}</table:table-row>"


FOLDED = 'table:visibility="collapse"'
REST = '<table:table-cell table:number-columns-repeated="16384"/>'
EMPTY = f'<table:table-row table:number-rows-repeated="1048000">{REST}</table:table-row>'


def test_sheets_stand_below_their_names_as_they_are_shown(tmp_path: Path) -> None:
    costs = (
        row("City", "Rate", REST)
        + row("Bonn", "<table:table-cell office:value='0.5'><text:p>50 %</text:p></table:table-cell>")
        + EMPTY
        + row("Note")
        + EMPTY
    )
    document = read(
        tmp_path,
        "a.ods",
        make_opendocument("spreadsheet", sheet("Costs", costs) + sheet("Empty", EMPTY), title="Travel"),
    )
    assert document.text == "# Travel\f## Costs\n\n| City | Rate |\n| --- | --- |\n| Bonn | 50 % |\n\nNote"
    assert [heading.title for heading in document.headings] == ["Travel", "Costs"]


def test_hidden_sheets_rows_and_columns_are_left_out_and_folded_ones_are_not() -> None:
    rows = (
        '<table:table-column/><table:table-column table:visibility="collapse"/><table:table-column/>'
        + row("a", "Secret", "b")
        + row("Secret", more='table:visibility="collapse"')
        + f"<table:table-row-group>{row('c', '', 'd', more=FOLDED)}</table:table-row-group>"
        + row("e", "", "f", more='table:visibility="filter"')
    )
    hidden = sheet("Hidden", row("Secret"), 'table:style-name="off"')
    found = parsed("spreadsheet", sheet("One", rows) + hidden, style("off", "table", 'table table:display="false"'))
    assert found.pages[0].text == "# One\n\n|  |  |\n| --- | --- |\n| a | b |\n| c | d |\n| e | f |"
    assert found.note == "; ".join(f"left out, since hidden: 1 {what}" for what in ("column", "row", "sheet"))


def test_merged_cells_comments_links_and_drawings_of_a_sheet() -> None:
    merged = '<table:table-cell table:number-columns-spanned="2"><text:p>Both</text:p></table:table-cell>'
    check = "<office:annotation><text:p>Check</text:p></office:annotation>"
    said = f"<table:table-cell>{check}<text:p>7</text:p></table:table-cell>"
    link = '<table:table-cell><text:p><text:a xlink:href="https://x.example">Site</text:a></text:p></table:table-cell>'
    box = (
        "<table:shapes><draw:frame><draw:text-box><text:p>In a box</text:p></draw:text-box></draw:frame></table:shapes>"
    )
    rows = box + row("Name", merged, "<table:covered-table-cell/>") + row("a", said, link)
    assert parsed("spreadsheet", sheet("One", rows)).pages[0].text == (
        "# One\n\n| Name | Both | Both |\n| --- | --- | --- |\n| a | 7 (Note: Check) | Site (https://x.example) |"
        "\n\nIn a box"
    )


def test_repeated_cells_are_repeated_within_limits() -> None:
    much = row(
        '<table:table-cell table:number-columns-repeated="999999999"><text:p>1</text:p></table:table-cell>',
        more='table:number-rows-repeated="999999999"',
    )
    assert len(parsed("spreadsheet", sheet("One", row("a", "b") + much)).pages[0].text) < 10_000_000


# slides ----------------------------------------------------------------------------------------------


def frame(role: str, words: str, top: float = 0) -> str:
    return (
        f'<draw:frame presentation:class="{role}" svg:y="{top}cm" svg:x="1cm"><draw:text-box>{words}</draw:text-box>'
        "</draw:frame>"
    )


def slide(*shapes: str, notes: str = "", more: str = "") -> str:
    said = f"<presentation:notes>{frame('notes', f'<text:p>{notes}</text:p>')}</presentation:notes>" if notes else ""
    return f"<draw:page {more}>{''.join(shapes)}{said}</draw:page>"


def test_each_visible_slide_is_a_page_with_its_number_and_notes(tmp_path: Path) -> None:
    one, two, page = "<text:p>One</text:p>", "<text:p>Two</text:p>", "<text:p>9</text:p>"
    body = (
        slide(frame("title", "<text:p>Start</text:p>"))
        + slide(frame("outline", one), more='draw:style-name="off"')
        + slide(
            frame("", two, 9),
            frame("outline", items("One", "And"), 2),
            frame("title", "<text:p>Next</text:p>"),
            frame("page-number", page),
            "<office:annotation><text:p>Sure?</text:p></office:annotation>",
            notes="Say it",
        )
    )
    off = style("off", "drawing-page", 'drawing-page presentation:visibility="hidden"')
    document = read(tmp_path, "a.odp", make_opendocument("presentation", body, off))
    assert document.text == "# Start\f## Next\n\n(Comment: Sure?)\n\n- One\n- And\n\nTwo\n\nNotes: Say it"
    assert [page.number for page in document.pages] == [1, 3]
    assert document.note == "left out, since hidden: 1 slide"


def test_tables_of_slides_have_their_header() -> None:
    table = '<table:table table:use-first-row-styles="true">' + row("a", "1") + row("b", "2") + "</table:table>"
    assert parsed("presentation", slide(f"<draw:frame>{table}</draw:frame>")).pages[0].text == (
        "| a | 1 |\n| --- | --- |\n| b | 2 |"
    )


# damaged and hostile ---------------------------------------------------------------------------------


def test_encrypted_file_is_refused(tmp_path: Path) -> None:
    manifest = "<manifest><manifest:encryption-data/></manifest>"
    with pytest.raises(ParseError, match="locked with a password"):
        read(tmp_path, "a.odt", zipped({"META-INF/manifest.xml": manifest, "content.xml": b"\x00\x01"}))


def test_file_without_content_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match="has no content"):
        read(tmp_path, "a.ods", zipped({"META-INF/manifest.xml": "<manifest/>"}))
    with pytest.raises(ParseError, match="no text found"):
        read(tmp_path, "b.ods", zipped({"META-INF/manifest.xml": "<manifest/>", "content.xml": "<none/>"}))


def test_entities_are_not_resolved(tmp_path: Path) -> None:
    laughs = '<!DOCTYPE x [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/hostname">]>'
    data = content("text", "<text:p>Seen &b;&f;</text:p>")
    document = read(tmp_path, "a.odt", zipped({"META-INF/manifest.xml": "<m/>", "content.xml": laughs + data}))
    assert document.text == "Seen"


@pytest.mark.parametrize("depth", [2_000, 100_000])
def test_file_nested_too_deeply_is_refused(tmp_path: Path, depth: int) -> None:
    deep = "<text:section>" * depth + "<text:p>deep</text:p>" + "</text:section>" * depth
    with pytest.raises(ParseError, match=r"nested too deeply|damaged"):
        read(tmp_path, "a.odt", make_opendocument("text", deep))


def test_style_based_on_itself_and_object_in_itself_end() -> None:
    look = style("a", "paragraph", "text ", "b") + style("b", "paragraph", "text ", "a")
    inner = '<draw:frame><draw:object xlink:href="./"/><draw:object xlink:href=""/></draw:frame>'
    assert text(f"<text:p text:style-name='a'>Seen{inner}</text:p>", look) == "Seen"


def test_zip_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 10_000_000)
    with pytest.raises(ParseError, match="unpack to"):
        read(tmp_path, "a.odt", make_opendocument("text", " " * 9_990_000))


def test_cut_off_file_is_refused(tmp_path: Path) -> None:
    whole = make_opendocument("text", "<text:p>Seen</text:p>")
    for end in range(0, len(whole), 100):
        with pytest.raises(ParseError, match="damaged or not really"):
            read(tmp_path, "a.odt", whole[:end])
