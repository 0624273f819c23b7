"""Questions and answers by conversation, in SQLite."""

from __future__ import annotations

import json
import secrets
import sqlite3
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from app.answer import Answer
from app.feedback.events import ShownAnswer, StoredAnswer
from app.feedback.unsaved import UnsavedAnswers
from ingest import CiteloopError
from ingest.home.database import is_refusal, now, transaction

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
_CITED = "(SELECT json_group_array(json_extract(value, '$.chunk.document_id')) FROM json_each(answer, '$.citations'))"
_COLUMNS = "id, conversation_id, user, asked_at, answer"
_MAX_TITLE_CHARACTERS = 200
SHARE_DAYS = 30
"""How long a link to a shared conversation works."""
_HOW_TO_SAVE = "Free some space on the server's disk or make the home folder writable; no restart is needed."


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


class NotSavedError(FeedbackError):
    """The disk is full or may not be written."""


class AnswerStore:
    """The answers in the feedback database of one home folder; every method is one durable transaction.

    Readers name the user; other users' answers are invisible unless shared.

    An answer that cannot be saved is held in memory, with a note, and saved when it can be. A damaged file is set
    aside, and a new one begins. Every other method raises NotSavedError when it should write and the disk does not
    allow it, and FeedbackError when it finds the file damaged.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / "feedback.sqlite3"
        self._unsaved = UnsavedAnswers()
        with self._connection():  # makes the tables
            pass

    def _make_tables(self, connection: sqlite3.Connection) -> None:
        connection.executescript(_SCHEMA)

    def save_answer(self, answer: Answer, conversation_id: str, user: str) -> str:
        """Keep an answer and return its id."""
        stored = StoredAnswer(new_id(), conversation_id, user, datetime.fromisoformat(now()), answer)
        self._save(stored)
        return stored.id

    def update_answer(self, answer_id: str, answer: Answer) -> Answer:
        """Replace an answer's earlier version; a removed answer stays removed.

        Returns the answer as shown, with a note if it is not saved.
        """
        held = self._unsaved.find(answer_id)
        if held is None:
            try:
                with self._connection() as connection:
                    row = (_ANSWER.dump_json(answer).decode(), answer_id)
                    connection.execute("UPDATE answers SET answer = ? WHERE id = ?", row)
                return answer
            except FeedbackError as error:
                held = self._saved(answer_id)
                if held is None:
                    raise
                self._unsaved.hold(replace(held, answer=answer), str(error))
        else:
            self._save(replace(held, answer=answer))
        return self._unsaved.shown(replace(held, answer=answer)).answer

    def conversation(self, conversation_id: str, user: str, last: int = -1) -> list[StoredAnswer]:
        """Return the last answers of a user's conversation, by default all, oldest first."""
        own = (conversation_id, user)
        unsaved = [each for each in self._still_unsaved() if (each.conversation_id, each.user) == own]
        with self._connection() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM answers WHERE conversation_id = ? AND user = ?"
                " ORDER BY asked_at DESC, rowid DESC LIMIT ?",
                (*own, last),
            ).fetchall()[::-1]
        found = {each.id: each for each in (*map(_to_answer, rows), *unsaved)}
        ordered = sorted(found.values(), key=lambda each: each.asked_at)
        return [self._unsaved.shown(each) for each in (ordered if last < 0 else ordered[-last:])]

    def answer(self, answer_id: str, user: str) -> StoredAnswer | None:
        """Return the answer of this id, or None if the user did not ask for it.

        A program, `api:NAME`, also has the answers that it asked for on behalf of its users, `api:NAME/USER`.
        """
        self._still_unsaved()
        found = self._unsaved.find(answer_id) or self._saved(answer_id)
        return self._unsaved.shown(found) if found and _is_own(found, user) else None

    def _saved(self, answer_id: str) -> StoredAnswer | None:
        with self._connection() as connection:
            row = connection.execute(f"SELECT {_COLUMNS} FROM answers WHERE id = ?", (answer_id,)).fetchone()
        return _to_answer(row) if row else None

    def _still_unsaved(self) -> list[StoredAnswer]:
        """Retry saving held answers; return those still unsaved."""
        for unsaved in self._unsaved.answers():
            self._save(unsaved)
        return self._unsaved.answers()

    def _save(self, answer: StoredAnswer) -> None:
        """Write an answer, or hold it in memory."""
        row = (answer.id, answer.conversation_id, answer.user, answer.asked_at.isoformat(timespec="milliseconds"))
        try:
            with self._connection() as connection:
                connection.execute(
                    "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)",
                    (*row, _ANSWER.dump_json(answer.answer).decode()),
                )
        except FeedbackError as error:
            self._unsaved.hold(answer, str(error))
        else:
            self._unsaved.drop(answer)

    def share(self, conversation_id: str, user: str) -> str:
        """Return the token that lets others read a user's conversation for SHARE_DAYS. Raises FeedbackError.

        Makes it on first use and when the last one has expired.
        """
        with self._writing() as connection:
            _require_own(connection, conversation_id, user)
            connection.execute("DELETE FROM shares WHERE created_at <= ?", (_oldest_share(),))
            connection.execute(
                "INSERT INTO shares VALUES (?, ?, ?, ?) ON CONFLICT (conversation_id) DO NOTHING",
                (secrets.token_urlsafe(24), conversation_id, user, now()),
            )
            return _share_token(connection, conversation_id, user)

    def share_token(self, conversation_id: str, user: str) -> str:
        """Return the token of a user's conversation, '' if it is not shared or its time is over."""
        with self._connection() as connection:
            return _share_token(connection, conversation_id, user)

    def shared_until(self, token: str) -> datetime | None:
        """Return when a token expires, None if there is no such token."""
        with self._connection() as connection:
            row = connection.execute("SELECT created_at FROM shares WHERE token = ?", (token,)).fetchone()
        return datetime.fromisoformat(row[0]) + timedelta(days=SHARE_DAYS) if row else None

    def stop_sharing(self, conversation_id: str, user: str) -> None:
        """Delete the token of a user's conversation; its link stops working."""
        with self._connection() as connection:
            connection.execute("DELETE FROM shares WHERE conversation_id = ? AND user = ?", (conversation_id, user))

    def shared_conversation(self, token: str) -> list[StoredAnswer]:
        """Return the answers of the conversation that this token shares, oldest first; none when it has expired."""
        with self._connection() as connection:
            share = "SELECT conversation_id, user FROM shares WHERE token = ? AND created_at > ?"
            found = connection.execute(share, (token, _oldest_share())).fetchone()
        return self.conversation(*found) if found else []

    def shown(self, since: str = "") -> list[ShownAnswer]:
        """Return answers with citations since a time (ISO 8601 in UTC), oldest first."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT id, asked_at, json_extract(answer, '$.reranker'), json_array_length(answer, '$.citations')"
                " AS number FROM answers WHERE asked_at >= ? AND number > 0"
                " UNION ALL SELECT * FROM removed WHERE asked_at >= ? AND num_citations > 0 ORDER BY 2",
                (since, since),
            )
            return [ShownAnswer(*row) for row in rows]

    def conversations(
        self,
        user: str,
        words: str = "",
        last: int = 50,
        may_read: Callable[[Collection[str]], bool] = lambda _: True,
    ) -> list[Conversation]:
        """Return a user's last conversations, newest first; with words, those that contain all of them.

        Searches titles, questions and answers, ignoring case. may_read: whether the user may read all documents with
        these ids; the texts of answers that cite others are not searched.
        """
        said = "coalesce(title, '')"
        if words.strip():  # else no answer is read
            text = f"CASE WHEN may_read({_CITED}) THEN json_extract(answer, '$.text') ELSE '' END"
            said += f" || ' ' || group_concat(json_extract(answer, '$.question') || ' ' || {text})"
        with self._connection() as connection:
            connection.create_function("holds_all", 2, _holds_all, deterministic=True)
            connection.create_function("may_read", 1, lambda ids: may_read(json.loads(ids)))
            rows = connection.execute(
                "SELECT conversation_id, title, MIN(asked_at), MAX(asked_at), COUNT(*) FROM answers"
                " LEFT JOIN titles USING (conversation_id) WHERE user = ? GROUP BY conversation_id"
                f" HAVING holds_all({said}, ?) ORDER BY MAX(asked_at) DESC LIMIT ?",
                (user, words, last),
            ).fetchall()
            return [Conversation(row[0], row[1] or _first_question(connection, row[0]), *row[2:]) for row in rows]

    def title(self, conversation_id: str, user: str) -> str:
        """Return the title that a user gave a conversation, '' if none."""
        with self._connection() as connection:
            title = f"SELECT title FROM titles WHERE conversation_id = ? AND EXISTS ({_OWN})"
            row = connection.execute(title, (conversation_id, conversation_id, user)).fetchone()
            return str(row[0]) if row else ""

    def rename_conversation(self, conversation_id: str, user: str, title: str) -> None:
        """Rename a conversation; '' restores the first question as title. Raises FeedbackError."""
        title = " ".join(title.split())[:_MAX_TITLE_CHARACTERS]
        with self._writing() as connection:
            _require_own(connection, conversation_id, user)
            connection.execute("DELETE FROM titles WHERE conversation_id = ?", (conversation_id,))
            if title:
                connection.execute("INSERT INTO titles VALUES (?, ?)", (conversation_id, title))

    def remove_conversation(self, conversation_id: str, user: str) -> None:
        """Remove a user's questions and answers in a conversation. Raises FeedbackError.

        Its events stay in the log, and its answers stay countable.
        """
        with self._writing() as connection:
            _require_own(connection, conversation_id, user)
            own = "FROM answers WHERE conversation_id = ? AND user = ?"
            counted = "json_extract(answer, '$.reranker'), json_array_length(answer, '$.citations')"
            connection.execute(f"INSERT INTO removed SELECT id, asked_at, {counted} {own}", (conversation_id, user))
            connection.execute(f"DELETE {own}", (conversation_id, user))
            connection.execute("DELETE FROM titles WHERE conversation_id = ?", (conversation_id,))
            connection.execute("DELETE FROM shares WHERE conversation_id = ?", (conversation_id,))

    def check_writable(self) -> None:
        """Raises NotSavedError when nothing can be saved now."""
        with self._writing() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            connection.execute(f"PRAGMA user_version = {version}")  # a write that changes nothing

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with transaction(self._path, make_tables=self._make_tables) as connection:
                yield connection
        except (sqlite3.DatabaseError, ValidationError) as error:
            if isinstance(error, sqlite3.Error) and is_refusal(error):
                raise NotSavedError(f"Not saved: {error}. {_HOW_TO_SAVE}") from error
            raise FeedbackError(
                f"the feedback in {self._path} cannot be used: {error}; try again, and if it stays so, run: "
                "citeloop doctor"
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Open a transaction that locks out other writers from the start."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection


def new_id() -> str:
    """Return an unguessable random id for an answer or a conversation: 32 hex digits."""
    return uuid.uuid4().hex


def _is_own(answer: StoredAnswer, user: str) -> bool:
    """Return whether a user asked for an answer, or the program that asked on behalf of its user."""
    return answer.user == user or (answer.user.startswith("api:") and answer.user.startswith(f"{user}/"))


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


def _oldest_share() -> str:
    """Return when a token that expires now was made."""
    return (datetime.now(UTC) - timedelta(days=SHARE_DAYS)).isoformat(timespec="milliseconds")


def _share_token(connection: sqlite3.Connection, conversation_id: str, user: str) -> str:
    share = "SELECT token FROM shares WHERE conversation_id = ? AND user = ? AND created_at > ?"
    row = connection.execute(share, (conversation_id, user, _oldest_share())).fetchone()
    return str(row[0]) if row else ""


def _to_answer(row: tuple[str, str, str, str, str]) -> StoredAnswer:
    answer_id, conversation_id, user, asked_at, answer = row
    return StoredAnswer(
        answer_id, conversation_id, user, datetime.fromisoformat(asked_at), _ANSWER.validate_json(answer)
    )
