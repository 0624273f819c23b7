from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import lancedb
import pytest

from ingest import CiteloopError
from ingest.collections import UPLOADS
from ingest.home.folder import current_name
from ingest.pipeline import ingest
from ingest.reindex import reindex
from ingest.removal import move
from ingest.repair import examine
from ingest.table import ChunkTable
from tests.conftest import FakeEmbedder

LEAVE, TRAVEL, VPN = "handbook/leave.md", "handbook/travel.md", "it/vpn.md"


def collections(table: ChunkTable) -> dict[str, str]:
    return {document.name: document.collection for document in table.documents()}


def ids(table: ChunkTable, *names: str) -> frozenset[str]:
    return frozenset(document.id for document in table.documents() if document.name in names)


def moved(table: ChunkTable, name: str, collection: str) -> None:
    with table.writing():
        move([document for document in table.documents() if document.name == name], collection, table)


def of_an_earlier_version(table: ChunkTable) -> ChunkTable:
    """Return the table as earlier versions made it."""
    lancedb.connect(table.home / "table").open_table(current_name(table.home)).drop_columns(["collection"])
    return ChunkTable(table.home, FakeEmbedder())


def test_a_document_is_in_the_collection_of_its_folder_unless_one_is_chosen(
    table: ChunkTable, documents: Path, embedder: FakeEmbedder
) -> None:
    assert collections(table) == {LEAVE: "handbook", TRAVEL: "handbook", VPN: "it"}
    assert {each.status for each in ingest([documents / VPN], table, embedder, collection=" secret ")} == {"replaced"}
    assert collections(table) == {LEAVE: "handbook", TRAVEL: "handbook", "vpn.md": "secret"}
    assert {each.status for each in ingest([documents], table, embedder)} == {"unchanged"}


def test_a_chosen_collection_stays_when_a_file_changes_moves_or_is_read_again(
    table: ChunkTable, documents: Path, embedder: FakeEmbedder, home: Path
) -> None:
    list(ingest([documents], table, embedder, collection="secret"))
    (documents / VPN).write_text("# VPN\n\nThe VPN needs nothing any more.\n")
    (documents / LEAVE).rename(documents / "handbook/days.md")
    assert {each.status for each in ingest([documents], table, embedder)} == {"replaced", "renamed", "unchanged"}
    assert set(collections(table).values()) == {"secret"}
    list(reindex(home, embedder))
    assert set(collections(ChunkTable(home, embedder)).values()) == {"secret"}


def test_a_default_collection_follows_its_folder(table: ChunkTable, documents: Path, embedder: FakeEmbedder) -> None:
    (documents / "network").mkdir()
    (documents / VPN).rename(documents / "network/vpn.md")
    list(ingest([documents], table, embedder))
    assert collections(table)["network/vpn.md"] == "network"


@pytest.mark.integration
def test_an_upload_is_in_its_collection_or_among_the_uploads(home: Path, documents: Path) -> None:
    table = ChunkTable(home, FakeEmbedder())
    list(ingest([documents / "it"], table, FakeEmbedder(), uploaded=True))
    list(ingest([documents / "handbook"], table, FakeEmbedder(), uploaded=True, collection="staff"))
    assert collections(table) == {"vpn.md": UPLOADS, "leave.md": "staff", "travel.md": "staff"}


@pytest.mark.integration
def test_an_upload_replaces_no_document_of_another_collection(home: Path, documents: Path) -> None:
    table = ChunkTable(home, FakeEmbedder())

    def upload() -> None:
        list(ingest([documents / "handbook"], table, FakeEmbedder(), uploaded=True, collection="staff"))

    upload()
    moved(table, "leave.md", "board")
    (documents / LEAVE).write_text("# Leave\n\nThere is no leave at all.\n")
    for _ in range(2):
        upload()
    found = sorted((each.name, each.collection) for each in table.documents())
    assert found == [("leave.md", "board"), ("leave.md", "staff"), ("travel.md", "staff")]
    assert "30 days" in table.chunks_of(*(each.id for each in table.documents() if each.collection == "board"))[0].text
    moved(table, "leave.md", "board")
    upload()
    of_leave = (each.collection for each in table.documents() if each.name == "leave.md")
    assert sorted(of_leave) == ["board", "board", "staff"]


def test_an_upload_takes_over_no_document_whose_file_is_gone(table: ChunkTable, documents: Path) -> None:
    upload = documents / "upload"
    upload.mkdir()
    (documents / VPN).rename(upload / "vpn.md")
    list(ingest([upload], table, FakeEmbedder(), uploaded=True, collection="staff"))
    assert collections(table) == {LEAVE: "handbook", TRAVEL: "handbook", VPN: "it", "vpn.md": "staff"}


def test_a_moved_document_is_found_only_there(table: ChunkTable, embedder: FakeEmbedder) -> None:
    before = table.chunks_of(*ids(table, VPN))
    moved(table, VPN, "handbook")
    assert collections(table) == {LEAVE: "handbook", TRAVEL: "handbook", VPN: "handbook"}
    assert table.chunks_of(*ids(table, VPN)) == before
    found = table.search_text("VPN", 5, within=ids(table, LEAVE, TRAVEL, VPN))
    assert [chunk.document for chunk, _ in found] == [VPN]
    with pytest.raises(CiteloopError, match="a collection needs a name"):
        moved(table, VPN, "  ")


def test_a_moved_document_stays_there_when_the_table_is_lost(
    table: ChunkTable, embedder: FakeEmbedder, home: Path
) -> None:
    moved(table, VPN, "secret")
    with table.writing():
        table.remove(list(ids(table, VPN)))  # the kept file is left, as after damage
    assert all(found.ok for found in examine(home, embedder, repair=True))
    assert collections(ChunkTable(home, embedder))[VPN] == "secret"


@pytest.mark.parametrize("upgrade", [lambda table: table, of_an_earlier_version], ids=["new", "earlier"])
@pytest.mark.parametrize("names", [(), (VPN,), (LEAVE,), (LEAVE, TRAVEL), (LEAVE, VPN), (LEAVE, TRAVEL, VPN)], ids=str)
@pytest.mark.parametrize("many_ids", [0, 1_000])
def test_reading_is_limited_to_the_documents(
    table: ChunkTable,
    names: tuple[str, ...],
    upgrade: Callable[[ChunkTable], ChunkTable],
    many_ids: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingest.table.searching._MANY_IDS", many_ids)
    table = upgrade(table)
    within = ids(table, *names)
    chunks = [chunk for document in table.documents() for chunk in table.chunks_of(document.id)]
    allowed = [chunk for chunk in chunks if chunk.document in names]
    query = FakeEmbedder().embed_query("hotel leave VPN")
    assert {chunk.id for chunk, _ in table.search_vector(query, 9, within)} == {chunk.id for chunk in allowed}
    assert {chunk.document for chunk, _ in table.search_text("hotel leave VPN", 9, within)} == set(names)
    assert set(table.find_texts([chunk.text for chunk in chunks], within)) == {chunk.text for chunk in allowed}
    assert table.find_ids([chunk.id for chunk in chunks], within) == {chunk.id for chunk in allowed}
    assert [chunk for chunk in chunks if table.chunk(chunk.id, within)] == allowed
    assert table.has_word("hardware", within) == (VPN in names)
    assert ("hardware" in table.word_counts(within)) == (VPN in names)


def test_a_table_of_an_earlier_version_is_read_and_written(
    table: ChunkTable, documents: Path, embedder: FakeEmbedder
) -> None:
    earlier = of_an_earlier_version(table)
    assert collections(earlier) == {LEAVE: "handbook", TRAVEL: "handbook", VPN: "it"}
    moved(earlier, VPN, "secret")
    (documents / "new.md").write_text("# New\n\nThe canteen opens at eleven.\n")
    assert {each.status for each in ingest([documents], earlier, embedder)} == {"added", "unchanged"}
    known = {LEAVE: "handbook", TRAVEL: "handbook", VPN: "secret", "new.md": "documents"}
    assert collections(earlier) == known
    assert {chunk.document for chunk, _ in earlier.search_text("canteen leave VPN", 9, ids(earlier, *known))} == {
        "new.md",
        LEAVE,
        VPN,
    }
