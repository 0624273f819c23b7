"""two rankings of the same candidates -> one: the first places are drafted in turn, as teams choose players.

Team-draft interleaving (Radlinski, Kurup and Joachims, 2008). Places that both rankings give to the same passage are no
draft.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from app.reranking.rerank import RankedChunk


def drafted(
    live: Sequence[RankedChunk], candidate: Sequence[RankedChunk], num_places: int, seed: str
) -> list[RankedChunk]:
    """Return the live ranking with its first places drafted from both; each passage has both ranks.

    The scores stay where they are, so that they still fall. seed: the same one gives the same draft.
    """
    by_id = {ranked.chunk.id: ranked for ranked in live}
    other_ranks = {ranked.chunk.id: ranked.rank for ranked in candidate}
    first = draft(list(by_id), sorted(other_ranks, key=other_ranks.__getitem__), num_places, random.Random(seed))  # noqa: S311  # not for secrets
    order = [*first, *(chunk_id for chunk_id in by_id if chunk_id not in first)]
    return [
        replace(
            by_id[chunk_id], rank=rank, score=live[rank - 1].score, ranks=(by_id[chunk_id].rank, other_ranks[chunk_id])
        )
        for rank, chunk_id in enumerate(order, 1)
    ]


def draft(one: Sequence[str], other: Sequence[str], num_places: int, chance: random.Random) -> list[str]:
    """Return the ids of the first places, drafted from two orders of the same ids."""
    chosen: list[str] = []
    for mine, theirs in zip(one, other, strict=True):
        if mine != theirs:
            break
        chosen.append(mine)
    while len(chosen) < min(num_places, len(one)):
        teams = [one, other]
        chance.shuffle(teams)
        for team in teams:
            chosen += [next(chunk_id for chunk_id in team if chunk_id not in chosen)] if len(chosen) < len(one) else []
    return chosen[:num_places]
