"""Who changed what, when and from where: a table that only grows."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from ingest import CiteloopError
from ingest.home.database import now

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
        from ingest.home.records import Records, unusable  # here, so that `--help` is quick
        from ingest.home.tables import MADE, audit_entries

        self._table, self._records = audit_entries, Records(home, MADE, unusable(AuditError, "the audit log"))

    def add(self, user: str, act: str, subject: str = "", address: str = "") -> None:
        """Append an entry. If that fails, it goes to the server's log: the change itself is already made."""
        entry = AuditEntry(now(), user, act, subject, address)
        try:
            with self._records.writing() as connection:
                connection.execute(self._table.insert(), asdict(entry))
        except AuditError as error:
            _log.error("%s; not written: %s", error, entry)

    def entries(self, last: int | None = None) -> list[AuditEntry]:
        """Return the last entries, by default all, newest first. Raises AuditError."""
        newest_first = self._table.select().order_by(self._table.c.sequence.desc())
        with self._records.reading() as connection:
            rows = connection.execute(newest_first.limit(last))
            return [AuditEntry(*row[1:]) for row in rows]
