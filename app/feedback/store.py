"""Append-only FeedbackEvents and Judgements, in one SQLite file with the answers.

Readers leave out what people who are ignored said, unless they ask for everyone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace

from app.access import users
from app.feedback.curators import COUNTED, CuratorStore, append_statements, statements_after
from app.feedback.events import EVENT_COLUMNS, Action, FeedbackEvent, Reason, StoredAnswer, event_of
from app.feedback.judgements import JUDGEMENT_COLUMNS, Judgement, is_imported, question_key
from app.memory.votes import Statement
from app.telemetry.stages import count
from ingest.home.database import add_missing_columns, now

_EVENTS, _JUDGEMENTS = ", ".join(EVENT_COLUMNS), ", ".join(JUDGEMENT_COLUMNS)
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS events (sequence INTEGER PRIMARY KEY AUTOINCREMENT, {_EVENTS}, UNIQUE (id));
CREATE INDEX IF NOT EXISTS events_by_citation ON events (answer_id, chunk_id, user);
CREATE TABLE IF NOT EXISTS judgements (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, {_JUDGEMENTS}, UNIQUE (id)
);
CREATE INDEX IF NOT EXISTS judgements_by_key ON judgements (key, sequence);
CREATE TABLE IF NOT EXISTS question_vectors (
    question TEXT, embedder TEXT, vector BLOB NOT NULL, PRIMARY KEY (question, embedder)
);
"""

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

    def _make_tables(self, connection: sqlite3.Connection) -> None:
        super()._make_tables(connection)
        connection.executescript(_SCHEMA)
        add_missing_columns(connection, "events", EVENT_COLUMNS, default="''")
        users.replace_cookies(connection)

    def take_over(self, earlier: str, user: str) -> None:
        """Move the rows of a user's earlier name to the user, in one transaction."""
        with self._connection() as connection:
            has_rows = users.has_rows(connection, earlier)
        if has_rows:
            with self._writing() as connection:
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
        with self._writing() as connection:
            appended = _append(connection, event)
        if appended and action == "deleted":
            count("strikes")
        return appended

    def take_back(self, question: str, text: str, user: str) -> int:
        """Undo a user's strikes of a passage for a question, in whatever answers; return how many."""
        condition = "WHERE user = ? AND text = ? AND action IN ('deleted', 'undone') ORDER BY sequence"
        with self._writing() as connection:
            last = {event.answer_id: event for event in _events(connection, condition, user, text)}
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
        with self._writing() as connection:
            struck = _deleted(connection, answer.id, user)
            appended = [_append(connection, event) for event in events if event.chunk_id not in struck]
        return [event for event in appended if event]

    def events(self, *, everyone: bool = False) -> list[FeedbackEvent]:
        """Return the whole log, oldest first. everyone: also people who are ignored."""
        with self._connection() as connection:
            return _events(connection, f"{'' if everyone else f'WHERE {COUNTED}'} ORDER BY sequence")

    def position(self) -> Position:
        """Return how far the log has grown."""
        with self._connection() as connection:
            return _position(connection)

    def entries_after(self, position: Position) -> tuple[list[LogEntry], Position]:
        """Return the entries after a position, each kind in order, and the new position."""
        with self._connection() as connection:
            after = f"WHERE sequence > ? AND {COUNTED}"
            connection.execute("BEGIN")  # all of one state of the database
            events = _events(connection, f"{after} ORDER BY sequence", position.events)
            judgements = _judgements(connection, f"{after} ORDER BY sequence", position.judgements)
            statements = statements_after(connection, position.statements)
            return [*events, *judgements, *statements], _position(connection)

    def question_vectors(self, embedder: str, keys: Iterable[str]) -> dict[str, bytes]:
        """Return question key -> the vector kept for it, made by this embedder; keys without one are left out."""
        kept = "SELECT vector FROM question_vectors WHERE question = ? AND embedder = ?"
        with self._connection() as connection:
            rows = {key: connection.execute(kept, (key, embedder)).fetchone() for key in keys}
        return {key: row[0] for key, row in rows.items() if row}

    def keep_question_vectors(self, embedder: str, vectors: Mapping[str, bytes]) -> None:
        """Keep question key -> vector."""
        if not vectors:
            return
        with self._connection() as connection:
            rows = [(question, embedder, vector) for question, vector in vectors.items()]
            connection.executemany("INSERT OR REPLACE INTO question_vectors VALUES (?, ?, ?)", rows)

    def deleted(self, answer_id: str, user: str) -> dict[str, FeedbackEvent]:
        """Return chunk id -> event of the citations that this user has struck out and not undone."""
        with self._connection() as connection:
            return _deleted(connection, answer_id, user)

    def judge(self, judgements: Iterable[Judgement]) -> int:
        """Append judgements in one transaction, with ids and times; return the number of new ones.

        Skips a judgement equal to the valid one, unless a curator confirms an imported one or its document is now
        known.
        """
        with self._writing() as connection:
            return sum([_append_judgement(connection, judgement) for judgement in judgements])

    def say(self, statements: Sequence[Statement]) -> None:
        """Append statements in one transaction, and judgements that the sources of written answers answer."""
        named = [
            Judgement.of_passage(one.question, source, "relevant", one.user)
            for one in statements
            if not one.withdrawn
            for source in one.sources
        ]
        with self._writing() as connection:
            append_statements(connection, statements)
            for judgement in named:
                _append_judgement(connection, judgement)

    def judgements(self, *, everyone: bool = False) -> list[Judgement]:
        """Return the last judgement of each question and passage, oldest first. everyone: also people ignored."""
        with self._connection() as connection:
            last = f"SELECT MAX(sequence) FROM judgements {'' if everyone else f'WHERE {COUNTED}'} GROUP BY key"
            return _judgements(connection, f"WHERE sequence IN ({last}) ORDER BY sequence")


def _append(connection: sqlite3.Connection, event: FeedbackEvent) -> FeedbackEvent | None:
    """Append an event with a unique id and return it; None if it changes nothing."""
    if event.action in ("deleted", "undone"):
        before = connection.execute(
            "SELECT action, reason, COUNT(*) OVER () FROM events WHERE answer_id = ? AND chunk_id = ? AND user = ?"
            " AND action IN ('deleted', 'undone') ORDER BY sequence DESC LIMIT 1",
            (event.answer_id, event.chunk_id, event.user),
        ).fetchone() or ("undone", None, 0)
        if event.action == before[0] and event.reason in (None, before[1]):
            return None
        event = replace(event, id=f"{event.id}-{before[2] + 1}")
    else:
        event = replace(event, id=f"{event.id}-{event.action}")
    marks = ", ".join("?" * len(EVENT_COLUMNS))
    inserted = connection.execute(
        f"INSERT INTO events ({_EVENTS}) VALUES ({marks}) ON CONFLICT (id) DO NOTHING", astuple(event)
    )
    return event if inserted.rowcount else None


def _position(connection: sqlite3.Connection) -> Position:
    tables = ("events", "judgements", "statements", "ignored_users")
    last = ", ".join(f"(SELECT coalesce(MAX(sequence), 0) FROM {table})" for table in tables)
    return Position(*connection.execute(f"SELECT {last}").fetchone())


def _events(connection: sqlite3.Connection, condition: str, *parameters: object) -> list[FeedbackEvent]:
    return [FeedbackEvent(*row) for row in connection.execute(f"SELECT {_EVENTS} FROM events {condition}", parameters)]


def _judgements(connection: sqlite3.Connection, condition: str, *parameters: object) -> list[Judgement]:
    rows = connection.execute(f"SELECT {_JUDGEMENTS} FROM judgements {condition}", parameters)
    return [Judgement(**dict(zip(JUDGEMENT_COLUMNS, row, strict=True))) for row in rows]


def _deleted(connection: sqlite3.Connection, answer_id: str, user: str) -> dict[str, FeedbackEvent]:
    condition = "WHERE answer_id = ? AND user = ? AND action IN ('deleted', 'undone') ORDER BY sequence"
    last = {event.chunk_id: event for event in _events(connection, condition, answer_id, user)}
    return {chunk_id: event for chunk_id, event in last.items() if event.action == "deleted"}


def _append_judgement(connection: sqlite3.Connection, judgement: Judgement) -> bool:
    """Append a judgement unless it changes nothing; return whether it was appended."""
    (count,) = connection.execute("SELECT COUNT(*) FROM judgements WHERE key = ?", (judgement.key,)).fetchone()
    valid = f"SELECT label, origin, chunk_id FROM judgements WHERE key = ? AND {COUNTED} ORDER BY sequence DESC LIMIT 1"
    label, origin, chunk_id = connection.execute(valid, (judgement.key,)).fetchone() or (None, "", "")
    is_confirmed = is_imported(origin) and not is_imported(judgement.origin)
    is_located = bool(judgement.chunk_id) and not chunk_id
    if judgement.label == label and not is_confirmed and not is_located:
        return False
    new = replace(judgement, id=f"{judgement.key}-{count + 1}", at=now())
    marks = ", ".join("?" * (1 + len(JUDGEMENT_COLUMNS)))
    connection.execute(f"INSERT INTO judgements (key, {_JUDGEMENTS}) VALUES ({marks})", (new.key, *astuple(new)))
    return True
