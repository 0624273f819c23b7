"""SQLite, for the rows that people made or wait for: one transaction for one act."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

_PATIENCE_SECONDS = 30.0
"""So long an act waits for those that others are at."""


def now() -> str:
    """The time as rows note it: in UTC, ISO 8601 to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@contextmanager
def transaction(path: Path, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
    """A connection of its own for one transaction, since pages run in many threads; an exception rolls it back.

    durable: it survives a power cut, at the price of waiting for the disk. Only the owner may read the file, whatever
    the umask. Raises sqlite3.DatabaseError.
    """
    with closing(sqlite3.connect(path, timeout=_PATIENCE_SECONDS)) as connection:
        _keep_private(path)
        _write_ahead(connection)
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        with connection:
            yield connection


def _keep_private(path: Path) -> None:
    """Close the database and its side files to others; a new one is still empty, and SQLite copies its mode."""
    for file in (path, f"{path}-wal", f"{path}-shm"):
        with suppress(FileNotFoundError, PermissionError):
            if os.stat(file).st_mode & 0o077:
                os.chmod(file, 0o600)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Let readers and a writer go on beside each other.

    A new file is switched to that by whoever opens it first. Of two who try at once, SQLite turns one away without
    waiting, since each holds what the other needs.
    """
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)


def add_missing_columns(
    connection: sqlite3.Connection, table: str, columns: Sequence[str], default: str = "NULL"
) -> None:
    """Give a table that an older version has made the columns that it did not know; default: what stands in them."""

    def missing() -> list[str]:
        present = {name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")}
        return [column for column in columns if column not in present]

    if missing():
        connection.execute("BEGIN IMMEDIATE")  # else two that open the file at once would both add them
        for column in missing():
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} DEFAULT {default}")
