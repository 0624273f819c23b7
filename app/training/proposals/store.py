"""Proposal: a language model's question about a passage, which counts only after a curator accepts it.

Proposals are in a separate file that no training reads. Accepting one adds a Judgement.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Literal, get_args

from app.feedback import FeedbackStore, Judgement
from ingest import CiteloopError
from ingest.home.database import transaction
from ingest.home.folder import make_home

FILE = "proposals.sqlite3"
MIN_CHARACTERS, MAX_CHARACTERS = 10, 200
"""Limits of a question."""
State = Literal["open", "accepted", "rejected"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A question that a language model wrote for a passage, with a copy of the passage.

    question: once accepted, as edited by the curator. model: the language model. decided_by: a user, '' while open. at:
    UTC, ISO 8601.
    """

    id: str
    at: str
    question: str
    chunk_id: str
    document: str
    title: str
    heading: str
    page: int | None
    text: str
    model: str
    state: State = "open"
    decided_by: str = ""


_COLUMNS = tuple(field.name for field in fields(Proposal))
_SCHEMA = f"CREATE TABLE IF NOT EXISTS proposals ({', '.join(_COLUMNS)}, PRIMARY KEY (id))"


class ProposalError(CiteloopError):
    """Questions cannot be proposed, read or stored; the message says what to do."""


class ProposalStore:
    """The proposals of one home folder; every method is one transaction that survives a crash.

    Every method raises ProposalError when the file is damaged or the disk is full.
    """

    def __init__(self, home: Path) -> None:
        make_home(home)
        self._path = home / FILE
        with self._connection() as connection:
            connection.execute(_SCHEMA)

    def add(self, proposal: Proposal) -> None:
        """Store a checked proposal."""
        marks = ", ".join("?" * len(_COLUMNS))
        with self._connection() as connection:
            connection.execute(f"INSERT INTO proposals VALUES ({marks})", astuple(proposal))

    def proposals(self, state: State | None = None) -> list[Proposal]:
        """Return the proposals in this state, by default all, oldest first."""
        condition, parameters = ("", ()) if state is None else ("WHERE state = ?", (state,))
        with self._connection() as connection:
            return _select(connection, condition, *parameters)

    def accept(self, proposal_id: str, question: str, user: str, feedback: FeedbackStore) -> bool:
        """Add a judgement to the feedback that the passage answers the question, as proposed or edited.

        Returns False if it was decided before. Raises ProposalError when the question is too short or too long.
        """
        question = " ".join(question.split())
        if not MIN_CHARACTERS <= len(question) <= MAX_CHARACTERS:
            raise ProposalError(
                f"the question must have {MIN_CHARACTERS} to {MAX_CHARACTERS} characters, but has {len(question)}"
            )
        with self._deciding(proposal_id) as (connection, proposal):
            if proposal:
                # Feedback first: after a crash in between it is still open, and accepting it again adds nothing.
                accepted = replace(proposal, question=question)
                feedback.judge([Judgement.of(accepted, "relevant", user, f"proposed by {proposal.model}")])
                _decide(connection, replace(accepted, state="accepted", decided_by=user))
            return proposal is not None

    def reject(self, proposal_id: str, user: str) -> bool:
        """Reject a proposal; similar questions are not proposed again. Returns False if it was decided before."""
        with self._deciding(proposal_id) as (connection, proposal):
            if proposal:
                _decide(connection, replace(proposal, state="rejected", decided_by=user))
            return proposal is not None

    @contextmanager
    def _deciding(self, proposal_id: str) -> Iterator[tuple[sqlite3.Connection, Proposal | None]]:
        """Yield the proposal if it is still open, in a transaction that excludes other decisions."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            found = _select(connection, "WHERE id = ? AND state = 'open'", proposal_id)
            yield connection, found[0] if found else None

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with transaction(self._path) as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            raise ProposalError(
                f"the proposals in {self._path} cannot be used: {error}; check free space and permissions, or "
                "move the file away to start a new one"
            ) from error


def _select(connection: sqlite3.Connection, condition: str, *parameters: str) -> list[Proposal]:
    rows = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM proposals {condition} ORDER BY rowid", parameters)
    return [Proposal(**dict(zip(_COLUMNS, row, strict=True))) for row in rows]


def _decide(connection: sqlite3.Connection, proposal: Proposal) -> None:
    connection.execute(
        "UPDATE proposals SET question = ?, state = ?, decided_by = ? WHERE id = ?",
        (proposal.question, proposal.state, proposal.decided_by, proposal.id),
    )
