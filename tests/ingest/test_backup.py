from __future__ import annotations

import sqlite3
import stat
import tarfile
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import ingest.backup as backup_module
from app.feedback import FeedbackStore
from app.pipeline import Pipeline
from app.registry import Registry
from app.settings import Settings
from ingest import CiteloopError
from ingest.backup import BackupError, back_up, restore
from ingest.home.folder import write_lock
from ingest.originals import Originals
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.api.conftest import wait_until
from tests.app.builders import add_model, make_answer
from tests.conftest import FakeEmbedder

QUESTIONS = ["hotel a night", "parental leave before the birth", "VPN tunnel fails", "days a year", "short trips"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "backups" / "monday.tar"


@pytest.fixture(autouse=True)
def backups(file: Path) -> None:
    file.parent.mkdir()


def first_ten(settings: Settings, home: Path, embedder: FakeEmbedder) -> list[list[tuple[str, float]]]:
    pipeline = Pipeline(settings.model_copy(update={"home": home}), embedder)
    rankings = [pipeline.rank(question, user="ann").ranking[:10] for question in QUESTIONS]
    return [[(ranked.chunk.id, round(ranked.score, 6)) for ranked in ranking] for ranking in rankings]


def test_a_restored_home_ranks_as_before(
    pipeline: Pipeline, settings: Settings, file: Path, tmp_path: Path, embedder: FakeEmbedder
) -> None:
    store = FeedbackStore(settings.home)
    answer_id = store.save_answer(pipeline.rank(QUESTIONS[0]), "conversation", "ann")
    answer = store.answer(answer_id, "ann")
    assert answer is not None
    store.record(answer, answer.answer.citations[0].chunk.id, "deleted", "ann")
    model = add_model(settings.home)
    before = first_ten(settings, settings.home, embedder)
    made = back_up(settings.home, file)
    other = tmp_path / "other"
    assert restore(file, other) == made
    assert first_ten(settings, other, embedder) == before
    Registry(other).check(model)
    restored = FeedbackStore(other).answer(answer_id, "ann")
    assert restored is not None
    assert restored.answer == answer.answer


def test_people_work_during_a_backup(
    table: ChunkTable, documents: Path, embedder: FakeEmbedder, file: Path, tmp_path: Path
) -> None:
    store, stop, num_rounds = FeedbackStore(table.home), threading.Event(), 0

    def work() -> None:
        nonlocal num_rounds
        while not stop.is_set():
            (documents / "it" / "vpn.md").write_text(f"# VPN\n\nThe VPN needs key {num_rounds}.\n")
            ingest([documents], table, embedder)
            store.save_answer(make_answer(), f"conversation {num_rounds}", "ann")
            num_rounds += 1

    worker = threading.Thread(target=work)
    worker.start()
    try:
        wait_until(lambda: bool(num_rounds))
        files = [file.with_name(f"{number}.tar") for number in range(5)]
        for each in files:
            back_up(table.home, each)
    finally:
        stop.set()
        worker.join()
    for each in files:
        restore(each, tmp_path / each.stem)
        restored, originals = ChunkTable(tmp_path / each.stem, embedder), Originals(tmp_path / each.stem)
        assert len(restored.documents()) == 3
        assert not restored.verify()
        assert all(originals.is_whole(document) for document in restored.documents())
        with closing(sqlite3.connect(restored.home / "citeloop.sqlite3")) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("change", ["add", "remove"])
def test_no_row_names_a_model_that_is_not_in_the_backup(
    table: ChunkTable, file: Path, tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, home, copy = add_model(table.home, "first"), table.home, backup_module._copy_database

    def while_copying(path: Path, target: Path) -> None:
        if path.name != "citeloop.sqlite3":
            copy(path, target)
        elif change == "add":
            add_model(home, "second")
            copy(path, target)
        else:
            copy(path, target)
            Registry(home).remove(first)

    monkeypatch.setattr(backup_module, "_copy_database", while_copying)
    back_up(home, file)
    restore(file, tmp_path / "other")
    models = Registry(tmp_path / "other").models()
    assert len(models) == (2 if change == "add" else 1)
    for model in models:
        Registry(tmp_path / "other").check(model.name)


def test_a_backup_waits_for_a_writer_and_says_so(table: ChunkTable, file: Path) -> None:
    def give_up() -> None:
        raise CiteloopError("gave up")

    with write_lock(table.home), pytest.raises(CiteloopError, match="gave up"):
        back_up(table.home, file, give_up)
    assert not list(file.parent.iterdir())
    back_up(table.home, file)


def test_what_is_left_out_and_who_may_read_it(table: ChunkTable, file: Path) -> None:
    for name in (
        "jobs.log",
        "evaluation/results.json",
        "token-vectors/a.sqlite3",
        ".before-restore-1/feedback.sqlite3",
    ):
        (table.home / name).parent.mkdir(exist_ok=True)
        (table.home / name).touch()
    back_up(table.home, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with tarfile.open(file) as tar:
        tops = {name.partition("/")[0] for name in tar.getnames()}
    assert tops == {"table", "originals", "citeloop-backup.json"}


def test_files_are_copied_where_they_cannot_be_linked(
    table: ChunkTable, file: Path, tmp_path: Path, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("ingest.backup.os.link", refuse)
    back_up(table.home, file)
    restore(file, tmp_path / "other")
    assert ChunkTable(tmp_path / "other", embedder).num_chunks() == table.num_chunks()


def test_content_is_put_aside_only_by_force(table: ChunkTable, file: Path) -> None:
    back_up(table.home, file)
    (table.home / "prompts.json").write_text("later")
    with pytest.raises(BackupError, match="is not empty"):
        restore(file, table.home)
    assert (table.home / "prompts.json").exists()
    aside = restore(file, table.home, force=True).put_aside
    assert aside is not None
    assert (aside / "prompts.json").read_text() == "later"
    assert not (table.home / "prompts.json").exists()
    assert table.num_chunks()


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20_000])


def change(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"150 euros", b"950 euros", 1))


def make_newer(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b'"format": 1', b'"format": 2'))


def replace_with_text(file: Path) -> None:
    file.write_text("no archive")


def add_a_file(file: Path) -> None:
    with tarfile.open(file, "a") as tar:
        tar.addfile(tarfile.TarInfo("access.toml"))


def lead_out(file: Path) -> None:
    with tarfile.open(file, "a") as tar:
        tar.addfile(tarfile.TarInfo("../outside"))


@pytest.mark.parametrize("harm", [cut, change, make_newer, replace_with_text, add_a_file, lead_out, Path.unlink])
def test_a_damaged_backup_changes_nothing(
    table: ChunkTable, file: Path, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    back_up(table.home, file)
    harm(file)
    before = sorted(table.home.rglob("*"))
    with pytest.raises(BackupError, match=file.name):
        restore(file, table.home, force=True)
    assert sorted(table.home.rglob("*")) == before
    assert not (tmp_path / "outside").exists()


def test_where_a_backup_cannot_be_written(table: ChunkTable, file: Path, tmp_path: Path) -> None:
    file.touch()
    for path, problem in (
        (file, "exists already"),
        (table.home / "backup.tar", "is in the home folder"),
        (tmp_path / "missing" / "backup.tar", "cannot write"),
    ):
        with pytest.raises(BackupError, match=problem):
            back_up(table.home, path)
    with pytest.raises(BackupError, match="nothing to back up"):
        back_up(tmp_path / "missing", tmp_path / "backup.tar")
