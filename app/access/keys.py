"""Name and limits -> key, once; key -> ApiKey on each use. Only digests of keys are stored, in SQLite."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingest import CiteloopError
from ingest.home.database import add_missing_columns, is_refusal, now, transaction

SCOPES = ("search", "ask", "rerank", "feedback")
"""Permissions of keys: each is a path below /v1."""
PREFIX = "citeloop_"
"""Start of every key."""
DEFAULT_RATE = 300
_OLD_NUM_USERS = 100
"""For keys older than limits, so that programs with many users keep working."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    sha256 TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL, last_used_at TEXT
);
CREATE TABLE IF NOT EXISTS key_users (name TEXT NOT NULL, user TEXT NOT NULL, PRIMARY KEY (name, user));
"""
_LIMITS = {
    "scopes": f"'{' '.join(SCOPES)}'",
    "expires_at": "NULL",
    "rate": str(DEFAULT_RATE),
    "num_users": str(_OLD_NUM_USERS),
    "owner": "''",
    "collections": "NULL",
}
"""Column -> SQL default for keys older than limits."""
_COLUMNS = "name, created_at, last_used_at, scopes, expires_at, rate, num_users, owner, collections"
_USE_INTERVAL = timedelta(minutes=1)
"""The time of last use is stored at most this often, not with every request."""


class KeyStoreError(CiteloopError):
    """A name is invalid or unknown, or the database of keys cannot be read or written."""


class _ReadOnlyError(KeyStoreError):
    """The disk is full or read-only."""


class UserLimitError(KeyStoreError):
    """A key has more users than its limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a key. Raises KeyStoreError for an unknown scope.

    scopes: some of SCOPES. expires_at: ISO 8601 in UTC, None: never. rate: requests per minute. num_users: users that
    it may name, including the program itself. owner: e-mail address of the person whose rights it has, '' for none.
    collections: which it may read, if its owner may too; None: the owner's, or those open to everybody.
    """

    scopes: tuple[str, ...] = SCOPES
    expires_at: str | None = None
    rate: int = DEFAULT_RATE
    num_users: int = 1
    owner: str = ""
    collections: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if unknown := [scope for scope in self.scopes if scope not in SCOPES]:
            raise KeyStoreError(f"expected scopes among {', '.join(SCOPES)}; got {unknown[0]!r:.80}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key's record. created_at, last_used_at: ISO 8601 in UTC, the latter to the minute; None: never."""

    name: str
    created_at: str
    last_used_at: str | None
    limits: Limits

    @property
    def is_expired(self) -> bool:
        """Return whether its last day is over."""
        return self.limits.expires_at is not None and self.limits.expires_at <= now()


class KeyStore:
    """The keys of one home folder; every method raises KeyStoreError when the file is damaged.

    A key has 256 random bits, so a plain SHA-256 is safe without salt or a slow hash. Keys are looked up by digest: the
    time may reveal something about digests, but not about keys, so no constant-time comparison is needed.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / "keys.sqlite3"
        with self._connection():  # makes the tables
            pass

    def create(self, name: str, limits: Limits | None = None) -> str:
        """Create and return a key; it cannot be shown again. Raises KeyStoreError if the name has one."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise KeyStoreError(f"a name has up to 64 letters, digits, dots, hyphens and underscores; got {name!r:.80}")
        key = f"{PREFIX}{secrets.token_urlsafe(32)}"
        with self._connection() as connection:
            inserted = connection.execute(
                f"INSERT INTO keys (sha256, {_COLUMNS}) VALUES (?, ?, ?, NULL, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (name) DO NOTHING",
                (_digest(key), name, now(), *_row(limits or Limits())),
            )
        if not inserted.rowcount:
            raise KeyStoreError(f"{name} has a key already; choose another name, or run: citeloop keys remove {name}")
        return key

    def keys(self) -> list[ApiKey]:
        """Return all keys, sorted by name."""
        with self._connection() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM keys ORDER BY name").fetchall()
        return [_to_key(row) for row in rows]

    def change(self, name: str, limits: Limits) -> None:
        """Change a key's limits from the next request on. Raises KeyStoreError for an unknown name."""
        with self._connection() as connection:
            changed = connection.execute(
                "UPDATE keys SET scopes = ?, expires_at = ?, rate = ?, num_users = ?, owner = ?, collections = ?"
                " WHERE name = ?",
                (*_row(limits), name),
            )
        if not changed.rowcount:
            raise self._unknown(name)

    def limits(self, name: str) -> Limits:
        """Return the limits of a key. Raises KeyStoreError for an unknown name."""
        for key in self.keys():
            if key.name == name:
                return key.limits
        raise self._unknown(name)

    def remove(self, name: str) -> None:
        """Delete a key, which is refused from the next request on. Raises KeyStoreError for an unknown name."""
        with self._connection() as connection:
            removed = connection.execute("DELETE FROM keys WHERE name = ?", (name,))
            connection.execute("DELETE FROM key_users WHERE name = ?", (name,))
        if not removed.rowcount:
            raise self._unknown(name)

    def find(self, key: str) -> ApiKey | None:
        """Return the record of a key, or None; updates its time of last use."""
        digest = _digest(key)
        with self._connection() as connection:
            row = connection.execute(f"SELECT {_COLUMNS} FROM keys WHERE sha256 = ?", (digest,)).fetchone()
        found = _to_key(row) if row else None
        if found and _is_long_ago(found.last_used_at):
            with suppress(_ReadOnlyError), self._connection() as connection:  # a full disk must not disable keys
                connection.execute("UPDATE keys SET last_used_at = ? WHERE sha256 = ?", (now(), digest))
        return found

    def speak_for(self, key: ApiKey, user: str) -> None:
        """Record that a key names this user; the first ones that it names are its users.

        Raises UserLimitError when its limit is reached.
        """
        try:
            if self._add_user(key, user):
                return
        except _ReadOnlyError:  # do not refuse a question because the disk is full; feedback is not saved either
            return
        raise UserLimitError(
            f"the key of {key.name} has reached its limit of users ({key.limits.num_users}, including itself), and "
            f"{user!r:.110} is new; omit user, or allow more with: citeloop keys change {key.name} --users N"
        )

    def _add_user(self, key: ApiKey, user: str) -> bool:
        """Add a user to a key if there is room; returns whether it is among the key's users."""
        known = "SELECT 1 FROM key_users WHERE name = ? AND user = ?"
        with self._connection() as connection:
            if not connection.execute(known, (key.name, user)).fetchone():
                connection.execute(  # count and insert in one statement, so that two requests cannot both be the last
                    "INSERT INTO key_users SELECT :name, :user"
                    " WHERE (SELECT COUNT(*) FROM key_users WHERE name = :name) < :num_others ON CONFLICT DO NOTHING",
                    {"name": key.name, "user": user, "num_others": key.limits.num_users - 1},
                )
            return connection.execute(known, (key.name, user)).fetchone() is not None

    def _unknown(self, name: str) -> KeyStoreError:
        known = ", ".join(key.name for key in self.keys()) or "none"
        return KeyStoreError(f"no key is named {name!r:.80}; known: {known}")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with transaction(self._path, make_tables=_make_tables) as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            kind = _ReadOnlyError if is_refusal(error) else KeyStoreError
            raise kind(  # without the path of the home folder, since clients without a key can read it
                f"the keys in {self._path.name} of the home folder cannot be used: {error}; check free space and "
                "permissions, and if the keys are gone, make new ones: citeloop keys add NAME"
            ) from error


def _make_tables(connection: sqlite3.Connection) -> None:
    connection.executescript(_SCHEMA)
    for column, default in _LIMITS.items():
        add_missing_columns(connection, "keys", [column], default)


def _row(limits: Limits) -> tuple[str, str | None, int, int, str, str | None]:
    collections = None if limits.collections is None else json.dumps(limits.collections)
    return " ".join(limits.scopes), limits.expires_at, limits.rate, limits.num_users, limits.owner, collections


def _to_key(row: tuple[str, str, str | None, str, str | None, int, int, str, str | None]) -> ApiKey:
    name, created_at, last_used_at, scopes, expires_at, rate, num_users, owner, collections = row
    allowed = tuple(scope for scope in SCOPES if scope in scopes.split())
    limits = Limits(
        scopes=allowed,
        expires_at=expires_at,
        rate=rate,
        num_users=num_users,
        owner=owner,
        collections=tuple(json.loads(collections)) if collections else None,
    )
    return ApiKey(name, created_at, last_used_at, limits)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _is_long_ago(at: str | None) -> bool:
    return at is None or datetime.now(UTC) - datetime.fromisoformat(at) > _USE_INTERVAL
