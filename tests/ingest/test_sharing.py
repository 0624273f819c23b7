"""Several home folders over one shared folder: one writes, the others follow."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.registry import Registry
from ingest.backup import back_up, restore
from ingest.home.shared_folder import SharedFolder, SharingError
from ingest.home.sharing import share, shared_write_lock, take_over, writer_elsewhere
from ingest.originals import Originals
from ingest.pipeline import ingest
from ingest.reindex import reindex
from ingest.removal import remove
from ingest.table import ChunkTable
from tests.conftest import DOCUMENTS, FakeEmbedder
from tests.servers import s3_bucket

EMBEDDER = FakeEmbedder()


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    address = f"file://{tmp_path}/shared"
    monkeypatch.setenv("CITELOOP_TABLE_URI", address)
    return address


@pytest.fixture
def follower(tmp_path: Path) -> Path:
    return tmp_path / "follower"


def add(home: Path, *paths: Path) -> None:
    results = list(ingest(list(paths), ChunkTable(home, EMBEDDER), EMBEDDER))
    assert all(result.status in ("added", "replaced", "unchanged") for result in results)


def names(home: Path) -> list[str]:
    return [document.name for document in ChunkTable(home, EMBEDDER).documents()]


def found(home: Path, query: str) -> str:
    return ChunkTable(home, EMBEDDER).search_text(query, 1)[0][0].text


def files(home: Path) -> dict[str, bytes]:
    """Return what is shared of a home folder."""
    shared = [path for name in ("table", "originals", "models") for path in (home / name).rglob("*") if path.is_file()]
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in shared}


def test_a_follower_has_what_the_writer_added(address: str, home: Path, documents: Path, follower: Path) -> None:
    add(home, documents)
    assert share(follower).startswith("copied ")
    assert names(follower) == sorted(DOCUMENTS)
    assert "4400" in found(follower, "tunnel")
    kept = Originals(follower)
    assert all(kept.is_whole(document) for document in ChunkTable(follower, EMBEDDER).documents())
    assert files(follower) == files(home)
    assert share(follower) == share(home) == ""


def test_an_open_table_follows_changes_and_removals(address: str, home: Path, documents: Path, follower: Path) -> None:
    add(home, documents)
    share(follower)
    table = ChunkTable(follower, EMBEDDER)
    assert len(table.documents()) == 3
    (documents / "it" / "vpn.md").write_text("# VPN\n\nCall extension 5511 when the tunnel fails.\n")
    add(home, documents)
    with (writer := ChunkTable(home, EMBEDDER)).writing():
        remove([each for each in writer.documents() if each.name == "handbook/leave.md"], writer)
    share(follower)
    assert [document.name for document in table.documents()] == ["handbook/travel.md", "it/vpn.md"]
    assert "5511" in table.search_text("tunnel", 1)[0][0].text
    assert len(list((follower / "originals").glob("*/document.json"))) == 2
    stored = list(Path(address.removeprefix("file://")).glob("files/originals/*/document.json.*"))
    assert len(stored) == 2  # what is gone is deleted there, too


def test_only_new_files_are_copied(address: str, home: Path, documents: Path, follower: Path) -> None:
    add(home, documents)
    share(follower)
    extra = documents / "it" / "printer.md"
    extra.write_text("# Printer\n\nThe code of the printer is 7788.\n")
    with_times = {path: path.stat().st_mtime_ns for path in (follower / "originals").rglob("*") if path.is_file()}
    add(home, documents)
    num_copied = int(share(follower).split()[1])
    assert 0 < num_copied < len(files(follower))
    assert all(path.stat().st_mtime_ns == changed_at for path, changed_at in with_times.items())
    assert "7788" in found(follower, "printer code")


def test_a_new_table_is_switched_to_as_a_whole(address: str, home: Path, documents: Path, follower: Path) -> None:
    add(home, documents)
    share(follower)

    class Other(FakeEmbedder):
        name = "other"

    assert {result.status for result in reindex(home, Other())} == {"added"}
    share(follower)
    assert [each.name for each in ChunkTable(follower, Other()).documents()] == sorted(DOCUMENTS)
    add_to = ChunkTable(home, Other())
    with add_to.writing():
        pass  # deletes the replaced table
    share(follower)
    assert [path.name for path in (follower / "table").iterdir()] == [f"{add_to.name}.lance"]


def test_a_copy_that_is_interrupted_leaves_the_earlier_state(
    address: str, home: Path, documents: Path, follower: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(home, documents)
    share(follower)
    (documents / "it" / "vpn.md").write_text("# VPN\n\nCall extension 5511 when the tunnel fails.\n")
    add(home, documents)
    replace, num_left = Path.replace, 3

    def interrupted(path: Path, target: Path) -> Path:
        nonlocal num_left
        if target.is_relative_to(follower) and (num_left := num_left - 1) < 0:
            raise OSError("the disk is full")
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", interrupted)
        with pytest.raises(SharingError, match="the disk is full"):
            share(follower)
    assert "4400" in found(follower, "tunnel")
    share(follower)
    assert "5511" in found(follower, "tunnel")
    assert files(follower) == files(home)


def test_what_could_not_be_shared_is_shared_later(
    address: str,
    home: Path,
    documents: Path,
    follower: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(SharedFolder, "publish", refuse)
        add(home, documents)
    assert "what was written here is not shared yet: no room" in caplog.text
    assert names(home) == sorted(DOCUMENTS)
    assert share(follower) == ""
    assert share(home).startswith("copied ")
    share(follower)
    assert names(follower) == sorted(DOCUMENTS)


def refuse(*_: object) -> None:
    raise SharingError("no room")


def test_only_one_server_adds_documents(address: str, home: Path, documents: Path, follower: Path) -> None:
    add(home, documents)
    share(follower)
    assert writer_elsewhere(follower) == os.uname().nodename
    assert writer_elsewhere(home) == ""
    with pytest.raises(SharingError, match=f"{os.uname().nodename} adds the documents"):
        add(follower, documents / "it")
    with pytest.raises(SharingError, match="citeloop share --take-over"):
        Registry(follower).unfinished()
    take_over(follower)
    assert writer_elsewhere(follower) == ""
    (documents / "it" / "vpn.md").write_text("# VPN\n\nCall extension 5511 when the tunnel fails.\n")
    add(follower, documents / "it")
    share(home)
    assert writer_elsewhere(home) == os.uname().nodename
    assert "5511" in found(home, "tunnel")
    with pytest.raises(SharingError):
        add(home, documents)


def test_changes_that_were_never_shared_are_not_lost(
    address: str, home: Path, documents: Path, follower: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(home, documents / "it")
    share(follower)
    with monkeypatch.context() as patch:
        patch.setattr(SharedFolder, "publish", refuse)
        add(home, documents)
    take_over(follower)
    with pytest.raises(SharingError, match="changes that were never shared"):
        share(home)
    assert len(names(home)) == 3
    take_over(home)
    share(follower)
    assert names(follower) == names(home)


def test_a_write_does_not_take_back_what_another_took_over_meanwhile(
    address: str, home: Path, documents: Path, follower: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add(home, documents / "it")
    share(follower)
    with shared_write_lock(home):
        take_over(follower)
    assert "adds the documents and models that this server follows" in caplog.text
    assert writer_elsewhere(follower) == ""
    add(follower, documents)
    with pytest.raises(SharingError, match="changes that were never shared"):
        share(home)


def test_a_restored_backup_does_not_write_for_the_original(
    address: str, home: Path, documents: Path, tmp_path: Path
) -> None:
    add(home, documents)
    back_up(home, tmp_path / "backup.tar")
    restore(tmp_path / "backup.tar", restored := tmp_path / "restored")
    with pytest.raises(SharingError, match="adds the documents"):
        add(restored, documents)


def test_documents_of_two_homes_are_never_mixed(
    home: Path, documents: Path, follower: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before_sharing:
        before_sharing.delenv("CITELOOP_TABLE_URI")
        add(home, documents)
        add(follower, documents / "it")
    assert share(home) == ""  # documents of before are shared on request, or with the next change
    assert share(home, begin=True).startswith("copied ")
    with pytest.raises(SharingError, match="start with an empty home folder"):
        share(follower)
    assert names(follower) == ["vpn.md"]
    take_over(follower)
    share(home)
    assert names(home) == ["vpn.md"]


def test_a_trained_model_is_shared(address: str, home: Path, documents: Path, follower: Path) -> None:
    add(home, documents)
    share(follower)
    registry = Registry(home)
    with registry.unfinished() as folder:
        (folder / "model.safetensors").write_bytes(b"numbers")
        registry.add(folder, "ours", kind="late-interaction", base="shipped")
    assert share(home).startswith("copied 1 files to")
    share(follower)
    assert (follower / "models" / "ours" / "model.safetensors").read_bytes() == b"numbers"


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "originals/../../x", "access.toml"])
def test_a_listing_cannot_write_elsewhere(path: str, address: str, home: Path, documents: Path, follower: Path) -> None:
    add(home, documents)
    (listing,) = Path(address.removeprefix("file://")).glob("lists/*.json")
    content = json.loads(listing.read_text())
    listing.write_text(json.dumps(content | {"files": {path: [1, 1]}}))
    with pytest.raises(SharingError, match="is not part of what is shared"):
        share(follower)
    assert not follower.exists() or not names(follower)


@pytest.mark.parametrize("address", ["db://company", "nothing://x/y"])
def test_an_address_that_cannot_be_used_is_said(address: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITELOOP_TABLE_URI", address)
    with pytest.raises(SharingError, match="check CITELOOP_TABLE_URI"):
        share(home)


def test_another_address_needs_a_decision(
    address: str, home: Path, documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(home, documents)
    monkeypatch.setenv("CITELOOP_TABLE_URI", f"{address}-2")
    with pytest.raises(SharingError, match=f"belongs to {address}, not to {address}-2"):
        share(home)
    (home / "shared.json").unlink()
    assert share(home, begin=True).startswith("copied ")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with s3_bucket(monkeypatch) as address:
        yield address


@pytest.mark.slow
def test_a_bucket_is_a_shared_folder(
    bucket: str, home: Path, documents: Path, follower: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITELOOP_TABLE_URI", bucket)
    add(home, documents)
    share(follower)
    assert "4400" in found(follower, "tunnel")
    (documents / "it" / "vpn.md").write_text("# VPN\n\nCall extension 5511 when the tunnel fails.\n")
    add(home, documents)
    share(follower)
    assert "5511" in found(follower, "tunnel")
    assert files(follower) == files(home)
    monkeypatch.setenv("CITELOOP_TABLE_URI", "s3://another-company/citeloop")
    with pytest.raises(SharingError, match="check CITELOOP_TABLE_URI"):
        share(follower.with_name("third"), begin=True)
