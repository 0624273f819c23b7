"""browser cookie -> user id in the database.

Anyone who has a cookie is its user, so no row contains one. Earlier databases contained the cookie, later the first 48
bits of its digest; a graphics card can find another cookie with the same 48 bits within hours.
"""

from __future__ import annotations

import hashlib
import re

from sqlalchemy import Connection, func, select, update

from app.translation import gettext as _
from ingest.home.tables import answers, events, ignored_users, judgements, shares, statements

_TABLES = (answers, shares, events, judgements, statements, ignored_users)


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


def has_rows(connection: Connection, user: str) -> bool:
    """Return whether any row has this user."""
    rows = (select(table.c.user).where(table.c.user == user).limit(1) for table in _TABLES)
    return any(connection.execute(query).first() for query in rows)


def rename_user(connection: Connection, old: str, new: str) -> None:
    """Rename a user in all rows, also inside the ids of events."""
    for table in _TABLES:
        connection.execute(update(table).where(table.c.user == old).values(user=new))
    renamed = func.replace(events.c.id, f"-{old}-", f"-{new}-")
    taken = select(events.c.id).correlate(None).where(events.c.user == new)
    connection.execute(update(events).where(events.c.user == new, renamed.not_in(taken)).values(id=renamed))
