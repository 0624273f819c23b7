from __future__ import annotations

import base64
import io
import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import openpyxl
import pptx
import pytest
from openpyxl.drawing.image import Image as SheetImage
from PIL import Image
from pptx.util import Inches

from ingest import describe
from ingest.chunk import Chunk
from ingest.figures import Figures, KeptFigure, with_chunk
from ingest.isolation import Limits
from ingest.listing import StoredDocument
from ingest.parse import Document, parse
from ingest.parse import __main__ as parser_process
from ingest.parse.figures import MAX_FIGURES, label_of, labels
from ingest.pipeline import FileResult, ingest
from ingest.reindex import reindex
from ingest.removal import remove
from ingest.table import ChunkTable
from tests.conftest import FakeEmbedder
from tests.ingest.pictures import Seeing, pdf_with_pictures, picture
from tests.ingest.samples import make_docx

_WORDS = "Figure 1: Sales of valves by year"


def read(tmp_path: Path, name: str, data: bytes | str) -> Document:
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return parse(path)


def data_address(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


# finding -----------------------------------------------------------------------------------------------


def test_a_picture_of_a_pdf_has_its_caption_page_and_place(tmp_path: Path) -> None:
    pages = [["Sales rose."], ["Results", *[""] * 20, _WORDS, "Sales fell in 2025."]]
    found = read(tmp_path, "a.pdf", pdf_with_pictures(pages, [(1, picture(kind="JPEG"), (50, 530, 300, 200))]))
    (figure,) = found.figures
    assert (figure.caption, figure.page) == (_WORDS, 2)
    assert found.text[figure.position :].startswith(_WORDS)
    assert figure.box
    assert figure.box.left == pytest.approx(50 / 595, abs=0.01)
    assert figure.box.bottom == pytest.approx(1 - 530 / 842, abs=0.01)
    image = Image.open(io.BytesIO(figure.picture)).convert("RGB")
    assert image.getpixel((image.width * 5 // 12, image.height * 3 // 4))[0] > 200  # type: ignore[index]  # the bar
    assert image.getpixel((5, 5)) == (255, 255, 255)


def test_icons_logos_and_the_paper_behind_a_page_are_left_out_and_counted(tmp_path: Path) -> None:
    logo, icon, paper = (picture(color, kind="JPEG") for color in ("blue", "green", "gray"))
    pages = [
        ["Valves are closed by hand, says the manual."],
        ["Pumps are not for the staff to open or to close."],
        ["Last words."],
    ]
    drawn = [(number, logo, (50.0, 300.0, 150.0, 100.0)) for number in range(3)]
    drawn += [(0, icon, (300, 300, 20, 20)), (1, paper, (0, 0, 595, 842))]
    found = read(tmp_path, "a.pdf", pdf_with_pictures(pages, drawn))
    assert (found.figures, found.num_figures_left_out) == ((), 4)  # the paper is no picture at all


def test_pieces_of_one_picture_are_one(tmp_path: Path) -> None:
    strips = [(0, picture(kind="JPEG"), (50.0, 500.0 + 40 * number, 300.0, 40.0)) for number in range(3)]
    (figure,) = read(tmp_path, "a.pdf", pdf_with_pictures([["Valves"]], strips)).figures
    assert figure.box
    assert figure.box.bottom - figure.box.top == pytest.approx(120 / 842, abs=0.01)


def test_pictures_of_a_page_are_embedded_or_lie_beside_it(tmp_path: Path) -> None:
    (tmp_path / "docs" / "img").mkdir(parents=True)
    (tmp_path / "docs" / "img" / "b c.png").write_bytes(picture("blue"))
    (tmp_path / "secret.png").write_bytes(picture("green"))
    html = (
        f"<h1>Valves</h1><p>Before.</p><figure><img src='{data_address(picture())}'><figcaption>The  bar</figcaption>"
        "</figure><p>Between.</p><p><img src='img/b%20c.png?v=1' alt='Blue bar'></p><p>After.</p>"
        "<img src='../secret.png'><img src='https://example.org/x.png'><img src='/etc/x.png'><img src='gone.png'>"
    )
    found = read(tmp_path / "docs", "a.html", html)
    plain = read(tmp_path / "docs", "b.html", html.replace("<img", "<nothing"))
    assert found.text == plain.text
    assert [(each.caption, bool(each.picture)) for each in found.figures] == [
        ("The bar", True),
        ("Blue bar", True),
        ("", False),
        ("", False),
    ]
    assert found.text[: found.figures[0].position].endswith("Before.")
    assert found.text[: found.figures[1].position].endswith("Between.")


def test_pictures_of_markdown(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    found = read(tmp_path, "a.md", f"# Valves\n\n![Alt](a.png)\n\n{_WORDS}\n\nMore.\n")
    assert [(each.caption, each.address) for each in found.figures] == [(_WORDS, "a.png")]


def test_pictures_of_office_files(tmp_path: Path) -> None:
    deck = pptx.Presentation()
    for words in ("First", "Second"):
        slide = deck.slides.add_slide(deck.slide_layouts[5])
        slide.shapes.title.text = words
    shape = slide.shapes.add_picture(io.BytesIO(picture()), Inches(1), Inches(2))
    shape._element.nvPicPr.cNvPr.set("descr", "A bar")
    deck.save(str(tmp_path / "a.pptx"))
    assert [(each.caption, each.page) for each in parse(tmp_path / "a.pptx").figures] == [("A bar", 2)]
    book = openpyxl.Workbook()
    book.active.append(["Valve", "Bar"])
    book.active.add_image(SheetImage(io.BytesIO(picture())), "D4")
    book.save(tmp_path / "a.xlsx")
    assert len(parse(tmp_path / "a.xlsx").figures) == 1


def test_a_picture_of_word_and_none_that_is_linked(tmp_path: Path) -> None:
    def drawing(attribute: str) -> str:
        return (
            '<w:p><w:r><w:drawing><wp:inline xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/'
            'wordprocessingDrawing"><wp:docPr id="1" name="x" descr="A bar"/><a:graphic xmlns:a='
            '"http://schemas.openxmlformats.org/drawingml/2006/main"><a:graphicData><pic:pic xmlns:pic='
            f'"http://schemas.openxmlformats.org/drawingml/2006/picture"><pic:blipFill><a:blip {attribute} xmlns:r='
            '"http://schemas.openxmlformats.org/officeDocument/2006/relationships"/></pic:blipFill></pic:pic>'
            "</a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>"
        )

    drawn = drawing('r:embed="p1"') + drawing('r:link="p2"')
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="p1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/image" '
        'Target="media/a b.png"/><Relationship Id="p2" TargetMode="External" Target="http://127.0.0.1:9/x.png" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/image"/></Relationships>'
    )
    data = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(make_docx([("", "Valves")]))) as plain, zipfile.ZipFile(data, "w") as package:
        for name in set(plain.namelist()) - {"word/_rels/document.xml.rels"}:
            package.writestr(name, plain.read(name).decode().replace("</w:body>", f"{drawn}</w:body>"))
        package.writestr("word/_rels/document.xml.rels", relations)
        package.writestr("word/media/a b.png", picture())
    found = read(tmp_path, "a.docx", data.getvalue())
    assert found.text == "Valves"
    assert [each.caption for each in found.figures] == ["A bar"]


def test_a_hostile_picture_costs_only_itself(tmp_path: Path) -> None:
    huge = io.BytesIO()
    Image.new("1", (9_000, 9_000)).save(huge, "PNG")
    sources = [picture()[:-60], huge.getvalue(), b"no picture", picture("blue")]
    html = "<p>Valves</p>" + "".join(f"<img src='{data_address(source)}'>" for source in sources)
    found = read(tmp_path, "a.html", html)
    assert len(found.figures) == 1
    assert found.note == "pictures left out: 3 damaged, too large, or of an unknown format"


def test_a_picture_that_ends_the_process_leaves_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.parse.open_figures", lambda *_: os._exit(9))
    path = tmp_path / "a.html"
    path.write_text(f"<p>Valves</p><img src='{data_address(picture())}'>")
    limits = Limits(memory_mb=100_000).model_dump()
    answer = json.loads(parser_process._answer({"path": str(path), "name": "a.html"} | limits))
    assert answer["document"]["pages"][0]["text"] == "Valves"
    assert answer["document"]["note"] == "pictures left out: opening one took too long or crashed"


def test_more_pictures_than_the_limit_are_named(tmp_path: Path) -> None:
    many = "".join(
        f"<img src='{data_address(picture(f'#{number:06x}', (130, 120)))}'>" for number in range(MAX_FIGURES + 2)
    )
    found = read(tmp_path, "a.html", f"<p>Valves</p>{many}")
    assert len(found.figures) == MAX_FIGURES
    assert "2 beyond the first 100" in found.note


def test_captions_and_what_a_text_names() -> None:
    assert label_of("Abbildung 3: Absatz") == label_of("Fig. 3") == ("figure", "3")
    assert labels("As Fig. 2a and Table 4 show, not tablet 5") == {("figure", "2a"), ("table", "4")}
    assert label_of("The figure 3 shows") is None


# keeping -----------------------------------------------------------------------------------------------


@pytest.fixture
def page(documents: Path) -> Path:
    """A page with a picture that lies beside it."""
    folder = documents / "it"
    (folder / "chart.png").write_bytes(picture())
    (folder / "sales.md").write_text(f"# Sales\n\nWe sell valves.\n\n![x](chart.png)\n\n{_WORDS}\n\nSee you.\n")
    return folder / "sales.md"


def bring(table: ChunkTable, path: Path) -> FileResult:
    (result,) = ingest([path], table, FakeEmbedder())
    return result


def stored(table: ChunkTable, name: str = "sales.md") -> StoredDocument:
    return next(document for document in table.documents() if document.name == name)


def described(table: ChunkTable) -> list[Chunk]:
    return [chunk for chunk in table.chunks_of(stored(table).id) if chunk.described_by]


def test_pictures_are_kept_beside_their_file_and_go_with_it(table: ChunkTable, page: Path) -> None:
    assert bring(table, page).status == "added"
    document, figures = stored(table), Figures(table.home)
    (figure,) = figures.of(document)
    assert figure.caption == _WORDS
    assert figures.path(document, figure.picture).read_bytes().startswith(b"\x89PNG")
    assert described(table) == []
    page.write_text("# Sales\n\nNo picture now.\n")
    bring(table, page)
    assert figures.of(stored(table)) == ()
    assert not figures.path(document, figure.picture).exists()
    with table.writing():
        remove([stored(table)], table)
    assert not (table.home / "originals" / document.id).exists()


def test_a_description_is_a_chunk_of_its_own_that_is_found(
    table: ChunkTable, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(describe, "find_describer", lambda _: Seeing())
    bring(table, page)
    (chunk,) = described(table)
    assert chunk.text == f"{_WORDS}\n\n{Seeing().words}"
    assert (chunk.described_by, chunk.headings) == ("seeing-1", ())
    assert chunk.picture == Figures(table.home).of(stored(table))[0].picture
    assert chunk.start == chunk.end
    (best, _), *_ = table.search_text("valves fell to 17", 3)
    assert best == chunk
    assert all(Seeing().words not in outline.opening for outline in table.outlines(table.documents()))
    assert table.verify() == set()


def test_a_failure_is_a_gap_that_the_next_run_fills(
    table: ChunkTable, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Seeing(num_failures=1)
    monkeypatch.setattr(describe, "find_describer", lambda _: model)
    assert bring(table, page).reason == "1 of 1 pictures not described: the server is busy"
    assert described(table) == []
    result = bring(table, page)
    assert (result.status, result.reason) == ("replaced", "")
    assert len(described(table)) == 1
    assert bring(table, page).status == "unchanged"
    assert model.asked == [_WORDS, _WORDS]


def test_after_several_failures_no_more_are_asked(
    table: ChunkTable, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Seeing(num_failures=99)
    monkeypatch.setattr(describe, "find_describer", lambda _: model)
    for number in range(5):
        (page.parent / f"{number}.png").write_bytes(picture(f"#0000{number}0"))
    page.write_text("# Sales\n\nWords.\n\n" + "\n\n".join(f"![x]({number}.png)" for number in range(5)))
    assert bring(table, page).reason == "5 of 5 pictures not described: the server is busy"
    assert len(model.asked) == 3


def test_the_same_picture_is_asked_about_once(table: ChunkTable, page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Seeing()
    monkeypatch.setattr(describe, "find_describer", lambda _: model)
    page.write_text("# Sales\n\n![x](chart.png)\n\nWords.\n\n![x](chart.png)\n")
    bring(table, page)
    assert (len(described(table)), len(model.asked)) == (2, 1)


def test_a_decoration_is_asked_about_once(table: ChunkTable, page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Seeing(words="")
    monkeypatch.setattr(describe, "find_describer", lambda _: model)
    bring(table, page)
    assert (described(table), bring(table, page).status, len(model.asked)) == ([], "unchanged", 1)


def test_reindex_keeps_pictures_and_descriptions(
    table: ChunkTable, page: Path, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(describe, "find_describer", lambda _: Seeing())
        bring(table, page)
    (page.parent / "chart.png").unlink()
    embedder.name = "fake-2"
    assert {result.status for result in reindex(table.home, embedder)} == {"added"}
    rebuilt = ChunkTable(table.home, embedder)
    assert len(described(rebuilt)) == 1
    assert len(Figures(table.home).of(stored(rebuilt))) == 1


def test_a_table_from_before_pictures_is_read_and_written(table: ChunkTable, page: Path) -> None:
    table._table_to_write().drop_columns(["picture", "described_by"])
    older = ChunkTable(table.home, FakeEmbedder())
    assert all(not chunk.described_by for chunk in older.chunks_of(stored(older, "it/vpn.md").id))
    assert older.search_text("valves", 3) == []
    assert bring(older, page).status == "added"
    assert older.search_text("valves", 3)


def test_a_damaged_record_is_no_picture(table: ChunkTable, page: Path) -> None:
    bring(table, page)
    (record,) = table.home.glob("originals/*/*.figures/figures.json")
    record.write_text("{")
    assert Figures(table.home).of(stored(table)) == ()


# choosing ----------------------------------------------------------------------------------------------


def test_a_chunk_is_shown_with_what_it_names_or_stands_beside() -> None:
    base = Chunk("1", "d", "d.pdf", "D", (), "As Figure 2 shows, sales fell.", 4, 100, 200)
    here = KeptFigure("a", "", 4, 150)
    named = KeptFigure("b", "Figure 2: Sales", 9, 900)
    other = KeptFigure("c", "Figure 3: Staff", 9, 950)
    assert with_chunk([here, named, other], base) == [named, here]
    unpaged = [replace(figure, page=None) for figure in (here, other)]
    assert with_chunk(unpaged, replace(base, text="", page=None)) == unpaged[:1]
    assert with_chunk([here, named, other], replace(base, picture="c", described_by="m")) == [other]
