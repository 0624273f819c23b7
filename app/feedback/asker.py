"""ranking -> moved by votes, and a curator's answer; both only from documents that the asker may read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from app.feedback.recall import Memory
from app.memory.votes import Recall, Statement
from app.reranking.rerank import RankedChunk
from app.reranking.statements import is_overtaken
from app.reranking.votes import with_votes
from app.search.filters import Filter
from app.search.passages import find_passages
from ingest.chunk import Chunk, PassageRef
from ingest.table import ChunkTable


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks about the documents of a table.

    within: which documents to look at, of those that the asker may read. user: whose own votes act at once; '' for
    nobody in particular.
    """

    table: ChunkTable
    within: Filter
    user: str

    def voted(
        self, query: str, ranking: Sequence[RankedChunk], memory: Memory
    ) -> tuple[list[RankedChunk], Statement | None]:
        """Return the ranking as votes move it, and what a curator says of the question, if it still holds."""
        found = [ranked.chunk.id for ranked in ranking]
        moved = with_votes(ranking, self._discreet(memory.recall(query, self.user, found)), self._find)
        statement = memory.statement(query, found, self._may_be_told, self._only_readable)
        return moved, statement if statement and not is_overtaken(statement, ranking, self.table.document) else None

    def _discreet(self, recalls: Sequence[Recall]) -> list[Recall]:
        """Return the votes without the questions of others whose answers showed what the asker may not read."""
        if self.within.readable is None:
            return list(recalls)
        shown = {chunk_id for recall in recalls for chunk_id in recall.vote.shown}
        readable = self.table.find_ids(shown, self._readable_ids)
        return [
            recall
            if recall.vote.own or readable.issuperset(recall.vote.shown)
            else replace(recall, vote=replace(recall.vote, question=""))
            for recall in recalls
        ]

    def _find(self, passages: Collection[PassageRef]) -> dict[PassageRef, Chunk]:
        return find_passages(passages, self.table, self.within.document_ids(self.table))

    @property
    def _readable_ids(self) -> frozenset[str] | None:
        return self.within.all_readable.document_ids(self.table)

    def _may_be_told(self, statement: Statement) -> bool:
        """Return whether a statement is for the asker, who may read what it rests on.

        That nothing answers can only be said by a curator who may read no less.
        """
        readable = self.within.readable
        if not (statement.text or statement.covers(readable)):
            return False
        if readable is None:
            return True
        if statement.text:
            return find_passages(statement.sources, self.table, self._readable_ids).keys() == set(statement.sources)
        ids = self.table.find_ids(statement.shown, self._readable_ids)
        return ids == self.table.find_ids(statement.shown)

    def _only_readable(self, passages: Collection[PassageRef]) -> Collection[PassageRef]:
        """Return the passages that the asker may read, also those that are gone for who may read all."""
        if self.within.readable is None:
            return passages
        return find_passages(passages, self.table, self._readable_ids)
