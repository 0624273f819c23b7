"""SQLite files: one transaction per action.

A damaged file is set aside and replaced. If the disk cannot be written, the rows can still be read.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from ingest.home.damaged_database import MakeTables, is_damage, set_aside
from ingest.home.folder import make_home

_BUSY_SECONDS = 30.0
"""How long a transaction waits for those of others."""
_FULL_BYTES = 2**20
"""With less space than this, an error of reading or writing is one of a full disk."""
_REFUSALS = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
)


def now() -> str:
    """Return the current time in UTC, ISO 8601 to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@contextmanager
def transaction(
    path: Path, *, durable: bool = True, make_tables: MakeTables | None = None
) -> Iterator[sqlite3.Connection]:
    """Open a new connection for one transaction, since pages run in many threads; an exception rolls it back.

    durable: it survives a power cut but waits for the disk. make_tables: creates missing tables and migrates rows;
    with it, a damaged file is replaced first. If the disk cannot be written, the connection is read-only. Only the
    owner may read the file, whatever the umask. Raises sqlite3.DatabaseError.
    """
    connection = open_file(path, make_tables)
    with closing(connection):
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        try:
            with connection:
                yield connection
        except sqlite3.DatabaseError as error:
            raise after_error(error, path, make_tables) from error


def after_error(error: sqlite3.DatabaseError, path: Path, make_tables: MakeTables | None) -> sqlite3.DatabaseError:
    """Set a damaged file aside for the next transaction; return the error to raise: why the file is read-only, or that
    the disk is full, which SQLite calls an I/O error where its log does not fit.
    """
    if make_tables and is_damage(error):
        set_aside(path, make_tables)
    if _code(error) == sqlite3.SQLITE_READONLY:
        try:
            _opened_for_writing(path, make_tables).close()
        except sqlite3.DatabaseError as cause:
            error = cause
    if _code(error) == sqlite3.SQLITE_IOERR and shutil.disk_usage(path.parent).free < _FULL_BYTES:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


def is_refusal(error: Exception) -> bool:
    """Return whether an error says that nothing can be written now: the disk, or the shared database."""
    return _code(error) in _REFUSALS or getattr(error, "is_refusal", False)


def _code(error: Exception) -> int:
    """Return SQLite's primary code of an error, 0 if it has none."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def open_file(path: Path, make_tables: MakeTables | None) -> sqlite3.Connection:
    """Return a new connection, for reading only if the disk cannot be written. Raises sqlite3.DatabaseError."""
    try:
        return _opened_for_writing(path, make_tables)
    except sqlite3.DatabaseError as error:
        if make_tables and is_damage(error) and set_aside(path, make_tables):
            return _opened_for_writing(path, make_tables)
        if is_refusal(error):
            return _opened_for_reading(path, make_tables)
        raise


def _opened_for_writing(path: Path, make_tables: MakeTables | None) -> sqlite3.Connection:
    if make_tables:
        with suppress(OSError):  # SQLite reports it
            make_home(path.parent)
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS)
    try:
        _keep_private(path)
        _write_ahead(connection)
        if make_tables:
            with connection:
                make_tables(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _opened_for_reading(path: Path, make_tables: MakeTables | None) -> sqlite3.Connection:
    """Open the file read-only, or empty tables in memory if there is none."""
    if path.exists() and path.stat().st_size:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
        if make_tables:
            connection = _up_to_date(connection, make_tables)
    else:
        connection = sqlite3.connect(":memory:")
        if make_tables:
            make_tables(connection)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _up_to_date(connection: sqlite3.Connection, make_tables: MakeTables) -> sqlite3.Connection:
    """Return a read-only connection, or a copy in memory if the file is of an earlier version."""
    try:
        make_tables(connection)
        return connection
    except sqlite3.OperationalError as error:
        if not is_refusal(error):
            raise
    copy = sqlite3.connect(":memory:")
    with closing(connection):
        connection.backup(copy)
    make_tables(copy)
    return copy


def _keep_private(path: Path) -> None:
    """Give only the owner access to the database and its side files; SQLite copies the mode to new ones."""
    for file in (path, f"{path}-wal", f"{path}-shm"):
        with suppress(OSError):  # missing, owned by someone else, or on a read-only disk
            if os.stat(file).st_mode & 0o077:
                os.chmod(file, 0o600)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to WAL, so that readers and a writer do not block each other.

    Two processes that switch a new file at once can deadlock; SQLite then returns BUSY at once, so retry.
    """
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
