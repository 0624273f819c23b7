"""The sentence that explains a passage's place is made from its scores and from what people said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.memory.votes import Recall, Vote
from app.reranking.rerank import RankedChunk
from app.ui.ask.reasons import vote_words, why_above
from ingest.chunk import PassageRef
from tests.app.builders import make_candidates


def recall(kind: Any, likeness: float = 1.0, **more: Any) -> Recall:
    place = PassageRef(chunk_id="c1", document="leave.md", title="Leave", text="Thirty days.")
    return Recall(Vote("How long is leave?", place, kind, **more), likeness)


def pair(upper: dict[str, Any], lower: dict[str, Any]) -> tuple[RankedChunk, RankedChunk]:
    first, second = make_candidates("one", "two")
    upper, lower = dict(upper), dict(lower)
    names = ("fused_rank", "vector_score", "text_score", "superseded_by")

    def ranked(candidate: Any, rank: int, given: dict[str, Any]) -> RankedChunk:
        own = {name: given.pop(name) for name in names if name in given}
        return RankedChunk(replace(candidate, **own), rank, 1.0 / rank, **given)

    return ranked(first, 1, upper), ranked(second, 2, lower)


@pytest.mark.parametrize(
    ("upper", "lower", "expected"),
    [
        ({"reranker_score": 0.9, "fused_rank": 1}, {"reranker_score": 0.5, "fused_rank": 2}, "agree on it"),
        ({"reranker_score": 0.9, "fused_rank": 7}, {"reranker_score": 0.5, "fused_rank": 2}, "though search ranked it"),
        ({"reranker_score": 0.5, "fused_rank": 1}, {"reranker_score": 0.6, "fused_rank": 9}, "sees little difference"),
        ({"vector_score": 0.9, "text_score": 1.0}, {"vector_score": 0.8, "text_score": 3.0}, "by meaning"),
        ({"vector_score": 0.9, "text_score": 5.0}, {"vector_score": 0.8, "text_score": 3.0}, "by meaning and words"),
        ({"vector_score": 0.1, "text_score": None}, {"vector_score": 0.8, "text_score": 3.0}, "the order of search"),
        ({"reranker_score": 0.5}, {"reranker_score": 0.9, "superseded_by": "Travel 2026"}, "of an older version"),
        ({"reranker_score": 0.5, "ranks": (7, 1)}, {"reranker_score": 0.9, "ranks": (1, 2)}, "a model on trial ranks"),
    ],
)
def test_the_scores_say_why(upper: dict[str, Any], lower: dict[str, Any], expected: str) -> None:
    assert expected in why_above(*pair(upper, lower))


def test_a_vote_says_why_only_where_it_made_the_difference() -> None:
    kept = recall("kept", 0.7, num_people=3)
    moved: tuple[dict[str, Any], dict[str, Any]] = {"vote": kept, "unvoted_rank": 2}, {"unvoted_rank": 1}
    assert "kept for “How long is leave?” by 3 people" in why_above(*pair(*moved))
    struck: tuple[dict[str, Any], dict[str, Any]] = (
        {"unvoted_rank": 2},
        {"vote": recall("struck out", 0.7, num_people=2), "unvoted_rank": 1},
    )
    assert why_above(*pair(*struck)).startswith("above the next one because that was struck out for")
    unmoved = (
        {"vote": kept, "unvoted_rank": 1, "reranker_score": 0.9, "fused_rank": 1},
        {"reranker_score": 0.5, "unvoted_rank": 2},
    )
    assert "agree on it" in why_above(*pair(*unmoved))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (recall("struck out", num_people=3), "struck out for this question by 3 people"),
        (recall("struck out", num_people=1, own=True), "struck out for this question by you"),
        (recall("named", 0.9, curator="cora"), "named as the answer by a curator for “How long is leave?”"),
        (recall("rejected", curator="cora"), "rejected by a curator for this question"),
    ],
)
def test_words_name_the_question_and_how_many_but_nobody(said: Recall, expected: str) -> None:
    assert vote_words(said) == expected
