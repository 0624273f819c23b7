"""ranking, a curator's statement -> does it still hold, and the ranking with the sources of its answer first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from app.memory.votes import Statement
from app.reranking.rerank import RankedChunk
from ingest.listing import StoredDocument

_NUM_FIRST = 3
"""A new passage among the first three may hold the answer that was missing."""


def with_statement(
    ranking: Sequence[RankedChunk], statement: Statement | None
) -> tuple[list[RankedChunk], Statement | None]:
    """Return the ranking with the sources of a curator's answer first, in their order, and the statement.

    A written answer is left out if a source is not in the ranking with the same text, or was struck out for this
    question. The sources are in it unless they have changed, are outside the filter, or a curator decided otherwise,
    since they are named for the question.
    """
    if statement is None or not statement.text:
        return list(ranking), statement
    standing = [ranked for ranked in ranking if not ranked.is_struck_out]
    by_id = {ranked.chunk.id: ranked for ranked in standing}
    by_text = {ranked.chunk.text: ranked for ranked in reversed(standing)}
    sources = [by_id.get(source.chunk_id) or by_text.get(source.text) for source in statement.sources]
    found = [ranked for ranked in sources if ranked]
    if len(found) < len(sources):
        return list(ranking), None
    ids = {ranked.chunk.id for ranked in found}
    ordered = [*found, *(ranked for ranked in ranking if ranked.chunk.id not in ids)]
    return [replace(ranked, rank=rank) for rank, ranked in enumerate(ordered, 1)], statement


def is_overtaken(
    statement: Statement, ranking: Sequence[RankedChunk], find_document: Callable[[str], StoredDocument | None]
) -> bool:
    """Return whether the documents may now answer what a curator called unanswered.

    That is so if one of the first passages was not shown then, and its document was added or changed since. A written
    answer never is. ranking: without votes. find_document: by id.
    """
    if statement.text:
        return False
    said_at = datetime.fromisoformat(statement.at)
    new = (ranked.chunk for ranked in ranking[:_NUM_FIRST] if ranked.chunk.id not in statement.shown)
    documents = (find_document(chunk.document_id) for chunk in new)
    return any(document is not None and document.ingested_at > said_at for document in documents)
