from __future__ import annotations

from dataclasses import replace

import pytest

from app.evaluation.decision import decide, verdict
from app.evaluation.metrics import Difference
from app.search.search import Retriever
from tests.app.report_builder import make_report, make_result

GOOD = Difference(0.05, 0.02, 0.08, 0.001)
SAME = Difference(0.0, -0.02, 0.02, 1.0)
LOSS = Difference(-0.05, -0.08, -0.02, 0.001)


@pytest.mark.parametrize(
    ("ndcg", "hits", "num_questions", "outcome"),
    [
        (GOOD, SAME, 100, "pays"),
        (GOOD, SAME, 20, "pays"),
        (GOOD, SAME, 19, "too few questions"),
        # Significance: p below .05, not at it.
        (Difference(0.05, 0.001, 0.1, 0.0499), SAME, 100, "pays"),
        (Difference(0.05, 0.001, 0.1, 0.05), SAME, 100, "too few questions"),
        # Hits among the first five must not be fewer.
        (GOOD, Difference(-0.01, -0.04, 0.02, 0.6), 100, "too few questions"),
        (GOOD, Difference(-0.03, -0.05, 0.0, 0.03), 100, "too few questions"),
        (GOOD, Difference(-0.03, -0.05, -0.01, 0.01), 100, "does not pay"),
        # Over thousands of questions a few hits fewer are seen to be few: two in a hundred at worst.
        (GOOD, Difference(-0.002, -0.013, 0.009, 0.7), 3000, "pays"),
        (GOOD, Difference(-0.002, -0.0199, 0.016, 0.8), 1000, "pays"),
        (GOOD, Difference(-0.002, -0.02, 0.016, 0.8), 1000, "too few questions"),
        (GOOD, Difference(-0.002, -0.003, -0.001, 0.01), 9000, "does not pay"),
        # Surely no gain that anybody would notice: the interval ends below .01.
        (Difference(0.0, -0.0099, 0.0099, 0.9), SAME, 100, "does not pay"),
        (Difference(0.0, -0.01, 0.01, 0.9), SAME, 100, "too few questions"),
        (Difference(0.005, 0.002, 0.008, 0.001), SAME, 100, "does not pay"),
        (Difference(-0.05, -0.08, -0.02, 0.001), SAME, 100, "does not pay"),
        (Difference(-0.05, -0.12, 0.02, 0.2), SAME, 100, "too few questions"),
        (Difference(0.0, 0.0, 0.0, 1.0), Difference(0.0, 0.0, 0.0, 1.0), 19, "too few questions"),
        (Difference(0.0, 0.0, 0.0, 1.0), Difference(0.0, 0.0, 0.0, 1.0), 20, "does not pay"),
    ],
)
def test_the_rule(ndcg: Difference, hits: Difference, num_questions: int, outcome: str) -> None:
    assert decide({"nDCG@10": ndcg, "hit rate@5": hits}, num_questions) == outcome


def test_the_sentence_says_what_is_gained_and_what_it_costs() -> None:
    gain = {"nDCG@10": GOOD, "hit rate@5": Difference(0.1, 0.0, 0.2, 0.04)}
    said = verdict(make_report(make_result(quality=0.5), make_result("ours", quality=0.6, gain=gain)))
    assert said.outcome == "pays"
    assert said.sentence == (
        "Reranking pays here: +10.0 points hit rate@5 (from 50.0% to 60.0%) and +0.050 nDCG@10 (95% interval +0.020 "
        "to +0.080, p = 0.001) for 41 ms a question with new passages, by ours on 50 candidates of "
        "hybrid search."
    )


def test_where_no_candidate_is_relevant_nothing_is_said_of_the_reranker() -> None:
    said = verdict(make_report(make_result(best=0.0, quality=0), make_result("ours", best=0.0, quality=0)))
    assert said.outcome == "nothing relevant"
    assert said.sentence.startswith("None of the 50 candidates of hybrid search is relevant to any question")


@pytest.mark.parametrize(
    ("quality", "hits", "ndcg", "opening"),
    [
        # With every answer among the first five, unsure gains need no more questions; sure ones are still said.
        (0.9, 1.0, SAME, "Nothing to win here (search alone puts a relevant result in the first five for each of the "),
        (0.9, 1.0, GOOD, "Reranking pays here: "),
        (0.9, 1.0, LOSS, "Reranking does not pay here: "),
        (0.9, 0.99, SAME, "Too few questions to tell (100): "),
        # No order is better than the best, whatever a reranker does to it.
        (1.0, 1.0, SAME, "Nothing to win here (search alone has the best order for each of the 100 questions): "),
        (1 - 1e-12, 1.0, LOSS, "Nothing to win here (search alone has the best order for each of the 100 questions): "),
    ],
)
def test_where_search_alone_is_perfect_there_is_nothing_to_win(
    quality: float, hits: float, ndcg: Difference, opening: str
) -> None:
    ours = make_result("ours", gain={"nDCG@10": ndcg})
    said = verdict(make_report(make_result(quality=quality, hits=hits), ours))
    assert said.sentence.startswith(opening)
    assert (said.outcome == "nothing to win") == opening.startswith("Nothing")


def test_where_the_usual_candidates_were_not_reached_the_first_are_told() -> None:
    """A reranker that failed at 50 candidates of hybrid search, with none beside it."""
    reached: list[tuple[Retriever, int]] = [("vector", 20), ("vector", 50), ("hybrid", 20)]
    results = [replace(make_result("ours", retriever=each, depth=depth), gain={}) for each, depth in reached]
    said = verdict(make_report(*results))
    assert (said.outcome, said.retriever, said.num_candidates) == ("nothing to compare", "vector", 20)


@pytest.mark.parametrize(
    ("gain", "num_queries", "opening"),
    [
        (Difference(-0.1, -0.2, -0.05, 0.001), 100, "Reranking does not pay here: "),
        (GOOD, 7, "Too few questions to tell (7): "),
    ],
)
def test_the_sentence_opens_with_the_outcome(gain: Difference, num_queries: int, opening: str) -> None:
    results = make_result(), make_result("ours", gain={"nDCG@10": gain})
    assert verdict(make_report(*results, num_queries=num_queries)).sentence.startswith(opening)


def test_the_best_reranker_is_judged_as_the_app_would_use_it() -> None:
    report = make_report(
        *(
            make_result(name, retriever=retriever, depth=depth, quality=quality + 0.2 * (retriever == "vector"))
            for retriever in ("vector", "hybrid")
            for depth in (20, 50)
            for name, quality in (("none", 0.9), ("good", 0.6), ("better", 0.7))
        )
    )
    said = verdict(report)
    assert (said.retriever, said.num_candidates, said.reranker) == ("hybrid", 50, "better")


def test_without_hybrid_search_or_50_candidates_it_is_the_first_of_each() -> None:
    report = make_report(
        *(
            make_result(name, retriever=retriever, depth=depth)
            for retriever in ("text", "vector")
            for depth in (100, 20)
            for name in ("none", "ours")
        )
    )
    said = verdict(report)
    assert (said.retriever, said.num_candidates, said.reranker) == ("text", 100, "ours")


def test_no_reranker_alone_leaves_nothing_to_compare() -> None:
    said = verdict(make_report(make_result()))
    assert said.outcome == "nothing to compare"
    assert "evaluate none and at least one reranker" in said.sentence
