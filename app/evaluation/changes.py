"""two orders of the same candidates -> QuestionChange: the questions with the largest gains and losses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from textwrap import shorten

from app.evaluation.tables import JudgedTable
from app.reranking.rerank import RankedChunk
from ingest.chunk import Chunk, PassageRef

CHANGE_MEASURE = "nDCG@10"
"""Measure that decides whether a question counts as gained or lost."""

_NUM_CHANGES = 10
_NUM_PLACES = 5
_TEXT_CHARACTERS = 200
_TABLE_LINES = re.compile(r"\||-{3,}")

Rankings = Mapping[str, Sequence[RankedChunk]]
"""Query id -> ranking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place(PassageRef):
    """A passage in an order. text: its beginning in one line. relevant: whether it or its document is."""

    relevant: bool


@dataclass(frozen=True, slots=True)
class QuestionChange:
    """The effect of a reranker on one question: nDCG@10 and the first 5 passages, before and after."""

    query_id: str
    question: str
    before: float
    after: float
    places_before: tuple[Place, ...]
    places_after: tuple[Place, ...]

    @property
    def gain(self) -> float:
        """Return the gain in nDCG@10; negative means worse."""
        return self.after - self.before


def largest_changes(
    judged: JudgedTable, before: Rankings, after: Rankings, values: Mapping[str, tuple[float, float]]
) -> tuple[QuestionChange, ...]:
    """Return up to 10 questions that gained most, then up to 10 that lost most, largest changes first.

    values: query id -> nDCG@10 before and after.
    """
    gains = {query_id: value_after - value_before for query_id, (value_before, value_after) in values.items()}
    gained = sorted((query_id for query_id in gains if gains[query_id] > 0), key=lambda query_id: -gains[query_id])
    lost = sorted((query_id for query_id in gains if gains[query_id] < 0), key=lambda query_id: gains[query_id])
    return tuple(
        QuestionChange(
            query_id,
            judged.queries[query_id],
            *values[query_id],
            _first_places(judged, query_id, before[query_id]),
            _first_places(judged, query_id, after[query_id]),
        )
        for query_id in (*gained[:_NUM_CHANGES], *lost[:_NUM_CHANGES])
    )


def _first_places(judged: JudgedTable, query_id: str, ranking: Sequence[RankedChunk]) -> tuple[Place, ...]:
    """Return the first passages as measured: if documents are judged, only the best passage of each."""
    best: dict[str, RankedChunk] = {}
    for ranked in ranking:
        best.setdefault(judged.unit(ranked.chunk), ranked)
    return tuple(
        Place(relevant=unit in judged.qrels[query_id], **{**asdict(ranked.chunk.ref), "text": _beginning(ranked.chunk)})
        for unit, ranked in list(best.items())[:_NUM_PLACES]
    )


def _beginning(chunk: Chunk) -> str:
    return shorten(_TABLE_LINES.sub(" ", chunk.text), _TEXT_CHARACTERS, placeholder=" ...")
