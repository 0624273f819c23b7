"""Proposal: a language model's question about a passage, which counts only after a curator accepts it.

No training reads proposals. Accepting one adds a Judgement in the same transaction.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from sqlalchemy import Connection, insert, select, update

from app.feedback import Judgement
from app.feedback.store import append_judgement
from ingest import CiteloopError
from ingest.chunk import PassageRef
from ingest.home.records import Records, unusable
from ingest.home.tables import MADE, proposals

MIN_CHARACTERS, MAX_CHARACTERS = 10, 200
"""Limits of a question."""
State = Literal["open", "accepted", "rejected"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal(PassageRef):
    """A question that a language model wrote for a passage.

    question: once accepted, as edited by the curator. model: the language model. decided_by: a user, '' while open. at:
    UTC, ISO 8601.
    """

    id: str
    at: str
    question: str
    model: str
    state: State = "open"
    decided_by: str = ""


_PROPOSALS = select(*(proposals.c[field.name] for field in fields(Proposal))).order_by(proposals.c.sequence)


class ProposalError(CiteloopError):
    """Questions cannot be proposed, read or stored; the message says what to do."""


class ProposalStore:
    """The proposals of one home folder; every method is one transaction that survives a crash.

    Every method raises ProposalError when the file is damaged or the disk is full.
    """

    def __init__(self, home: Path) -> None:
        self._records = Records(home, MADE, unusable(ProposalError, "the proposals"))

    def add(self, proposal: Proposal) -> None:
        """Store a checked proposal."""
        with self._records.writing() as connection:
            connection.execute(insert(proposals), asdict(proposal))

    def proposals(self, state: State | None = None) -> list[Proposal]:
        """Return the proposals in this state, by default all, oldest first."""
        query = _PROPOSALS if state is None else _PROPOSALS.where(proposals.c.state == state)
        with self._records.reading() as connection:
            return [Proposal(**row) for row in connection.execute(query).mappings()]

    def accept(self, proposal_id: str, question: str, user: str) -> bool:
        """Add a judgement that the passage answers the question, as proposed or edited.

        Returns False if it was decided before. Raises ProposalError when the question is too short or too long.
        """
        question = " ".join(question.split())
        if not MIN_CHARACTERS <= len(question) <= MAX_CHARACTERS:
            raise ProposalError(
                f"the question must have {MIN_CHARACTERS} to {MAX_CHARACTERS} characters, but has {len(question)}"
            )
        with self._records.writing() as connection:
            accepted = _decide(connection, proposal_id, question=question, state="accepted", decided_by=user)
            if accepted:
                origin = f"proposed by {accepted.model}"
                append_judgement(connection, Judgement.of(accepted.question, accepted, "relevant", user, origin))
        return accepted is not None

    def reject(self, proposal_id: str, user: str) -> bool:
        """Reject a proposal; similar questions are not proposed again. Returns False if it was decided before."""
        with self._records.writing() as connection:
            return _decide(connection, proposal_id, state="rejected", decided_by=user) is not None


def _decide(connection: Connection, proposal_id: str, **changes: str) -> Proposal | None:
    """Change a proposal and return it, if it is still open."""
    still_open = _PROPOSALS.where(proposals.c.id == proposal_id, proposals.c.state == "open")
    row = connection.execute(still_open).mappings().first()
    if row is None:
        return None
    connection.execute(update(proposals).where(proposals.c.id == proposal_id).values(changes))
    return Proposal(**{**row, **changes})
