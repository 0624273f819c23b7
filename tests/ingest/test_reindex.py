from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from app.pipeline import Pipeline
from app.settings import Settings
from ingest.chunk import CHUNKING
from ingest.embed.embedder import Vectors
from ingest.home.folder import current_name
from ingest.home.job_store import StoppedError
from ingest.pipeline import Progress, ingest
from ingest.reindex import reindex
from ingest.rows import Identity
from ingest.table import ChunkTable, TableError, read_identity, stored_documents
from tests.conftest import DOCUMENTS, FakeEmbedder


class OtherEmbedder(FakeEmbedder):
    """Another name, another dimension; counts what it embeds."""

    name = "other"
    dimension = 128

    def __init__(self) -> None:
        self.num_passages = 0

    def embed(self, texts: list[str]) -> Vectors:
        self.num_passages += len(texts)
        return super().embed(texts)


@pytest.fixture
def other() -> OtherEmbedder:
    return OtherEmbedder()


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction for every document."""
    monkeypatch.setattr("ingest.pipeline._BATCH_CHARACTERS", 0)


def chunk_ids(table: ChunkTable) -> set[str]:
    return {piece.id for document in table.documents() for piece in table.chunks_of(document.id)}


def test_table_is_made_anew_with_another_embedder(home: Path, table: ChunkTable, other: OtherEmbedder) -> None:
    before = {(each.id, each.name, each.source, each.sha256) for each in table.documents()}
    ids = chunk_ids(table)
    results = list(reindex(home, other))
    assert [result.status for result in results] == ["added"] * 3
    assert read_identity(home) == Identity("other", 128, CHUNKING)
    anew = ChunkTable(home, other)
    assert {(each.id, each.name, each.source, each.sha256) for each in anew.documents()} == before
    assert chunk_ids(anew) == ids  # so that feedback keeps its target
    assert anew.search_vector(other.embed_query("hotel a night"), 1)[0][0].document == "handbook/travel.md"
    assert anew.verify() == set()


def test_table_of_a_removed_chunking_policy_is_read_and_made_anew(
    home: Path, documents: Path, embedder: FakeEmbedder
) -> None:
    list(ingest([documents], ChunkTable(home, embedder, "window/2"), embedder))
    assert read_identity(home) == Identity("fake", 64, "window/2")
    assert ChunkTable(home, embedder).search_text("hotel", 1)
    list(reindex(home, embedder))
    assert read_identity(home) == Identity("fake", 64, CHUNKING)


def test_folder_is_unchanged_after_reindex(
    home: Path, documents: Path, table: ChunkTable, other: OtherEmbedder
) -> None:
    list(reindex(home, other))
    assert {result.status for result in ingest([documents], ChunkTable(home, other), other)} == {"unchanged"}


def test_documents_whose_files_are_gone_are_read_from_what_was_kept(
    home: Path, documents: Path, table: ChunkTable, other: OtherEmbedder
) -> None:
    shutil.rmtree(documents)
    list(reindex(home, other))
    assert {each.name for each in stored_documents(home)} == set(DOCUMENTS)


def test_a_document_without_a_title_is_still_called_after_its_file(
    home: Path, tmp_path: Path, embedder: FakeEmbedder, other: OtherEmbedder
) -> None:
    (tmp_path / "travel_rules.txt").write_text("A hotel may cost 150 euros a night.")
    list(ingest([tmp_path / "travel_rules.txt"], ChunkTable(home, embedder), embedder))
    list(reindex(home, other))
    assert "Travel rules" in {each.title for each in ChunkTable(home, other).documents()}


def test_uploads_stay_uploads(home: Path, tmp_path: Path, embedder: FakeEmbedder, other: OtherEmbedder) -> None:
    upload = tmp_path / "note.md"
    upload.write_text("A note.")
    list(ingest([upload], ChunkTable(home, embedder), embedder, uploaded=True))
    upload.unlink()
    list(reindex(home, other))
    assert [(each.name, each.source) for each in stored_documents(home)] == [("note.md", "upload:note.md")]


@pytest.mark.usefixtures("one_by_one")
def test_old_table_serves_until_the_new_one_is_whole(
    settings: Settings, table: ChunkTable, embedder: FakeEmbedder, other: OtherEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.models.load_embedder", lambda name: {"fake": embedder, "other": other}[name])
    pipeline = Pipeline(settings.model_copy(update={"embedder": "other"}))
    assert "citeloop reindex" in pipeline.models.hint
    for _ in reindex(settings.home, other):
        assert pipeline.models.embedder is embedder
        assert pipeline.search("hotel a night")[0].chunk.document == "handbook/travel.md"
        assert len(pipeline.table.documents()) == 3
    assert pipeline.models.embedder is other
    assert pipeline.search("hotel a night")[0].chunk.document == "handbook/travel.md"


@pytest.mark.usefixtures("one_by_one")
@pytest.mark.parametrize("how", ["stopped", "closed"])
def test_run_that_was_stopped_goes_on_where_it_was(
    home: Path, table: ChunkTable, other: OtherEmbedder, how: str
) -> None:
    done: list[str] = []
    results = reindex(home, other, should_stop=lambda: how == "stopped" and len(done) == 2)
    if how == "stopped":
        with pytest.raises(StoppedError):
            done.extend(result.name for result in results)
    else:
        done += [next(results).name, next(results).name]
        results.close()  # type: ignore[attr-defined]  # an Iterator to its users, a generator in truth
    assert read_identity(home) == Identity("fake", 64, CHUNKING)
    assert len(stored_documents(home)) == 3
    before = other.num_passages
    statuses = {result.name: result.status for result in reindex(home, other)}
    assert {name for name, status in statuses.items() if status == "unchanged"} == set(done)
    assert other.num_passages == table.num_chunks() > before > 0
    assert len(stored_documents(home)) == 3


@pytest.mark.usefixtures("one_by_one")
def test_what_was_removed_or_changed_between_two_runs_is_so_in_the_new_table(
    home: Path, documents: Path, table: ChunkTable, embedder: FakeEmbedder, other: OtherEmbedder
) -> None:
    results = reindex(home, other)
    next(results), next(results)
    results.close()  # type: ignore[attr-defined]
    (documents / "handbook" / "leave.md").unlink()
    (documents / "handbook" / "travel.md").write_text("# Travel\n\nTrains only.\n")
    again = ChunkTable(home, embedder)
    list(ingest([documents], again, embedder, prune=True))
    list(reindex(home, other))
    anew = ChunkTable(home, other)
    assert [each.name for each in anew.documents()] == ["handbook/travel.md", "it/vpn.md"]
    assert [piece.text for piece in anew.chunks_of(anew.documents()[0].id)] == ["Trains only."]


def test_document_that_cannot_be_read_again_keeps_the_old_table(
    home: Path, documents: Path, table: ChunkTable, other: OtherEmbedder
) -> None:
    name = current_name(home)
    for path in (home / "originals").glob("*/*.md"):
        if "hotel" in path.read_text():
            path.write_text(" ")
    results = reindex(home, other)
    statuses: dict[str, str] = {}
    with pytest.raises(TableError, match=r"1 documents could not be read again, .* was not changed"):
        statuses.update({result.name: result.status for result in results})
    assert (current_name(home), read_identity(home)) == (name, Identity("fake", 64, CHUNKING))
    assert len(table.documents()) == 3


def test_document_without_a_kept_file_is_read_from_its_source(
    home: Path, table: ChunkTable, other: OtherEmbedder
) -> None:
    shutil.rmtree(home / "originals")
    list(reindex(home, other))
    assert {each.name for each in stored_documents(home)} == set(DOCUMENTS)
    assert len(list((home / "originals").iterdir())) == 3


def test_table_that_does_not_open_is_made_anew_from_the_kept_files(
    home: Path, table: ChunkTable, embedder: FakeEmbedder
) -> None:
    for path in (home / "table" / "chunks.lance" / "_versions").iterdir():
        path.write_bytes(b"")
    list(reindex(home, embedder))
    assert {each.name for each in stored_documents(home)} == set(DOCUMENTS)


def test_reindex_of_an_empty_home_makes_an_empty_table(home: Path, other: OtherEmbedder) -> None:
    home.mkdir()
    assert list(reindex(home, other)) == []
    assert stored_documents(home) == []
    assert ChunkTable(home, other).documents() == []


def test_reindex_twice_with_the_same_embedder_swaps_twice(
    home: Path, table: ChunkTable, embedder: FakeEmbedder
) -> None:
    names = [current_name(home)]
    for _ in range(3):
        list(reindex(home, embedder))
        names.append(current_name(home))
        assert {each.name for each in stored_documents(home)} == set(DOCUMENTS)
    assert all(before != after for before, after in pairwise(names))
    assert len(list((home / "table").iterdir())) <= 2


def test_progress_of_a_reindex_is_told(home: Path, table: ChunkTable, other: OtherEmbedder) -> None:
    told: list[Progress] = []
    list(reindex(home, other, on_progress=told.append))
    assert (told[-1].num_files, told[-1].num_files_done, told[-1].num_chunks_done) == (3, 3, 4)


def test_ingest_that_waited_for_a_reindex_writes_into_the_new_table(
    home: Path, documents: Path, table: ChunkTable, embedder: FakeEmbedder
) -> None:
    waiting = ChunkTable(home, embedder)  # opened before the swap
    list(reindex(home, embedder))
    (documents / "new.md").write_text("A new text.")
    list(ingest([documents], waiting, embedder))
    assert {each.name for each in stored_documents(home)} == {*DOCUMENTS, "new.md"}
    assert len(ChunkTable(home, embedder).documents()) == 4


def test_reindex_waits_for_the_writer_and_says_so(home: Path, table: ChunkTable, other: OtherEmbedder) -> None:
    class GivesUpError(Exception):
        pass

    def give_up() -> None:
        raise GivesUpError

    wait: Callable[[], None] = give_up
    with table.writing(), pytest.raises(GivesUpError):
        list(reindex(home, other, on_wait=wait))
