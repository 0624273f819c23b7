"""browser cookie -> user id in the database.

Anyone who has a cookie is its user, so no row contains one. Earlier databases contained the cookie, later the first 48
bits of its digest; a graphics card can find another cookie with the same 48 bits within hours.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3

from app.translation import gettext as _

_VERSION = 1
"""PRAGMA user_version of a database without cookies."""
_TABLES = ("answers", "shares", "events", "judgements", "statements", "ignored_users")


def user_of_cookie(cookie: str) -> str:
    """Return the user id of a cookie: 128 bits of its digest, as 32 hex digits."""
    return hashlib.sha256(cookie.encode()).hexdigest()[:32]


def shown_name(user: str) -> str:
    """Return a name, or the beginning of a browser's id."""
    if re.fullmatch(r"[0-9a-f]{12}|[0-9a-f]{32}", user):
        return _("visitor {id}", id=user[:4])
    return user or _("nobody")


def earlier_name(user: str) -> str:
    """Return the id that earlier versions used for a browser; people with a name keep it."""
    return user[:12] if re.fullmatch(r"[0-9a-f]{32}", user) else user


def replace_cookies(connection: sqlite3.Connection) -> None:
    """Replace the cookies in an early database by user ids."""
    if _version(connection) >= _VERSION:
        return
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        if _version(connection) < _VERSION:
            rows = " UNION ".join(f"SELECT user FROM {table}" for table in _TABLES)
            for (user,) in connection.execute(rows).fetchall():
                if re.fullmatch(r"[0-9a-f]{32}", user):
                    rename_user(connection, user, user_of_cookie(user))
            connection.execute(f"PRAGMA user_version = {_VERSION}")


def has_rows(connection: sqlite3.Connection, user: str) -> bool:
    """Return whether any row has this user."""
    rows = " UNION ALL ".join(f"SELECT 1 FROM {table} WHERE user = :user" for table in _TABLES)
    return connection.execute(f"{rows} LIMIT 1", {"user": user}).fetchone() is not None


def rename_user(connection: sqlite3.Connection, old: str, new: str) -> None:
    """Rename a user in all rows, also inside the ids of events."""
    for table in _TABLES:
        connection.execute(f"UPDATE {table} SET user = ? WHERE user = ?", (new, old))
    renamed = "UPDATE OR IGNORE events SET id = replace(id, ?, ?) WHERE user = ?"
    connection.execute(renamed, (f"-{old}-", f"-{new}-", new))


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
