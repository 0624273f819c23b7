"""Append-only FeedbackEvents and Judgements, in one database with the answers.

Readers leave out what people who are ignored said, unless they ask for everyone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, insert, or_, select

from app.access import users
from app.feedback.curators import CuratorStore, append_statements, counted, statements_after
from app.feedback.events import EVENT_COLUMNS, Action, FeedbackEvent, Reason, StoredAnswer, event_of
from app.feedback.judgements import JUDGEMENT_COLUMNS, Judgement, is_imported, question_key
from app.memory.votes import Statement
from app.telemetry.stages import count
from ingest.home.database import now
from ingest.home.records import put
from ingest.home.tables import events, ignored_users, judgements, question_vectors, statements

_EVENTS = select(*(events.c[name] for name in EVENT_COLUMNS)).order_by(events.c.sequence)
_JUDGEMENTS = select(*(judgements.c[name] for name in JUDGEMENT_COLUMNS)).order_by(judgements.c.sequence)
_STRIKES = ("deleted", "undone")
_IS_STRIKE = or_(*(events.c.action == action for action in _STRIKES))
_STRIKES_OF_USER = _EVENTS.where(
    events.c.answer_id == bindparam("answer_id"), events.c.user == bindparam("user"), _IS_STRIKE
)
_STRIKES_OF_CHUNK = _STRIKES_OF_USER.where(events.c.chunk_id == bindparam("chunk_id")).with_only_columns(
    events.c.action, events.c.reason
)
_LAST_SEQUENCES = select(
    *(
        select(func.coalesce(func.max(table.c.sequence), 0)).scalar_subquery()
        for table in (events, judgements, statements, ignored_users)
    )
)

LogEntry = FeedbackEvent | Judgement | Statement


@dataclass(frozen=True, slots=True)
class Position:
    """How far a log has been read: the last row of each kind. ignored: of those who are ignored or count again."""

    events: int = 0
    judgements: int = 0
    statements: int = 0
    ignored: int = 0


class FeedbackStore(CuratorStore):
    """The feedback database of one home folder: answers, events and judgements.

    Every method is one durable transaction, with the errors of AnswerStore.
    """

    def take_over(self, earlier: str, user: str) -> None:
        """Move the rows of a user's earlier name to the user, in one transaction."""
        with self._records.reading() as connection:
            has_rows = users.has_rows(connection, earlier)
        if has_rows:
            with self._records.writing() as connection:
                users.rename_user(connection, earlier, user)

    def record(
        self, answer: StoredAnswer, chunk_id: str, action: Action, user: str, reason: Reason | None = None
    ) -> FeedbackEvent | None:
        """Append a user's action on a passage of an answer; return None if it changes nothing.

        A repeated click makes one event and keeps the reason. Undoing without a deletion makes none. `kept` and
        `opened` are appended once and do not affect deletions. Raises KeyError if the answer does not cite the
        chunk or, for `opened`, did not rank it.
        """
        event = event_of(answer, chunk_id, action, user, reason if action == "deleted" else None)
        with self._records.writing() as connection:
            appended = _append(connection, event)
        if appended and action == "deleted":
            count("strikes")
        return appended

    def take_back(self, question: str, text: str, user: str) -> int:
        """Undo a user's strikes of a passage for a question, in whatever answers; return how many."""
        strikes = _EVENTS.where(events.c.user == user, events.c.text == text, _IS_STRIKE)
        with self._records.writing() as connection:
            last = {event.answer_id: event for event in _events(connection, strikes)}
            struck = [
                replace(event, id=f"{event.answer_id}-{event.chunk_id}-{user}", at=now(), action="undone", reason=None)
                for event in last.values()
                if event.action == "deleted" and question_key(event.question) == question_key(question)
            ]
            return sum([_append(connection, event) is not None for event in struck])

    def record_kept(self, answer: StoredAnswer, user: str) -> list[FeedbackEvent]:
        """Append `kept` events for an answer in one transaction; return the new ones.

        Covers citations that the text uses and the user has not struck out. Incomplete and empty answers have none.
        """
        shown = answer.answer
        if not (shown.complete and shown.found):
            return []
        used = [citation.chunk.id for citation in shown.citations if citation.number in shown.used]
        events = [event_of(answer, chunk_id, "kept", user) for chunk_id in used]
        with self._records.writing() as connection:
            struck = _deleted(connection, answer.id, user)
            appended = [_append(connection, event) for event in events if event.chunk_id not in struck]
        return [event for event in appended if event]

    def events(self, *, everyone: bool = False) -> list[FeedbackEvent]:
        """Return the whole log, oldest first. everyone: also people who are ignored."""
        with self._records.reading() as connection:
            return _events(connection, _EVENTS if everyone else _EVENTS.where(counted(events)))

    def position(self) -> Position:
        """Return how far the log has grown."""
        with self._records.reading() as connection:
            return _position(connection)

    def entries_after(self, position: Position) -> tuple[list[LogEntry], Position]:
        """Return the entries after a position, each kind in order, and the new position."""
        with self._records.reading() as connection:
            new_events = _EVENTS.where(events.c.sequence > position.events, counted(events))
            new_judgements = _JUDGEMENTS.where(judgements.c.sequence > position.judgements, counted(judgements))
            said: list[LogEntry] = [*_events(connection, new_events), *_judgements(connection, new_judgements)]
            said += statements_after(connection, position.statements)
            return said, _position(connection)

    def question_vectors(self, embedder: str, keys: Iterable[str]) -> dict[str, bytes]:
        """Return question key -> the vector kept for it, made by this embedder; keys without one are left out."""
        kept = select(question_vectors.c.vector).where(
            question_vectors.c.question == bindparam("key"), question_vectors.c.embedder == embedder
        )
        with self._records.reading() as connection:
            vectors = {key: connection.scalar(kept, {"key": key}) for key in keys}
        return {key: vector for key, vector in vectors.items() if vector}

    def keep_question_vectors(self, embedder: str, vectors: Mapping[str, bytes]) -> None:
        """Keep question key -> vector."""
        rows = [{"question": key, "embedder": embedder, "vector": vector} for key, vector in vectors.items()]
        if rows:
            with self._records.writing() as connection:
                put(connection, question_vectors, rows, "question", "embedder")

    def deleted(self, answer_id: str, user: str) -> dict[str, FeedbackEvent]:
        """Return chunk id -> event of the citations that this user has struck out and not undone."""
        with self._records.reading() as connection:
            return _deleted(connection, answer_id, user)

    def judge(self, judgements: Iterable[Judgement]) -> int:
        """Append judgements in one transaction, with ids and times; return the number of new ones.

        Skips a judgement equal to the valid one, unless a curator confirms an imported one or its document is now
        known.
        """
        with self._records.writing() as connection:
            return sum([append_judgement(connection, judgement) for judgement in judgements])

    def say(self, statements: Sequence[Statement]) -> None:
        """Append statements in one transaction, and judgements that the sources of written answers answer."""
        named = [
            Judgement.of(one.question, source, "relevant", one.user)
            for one in statements
            if not one.withdrawn
            for source in one.sources
        ]
        with self._records.writing() as connection:
            append_statements(connection, statements)
            for judgement in named:
                append_judgement(connection, judgement)

    def judgements(self, *, everyone: bool = False) -> list[Judgement]:
        """Return the last judgement of each question and passage, oldest first, unless it was withdrawn.

        everyone: also people ignored.
        """
        last = select(func.max(judgements.c.sequence)).group_by(judgements.c.key)
        valid = last if everyone else last.where(counted(judgements))
        with self._records.reading() as connection:
            said = _JUDGEMENTS.where(judgements.c.sequence.in_(valid), judgements.c.label != "withdrawn")
            return _judgements(connection, said)


def _append(connection: Connection, event: FeedbackEvent) -> FeedbackEvent | None:
    """Append an event with a unique id and return it; None if it changes nothing."""
    if event.action in _STRIKES:
        of_chunk = {"answer_id": event.answer_id, "user": event.user, "chunk_id": event.chunk_id}
        strikes = connection.execute(_STRIKES_OF_CHUNK, of_chunk).all()
        action, reason = strikes[-1] if strikes else ("undone", None)
        if event.action == action and event.reason in (None, reason):
            return None
        event = replace(event, id=f"{event.id}-{len(strikes) + 1}")
    else:
        event = replace(event, id=f"{event.id}-{event.action}")
    if connection.execute(select(events.c.id).where(events.c.id == event.id)).first():
        return None
    connection.execute(insert(events), asdict(event))
    return event


def _position(connection: Connection) -> Position:
    return Position(*connection.execute(_LAST_SEQUENCES).one())


def _events(connection: Connection, query: Select[Any]) -> list[FeedbackEvent]:
    return [FeedbackEvent(**row) for row in connection.execute(query).mappings()]


def _judgements(connection: Connection, query: Select[Any]) -> list[Judgement]:
    return [Judgement(**row) for row in connection.execute(query).mappings()]


def _deleted(connection: Connection, answer_id: str, user: str) -> dict[str, FeedbackEvent]:
    strikes = connection.execute(_STRIKES_OF_USER, {"answer_id": answer_id, "user": user})
    last = {row["chunk_id"]: FeedbackEvent(**row) for row in strikes.mappings()}
    return {chunk_id: event for chunk_id, event in last.items() if event.action == "deleted"}


def append_judgement(connection: Connection, judgement: Judgement) -> bool:
    """Append a judgement unless it changes nothing; return whether it was appended."""
    said = judgements.c.key == judgement.key
    num_said = connection.scalar(select(func.count()).where(said)) or 0
    valid = select(judgements.c.label, judgements.c.origin, judgements.c.chunk_id).where(said, counted(judgements))
    last = connection.execute(valid.order_by(judgements.c.sequence.desc()).limit(1)).first()
    label, origin, chunk_id = last or (None, "", "")
    is_confirmed = is_imported(origin) and not is_imported(judgement.origin)
    is_located = bool(judgement.chunk_id) and not chunk_id
    if judgement.label == label and not is_confirmed and not is_located:
        return False
    new = replace(judgement, id=f"{judgement.key}-{num_said + 1}", at=now())
    connection.execute(insert(judgements), {"key": new.key, **asdict(new)})
    return True
