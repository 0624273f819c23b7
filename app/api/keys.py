"""name -> key, once; key -> name, whenever it is used. Only digests of keys are kept, in one SQLite file."""

from __future__ import annotations

import hashlib
import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingest import CiteloopError
from ingest.database import now, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    sha256 TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL, last_used_at TEXT
)
"""
_USE_IS_NOTED_AFTER = timedelta(minutes=1)
"""A key that is used all the time would else be written down with every request."""


class KeyStoreError(CiteloopError):
    """A name cannot be used, or the database of keys cannot be read or written."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key. created_at, last_used_at: ISO 8601 in UTC, the latter to the minute; None: never."""

    name: str
    created_at: str
    last_used_at: str | None


class KeyStore:
    """The keys of one home folder; every method raises KeyStoreError when the file is damaged.

    A key is 256 random bits, so that a plain SHA-256 of it cannot be guessed back, and needs neither salt nor a
    slow hash. It is found by its digest: how long that takes says something of digests, which nobody can choose,
    and nothing of keys, so that no comparison has to take constant time.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / "keys.sqlite3"
        with self._connection() as connection:
            connection.execute(_SCHEMA)

    def create(self, name: str) -> str:
        """A new key for this name; it is shown now and never again. Raises KeyStoreError if the name has one."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise KeyStoreError(f"a name has up to 64 letters, digits, dots, hyphens and underscores; got {name!r:.80}")
        key = f"citeloop_{secrets.token_urlsafe(32)}"
        with self._connection() as connection:
            inserted = connection.execute(
                "INSERT INTO keys VALUES (?, ?, ?, NULL) ON CONFLICT (name) DO NOTHING", (_digest(key), name, now())
            )
        if not inserted.rowcount:
            raise KeyStoreError(f"{name} has a key already; take another name, or: citeloop keys remove {name}")
        return key

    def keys(self) -> list[ApiKey]:
        """All keys, by name."""
        with self._connection() as connection:
            rows = connection.execute("SELECT name, created_at, last_used_at FROM keys ORDER BY name").fetchall()
        return [ApiKey(*row) for row in rows]

    def remove(self, name: str) -> None:
        """Its key is refused from the next request on. Raises KeyStoreError when there is none of this name."""
        with self._connection() as connection:
            removed = connection.execute("DELETE FROM keys WHERE name = ?", (name,))
        if not removed.rowcount:
            known = ", ".join(each.name for each in self.keys()) or "none"
            raise KeyStoreError(f"no key is named {name!r:.80}; there are: {known}")

    def name_of(self, key: str) -> str | None:
        """Whose key this is, None for nobody's; notes that it was used."""
        digest = _digest(key)
        with self._connection() as connection:
            row = connection.execute("SELECT name, last_used_at FROM keys WHERE sha256 = ?", (digest,)).fetchone()
        if row and _is_long_ago(row[1]):
            with suppress(KeyStoreError), self._connection() as connection:  # a full disk is no reason to refuse a key
                connection.execute("UPDATE keys SET last_used_at = ? WHERE sha256 = ?", (now(), digest))
        return str(row[0]) if row else None

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with transaction(self._path, make_tables=_make_tables) as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            raise KeyStoreError(  # requests without a key get to read it, too: it does not say where the home folder is
                f"the keys in {self._path.name} of the home folder cannot be used: {error}; look at the free space and "
                "the permissions, and make new keys if they are gone: citeloop keys add NAME"
            ) from error


def _make_tables(connection: sqlite3.Connection) -> None:
    connection.execute(_SCHEMA)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _is_long_ago(at: str | None) -> bool:
    return at is None or datetime.now(UTC) - datetime.fromisoformat(at) > _USE_IS_NOTED_AFTER
