from __future__ import annotations

from typing import Any

from app.training.charts import HELD_BACK, LEARNED, comparison_chart, loss_chart
from app.training.fit.trainer import Loss
from tests.app.gate_builder import make_gate_report


def rows_of(chart: dict[str, Any]) -> list[dict[str, Any]]:
    (rows,) = chart["datasets"].values()
    return list(rows)


def test_both_curves_are_drawn_over_all_steps_to_come() -> None:
    chart = loss_chart([Loss(10, 100, 2.0), Loss(20, 100, 1.5, 1.8), Loss(30, 100, None, 1.7)]).to_dict()
    rows = rows_of(chart)
    assert [(row["step"], row["on"]) for row in rows] == [
        (10, LEARNED),
        (20, LEARNED),
        (20, HELD_BACK),
        (30, HELD_BACK),
    ]
    assert chart["layer"][0]["encoding"]["x"]["scale"]["domain"] == [0, 100]


def test_before_the_first_value_the_chart_is_empty() -> None:
    assert rows_of(loss_chart([]).to_dict()) == []


def test_search_alone_live_and_candidate_have_a_bar_from_zero_with_an_interval() -> None:
    chart = comparison_chart(make_gate_report("reranker-2", "reranker-1", gain=0.05), "nDCG@10").to_dict()
    bars = chart["layer"][0]
    assert [row["row"] for row in rows_of(chart)] == [
        "search alone  68.0",
        "reranker-1  74.0",
        "reranker-2  79.0",
    ]
    assert bars["encoding"]["x"]["scale"]["domain"] == [0, 100]
    assert {"low", "high"} <= rows_of(chart)[0].keys()
