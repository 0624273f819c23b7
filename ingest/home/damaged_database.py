"""damaged SQLite file -> a new one with the rows that can still be read; the damaged file is kept."""

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
"""Creates missing tables and migrates rows of an earlier version."""

_MARK = ".damaged-"
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_lock = threading.Lock()
_log = logging.getLogger(__name__)


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error says that the file is damaged or no database."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE


def is_set_aside(path: Path) -> bool:
    """Return whether this is a damaged file that was set aside, or belongs to one."""
    return _MARK in path.name


def damaged_databases(home: Path) -> list[Path]:
    """Return the damaged files that were set aside in a home folder, oldest first."""
    return sorted(path for path in home.glob(f"*{_MARK}*") if not path.name.endswith(("-wal", "-shm")))


def set_aside(path: Path, make_tables: MakeTables) -> bool:
    """Rename a damaged file and put a new one in its place; returns False if the disk does not allow it."""
    try:
        with _lock, FileLock(path.with_name(f".{path.name}.lock")):
            if _is_whole(path):  # another process has just replaced it
                return True
            new = path.with_name(f".{path.name}.new")
            new.unlink(missing_ok=True)
            create_private(new).close()
            num_rows = _copy_rows(path, new, make_tables)
            aside = path.with_name(f"{path.name}{_MARK}{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
            for suffix in ("-wal", "-shm", ""):  # log files first: a new database would read them as its own
                with suppress(FileNotFoundError):
                    os.rename(f"{path}{suffix}", f"{aside}{suffix}")
            new.rename(path)
    except (OSError, sqlite3.DatabaseError) as error:
        _log.warning("%s is damaged and could not be set aside: %s", path, error)
        return False
    _log.warning("%s was damaged: renamed it to %s and copied %d rows", path, aside.name, num_rows)
    return True


def _is_whole(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.DatabaseError:
        return False


def _copy_rows(damaged: Path, new: Path, make_tables: MakeTables) -> int:
    """Copy all readable rows of a damaged file to a new one; returns their number."""
    with closing(sqlite3.connect(new)) as target, closing(sqlite3.connect(damaged)) as source:
        make_tables(target)
        with suppress(sqlite3.DatabaseError):
            source.execute("PRAGMA writable_schema = ON")  # needed to read a truncated file
        names = target.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        with target:
            num_rows = sum(_copy_table(source, target, name) for (name,) in names.fetchall())
            with suppress(sqlite3.DatabaseError):
                (version,) = source.execute("PRAGMA user_version").fetchone()
                target.execute(f"PRAGMA user_version = {version}")
        return num_rows


def _copy_table(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> int:
    """Copy rows from the first on, then from the last back, in case the middle is damaged; returns their number."""
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
