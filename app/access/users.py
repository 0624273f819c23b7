"""cookie of a browser -> id of its user in the database.

Anyone who has a cookie is its user, so no row holds one. Databases of earlier versions held the cookie itself,
later the first 48 bits of its digest; a graphics card finds another cookie with the same 48 bits within hours.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3

_VERSION = 1
"""PRAGMA user_version of a database whose rows hold no cookie."""
_TABLES = ("answers", "shares", "events", "judgements")


def user_of_cookie(cookie: str) -> str:
    """Return the user of a cookie: 128 bits of its digest, as 32 hex digits."""
    return hashlib.sha256(cookie.encode()).hexdigest()[:32]


def earlier_name(user: str) -> str:
    """Return the name that earlier versions gave the user of a cookie."""
    return user[:12]


def replace_cookies(connection: sqlite3.Connection) -> None:
    """Give the rows of an early database, whose users are cookies, the users of those cookies."""
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
    """Return whether any row is of this user."""
    rows = " UNION ALL ".join(f"SELECT 1 FROM {table} WHERE user = :user" for table in _TABLES)
    return connection.execute(f"{rows} LIMIT 1", {"user": user}).fetchone() is not None


def rename_user(connection: sqlite3.Connection, old: str, new: str) -> None:
    """Give all rows of a user another name, also inside the ids of events."""
    for table in _TABLES:
        connection.execute(f"UPDATE {table} SET user = ? WHERE user = ?", (new, old))
    renamed = "UPDATE OR IGNORE events SET id = replace(id, ?, ?) WHERE user = ?"
    connection.execute(renamed, (f"-{old}-", f"-{new}-", new))


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
