"""home folder -> its LanceDB table, opened without an embedder; errors say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import lancedb
import pyarrow as pa

from ingest import CiteloopError
from ingest.home.folder import current_name, flush, make_home
from ingest.indexes import index_state, keep_up
from ingest.listing import StoredDocument, read_listing
from ingest.rows import Identity, identity_of

_LANCE_ERRORS = (RuntimeError, OSError, ValueError, pa.ArrowException)
"""LanceDB's errors for a full disk, a read-only folder, or a damaged file."""


class TableError(CiteloopError):
    """The table cannot be used: other embedder or chunking rules, damage, or a full disk."""


class MismatchError(TableError):
    """The table is undamaged, but was made with another embedder or other rules."""


def read_identity(home: Path) -> Identity | None:
    """Return what the table of this home was made with, or None without a table. Raises TableError."""
    table = open_table(connect(home), current_name(home), home)
    return None if table is None else identity_of(table.schema.metadata)


def has_whole_history(home: Path) -> bool:
    """Return whether all versions of the table can be read. LanceDB reads them when it updates the indexes.

    Raises TableError when not even the newest one can be opened.
    """
    table = open_table(connect(home), current_name(home), home)
    try:
        return table is None or bool(table.list_versions())
    except Exception:  # as in _open
        return False


def stored_documents(home: Path) -> list[StoredDocument]:
    """Return the documents of the current table, even if made with another embedder. Raises TableError."""
    table = open_table(connect(home), current_name(home), home)
    try:
        return [] if table is None else read_listing(table).documents
    except _LANCE_ERRORS as error:
        raise TableError(f"the documents of the table in {home} cannot be read: {error}") from error


def keep_current_up(home: Path) -> None:
    """Bring indexes and files of the current table up to date if that is due; call inside the write lock.

    Raises TableError.
    """
    table = open_table(connect(home), current_name(home), home)
    if table is not None and index_state(table).is_due:
        with clear_errors(home, "write"):
            keep_up(table)
            flush()


def drop_others(home: Path, names: set[str]) -> None:
    """Delete replaced and unfinished tables; call inside the write lock. names: the tables to keep."""
    connection = connect(home)
    for name in connection.list_tables().tables:
        if name not in names:
            connection.drop_table(name)


def connect(home: Path) -> Any:
    """Return LanceDB's connection to the tables of a home folder, which is made if it is missing."""
    make_home(home)
    return lancedb.connect(home / "table", read_consistency_interval=timedelta(0))


def open_table(connection: Any, name: str, home: Path) -> Any:
    """Return a table, or None if there is none of this name. Raises TableError if it is damaged."""
    if name not in connection.list_tables().tables:
        return None
    try:
        return connection.open_table(name)
    except Exception as error:  # of some truncated files Lance panics, which is none of _LANCE_ERRORS
        raise TableError(
            f"the table in {home} is damaged and cannot be opened; repair it with: citeloop doctor ({error})"
        ) from error


@contextmanager
def clear_errors(home: Path, verb: Literal["read", "write"]) -> Iterator[None]:
    """Turn errors of LanceDB into a TableError that says what to do."""
    try:
        yield
    except _LANCE_ERRORS as error:
        advice = (
            "what was stored before is still there. Check free space and permissions, then try again"
            if verb == "write"
            else "one of its files may be damaged; repair it with: citeloop doctor"
        )
        raise TableError(f"cannot {verb} the table in {home}: {error}; {advice}") from error
