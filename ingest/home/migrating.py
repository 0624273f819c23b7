"""Tables of an earlier version -> tables of today, by the files in `migrations/`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from sqlalchemy import Connection, MetaData

_MIGRATIONS = Path(__file__).parent / "migrations"


@lru_cache
def newest_revision(tables: MetaData) -> str:
    """Return the revision of the tables as declared."""
    names = (path.name[:4] for path in (_MIGRATIONS / tables.info["name"]).glob("[0-9]*.py"))
    return max(names, default="0000")


def run_migrations(connection: Connection, tables: MetaData) -> None:
    """Bring the tables of a database up to date, in the transaction that is open."""
    from alembic.migration import MigrationContext  # slow to import, and rarely needed
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    folder = str(_MIGRATIONS / tables.info["name"])
    script = ScriptDirectory(folder, version_locations=[folder])
    context = MigrationContext.configure(
        connection, opts={"fn": lambda revision, _: script._upgrade_revs("head", revision)}
    )
    with Operations.context(context):
        context.run_migrations()
