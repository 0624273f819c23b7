"""StoredAnswer -> the same as somebody may read it now.

Rights that were taken away close earlier answers, too: what rests on documents that the reader may no longer read is
hidden, and so are documents that are gone, since nobody knows who may read those.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from app.answer import EXTRACTIVE, Answer, Citation
from app.feedback.conversations import Conversation
from app.feedback.events import StoredAnswer
from app.feedback.store import FeedbackStore
from app.reranking.rerank import RankedChunk
from app.search.families import Families
from app.search.filters import Filter
from app.search.search import Candidate
from app.translation import N_
from ingest.table import ChunkTable

T = TypeVar("T", RankedChunk, Candidate)

HIDDEN = N_("This answer used documents that you may no longer read.")


class ReadableAnswers:
    """The answers of a store as one reader may see them; the methods are those of AnswerStore."""

    def __init__(
        self, store: FeedbackStore, within: Filter, table: ChunkTable, families: Callable[[Filter], Families]
    ) -> None:
        """within: what the reader may read. families: of the documents that a filter lets them read."""
        self._store = store
        self._ids = within.document_ids(table)
        if self._ids is not None:
            self._names = frozenset(document.name for document in within.readable_documents(table))
            self._families = families(within)

    def answer(self, answer_id: str, user: str) -> StoredAnswer | None:
        """Return the answer of this id, or None if the user did not ask for it."""
        stored = self._store.answer(answer_id, user)
        return self._closed(stored) if stored else None

    def answer_of_program(self, answer_id: str) -> StoredAnswer | None:
        """Return the answer of this id if a program asked for it."""
        stored = self._store.answer_of_program(answer_id)
        return self._closed(stored) if stored else None

    def conversation(self, conversation_id: str, user: str, last: int | None = None) -> list[StoredAnswer]:
        """Return the last answers of a user's conversation, by default all, oldest first."""
        return [self._closed(stored) for stored in self._store.conversation(conversation_id, user, last)]

    def shared_conversation(self, token: str) -> list[StoredAnswer]:
        """Return the answers of the conversation that this token shares, oldest first."""
        return [self._closed(stored) for stored in self._store.shared_conversation(token)]

    def conversations(self, user: str, words: str = "", last: int = 50) -> list[Conversation]:
        """Return a user's last conversations, newest first; words are not looked for in hidden answers."""
        return self._store.conversations(user, words, last, self._may_read)

    def _may_read(self, document_ids: Collection[str]) -> bool:
        return self._ids is None or self._ids.issuperset(document_ids)

    def _closed(self, stored: StoredAnswer) -> StoredAnswer:
        if self._ids is None:
            return stored
        answer = stored.answer
        if not self._may_read([citation.chunk.document_id for citation in answer.citations]):
            return replace(stored, answer=_hidden(answer))
        citations = tuple(map(self._closed_citation, answer.citations))
        ranking = [self._closed_ranked(each) for each in answer.ranking if each.chunk.document_id in self._ids]
        if len(ranking) < len(answer.ranking):
            ranking = _without_gaps(ranking)
        answer = replace(answer, citations=citations, ranking=tuple(ranking))
        if answer.within.readable is None:  # its notes may name any document
            answer = replace(answer, note="", ranking_note="")
        return replace(stored, answer=answer)

    def _closed_citation(self, citation: Citation) -> Citation:
        return replace(
            citation,
            also_in=self._readable_names(citation.also_in),
            superseded_by=self._newest(citation.chunk.document_id),
        )

    def _closed_ranked(self, ranked: RankedChunk) -> RankedChunk:
        candidate = replace(
            ranked.candidate,
            also_in=self._readable_names(ranked.candidate.also_in),
            superseded_by=self._newest(ranked.chunk.document_id),
        )
        return replace(ranked, candidate=candidate)

    def _readable_names(self, names: Collection[str]) -> tuple[str, ...]:
        return tuple(name for name in names if name in self._names)

    def _newest(self, document_id: str) -> str:
        newest = self._families.newest(document_id)
        return newest.full_name if newest else ""


def _without_gaps(ranking: Sequence[RankedChunk]) -> list[RankedChunk]:
    """Return a ranking with all its ranks counted again, since a gap tells that something is hidden there."""
    candidates = _counted_again([each.candidate for each in ranking], "fused_rank", "vector_rank", "text_rank")
    ranked = _counted_again(ranking, "rank", "unvoted_rank")
    return [replace(each, candidate=candidate) for each, candidate in zip(ranked, candidates, strict=True)]


def _counted_again(things: Sequence[T], *names: str) -> list[T]:
    for name in names:
        ranks = sorted({getattr(each, name) for each in things} - {None})
        new: list[dict[str, Any]] = [
            {name: ranks.index(rank) + 1 if (rank := getattr(each, name)) else None} for each in things
        ]
        things = [replace(each, **changes) for each, changes in zip(things, new, strict=True)]
    return list(things)


def _hidden(answer: Answer) -> Answer:
    """Return the question alone, as typed: what was searched may have words of the documents."""
    return Answer(answer.question, HIDDEN, EXTRACTIVE, (), (), answer.reranker, found=False)
