"""KeptVectors: the packed token vectors of a home's passages, on disk, so that no question waits for a model.

They are only a cache: the model computes again what is missing, damaged or unreadable.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import zlib
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ingest.home.damaged_database import is_set_aside
from ingest.home.database import transaction
from ingest.rows import digest

_log = logging.getLogger(__name__)

FOLDER = "token-vectors"


class KeptVectors:
    """The vectors by one model, in a database of their own; safe to share between threads."""

    def __init__(self, home: Path, version: str, folder: str = FOLDER) -> None:
        """version: of the model's weights, which names the file; files of other versions in its folder are deleted."""
        self._path = home / folder / f"{version}.sqlite3"

    def get(self, passages: Collection[str]) -> dict[str, bytes]:
        """Return passage -> packed vectors; those that are missing or damaged are left out."""
        by_key = {key_of(passage): passage for passage in passages}
        rows = self._rows("SELECT passage, packed, checksum", by_key)
        return {by_key[key]: packed for key, packed, checksum in rows if zlib.crc32(packed) == checksum}

    def missing(self, passages: Collection[str]) -> list[str]:
        """Return the passages without vectors, each once."""
        by_key = {key_of(passage): passage for passage in passages}
        for (key,) in self._rows("SELECT passage", by_key):
            del by_key[key]
        return list(by_key.values())

    def put(self, vectors: Mapping[str, bytes]) -> None:
        """Keep packed vectors by passage. Raises sqlite3.Error."""
        rows = [(key_of(passage), packed, zlib.crc32(packed)) for passage, packed in vectors.items()]
        with self._transaction() as database:
            database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)

    def keep_only(self, keys: Collection[str]) -> None:
        """Delete the vectors of passages with other keys, and what other models made. Raises sqlite3.Error."""
        with self._transaction() as database:
            others = [row for row in database.execute("SELECT passage FROM vectors") if row[0] not in keys]
            database.executemany("DELETE FROM vectors WHERE passage = ?", others)
        for path in self._path.parent.glob("*.sqlite3*"):
            if not path.name.startswith(self._path.stem) or is_set_aside(path):
                path.unlink(missing_ok=True)

    def _rows(self, select: str, keys: Collection[str]) -> list[tuple[Any, ...]]:
        """Return the rows with these keys; none if they cannot be read."""
        if not self._path.exists():
            return []
        try:
            with self._transaction() as database:
                return database.execute(
                    f"{select} FROM vectors WHERE passage IN (SELECT value FROM json_each(?))", [json.dumps([*keys])]
                ).fetchall()
        except sqlite3.Error as error:
            _log.warning("%s cannot be read: %s", self._path, error)
            return []

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self._path, durable=False, make_tables=_make_tables)


def key_of(passage: str) -> str:
    """Return the key under which a passage's vectors are kept."""
    return digest(passage.encode())


def _make_tables(database: sqlite3.Connection) -> None:
    database.execute("CREATE TABLE IF NOT EXISTS vectors (passage TEXT PRIMARY KEY, packed BLOB, checksum INTEGER)")
