from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ingest import CiteloopError
from ingest.embed import Vectors
from ingest.pipeline import FileResult, find_files, ingest
from ingest.table import ChunkTable
from tests.conftest import FakeEmbedder
from tests.ingest.samples import make_pdf


class CountingEmbedder(FakeEmbedder):
    def __init__(self) -> None:
        self.num_passages = 0

    def embed(self, texts: list[str]) -> Vectors:
        self.num_passages += len(texts)
        return super().embed(texts)


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder()


@pytest.fixture
def empty(home: Path, embedder: CountingEmbedder) -> ChunkTable:
    return ChunkTable(home, embedder)


def bring(table: ChunkTable, *paths: Path, prune: bool = False) -> dict[str, str]:
    """Ingest and give the status of each file by its name."""
    return {result.name: result.status for result in ingest(paths, table, FakeEmbedder(), prune=prune)}


def names(table: ChunkTable) -> list[str]:
    return [document.name for document in table.documents()]


def texts(table: ChunkTable, name: str) -> list[str]:
    (document,) = (each for each in table.documents() if each.name == name)
    return [piece.text for piece in table.chunks_of(document.id)]


ALL = ["handbook/leave.md", "handbook/travel.md", "it/vpn.md"]


# finding files ---------------------------------------------------------------------------------------


def test_files_are_named_by_their_path_below_the_folder(documents: Path) -> None:
    assert [file.name for file in find_files([documents])] == ALL
    assert [file.name for file in find_files([documents / "handbook"])] == ["leave.md", "travel.md"]
    assert [file.name for file in find_files([documents / "it" / "vpn.md"])] == ["vpn.md"]


def test_source_is_absolute_however_the_path_was_given(documents: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(documents / "it")
    (file,) = find_files([Path("../it/vpn.md")])
    assert file.source == str((documents / "it" / "vpn.md").resolve())


def test_hidden_files_and_folders_are_left_out(documents: Path) -> None:
    for name in (".hidden.md", ".git/a.md", "it/.cache/deep/b.md"):
        (documents / name).parent.mkdir(parents=True, exist_ok=True)
        (documents / name).write_text("hidden")
    assert [file.name for file in find_files([documents])] == ALL


def test_folder_that_is_hidden_itself_is_read_when_it_is_given(tmp_path: Path) -> None:
    (tmp_path / ".notes").mkdir()
    (tmp_path / ".notes" / "a.md").write_text("text")
    assert [file.name for file in find_files([tmp_path / ".notes"])] == ["a.md"]


def test_file_given_twice_is_one_file(documents: Path) -> None:
    (documents / "link.md").symlink_to(documents / "it" / "vpn.md")
    files = find_files([documents / "handbook" / "leave.md", documents / "it", documents, documents / "handbook"])
    assert [file.name for file in files] == ["leave.md", "vpn.md", "handbook/travel.md"]


def test_missing_path_is_an_error_that_names_it(documents: Path) -> None:
    with pytest.raises(CiteloopError, match=r"no such file or folder: .*nowhere"):
        find_files([documents, documents / "nowhere"])


def test_missing_path_stops_before_anything_is_written(documents: Path, empty: ChunkTable) -> None:
    with pytest.raises(CiteloopError, match="nowhere"):
        bring(empty, documents, documents / "nowhere")
    assert names(empty) == []


# what happens to a file ------------------------------------------------------------------------------


def test_new_files_are_added(documents: Path, empty: ChunkTable, embedder: CountingEmbedder) -> None:
    results = list(ingest([documents], empty, embedder))
    assert [(result.name, result.status, result.num_chunks, result.reason) for result in results] == [
        ("handbook/leave.md", "added", 2, ""),
        ("handbook/travel.md", "added", 1, ""),
        ("it/vpn.md", "added", 1, ""),
    ]
    assert [result.source for result in results] == [str((documents / name).resolve()) for name in ALL]
    assert names(empty) == ALL
    assert texts(empty, "it/vpn.md") == ["The VPN needs the hardware key. Call extension 4400 when the tunnel fails."]
    assert embedder.num_passages == empty.num_chunks() == 4


def test_results_come_file_by_file(documents: Path, empty: ChunkTable, embedder: CountingEmbedder) -> None:
    results = ingest([documents], empty, embedder)
    assert next(results).name == "handbook/leave.md"
    assert names(empty) == ["handbook/leave.md"]
    results.close()  # type: ignore[attr-defined]  # an Iterator to its users, a generator in truth
    assert bring(empty, documents) == dict(zip(ALL, ("unchanged", "added", "added"), strict=True))


def test_passages_are_stored_with_the_vectors_of_their_headings_too(documents: Path, table: ChunkTable) -> None:
    for name in ALL:
        document = next(each for each in table.documents() if each.name == name)
        for piece in table.chunks_of(document.id):
            best, score = table.search_vector(FakeEmbedder().embed_query(piece.passage), 1)[0]
            assert best == piece
            assert score == pytest.approx(1, abs=1e-5)


def test_unchanged_files_are_neither_embedded_nor_written(
    documents: Path, table: ChunkTable, embedder: CountingEmbedder
) -> None:
    before, embedder.num_passages = table.documents(), 0
    (documents / "it" / "vpn.md").touch()
    assert {result.status for result in ingest([documents], table, embedder)} == {"unchanged"}
    assert (table.documents(), embedder.num_passages) == (before, 0)


def test_changed_file_is_replaced_and_only_that(documents: Path, table: ChunkTable, embedder: CountingEmbedder) -> None:
    embedder.num_passages = 0
    (documents / "it" / "vpn.md").write_text("# VPN\n\nCall extension 5500.\n")
    results = {result.name: result for result in ingest([documents], table, embedder)}
    assert [results[name].status for name in ALL] == ["unchanged", "unchanged", "replaced"]
    assert results["it/vpn.md"].num_chunks == embedder.num_passages == 1
    assert texts(table, "it/vpn.md") == ["Call extension 5500."]
    assert table.search_text("4400", 5) == []
    assert names(table) == ALL


def test_files_of_the_same_bytes_are_two_documents(documents: Path, table: ChunkTable) -> None:
    shutil.copy(documents / "it" / "vpn.md", documents / "it" / "copy.md")
    assert bring(table, documents)["it/copy.md"] == "added"
    assert texts(table, "it/copy.md") == texts(table, "it/vpn.md") != []


def test_formats_that_are_not_known_are_skipped_with_a_reason(documents: Path, empty: ChunkTable) -> None:
    (documents / "photo.png").write_bytes(b"\x89PNG")
    (documents / "Makefile").write_text("all:")
    results = {result.name: result for result in ingest([documents], empty, FakeEmbedder())}
    assert {name: result.status for name, result in results.items() if name not in ALL} == {
        "photo.png": "skipped",
        "Makefile": "skipped",
    }
    assert ".png" in results["photo.png"].reason
    assert "none" in results["Makefile"].reason
    assert names(empty) == ALL


def test_bad_file_is_reported_and_the_rest_goes_on(documents: Path, empty: ChunkTable) -> None:
    (documents / "a.pdf").write_bytes(b"%PDF-1.7 and nothing more")
    (documents / "handbook" / "locked.pdf").write_bytes(make_pdf([["text"]], password="secret"))
    (documents / "it" / "scan.pdf").write_bytes(make_pdf([[]]))
    results = {result.name: result for result in ingest([documents], empty, FakeEmbedder())}
    failed = {name: result.reason for name, result in results.items() if result.status == "failed"}
    assert list(failed) == ["a.pdf", "handbook/locked.pdf", "it/scan.pdf"]
    assert ["damaged" in failed["a.pdf"], "password" in failed["handbook/locked.pdf"], "OCR" in failed["it/scan.pdf"]]
    assert names(empty) == ALL


def test_older_version_of_a_file_that_went_bad_stays(documents: Path, table: ChunkTable) -> None:
    before = texts(table, "it/vpn.md")
    (documents / "it" / "vpn.md").write_bytes(b"\x00\x01\x02\xff\xfe\xfd" * 100)
    assert bring(table, documents, prune=True)["it/vpn.md"] == "failed"
    assert texts(table, "it/vpn.md") == before


def test_file_that_failed_is_added_once_it_is_mended(documents: Path, empty: ChunkTable) -> None:
    (documents / "it" / "vpn.md").write_text(" ")
    assert bring(empty, documents)["it/vpn.md"] == "failed"
    (documents / "it" / "vpn.md").write_text("text")
    assert bring(empty, documents)["it/vpn.md"] == "added"


@pytest.mark.parametrize("known", [False, True])
def test_file_that_vanishes_meanwhile_has_failed(documents: Path, empty: ChunkTable, known: bool) -> None:
    if known:
        bring(empty, documents)

    def vanish(num_files: int) -> None:
        assert num_files == 3
        (documents / "handbook" / "travel.md").unlink()

    results = list(ingest([documents], empty, FakeEmbedder(), on_start=vanish))
    rest = "unchanged" if known else "added"
    assert [result.status for result in results] == [rest, "failed", rest]
    assert results[1].reason


HALF_A_PAIR = b"begincmap 1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfchar <41> <d83d> endbfchar endcmap"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.pdf", make_pdf([["xAy"]], to_unicode=HALF_A_PAIR)),  # half a surrogate pair: UnicodeEncodeError
        ("a.html", b"<p>x</p><pre>a\fb</pre><h2>A</h2><p>text</p>"),  # a page break too many: IndexError
    ],
)
def test_file_that_parses_but_cannot_be_cut_does_not_stop_the_rest(
    documents: Path, empty: ChunkTable, name: str, content: bytes
) -> None:
    (documents / name).write_bytes(content)
    assert bring(empty, documents)[name] in {"added", "failed"}
    assert set(names(empty)) >= set(ALL)


def test_file_of_headings_only_is_not_added_again_and_again(documents: Path, empty: ChunkTable) -> None:
    (documents / "plan.md").write_text("# Plan\n\n## First\n\n## Second\n")
    bring(empty, documents)
    assert bring(empty, documents)["plan.md"] != "added"


# prune -----------------------------------------------------------------------------------------------


def test_without_prune_documents_outlive_their_files(documents: Path, table: ChunkTable) -> None:
    (documents / "it" / "vpn.md").unlink()
    assert "it/vpn.md" not in bring(table, documents)
    assert names(table) == ALL


def test_prune_removes_documents_whose_files_are_gone(documents: Path, table: ChunkTable) -> None:
    source = str((documents / "it" / "vpn.md").resolve())
    (documents / "it" / "vpn.md").unlink()
    results = list(ingest([documents], table, FakeEmbedder(), prune=True))
    assert results[-1] == FileResult("it/vpn.md", source, "removed")
    assert [result.status for result in results[:-1]] == ["unchanged", "unchanged"]
    assert names(table) == ALL[:2]
    assert table.search_text("4400", 5) == []


def test_prune_spares_what_lies_outside_the_given_folders(documents: Path, table: ChunkTable, tmp_path: Path) -> None:
    beside = tmp_path / "documents-old"  # its path starts with the path of the given folder
    beside.mkdir()
    (beside / "old.md").write_text("old")
    bring(table, beside)
    shutil.rmtree(beside)
    (documents / "it" / "vpn.md").unlink()
    assert "removed" not in bring(table, documents / "handbook", prune=True).values()
    assert bring(table, documents, prune=True)["it/vpn.md"] == "removed"
    assert names(table) == [*ALL[:2], "old.md"]


def test_prune_of_a_single_file_removes_nothing(documents: Path, table: ChunkTable) -> None:
    (documents / "handbook" / "travel.md").unlink()
    bring(table, documents / "handbook" / "leave.md", prune=True)
    assert names(table) == ALL


def test_file_that_moved_is_removed_and_added(documents: Path, table: ChunkTable) -> None:
    (documents / "it" / "vpn.md").rename(documents / "it" / "tunnel.md")
    results = bring(table, documents, prune=True)
    assert (results["it/tunnel.md"], results["it/vpn.md"]) == ("added", "removed")
    assert names(table) == [*ALL[:2], "it/tunnel.md"]


def test_folder_that_was_emptied_and_pruned_can_be_filled_again(documents: Path, table: ChunkTable) -> None:
    shutil.move(documents / "handbook", documents.parent / "handbook")
    (documents / "it" / "vpn.md").unlink()
    assert set(bring(table, documents, prune=True).values()) == {"removed"}
    shutil.move(documents.parent / "handbook", documents / "handbook")
    assert set(bring(table, documents).values()) == {"added"}


# telling and waiting ---------------------------------------------------------------------------------


def test_number_of_files_is_told_before_the_first_result(documents: Path, empty: ChunkTable) -> None:
    told: list[int] = []
    for _ in ingest([documents], empty, FakeEmbedder(), on_start=told.append):
        assert told == [3]
    assert told == [3]


def test_nobody_waits_where_nobody_writes(documents: Path, empty: ChunkTable) -> None:
    waited: list[bool] = []
    list(ingest([documents], empty, FakeEmbedder(), on_wait=lambda: waited.append(True)))
    assert waited == []


def test_run_that_was_broken_off_lets_the_next_one_in(documents: Path, empty: ChunkTable) -> None:
    class BrokenEmbedder(FakeEmbedder):
        def embed(self, texts: list[str]) -> Vectors:
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        list(ingest([documents], empty, BrokenEmbedder()))
    waited: list[bool] = []
    results = list(ingest([documents], empty, FakeEmbedder(), on_wait=lambda: waited.append(True)))
    assert ([result.status for result in results], waited) == (["added"] * 3, [])
