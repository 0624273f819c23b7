from __future__ import annotations

import pytest

from app.search.fusion import WORDS_WEIGHT, exact_matches, exact_terms, fused_scores

ROWS = ["part ZX-15321/5, bin R1-7", "part ZX-15321/55, bin R2-1", "part AZX-15321/5", "part ZX-17141/5, bin R1-7"]


def test_a_score_is_the_similarity_and_what_the_words_say() -> None:
    passages = ["Thirty days of leave", "Paid leave", "Hotels"]
    scores = fused_scores("How many days of leave?", passages, [0.5, 0.6, 0.7], [6.0, 2.0, 0.0])
    # five words, of which the passages hold three, one and none
    assert scores == pytest.approx([0.5 + WORDS_WEIGHT * 6.0 / 5 * 3 / 5, 0.6 + WORDS_WEIGHT * 2.0 / 5 * 1 / 5, 0.7])


def test_a_score_depends_on_no_other_candidate() -> None:
    alone = fused_scores("days of leave", ["Days of leave"], [0.5], [3.0])
    among = fused_scores("days of leave", ["Days of leave", "Hotels", "leave"], [0.5, 0.9, 0.1], [3.0, 0.0, 9.0])
    assert among[0] == alone[0]


def test_a_query_without_words_is_ranked_by_similarity() -> None:
    assert fused_scores("?!", ["a", "b"], [0.1, 0.2], [0.0, 0.0]) == [0.1, 0.2]


def test_an_exact_rare_term_is_never_outvoted() -> None:
    scores = fused_scores("In which bin is part ZX-15321/5?", ROWS, [0.2, 0.9, 0.9, 0.9], [1.0, 9.0, 9.0, 9.0])
    assert max(scores) == scores[0]


def test_an_exact_term_counts_as_a_whole_in_any_case() -> None:
    assert exact_matches("where is zx-15321/5?", ROWS) == [True, False, False, False]


def test_a_term_that_many_candidates_hold_tells_nothing() -> None:
    assert exact_matches("E-47", ["error E-47"] * 4) == [False] * 4
    assert exact_matches("E-47", ["error E-47"] * 3 + ["none"]) == [True] * 3 + [False]


@pytest.mark.parametrize(
    "term", ["ZX-15321/5", "E-47", "KB4012345", "10.0.3.17", "2.3.1", "v2.3.1", "ISO-9001", "3fa9c2d1", "471199"]
)
def test_what_names_one_thing_is_an_exact_term(term: str) -> None:
    assert exact_terms(f"What is {term}?") == [term]


@pytest.mark.parametrize(
    "term", ["2024", "FY2018", "mid-2019", "2024-03-01", "30-day", "20th", "500GB", "2.5", "42", "3M", "B2B", "leave"]
)
def test_years_dates_quantities_and_short_numbers_are_not(term: str) -> None:
    assert exact_terms(f"What about {term}?") == []
