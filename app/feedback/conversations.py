"""Conversations of a user: list, search, rename, remove and share."""

from __future__ import annotations

import json
import secrets
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select

from app.feedback.answers import COUNTED, AnswerStore, FeedbackError, in_conversation
from app.feedback.events import StoredAnswer
from ingest.home.database import now
from ingest.home.tables import answers, removed, shares, titles

_ASKED = answers.c.answer["question"].as_string()
_MAX_TITLE_CHARACTERS = 200
SHARE_DAYS = 30
"""How long a link to a shared conversation works."""


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


class ConversationStore(AnswerStore):
    """The conversations of users, with the errors of AnswerStore."""

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
        is_own = select(answers.c.id).where(in_conversation(conversation_id, user)).exists()
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
        own = in_conversation(conversation_id, user)
        counted = select(*COUNTED).where(own)
        with self._records.writing() as connection:
            _require_own(connection, conversation_id, user)
            connection.execute(insert(removed).from_select(list(removed.c), counted))
            connection.execute(delete(answers).where(own))
            connection.execute(delete(titles).where(titles.c.conversation_id == conversation_id))
            connection.execute(delete(shares).where(shares.c.conversation_id == conversation_id))

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


def _holds_all(text: str, words: str) -> bool:
    text = text.casefold()
    return all(word in text for word in words.casefold().split())


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
    if not connection.execute(select(answers.c.id).where(in_conversation(conversation_id, user)).limit(1)).first():
        raise FeedbackError("this conversation is not there any more; reload the page")


def _oldest_share() -> str:
    """Return when a token that expires now was made."""
    return (datetime.now(UTC) - timedelta(days=SHARE_DAYS)).isoformat(timespec="milliseconds")


def _share_token(connection: Connection, conversation_id: str, user: str) -> str:
    shared = shares.c.conversation_id == conversation_id, shares.c.user == user
    return connection.scalar(select(shares.c.token).where(*shared, shares.c.created_at > _oldest_share())) or ""
