"""Corrections of document versions by curators. They win over what is found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select

from ingest import CiteloopError
from ingest.home.database import now
from ingest.home.records import Records, unusable
from ingest.home.tables import MADE, corrections


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
        self._records = Records(home, MADE, unusable(CorrectionError, "the corrections of versions"))

    def all(self) -> list[Correction]:
        """Return all corrections, the oldest first."""
        columns = [corrections.c[field.name] for field in fields(Correction)]
        oldest_first = select(*columns).order_by(corrections.c.made_at, corrections.c.sequence)
        with self._records.reading() as connection:
            return [Correction(*row) for row in connection.execute(oldest_first)]

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
        with self._records.writing() as connection:
            for other_id in other_ids:
                _delete_pair(connection, document_id, other_id)

    def _put(self, made: Iterable[Correction]) -> None:
        with self._records.writing() as connection:
            for correction in made:
                _delete_pair(connection, correction.document_id, correction.other_id)
                connection.execute(insert(corrections), asdict(correction))


def _delete_pair(connection: Connection, *pair: str) -> None:
    """Delete the correction of two documents, in either order."""
    both = corrections.c.document_id.in_(pair), corrections.c.other_id.in_(pair)
    connection.execute(delete(corrections).where(*both))
