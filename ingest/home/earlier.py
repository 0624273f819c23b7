"""Databases of earlier versions, one for each store -> rows of today's.

The rows are copied in the transaction that makes the new tables; the earlier files are renamed only afterwards, so a
process may be killed at any time.
"""

from __future__ import annotations

import hashlib
import logging
import re
import sqlite3
from collections.abc import Collection
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from ingest.home.damaged_database import copy_table, damaged_name, is_damage, is_whole, rename_with_log

FOLDER = ".earlier-databases"
"""Holds the files of earlier versions, below the home folder; not in backups."""
_TABLES = {
    "feedback": {
        **{name: name for name in ("answers", "titles", "removed", "shares", "events", "judgements")},
        **{name: name for name in ("question_vectors", "ignored_users", "statements")},
        "unanswered": "statements",  # of a version that stated only that nothing answers
    },
    "versions": {"corrections": "corrections"},
    "keys": {"keys": "keys", "key_users": "key_users"},
    "audit": {"entries": "audit_entries"},
    "models": {name: name for name in ("models", "promotions", "trials", "switches")},
    "training": {"parts": "question_parts"},
    "sources": {"sources": "sources", "items": "source_items"},
    "proposals": {"proposals": "proposals", "jobs": "proposal_jobs"},
    "jobs": {"jobs": "ingest_jobs", "results": "ingest_results"},
    "answering": {"jobs": "answer_jobs"},
    "training_jobs": {"jobs": "training_jobs", "losses": "training_losses"},
    "download_jobs": {"jobs": "download_jobs"},
}
"""File -> table in it -> table of today."""
_WITH_USERS = ("answers", "shares", "events", "judgements", "statements", "ignored_users")
_log = logging.getLogger(__name__)


def earlier_files(home: Path) -> list[Path]:
    """Return the files of earlier versions that are in use, or were not renamed yet."""
    paths = [home / f"{name}.sqlite3" for name in _TABLES]
    return [path for path in paths if path.exists()]


def copy_earlier(home: Path, target: sqlite3.Connection, tables: Collection[str]) -> None:
    """Copy the rows for these tables. target: in a transaction. Raises sqlite3.DatabaseError."""
    for path in earlier_files(home):
        try:
            with closing(_open(path)) as source:
                for earlier, today in _TABLES[path.stem].items():
                    if today in tables:
                        copy_table(source, target, earlier, today)
                if path.stem == "feedback" and "answers" in tables:
                    _adapt_feedback(source, target)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            _log.warning("%s is damaged: %s", path, error)


def put_aside(home: Path) -> None:
    """Rename the files of earlier versions; call it when both new databases have their rows."""
    for path in earlier_files(home):
        with suppress(OSError):  # renamed meanwhile, or by the next start
            (home / FOLDER).mkdir(mode=0o700, exist_ok=True)
            aside = home / FOLDER / f"{path.name}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
            path.chmod(0o600)
            rename_with_log(path, aside if is_whole(path) else damaged_name(path))
            _log.info("%s is of an earlier version; its rows are in the new databases", path.name)


def _open(path: Path) -> sqlite3.Connection:
    """Open a file that exists; read-only on a disk that cannot be written."""
    address = path.absolute().as_uri()
    try:
        connection = sqlite3.connect(f"{address}?mode=rw", uri=True)
        connection.execute("PRAGMA writable_schema = ON")  # needed to read a truncated file
        connection.execute("PRAGMA user_version")
    except sqlite3.OperationalError:
        connection = sqlite3.connect(f"{address}?immutable=1", uri=True)
    return connection


def _adapt_feedback(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    target.execute("UPDATE statements SET sources = CAST(sources AS TEXT)")  # they were bytes
    if source.execute("PRAGMA user_version").fetchone()[0] < 1:
        _replace_cookies(target)


def _replace_cookies(target: sqlite3.Connection) -> None:
    """Replace the cookies of the first version by user ids: anyone who has a cookie is its user."""
    target.create_function("id_of", 1, _id_of, deterministic=True)
    target.execute("UPDATE OR IGNORE events SET id = replace(id, '-' || user || '-', '-' || id_of(user) || '-')")
    for table in _WITH_USERS:
        target.execute(f"UPDATE {table} SET user = id_of(user)")


def _id_of(user: str) -> str:
    is_cookie = re.fullmatch(r"[0-9a-f]{32}", user)
    return hashlib.sha256(user.encode()).hexdigest()[:32] if is_cookie else user
