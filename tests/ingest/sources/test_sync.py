"""What holds for every source, tried with a folder and with fsspec's file system in memory."""

from __future__ import annotations

import collections
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from ingest.home.job_store import StoppedError
from ingest.isolation import Limits
from ingest.originals import Originals
from ingest.pipeline import FileResult, ingest
from ingest.sources.connect import complete_address, name_of, new_source
from ingest.sources.source import SourceError, seconds_of
from ingest.sources.store import SourceStore
from ingest.sources.sync import Sync
from ingest.table import ChunkTable, stored_documents
from tests.conftest import DOCUMENTS, FakeEmbedder
from tests.ingest.sources.conftest import SyncNow, names, outcome


@pytest.fixture
def bucket() -> fsspec.AbstractFileSystem:
    """A remote file system in memory with the three documents below /handbook."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    for name, text in DOCUMENTS.items():
        files.pipe(f"/handbook/{name}", text.encode())
    return files


ADDRESS = "memory://handbook"


def test_what_changes_there_changes_here(bucket: fsspec.AbstractFileSystem, sync: SyncNow, new_home: Path) -> None:
    added = sync(ADDRESS)
    assert outcome(added) == [("added", name) for name in sorted(DOCUMENTS)]
    assert sync(ADDRESS) == []
    bucket.pipe("/handbook/it/vpn.md", b"# VPN\n\nThe tunnel now needs a new key.")
    bucket.pipe("/handbook/it/mail.md", b"# Mail\n\nMail is kept for a year.")
    bucket.rm("/handbook/handbook/travel.md")
    assert outcome(sync(ADDRESS)) == [
        ("added", "it/mail.md"),
        ("removed", "handbook/travel.md"),
        ("replaced", "it/vpn.md"),
    ]
    assert names(new_home) == ["handbook/leave.md", "it/mail.md", "it/vpn.md"]


def test_a_document_keeps_its_address_and_is_in_the_collection_of_the_source(
    bucket: fsspec.AbstractFileSystem, sync: SyncNow, new_home: Path
) -> None:
    sync(ADDRESS)
    document = next(document for document in stored_documents(new_home) if document.name == "it/it/vpn.md")
    assert (document.source, document.collection, document.title) == ("memory://handbook/it/vpn.md", "it", "VPN")
    assert Originals(new_home).is_whole(document)


def test_a_moved_document_keeps_its_id(bucket: fsspec.AbstractFileSystem, sync: SyncNow, new_home: Path) -> None:
    sync(ADDRESS)
    before = {document.name: document.id for document in stored_documents(new_home)}
    bucket.mv("/handbook/it/vpn.md", "/handbook/network/tunnel.md")
    assert outcome(sync(ADDRESS)) == [("renamed", "network/tunnel.md")]
    after = {document.name: document.id for document in stored_documents(new_home)}
    assert after["it/network/tunnel.md"] == before["it/it/vpn.md"]


def test_a_document_of_another_collection_is_neither_replaced_nor_removed(
    bucket: fsspec.AbstractFileSystem, sync: SyncNow, new_home: Path
) -> None:
    sync(ADDRESS)
    bucket.pipe("/handbook/it/vpn.md", b"# VPN\n\nThe tunnel now needs a new key.")
    below = f"{ADDRESS}/handbook"
    assert outcome(sync(below, name="other")) == [("skipped", "leave.md"), ("skipped", "travel.md")]
    assert sync(below, name="other") == []
    assert {document.collection for document in stored_documents(new_home)} == {"it"}
    bucket.rm("/handbook/handbook/travel.md")
    assert sync(below, name="other") == []
    assert outcome(sync(ADDRESS)) == [("removed", "handbook/travel.md"), ("replaced", "it/vpn.md")]


def test_an_empty_listing_changes_nothing(bucket: fsspec.AbstractFileSystem, sync: SyncNow, new_home: Path) -> None:
    sync(ADDRESS)
    bucket.rm("/handbook", recursive=True)
    bucket.mkdir("/handbook")
    with pytest.raises(SourceError, match="nothing was found at memory://handbook, so nothing was changed"):
        sync(ADDRESS, delete_many=True)
    bucket.rmdir("/handbook")
    with pytest.raises(SourceError):
        sync(ADDRESS)
    assert len(names(new_home)) == 3


def test_most_documents_go_only_when_asked_for(
    bucket: fsspec.AbstractFileSystem, sync: SyncNow, new_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.sources.sync._FEW", 1)
    sync(ADDRESS)
    bucket.rm("/handbook/handbook", recursive=True)
    with pytest.raises(SourceError, match=r"2 of 3 documents are gone .* citeloop sources sync it --delete-many"):
        sync(ADDRESS)
    assert len(names(new_home)) == 3
    assert len(sync(ADDRESS, delete_many=True)) == 2
    assert names(new_home) == ["it/vpn.md"]


class Shelf(MemoryFileSystem):  # type: ignore[misc]
    """Lists folder by folder, as most implementations do, and refuses one of them."""

    protocol = "shelf"
    closed = ""
    find = fsspec.AbstractFileSystem.find

    def ls(self, path: str, detail: bool = True, **options: object) -> object:
        if self.closed and path.endswith(self.closed):
            raise PermissionError("access denied")
        return super().ls(path, detail, **options)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.removeprefix("shelf://")))


def test_a_folder_that_cannot_be_listed_deletes_nothing(
    bucket: fsspec.AbstractFileSystem, sync: SyncNow, new_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsspec.register_implementation("shelf", Shelf, clobber=True)
    assert len(sync("shelf://handbook")) == 3
    monkeypatch.setattr(Shelf, "closed", "/it")
    with pytest.raises(SourceError, match="access denied"):
        sync("shelf://handbook")
    assert len(names(new_home)) == 3


def test_what_cannot_be_read_is_reported_once_and_read_again_when_it_changes(
    bucket: fsspec.AbstractFileSystem, sync: SyncNow, new_home: Path
) -> None:
    bucket.pipe("/handbook/broken.pdf", b"no PDF")
    bucket.pipe("/handbook/film.mp4", b"a film")
    results = [result for result in sync(ADDRESS) if result.status in ("failed", "skipped")]
    assert outcome(results) == [("failed", "broken.pdf"), ("skipped", "film.mp4")]
    assert sync(ADDRESS) == []
    bucket.pipe("/handbook/broken.pdf", b"still no PDF")
    assert outcome(sync(ADDRESS)) == [("failed", "broken.pdf")]


def test_a_failed_transfer_is_tried_again_and_the_older_version_stays(
    bucket: fsspec.AbstractFileSystem, sync: SyncNow, new_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(ADDRESS)
    bucket.pipe("/handbook/it/vpn.md", b"# VPN\n\nThe new text.")
    with monkeypatch.context() as patch:
        patch.setattr(type(bucket), "_open", lambda *_, **__: (_ for _ in ()).throw(TimeoutError("too slow")))
        assert outcome(sync(ADDRESS)) == [("failed", "it/vpn.md")]
    assert len(names(new_home)) == 3
    assert outcome(sync(ADDRESS)) == [("replaced", "it/vpn.md")]


def test_a_source_that_fails_again_and_again_is_given_up(
    bucket: fsspec.AbstractFileSystem, sync: SyncNow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.sources.sync._MAX_FAILURES", 2)
    monkeypatch.setattr(type(bucket), "_open", lambda *_, **__: (_ for _ in ()).throw(TimeoutError("too slow")))
    with pytest.raises(SourceError, match=r"cannot be read any more: .*too slow"):
        sync(ADDRESS)


def test_a_document_that_the_table_lost_comes_back(
    bucket: fsspec.AbstractFileSystem, sync: SyncNow, new_home: Path, embedder: FakeEmbedder
) -> None:
    sync(ADDRESS)
    table = ChunkTable(new_home, embedder)
    with table.writing():
        table.remove([document.id for document in table.documents()])
    assert outcome(sync(ADDRESS)) == [("added", name) for name in sorted(DOCUMENTS)]


def test_names_from_elsewhere_lead_nowhere(
    bucket: fsspec.AbstractFileSystem, sync: SyncNow, new_home: Path, tmp_path: Path
) -> None:
    for path in (
        "/handbook/../../evil.md",
        "/handbook/a\nb.md",
        "/handbook/.hidden/secret.md",
        "/handbook/" + "x" * 300 + ".md",
    ):
        bucket.store[path] = bucket.store["/handbook/it/vpn.md"]
    (new_home / "sources/it.reading/left by a killed process").mkdir(parents=True)
    found = {result.name for result in sync(ADDRESS) if result.status == "added"}
    assert "it/a_b.md" in found
    assert not any(".." in name or "secret" in name for name in found)
    assert not list(tmp_path.parent.glob("**/evil.md"))
    assert not [path for path in (new_home / "sources").iterdir() if path.is_dir()]  # nothing fetched is left


def test_a_file_above_the_limit_is_not_fetched(
    bucket: fsspec.AbstractFileSystem, sync: SyncNow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.sources.sync.read_limits", lambda: Limits(memory_mb=1))
    bucket.rm("/handbook/", recursive=True)
    bucket.pipe("/handbook/huge.md", b"# Huge\n\n" + b"word " * 300_000)
    (failed,) = sync(ADDRESS)
    assert failed.reason == "it is larger than the limit for one file; split it"


def test_a_sync_can_be_stopped_and_goes_on(
    bucket: fsspec.AbstractFileSystem,
    sync: SyncNow,
    new_home: Path,
    embedder: FakeEmbedder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingest.sources.sync._BATCH_FILES", 1)
    SourceStore(new_home).add(source := new_source(ADDRESS, "it"))
    results: list[FileResult] = []
    running = Sync(source, new_home, should_stop=lambda: bool(results)).run(ChunkTable(new_home, embedder), embedder)
    with pytest.raises(StoppedError):
        collections.deque(map(results.append, running))
    assert len(results) == len(names(new_home)) == 1
    assert len(sync(ADDRESS)) == 2


def test_a_preview_changes_nothing(bucket: fsspec.AbstractFileSystem, sync: SyncNow, new_home: Path) -> None:
    sync(ADDRESS)
    bucket.pipe("/handbook/it/vpn.md", b"# VPN\n\nAnother text.")
    bucket.rm("/handbook/handbook/travel.md")
    plan = Sync(SourceStore(new_home).source("it"), new_home).preview()
    assert [item.path for item in plan.changed] == ["it/vpn.md"]
    assert plan.gone == ["memory://handbook/handbook/travel.md"]
    assert plan.num_unchanged == 1
    assert len(names(new_home)) == 3
    assert len(sync(ADDRESS)) == 2


def test_an_ordinary_ingest_takes_no_remote_document_for_a_moved_file(
    bucket: fsspec.AbstractFileSystem, sync: SyncNow, new_home: Path, documents: Path, embedder: FakeEmbedder
) -> None:
    sync(ADDRESS)
    results = list(ingest([documents], ChunkTable(new_home, embedder), embedder, prune=True))
    assert {result.status for result in results} == {"added"}
    assert len(names(new_home)) == 6


# folders ---------------------------------------------------------------------------------------------------


def test_a_folder_of_this_machine_is_followed(documents: Path, sync: SyncNow, new_home: Path) -> None:
    assert len(sync(documents)) == 3
    assert sync(documents) == []
    (documents / "it/vpn.md").write_text("# VPN\n\nA new text.")
    (documents / "handbook/leave.md").unlink()
    assert outcome(sync(documents)) == [("removed", "handbook/leave.md"), ("replaced", "it/vpn.md")]


def test_a_link_that_leads_out_is_not_followed(documents: Path, sync: SyncNow, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("# Secret\n\nNot for others.")
    (documents / "link.md").symlink_to(tmp_path / "secret.md")
    (failed,) = [result for result in sync(documents) if result.status == "failed"]
    assert (failed.name, "links outside this folder" in failed.reason) == ("it/link.md", True)


def test_a_folder_that_is_not_mounted_deletes_nothing(documents: Path, sync: SyncNow, new_home: Path) -> None:
    sync(documents)
    documents.rename(documents.with_name("elsewhere"))
    documents.mkdir()
    with pytest.raises(SourceError, match="nothing was found"):
        sync(documents)
    assert len(names(new_home)) == 3


# addresses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "stored", "name"),
    [
        ("https://docs.example.com/", "https://docs.example.com/", "docs.example.com"),
        ("git@example.com:team/wiki.git", "ssh://git@example.com/team/wiki.git", "wiki"),
        ("https://example.com/team/wiki.git#main", "https://example.com/team/wiki.git#main", "wiki"),
        ("s3://bucket/handbook/", "s3://bucket/handbook", "handbook"),
        ("github://team:wiki@main/docs", "github://team:wiki@main/docs", "docs"),
    ],
)
def test_an_address_gets_its_full_form_and_a_name(typed: str, stored: str, name: str) -> None:
    assert (complete_address(typed), name_of(stored)) == (stored, name)


@pytest.mark.parametrize(
    "address", ["https://me:word@example.com/", "sftp://me:word@example.com/a", "/no/such/folder", "https://"]
)
def test_an_address_with_a_password_or_without_a_folder_is_refused(address: str) -> None:
    with pytest.raises(SourceError) as refused:
        complete_address(address)
    assert "word@" not in str(refused.value)


def test_a_missing_package_is_named(sync: SyncNow) -> None:
    with pytest.raises(SourceError, match=r"gcs.*needs a package: .*gcsfs"):
        sync("gcs://bucket")


def test_an_unknown_scheme_is_named(sync: SyncNow) -> None:
    with pytest.raises(SourceError, match="telepathy"):
        sync("telepathy://mind")


@pytest.mark.parametrize(("every", "seconds"), [("30m", 1800), ("1h", 3600), ("7d", 604_800)])
def test_intervals(every: str, seconds: int) -> None:
    assert seconds_of(every) == seconds


@pytest.mark.parametrize("every", ["", "1", "0h", "1w", "-1h", "1h30"])
def test_other_intervals_are_refused(every: str) -> None:
    with pytest.raises(SourceError, match="such as 30m, 1h or 7d"):
        seconds_of(every)


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".git", "a\nb"])
def test_a_name_that_could_be_a_path_is_refused(name: str, documents: Path) -> None:
    if name:
        with pytest.raises(SourceError, match="a name has"):
            new_source(str(documents), name)


def test_credentials_are_of_the_address_and_private(new_home: Path) -> None:
    from ingest.sources.credentials import read_options

    new_home.mkdir()
    file = new_home / "sources.toml"
    file.write_text('["s3://bucket"]\nkey = "a"\n["s3://bucket/deep"]\nkey = "b"\n')
    file.chmod(0o600)
    assert read_options(new_home, "s3://bucket/other") == {"key": "a"}
    assert read_options(new_home, "s3://bucket/deep/er") == {"key": "b"}
    assert read_options(new_home, "s3://bucket-of-others") == {}
    file.chmod(0o644)
    with pytest.raises(SourceError, match="chmod 600"):
        read_options(new_home, "s3://bucket")
    file.chmod(0o600)
    file.write_text("key = secret-without-quotes")
    with pytest.raises(SourceError, match="cannot be read") as damaged:
        read_options(new_home, "s3://bucket")
    assert "secret" not in str(damaged.value)
