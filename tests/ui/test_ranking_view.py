from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from app.answer import Answer, Citation
from app.memory.votes import Recall, Vote
from app.reranking.rerank import RankedChunk
from app.search.search import Candidate
from app.ui.ask.ranking import view_data
from ingest.chunk import Chunk
from tests.ui.conftest import Run


def chunk(name: str) -> Chunk:
    return Chunk(name, "d", "d.md", name.upper(), ("H",), f"text of {name}", 3, 0, 9)


def answer_with(new_ranks: list[int], text: str = "It is so [1].") -> Answer:
    ranking = [
        RankedChunk(Candidate(chunk(f"c{old}"), old, 1 / old, vector_rank=old), new, float(-new), 0.5)
        for old, new in enumerate(new_ranks, 1)
    ]
    ranking.sort(key=lambda ranked: ranked.rank)
    return Answer("q", text, "extractive", (Citation(1, ranking[0].chunk),), tuple(ranking), "fake")


def rows(data: dict[str, object], side: str) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], data[side])


def test_both_lists_hold_the_same_passages_each_in_its_own_order() -> None:
    data = view_data(answer_with([2, 3, 1]))
    assert [row["id"] for row in rows(data, "before")] == ["c1", "c2", "c3"]
    assert [row["id"] for row in rows(data, "after")] == ["c3", "c1", "c2"]
    assert [row["change"] for row in rows(data, "after")] == [2, -1, -1]


def test_a_passage_from_far_down_is_in_both_lists() -> None:
    new_ranks = [*range(2, 31), 1]  # number 30 comes first
    data = view_data(answer_with(new_ranks))
    assert rows(data, "before")[-1] | {"detail": ""} == {
        "id": "c30", "rank": 30, "title": "C30, p. 3", "heading": "H", "line": "text of c30", "text": "text of c30",
        "detail": "", "change": 29, "moved": "up 29", "used": True,
    }  # fmt: skip
    assert len(rows(data, "after")) == 11  # the first ten, and the old tenth that fell to eleven


def test_only_what_the_answer_quotes_is_marked() -> None:
    assert [row["used"] for row in rows(view_data(answer_with([1, 2])), "after")] == [True, False]
    assert not any(row["used"] for row in rows(view_data(answer_with([1, 2], "No number.")), "after"))


def test_a_strike_out_is_no_move_and_leaves_no_score() -> None:
    answer = answer_with([4, 1, 3, 2])
    *kept, struck = answer.ranking
    vote = Vote("q", struck.chunk.ref, "struck out", num_people=1)
    struck = replace(struck, vote=Recall(vote, 1.0))
    after = rows(view_data(replace(answer, ranking=(*kept, struck))), "after")
    assert [row["moved"] for row in after] == ["same", "up 1", "down 1", ""]
    assert after[0]["detail"].startswith("score")
    assert after[-1]["detail"].startswith("struck out for")


def drawer() -> None:
    from dataclasses import replace
    from datetime import UTC, datetime

    from app.feedback import StoredAnswer
    from app.ui.ask.ranking import show_ranking
    from tests.app.builders import make_answer

    answer = replace(make_answer(), reranker="[free](http://evil.example)")
    show_ranking(StoredAnswer("a", "c", "ann", datetime.now(UTC), answer))


def test_the_name_of_a_reranker_makes_no_link(run_page: Run) -> None:
    page = run_page(drawer)
    assert not page.exception
    assert r"after reranking (\[free\](http\://evil.example))" in page.markdown[0].value
    assert not [caption for caption in page.caption if "What people said" in caption.value]
