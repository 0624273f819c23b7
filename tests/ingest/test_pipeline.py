from __future__ import annotations

import os
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from ingest import CiteloopError
from ingest.embed.embedder import Vectors
from ingest.files import find_files, is_gone
from ingest.home.job_store import StoppedError
from ingest.isolation import ParserPool
from ingest.pipeline import FileResult, Progress, ingest
from ingest.removal import remove
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


def test_result_is_told_once_its_file_is_stored(
    documents: Path, empty: ChunkTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.pipeline._BATCH_CHARACTERS", 0)
    results = ingest([documents], empty, FakeEmbedder())
    assert next(results).name == "handbook/leave.md"
    assert names(empty) == ["handbook/leave.md"]
    results.close()  # type: ignore[attr-defined]  # an Iterator to its users, a generator in truth
    assert bring(empty, documents) == dict(zip(ALL, ("unchanged", "added", "added"), strict=True))


def test_small_files_go_in_together(documents: Path, empty: ChunkTable) -> None:
    results = ingest([documents], empty, FakeEmbedder())
    next(results)
    assert names(empty) == ALL
    results.close()  # type: ignore[attr-defined]


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
    (documents / "photo.xyz").write_bytes(b"?")
    (documents / "Makefile").write_text("all:")
    results = {result.name: result for result in ingest([documents], empty, FakeEmbedder())}
    assert {name: result.status for name, result in results.items() if name not in ALL} == {
        "photo.xyz": "skipped",
        "Makefile": "skipped",
    }
    assert ".xyz" in results["photo.xyz"].reason
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

    def vanish(progress: Progress) -> None:
        assert progress.num_files == 3
        (documents / "handbook" / "travel.md").unlink(missing_ok=True)

    results = {result.name: result for result in ingest([documents], empty, FakeEmbedder(), on_progress=vanish)}
    rest = "unchanged" if known else "added"
    assert [results[name].status for name in ALL] == [rest, "failed", rest]
    assert "No such file" in results[ALL[1]].reason


def test_file_that_vanishes_before_it_is_stored_has_failed(documents: Path, empty: ChunkTable) -> None:
    class Slow(FakeEmbedder):
        def embed(self, texts: list[str]) -> Vectors:
            (documents / "handbook" / "travel.md").unlink()
            return super().embed(texts)

    results = {result.name: result for result in ingest([documents], empty, Slow())}
    assert [results[name].status for name in ALL] == ["added", "failed", "added"]
    assert "No such file" in results[ALL[1]].reason
    assert names(empty) == [ALL[0], ALL[2]]


def test_file_that_changes_before_it_is_stored_has_failed_and_goes_in_next_time(
    documents: Path, empty: ChunkTable
) -> None:
    class Slow(FakeEmbedder):
        def embed(self, texts: list[str]) -> Vectors:
            (documents / "it" / "vpn.md").write_text("Call 5500.")
            return super().embed(texts)

    results = {result.name: result for result in ingest([documents], empty, Slow())}
    assert results["it/vpn.md"].status == "failed"
    assert "changed while it was being read" in results["it/vpn.md"].reason
    assert bring(empty, documents)["it/vpn.md"] == "added"
    assert texts(empty, "it/vpn.md") == ["Call 5500."]


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


# what is embedded anew -------------------------------------------------------------------------------


def chunk_ids(table: ChunkTable, name: str) -> list[str]:
    (document,) = (each for each in table.documents() if each.name == name)
    return [piece.id for piece in table.chunks_of(document.id)]


def test_only_the_passages_that_changed_are_embedded(
    documents: Path, table: ChunkTable, embedder: CountingEmbedder
) -> None:
    leave = documents / "handbook" / "leave.md"
    annual, parental = chunk_ids(table, "handbook/leave.md")
    leave.write_text(leave.read_text().replace("30 days", "31 days"))
    embedder.num_passages = 0
    assert {result.name: result.num_chunks for result in ingest([leave], table, embedder)} == {"leave.md": 2}
    assert embedder.num_passages == 1
    assert chunk_ids(table, "leave.md")[1] == parental
    assert annual not in chunk_ids(table, "leave.md")
    assert table.verify() == set()


def test_same_passage_twice_is_embedded_once(documents: Path, empty: ChunkTable, embedder: CountingEmbedder) -> None:
    for name in ("a", "b"):
        (documents / name).mkdir()
        (documents / name / "note.md").write_text("# Note\n\nThe same.\n")
    list(ingest([documents / "a", documents / "b"], empty, embedder))
    assert (embedder.num_passages, empty.num_chunks()) == (1, 2)


def test_unchanged_files_are_not_even_parsed(
    documents: Path, table: ChunkTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ParserPool, "parse", lambda *_: pytest.fail("a file was parsed"))
    assert set(bring(table, documents).values()) == {"unchanged"}


def test_document_whose_file_is_no_longer_kept_is_read_again_but_not_embedded(
    documents: Path, table: ChunkTable, home: Path, embedder: CountingEmbedder
) -> None:
    before, embedder.num_passages = chunk_ids(table, "it/vpn.md"), 0
    (kept,) = (path for path in (home / "originals").rglob("*.md") if "VPN" in path.read_text())
    kept.unlink()
    results = {result.name: result.status for result in ingest([documents], table, embedder)}
    assert results == dict(zip(ALL, ("unchanged", "unchanged", "replaced"), strict=True))
    assert (chunk_ids(table, "it/vpn.md"), embedder.num_passages, kept.exists()) == (before, 0, True)


# moved and renamed -----------------------------------------------------------------------------------


def ids(table: ChunkTable) -> dict[str, str]:
    return {document.name: document.id for document in table.documents()}


@pytest.mark.parametrize("new_name", ["it/tunnel.md", "handbook/vpn.md", "vpn.md"])
@pytest.mark.parametrize("prune", [False, True])
def test_file_that_moved_keeps_its_document_and_its_chunks(
    documents: Path, table: ChunkTable, embedder: CountingEmbedder, new_name: str, prune: bool
) -> None:
    before, pieces, embedder.num_passages = ids(table), chunk_ids(table, "it/vpn.md"), 0
    (documents / "it" / "vpn.md").rename(documents / new_name)
    results = {result.name: result for result in ingest([documents], table, embedder, prune=prune)}
    assert {name: result.status for name, result in results.items()} == {
        ALL[0]: "unchanged",
        ALL[1]: "unchanged",
        new_name: "renamed",
    }
    assert results[new_name].source == str(documents.resolve() / new_name)
    assert ids(table)[new_name] == before["it/vpn.md"]
    assert chunk_ids(table, new_name) == pieces
    assert len(ids(table)) == 3
    assert embedder.num_passages == 0
    assert set(bring(table, documents, prune=True).values()) == {"unchanged"}


def test_new_file_under_the_name_of_one_that_moved_is_a_new_document(documents: Path, table: ChunkTable) -> None:
    before = ids(table)["it/vpn.md"]
    (documents / "it" / "vpn.md").rename(documents / "it" / "tunnel.md")
    assert bring(table, documents)["it/tunnel.md"] == "renamed"
    (documents / "it" / "vpn.md").write_text("# Another\n\nQuite another text.\n")
    assert bring(table, documents)["it/vpn.md"] == "added"
    assert ids(table)["it/tunnel.md"] == before != ids(table)["it/vpn.md"]
    assert len(texts(table, "it/vpn.md")) == len(texts(table, "it/tunnel.md")) == 1
    assert set(bring(table, documents, prune=True).values()) == {"unchanged"}


def test_rename_and_a_new_file_under_the_old_name_at_once_lose_nothing(documents: Path, table: ChunkTable) -> None:
    (documents / "it" / "vpn.md").rename(documents / "it" / "tunnel.md")
    (documents / "it" / "vpn.md").write_text("# Another\n\nQuite another text.\n")
    results = bring(table, documents, prune=True)
    assert (results["it/tunnel.md"], results["it/vpn.md"]) == ("added", "replaced")
    assert texts(table, "it/vpn.md") == ["Quite another text."]
    assert "4400" in texts(table, "it/tunnel.md")[0]
    assert len(set(ids(table).values())) == 4


def test_two_files_that_swapped_their_names_are_both_replaced(documents: Path, table: ChunkTable) -> None:
    vpn, travel = documents / "it" / "vpn.md", documents / "handbook" / "travel.md"
    vpn.rename(documents / "aside")
    travel.rename(vpn)
    (documents / "aside").rename(travel)
    results = bring(table, documents, prune=True)
    assert [results[name] for name in ALL] == ["unchanged", "replaced", "replaced"]
    assert "hotel" in texts(table, "it/vpn.md")[0]
    assert "VPN" in texts(table, "handbook/travel.md")[0]


def test_copy_is_a_document_of_its_own(documents: Path, table: ChunkTable) -> None:
    shutil.copy(documents / "it" / "vpn.md", documents / "it" / "copy.md")
    bring(table, documents)
    assert len(set(ids(table).values())) == 4
    assert not set(chunk_ids(table, "it/copy.md")) & set(chunk_ids(table, "it/vpn.md"))


def test_file_that_moved_and_changed_is_a_new_document(documents: Path, table: ChunkTable) -> None:
    (documents / "it" / "vpn.md").unlink()
    (documents / "it" / "tunnel.md").write_text("# VPN\n\nCall 5500.\n")
    results = bring(table, documents, prune=True)
    assert (results["it/tunnel.md"], results["it/vpn.md"]) == ("added", "removed")


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


def test_prune_of_a_folder_spares_uploads(documents: Path, table: ChunkTable, tmp_path: Path) -> None:
    upload = tmp_path / "upload" / "note.md"
    upload.parent.mkdir()
    upload.write_text("A note.")
    assert [result.source for result in ingest([upload], table, FakeEmbedder(), uploaded=True)] == ["upload:note.md"]
    shutil.rmtree(upload.parent)
    assert "removed" not in bring(table, documents, prune=True).values()
    assert "note.md" in names(table)


def test_pruned_document_leaves_no_file_behind(documents: Path, table: ChunkTable, home: Path) -> None:
    (documents / "it" / "vpn.md").unlink()
    bring(table, documents, prune=True)
    assert len(list((home / "originals").iterdir())) == 2


def test_folder_without_any_file_keeps_its_documents(documents: Path, table: ChunkTable) -> None:
    elsewhere = documents.parent / "elsewhere"
    shutil.copytree(documents, elsewhere)
    shutil.rmtree(documents)
    documents.mkdir()  # as the mount point of a disk that is not there
    (result,) = ingest([documents], table, FakeEmbedder(), prune=True)
    assert (result.name, result.status) == ("documents", "failed")
    assert "its documents are kept (3) in case its disk is not mounted" in result.reason
    assert names(table) == ALL
    shutil.copytree(elsewhere, documents, dirs_exist_ok=True)
    assert set(bring(table, documents, prune=True).values()) == {"unchanged"}


def test_empty_folder_beside_another_keeps_its_documents(documents: Path, table: ChunkTable) -> None:
    (documents / "it" / "vpn.md").unlink()
    (documents / "handbook" / "leave.md").unlink()
    results = bring(table, documents / "handbook", documents / "it", prune=True)
    assert (results["it"], results["handbook/leave.md"]) == ("failed", "removed")
    assert names(table) == ["handbook/travel.md", "it/vpn.md"]


def test_documents_of_an_emptied_folder_can_come_back(documents: Path, table: ChunkTable) -> None:
    shutil.move(documents / "handbook", documents.parent / "handbook")
    assert set(bring(table, documents, prune=True).values()) == {"unchanged", "removed"}
    shutil.move(documents.parent / "handbook", documents / "handbook")
    assert set(bring(table, documents).values()) == {"added", "unchanged"}


# names and kinds of files ----------------------------------------------------------------------------

STRANGE_NAMES = [
    "two\nlines.md",
    'quote\'s "double" $HOME `ls`.md',
    "smile 🙂 größe 日本.md",
    "--prune.md",
    "; rm -rf x.md",
    "a%20b%s{0}.md",
    " .md",
    f"{'long' * 60}.md",
    "UPPER.MD",
    "trailing .md",
    "\x1b[31mred.md",
]


def test_strange_names_are_only_names(tmp_path: Path, empty: ChunkTable) -> None:
    folder = tmp_path / "strange"
    folder.mkdir()
    for name in STRANGE_NAMES:
        (folder / name).write_text(f"# Title\n\nThe text of file {STRANGE_NAMES.index(name)}.\n")
    assert set(bring(empty, folder).values()) == {"added"}
    assert set(names(empty)) == set(STRANGE_NAMES)
    assert set(bring(empty, folder, prune=True).values()) == {"unchanged"}
    assert texts(empty, STRANGE_NAMES[0]) == ["The text of file 0."]


def test_name_that_is_not_utf_8_fails_alone_and_says_so(documents: Path, table: ChunkTable) -> None:
    Path(os.fsdecode(os.fsencode(documents) + b"/caf\xe9.md")).write_text("text")
    (documents / "new.md").write_text("A new text.")
    results = {result.name: result for result in ingest([documents], table, FakeEmbedder())}
    assert results["new.md"].status == "added"
    assert (results["caf\ufffd.md"].status, results["caf\ufffd.md"].source) == (
        "failed",
        str(documents.resolve() / "caf\ufffd.md"),
    )
    assert "not valid UTF-8" in results["caf\ufffd.md"].reason


def test_what_is_no_file_is_passed_over(documents: Path, empty: ChunkTable) -> None:
    os.mkfifo(documents / "pipe.md")
    (documents / "loop.md").symlink_to(documents / "loop.md")
    (documents / "self").symlink_to(documents, target_is_directory=True)
    (documents / "dangling.md").symlink_to(documents / "nowhere.md")
    (documents / "folder.md").mkdir()
    (documents / "device.md").symlink_to("/dev/zero")
    assert bring(empty, documents) == dict.fromkeys(ALL, "added")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the one that is ingested, with a file that must stay out of the table."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "payroll.md").write_text("# Payroll\n\nNobody may read this.\n")
    return tmp_path / "outside"


def test_links_that_lead_out_of_the_folder_are_named_and_not_read(
    documents: Path, outside: Path, home: Path, empty: ChunkTable
) -> None:
    (documents / "it" / "payroll.md").symlink_to(outside / "payroll.md")
    (documents / "it" / "more").symlink_to(outside, target_is_directory=True)
    (documents / "up").symlink_to("..", target_is_directory=True)
    (documents / "hop.md").symlink_to("it/payroll.md")
    results = {result.name: result for result in ingest([documents], empty, FakeEmbedder(), prune=True)}
    left_out = {name: result for name, result in results.items() if result.status == "skipped"}
    assert set(left_out) == {"it/payroll.md", "it/more", "up", "hop.md"}
    assert all("links outside this folder" in result.reason for result in left_out.values())
    assert left_out["it/payroll.md"].source == str(documents.resolve() / "it" / "payroll.md")
    assert names(empty) == ALL


def test_links_inside_the_folder_are_fine_and_nothing_is_read_twice(documents: Path, empty: ChunkTable) -> None:
    (documents / "same.md").symlink_to(documents / "it" / "vpn.md")
    (documents / "it-again").symlink_to(documents / "it", target_is_directory=True)
    (documents / "it" / "loop").symlink_to(documents, target_is_directory=True)
    assert bring(empty, documents) == dict.fromkeys([*ALL[:2], "it/vpn.md"], "added")
    assert len(names(empty)) == len(ALL)


def test_link_to_what_is_also_named_is_fine(documents: Path, outside: Path, empty: ChunkTable) -> None:
    (documents / "more").symlink_to(outside, target_is_directory=True)
    assert bring(empty, documents, outside) == dict.fromkeys([*ALL, "payroll.md"], "added")


def test_path_that_is_named_may_itself_be_a_link(documents: Path, tmp_path: Path, empty: ChunkTable) -> None:
    (tmp_path / "link").symlink_to(documents, target_is_directory=True)
    (tmp_path / "vpn-link.md").symlink_to(documents / "it" / "vpn.md")
    assert bring(empty, tmp_path / "vpn-link.md") == {"vpn-link.md": "added"}
    assert bring(empty, tmp_path / "link") == dict(zip(ALL, ("added", "added", "unchanged"), strict=True))


def test_link_into_the_home_folder_is_not_read(documents: Path, empty: ChunkTable) -> None:
    (documents / "home").mkdir()
    (documents / "home" / "endpoint.txt").write_text("a key")
    (documents / "note.txt").symlink_to(documents / "home" / "endpoint.txt")
    (file,) = (each for each in find_files([documents], leave_out=documents / "home") if each.name == "note.txt")
    assert file.not_read


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_file_that_may_not_be_read_fails_alone(documents: Path, empty: ChunkTable) -> None:
    (documents / "it" / "vpn.md").chmod(0)
    results = {result.name: result for result in ingest([documents], empty, FakeEmbedder())}
    assert [results[name].status for name in ALL] == ["added", "added", "failed"]
    assert "Permission denied" in results["it/vpn.md"].reason


@pytest.mark.parametrize("known", [False, True])
def test_folder_that_may_not_be_looked_into_fails_alone_and_is_not_pruned(
    documents: Path, empty: ChunkTable, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    if known:
        bring(empty, documents)
    usual = Path.stat

    def stat(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.name == "vpn.md":
            raise PermissionError(13, "Permission denied")
        return usual(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", stat)
    results = {result.name: result for result in ingest([documents], empty, FakeEmbedder(), prune=True)}
    assert results["it/vpn.md"].status == "failed"
    assert "Permission denied" in results["it/vpn.md"].reason
    assert ("it/vpn.md" in names(empty)) == known
    assert set(ALL[:2]) < set(results)


def test_folder_that_may_not_be_listed_is_named(
    documents: Path, table: ChunkTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name == "it":
            raise PermissionError(13, "Permission denied", path)
        return usual(path)

    monkeypatch.setattr(os, "scandir", scandir)
    results = {result.name: result.status for result in ingest([documents], table, FakeEmbedder(), prune=True)}
    assert results == {"handbook/leave.md": "unchanged", "handbook/travel.md": "unchanged", "it": "failed"}
    assert names(table) == ALL


def test_document_in_a_folder_that_may_not_be_looked_into_is_not_taken_for_gone(
    documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stat(_: str) -> os.stat_result:
        raise PermissionError(13, "Permission denied")

    source = str(documents / "it" / "vpn.md")
    assert (is_gone(source), is_gone(f"{source}/x"), is_gone(f"{source}x")) == (False, True, True)
    monkeypatch.setattr(os, "stat", stat)
    assert not is_gone(f"{source}x")


def test_the_home_below_a_folder_is_not_ingested(tmp_path: Path, documents: Path) -> None:
    (tmp_path / "home").mkdir()
    table = ChunkTable(documents / "home", FakeEmbedder())
    assert bring(table, documents) == dict.fromkeys(ALL, "added")
    assert bring(table, documents) == dict.fromkeys(ALL, "unchanged")


# uploads ---------------------------------------------------------------------------------------------


def test_upload_of_the_same_name_replaces_the_one_before(empty: ChunkTable, tmp_path: Path) -> None:
    for number, words in enumerate(("First.", "Second.")):
        staging = tmp_path / str(number)
        staging.mkdir()
        (staging / "note.md").write_text(words)
        list(ingest([staging], empty, FakeEmbedder(), uploaded=True))
        shutil.rmtree(staging)
    assert [(document.name, document.source) for document in empty.documents()] == [("note.md", "upload:note.md")]
    assert texts(empty, "note.md") == ["Second."]


def test_removed_document_is_gone_with_its_file(table: ChunkTable, home: Path) -> None:
    documents = [each for each in table.documents() if each.name != "it/vpn.md"]
    with table.writing():
        remove(documents, table)
    assert names(table) == ["it/vpn.md"]
    assert len(list((home / "originals").iterdir())) == 1


# telling and waiting ---------------------------------------------------------------------------------


def test_progress_grows_from_nothing_to_all(documents: Path, empty: ChunkTable) -> None:
    told: list[Progress] = []
    results = list(ingest([documents], empty, FakeEmbedder(), on_progress=told.append))
    assert told[0] == Progress(num_files=3)
    assert told[-1].num_files_done == 3
    assert told[-1].num_chunks_done == sum(result.num_chunks for result in results) == 4
    for before, after in pairwise(told):
        assert before.num_files_done <= after.num_files_done
        assert before.num_chunks_done <= after.num_chunks_done
    assert {progress.current for progress in told} >= set(ALL)


def test_progress_counts_unchanged_and_skipped_files_too(documents: Path, table: ChunkTable) -> None:
    (documents / "notes.xyz").write_text("?")
    told: list[Progress] = []
    list(ingest([documents], table, FakeEmbedder(), on_progress=told.append))
    assert (told[-1].num_files, told[-1].num_files_done, told[-1].num_chunks_done) == (4, 4, 0)


def test_stop_between_two_files_leaves_what_was_reported(
    documents: Path, empty: ChunkTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.pipeline._BATCH_CHARACTERS", 0)
    done: list[str] = []
    results = ingest([documents], empty, FakeEmbedder(), should_stop=lambda: len(done) == 2)
    with pytest.raises(StoppedError):
        done.extend(result.name for result in results)
    assert names(empty) == done == ALL[:2]
    assert bring(empty, documents) == dict(zip(ALL, ("unchanged", "unchanged", "added"), strict=True))


def test_stop_between_two_embeddings_leaves_the_table_as_it_was(
    documents: Path, table: ChunkTable, embedder: CountingEmbedder
) -> None:
    text = "".join(f"## Part {number}\n\nText {number}.\n\n" for number in range(200))
    (documents / "it" / "vpn.md").write_text(text)
    embedder.num_passages = 0
    before = table.documents()
    with pytest.raises(StoppedError):
        list(ingest([documents], table, embedder, should_stop=lambda: embedder.num_passages > 0))
    assert 0 < embedder.num_passages < 200
    assert table.documents() == before
    assert bring(table, documents)["it/vpn.md"] == "replaced"


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
