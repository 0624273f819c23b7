"""Name and limits -> key, once; key -> ApiKey on each use. Only digests of keys are stored."""

from __future__ import annotations

import hashlib
import re
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from app.access.limits import SCOPES, KeyStoreError, Limits
from ingest.home.database import is_refusal, now
from ingest.home.records import Records
from ingest.home.tables import MADE, key_users, keys

PREFIX = "citeloop_"
"""Start of every key."""
_USE_INTERVAL = timedelta(minutes=1)
"""The time of last use is stored at most this often, not with every request."""


class _ReadOnlyError(KeyStoreError):
    """The disk is full or read-only."""


class UserLimitError(KeyStoreError):
    """A key has more users than its limit."""


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
        self._records = Records(home, MADE, _explain)

    def create(self, name: str, limits: Limits | None = None) -> str:
        """Create and return a key; it cannot be shown again. Raises KeyStoreError if the name has one."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise KeyStoreError(f"a name has up to 64 letters, digits, dots, hyphens and underscores; got {name!r:.80}")
        key = f"{PREFIX}{secrets.token_urlsafe(32)}"
        with self._records.writing() as connection:
            if connection.execute(select(keys).where(keys.c.name == name)).first():
                raise KeyStoreError(
                    f"{name} has a key already; choose another name, or run: citeloop keys remove {name}"
                )
            row = {"sha256": _digest(key), "name": name, "created_at": now(), **_row(limits or Limits())}
            connection.execute(insert(keys), row)
        return key

    def keys(self) -> list[ApiKey]:
        """Return all keys, sorted by name."""
        with self._records.reading() as connection:
            return [_to_key(row) for row in connection.execute(select(keys).order_by(keys.c.name))]

    def change(self, name: str, limits: Limits) -> None:
        """Change a key's limits from the next request on. Raises KeyStoreError for an unknown name."""
        with self._records.writing() as connection:
            changed = connection.execute(update(keys).where(keys.c.name == name).values(_row(limits)))
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
        with self._records.writing() as connection:
            removed = connection.execute(delete(keys).where(keys.c.name == name))
            connection.execute(delete(key_users).where(key_users.c.name == name))
        if not removed.rowcount:
            raise self._unknown(name)

    def find(self, key: str) -> ApiKey | None:
        """Return the record of a key, or None; updates its time of last use."""
        is_it = keys.c.sha256 == _digest(key)
        with self._records.reading() as connection:
            row = connection.execute(select(keys).where(is_it)).first()
        found = _to_key(row) if row else None
        if found and _is_long_ago(found.last_used_at):
            with suppress(_ReadOnlyError), self._records.writing() as connection:  # a full disk must not disable keys
                connection.execute(update(keys).where(is_it).values(last_used_at=now()))
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
        users = select(key_users.c.user).where(key_users.c.name == key.name)
        with self._records.reading() as connection:
            if connection.execute(users.where(key_users.c.user == user)).first():
                return True
        with self._records.writing() as connection:
            known = connection.scalars(users).all()
            has_room = len(known) < key.limits.num_users - 1
            if user not in known and has_room:
                connection.execute(insert(key_users).values((key.name, user)))
            return user in known or has_room

    def _unknown(self, name: str) -> KeyStoreError:
        known = ", ".join(key.name for key in self.keys()) or "none"
        return KeyStoreError(f"no key is named {name!r:.80}; known: {known}")


def _explain(error: Exception) -> KeyStoreError:
    kind = _ReadOnlyError if is_refusal(error) else KeyStoreError
    return kind(  # without the path of the home folder, since clients without a key can read it
        f"the keys of the home folder cannot be used: {error}; check free space and permissions, and if the keys are "
        "gone, make new ones: citeloop keys add NAME"
    )


def _row(limits: Limits) -> dict[str, Any]:
    return {**asdict(limits), "scopes": " ".join(limits.scopes)}


def _to_key(row: Row[Any]) -> ApiKey:
    values = {field.name: getattr(row, field.name) for field in fields(Limits)}
    values["scopes"] = tuple(scope for scope in SCOPES if scope in row.scopes.split())
    return ApiKey(row.name, row.created_at, row.last_used_at, Limits(**values))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _is_long_ago(at: str | None) -> bool:
    return at is None or datetime.now(UTC) - datetime.fromisoformat(at) > _USE_INTERVAL
