"""What was asked and answered, by conversation, in SQLite."""

from __future__ import annotations

import secrets
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from app.answer import Answer
from app.feedback.events import ShownAnswer, StoredAnswer
from ingest import CiteloopError
from ingest.database import now, transaction
from ingest.home import make_home

_ANSWER = TypeAdapter(Answer)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    id TEXT PRIMARY KEY, conversation_id TEXT NOT NULL, user TEXT NOT NULL, asked_at TEXT NOT NULL,
    answer TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS answers_by_conversation ON answers (conversation_id, asked_at);
CREATE INDEX IF NOT EXISTS answers_by_user ON answers (user, asked_at);
CREATE TABLE IF NOT EXISTS titles (conversation_id TEXT PRIMARY KEY, title TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS removed (
    id TEXT PRIMARY KEY, asked_at TEXT NOT NULL, reranker TEXT NOT NULL, num_citations INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS shares (
    token TEXT PRIMARY KEY, conversation_id TEXT NOT NULL UNIQUE, user TEXT NOT NULL, created_at TEXT NOT NULL
);
"""
_OWN = "SELECT 1 FROM answers WHERE conversation_id = ? AND user = ?"
_COLUMNS = "id, conversation_id, user, asked_at, answer"
_MAX_TITLE_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Conversation:
    """The questions of one user that follow each other.

    title: the first question, unless the user gave another. Times are ISO 8601 in UTC.
    """

    id: str
    title: str
    started_at: str
    last_asked_at: str
    num_questions: int


class FeedbackError(CiteloopError):
    """The feedback database cannot be read or written."""


class AnswerStore:
    """The answers in the feedback database of one home folder; every method is one transaction that survives a crash.

    Who reads names the user: what somebody else asked is as if it were not there, unless its owner has shared it. Every
    method raises FeedbackError when the file is damaged or the disk is full.
    """

    def __init__(self, home: Path) -> None:
        make_home(home)
        self._path = home / "feedback.sqlite3"
        with self._connection() as connection:
            connection.executescript(_SCHEMA)

    def save_answer(self, answer: Answer, conversation_id: str, user: str) -> str:
        """Keep an answer and return its id."""
        answer_id = new_id()
        with self._connection() as connection:
            row = (answer_id, conversation_id, user, now(), _ANSWER.dump_json(answer).decode())
            connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?)", row)
        return answer_id

    def update_answer(self, answer_id: str, answer: Answer) -> None:
        """Put an answer in the place of its earlier version; one that was removed stays away."""
        with self._connection() as connection:
            row = (_ANSWER.dump_json(answer).decode(), answer_id)
            connection.execute("UPDATE answers SET answer = ? WHERE id = ?", row)

    def conversation(self, conversation_id: str, user: str, last: int = -1) -> list[StoredAnswer]:
        """Return the last answers of a user's conversation, by default all, oldest first."""
        with self._connection() as connection:
            return _turns(connection, conversation_id, user, last)

    def answer(self, answer_id: str, user: str) -> StoredAnswer | None:
        """The answer of this id, or None if the user did not ask for it.

        A program, `api:NAME`, also has the answers that it asked for on behalf of its users, `api:NAME/USER`.
        """
        with self._connection() as connection:
            row = connection.execute(
                f"SELECT {_COLUMNS} FROM answers WHERE id = :id AND (user = :user"
                " OR user LIKE 'api:%' AND substr(user, 1, length(:user) + 1) = :user || '/')",
                {"id": answer_id, "user": user},
            ).fetchone()
        return _to_answer(row) if row else None

    def share(self, conversation_id: str, user: str) -> str:
        """Return the token that lets anyone read a user's conversation; makes it on first use. Raises FeedbackError."""
        with self._writing() as connection:
            _require_own(connection, conversation_id, user)
            connection.execute(
                "INSERT INTO shares VALUES (?, ?, ?, ?) ON CONFLICT (conversation_id) DO NOTHING",
                (secrets.token_urlsafe(24), conversation_id, user, now()),
            )
            return _share_token(connection, conversation_id, user)

    def share_token(self, conversation_id: str, user: str) -> str:
        """Return the token of a user's conversation, '' if it is not shared."""
        with self._connection() as connection:
            return _share_token(connection, conversation_id, user)

    def stop_sharing(self, conversation_id: str, user: str) -> None:
        """Forget the token of a user's conversation: its link opens nothing from now on."""
        with self._connection() as connection:
            connection.execute("DELETE FROM shares WHERE conversation_id = ? AND user = ?", (conversation_id, user))

    def shared_conversation(self, token: str) -> list[StoredAnswer]:
        """Return the answers of the conversation that this token shares, oldest first."""
        with self._connection() as connection:
            share = "SELECT conversation_id, user FROM shares WHERE token = ?"
            found = connection.execute(share, (token,)).fetchone()
            return _turns(connection, *found) if found else []

    def shown(self, since: str = "") -> list[ShownAnswer]:
        """The answers with citations that were asked for since a time (ISO 8601 in UTC), oldest first."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT id, asked_at, json_extract(answer, '$.reranker'), json_array_length(answer, '$.citations')"
                " AS number FROM answers WHERE asked_at >= ? AND number > 0"
                " UNION ALL SELECT * FROM removed WHERE asked_at >= ? AND num_citations > 0 ORDER BY 2",
                (since, since),
            )
            return [ShownAnswer(*row) for row in rows]

    def conversations(self, user: str, words: str = "", last: int = 50) -> list[Conversation]:
        """The last conversations of a user, newest first; with words, those in which all of them occur.

        They are looked for in the title, the questions and the answers, whatever their capitals.
        """
        said = "coalesce(title, '')"
        if words.strip():  # else no answer has to be read
            said += (
                " || ' ' || group_concat(json_extract(answer, '$.question') || ' ' || json_extract(answer, '$.text'))"
            )
        with self._connection() as connection:
            connection.create_function("holds_all", 2, _holds_all, deterministic=True)
            rows = connection.execute(
                "SELECT conversation_id, title, MIN(asked_at), MAX(asked_at), COUNT(*) FROM answers"
                " LEFT JOIN titles USING (conversation_id) WHERE user = ? GROUP BY conversation_id"
                f" HAVING holds_all({said}, ?) ORDER BY MAX(asked_at) DESC LIMIT ?",
                (user, words, last),
            ).fetchall()
            return [Conversation(row[0], row[1] or _first_question(connection, row[0]), *row[2:]) for row in rows]

    def title(self, conversation_id: str, user: str) -> str:
        """The title that a user gave a conversation of theirs, '' if none."""
        with self._connection() as connection:
            title = f"SELECT title FROM titles WHERE conversation_id = ? AND EXISTS ({_OWN})"
            row = connection.execute(title, (conversation_id, conversation_id, user)).fetchone()
            return str(row[0]) if row else ""

    def rename_conversation(self, conversation_id: str, user: str, title: str) -> None:
        """Give a conversation another title; an empty one brings back the first question. Raises FeedbackError."""
        title = " ".join(title.split())[:_MAX_TITLE_CHARACTERS]
        with self._writing() as connection:
            _require_own(connection, conversation_id, user)
            connection.execute("DELETE FROM titles WHERE conversation_id = ?", (conversation_id,))
            if title:
                connection.execute("INSERT INTO titles VALUES (?, ?)", (conversation_id, title))

    def remove_conversation(self, conversation_id: str, user: str) -> None:
        """Remove what a user asked in a conversation, with its answers. Raises FeedbackError.

        What was struck out there stays in the log of events, and that something was shown stays countable.
        """
        with self._writing() as connection:
            _require_own(connection, conversation_id, user)
            own = "FROM answers WHERE conversation_id = ? AND user = ?"
            counted = "json_extract(answer, '$.reranker'), json_array_length(answer, '$.citations')"
            connection.execute(f"INSERT INTO removed SELECT id, asked_at, {counted} {own}", (conversation_id, user))
            connection.execute(f"DELETE {own}", (conversation_id, user))
            connection.execute("DELETE FROM titles WHERE conversation_id = ?", (conversation_id,))
            connection.execute("DELETE FROM shares WHERE conversation_id = ?", (conversation_id,))

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

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Nobody else writes between what is read here and what is written."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection


def new_id() -> str:
    """A random id for an answer or a conversation: 32 hex digits that nobody can guess."""
    return uuid.uuid4().hex


def _holds_all(text: str, words: str) -> bool:
    text = text.casefold()
    return all(word in text for word in words.casefold().split())


def _first_question(connection: sqlite3.Connection, conversation_id: str) -> str:
    (question,) = connection.execute(
        "SELECT json_extract(answer, '$.question') FROM answers WHERE conversation_id = ? ORDER BY asked_at LIMIT 1",
        (conversation_id,),
    ).fetchone()
    return str(question)


def _require_own(connection: sqlite3.Connection, conversation_id: str, user: str) -> None:
    if not connection.execute(_OWN, (conversation_id, user)).fetchone():
        raise FeedbackError("this conversation is not there any more; reload the page")


def _turns(connection: sqlite3.Connection, conversation_id: str, user: str, last: int = -1) -> list[StoredAnswer]:
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM answers WHERE conversation_id = ? AND user = ?"
        " ORDER BY asked_at DESC, rowid DESC LIMIT ?",
        (conversation_id, user, last),
    )
    return [_to_answer(row) for row in rows.fetchall()[::-1]]


def _share_token(connection: sqlite3.Connection, conversation_id: str, user: str) -> str:
    share = "SELECT token FROM shares WHERE conversation_id = ? AND user = ?"
    row = connection.execute(share, (conversation_id, user)).fetchone()
    return str(row[0]) if row else ""


def _to_answer(row: tuple[str, str, str, str, str]) -> StoredAnswer:
    answer_id, conversation_id, user, asked_at, answer = row
    return StoredAnswer(
        answer_id, conversation_id, user, datetime.fromisoformat(asked_at), _ANSWER.validate_json(answer)
    )
