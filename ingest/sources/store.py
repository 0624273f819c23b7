"""The sources of a home folder, and the state of their documents at the last sync."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from ingest.home.database import now
from ingest.home.records import Records, put, unusable
from ingest.home.tables import MADE, source_items, sources
from ingest.sources.source import Source, SourceError, seconds_of


@dataclass(frozen=True, slots=True)
class Seen:
    """A document at the last sync. unread: it could not be read, so the table lacks this version."""

    stamp: str
    unread: bool = False


class SourceStore:
    """The sources of one home folder; every method is one transaction and raises SourceError if it fails."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._records = Records(home, MADE, unusable(SourceError, "the sources"))

    def add(self, source: Source) -> None:
        """Add a source, due at once if it has an interval. Raises SourceError if name or address is taken."""
        with self._records.writing() as connection:
            try:
                connection.execute(insert(sources), asdict(source))
            except IntegrityError as error:
                raise SourceError(
                    f"there is a source with the name {source.name!r} or the address {source.address} already; "
                    "for all of them, run: citeloop sources list"
                ) from error

    def sources(self) -> list[Source]:
        """Return all sources, sorted by name."""
        with self._records.reading() as connection:
            return [Source(*row) for row in connection.execute(select(sources).order_by(sources.c.name))]

    def source(self, name: str) -> Source:
        """Return the source with this name. Raises SourceError."""
        found = {source.name: source for source in self.sources()}
        if name not in found:
            raise SourceError(f"there is no source {name!r}; the sources are: {', '.join(found) or 'none yet'}")
        return found[name]

    def remove(self, name: str) -> None:
        """Forget a source and the state of its documents."""
        with self._records.writing() as connection:
            connection.execute(delete(sources).where(sources.c.name == name))
            connection.execute(delete(source_items).where(source_items.c.source == name))

    def claim_due(self) -> list[Source]:
        """Return the sources that are due, each to one caller only, and set when they are due again."""
        return [
            source for source in self.sources() if source.next_at and source.next_at <= now() and self.begin(source)
        ]

    def begin(self, source: Source) -> bool:
        """Set when a source is due after a sync that begins now; returns whether nobody else has done so meanwhile."""
        due = datetime.now(UTC) + timedelta(seconds=seconds_of(source.every)) if source.every else None
        next_at = due.isoformat(timespec="milliseconds") if due else ""
        as_before = sources.c.name == source.name, sources.c.next_at == source.next_at
        with self._records.writing() as connection:
            return connection.execute(update(sources).where(*as_before).values(next_at=next_at)).rowcount == 1

    def seen(self, name: str) -> dict[str, Seen]:
        """Return address -> document at the last sync."""
        columns = source_items.c.address, source_items.c.stamp, source_items.c.unread
        with self._records.reading() as connection:
            rows = connection.execute(select(*columns).where(source_items.c.source == name))
            return {address: Seen(stamp, unread) for address, stamp, unread in rows}

    def remember(self, name: str, seen: Mapping[str, Seen]) -> None:
        """Record documents as they are now."""
        rows = [{"source": name, "address": address, **asdict(one)} for address, one in seen.items()]
        with self._records.writing() as connection:
            put(connection, source_items, rows, "source", "address")

    def forget(self, name: str, addresses: Iterable[str]) -> None:
        """Delete the state of documents that are gone."""
        gone = source_items.c.source == name, source_items.c.address == bindparam("gone")
        if rows := [{"gone": address} for address in addresses]:
            with self._records.writing() as connection:
                connection.execute(delete(source_items).where(*gone), rows)
