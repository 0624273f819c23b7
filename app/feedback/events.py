"""Shown answer and user action -> self-contained FeedbackEvent."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal, get_args

from app.answer import Answer
from ingest.chunk import PassageRef
from ingest.home.database import now

Action = Literal["deleted", "undone", "kept", "opened"]
"""deleted: a citation was struck out; undone: restored; kept: read and not struck out; opened: viewed in its
document."""
ACTIONS: tuple[Action, ...] = get_args(Action)
Reason = Literal["not relevant", "outdated", "duplicate", "wrong page", "other"]
REASONS: tuple[Reason, ...] = get_args(Reason)


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer as shown, with its id, conversation, user and time asked (UTC)."""

    id: str
    conversation_id: str
    user: str
    asked_at: datetime
    answer: Answer


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """The countable fields of an answer. asked_at: ISO 8601 in UTC."""

    id: str
    asked_at: str
    reranker: str
    num_citations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackEvent(PassageRef):
    """One action of one user on one passage of an answer.

    question: the query as searched (a follow-up is expanded to a full question). number: of the citation, None for an
    uncited passage. Ranks and scores are copied, too, so the event outlives its document. reason: None until given.
    reranker_version: fingerprint in hex. answered_by: 'extractive' or the language model's name. reranker_version,
    embedder and answered_by are '' in old events. shown: ids of all citations of the answer in order, with spaces
    between; '' in old events.
    """

    id: str
    at: str
    user: str
    action: Action
    reason: Reason | None
    answer_id: str
    question: str
    reranker: str
    reranker_version: str
    embedder: str
    answered_by: str
    number: int | None
    rank: int
    score: float
    reranker_score: float | None
    fused_rank: int
    fused_score: float
    vector_rank: int | None
    vector_score: float | None
    text_rank: int | None
    text_score: float | None
    shown: str = ""

    @property
    def says_not_relevant(self) -> bool:
        """Return whether it strikes the passage out as not relevant; other reasons say nothing about relevance."""
        return self.action == "deleted" and self.reason in (None, "not relevant")


EVENT_COLUMNS = tuple(field.name for field in fields(FeedbackEvent))


def event_of(
    answer: StoredAnswer, chunk_id: str, action: Action, user: str, reason: Reason | None = None
) -> FeedbackEvent:
    """Return the event of an action now; its id is not unique until stored.

    Raises KeyError if the answer does not cite the chunk or, for `opened`, did not rank it.
    """
    shown = answer.answer
    numbers = {citation.chunk.id: citation.number for citation in shown.citations}
    ranked = next((ranked for ranked in shown.ranking if ranked.chunk.id == chunk_id), None)
    if ranked is None or (chunk_id not in numbers and action != "opened"):
        raise KeyError(f"answer {answer.id} does not {'rank' if action == 'opened' else 'cite'} chunk {chunk_id}")
    row = {name: value for name, value in ranked.as_row().items() if name in EVENT_COLUMNS}
    return FeedbackEvent(
        **row,  # type: ignore[arg-type]  # a row of plain values by name
        id=f"{answer.id}-{chunk_id}-{user}",
        at=now(),
        user=user,
        action=action,
        reason=reason,
        answer_id=answer.id,
        question=shown.searched,
        reranker=shown.reranker,
        reranker_version=shown.reranker_version,
        embedder=shown.embedder,
        answered_by=shown.answered_by,
        number=numbers.get(chunk_id),
        shown=" ".join(numbers),
    )
