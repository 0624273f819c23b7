"""StoredAnswer -> the same as somebody may read it now.

Rights that were taken away close earlier answers, too: what rests on documents that the reader may no longer read is
hidden, and so are documents that are gone, since nobody knows who may read those.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from app.answer import EXTRACTIVE, Answer, Citation
from app.feedback.answers import Conversation
from app.feedback.events import StoredAnswer
from app.feedback.store import FeedbackStore
from app.reranking.rerank import RankedChunk
from app.search.families import Families
from app.search.filters import Filter
from app.translation import N_
from ingest.table import ChunkTable

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
        ranking = tuple(self._closed_ranked(each) for each in answer.ranking if each.chunk.document_id in self._ids)
        answer = replace(answer, citations=citations, ranking=ranking)
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


def _hidden(answer: Answer) -> Answer:
    """Return the question alone, as typed: what was searched may have words of the documents."""
    return Answer(answer.question, HIDDEN, EXTRACTIVE, (), (), answer.reranker, found=False)
