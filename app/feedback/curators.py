"""What curators say beside passages: answers, questions that nothing answers, and whom to ignore."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, Table, func, insert, select

from app.feedback.conversations import ConversationStore
from app.memory.votes import Statement
from ingest.chunk import PassageRef
from ingest.home.database import now
from ingest.home.tables import answers, ignored_users, statements

_LAST = ignored_users.c.sequence.in_(select(func.max(ignored_users.c.sequence)).group_by(ignored_users.c.user))
_IGNORED = select(ignored_users.c.user, ignored_users.c.at, ignored_users.c.decided_by).where(
    ignored_users.c.ignored, _LAST
)
_STATEMENTS = tuple(statements.c[field.name] for field in fields(Statement))
_SOURCES = TypeAdapter(tuple[PassageRef, ...])
_MAX_SHOWN = 20
_STORED = answers.c.answer
_FACTS = (
    *(answers.c.id, answers.c.user, answers.c.asked_at),
    *(_STORED[name].as_string() for name in ("question", "query")),
    *(_STORED[name].as_boolean() for name in ("found", "complete")),
    _STORED["statement", "text"].as_string(),
    _STORED["ranking", 0, "is_probability"].as_boolean(),
    *(_STORED["ranking", index, "score"].as_float() for index in (0, 1)),
    func.json_array_length(_STORED["statement", "sources"]),
    *(_STORED["citations", index, "chunk", "id"].as_string() for index in range(_MAX_SHOWN)),
)


def counted(table: Table) -> ColumnElement[bool]:
    """Return the condition that a row is of nobody who is ignored."""
    return table.c.user.not_in(_IGNORED.with_only_columns(ignored_users.c.user))


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


class CuratorStore(ConversationStore):
    """The answers, and what curators decide beside passages. Both tables only grow; the last row counts."""

    def statements(self) -> list[Statement]:
        """Return all statements and withdrawals, oldest first."""
        with self._records.reading() as connection:
            return statements_after(connection, 0)

    def ignore(self, user: str, decided_by: str, *, ignored: bool = True) -> None:
        """Ignore what a user said, also in the future, or count it again."""
        row = {"user": user, "at": now(), "decided_by": decided_by, "ignored": ignored}
        with self._records.writing() as connection:
            connection.execute(insert(ignored_users), row)

    def ignored(self) -> dict[str, IgnoredUser]:
        """Return the users who are ignored, by name."""
        with self._records.reading() as connection:
            return {row[0]: IgnoredUser(*row) for row in connection.execute(_IGNORED)}

    def askings(self, last: int = 10_000) -> list[Asking]:
        """Return what the inbox needs of the last complete answers, oldest first; none of people who are ignored."""
        query = select(*_FACTS).where(counted(answers)).order_by(answers.c.asked_at.desc()).limit(last)
        with self._records.reading() as connection:
            rows = connection.execute(query).all()
        found = [_asking(row) for row in reversed(rows)]
        return [asking for asking in found if asking]


def append_statements(connection: Connection, said: Sequence[Statement]) -> None:
    """Append statements, said now."""
    rows = [
        {
            **{field.name: getattr(one, field.name) for field in fields(one)},
            "at": now(),
            "shown": " ".join(one.shown),
            "sources": _SOURCES.dump_json(one.sources).decode(),
        }
        for one in said
    ]
    if rows:
        connection.execute(insert(statements), rows)


def statements_after(connection: Connection, sequence: int) -> list[Statement]:
    """Return the statements after a position, in order; none of people who are ignored."""
    query = select(*_STATEMENTS).where(statements.c.sequence > sequence, counted(statements))
    return [
        Statement(**{**row, "shown": tuple(row["shown"].split()), "sources": _SOURCES.validate_json(row["sources"])})
        for row in connection.execute(query.order_by(statements.c.sequence)).mappings()
    ]


def _asking(row: Sequence[Any]) -> Asking | None:
    answer_id, user, asked_at, question, query, found, complete, said, is_probability, first, second, *rest = row
    num_curated, *shown = rest
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
