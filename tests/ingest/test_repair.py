from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ingest.chunk import CHUNKING
from ingest.embed.embedder import Vectors
from ingest.files import find_files
from ingest.home.folder import write_lock
from ingest.isolation import Limits
from ingest.pipeline import Ingest, ingest
from ingest.removal import remove
from ingest.repair import Finding, examine
from ingest.rows import Identity
from ingest.table import ChunkTable, TableError, read_identity, stored_documents
from tests.conftest import DOCUMENTS, FakeEmbedder
from tests.ingest.test_table import overwrite


@pytest.fixture
def gone(documents: Path, table: ChunkTable) -> None:
    """The folder is gone, so that only what was kept can help."""
    shutil.rmtree(documents)


def repaired(home: Path, *, repair: bool = True) -> list[Finding]:
    return list(examine(home, FakeEmbedder(), repair=repair))


def newest_manifest(home: Path) -> Path:
    return max(home.glob("table/*.lance/_versions/*.manifest"), key=lambda path: path.stat().st_mtime_ns)


def truncate(path: Path, share: float = 0.5) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def assert_whole(home: Path, names: set[str] = set(DOCUMENTS)) -> None:  # noqa: B006  # only read
    """Every document is there, once, as it is found by words."""
    table = ChunkTable(home, FakeEmbedder())
    assert [each.name for each in table.documents()] == sorted(names)
    assert table.verify() == set()
    if "it/vpn.md" in names:
        ((piece, _),) = table.search_text("hardware key", 1)
        assert piece.text == "The VPN needs the hardware key. Call extension 4400 when the tunnel fails."
    assert all(finding.ok for finding in repaired(home))


def store_all(folder: Path, table: ChunkTable) -> None:
    """Ingest without the transactions that tidy up afterwards; inside the lock."""
    results = Ingest(table, FakeEmbedder(), Limits()).store(find_files([folder]))
    assert "failed" not in {result.status for result in results}


def everything_below(home: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in home.rglob("*") if path.is_file() and path.name != "table.lock"}


def change_text(home: Path) -> None:
    assert overwrite(home, b"hardware key", b"software key") == 1


def change_vector(home: Path) -> None:
    table = ChunkTable(home, FakeEmbedder())
    ((piece, _),) = table.search_text("hardware key", 1)
    start = FakeEmbedder().embed([piece.passage])[0][:8].tobytes()
    assert overwrite(home, start, start[:-1] + bytes([start[-1] ^ 1])) == 1


def break_utf_8(home: Path) -> None:
    assert overwrite(home, b"hardware key", b"hardware\xffkey") == 1


def truncate_manifest(home: Path) -> None:
    truncate(newest_manifest(home))


def empty_all_manifests(home: Path) -> None:
    for path in home.glob("table/*.lance/_versions/*.manifest"):
        path.write_bytes(b"")


def truncate_data(home: Path) -> None:
    for path in home.glob("table/*.lance/data/*"):
        truncate(path)


def delete_data(home: Path) -> None:
    for path in home.glob("table/*.lance/data/*"):
        path.unlink()


def delete_table(home: Path) -> None:
    shutil.rmtree(home / "table")


DAMAGE = [
    change_text,
    change_vector,
    break_utf_8,
    truncate_manifest,
    empty_all_manifests,
    truncate_data,
    delete_data,
    delete_table,
]
each_damage = pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)


@pytest.mark.usefixtures("gone")
def test_whole_table_is_found_whole_and_nothing_is_written(home: Path) -> None:
    before = everything_below(home)
    assert repaired(home) == [Finding(True, "4 passages of 3 documents are undamaged")]
    assert everything_below(home) == before


def test_home_without_a_table_is_whole(home: Path) -> None:
    assert [finding.ok for finding in repaired(home)] == [True]


@pytest.mark.usefixtures("gone")
@each_damage
def test_damaged_table_is_mended_from_what_was_kept(home: Path, damage: object) -> None:
    assert callable(damage)
    damage(home)
    findings = repaired(home)
    assert findings
    assert all(finding.ok for finding in findings), findings
    assert_whole(home)


@pytest.mark.usefixtures("gone")
@each_damage
def test_without_repair_damage_is_only_said(home: Path, damage: object) -> None:
    assert callable(damage)
    damage(home)
    before = everything_below(home)
    findings = repaired(home, repair=False)
    assert [finding.ok for finding in findings] == [False]
    assert everything_below(home) == before


@pytest.mark.usefixtures("gone")
def test_only_the_damaged_document_is_read_again(home: Path) -> None:
    change_text(home)
    (finding,) = repaired(home)
    assert "it/vpn.md" in finding.detail
    assert "read again" in finding.detail


@pytest.mark.usefixtures("gone")
def test_vector_of_a_damaged_document_is_embedded_anew(home: Path) -> None:
    class Counting(FakeEmbedder):
        num_passages = 0

        def embed(self, texts: list[str]) -> Vectors:
            Counting.num_passages += len(texts)
            return super().embed(texts)

    change_vector(home)
    list(examine(home, Counting(), repair=True))
    assert Counting.num_passages == 1


@pytest.mark.usefixtures("gone")
def test_broken_manifest_is_put_aside_and_not_deleted(home: Path) -> None:
    manifest = newest_manifest(home)
    truncate(manifest)
    broken = manifest.read_bytes()
    assert "1 broken manifests were moved to `damaged`" in repaired(home)[0].detail
    assert (home / "damaged" / manifest.name).read_bytes() == broken


def test_broken_older_manifest_is_found_and_put_aside(home: Path, documents: Path, table: ChunkTable) -> None:
    """The table opens, but after the next ingest its indexes could not be updated."""
    newest = newest_manifest(home)
    older = next(path for path in newest.parent.glob("*.manifest") if path != newest)
    older.write_bytes(bytes(len(older.read_bytes())))
    (documents / "new.md").write_text("# New\n\nA new text.\n")
    said = repaired(home, repair=False)
    assert [finding.ok for finding in said] == [False, True]
    assert "an older manifest is broken" in said[0].detail
    assert [finding.ok for finding in repaired(home)] == [True, True]
    assert (home / "damaged" / older.name).exists()
    assert [each.status for each in ingest([documents], ChunkTable(home, FakeEmbedder()), FakeEmbedder())].count(
        "added"
    ) == 1
    assert_whole(home, {*DOCUMENTS, "new.md"})


def test_document_that_was_lost_with_its_manifest_comes_back(home: Path, documents: Path, table: ChunkTable) -> None:
    (documents / "new.md").write_text("# New\n\nQuite a new text.\n")
    with write_lock(home):
        store_all(documents, table)
    truncate(newest_manifest(home))
    findings = repaired(home)
    assert any("new.md" in finding.detail for finding in findings)
    assert_whole(home, {*DOCUMENTS, "new.md"})


def test_changed_document_whose_manifest_is_lost_gets_its_newer_version(
    home: Path, documents: Path, table: ChunkTable
) -> None:
    (documents / "it" / "vpn.md").write_text("# VPN\n\nCall 5500.\n")
    with write_lock(home):
        store_all(documents, table)
    truncate(newest_manifest(home))
    assert all(finding.ok for finding in repaired(home))
    again = ChunkTable(home, FakeEmbedder())
    assert [piece.text for piece, _ in again.search_text("call", 5)] == ["Call 5500."]
    assert again.search_text("hardware", 5) == []


def test_removed_document_does_not_come_back(home: Path, documents: Path, table: ChunkTable) -> None:
    (document,) = (each for each in table.documents() if each.name == "it/vpn.md")
    with table.writing():
        remove([document], table)
    change_in_travel = overwrite(home, b"150 euros", b"250 euros")
    assert change_in_travel
    assert all(finding.ok for finding in repaired(home))
    assert_whole(home, set(DOCUMENTS) - {"it/vpn.md"})


def test_removed_document_does_not_come_back_with_an_older_manifest(home: Path, table: ChunkTable) -> None:
    (document,) = (each for each in table.documents() if each.name == "it/vpn.md")
    with write_lock(home):
        remove([document], table)
    truncate(newest_manifest(home))
    assert all(finding.ok for finding in repaired(home))
    assert_whole(home, set(DOCUMENTS) - {"it/vpn.md"})


def test_older_manifest_keeps_documents_where_no_file_was_kept_at_all(home: Path, table: ChunkTable) -> None:
    shutil.rmtree(home / "originals")
    truncate(newest_manifest(home))
    repaired(home)
    assert len(stored_documents(home)) == 3


def kept_vpn(home: Path) -> Path:
    (path,) = (path for path in (home / "originals").glob("*/*.md") if b"VPN" in path.read_bytes())
    return path


def test_damaged_kept_file_is_named_and_the_advice_helps(home: Path, documents: Path, table: ChunkTable) -> None:
    kept = kept_vpn(home)
    kept.write_text("# VPN\n\nCall 0.\n")
    for repair in (False, True):
        said = [finding.detail for finding in repaired(home, repair=repair) if not finding.ok]
        assert said == ["the kept file of it/vpn.md is damaged; add the file again"]
        assert (home / "damaged" / kept.name).exists() == repair
    assert {result.status for result in ingest([documents], table, FakeEmbedder())} == {"unchanged", "replaced"}
    assert kept.read_bytes() == (documents / "it" / "vpn.md").read_bytes()
    assert_whole(home)


def test_damaged_document_with_a_damaged_kept_file_is_named_and_the_advice_helps(
    home: Path, documents: Path, table: ChunkTable
) -> None:
    kept_vpn(home).write_text("# VPN\n\nCall 0.\n")
    change_text(home)
    assert any(not finding.ok and "it/vpn.md" in finding.detail for finding in repaired(home))
    assert len(stored_documents(home)) == 3
    list(ingest([documents], ChunkTable(home, FakeEmbedder()), FakeEmbedder()))
    assert_whole(home)


def test_damaged_document_without_a_kept_file_is_named_and_stays(home: Path, table: ChunkTable) -> None:
    shutil.rmtree(kept_vpn(home).parent)
    change_text(home)
    (finding,) = (finding for finding in repaired(home) if not finding.ok)
    assert finding.detail == "it/vpn.md is damaged and its file was not kept; add it again"
    assert len(stored_documents(home)) == 3


@pytest.mark.usefixtures("gone")
def test_kept_file_that_cannot_be_read_any_more_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change_text(home)
    monkeypatch.setattr("ingest.pipeline.PARSERS", {})
    (finding,) = repaired(home)
    assert not finding.ok
    assert "it/vpn.md could not be read again: this format cannot be read" in finding.detail


def test_table_of_another_embedder_is_said_and_left_alone(home: Path, table: ChunkTable) -> None:
    class Other(FakeEmbedder):
        name = "other"

    before = everything_below(home)
    (finding,) = examine(home, Other(), repair=True)
    assert not finding.ok
    assert "citeloop reindex" in finding.detail
    assert everything_below(home) == before
    assert read_identity(home) == Identity("fake", 64, CHUNKING)


@pytest.mark.usefixtures("table")
def test_nobody_waits_for_a_writer_where_all_is_well(home: Path, table: ChunkTable) -> None:
    with table.writing():
        assert [finding.ok for finding in repaired(home)] == [True]


def test_table_that_is_beyond_reading_and_has_no_kept_files_says_so(home: Path, table: ChunkTable) -> None:
    shutil.rmtree(home / "originals")
    truncate_data(home)
    (finding,) = repaired(home)
    assert not finding.ok
    with pytest.raises(TableError, match="citeloop doctor"):
        ChunkTable(home, FakeEmbedder()).documents()
