from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from scipy.stats import permutation_test

from app.evaluation.metrics import MEASURES, Difference, Interval, difference, interval, measure


def run_of(*order: str) -> dict[str, float]:
    """Scores that put the results in this order."""
    return {found: 100.0 - rank for rank, found in enumerate(order)}


def others(count: int) -> list[str]:
    return [f"other {number}" for number in range(count)]


def test_the_measures_are_the_fields_own() -> None:
    assert list(MEASURES) == ["nDCG@10", "MRR@10", "hit rate@5", "hit rate@10", "recall@50"]


def test_graded_relevance_by_hand() -> None:
    measured = measure({"q": {"good": 2, "fair": 1}}, {"q": run_of("other", "good", "fair")})
    # (0 + 2/log2(3) + 1/log2(4)) / (2/log2(2) + 1/log2(3)) = 1.76186 / 2.63093
    assert measured["nDCG@10"]["q"] == pytest.approx(0.66967, abs=1e-5)
    assert measured["MRR@10"]["q"] == 0.5
    assert measured["hit rate@5"]["q"] == measured["hit rate@10"]["q"] == measured["recall@50"]["q"] == 1


@pytest.mark.parametrize(
    ("rank", "ndcg", "mrr", "hit_at_5", "hit_at_10", "recall"),
    [
        (1, 1, 1, 1, 1, 1),
        (5, 1 / math.log2(6), 1 / 5, 1, 1, 1),
        (6, 1 / math.log2(7), 1 / 6, 0, 1, 1),
        (10, 1 / math.log2(11), 1 / 10, 0, 1, 1),
        (11, 0, 0, 0, 0, 1),
        (50, 0, 0, 0, 0, 1),
        (51, 0, 0, 0, 0, 0),
    ],
)
def test_one_relevant_result_by_its_rank(
    rank: int, ndcg: float, mrr: float, hit_at_5: float, hit_at_10: float, recall: float
) -> None:
    measured = measure({"q": {"good": 1}}, {"q": run_of(*others(rank - 1), "good", "last")})
    assert [values["q"] for values in measured.values()] == pytest.approx([ndcg, mrr, hit_at_5, hit_at_10, recall])


def test_recall_is_the_share_of_the_relevant_that_was_found() -> None:
    measured = measure({"q": {"a": 1, "b": 1, "c": 2, "d": 1}}, {"q": run_of("b", "other")})
    assert measured["recall@50"]["q"] == 0.25
    assert measured["hit rate@5"]["q"] == 1


def test_queries_that_found_nothing_count_as_zero() -> None:
    qrels = {"good": {"a": 1}, "empty": {"a": 1}, "missing": {"a": 1}, "wrong": {"a": 1}}
    measured = measure(qrels, {"good": run_of("a"), "empty": {}, "wrong": run_of("b")})
    for values in measured.values():
        assert values == {"good": 1, "empty": 0, "missing": 0, "wrong": 0}


def test_a_run_in_which_nothing_was_found_is_zero_throughout() -> None:
    assert measure({"q": {"a": 1}}, {"q": {}}) == {name: {"q": 0} for name in MEASURES}
    assert measure({"q": {"a": 1}}, {}) == {name: {"q": 0} for name in MEASURES}


def test_queries_that_are_not_judged_do_not_count() -> None:
    measured = measure({"q": {"a": 1}}, {"q": run_of("a"), "not judged": run_of("a")})
    assert {tuple(values) for values in measured.values()} == {("q",)}


def test_one_value_or_equal_values_have_no_width() -> None:
    assert interval([0.25]) == Interval(0.25, 0.25, 0.25)
    assert interval([0.5, 0.5, 0.5]) == Interval(0.5, 0.5, 0.5)


def test_an_interval_is_that_of_the_mean() -> None:
    values = [0.0, 1.0] * 200
    found = interval(values)
    assert found.mean == 0.5
    # The normal approximation: 1.96 * 0.5 / sqrt(400) = 0.049 on either side.
    assert (found.high - found.mean, found.mean - found.low) == pytest.approx((0.049, 0.049), abs=0.008)


def test_more_queries_make_a_narrower_interval() -> None:
    values = np.random.default_rng(1).random(400)
    few, many = interval(list(values[:25])), interval(list(values))
    assert few.low < few.mean < few.high
    assert many.high - many.low < (few.high - few.low) / 2


def test_an_interval_is_the_same_every_time() -> None:
    values = [0.0, 0.2, 0.9, 1.0, 0.4]
    assert interval(values) == interval(values)


# Two orders compared -----------------------------------------------------------------------------------


def by_query(*values: float) -> dict[str, float]:
    return {f"q{number}": value for number, value in enumerate(values)}


@pytest.mark.parametrize(
    ("gains", "p_value"),
    [
        # All signs of 4 gains: only the two in which all agree are as large as what was found.
        ((0.1, 0.2, 0.3, 0.4), 2 / 16),
        ((-0.1, -0.2, -0.3, -0.4), 2 / 16),
        # Sums of +-.5 +-.3 +-.1 that are .7 or more either way: .9, .7, -.7, -.9.
        ((0.5, 0.3, -0.1), 4 / 8),
        # A gain of 0 counts with both signs and changes nothing.
        ((0.25, 0.25, 0.0), 4 / 8),
        # Sums of +-1 +-1 +-1 +-1 +-1 that are 3 or more either way: 1 + 5 of each sign.
        ((1.0, 1.0, 1.0, 1.0, -1.0), 12 / 32),
        ((0.5, -0.5), 1),
        # One gain has two signs, and both are as large.
        ((0.5,), 1),
        ((0.0,), 1),
    ],
)
def test_the_p_value_is_the_share_of_sign_flips_as_large(gains: tuple[float, ...], p_value: float) -> None:
    found = difference(by_query(*(0.5 + gain for gain in gains)), by_query(*[0.5] * len(gains)))
    assert found.p_value == pytest.approx(p_value)
    assert found.mean == pytest.approx(sum(gains) / len(gains))


def test_many_questions_are_flipped_at_random_and_the_same_every_time() -> None:
    values, baseline = by_query(*[1.0] * 14, *[0.0] * 6), by_query(*[0.0] * 14, *[1.0] * 6)
    found = difference(values, baseline)
    # 14 or more heads of 20 coins, or as few: 2 * 60460 / 2**20.
    assert found.p_value == pytest.approx(0.1153, abs=0.01)
    assert found.mean == pytest.approx(0.4)
    assert found == difference(values, baseline)


def test_the_p_value_of_many_questions_is_that_of_scipy() -> None:
    gains = np.round(np.random.default_rng(4).normal(0.05, 0.3, 60), 2)
    test = permutation_test(
        (gains, np.zeros(60)),
        lambda ours, theirs, axis: np.mean(ours - theirs, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=50_000,
        rng=np.random.default_rng(1),
    )
    assert 0.05 < test.pvalue < 0.95
    assert difference(by_query(*gains), by_query(*[0.0] * 60)).p_value == pytest.approx(test.pvalue, abs=0.015)


def test_thousands_of_questions_take_little_memory() -> None:
    values = np.random.default_rng(6).random(3000)
    tracemalloc.start()
    found = difference(by_query(*values), by_query(*(0.9 * values)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 * 2**20  # 9,999 flips of 3,000 numbers at once would take 240 MB
    assert found.p_value == 1 / 10_000  # no flip at random is as large


def test_the_same_run_has_no_difference() -> None:
    values = by_query(0.0, 0.3, 1.0)
    assert difference(values, values) == Difference(0.0, 0.0, 0.0, 1.0)


def test_queries_are_paired_by_name_and_not_by_place() -> None:
    values = by_query(0.0, 0.3, 1.0)
    assert difference(values, dict(reversed(values.items()))) == Difference(0.0, 0.0, 0.0, 1.0)


def test_the_interval_is_that_of_the_gains_and_not_of_the_values() -> None:
    baseline = np.random.default_rng(2).random(50)  # values far apart, gains nearly equal
    gains = 0.1 + 0.01 * np.random.default_rng(3).random(50)
    found = difference(by_query(*(baseline + gains)), by_query(*baseline))
    assert 0.1 < found.low < found.mean < found.high < 0.11
    assert found.p_value < 0.001
