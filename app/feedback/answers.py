"""Questions and answers by conversation."""

from __future__ import annotations

import json
import secrets
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, union_all, update

from app.answer import Answer
from app.feedback.events import ShownAnswer, StoredAnswer
from app.feedback.unsaved import UnsavedAnswers
from ingest import CiteloopError
from ingest.home.database import is_refusal, now
from ingest.home.records import Records, put
from ingest.home.tables import MADE, answers, removed, shares, titles

_ANSWER = TypeAdapter(Answer)
_STORED = (answers.c.id, answers.c.conversation_id, answers.c.user, answers.c.asked_at, answers.c.answer)
_ASKED = answers.c.answer["question"].as_string()
_RERANKER = answers.c.answer["reranker"].as_string()
_NUM_CITATIONS = func.json_array_length(answers.c.answer["citations"])
_MAX_TITLE_CHARACTERS = 200
_PROGRAM = "api:"
"""Start of the users of programs."""
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
        query = select(*_STORED).where(_own(*own)).order_by(*newest_first).limit(last)
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

    def share(self, conversation_id: str, user: str) -> str:
        """Return the token that lets others read a user's conversation for SHARE_DAYS. Raises FeedbackError.

        Makes it on first use and when the last one has expired.
        """
        with self._records.writing() as connection:
            _require_own(connection, conversation_id, user)
            connection.execute(delete(shares).where(shares.c.created_at <= _oldest_share()))
            if not connection.execute(select(shares).where(shares.c.conversation_id == conversation_id)).first():
                row = (secrets.token_urlsafe(24), conversation_id, user, now())
                connection.execute(insert(shares).values(row))
            return _share_token(connection, conversation_id, user)

    def share_token(self, conversation_id: str, user: str) -> str:
        """Return the token of a user's conversation, '' if it is not shared or its time is over."""
        with self._records.reading() as connection:
            return _share_token(connection, conversation_id, user)

    def shared_until(self, token: str) -> datetime | None:
        """Return when a token expires, None if there is no such token."""
        with self._records.reading() as connection:
            made_at = connection.scalar(select(shares.c.created_at).where(shares.c.token == token))
        return datetime.fromisoformat(made_at) + timedelta(days=SHARE_DAYS) if made_at else None

    def stop_sharing(self, conversation_id: str, user: str) -> None:
        """Delete the token of a user's conversation; its link stops working."""
        with self._records.writing() as connection:
            shared = shares.c.conversation_id == conversation_id, shares.c.user == user
            connection.execute(delete(shares).where(*shared))

    def shared_conversation(self, token: str) -> list[StoredAnswer]:
        """Return the answers of the conversation that this token shares, oldest first; none when it has expired."""
        valid = shares.c.token == token, shares.c.created_at > _oldest_share()
        with self._records.reading() as connection:
            found = connection.execute(select(shares.c.conversation_id, shares.c.user).where(*valid)).first()
        return self.conversation(*found) if found else []

    def shown(self, since: str = "") -> list[ShownAnswer]:
        """Return answers with citations since a time (ISO 8601 in UTC), oldest first."""
        kept = select(answers.c.id, answers.c.asked_at, _RERANKER, _NUM_CITATIONS)
        kept = kept.where(answers.c.asked_at >= since, _NUM_CITATIONS > 0)
        gone = select(removed).where(removed.c.asked_at >= since, removed.c.num_citations > 0)
        with self._records.reading() as connection:
            return [ShownAnswer(*row) for row in connection.execute(union_all(kept, gone).order_by("asked_at"))]

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
        last_asked_at = func.max(answers.c.asked_at)
        query = (
            select(answers.c.conversation_id, titles.c.title, func.min(answers.c.asked_at), last_asked_at, func.count())
            .outerjoin_from(answers, titles, titles.c.conversation_id == answers.c.conversation_id)
            .where(answers.c.user == user)
            .group_by(answers.c.conversation_id, titles.c.title)
            .order_by(last_asked_at.desc())
        )
        with self._records.reading() as connection:
            if words.strip():  # else no answer is read
                said = _said(connection, user, may_read)
                rows = [row for row in connection.execute(query) if _holds_all(f"{row[1]} {said[row[0]]}", words)]
            else:
                rows = list(connection.execute(query.limit(last)))
            first = _first_questions(connection, [row[0] for row in rows[:last] if not row[1]])
        return [Conversation(row[0], row[1] or first[row[0]], *row[2:]) for row in rows[:last]]

    def title(self, conversation_id: str, user: str) -> str:
        """Return the title that a user gave a conversation, '' if none."""
        is_own = select(answers.c.id).where(_own(conversation_id, user)).exists()
        with self._records.reading() as connection:
            title = select(titles.c.title).where(titles.c.conversation_id == conversation_id, is_own)
            return connection.scalar(title) or ""

    def rename_conversation(self, conversation_id: str, user: str, title: str) -> None:
        """Rename a conversation; '' restores the first question as title. Raises FeedbackError."""
        title = " ".join(title.split())[:_MAX_TITLE_CHARACTERS]
        with self._records.writing() as connection:
            _require_own(connection, conversation_id, user)
            connection.execute(delete(titles).where(titles.c.conversation_id == conversation_id))
            if title:
                connection.execute(insert(titles).values((conversation_id, title)))

    def remove_conversation(self, conversation_id: str, user: str) -> None:
        """Remove a user's questions and answers in a conversation. Raises FeedbackError.

        Its events stay in the log, and its answers stay countable.
        """
        own = _own(conversation_id, user)
        counted = select(answers.c.id, answers.c.asked_at, _RERANKER, _NUM_CITATIONS).where(own)
        with self._records.writing() as connection:
            _require_own(connection, conversation_id, user)
            connection.execute(insert(removed).from_select(list(removed.c), counted))
            connection.execute(delete(answers).where(own))
            connection.execute(delete(titles).where(titles.c.conversation_id == conversation_id))
            connection.execute(delete(shares).where(shares.c.conversation_id == conversation_id))

    def check_writable(self) -> None:
        """Raises NotSavedError when nothing can be saved now."""
        with self._records.writing() as connection:
            connection.execute(insert(titles).values(("", "")))
            connection.execute(delete(titles).where(titles.c.conversation_id == ""))

    def _explain(self, error: Exception) -> FeedbackError:
        if is_refusal(error):
            return NotSavedError(f"Not saved: {error}. {_HOW_TO_SAVE}")
        return FeedbackError(
            f"the feedback in {self._records.path} cannot be used: {error}; try again, and if it stays so, run: "
            "citeloop doctor"
        )


def new_id() -> str:
    """Return an unguessable random id for an answer or a conversation: 32 hex digits."""
    return uuid.uuid4().hex


def _is_own(answer: StoredAnswer, user: str) -> bool:
    """Return whether a user asked for an answer, or the program that asked on behalf of its user."""
    return answer.user == user or (answer.user.startswith(_PROGRAM) and answer.user.startswith(f"{user}/"))


def _holds_all(text: str, words: str) -> bool:
    text = text.casefold()
    return all(word in text for word in words.casefold().split())


def _own(conversation_id: str, user: str) -> ColumnElement[bool]:
    return and_(answers.c.conversation_id == conversation_id, answers.c.user == user)


def _said(connection: Connection, user: str, may_read: Callable[[Collection[str]], bool]) -> dict[str, str]:
    """Return conversation id -> a user's questions and the answers to them."""
    texts = defaultdict[str, str](str)
    stored = answers.c.answer
    query = select(answers.c.conversation_id, _ASKED, stored["text"].as_string(), stored["citations"])
    for conversation_id, question, text, citations in connection.execute(query.where(answers.c.user == user)):
        cited = [citation["chunk"]["document_id"] for citation in json.loads(citations)]
        texts[conversation_id] += f"{question} {text if may_read(cited) else ''} "
    return texts


def _first_questions(connection: Connection, conversation_ids: Collection[str]) -> dict[str, str]:
    asked = select(answers.c.conversation_id, _ASKED).where(answers.c.conversation_id.in_(conversation_ids))
    return dict(connection.execute(asked.order_by(answers.c.asked_at.desc())).all())


def _require_own(connection: Connection, conversation_id: str, user: str) -> None:
    if not connection.execute(select(answers.c.id).where(_own(conversation_id, user)).limit(1)).first():
        raise FeedbackError("this conversation is not there any more; reload the page")


def _oldest_share() -> str:
    """Return when a token that expires now was made."""
    return (datetime.now(UTC) - timedelta(days=SHARE_DAYS)).isoformat(timespec="milliseconds")


def _share_token(connection: Connection, conversation_id: str, user: str) -> str:
    shared = shares.c.conversation_id == conversation_id, shares.c.user == user
    return connection.scalar(select(shares.c.token).where(*shared, shares.c.created_at > _oldest_share())) or ""


def _to_answer(row: Sequence[Any]) -> StoredAnswer:
    answer_id, conversation_id, user, asked_at, answer = row
    return StoredAnswer(
        answer_id, conversation_id, user, datetime.fromisoformat(asked_at), _ANSWER.validate_json(answer)
    )
