"""what people said, documents -> Changed: what waits for a curator because the documents have changed since."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from rapidfuzz import fuzz

from app.feedback.judgements import wording_key
from app.memory.votes import Statement, Vote
from app.memory.wording import Wording
from app.reranking.votes import still_says
from app.search.passages import find_passages
from ingest.chunk import Chunk, PassageRef
from ingest.table import ChunkTable

Change = Literal["source changed", "documents added", "passage changed"]
"""For a written answer, for a statement that nothing answers, and for a vote."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What waits at one question.

    statement: a written answer with a source that has changed or is gone, or a statement that nothing answers although
    documents were added. sources: of the written answer, as they are now; None where the document is gone. votes: on
    passages that have changed, each with the most similar passage of its document now.
    """

    statement: Statement | None = None
    sources: tuple[Chunk | None, ...] = ()
    votes: tuple[tuple[Vote, Chunk], ...] = ()

    @property
    def change(self) -> Change:
        """Return what has changed; a statement decides more than a vote."""
        if self.statement:
            return "source changed" if self.statement.text else "documents added"
        return "passage changed"


def changed_since(
    questions: Iterable[str],
    log: Iterable[Statement],
    held: Iterable[Statement],
    votes: Iterable[Vote],
    table: ChunkTable,
    is_overtaken: Callable[[Statement], bool],
) -> dict[Wording | str, Changed]:
    """Return wording key -> what waits there.

    questions: those to look at. log: all statements ever made; held: those that stand, newest first. votes: that act
    for others. is_overtaken: whether documents added or changed since may answer a question that a curator called
    unanswered; takes a search, so it is asked only where there are any. A source of a written answer does not wait a
    second time as a passage that was named.
    """
    wanted = {wording_key(question) for question in questions}
    sources_of = {(wording_key(one.question), source.text) for one in log for source in one.sources}
    held = [statement for statement in held if wording_key(statement.question) in wanted]
    acting = [
        vote
        for vote in votes
        if (key := wording_key(vote.question)) in wanted and (key, vote.passage.text) not in sources_of
    ]
    passages = {vote.passage for vote in acting} | {source for one in held for source in one.sources}
    now = _passages_now(passages, table)
    newest = max((document.ingested_at for document in table.documents()), default=None)
    found: dict[Wording | str, Changed] = {}
    for statement in held:
        sources = tuple(now[source] for source in statement.sources)
        is_changed = [chunk and chunk.text for chunk in sources] != [source.text for source in statement.sources]
        is_new = newest is not None and newest > datetime.fromisoformat(statement.at)
        if is_changed or (not statement.text and is_new and is_overtaken(statement)):
            found.setdefault(wording_key(statement.question), Changed(statement, sources))  # the newest
    for vote in acting:
        chunk = now[vote.passage]
        if chunk and chunk.text != vote.passage.text and not still_says(chunk, vote.passage):
            key = wording_key(vote.question)
            before = found.get(key, Changed())
            found[key] = Changed(before.statement, before.sources, (*before.votes, (vote, chunk)))
    return found


def _passages_now(passages: Collection[PassageRef], table: ChunkTable) -> dict[PassageRef, Chunk | None]:
    """Return passage -> chunk with its text, else the most similar one of its document; None if that is gone."""
    found = find_passages(passages, table)
    ids = {document.name: document.id for document in table.documents()}
    names = {passage.document for passage in passages if passage not in found} & ids.keys()
    chunks = {name: table.chunks_of(ids[name]) for name in names}

    def nearest(passage: PassageRef) -> Chunk | None:
        return max(
            chunks.get(passage.document, ()), key=lambda chunk: fuzz.ratio(chunk.text, passage.text), default=None
        )

    return {passage: found.get(passage) or nearest(passage) for passage in passages}
