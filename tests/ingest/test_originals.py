from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ingest.originals import Original, OriginalError, Originals, file_digest
from ingest.parse import Document, ParseError, parse
from ingest.pipeline import ingest
from ingest.removal import remove
from ingest.table import ChunkTable
from tests.conftest import FakeEmbedder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "vpn.MD"
    path.write_text("# VPN\n\nCall 4400.\n")
    return path


@pytest.fixture
def originals(home: Path) -> Originals:
    return Originals(home)


@pytest.fixture
def document(file: Path) -> Document:
    return parse(file)


def files_below(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "originals").rglob("*") if path.is_file())


def test_kept_file_has_the_bytes_that_were_read(originals: Originals, document: Document, file: Path) -> None:
    originals.keep(document, file)
    file.unlink()
    assert originals.path(document).read_text() == "# VPN\n\nCall 4400.\n"
    assert originals.path(document).suffix == ".md"
    assert originals.is_whole(document)
    assert list(originals) == [Original(document.id, "vpn.MD", document.source, document.sha256)]


def test_nothing_is_kept_before_there_is_something(originals: Originals, document: Document) -> None:
    assert list(originals) == []
    assert not originals.is_whole(document)
    originals.remove(document.id)


def test_file_that_changed_since_it_was_parsed_is_refused(originals: Originals, document: Document, file: Path) -> None:
    file.write_text("another text")
    with pytest.raises(ParseError, match="changed while it was being read"):
        originals.keep(document, file)
    assert list(originals) == []


def test_file_that_is_gone_is_refused(originals: Originals, document: Document, file: Path) -> None:
    file.unlink()
    with pytest.raises(ParseError, match="cannot open the file: No such file"):
        originals.keep(document, file)


def test_older_version_stays_until_the_new_one_is_stored(originals: Originals, document: Document, file: Path) -> None:
    originals.keep(document, file)
    file.write_text("# VPN\n\nCall 5500.\n")
    newer = replace(parse(file), id=document.id)
    originals.keep(newer, file)
    assert originals.is_whole(document)
    assert originals.is_whole(newer)
    originals.keep_only(newer)
    assert not originals.path(document).exists()
    assert originals.is_whole(newer)
    assert [each.sha256 for each in originals] == [newer.sha256]


def test_damage_is_seen(originals: Originals, document: Document, file: Path) -> None:
    originals.keep(document, file)
    originals.path(document).write_text("# VPN\n\nCall 4401.\n")
    assert not originals.is_whole(document)


def test_record_without_its_file_and_broken_records_are_passed_over(
    originals: Originals, document: Document, file: Path, home: Path
) -> None:
    originals.keep(document, file)
    for name, record in (("a", "{"), ("b", "[]"), ("c", json.dumps({"id": "c"})), ("d", "\xff")):
        (home / "originals" / name).mkdir()
        (home / "originals" / name / "document.json").write_text(record, encoding="latin-1")
    originals.keep(replace(document, id="gone"), file)
    originals.path(replace(document, id="gone")).unlink()
    assert [each.id for each in originals] == [document.id]


def test_removed_file_is_gone_with_its_record(originals: Originals, document: Document, file: Path, home: Path) -> None:
    originals.keep(document, file)
    originals.remove(document.id)
    assert (list(originals), files_below(home)) == ([], [])


def test_folder_that_cannot_be_written_is_said(
    originals: Originals, document: Document, file: Path, home: Path
) -> None:
    home.mkdir()
    (home / "originals").write_text("in the way")
    with pytest.raises(OriginalError, match=r"cannot keep a copy .*: .*; .* free space and permissions"):
        originals.keep(document, file)


def test_what_was_half_written_is_never_taken_for_the_file(
    originals: Originals, document: Document, file: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path, __: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", full)
        with pytest.raises(OriginalError, match="No space left"):
            originals.keep(document, file)
    assert files_below(home) == []
    originals.keep(document, file)
    assert originals.is_whole(document)


def test_file_is_kept_before_its_document_is_in_the_table(
    documents: Path, home: Path, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[bool] = []
    usual = ChunkTable.append

    def append(table: ChunkTable, batch: list[tuple[Document, object, object]]) -> None:
        kept.extend(Originals(home).is_whole(document) for document, _, _ in batch)
        usual(table, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(ChunkTable, "append", append)
    list(ingest([documents], ChunkTable(home, embedder), embedder))
    assert kept == [True] * 3


def test_every_document_of_a_table_has_its_file(table: ChunkTable, documents: Path, home: Path) -> None:
    originals = Originals(home)
    for document in table.documents():
        assert originals.path(document).read_bytes() == (documents / document.name).read_bytes()
    assert {(each.id, each.source) for each in originals} == {(each.id, each.source) for each in table.documents()}


def test_ingest_drops_older_versions_and_failed_ones_keep_theirs(
    table: ChunkTable, documents: Path, home: Path, embedder: FakeEmbedder
) -> None:
    (documents / "it" / "vpn.md").write_text("Call 5500.")
    (documents / "handbook" / "travel.md").write_text(" ")
    statuses = [result.status for result in ingest([documents], table, embedder)]
    assert statuses == ["unchanged", "failed", "replaced"]
    assert len([name for name in files_below(home) if name.endswith(".md")]) == 3
    assert all(Originals(home).is_whole(document) for document in table.documents())


def test_removing_a_document_drops_its_file_before_its_chunks(
    table: ChunkTable, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = table.documents()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ChunkTable, "remove", killed)
    with pytest.raises(KeyboardInterrupt), table.writing():
        remove(documents[:1], table)
    assert len(list(Originals(home))) == 2  # so that nobody takes it for a lost document


def test_digest_is_that_of_the_bytes(file: Path) -> None:
    assert file_digest(file) == parse(file).sha256
