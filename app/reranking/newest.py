"""ranking -> the same with superseded passages marked, and set last where a newer version covers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.reranking.rerank import RankedChunk
from app.search.families import Families
from app.search.filters import Filter
from app.search.versions import plain_heading
from ingest.chunk import Chunk


def newest_first(
    ranking: Sequence[RankedChunk], families: Families, question: str, within: Filter
) -> list[RankedChunk]:
    """Return the ranking with each superseded passage marked, and set last if a newer version covers it.

    A newer version covers a passage if one of its own ranks above it, stands under the same heading or probably answers
    the question as well. Passages stay where they are if the question or the filter names their version, or people
    decided on them for this question. Scores stay, so they fall only within each part.
    """
    marked = [_marked(ranked, families) for ranked in ranking]
    chosen = set(within.documents)
    last = {
        ranked.chunk.id
        for ranked in marked
        if ranked.candidate.superseded_by
        and not (ranked.vote and ranked.vote.decides)
        and not chosen & {ranked.chunk.document_id, ranked.chunk.document}
        and _is_covered(ranked, ranking, families)
        and not families.is_asked_for(ranked.chunk.document_id, question)
    }
    ordered = sorted(marked, key=lambda ranked: ranked.chunk.id in last)
    return [replace(ranked, rank=rank) for rank, ranked in enumerate(ordered, 1)]


def _marked(ranked: RankedChunk, families: Families) -> RankedChunk:
    newest = families.newest(ranked.chunk.document_id)
    return replace(ranked, candidate=replace(ranked.candidate, superseded_by=newest.full_name)) if newest else ranked


def _is_covered(ranked: RankedChunk, ranking: Sequence[RankedChunk], families: Families) -> bool:
    newer, heading = families.newer[ranked.chunk.document_id], _heading(ranked.chunk)
    return any(
        other.rank < ranked.rank or (heading and _heading(other.chunk) == heading) or _probably_answers(other)
        for other in ranking
        if other.chunk.document_id in newer
    )


def _probably_answers(ranked: RankedChunk) -> bool:
    return ranked.is_probability and ranked.score >= 0.5


def _heading(chunk: Chunk) -> str:
    return plain_heading(chunk.headings[-1]) if chunk.headings else ""
