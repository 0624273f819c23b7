"""CITELOOP_DATABASE_URL -> the PostgreSQL database where several servers share what people made.

Without the variable, each home folder has an SQLite file for that. Jobs always stay in the home folder of their server.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from sqlalchemy import URL, Connection, Engine, MetaData, create_engine, event, func, insert, inspect, make_url, select
from sqlalchemy import Table as SqlTable
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from ingest import CiteloopError
from ingest.extras import needs_extra
from ingest.home.damaged_database import VERSION_TABLE
from ingest.home.migrating import newest_revision, run_migrations

BEGIN_READING = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
"""Lets a transaction see one state of the database."""
BEGIN_WRITING = "SELECT pg_advisory_xact_lock(7163384699739271028)"
"""Excludes other writers until the transaction ends. The number has no meaning, but is the same for all servers."""
_PATIENCE = {"connect_timeout": 5, "tcp_user_timeout": 10_000, "options": "-c lock_timeout=30000"}
"""Seconds for a connection, milliseconds for a server that vanishes, and for other writers."""
_ROWS_AT_ONCE = 1000
_ONLY_READING = "25006"
"""SQLSTATE of a server that takes no changes, such as a standby."""


class PostgresError(Exception):
    """An error of PostgreSQL in one line.

    is_refusal: the server cannot be reached or does not write now.
    """

    def __init__(self, url: URL, error: Exception) -> None:
        cause = error.orig if isinstance(error, DBAPIError) else error
        lines = str(cause).splitlines() or [type(cause).__name__]
        super().__init__(f"{place_of(url)}: {lines[0]}; check that server and CITELOOP_DATABASE_URL")
        self.is_refusal = isinstance(error, OperationalError) or getattr(cause, "sqlstate", "") == _ONLY_READING


def database_url() -> URL | None:
    """Return the address of the shared database, None if there is none. Raises CiteloopError if it is another kind."""
    address = os.environ.get("CITELOOP_DATABASE_URL")  # stores ask often, and settings take a third of a millisecond
    return _parsed(address) if address else None


@lru_cache
def _parsed(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() != "postgresql" or not url.database:
        raise CiteloopError(  # without the address, which may hold a password
            "CITELOOP_DATABASE_URL must be like postgresql://USER:PASSWORD@HOST/DATABASE; correct it, or unset it to "
            "keep what people made in the home folder"
        )
    return url.set(drivername="postgresql+psycopg")


def place_of(url: URL) -> str:
    """Return where the database is, for messages: without user and password."""
    return f"PostgreSQL {url.host or 'localhost'}/{url.database}"


@lru_cache
def open_postgres(url: URL) -> Engine:
    """Return an engine, which connects when it is used. Its errors hold no rows; JSON is text that its readers parse.

    Raises CiteloopError if the driver is not installed.
    """
    with needs_extra("postgres", "PostgreSQL"):
        from psycopg.types.string import StrDumperUnknown

    class WithoutNul(StrDumperUnknown):
        """Leaves out the one character that PostgreSQL's texts cannot hold."""

        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", ""))

    engine = create_engine(
        url,
        pool_pre_ping=True,
        hide_parameters=True,
        json_serializer=str,
        json_deserializer=lambda json: json if isinstance(json, str) else json.decode(),
        max_overflow=-1,  # a transaction takes milliseconds, and who waits for a place would get another error
        connect_args=_PATIENCE,
    )
    event.listen(engine, "connect", lambda connection, _: connection.adapters.register_dumper(str, WithoutNul))
    return engine


def bring_up_to_date(connection: Connection, tables: MetaData, home_rows: Engine | None) -> None:
    """Make or migrate the tables inside a transaction. home_rows: a database whose rows go into new tables.

    Raises ValueError if a newer version has used the database.
    """
    if not inspect(connection).has_table(VERSION_TABLE):
        tables.create_all(connection)
        connection.exec_driver_sql(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) PRIMARY KEY)")
        connection.exec_driver_sql(f"INSERT INTO {VERSION_TABLE} VALUES (%s)", (newest_revision(tables),))
        if home_rows:
            _copy_rows(home_rows, connection, tables)
        return
    revision = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar_one()
    if revision > newest_revision(tables):
        raise ValueError("a newer version of Citeloop has used this database; update Citeloop")
    if revision < newest_revision(tables):
        run_migrations(connection, tables)


def _copy_rows(home_rows: Engine, connection: Connection, tables: MetaData) -> None:
    with home_rows.connect() as source:
        for table in tables.sorted_tables:
            for rows in source.execute(select(table)).mappings().partitions(_ROWS_AT_ONCE):
                connection.execute(insert(table), [dict(row) for row in rows])
            if "sequence" in table.c:
                _continue_numbers(connection, table)


def _continue_numbers(connection: Connection, table: SqlTable) -> None:
    """Let new rows follow the copied ones."""
    last = connection.scalar(select(func.max(table.c.sequence)))
    if last:
        connection.execute(select(func.setval(func.pg_get_serial_sequence(table.name, "sequence"), last)))
