"""ranking + votes -> ranking: what people said moves passages, and each move says why."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from rapidfuzz import fuzz

from app.memory.votes import Recall, strongest
from app.memory.wording import Wording
from app.reranking.rerank import RankedChunk
from app.search.search import Candidate
from ingest.chunk import Chunk, PassageRef

_SAME_TEXT_PERCENT = 90.0
"""Of a passage that has changed: it keeps its votes if it still says nearly the same, with the same figures."""
_TOP_PROBABILITY = 0.5
"""Of the first passage, where a score is no probability."""

FindChunks = Callable[[Collection[PassageRef]], Mapping[PassageRef, Chunk]]
"""Returns the passages as they stand in the searched documents, without those that do not."""


def with_votes(ranking: Sequence[RankedChunk], recalls: Iterable[Recall], find_chunks: FindChunks) -> list[RankedChunk]:
    """Return the ranking as the votes move it, with named passages that search missed.

    For the same question, a named passage comes first and a struck-out passage last. For a like question, the vote
    counts as much as both questions are likely to have the same need. Ties keep their order.
    """
    recalls = list(recalls)
    texts = {ranked.chunk.text for ranked in ranking}
    missed = {recall.vote.passage for recall in recalls if recall.vote.passage.text not in texts}
    elsewhere = find_chunks(missed) if missed else {}
    votes = _by_index(ranking, recalls, elsewhere)
    missing = _missing(ranking, votes.pop(None, ()), elsewhere)
    if not votes and not missing:
        return list(ranking)
    rows = []
    for index, (ranked, probability) in enumerate(zip(ranking, _probabilities(ranking), strict=True)):
        vote = strongest(votes.get(index, ()))
        rows.append((ranked, vote, vote.moved(probability) if vote else probability))
    rows += [(ranked, vote, vote.moved(0.0)) for ranked, vote in missing]
    rows.sort(key=lambda row: (_tier(row[1]), -row[2]))
    return [
        replace(ranked, rank=rank, score=score, vote=vote, unvoted_rank=ranked.rank, unvoted_score=ranked.score)
        for rank, (ranked, vote, score) in enumerate(rows, 1)
    ]


def _tier(vote: Recall | None) -> int:
    if vote is None or not vote.decides:
        return 1
    return 0 if vote.vote.is_for else 2


def _probabilities(ranking: Sequence[RankedChunk]) -> list[float]:
    """Return the scores as probabilities that do not rise; where they are none, by their distance from the first one's.

    A passage that was set lower than its score counts as the one above it, so that it stays there.
    """
    scores = list(accumulate((ranked.score for ranked in ranking), min))
    if not scores or ranking[0].is_probability:
        return scores
    mean = sum(scores) / len(scores)
    deviation = math.sqrt(sum((score - mean) ** 2 for score in scores) / len(scores)) or 1.0
    return [_TOP_PROBABILITY * math.exp((score - scores[0]) / deviation) for score in scores]


def _by_index(
    ranking: Sequence[RankedChunk], recalls: Iterable[Recall], elsewhere: Collection[PassageRef]
) -> dict[int | None, list[Recall]]:
    """Return index in the ranking -> votes on that passage, also under another heading; None: on those not in it.

    elsewhere: passages that stand in the documents, but not in the ranking.
    """
    by_text: dict[str, list[int]] = {}
    for number, ranked in enumerate(ranking):
        by_text.setdefault(ranked.chunk.text, []).append(number)
    found: dict[int | None, list[Recall]] = {}
    for recall in recalls:
        passage = recall.vote.passage
        changed = None if passage in elsewhere else _nearly_same(ranking, passage)
        indexes: list[int | None] = [*by_text.get(passage.text, ())] or [changed]
        for index in indexes:
            found.setdefault(index, []).append(recall)
    return found


def _nearly_same(ranking: Sequence[RankedChunk], passage: PassageRef) -> int | None:
    """Return the index of the passage as it stands now, if it says nearly the same in the same place."""
    return next((index for index, ranked in enumerate(ranking) if still_says(ranked.chunk, passage)), None)


def still_says(chunk: Chunk, passage: PassageRef) -> bool:
    """Return whether a chunk says nearly the same as a passage once did in the same place, with the same figures."""
    return (
        (chunk.document, chunk.heading) == (passage.document, passage.heading)
        and fuzz.ratio(chunk.text, passage.text) >= _SAME_TEXT_PERCENT
        and Wording.of(chunk.text).figures == Wording.of(passage.text).figures
    )


def _missing(
    ranking: Sequence[RankedChunk], recalls: Iterable[Recall], elsewhere: Mapping[PassageRef, Chunk]
) -> list[tuple[RankedChunk, Recall]]:
    """Return the passages that search missed, with the vote in their favor."""
    by_id: dict[str, list[Recall]] = {}
    chunks = {chunk.id: chunk for chunk in elsewhere.values()}
    for recall in recalls:
        if recall.vote.is_for and recall.vote.passage in elsewhere:
            by_id.setdefault(elsewhere[recall.vote.passage].id, []).append(recall)
    lowest = min((ranked.candidate.fused_score for ranked in ranking), default=0.0)
    is_probability = bool(ranking) and ranking[0].is_probability
    found = []
    for number, (chunk_id, votes) in enumerate(by_id.items(), len(ranking) + 1):
        candidate = Candidate(chunks[chunk_id], fused_rank=number, fused_score=lowest)
        if vote := strongest(votes):
            found.append((RankedChunk(candidate, number, 0.0, is_probability=is_probability), vote))
    return found
