"""What curators say beside passages, in SQLite: answers, questions that nothing answers, and whom to ignore."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter

from app.feedback.answers import AnswerStore
from app.memory.votes import Statement
from ingest.chunk import PassageRef
from ingest.home.database import add_missing_columns, now

_SCHEMA = """
CREATE TABLE IF NOT EXISTS statements (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, question TEXT NOT NULL, user TEXT NOT NULL, at TEXT NOT NULL,
    shown TEXT NOT NULL, withdrawn INTEGER NOT NULL, text TEXT NOT NULL DEFAULT '', sources TEXT NOT NULL DEFAULT '[]',
    collections TEXT
);
CREATE TABLE IF NOT EXISTS ignored_users (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL, at TEXT NOT NULL, decided_by TEXT NOT NULL,
    ignored INTEGER NOT NULL
);
"""
_LAST = "sequence IN (SELECT MAX(sequence) FROM ignored_users GROUP BY user)"
COUNTED = f"user NOT IN (SELECT user FROM ignored_users WHERE ignored AND {_LAST})"
"""Condition in SQL: the row is of nobody who is ignored."""
_STATEMENTS = "question, user, at, shown, withdrawn, text, sources, collections"
_SOURCES = TypeAdapter(tuple[PassageRef, ...])
_MAX_SHOWN = 20
_FACTS = (
    "$.question",
    "$.query",
    "$.found",
    "$.complete",
    "$.statement.text",
    "$.ranking[0].is_probability",
    "$.ranking[0].score",
    "$.ranking[1].score",
    *(f"$.citations[{index}].chunk.id" for index in range(_MAX_SHOWN)),
)


@dataclass(frozen=True, slots=True)
class IgnoredUser:
    """Somebody whose votes and decisions do not count, since when, and who decided it."""

    user: str
    at: str
    decided_by: str


@dataclass(frozen=True, slots=True)
class Asking:
    """What the inbox needs of a complete answer.

    question: as searched. found: the answer was written from the documents. said_unanswered: it quoted a curator who
    says that the documents hold no answer. first, second: probabilities of the best two passages, None where scores
    are none. shown: ids of the chunks cited, best first. num_curated: how many of these are the sources of a curator's
    answer.
    """

    answer_id: str
    user: str
    asked_at: datetime
    question: str
    found: bool
    said_unanswered: bool
    first: float | None
    second: float | None
    shown: tuple[str, ...]
    num_curated: int = 0


class CuratorStore(AnswerStore):
    """The answers, and what curators decide beside passages. Both tables only grow; the last row counts."""

    def _make_tables(self, connection: sqlite3.Connection) -> None:
        super()._make_tables(connection)
        _rename_earlier_table(connection)
        connection.executescript(_SCHEMA)

    def statements(self) -> list[Statement]:
        """Return all statements and withdrawals, oldest first."""
        with self._connection() as connection:
            return statements_after(connection, 0)

    def ignore(self, user: str, decided_by: str, *, ignored: bool = True) -> None:
        """Ignore what a user said, also in the future, or count it again."""
        with self._connection() as connection:
            row = (user, now(), decided_by, ignored)
            connection.execute("INSERT INTO ignored_users (user, at, decided_by, ignored) VALUES (?, ?, ?, ?)", row)

    def ignored(self) -> dict[str, IgnoredUser]:
        """Return the users who are ignored, by name."""
        with self._connection() as connection:
            rows = connection.execute(f"SELECT user, at, decided_by FROM ignored_users WHERE ignored AND {_LAST}")
            return {row[0]: IgnoredUser(*row) for row in rows}

    def askings(self, last: int = 10_000) -> list[Asking]:
        """Return what the inbox needs of the last complete answers, oldest first; none of people who are ignored."""
        paths = ", ".join(f"'{path}'" for path in _FACTS)
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT id, user, asked_at, json_array_length(answer, '$.statement.sources'),"
                f" json_extract(answer, {paths}) FROM answers WHERE {COUNTED}"
                " ORDER BY asked_at DESC LIMIT ?",
                (last,),
            ).fetchall()
        found = [_asking(row) for row in reversed(rows)]
        return [asking for asking in found if asking]


def append_statements(connection: sqlite3.Connection, statements: Iterable[Statement]) -> None:
    """Append statements, said now."""
    rows = [
        (
            *(one.question, one.user, now(), " ".join(one.shown), one.withdrawn, one.text),
            *(_SOURCES.dump_json(one.sources), json.dumps(one.collections)),
        )
        for one in statements
    ]
    connection.executemany(f"INSERT INTO statements ({_STATEMENTS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def statements_after(connection: sqlite3.Connection, sequence: int) -> list[Statement]:
    """Return the statements after a position, in order; none of people who are ignored."""
    rows = connection.execute(
        f"SELECT {_STATEMENTS} FROM statements WHERE sequence > ? AND {COUNTED} ORDER BY sequence", (sequence,)
    )
    return [
        Statement(
            question,
            user,
            at,
            tuple(shown.split()),
            bool(withdrawn),
            text,
            _SOURCES.validate_json(sources),
            _names(names),
        )
        for question, user, at, shown, withdrawn, text, sources, names in rows
    ]


def _names(stored: str | None) -> tuple[str, ...] | None:
    """Return the stored names, None if there are none or the row is older than the column."""
    names = json.loads(stored or "null")
    return None if names is None else tuple(names)


def _rename_earlier_table(connection: sqlite3.Connection) -> None:
    """Take over the rows of an earlier version, which stated only that nothing answers."""
    is_earlier = "SELECT 1 FROM sqlite_master WHERE name = 'unanswered'"
    if not connection.execute(is_earlier).fetchone():
        return
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute(is_earlier).fetchone():  # no other process was faster
            connection.execute("ALTER TABLE unanswered RENAME TO statements")
    add_missing_columns(connection, "statements", ["text"], default="''")
    add_missing_columns(connection, "statements", ["sources"], default="'[]'")
    add_missing_columns(connection, "statements", ["collections"])


def _asking(row: tuple[str, str, str, int | None, str]) -> Asking | None:
    answer_id, user, asked_at, num_curated, facts = row
    question, query, found, complete, said, is_probability, first, second, *shown = json.loads(facts)
    if not complete:
        return None
    return Asking(
        answer_id,
        user,
        datetime.fromisoformat(asked_at),
        query or question,
        found,
        said == "",
        first if is_probability else None,
        second if is_probability else None,
        tuple(chunk_id for chunk_id in shown if chunk_id),
        num_curated or 0,
    )
