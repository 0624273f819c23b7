"""SQLite, for the rows that people made or wait for: one transaction for one act."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path


def now() -> str:
    """The time as rows note it: in UTC, ISO 8601 to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@contextmanager
def transaction(path: Path, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
    """A connection of its own for one transaction, since pages run in many threads; an exception rolls it back.

    durable: it survives a power cut, at the price of waiting for the disk. Raises sqlite3.DatabaseError.
    """
    with closing(sqlite3.connect(path, timeout=30.0)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        with connection:
            yield connection
