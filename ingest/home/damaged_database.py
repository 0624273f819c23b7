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

VERSION_TABLE = "alembic_version"
"""Holds the revision of the tables."""
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


def damaged_name(path: Path) -> Path:
    """Return a new name for a damaged file."""
    return path.with_name(f"{path.name}{_MARK}{datetime.now(UTC):%Y%m%dT%H%M%S%f}")


def rename_with_log(path: Path, new: Path) -> None:
    """Rename a database that nobody uses; its log first, or a new database would read it as its own."""
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            os.rename(f"{path}{suffix}", f"{new}{suffix}")


def set_aside(path: Path, make_tables: MakeTables) -> bool:
    """Rename a damaged file and put a new one in its place; returns False if the disk does not allow it."""
    try:
        with _lock, FileLock(path.with_name(f".{path.name}.lock")):
            if is_whole(path):  # another process has just replaced it
                return True
            new = path.with_name(f".{path.name}.new")
            new.unlink(missing_ok=True)
            create_private(new).close()
            num_rows = _copy_rows(path, new, make_tables)
            aside = damaged_name(path)
            rename_with_log(path, aside)
            new.rename(path)
    except (OSError, sqlite3.DatabaseError) as error:
        _log.warning("%s is damaged and could not be set aside: %s", path, error)
        return False
    _log.warning("%s was damaged: renamed it to %s and copied %d rows", path, aside.name, num_rows)
    return True


def is_whole(path: Path) -> bool:
    """Return whether a file is a database without damage."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.DatabaseError:
        return False


def _copy_rows(damaged: Path, new: Path, make_tables: MakeTables) -> int:
    """Copy all readable rows of a damaged file to a new one; returns their number."""
    with closing(sqlite3.connect(new)) as target, closing(sqlite3.connect(damaged)) as source:
        make_tables(target)
        names = target.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        tables = [name for (name,) in names if name != VERSION_TABLE]
        target.execute("BEGIN")
        num_rows = sum(copy_table(source, target, table, table) for table in tables)
        target.commit()
        return num_rows


def copy_table(source: sqlite3.Connection, target: sqlite3.Connection, table: str, new_name: str) -> int:
    """Copy the rows of a table to one that may have further columns, with their defaults; returns their number.

    If the middle of the source is damaged, rows are copied from the first on, then from the last back. Raises
    sqlite3.DatabaseError for other errors.
    """
    num_rows = 0
    with suppress(sqlite3.DatabaseError):
        source.execute("PRAGMA writable_schema = ON")  # needed to read a truncated file
    for order in ("ASC", "DESC"):
        try:
            if columns := _columns(source, target, table, new_name):
                values, marks = ", ".join(columns.values()), ", ".join("?" * len(columns))
                insert = f"INSERT OR IGNORE INTO {new_name} ({', '.join(columns)}) VALUES ({marks})"
                for row in source.execute(f"SELECT {values} FROM {table} ORDER BY rowid {order}"):
                    num_rows += target.execute(insert, row).rowcount
            break
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
    return num_rows


def _columns(source: sqlite3.Connection, target: sqlite3.Connection, table: str, new_name: str) -> dict[str, str]:
    """Return column of the target -> SQL that reads it from the source; of those that both have."""
    known = {column for _, column, *_ in source.execute(f"PRAGMA table_info({table})")}
    columns = {}
    for _, column, _, is_required, default, _ in target.execute(f"PRAGMA table_info({new_name})"):
        if column in known:
            columns[f'"{column}"'] = f'coalesce("{column}", {default})' if is_required and default else f'"{column}"'
        elif column == "sequence" and known:
            columns[column] = "rowid"
    return columns
