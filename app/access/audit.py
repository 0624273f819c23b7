"""Who changed what, when and from where: a table that only grows."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

from ingest import CiteloopError
from ingest.home.database import now, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, user TEXT NOT NULL, act TEXT NOT NULL,
    subject TEXT NOT NULL, address TEXT NOT NULL
);
CREATE TRIGGER IF NOT EXISTS never_changed BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'only grows'); END;
CREATE TRIGGER IF NOT EXISTS never_removed BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'only grows'); END;
"""


_log = logging.getLogger(__name__)


class AuditError(CiteloopError):
    """The audit log cannot be read or written."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change. at: ISO 8601 in UTC. subject: what was changed, '' if the act says it. address: '' if local.

    Never holds the text of a question or answer.
    """

    at: str
    user: str
    act: str
    subject: str
    address: str


class AuditLog:
    """The audit log of one home folder."""

    def __init__(self, home: Path) -> None:
        self._path = home / "audit.sqlite3"

    def add(self, user: str, act: str, subject: str = "", address: str = "") -> None:
        """Append an entry. If that fails, it goes to the server's log: the change itself is already made."""
        entry = AuditEntry(now(), user, act, subject, address)
        try:
            with self._connection() as connection:
                row = astuple(entry)
                connection.execute("INSERT INTO entries (at, user, act, subject, address) VALUES (?, ?, ?, ?, ?)", row)
        except AuditError as error:
            _log.error("%s; not written: %s", error, entry)

    def entries(self, last: int = -1) -> list[AuditEntry]:
        """Return the last entries, by default all, newest first. Raises AuditError."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT at, user, act, subject, address FROM entries ORDER BY sequence DESC LIMIT ?", (last,)
            )
            return [AuditEntry(*row) for row in rows]

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with transaction(self._path, make_tables=_make_tables) as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            raise AuditError(
                f"the audit log in {self._path.name} of the home folder cannot be used: {error}; check free space and "
                "permissions"
            ) from error


def _make_tables(connection: sqlite3.Connection) -> None:
    connection.executescript(_SCHEMA)
