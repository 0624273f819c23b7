"""The sources of a home folder, and the state of their documents at the last sync."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingest.home.database import now, transaction
from ingest.sources.source import Source, SourceError, seconds_of

_FILE = "sources.sqlite3"
_COLUMNS = ", ".join(field.name for field in fields(Source))
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sources (
    name TEXT PRIMARY KEY, address TEXT NOT NULL UNIQUE, collection TEXT NOT NULL, every TEXT NOT NULL,
    inner INTEGER NOT NULL, next_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS items (
    source TEXT NOT NULL, address TEXT NOT NULL, stamp TEXT NOT NULL, unread INTEGER NOT NULL,
    PRIMARY KEY (source, address)
);
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A document at the last sync. unread: it could not be read, so the table lacks this version."""

    stamp: str
    unread: bool = False


class SourceStore:
    """The sources of one home folder; every method is one transaction and raises SourceError if it fails."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._path = home / _FILE

    def add(self, source: Source) -> None:
        """Add a source, due at once if it has an interval. Raises SourceError if name or address is taken."""
        with self._connection() as connection:
            try:
                connection.execute(f"INSERT INTO sources ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", astuple(source))
            except sqlite3.IntegrityError as error:
                raise SourceError(
                    f"there is a source with the name {source.name!r} or the address {source.address} already; "
                    "for all of them, run: citeloop sources list"
                ) from error

    def sources(self) -> list[Source]:
        """Return all sources, sorted by name."""
        if not self._path.exists():
            return []
        with self._connection() as connection:
            return [_source(row) for row in connection.execute(f"SELECT {_COLUMNS} FROM sources ORDER BY name")]

    def source(self, name: str) -> Source:
        """Return the source with this name. Raises SourceError."""
        found = {source.name: source for source in self.sources()}
        if name not in found:
            raise SourceError(f"there is no source {name!r}; the sources are: {', '.join(found) or 'none yet'}")
        return found[name]

    def remove(self, name: str) -> None:
        """Forget a source and the state of its documents."""
        with self._connection() as connection:
            connection.execute("DELETE FROM sources WHERE name = ?", (name,))
            connection.execute("DELETE FROM items WHERE source = ?", (name,))

    def claim_due(self) -> list[Source]:
        """Return the sources that are due, each to one caller only, and set when they are due again."""
        return [
            source for source in self.sources() if source.next_at and source.next_at <= now() and self.begin(source)
        ]

    def begin(self, source: Source) -> bool:
        """Set when a source is due after a sync that begins now; returns whether nobody else has done so meanwhile."""
        due = datetime.now(UTC) + timedelta(seconds=seconds_of(source.every)) if source.every else None
        next_at = due.isoformat(timespec="milliseconds") if due else ""
        change = "UPDATE sources SET next_at = ? WHERE name = ? AND next_at = ?"
        with self._connection() as connection:
            return connection.execute(change, (next_at, source.name, source.next_at)).rowcount == 1

    def seen(self, name: str) -> dict[str, Seen]:
        """Return address -> document at the last sync."""
        with self._connection() as connection:
            rows = connection.execute("SELECT address, stamp, unread FROM items WHERE source = ?", (name,))
            return {address: Seen(stamp, bool(unread)) for address, stamp, unread in rows}

    def remember(self, name: str, seen: Mapping[str, Seen]) -> None:
        """Record documents as they are now."""
        rows = [(name, address, each.stamp, each.unread) for address, each in seen.items()]
        with self._connection() as connection:
            connection.executemany("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)", rows)

    def forget(self, name: str, addresses: Iterable[str]) -> None:
        """Delete the state of documents that are gone."""
        with self._connection() as connection:
            rows = [(name, address) for address in addresses]
            connection.executemany("DELETE FROM items WHERE source = ? AND address = ?", rows)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with transaction(
                self._path, make_tables=lambda connection: connection.executescript(_SCHEMA)
            ) as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            raise SourceError(f"{self._path} cannot be used: {error}; check free space and permissions") from error


def _source(row: tuple[str, str, str, str, int, str]) -> Source:
    name, address, collection, every, inner, next_at = row
    return Source(name, address, collection, every, bool(inner), next_at)
