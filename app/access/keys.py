"""name and limits -> key, once; key -> ApiKey, whenever it is used. Only digests of keys are kept, in SQLite."""

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
from ingest.home.database import add_missing_columns, is_refusal, now, transaction

SCOPES = ("search", "ask", "rerank", "feedback")
"""What keys may do: each is a path below /v1."""
DEFAULT_RATE = 300
_EARLIER_NUM_USERS = 100
"""Of keys that were made before they had limits, so that programs with many users keep working."""

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
    "num_users": str(_EARLIER_NUM_USERS),
}
"""Column -> what stands in it for a key that was made before there were limits."""
_COLUMNS = "name, created_at, last_used_at, scopes, expires_at, rate, num_users"
_USE_IS_NOTED_AFTER = timedelta(minutes=1)
"""A key that is used all the time would else be written down with every request."""


class KeyStoreError(CiteloopError):
    """A name cannot be used, or the database of keys cannot be read or written."""


class _NotNotedError(KeyStoreError):
    """The disk is full or may not be written."""


class UserLimitError(KeyStoreError):
    """A key speaks for more users than it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a key may do. Raises KeyStoreError for an unknown scope.

    scopes: some of SCOPES. expires_at: ISO 8601 in UTC, None: never. rate: requests a minute. num_users: how many users
    it may ask and give feedback for, the program itself included.
    """

    scopes: tuple[str, ...] = SCOPES
    expires_at: str | None = None
    rate: int = DEFAULT_RATE
    num_users: int = 1

    def __post_init__(self) -> None:
        if unknown := [scope for scope in self.scopes if scope not in SCOPES]:
            raise KeyStoreError(f"expected scopes among {', '.join(SCOPES)}; got {unknown[0]!r:.80}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key. created_at, last_used_at: ISO 8601 in UTC, the latter to the minute; None: never."""

    name: str
    created_at: str
    last_used_at: str | None
    limits: Limits

    @property
    def is_expired(self) -> bool:
        """Whether its last day is over."""
        return self.limits.expires_at is not None and self.limits.expires_at <= now()


class KeyStore:
    """The keys of one home folder; every method raises KeyStoreError when the file is damaged.

    A key is 256 random bits, so that a plain SHA-256 of it cannot be guessed back, and needs neither salt nor a
    slow hash. It is found by its digest: how long that takes says something of digests, which nobody can choose,
    and nothing of keys, so that no comparison has to take constant time.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / "keys.sqlite3"
        with self._connection():  # makes the tables
            pass

    def create(self, name: str, limits: Limits | None = None) -> str:
        """A new key for this name; it is shown now and never again. Raises KeyStoreError if the name has one."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise KeyStoreError(f"a name has up to 64 letters, digits, dots, hyphens and underscores; got {name!r:.80}")
        key = f"citeloop_{secrets.token_urlsafe(32)}"
        with self._connection() as connection:
            inserted = connection.execute(
                f"INSERT INTO keys (sha256, {_COLUMNS}) VALUES (?, ?, ?, NULL, ?, ?, ?, ?)"
                " ON CONFLICT (name) DO NOTHING",
                (_digest(key), name, now(), *_row(limits or Limits())),
            )
        if not inserted.rowcount:
            raise KeyStoreError(f"{name} has a key already; take another name, or: citeloop keys remove {name}")
        return key

    def keys(self) -> list[ApiKey]:
        """All keys, by name."""
        with self._connection() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM keys ORDER BY name").fetchall()
        return [_to_key(row) for row in rows]

    def change(self, name: str, limits: Limits) -> None:
        """Give a key other limits from the next request on. Raises KeyStoreError when there is none of this name."""
        with self._connection() as connection:
            changed = connection.execute(
                "UPDATE keys SET scopes = ?, expires_at = ?, rate = ?, num_users = ? WHERE name = ?",
                (*_row(limits), name),
            )
        if not changed.rowcount:
            raise self._unknown(name)

    def limits(self, name: str) -> Limits:
        """The limits of a key. Raises KeyStoreError when there is none of this name."""
        for key in self.keys():
            if key.name == name:
                return key.limits
        raise self._unknown(name)

    def remove(self, name: str) -> None:
        """Its key is refused from the next request on. Raises KeyStoreError when there is none of this name."""
        with self._connection() as connection:
            removed = connection.execute("DELETE FROM keys WHERE name = ?", (name,))
            connection.execute("DELETE FROM key_users WHERE name = ?", (name,))
        if not removed.rowcount:
            raise self._unknown(name)

    def find(self, key: str) -> ApiKey | None:
        """What is known of this key, None if it is nobody's; notes that it was used."""
        digest = _digest(key)
        with self._connection() as connection:
            row = connection.execute(f"SELECT {_COLUMNS} FROM keys WHERE sha256 = ?", (digest,)).fetchone()
        found = _to_key(row) if row else None
        if found and _is_long_ago(found.last_used_at):
            with suppress(_NotNotedError), self._connection() as connection:  # a full disk is no reason to refuse a key
                connection.execute("UPDATE keys SET last_used_at = ? WHERE sha256 = ?", (now(), digest))
        return found

    def speak_for(self, key: ApiKey, user: str) -> None:
        """Note that a key speaks for this user; the first ones that it names are its users.

        Raises UserLimitError when it has as many as it may.
        """
        try:
            if self._note_user(key, user):
                return
        except _NotNotedError:  # a full disk is no reason to refuse a question; what the user says is not saved either
            return
        raise UserLimitError(
            f"the key of {key.name} speaks for as many users as it may ({key.limits.num_users}, itself included), and "
            f"{user!r:.110} is one more; leave user out, or allow more with: citeloop keys change {key.name} --users N"
        )

    def _note_user(self, key: ApiKey, user: str) -> bool:
        """Return whether this user is among those of a key, now if not before."""
        known = "SELECT 1 FROM key_users WHERE name = ? AND user = ?"
        with self._connection() as connection:
            if not connection.execute(known, (key.name, user)).fetchone():
                connection.execute(  # counted while it is written, so that two requests cannot both be the last one
                    "INSERT INTO key_users SELECT :name, :user"
                    " WHERE (SELECT COUNT(*) FROM key_users WHERE name = :name) < :num_others ON CONFLICT DO NOTHING",
                    {"name": key.name, "user": user, "num_others": key.limits.num_users - 1},
                )
            return connection.execute(known, (key.name, user)).fetchone() is not None

    def _unknown(self, name: str) -> KeyStoreError:
        known = ", ".join(each.name for each in self.keys()) or "none"
        return KeyStoreError(f"no key is named {name!r:.80}; there are: {known}")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with transaction(self._path, make_tables=_make_tables) as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            kind = _NotNotedError if is_refusal(error) else KeyStoreError
            raise kind(  # requests without a key get to read it, too: it does not say where the home folder is
                f"the keys in {self._path.name} of the home folder cannot be used: {error}; look at the free space and "
                "the permissions, and make new keys if they are gone: citeloop keys add NAME"
            ) from error


def _make_tables(connection: sqlite3.Connection) -> None:
    connection.executescript(_SCHEMA)
    for column, default in _LIMITS.items():
        add_missing_columns(connection, "keys", [column], default)


def _row(limits: Limits) -> tuple[str, str | None, int, int]:
    return " ".join(limits.scopes), limits.expires_at, limits.rate, limits.num_users


def _to_key(row: tuple[str, str, str | None, str, str | None, int, int]) -> ApiKey:
    name, created_at, last_used_at, scopes, expires_at, rate, num_users = row
    given = tuple(scope for scope in SCOPES if scope in scopes.split())
    limits = Limits(scopes=given, expires_at=expires_at, rate=rate, num_users=num_users)
    return ApiKey(name, created_at, last_used_at, limits)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _is_long_ago(at: str | None) -> bool:
    return at is None or datetime.now(UTC) - datetime.fromisoformat(at) > _USE_IS_NOTED_AFTER
