from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ingest.home.damaged_database import damaged_databases, set_aside
from ingest.home.database import is_refusal, transaction
from tests.conftest import refuse

NUM_ROWS = 2000


def make_tables(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS rows (sequence INTEGER PRIMARY KEY AUTOINCREMENT, text NOT NULL)")
    connection.execute("CREATE TABLE IF NOT EXISTS names (name PRIMARY KEY)")


def add(path: Path, *texts: str) -> None:
    with transaction(path, make_tables=make_tables) as connection:
        connection.executemany("INSERT INTO rows (text) VALUES (?)", [(text,) for text in texts])


def rows(path: Path) -> list[str]:
    with transaction(path, make_tables=make_tables) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM rows ORDER BY sequence")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with rows on many pages."""
    path = tmp_path / "rows.sqlite3"
    add(path, *(f"row {number} {'x' * 100}" for number in range(NUM_ROWS)))
    return path


def test_what_is_no_database_is_set_aside_and_a_new_one_begins(tmp_path: Path) -> None:
    path = tmp_path / "rows.sqlite3"
    path.write_text("this is no database " * 100)
    add(path, "new")
    assert rows(path) == ["new"]
    (aside,) = damaged_databases(tmp_path)
    assert aside.read_text() == "this is no database " * 100


def test_file_that_was_cut_short_gives_what_can_be_read_of_it(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    found = rows(path)
    assert NUM_ROWS / 3 < len(found) < NUM_ROWS
    assert found == [f"row {number} {'x' * 100}" for number in range(len(found))]
    add(path, "new")
    assert rows(path) == [*found, "new"]
    assert damaged_databases(tmp_path)[0].read_bytes() == content[: len(content) // 2]


def test_damage_found_on_the_way_hides_neither_end_from_the_next_one(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(content)
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        rows(path)
    found = rows(path)
    assert NUM_ROWS - 100 < len(found) < NUM_ROWS
    assert (found[0].split()[1], found[-1].split()[1]) == ("0", str(NUM_ROWS - 1))


def test_its_log_goes_with_it(path: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("SELECT * FROM rows").fetchone()  # keeps the log from being tidied away
        add(path, "in the log")
        path.write_bytes(b"no database" * 1000)
        add(path, "new")
    assert rows(path)[-1] == "new"
    (aside,) = damaged_databases(tmp_path)
    assert Path(f"{aside}-wal").exists()


def test_file_that_is_whole_is_left_alone(path: Path, tmp_path: Path) -> None:
    assert set_aside(path, make_tables)
    assert damaged_databases(tmp_path) == []
    assert len(rows(path)) == NUM_ROWS


def test_file_that_was_removed_while_the_program_runs_begins_anew(path: Path) -> None:
    path.unlink()
    add(path, "new")
    assert rows(path) == ["new"]


@pytest.mark.parametrize("spoil", [lambda path: path, Path.unlink], ids=["there", "missing"])
def test_disk_that_takes_nothing_can_be_read(
    path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], object]
) -> None:
    spoil(path)
    with monkeypatch.context() as full:
        full.setattr("ingest.home.database._opened_for_writing", refuse)
        assert len(rows(path)) in (0, NUM_ROWS)
        with pytest.raises(sqlite3.OperationalError) as raised:
            add(path, "new")
        assert is_refusal(raised.value)
    add(path, "new")
    assert rows(path)[-1] == "new"
