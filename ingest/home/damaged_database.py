"""damaged SQLite file -> a new one in its place, with the rows that can still be read. Nothing is deleted."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from ingest.home.folder import create_private

MakeTables = Callable[[sqlite3.Connection], object]
"""Makes the tables of a database that are not there yet, and brings an earlier version's rows up to date."""

_MARK = ".damaged-"
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_lock = threading.Lock()
_log = logging.getLogger(__name__)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that the file is no database, or a damaged one."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE


def damaged_databases(home: Path) -> list[Path]:
    """The files of a home folder that were set aside, oldest first."""
    return sorted(path for path in home.glob(f"*{_MARK}*") if not path.name.endswith(("-wal", "-shm")))


def set_aside(path: Path, make_tables: MakeTables) -> bool:
    """Rename a damaged file and put a new one in its place; False where the disk does not allow it."""
    try:
        with _lock, FileLock(path.with_name(f".{path.name}.lock")):
            if _is_whole(path):  # somebody else has just replaced it
                return True
            new = path.with_name(f".{path.name}.new")
            new.unlink(missing_ok=True)
            create_private(new).close()
            num_rows = _bring_over(path, new, make_tables)
            aside = path.with_name(f"{path.name}{_MARK}{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
            for suffix in ("-wal", "-shm", ""):  # the log first: a new file would take it for its own
                with suppress(FileNotFoundError):
                    os.rename(f"{path}{suffix}", f"{aside}{suffix}")
            new.rename(path)
    except (OSError, sqlite3.DatabaseError) as error:
        _log.warning("%s is damaged and could not be set aside: %s", path, error)
        return False
    _log.warning("%s was damaged: it is now %s, and %d rows were brought over", path, aside.name, num_rows)
    return True


def _is_whole(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.DatabaseError:
        return False


def _bring_over(damaged: Path, new: Path, make_tables: MakeTables) -> int:
    """Fill a new file with the rows that can be read of a damaged one; returns their number."""
    with closing(sqlite3.connect(new)) as target, closing(sqlite3.connect(damaged)) as source:
        make_tables(target)
        with suppress(sqlite3.DatabaseError):
            source.execute("PRAGMA writable_schema = ON")  # so that a file that was cut short is read at all
        names = target.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        with target:
            num_rows = sum(_bring_over_table(source, target, name) for (name,) in names.fetchall())
            with suppress(sqlite3.DatabaseError):
                (version,) = source.execute("PRAGMA user_version").fetchone()
                target.execute(f"PRAGMA user_version = {version}")
        return num_rows


def _bring_over_table(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> int:
    """From the first row on, and then from the last one back: damage in the middle hides neither end."""
    num_rows = 0
    for order in ("ASC", "DESC"):
        with suppress(sqlite3.DatabaseError):
            known = {column for _, column, *_ in source.execute(f"PRAGMA table_info({table})")}
            wanted = [column for _, column, *_ in target.execute(f"PRAGMA table_info({table})")]
            columns = ", ".join(column for column in wanted if column in known)
            marks = ", ".join("?" * (len(columns.split(", ")) + 1))
            for row in source.execute(f"SELECT rowid, {columns} FROM {table} ORDER BY rowid {order}"):
                insert = f"INSERT OR IGNORE INTO {table} (rowid, {columns}) VALUES ({marks})"
                num_rows += target.execute(insert, row).rowcount
            return num_rows
    return num_rows
