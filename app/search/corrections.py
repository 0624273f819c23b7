"""Corrections of document versions by curators, in SQLite beside the table. They win over what is found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

from ingest import CiteloopError
from ingest.home.database import now, transaction

FILE = "versions.sqlite3"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS corrections (
    document_id TEXT NOT NULL, other_id TEXT NOT NULL, is_replaced INTEGER NOT NULL, user TEXT NOT NULL,
    made_at TEXT NOT NULL, PRIMARY KEY (document_id, other_id)
);
"""


class CorrectionError(CiteloopError):
    """The corrections cannot be read or written."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A curator's word on two documents, by id: the other replaces the document, or they are no versions.

    made_at: ISO 8601 in UTC.
    """

    document_id: str
    other_id: str
    is_replaced: bool
    user: str
    made_at: str


class CorrectionStore:
    """The corrections of one home folder; the last one on two documents holds. Methods raise CorrectionError."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE

    def all(self) -> list[Correction]:
        """Return all corrections, the oldest first."""
        if not self._path.exists():
            return []
        with self._connection() as connection:
            rows = connection.execute("SELECT * FROM corrections ORDER BY made_at, rowid").fetchall()
        return [
            Correction(document_id, other_id, bool(replaced), *rest) for document_id, other_id, replaced, *rest in rows
        ]

    def replaced_by(self, document_id: str, other_id: str, user: str) -> None:
        """Record that the other document replaces this one."""
        self._put([Correction(document_id, other_id, True, user, now())])

    def separate(self, document_id: str, other_ids: Iterable[str], user: str) -> None:
        """Record that a document is no version of the others."""
        self._put([Correction(document_id, other_id, False, user, now()) for other_id in other_ids])

    def others(self, document_id: str) -> set[str]:
        """Return the ids of the documents that corrections name together with this one."""
        pairs = [{each.document_id, each.other_id} for each in self.all()]
        return {id for pair in pairs if document_id in pair for id in pair - {document_id}}

    def forget(self, document_id: str, other_ids: Iterable[str]) -> None:
        """Delete the corrections of a document that name these others."""
        with self._connection() as connection:
            for other_id in other_ids:
                pair = (document_id, other_id)
                connection.execute(
                    "DELETE FROM corrections WHERE (document_id, other_id) IN (VALUES (?, ?), (?, ?))",
                    (*pair, *reversed(pair)),
                )

    def _put(self, corrections: Iterable[Correction]) -> None:
        with self._connection() as connection:
            for each in corrections:
                connection.execute(
                    "DELETE FROM corrections WHERE document_id = ? AND other_id = ?", (each.other_id, each.document_id)
                )
                connection.execute("INSERT OR REPLACE INTO corrections VALUES (?, ?, ?, ?, ?)", astuple(each))

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with transaction(self._path, make_tables=lambda connection: connection.executescript(_SCHEMA)) as opened:
                yield opened
        except sqlite3.DatabaseError as error:
            raise CorrectionError(
                f"the corrections of versions in {self._path} cannot be used: {error}; free some space or check the "
                "permissions, and if it stays so, run: citeloop doctor"
            ) from error
