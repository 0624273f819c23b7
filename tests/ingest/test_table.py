from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import lancedb
import pytest

from ingest.chunk import Chunk, chunk
from ingest.parse import Document, document_id, parse_text
from ingest.pipeline import ingest
from ingest.table import ChunkTable, TableError
from tests.conftest import FakeEmbedder

ROOT = Path(__file__).resolve().parents[2]
EMBEDDER = FakeEmbedder()


@pytest.fixture
def empty(home: Path) -> ChunkTable:
    return ChunkTable(home, EMBEDDER)


def cut(document: Document) -> list[Chunk]:
    return chunk(document, EMBEDDER.count_tokens, EMBEDDER.max_tokens)


def put(table: ChunkTable, document: Document) -> list[Chunk]:
    chunks = cut(document)
    with table.writing():
        table.replace(document, chunks, EMBEDDER.embed([piece.passage for piece in chunks]))
    return chunks


def sections(name: str, num_sections: int, word: str = "text") -> Document:
    text = "\n\n".join(f"## Section {number}\n\n{word} {number} of {name}" for number in range(num_sections))
    return parse_text(text, name, name)


def texts(table: ChunkTable, name: str) -> list[str]:
    return [piece.text for piece in table.chunks_of(document_id(name))]


# reading ---------------------------------------------------------------------------------------------


def test_home_without_a_table_is_empty(empty: ChunkTable) -> None:
    assert (empty.documents(), empty.num_chunks(), empty.chunks_of("a")) == ([], 0, [])
    assert empty.search_text("leave", 5) == empty.search_vector(EMBEDDER.embed_query("leave"), 5) == []


def test_reading_creates_no_table(empty: ChunkTable, home: Path) -> None:
    with empty.writing():
        empty.remove("a")
    assert empty.num_chunks() == 0
    assert not (home / "table" / "chunks.lance").exists()


def test_chunks_come_back_as_they_went_in(empty: ChunkTable) -> None:
    document = parse_text('# A\n\none\n\n## B\'s "b"\n\ntwo größer\fthree', "d.md", "Title")
    chunks = put(empty, document)
    assert [(piece.page, piece.headings) for piece in chunks] == [(1, ("A",)), (1, ("A", 'B\'s "b"'))]
    assert empty.chunks_of(document.id) == chunks


def test_chunks_come_in_reading_order_and_all_of_them(empty: ChunkTable) -> None:
    chunks = put(empty, sections("long.md", 60))
    assert [piece.text for piece in empty.chunks_of(document_id("long.md"))] == [piece.text for piece in chunks]
    assert empty.num_chunks() == 60


def test_documents_are_listed_by_name_with_what_is_known_of_them(empty: ChunkTable) -> None:
    before = datetime.now(UTC)
    pdf = replace(parse_text("one\ftwo\fthree", "b.pdf", "Guide"), source="/somewhere/b.pdf")
    put(empty, pdf)
    put(empty, sections("a.md", 3))
    first, second = empty.documents()
    assert (first.name, first.num_pages, first.num_chunks) == ("a.md", None, 3)
    assert (second.id, second.name, second.title) == (pdf.id, "b.pdf", "Guide")
    assert (second.source, second.sha256, second.num_pages) == ("/somewhere/b.pdf", pdf.sha256, 3)
    assert before <= first.ingested_at <= datetime.now(UTC)


def test_all_of_many_documents_are_listed(empty: ChunkTable) -> None:
    documents = [sections(f"{number:02}.md", 2) for number in range(30)]
    with empty.writing():
        empty.append([(each, cut(each), EMBEDDER.embed([piece.passage for piece in cut(each)])) for each in documents])
    assert [document.name for document in empty.documents()] == [document.name for document in documents]


def test_reader_sees_what_another_wrote_meanwhile(table: ChunkTable, home: Path) -> None:
    reader = ChunkTable(home, EMBEDDER)
    num_chunks = reader.num_chunks()
    put(table, sections("new.md", 2))
    assert reader.num_chunks() == num_chunks + 2


# replace, append, remove -----------------------------------------------------------------------------


def test_replaced_document_has_only_its_new_chunks(empty: ChunkTable) -> None:
    put(empty, sections("a.md", 8, "old"))
    put(empty, sections("a.md", 3, "new"))
    assert texts(empty, "a.md") == [f"new {number} of a.md" for number in range(3)]
    assert [document.num_chunks for document in empty.documents()] == [3]
    assert all("old" not in piece.text for piece, _ in empty.search_vector(EMBEDDER.embed_query("old"), 50))
    assert all("old" not in piece.text for piece, _ in empty.search_text("old of", 50))


def test_replacing_one_document_leaves_the_others_as_they_were(empty: ChunkTable) -> None:
    put(empty, sections("a.md", 3, "old"))
    other = put(empty, sections("b.md", 3))
    stored = empty.documents()[1]
    put(empty, sections("a.md", 5, "new"))
    assert empty.chunks_of(document_id("b.md")) == other
    assert empty.documents()[1] == stored


def test_chunks_that_did_not_change_take_on_the_new_place(empty: ChunkTable) -> None:
    old = parse_text("## A\n\nsame", "a.md", "T")
    new = replace(parse_text("first\n\n## A\n\nsame", "a.md", "T"), sha256="new")
    put(empty, old)
    chunks = put(empty, new)
    assert chunks[1].id == cut(old)[0].id
    assert empty.chunks_of(new.id) == chunks
    assert [document.sha256 for document in empty.documents()] == ["new"]


def test_replace_is_one_transaction(empty: ChunkTable, home: Path) -> None:
    put(empty, sections("a.md", 8, "old"))
    raw = lancedb.connect(home / "table").open_table("chunks")
    document = sections("a.md", 3, "new")
    chunks = cut(document)
    before = raw.version
    empty.replace(document, chunks, EMBEDDER.embed([piece.passage for piece in chunks]))
    raw.checkout_latest()
    assert raw.version == before + 1


def test_vectors_that_are_too_few_change_nothing(empty: ChunkTable) -> None:
    put(empty, sections("a.md", 3, "old"))
    document = sections("a.md", 3, "new")
    with pytest.raises(ValueError, match="zip"):
        empty.replace(document, cut(document), EMBEDDER.embed(["one"]))
    assert texts(empty, "a.md") == [f"old {number} of a.md" for number in range(3)]


@pytest.mark.parametrize("strange", ["d'1", 'd"1', "d' OR 'a' = 'a", "d' --", "d\\", "größe %_"])
def test_strange_ids_are_only_ids(empty: ChunkTable, strange: str) -> None:
    other = put(empty, sections("other.md", 2))
    for num_sections in (3, 1):
        chunks = put(empty, replace(sections("a.md", num_sections), id=strange))
        assert empty.chunks_of(strange) == chunks
    assert empty.chunks_of(document_id("other.md")) == other
    with empty.writing():
        empty.remove(strange)
    assert [document.name for document in empty.documents()] == ["other.md"]


def test_removed_document_is_gone_and_the_others_stay(table: ChunkTable) -> None:
    travel = next(document for document in table.documents() if document.name == "handbook/travel.md")
    with table.writing():
        table.remove(travel.id)
    assert [document.name for document in table.documents()] == ["handbook/leave.md", "it/vpn.md"]
    assert table.chunks_of(travel.id) == []
    assert table.search_text("hotel", 5) == []


def test_removing_what_is_not_there_changes_nothing(table: ChunkTable) -> None:
    before = table.documents()
    with table.writing():
        table.remove("nothing")
    assert table.documents() == before


def test_table_that_was_emptied_takes_documents_again(empty: ChunkTable) -> None:
    document = sections("a.md", 2)
    put(empty, document)
    with empty.writing():
        empty.remove(document.id)
    assert (empty.num_chunks(), empty.documents()) == (0, [])
    assert len(put(empty, document)) == empty.num_chunks()


def test_table_that_was_created_but_never_filled_takes_documents(empty: ChunkTable, home: Path) -> None:
    document = sections("a.md", 2)
    with pytest.raises(ValueError, match="zip"):
        empty.replace(document, cut(document), EMBEDDER.embed(["one"]))
    again = ChunkTable(home, EMBEDDER)
    assert len(put(again, document)) == again.num_chunks()


def test_appended_documents_are_found(table: ChunkTable) -> None:
    documents = [sections("a.md", 2, "silver"), sections("b.md", 3, "copper")]
    num_chunks = table.num_chunks()
    with table.writing():
        table.append([(each, cut(each), EMBEDDER.embed([piece.passage for piece in cut(each)])) for each in documents])
    assert table.num_chunks() == num_chunks + 5
    assert {piece.document for piece, _ in table.search_text("copper", 5)} == {"b.md"}
    assert texts(table, "a.md") == ["silver 0 of a.md", "silver 1 of a.md"]


# searching -------------------------------------------------------------------------------------------


def test_nearest_chunks_come_first_with_their_cosine(table: ChunkTable) -> None:
    (vpn,) = table.chunks_of(next(each.id for each in table.documents() if each.name == "it/vpn.md"))
    results = table.search_vector(EMBEDDER.embed_query(vpn.passage), 10)
    assert (results[0][0], len(results)) == (vpn, table.num_chunks())
    query = EMBEDDER.embed_query(vpn.passage)
    expected = [float(EMBEDDER.embed_query(piece.passage) @ query) for piece, _ in results]
    assert [score for _, score in results] == pytest.approx(expected, abs=1e-5)
    assert expected == sorted(expected, reverse=True)


def test_no_more_chunks_than_asked_for(table: ChunkTable) -> None:
    assert len(table.search_vector(EMBEDDER.embed_query("leave"), 2)) == 2
    assert len(table.search_text("leave hotel VPN", 2)) == 2


def test_best_text_matches_come_first(table: ChunkTable) -> None:
    results = table.search_text("parental leave request", 10)
    assert results[0][0].heading == "Parental leave"
    assert [score for _, score in results] == sorted((score for _, score in results), reverse=True)
    assert all(score > 0 for _, score in results)
    assert {piece.document for piece, _ in results} == {"handbook/leave.md"}


def test_title_and_headings_are_searched_too(empty: ChunkTable) -> None:
    put(empty, parse_text("# Zebra\n\nIt sleeps.", "a.md", "Giraffe"))
    assert [len(empty.search_text(word, 5)) for word in ("zebra", "giraffe", "sleep", "lion")] == [1, 1, 1, 0]


@pytest.mark.parametrize("query", ["the of and", "", "   ", "'", '"', "?!", "* AND (", "zzzz", "' OR 1=1 --"])
def test_query_without_a_word_to_find_finds_nothing(table: ChunkTable, query: str) -> None:
    assert table.search_text(query, 5) == []


@pytest.mark.parametrize("query", ['"hotel"', "hotel: (150^2)", "hotel's?", "+hotel -night", "HOTEL~"])
def test_punctuation_in_a_query_is_no_syntax(table: ChunkTable, query: str) -> None:
    assert table.search_text(query, 5)[0][0].document == "handbook/travel.md"


# whose table it is -----------------------------------------------------------------------------------


class OtherEmbedder(FakeEmbedder):
    name = "other"


class WiderEmbedder(FakeEmbedder):
    dimension = 128


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("another", "said"),
    [(OtherEmbedder(), "embedder fake, this program uses other"), (WiderEmbedder(), "dimension 64, .* uses 128")],
)
def test_table_of_another_embedder_is_refused(home: Path, another: FakeEmbedder, said: str) -> None:
    with pytest.raises(TableError, match=said) as caught:
        ChunkTable(home, another).num_chunks()
    assert str(home) in str(caught.value)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("constant", ["POLICY", "_SCHEMA_VERSION"])
def test_table_of_other_rules_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch, constant: str) -> None:
    monkeypatch.setattr(f"ingest.table.{constant}", "later/9")
    with pytest.raises(TableError, match="this program uses later/9"):
        ChunkTable(home, EMBEDDER).documents()


@pytest.mark.usefixtures("table")
@pytest.mark.usefixtures("table")
def test_opening_the_table_of_another_embedder_is_refused_at_once(home: Path) -> None:
    with pytest.raises(TableError):
        ChunkTable(home, OtherEmbedder())


# one writer at a time --------------------------------------------------------------------------------


def test_second_writer_says_that_it_waits_and_then_writes(home: Path, table: ChunkTable) -> None:
    events: list[str] = []
    waits = threading.Event()

    def tell() -> None:
        events.append("waits")
        waits.set()

    def write() -> None:
        with ChunkTable(home, EMBEDDER).writing(tell):
            events.append("second")

    second = threading.Thread(target=write)
    with table.writing(lambda: events.append("first waits")):
        second.start()
        assert waits.wait(20)
        time.sleep(0.2)
        events.append("first")
    second.join(20)
    assert events == ["waits", "first", "second"]


def test_reading_does_not_wait_for_the_writer(home: Path, table: ChunkTable) -> None:
    with table.writing():
        assert ChunkTable(home, EMBEDDER).num_chunks() == table.num_chunks() > 0


def test_writer_that_fails_lets_the_next_one_in(table: ChunkTable) -> None:
    with pytest.raises(RuntimeError, match="broken"), table.writing():
        raise RuntimeError("broken")
    waited: list[bool] = []
    with table.writing(lambda: waited.append(True)):
        assert waited == []


# kill -9 ---------------------------------------------------------------------------------------------

REINGEST_FOREVER = """
import sys
from itertools import count
from pathlib import Path
from tests.conftest import FakeEmbedder
from ingest.pipeline import ingest
from ingest.table import ChunkTable

home, folder, first = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
embedder = FakeEmbedder()
table = ChunkTable(home, embedder)
print("ready", flush=True)
input()
for version in count(first):
    for path in folder.glob("*.md"):
        new = path.with_suffix(".new")
        new.write_text("\\n\\n".join(f"## Part {part}\\n\\nversion{version} of it" for part in range(12)))
        new.replace(path)
    assert {result.status for result in ingest([folder], table, embedder)} == {"replaced"}
    print(version, flush=True)
"""


def test_kill_in_the_middle_of_re_ingest_leaves_every_document_whole(home: Path, tmp_path: Path) -> None:
    folder, names = tmp_path / "parts", [f"{number}.md" for number in range(8)]
    folder.mkdir()
    for name in names:
        (folder / name).write_text("to be replaced")
    table, chance = ChunkTable(home, EMBEDDER), random.Random(9)
    assert {result.status for result in ingest([folder], table, EMBEDDER)} == {"added"}
    writers = [  # all at once, for most of their time goes into imports
        subprocess.Popen(
            [sys.executable, "-c", REINGEST_FOREVER, str(home), str(folder), str(first)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in range(0, 4000, 1000)
    ]
    for number, writer in enumerate(writers):
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        writer.stdin.write("\n")
        writer.stdin.flush()
        assert writer.stdout.readline() == f"{1000 * number}\n"  # it got the lock of the one that was killed
        time.sleep(chance.uniform(0, 0.3))
        writer.kill()
        writer.communicate()
        documents = table.documents()
        assert [document.name for document in documents] == names
        for document in documents:
            pieces = table.chunks_of(document.id)
            assert [piece.heading for piece in pieces] == [f"Part {part}" for part in range(12)]
            assert len({piece.text for piece in pieces}) == 1, "chunks of two versions"
    assert len(table.search_text("Part", 1000)) == 12 * len(names)
