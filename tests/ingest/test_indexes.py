from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from filelock import FileLock

from ingest import upkeep
from ingest.embedded import embed_documents
from ingest.home.job_store import StoppedError
from ingest.indexes import IndexState
from ingest.parse import Document, document_id, parse_text
from ingest.table import ChunkTable
from tests.conftest import FakeEmbedder

EMBEDDER = FakeEmbedder()


@pytest.fixture
def large(home: Path, monkeypatch: pytest.MonkeyPatch) -> ChunkTable:
    """A table with a vector index of its 300 chunks."""
    monkeypatch.setattr("ingest.indexes.MIN_INDEXED", 300)
    table = ChunkTable(home, EMBEDDER)
    table.append(embed_documents([document(f"{number:02}.md", f"word{number}") for number in range(15)], EMBEDDER))
    table.optimize()
    return table


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modules that were started in processes of their own; none is."""
    modules: list[str] = []
    monkeypatch.setattr("ingest.table.writing.start_process", lambda module, home, log: modules.append(module))
    return modules


def document(name: str, word: str) -> Document:
    return parse_text("\n\n".join(f"## Part {part}\n\n{word} {part} of {name}" for part in range(20)), name, name)


def add(table: ChunkTable, name: str, word: str) -> None:
    with table.writing():
        table.append(embed_documents([document(name, word)], EMBEDDER))


def test_upkeep_is_urgent_in_the_same_proportion_at_any_size() -> None:
    assert IndexState(num_chunks=3_000, num_waiting=2_001).is_urgent
    assert not IndexState(num_chunks=1_000_000, num_waiting=90_000).is_urgent
    assert IndexState(num_chunks=1_000_000, num_waiting=110_000).is_urgent


def test_upkeep_is_due_for_a_missing_or_scattered_index_and_for_what_waits() -> None:
    assert IndexState(num_chunks=20_000).is_due
    assert not IndexState(num_chunks=20_000, num_parts=10).is_due
    assert IndexState(num_chunks=20_000, num_parts=11).is_due
    assert IndexState(num_chunks=600, num_waiting=501).is_due
    assert IndexState(num_chunks=600, num_files=201).is_due


def test_state_says_which_index_there_is_and_what_would_change_it(large: ChunkTable, home: Path) -> None:
    assert "exact vector search, since 0 passages are fewer than 300" in str(IndexState())
    assert "exact vector search, though 300 passages" in str(IndexState(300))
    assert "upkeep is due" in str(IndexState(300))
    said = str(large.index_state())
    assert "vector index (IVF" in said
    assert "1 parts, built again above 10; 0 passages wait for the indexes, which are updated above 500" in said


def test_a_long_ingest_keeps_the_indexes_up(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.indexes.MAX_SCANNED", 30)
    table = ChunkTable(home, EMBEDDER)
    with table.writing():
        for number in range(4):
            table.append(embed_documents([document(f"{number}.md", "text")], EMBEDDER))
        assert table.index_state().num_waiting <= 30
        assert table.index_state().num_files < 4


def test_a_write_to_a_large_table_leaves_upkeep_to_another_process_once_it_pays(
    large: ChunkTable, home: Path, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add(large, "new.md", "zebra")
    assert started == []
    assert large.index_state().num_waiting == 20
    monkeypatch.setattr("ingest.indexes._MAX_WAITING", 30)
    add(large, "newer.md", "lion")
    assert started == ["ingest.upkeep"]
    monkeypatch.setattr("os.nice", lambda _: 0)
    upkeep.main(home)
    assert (large.index_state().num_waiting, large.index_state().is_due) == (0, False)
    assert {piece.document for piece, _ in large.search_text("lion", 5)} == {"newer.md"}


def stop_amid(table: ChunkTable) -> None:
    with table.writing():
        table.append(embed_documents([document("a.md", "zebra")], EMBEDDER))
        raise StoppedError("stopped")


def test_a_stopped_ingest_leaves_no_chunks_waiting(home: Path) -> None:
    table = ChunkTable(home, EMBEDDER)
    with pytest.raises(StoppedError):
        stop_amid(table)
    assert table.index_state().num_waiting == 0


def test_only_one_upkeep_waits_for_the_writer(
    large: ChunkTable, home: Path, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.nice", lambda _: 0)
    monkeypatch.setattr("ingest.indexes._MAX_WAITING", 10)
    add(large, "new.md", "zebra")
    with FileLock(home / "upkeep.lock"):
        upkeep.main(home)
    assert large.index_state().is_due
    upkeep.main(home)
    assert not large.index_state().is_due


def test_upkeep_of_an_empty_home_does_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.nice", lambda _: 0)
    upkeep.main(home)
    assert ChunkTable(home, EMBEDDER).num_chunks() == 0


def test_chunks_that_wait_are_found_by_similarity_and_by_words_unless_they_are_many(
    large: ChunkTable, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add(large, "new.md", "zebra")
    wanted = large.chunks_of(document_id("new.md"))[0]
    assert large.search_text("zebra", 1)
    monkeypatch.setattr("ingest.table.searching.MAX_SCANNED", 10)
    assert not large.has_word("zebra")
    assert large.search_vector(EMBEDDER.embed_query(wanted.passage), 1)[0][0] == wanted
    large.optimize()
    assert large.has_word("zebra")


def test_a_vector_index_in_many_parts_is_built_again(
    large: ChunkTable, started: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.indexes._MAX_PARTS", 1)
    parts = []
    for number in range(3):
        add(large, f"new{number}.md", f"zebra{number}")
        large.optimize()
        parts.append(large.index_state().num_parts)
    assert parts == [1, 1, 1]


def test_older_states_are_deleted_after_a_while(large: ChunkTable, monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(large._table().list_versions())
    monkeypatch.setattr("ingest.indexes._KEPT", timedelta(0))
    large.optimize()
    assert len(large._table().list_versions()) < before


def test_listing_reads_again_only_what_has_changed(large: ChunkTable, monkeypatch: pytest.MonkeyPatch) -> None:
    from ingest import listing

    large.documents()
    read: list[set[str]] = []
    whole = listing._documents

    def spy(table: object, columns: list[str], ids: list[str] | None = None) -> dict[str, dict[str, object]]:
        read.append(set(ids or ()))
        return whole(table, columns, ids)

    monkeypatch.setattr(listing, "_documents", spy)
    with large.writing():
        large.replace(embed_documents([document("03.md", "new")], EMBEDDER))
        large.move([document_id("04.md")], "other")
        large.remove([document_id("05.md")])
        large.append(embed_documents([document("x.md", "x")], EMBEDDER))
    found = large.documents()
    assert read == [set(), {document_id("03.md"), document_id("04.md"), document_id("x.md")}]
    assert found == ChunkTable(large.home, EMBEDDER).documents()
