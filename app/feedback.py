"""What was shown and what people did with it: answers and FeedbackEvents in one SQLite file.

The log stores what happened and nothing is ever changed or deleted in it; what an event means for
training is decided elsewhere. A later event on the same citation by the same user stands for it.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from pydantic import TypeAdapter, ValidationError

from app.answer import Answer
from ingest import CiteloopError
from ingest.database import transaction

Action = Literal["deleted", "undone"]
Reason = Literal["not relevant", "outdated", "duplicate", "wrong page", "other"]
REASONS: tuple[Reason, ...] = get_args(Reason)


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer as it was shown, with its id, when it was asked (UTC), by whom and in which conversation."""

    id: str
    conversation_id: str
    user: str
    asked_at: datetime
    answer: Answer


@dataclass(frozen=True, slots=True)
class FeedbackEvent:
    """One act of one user on one citation, with all that was true then.

    number: of the citation. The passage's text, ranks and scores are copied, so that the event keeps its
    meaning when the document is changed or removed. reason: None until the user gives one.
    """

    id: str
    at: str
    user: str
    action: Action
    reason: Reason | None
    answer_id: str
    question: str
    reranker: str
    number: int
    chunk_id: str
    document: str
    title: str
    heading: str
    page: int | None
    text: str
    rank: int
    score: float
    reranker_score: float | None
    fused_rank: int
    fused_score: float
    vector_rank: int | None
    vector_score: float | None
    text_rank: int | None
    text_score: float | None


_ANSWER = TypeAdapter(Answer)
_EVENT_COLUMNS = [field.name for field in fields(FeedbackEvent)]
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS answers (
    id TEXT PRIMARY KEY, conversation_id TEXT NOT NULL, user TEXT NOT NULL, asked_at TEXT NOT NULL,
    answer TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS answers_by_conversation ON answers (conversation_id, asked_at);
CREATE TABLE IF NOT EXISTS events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, {", ".join(_EVENT_COLUMNS)}, UNIQUE (id)
);
CREATE INDEX IF NOT EXISTS events_by_citation ON events (answer_id, chunk_id, user);
"""


class FeedbackError(CiteloopError):
    """The feedback database cannot be read or written."""


class FeedbackStore:
    """The feedback database of one home folder; every method is one transaction that survives a crash.

    Every method raises FeedbackError when the file is damaged or the disk is full.
    """

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._path = home / "feedback.sqlite3"
        with self._connection() as connection:
            connection.executescript(_SCHEMA)

    def save_answer(self, answer: Answer, conversation_id: str, user: str, answer_id: str | None = None) -> str:
        """Keep an answer as shown and return its id; with answer_id, in place of its earlier version."""
        answer_id = answer_id or new_id()
        with self._connection() as connection:
            connection.execute(
                "INSERT INTO answers VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET answer = excluded.answer",
                (answer_id, conversation_id, user, _now(), _ANSWER.dump_json(answer).decode()),
            )
        return answer_id

    def conversation(self, conversation_id: str, last: int = -1) -> list[StoredAnswer]:
        """The last answers of a conversation, by default all, in the order in which they were asked."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT id, conversation_id, user, asked_at, answer FROM answers"
                " WHERE conversation_id = ? ORDER BY asked_at DESC, rowid DESC LIMIT ?",
                (conversation_id, last),
            ).fetchall()[::-1]
        return [_to_answer(row) for row in rows]

    def answer(self, answer_id: str) -> StoredAnswer | None:
        """The answer of this id, or None."""
        with self._connection() as connection:
            row = connection.execute(
                "SELECT id, conversation_id, user, asked_at, answer FROM answers WHERE id = ?", (answer_id,)
            ).fetchone()
        return _to_answer(row) if row else None

    def record(
        self, answer: StoredAnswer, chunk_id: str, action: Action, user: str, reason: Reason | None = None
    ) -> FeedbackEvent | None:
        """Append what a user did with a citation; None when that is how it stood already.

        So clicking twice, or a page that sends a click again, makes one event, and a reason once given is
        not lost by striking out again. Undoing what was not deleted is nothing either. Raises KeyError if the
        answer does not cite the chunk.
        """
        reason = reason if action == "deleted" else None
        number = {citation.chunk.id: citation.number for citation in answer.answer.citations}[chunk_id]
        ranked = next(ranked for ranked in answer.answer.ranking if ranked.chunk.id == chunk_id)
        row = {name: value for name, value in ranked.as_row().items() if name in _EVENT_COLUMNS}
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            before = connection.execute(
                "SELECT action, reason, COUNT(*) OVER () FROM events"
                " WHERE answer_id = ? AND chunk_id = ? AND user = ? ORDER BY sequence DESC LIMIT 1",
                (answer.id, chunk_id, user),
            ).fetchone() or ("undone", None, 0)
            if action == before[0] and reason in (None, before[1]):
                return None
            event = FeedbackEvent(
                **row,  # type: ignore[arg-type]  # a row of plain values by name
                id=f"{answer.id}-{chunk_id}-{user}-{before[2] + 1}",
                at=_now(),
                user=user,
                action=action,
                reason=reason,
                answer_id=answer.id,
                question=answer.answer.question,
                reranker=answer.answer.reranker,
                number=number,
            )
            columns, marks = ", ".join(_EVENT_COLUMNS), ", ".join("?" * len(_EVENT_COLUMNS))
            connection.execute(f"INSERT INTO events ({columns}) VALUES ({marks})", list(asdict(event).values()))
        return event

    def events(self) -> list[FeedbackEvent]:
        """The whole log, oldest first."""
        return self._events("ORDER BY sequence")

    def deleted(self, answer_id: str, user: str) -> dict[str, FeedbackEvent]:
        """Chunk id -> event of the citations of an answer that this user has struck out and not undone."""
        last = {
            event.chunk_id: event
            for event in self._events("WHERE answer_id = ? AND user = ? ORDER BY sequence", answer_id, user)
        }
        return {chunk_id: event for chunk_id, event in last.items() if event.action == "deleted"}

    def _events(self, condition: str, *parameters: str) -> list[FeedbackEvent]:
        with self._connection() as connection:
            rows = connection.execute(f"SELECT {', '.join(_EVENT_COLUMNS)} FROM events {condition}", parameters)
            return [FeedbackEvent(*row) for row in rows]

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with transaction(self._path) as connection:
                yield connection
        except (sqlite3.DatabaseError, ValidationError) as error:
            raise FeedbackError(
                f"the feedback in {self._path} cannot be used: {error}; look at the free space and the permissions, "
                "or put the file aside to begin a new one"
            ) from error


def new_id() -> str:
    """A random id for an answer or a conversation: 32 hex digits that nobody can guess."""
    return uuid.uuid4().hex


def _to_answer(row: tuple[str, str, str, str, str]) -> StoredAnswer:
    answer_id, conversation_id, user, asked_at, answer = row
    return StoredAnswer(
        answer_id, conversation_id, user, datetime.fromisoformat(asked_at), _ANSWER.validate_json(answer)
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
