"""connection, folder of the models -> names that are used or free; a name is also a folder."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from sqlalchemy import Connection, select

from app.registry.entries import RERANKER_KINDS, SHIPPED, RegistryError
from app.registry.rows import NAMES
from ingest.home.damaged_database import damaged_databases
from ingest.home.tables import models

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_TAKEN = (SHIPPED, "none", "live", "trained", "http", *RERANKER_KINDS)
"""Names of rerankers outside the registry."""


def next_name(connection: Connection, folder: Path) -> str:
    """Return the next free name of a trained reranker."""
    names = (re.fullmatch(r"reranker-(\d+)", name) for name in _used(connection, folder))
    return f"reranker-{1 + max((int(match[1]) for match in names if match), default=0)}"


def free_name(connection: Connection, folder: Path, wanted: str) -> str:
    """Return a name that was never used: the wanted one, or with -2, -3 and so on."""
    used = _used(connection, folder)
    names = (wanted, *(f"{wanted}-{number}" for number in range(2, len(used) + 3)))
    return next(name for name in names if name not in used)


def expect_free(connection: Connection, folder: Path, name: str) -> None:
    """Raise RegistryError if a name is not valid or has been used."""
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise RegistryError(
            f"{name!r} is not a valid model name: expected lower-case letters, digits, dots and dashes, "
            f"and none of {', '.join(_TAKEN)}"
        )
    if name in _used(connection, folder):
        raise RegistryError(f"the name {name} has been used; the next free name is {next_name(connection, folder)}")


def remove_strays(connection: Connection, folder: Path) -> None:
    """Delete folders without a row; unfinished ones are hidden and stay.

    They are kept if a damaged database was replaced, since their rows may have been lost.
    """
    if damaged_databases(folder.parent):
        return
    known = set(connection.scalars(NAMES))
    for model in folder.glob("[!.]*/"):
        if model.name not in known:
            shutil.rmtree(model)


def _used(connection: Connection, folder: Path) -> set[str]:
    """Return the names of all models, also removed ones, and of folders that lost their row."""
    return {*connection.scalars(select(models.c.name)), *(model.name for model in folder.glob("[!.]*/"))}
