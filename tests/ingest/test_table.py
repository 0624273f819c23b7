from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import lancedb
import numpy as np
import pytest

from app.pipeline import Pipeline
from ingest.chunk import CHUNKING, Chunk, chunk
from ingest.embedded import Embedded, embed_documents
from ingest.home.folder import make_current
from ingest.parse import Document, document_id, parse_text
from ingest.pipeline import ingest
from ingest.rows import Identity
from ingest.table import ChunkTable, MismatchError, TableError, drop_others, read_identity, stored_documents
from tests.conftest import DOCUMENTS, PATIENCE, FakeEmbedder

EMBEDDER = FakeEmbedder()


@pytest.fixture
def empty(home: Path) -> ChunkTable:
    return ChunkTable(home, EMBEDDER)


def cut(document: Document) -> list[Chunk]:
    return chunk(document, EMBEDDER.count_tokens, EMBEDDER.max_tokens)


def embedded(document: Document) -> Embedded:
    (result,) = embed_documents([document], EMBEDDER)
    return result


def put(table: ChunkTable, *documents: Document) -> list[Chunk]:
    """Replace documents in one transaction; gives the chunks of all."""
    batch = [embedded(document) for document in documents]
    with table.writing():
        table.replace(batch)
    return [piece for each in batch for piece in each.chunks]


def without_vectors(document: Document) -> Embedded:
    return embedded(document)._replace(vectors=EMBEDDER.embed([]))


def sections(name: str, num_sections: int, word: str = "text") -> Document:
    text = "\n\n".join(f"## Section {number}\n\n{word} {number} of {name}" for number in range(num_sections))
    return parse_text(text, name, name)


def names(table: ChunkTable) -> list[str]:
    return [document.name for document in table.documents()]


def ingest_all(folder: Path, table: ChunkTable) -> None:
    assert {result.status for result in ingest([folder], table, EMBEDDER)} == {"added"}


def texts(table: ChunkTable, name: str) -> list[str]:
    return [piece.text for piece in table.chunks_of(document_id(name))]


# reading ---------------------------------------------------------------------------------------------


def test_home_without_a_table_is_empty(empty: ChunkTable) -> None:
    assert (empty.documents(), empty.num_chunks(), empty.chunks_of("a")) == ([], 0, [])
    assert empty.search_text("leave", 5) == empty.search_vector(EMBEDDER.embed_query("leave"), 5) == []


def test_reading_creates_no_table(empty: ChunkTable, home: Path) -> None:
    with empty.writing():
        empty.remove(["a"])
    assert empty.num_chunks() == 0
    assert not (home / "table" / "chunks.lance").exists()


def test_chunks_come_back_as_they_went_in(empty: ChunkTable) -> None:
    document = parse_text('# A\n\none\n\n## B\'s "b"\n\ntwo größer\fthree', "d.md", "Title")
    chunks = put(empty, document)
    assert [(piece.page, piece.headings) for piece in chunks] == [(1, ("A",)), (1, ("A", 'B\'s "b"'))]
    assert empty.chunks_of(document.id) == chunks


def test_words_are_counted_in_any_case_without_digits_and_marks(empty: ChunkTable) -> None:
    put(empty, parse_text("Größe: the driver's (größe) doesn\u2019t depend on x86, 40 [größe](size).", "a.md", "a"))
    counts = empty.word_counts()
    assert {word: counts[word] for word in ("größe", "driver's", "doesn't", "depend", "x")} == {
        "größe": counts["größe"],
        "driver's": 1,
        "doesn't": 1,
        "depend": 1,
        "x": 1,
    }
    assert counts["größe"] >= 3
    assert "40" not in counts


def test_a_word_is_found_in_its_inflections(empty: ChunkTable) -> None:
    assert not empty.has_word("employee")
    assert empty.word_counts() == {}
    put(empty, parse_text("# A\n\nEmployees travel.", "a.md", "a"))
    assert empty.has_word("employee")
    assert not empty.has_word("hotel")


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
        empty.append([embedded(each) for each in documents])
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
    before = raw.version
    empty.replace([embedded(sections("a.md", 3, "new")), embedded(sections("b.md", 2))])
    raw.checkout_latest()
    assert raw.version == before + 1


def test_vectors_that_are_too_few_change_nothing(empty: ChunkTable) -> None:
    put(empty, sections("a.md", 3, "old"))
    with pytest.raises(TableError, match="zip"):
        empty.replace([without_vectors(sections("a.md", 3, "new"))])
    assert texts(empty, "a.md") == [f"old {number} of a.md" for number in range(3)]


@pytest.mark.parametrize("strange", ["d'1", 'd"1', "d' OR 'a' = 'a", "d' --", "d\\", "größe %_"])
def test_strange_ids_are_only_ids(empty: ChunkTable, strange: str) -> None:
    other = put(empty, sections("other.md", 2))
    for num_sections in (3, 1):
        chunks = put(empty, replace(sections("a.md", num_sections), id=strange))
        assert empty.chunks_of(strange) == chunks
    assert empty.chunks_of(document_id("other.md")) == other
    with empty.writing():
        empty.remove([strange])
    assert [document.name for document in empty.documents()] == ["other.md"]


def test_removed_document_is_gone_and_the_others_stay(table: ChunkTable) -> None:
    travel = next(document for document in table.documents() if document.name == "handbook/travel.md")
    with table.writing():
        table.remove([travel.id])
    assert [document.name for document in table.documents()] == ["handbook/leave.md", "it/vpn.md"]
    assert table.chunks_of(travel.id) == []
    assert table.search_text("hotel", 5) == []


def test_removing_what_is_not_there_changes_nothing(table: ChunkTable) -> None:
    before = table.documents()
    with table.writing():
        table.remove(["nothing"])
    assert table.documents() == before


def test_table_that_was_emptied_takes_documents_again(empty: ChunkTable) -> None:
    document = sections("a.md", 2)
    put(empty, document)
    with empty.writing():
        empty.remove([document.id])
    assert (empty.num_chunks(), empty.documents()) == (0, [])
    assert len(put(empty, document)) == empty.num_chunks()


def test_table_that_was_created_but_never_filled_takes_documents(empty: ChunkTable, home: Path) -> None:
    document = sections("a.md", 2)
    with pytest.raises(TableError, match="zip"):
        empty.replace([without_vectors(document)])
    again = ChunkTable(home, EMBEDDER)
    assert len(put(again, document)) == again.num_chunks()


def test_appended_documents_are_found(table: ChunkTable) -> None:
    documents = [sections("a.md", 2, "silver"), sections("b.md", 3, "copper")]
    num_chunks = table.num_chunks()
    with table.writing():
        table.append([embedded(each) for each in documents])
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
def test_table_of_another_embedder_is_refused_at_once(home: Path, another: FakeEmbedder, said: str) -> None:
    with pytest.raises(MismatchError, match=said) as caught:
        ChunkTable(home, another)
    assert str(home) in str(caught.value)
    assert "citeloop reindex" in str(caught.value)


@pytest.mark.usefixtures("table")
def test_table_of_an_older_schema_is_refused_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Identity.__init__, "__defaults__", ("later",))
    with pytest.raises(MismatchError, match=r"schema 2, this program uses later; .*citeloop reindex"):
        ChunkTable(home, EMBEDDER)


def test_table_of_older_chunking_is_read_but_not_written(home: Path, table: ChunkTable) -> None:
    newer = ChunkTable(home, EMBEDDER, "later/9")
    assert newer.documents() == table.documents()
    assert newer.search_text("hotel", 1) == table.search_text("hotel", 1) != []
    with (
        pytest.raises(MismatchError, match=r"chunking heading-sentence/5, .* uses later/9; .*reindex"),
        newer.writing(),
    ):
        pytest.fail("it may be written")


def test_identity_tells_what_a_table_was_made_with(home: Path, documents: Path) -> None:
    assert read_identity(home) is None
    ingest_all(documents, ChunkTable(home, EMBEDDER))
    assert read_identity(home) == Identity("fake", 64, CHUNKING)


# which table serves ----------------------------------------------------------------------------------


def test_table_beside_the_one_that_serves_is_seen_once_it_is_made_current(home: Path, table: ChunkTable) -> None:
    beside = ChunkTable(home, EMBEDDER, name="second")
    beside.append([embedded(sections("new.md", 2))])
    assert "new.md" not in names(ChunkTable(home, EMBEDDER))
    make_current(home, "second")
    assert names(ChunkTable(home, EMBEDDER)) == [each.name for each in stored_documents(home)] == ["new.md"]


def test_replaced_tables_are_dropped_by_the_next_writer(home: Path, table: ChunkTable) -> None:
    ChunkTable(home, EMBEDDER, name="second").append([embedded(sections("new.md", 2))])
    make_current(home, "second")
    with ChunkTable(home, EMBEDDER).writing():
        pass
    assert [path.name for path in (home / "table").iterdir()] == ["second.lance"]
    assert names(ChunkTable(home, EMBEDDER)) == ["new.md"]


def test_only_the_named_tables_stay(home: Path, table: ChunkTable) -> None:
    for name in ("second", "third"):
        ChunkTable(home, EMBEDDER, name=name).append([embedded(sections("new.md", 2))])
    drop_others(home, {"chunks", "third"})
    assert {path.name for path in (home / "table").iterdir()} == {"chunks.lance", "third.lance"}


def test_writer_that_waited_while_the_table_was_replaced_writes_into_the_new_one(home: Path, table: ChunkTable) -> None:
    ChunkTable(home, EMBEDDER, name="second").append([embedded(sections("kept.md", 2))])
    make_current(home, "second")
    put(table, sections("new.md", 2))  # opened before the swap
    assert names(table) == names(ChunkTable(home, EMBEDDER)) == ["kept.md", "new.md"]


def test_open_pipeline_follows_to_the_table_that_serves(pipeline: Pipeline, home: Path) -> None:
    assert names(pipeline.table) == list(DOCUMENTS)
    ChunkTable(home, EMBEDDER, name="second").append([embedded(sections("new.md", 2))])
    make_current(home, "second")
    assert names(pipeline.table) == ["new.md"]
    assert pipeline.search("text 1 of new.md")[0].chunk.document == "new.md"


# within some documents ---------------------------------------------------------------------------------


def many(table: ChunkTable) -> list[str]:
    """Fifteen documents of 20 chunks; gives their ids in order of their names."""
    put(table, *(sections(f"{number:02}.md", 20, f"word{number}") for number in range(15)))
    return [document.id for document in table.documents()]


@pytest.mark.parametrize("many_ids", [1_000, 1])
@pytest.mark.parametrize("indexed", [False, True])
def test_search_within_documents_finds_their_best_as_if_there_were_no_others(
    indexed: bool, many_ids: int, empty: ChunkTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = many(empty)
    if indexed:
        monkeypatch.setattr("ingest.indexes.MIN_INDEXED", 300)
        empty.optimize()
    monkeypatch.setattr("ingest.table.searching._MANY_IDS", many_ids)  # with 1, it first looks among all of them
    query = "word7 3 of 07.md text"
    for wanted in ([ids[3]], ids[3:6], ids[:7] + ids[8:], ids):
        for results, everywhere in (
            (
                empty.search_vector(EMBEDDER.embed_query(query), 20, wanted),
                empty.search_vector(EMBEDDER.embed_query(query), 300),
            ),
            (empty.search_text(query, 20, wanted), empty.search_text(query, 300)),
        ):
            scores = [score for _, score in results]
            expected = [score for piece, score in everywhere if piece.document_id in wanted][:20]
            assert {piece.document_id for piece, _ in results} <= set(wanted)
            assert len(results) == 20
            assert scores == pytest.approx(expected, abs=1e-3)  # the index is approximate


def test_few_documents_are_found_in_whatever_part_of_the_index_they_lie(
    empty: ChunkTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = many(empty)
    raw = lancedb.connect(empty.home / "table").open_table("chunks")
    raw.create_index("vector", config=lancedb.index.IvfSq(distance_type="cosine", num_partitions=150))
    assert len(empty.search_vector(EMBEDDER.embed_query("word7 3 of 07.md"), 20, [ids[3]])) == 20


def test_nothing_is_found_within_no_documents_or_unknown_ones(table: ChunkTable) -> None:
    vector = EMBEDDER.embed_query("hotel")
    for nowhere in ([], ["nobody"], ["' OR true OR '"]):
        assert table.search_text("hotel", 5, nowhere) == table.search_vector(vector, 5, nowhere) == []


# damage ----------------------------------------------------------------------------------------------


def overwrite(home: Path, before: bytes, after: bytes) -> int:
    """Change bytes where they stand in the data files of the table; returns in how many files."""
    changed = 0
    for path in (home / "table").glob("*.lance/data/*"):
        data = path.read_bytes()
        if before in data:
            path.write_bytes(data.replace(before, after))
            changed += 1
    return changed


def test_text_that_was_changed_on_the_disk_is_left_out_and_noted(home: Path, table: ChunkTable) -> None:
    assert overwrite(home, b"hardware key", b"software key") == 1
    reader = ChunkTable(home, EMBEDDER)
    found = [
        *reader.search_vector(EMBEDDER.embed_query("the VPN needs the key"), 10),
        *reader.search_text("extension", 10),
    ]
    assert {piece.document for piece, _ in found} == {"handbook/leave.md", "handbook/travel.md"}
    assert reader.damaged == {"it/vpn.md"}
    assert reader.verify() == {"it/vpn.md"}
    assert reader.chunks_of(next(each.id for each in reader.documents() if each.name == "it/vpn.md")) == []


def test_damage_is_noted_until_the_table_has_changed(home: Path, documents: Path, table: ChunkTable) -> None:
    overwrite(home, b"hardware key", b"software key")
    reader = ChunkTable(home, EMBEDDER)
    reader.search_text("extension", 10)
    assert reader.damaged == {"it/vpn.md"}
    with table.writing():
        table.remove([each.id for each in table.documents() if each.name == "it/vpn.md"])
    assert reader.damaged == set()


def test_what_was_removed_meanwhile_has_no_similarity(table: ChunkTable) -> None:
    vector = EMBEDDER.embed_query("hotel")
    (piece, score), *_ = table.search_vector(vector, 1)
    assert table.similarities(vector, [piece.id, "gone"]) == {piece.id: pytest.approx(score, abs=1e-5)}
    assert table.similarities(vector, ["gone"]) == {}


def test_vector_that_was_changed_on_the_disk_is_found_and_never_used_again(home: Path, table: ChunkTable) -> None:
    piece = next(piece for piece, _ in table.search_text("hotel", 1))
    vector = EMBEDDER.embed([piece.passage])[0]
    assert set(table.vectors_of([piece.document_id])) == {piece.passage}
    assert np.array_equal(table.vectors_of([piece.document_id])[piece.passage], vector)
    start = vector[:8].tobytes()
    assert overwrite(home, start, start[:-1] + bytes([start[-1] ^ 1])) == 1
    reader = ChunkTable(home, EMBEDDER)
    assert reader.verify() == {"handbook/travel.md"}
    assert reader.vectors_of([piece.document_id]) == {}


def test_whole_table_has_no_damage(table: ChunkTable, empty: ChunkTable) -> None:
    assert (table.verify(), table.damaged, empty.damaged) == (set(), set(), set())


def test_table_that_does_not_open_says_what_to_run(home: Path, table: ChunkTable) -> None:
    for path in (home / "table" / "chunks.lance" / "_versions").iterdir():
        path.write_bytes(b"")
    with pytest.raises(TableError, match="citeloop doctor"):
        ChunkTable(home, EMBEDDER)


# many rows -------------------------------------------------------------------------------------------


def test_indexes_are_built_where_they_pay_and_find_what_was_found_before(
    empty: ChunkTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(empty, *(sections(f"{number:02}.md", 20, f"word{number}") for number in range(15)))
    query = EMBEDDER.embed_query("word7 3 of 07.md")
    before = empty.search_vector(query, 3)
    monkeypatch.setattr("ingest.indexes.MIN_INDEXED", 300)
    empty.optimize()
    raw = lancedb.connect(empty.home / "table").open_table("chunks")
    assert {index.columns[0] for index in raw.list_indices()} == {
        "passage",
        "document_id",
        "id",
        "collection",
        "vector",
    }
    ((piece, score), *_) = empty.search_vector(query, 3)
    assert piece == before[0][0]
    assert score == pytest.approx(before[0][1], abs=1e-3)
    (*_, new) = put(empty, sections("new.md", 5, "zebra"))
    assert empty.search_vector(EMBEDDER.embed_query(new.passage), 1)[0][0] == new
    assert len(texts(empty, "07.md")) == 20


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
        assert waits.wait(PATIENCE)
        time.sleep(0.2)
        events.append("first")
    second.join(PATIENCE)
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
