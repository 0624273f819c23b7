from __future__ import annotations

import pytest

from app.evaluation.abstention import abstention
from tests.benchmarks.abstention import intervals


def test_precision_recall_and_f1_are_of_saying_that_there_is_no_answer() -> None:
    found = abstention(answerable=[0.9, 0.8, 0.05, 0.7], unanswerable=[0.02, 0.04, 0.6], floor=0.1)
    assert (found.num_answerable, found.num_unanswerable, found.num_turned_away) == (4, 3, 1)
    assert found.precision == pytest.approx(2 / 3)  # said of three, right of two
    assert found.recall == pytest.approx(2 / 3)
    assert found.f1 == pytest.approx(2 / 3)
    assert abstention([0.9], [0.02, 0.5, 0.5, 0.5], 0.1).f1 == pytest.approx(2 * 1 * 0.25 / 1.25)


def test_a_score_at_the_floor_is_not_below_it() -> None:
    assert abstention([0.1], [0.1], floor=0.1).num_turned_away == 0


def test_where_nothing_is_said_all_is_zero() -> None:
    found = abstention([0.9], [0.8], floor=0.1)
    assert (found.precision, found.recall, found.f1) == (0, 0, 0)
    assert abstention([0.9], [], floor=0.1).recall == 0


def test_intervals_hold_the_share_and_narrow_with_the_number_of_questions() -> None:
    few = intervals(abstention([0.9] * 9 + [0.0], [0.0] * 3 + [0.9] * 7, floor=0.5))
    many = intervals(abstention([0.9] * 900 + [0.0] * 100, [0.0] * 300 + [0.9] * 700, floor=0.5))
    for name, share in {"precision": 0.75, "recall": 0.3, "f1": 2 * 3 / 14, "turned_away": 0.1}.items():
        assert few[name].mean == pytest.approx(share)
        assert few[name].low < many[name].low < share < many[name].high < few[name].high
    assert many["recall"].low == pytest.approx(0.3 - 1.96 * (0.3 * 0.7 / 1000) ** 0.5, abs=0.005)


def test_intervals_where_nothing_is_said_or_asked() -> None:
    assert intervals(abstention([0.9], [], floor=0.1))["f1"].high == 0
    assert intervals(abstention([], [0.0], floor=0.1))["turned_away"].high == 0
