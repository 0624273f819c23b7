from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import MetaData

from app.feedback import FeedbackStore
from app.language_model.endpoint import Endpoint, save_endpoint
from ingest import CiteloopError
from ingest.home.folder import make_home
from ingest.home.records import Records, unusable
from ingest.home.tables import JOBS, MADE
from ingest.table import ChunkTable
from tests.app.builders import make_answer


@pytest.fixture
def open_umask() -> Iterator[None]:
    """Every account may read what is made, unless the program says otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_its_owner_comes_into_a_home(home: Path, open_umask: None) -> None:
    make_home(home)
    assert mode(home) == 0o700


@pytest.mark.parametrize("tables", [MADE, JOBS])
def test_a_home_that_exists_already_is_closed_when_it_is_written(
    tables: MetaData, home: Path, open_umask: None
) -> None:
    home.mkdir(mode=0o755)
    with Records(home, tables, unusable(CiteloopError, "the rows")).writing():
        pass
    assert mode(home) == 0o700


def test_a_folder_that_is_more_than_a_home_stays_open(tmp_path: Path) -> None:
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    make_home(shared)
    assert mode(shared) == 0o1777
    program = Path(make_home.__code__.co_filename).parent
    before = mode(program)
    make_home(program)
    assert mode(program) == before


def test_databases_are_read_by_their_owner_alone(home: Path, open_umask: None) -> None:
    store = FeedbackStore(home)
    store.check_writable()
    path = home / "citeloop.sqlite3"
    with closing(sqlite3.connect(path)) as held:  # so that the write-ahead log stays
        held.execute("SELECT COUNT(*) FROM answers").fetchone()
        store.save_answer(make_answer(), "talk", "ann")
        files = sorted(home.glob("citeloop.sqlite3*"))
        assert [file.name.removeprefix(path.name) for file in files] == ["", "-shm", "-wal"]
        assert {mode(file) for file in files} == {0o600}
        for file in files:
            file.chmod(0o644)
        store.conversations("ann")  # as an earlier version left them
        assert {mode(file) for file in files} == {0o600}


def test_what_people_gave_is_read_by_its_owner_alone(home: Path, table: ChunkTable, documents: Path) -> None:
    originals = [path for path in (home / "originals").rglob("*") if path.is_file()]
    assert len(originals) == 6
    save_endpoint(home, Endpoint("http://h.example/v1", "writer-1"))
    assert {mode(path) for path in [*originals, home / "endpoint.json"]} == {0o600}
