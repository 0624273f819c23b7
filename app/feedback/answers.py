"""Questions and their answers, stored."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, and_, delete, func, insert, select, union_all, update

from app.answer import Answer
from app.feedback.events import ShownAnswer, StoredAnswer
from app.feedback.unsaved import UnsavedAnswers
from ingest import CiteloopError
from ingest.home.database import is_refusal, now
from ingest.home.postgres import PostgresError
from ingest.home.records import Records, put
from ingest.home.tables import MADE, answers, removed, titles

_ANSWER = TypeAdapter(Answer)
_STORED = (answers.c.id, answers.c.conversation_id, answers.c.user, answers.c.asked_at, answers.c.answer)
_NUM_CITATIONS = func.json_array_length(answers.c.answer["citations"])
COUNTED = (answers.c.id, answers.c.asked_at, answers.c.answer["reranker"].as_string(), _NUM_CITATIONS)
"""Columns of a ShownAnswer."""
_PROGRAM = "api:"
"""Start of the users of programs."""
_NO_RESTART = "No restart is needed."
_HOW_TO_SAVE = f"Free some space on the server's disk or make the home folder writable. {_NO_RESTART}"


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
        self._records = Records(home, MADE, self._explain)
        self._unsaved = UnsavedAnswers()

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
                with self._records.writing() as connection:
                    changed = update(answers).where(answers.c.id == answer_id)
                    connection.execute(changed.values(answer=_ANSWER.dump_json(answer).decode()))
                return answer
            except FeedbackError as error:
                held = self._saved(answer_id)
                if held is None:
                    raise
                self._unsaved.hold(replace(held, answer=answer), str(error))
        else:
            newest = replace(held, answer=answer)
            self._unsaved.hold(newest, "")  # so that a retry does not write the earlier version over it
            self._save(newest)
        return self._unsaved.shown(replace(held, answer=answer)).answer

    def conversation(self, conversation_id: str, user: str, last: int | None = None) -> list[StoredAnswer]:
        """Return the last answers of a user's conversation, by default all, oldest first."""
        own = (conversation_id, user)
        unsaved = [each for each in self._still_unsaved() if (each.conversation_id, each.user) == own]
        newest_first = (answers.c.asked_at.desc(), answers.c.sequence.desc())
        query = select(*_STORED).where(in_conversation(conversation_id, user)).order_by(*newest_first).limit(last)
        with self._records.reading() as connection:
            rows = connection.execute(query).all()[::-1]
        found = {each.id: each for each in (*map(_to_answer, rows), *unsaved)}
        ordered = sorted(found.values(), key=lambda each: each.asked_at)
        return [self._unsaved.shown(each) for each in (ordered if last is None else ordered[-last:])]

    def answer(self, answer_id: str, user: str) -> StoredAnswer | None:
        """Return the answer of this id, or None if the user did not ask for it.

        A program, `api:NAME`, also has the answers that it asked for on behalf of its users, `api:NAME/USER`.
        """
        found = self._found(answer_id)
        return found if found and _is_own(found, user) else None

    def answer_of_program(self, answer_id: str) -> StoredAnswer | None:
        """Return the answer of this id if a program asked for it: it hands out the id, in links, with the answer."""
        found = self._found(answer_id)
        return found if found and found.user.startswith(_PROGRAM) else None

    def _found(self, answer_id: str) -> StoredAnswer | None:
        self._still_unsaved()
        found = self._unsaved.find(answer_id) or self._saved(answer_id)
        return self._unsaved.shown(found) if found else None

    def _saved(self, answer_id: str) -> StoredAnswer | None:
        with self._records.reading() as connection:
            row = connection.execute(select(*_STORED).where(answers.c.id == answer_id)).first()
        return _to_answer(row) if row else None

    def _still_unsaved(self) -> list[StoredAnswer]:
        """Retry saving held answers; return those still unsaved."""
        for unsaved in self._unsaved.answers():
            if self._unsaved.find(unsaved.id) is unsaved:  # not saved or replaced meanwhile
                self._save(unsaved)
        return self._unsaved.answers()

    def _save(self, answer: StoredAnswer) -> None:
        """Write an answer, or hold it in memory."""
        row = {
            "id": answer.id,
            "conversation_id": answer.conversation_id,
            "user": answer.user,
            "asked_at": answer.asked_at.isoformat(timespec="milliseconds"),
            "answer": _ANSWER.dump_json(answer.answer).decode(),
        }
        try:
            with self._records.writing() as connection:
                put(connection, answers, [row], "id")
        except FeedbackError as error:
            self._unsaved.hold(answer, str(error))
        else:
            self._unsaved.drop(answer)

    def shown(self, since: str = "") -> list[ShownAnswer]:
        """Return answers with citations since a time (ISO 8601 in UTC), oldest first."""
        kept = select(*COUNTED)
        kept = kept.where(answers.c.asked_at >= since, _NUM_CITATIONS > 0)
        gone = select(removed).where(removed.c.asked_at >= since, removed.c.num_citations > 0)
        with self._records.reading() as connection:
            return [ShownAnswer(*row) for row in connection.execute(union_all(kept, gone).order_by("asked_at"))]

    def check_writable(self) -> None:
        """Raises NotSavedError when nothing can be saved now."""
        with self._records.writing() as connection:
            connection.execute(insert(titles).values(("", "")))
            connection.execute(delete(titles).where(titles.c.conversation_id == ""))

    def _explain(self, error: Exception) -> FeedbackError:
        if is_refusal(error):
            advice = _NO_RESTART if isinstance(error, PostgresError) else _HOW_TO_SAVE
            return NotSavedError(f"Not saved: {error}. {advice}")
        return FeedbackError(
            f"the feedback in {self._records.place} cannot be used: {error}; try again, and if it stays so, run: "
            "citeloop doctor"
        )


def new_id() -> str:
    """Return an unguessable random id for an answer or a conversation: 32 hex digits."""
    return uuid.uuid4().hex


def _is_own(answer: StoredAnswer, user: str) -> bool:
    """Return whether a user asked for an answer, or the program that asked on behalf of its user."""
    return answer.user == user or (answer.user.startswith(_PROGRAM) and answer.user.startswith(f"{user}/"))


def in_conversation(conversation_id: str, user: str) -> ColumnElement[bool]:
    """Return the condition that an answer is of this conversation of a user."""
    return and_(answers.c.conversation_id == conversation_id, answers.c.user == user)


def _to_answer(row: Sequence[Any]) -> StoredAnswer:
    answer_id, conversation_id, user, asked_at, answer = row
    return StoredAnswer(
        answer_id, conversation_id, user, datetime.fromisoformat(asked_at), _ANSWER.validate_json(answer)
    )
