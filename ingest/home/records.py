"""The two databases of a home folder: `citeloop.sqlite3` holds what people made, `progress.sqlite3` jobs."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, Table, bindparam, create_engine, create_mock_engine, delete, insert
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, StaticPool
from sqlalchemy.schema import ExecutableDDLElement

from ingest import CiteloopError
from ingest.home.damaged_database import VERSION_TABLE
from ingest.home.database import after_error, open_file
from ingest.home.earlier import copy_earlier, earlier_files, put_aside
from ingest.home.tables import JOBS, MADE

_MIGRATIONS = Path(__file__).parent / "migrations"

Explain = Callable[[Exception], Exception]
"""error of the database -> exception to raise."""


class Records:
    """One database of a home folder; every block is one transaction, and an exception rolls it back.

    Errors of the database are raised as `explain` returns them. A damaged file is replaced first. If the disk cannot
    be written, the rows can still be read.
    """

    def __init__(self, home: Path | None, tables: MetaData, explain: Explain) -> None:
        """home: None for a database in memory, which ends with the process."""
        self._tables, self._explain = tables, explain
        self.path = (home or Path()) / f"{tables.info['name']}.sqlite3"
        self._engine = _engine(self.path, tables) if home else _in_memory(tables, StaticPool)
        self._is_in_memory = home is None
        self._lock: AbstractContextManager[object] = nullcontext() if home else threading.Lock()

    def reading(self) -> AbstractContextManager[Connection]:
        """Open a transaction that sees one state of the database; it makes no file."""
        is_there = self._is_in_memory or self.path.exists() or earlier_files(self.path.parent)
        return self._transaction(self._engine if is_there else _in_memory(self._tables, NullPool), "BEGIN")

    def writing(self) -> AbstractContextManager[Connection]:
        """Open a transaction that excludes other writers from the start."""
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
                cause = after_error(cause, self.path, partial(_bring_up_to_date, self.path.parent, self._tables))
            raise self._explain(cause if isinstance(cause, Exception) else error) from error


def unusable(kind: type[CiteloopError], what: str) -> Explain:
    """Return what makes errors of this kind that name what cannot be read or written."""
    return lambda error: kind(f"{what} in the home folder cannot be used: {error}; check free space and permissions")


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
    if revision > _newest(tables):
        raise sqlite3.DatabaseError("a newer version of Citeloop has used this home folder; update Citeloop")
    if not revision:
        _fill(home, tables, connection)
    elif revision < _newest(tables):
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
def _newest(tables: MetaData) -> str:
    names = (path.name[:4] for path in (_MIGRATIONS / tables.info["name"]).glob("[0-9]*.py"))
    return max(names, default="0000")


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
    connection.execute(f"INSERT INTO {VERSION_TABLE} VALUES (?)", (_newest(tables),))


def _migrate(connection: sqlite3.Connection, tables: MetaData) -> None:
    from alembic.migration import MigrationContext  # slow to import, and rarely needed
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    folder = str(_MIGRATIONS / tables.info["name"])
    script = ScriptDirectory(folder, version_locations=[folder])
    with _sqlite(lambda: connection, StaticPool).connect() as opened:
        opened.exec_driver_sql("BEGIN IMMEDIATE")
        context = MigrationContext.configure(
            opened, opts={"fn": lambda revision, _: script._upgrade_revs("head", revision)}
        )
        with Operations.context(context):
            context.run_migrations()
        opened.commit()


def _is_made(home: Path, tables: MetaData) -> bool:
    """Return whether a database in a home folder has its tables, and with them the rows of earlier versions."""
    path = home / f"{tables.info['name']}.sqlite3"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return bool(_revision(connection))
    except sqlite3.DatabaseError:
        return False
