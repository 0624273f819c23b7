"""The two databases of a home folder: `citeloop.sqlite3` holds what people made, `progress.sqlite3` jobs.

Several servers may share what people made in PostgreSQL instead.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    MetaData,
    Table,
    bindparam,
    create_engine,
    create_mock_engine,
    delete,
    insert,
)
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, StaticPool
from sqlalchemy.schema import ExecutableDDLElement

from ingest import CiteloopError
from ingest.home.damaged_database import VERSION_TABLE
from ingest.home.database import after_error, open_file
from ingest.home.earlier import copy_earlier, earlier_files, put_aside
from ingest.home.migrating import newest_revision, run_migrations
from ingest.home.postgres import (
    BEGIN_READING,
    BEGIN_WRITING,
    PostgresError,
    bring_up_to_date,
    database_url,
    open_postgres,
    place_of,
)
from ingest.home.tables import JOBS, MADE

Explain = Callable[[Exception], Exception]
"""error of the database -> exception to raise."""


class Records:
    """One database of a home folder; every block is one transaction, and an exception rolls it back.

    Errors of the database are raised as `explain` returns them. A damaged file is replaced first. If the disk cannot
    be written, the rows can still be read.
    """

    def __init__(self, home: Path | None, tables: MetaData, explain: Explain) -> None:
        """home: None for a database in memory, which ends with the process. Raises CiteloopError."""
        self._tables, self._explain = tables, explain
        self._path = (home or Path()) / f"{tables.info['name']}.sqlite3"
        self._shared = database_url() if home and tables is MADE else None
        self._engine = _engine(self._path, tables) if home else _in_memory(tables, StaticPool)
        self._is_in_memory = home is None
        self._lock: AbstractContextManager[object] = nullcontext() if home else threading.Lock()

    @property
    def place(self) -> str:
        """Return where the rows are, for messages."""
        return place_of(self._shared) if self._shared else str(self._path)

    def reading(self) -> AbstractContextManager[Connection]:
        """Open a transaction that sees one state of the database; it makes no file."""
        if self._shared:
            return self._shared_transaction(self._shared, BEGIN_READING)
        is_there = self._is_in_memory or self._path.exists() or earlier_files(self._path.parent)
        return self._transaction(self._engine if is_there else _in_memory(self._tables, NullPool), "BEGIN")

    def writing(self) -> AbstractContextManager[Connection]:
        """Open a transaction that excludes other writers from the start."""
        if self._shared:
            return self._shared_transaction(self._shared, BEGIN_WRITING)
        return self._transaction(self._engine, "BEGIN IMMEDIATE")

    @contextmanager
    def _transaction(self, engine: Engine, begin: str) -> Iterator[Connection]:
        try:
            with self._lock, engine.connect() as connection:
                connection.exec_driver_sql(begin)
                yield connection
                connection.commit()
        except (DBAPIError, OSError, ValueError) as error:  # a ValueError: what is stored cannot be parsed
            cause = error.orig if isinstance(error, DBAPIError) else error
            if isinstance(cause, sqlite3.DatabaseError) and not self._is_in_memory:
                cause = after_error(cause, self._path, partial(_bring_up_to_date, self._path.parent, self._tables))
            raise self._explain(cause if isinstance(cause, Exception) else error) from error

    @contextmanager
    def _shared_transaction(self, url: URL, begin: str) -> Iterator[Connection]:
        try:
            with _shared_engine(url, self._path, self._tables).connect() as connection:
                connection.exec_driver_sql(begin)
                yield connection
                connection.commit()
        except (DBAPIError, OSError, ValueError) as error:
            raise self._explain(PostgresError(url, error)) from error


def unusable(kind: type[CiteloopError], what: str) -> Explain:
    """Return what makes errors of this kind that name what cannot be read or written."""

    def explain(error: Exception) -> Exception:
        if isinstance(error, PostgresError):
            return kind(f"{what} cannot be used: {error}")
        return kind(f"{what} in the home folder cannot be used: {error}; check free space and permissions")

    return explain


def put(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *keys: str) -> None:
    """Insert rows in place of those with the same keys."""
    if rows:
        same = (table.c[key] == bindparam(f"same_{key}") for key in keys)
        connection.execute(delete(table).where(*same), [{f"same_{key}": row[key] for key in keys} for row in rows])
        connection.execute(insert(table), rows)


@lru_cache(maxsize=64)
def _engine(path: Path, tables: MetaData) -> Engine:
    _put_aside(path.parent)  # the last process may have been killed before
    return _sqlite(partial(_open, path, tables), NullPool)


@lru_cache
def _shared_engine(url: URL, path: Path, tables: MetaData) -> Engine:
    """Return the engine of a database with the tables, which a home folder's file fills if they are new."""
    engine = open_postgres(url)
    is_there = path.exists() or earlier_files(path.parent)
    with engine.begin() as connection:
        connection.exec_driver_sql(BEGIN_WRITING)
        bring_up_to_date(connection, tables, _engine(path, tables) if is_there else None)
    return engine


def _in_memory(tables: MetaData, pool: type[NullPool | StaticPool]) -> Engine:
    def open_empty() -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        _make_tables(connection, tables)
        return connection

    return _sqlite(open_empty, pool)


def _sqlite(creator: Callable[[], sqlite3.Connection], pool: type[NullPool | StaticPool]) -> Engine:
    """Return an engine whose errors hold no rows; JSON is text that its readers parse."""
    return create_engine(
        "sqlite://", creator=creator, poolclass=pool, hide_parameters=True, json_serializer=str, json_deserializer=str
    )


def _open(path: Path, tables: MetaData) -> sqlite3.Connection:
    connection = open_file(path, partial(_bring_up_to_date, path.parent, tables))
    connection.execute(f"PRAGMA synchronous = {'FULL' if tables.info['durable'] else 'NORMAL'}")
    return connection


# tables ----------------------------------------------------------------------------------------------


def _bring_up_to_date(home: Path, tables: MetaData, connection: sqlite3.Connection) -> None:
    """Make the tables, with the rows of an earlier version, or migrate them, in one transaction."""
    connection.isolation_level = None
    revision = _revision(connection)
    if revision > newest_revision(tables):
        raise sqlite3.DatabaseError("a newer version of Citeloop has used this home folder; update Citeloop")
    if not revision:
        _fill(home, tables, connection)
    elif revision < newest_revision(tables):
        _migrate(connection, tables)


def _fill(home: Path, tables: MetaData, connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _revision(connection):  # no other process was faster
            _make_tables(connection, tables)
            copy_earlier(home, connection, tables.tables)
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    _put_aside(home)


def _put_aside(home: Path) -> None:
    """Rename files of earlier versions, once both databases have their rows."""
    if earlier_files(home) and all(_is_made(home, tables) for tables in (MADE, JOBS)):
        put_aside(home)


def _revision(connection: sqlite3.Connection) -> str:
    """Return the revision of a database, '' for a new one."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (VERSION_TABLE,)).fetchone():
        return ""
    return str(connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()[0])


@lru_cache
def _schema(tables: MetaData) -> list[str]:
    statements: list[str] = []
    dialect = sqlite_dialect()

    def note(made: ExecutableDDLElement, *_: object, **__: object) -> None:
        statements.append(str(made.compile(dialect=dialect)))

    tables.create_all(create_mock_engine("sqlite://", note), checkfirst=False)
    return statements


def _make_tables(connection: sqlite3.Connection, tables: MetaData) -> None:
    for statement in _schema(tables):
        connection.execute(statement)
    connection.execute(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) PRIMARY KEY)")
    connection.execute(f"INSERT INTO {VERSION_TABLE} VALUES (?)", (newest_revision(tables),))


def _migrate(connection: sqlite3.Connection, tables: MetaData) -> None:
    with _sqlite(lambda: connection, StaticPool).connect() as opened:
        opened.exec_driver_sql("BEGIN IMMEDIATE")
        run_migrations(opened, tables)
        opened.commit()


def _is_made(home: Path, tables: MetaData) -> bool:
    """Return whether a database in a home folder has its tables, and with them the rows of earlier versions."""
    path = home / f"{tables.info['name']}.sqlite3"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return bool(_revision(connection))
    except sqlite3.DatabaseError:
        return False
