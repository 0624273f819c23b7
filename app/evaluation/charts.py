"""EvaluationReport -> charts of quality with intervals, and of quality against milliseconds.

The colors are distinct on light and dark pages; without a font name, the page's font is used.
"""

from __future__ import annotations

from collections.abc import Sequence

import altair

from app.evaluation.decision import usual_depth
from app.evaluation.report import EvaluationReport
from app.evaluation.results import NO_RERANKER, Result
from app.translation import gettext as _
from app.translation import number_marks

CHART_MEASURES = ("nDCG@10", "hit rate@5")

_COLORS = ("#8a8f98", "#3f7fd0", "#d9822b", "#2a9d6f", "#9b6bd3", "#cf5c5c", "#b89b2f", "#4aa5b5")
_ROW_PIXELS, _AXIS_PIXELS = 28, 60


def quality_chart(report: EvaluationReport, measure: str, depth: int | None = None) -> altair.LayerChart:
    """Return a bar with its 95% interval per retriever and reranker at one depth (default: the usual one)."""
    shown = [result for result in report.results if result.num_candidates == (depth or usual_depth(report))]
    has_one_retriever = len({result.retriever for result in shown}) == 1
    rows = [_quality(result, measure) for result in shown]
    for row in rows:
        row["row"] = row["reranker"] if has_one_retriever else f"{row['retriever']}, {row['reranker']}"
    base = altair.Chart(altair.InlineData(values=rows)).encode(
        y=altair.Y("row:N", sort=None, title=None, axis=altair.Axis(labelLimit=190, labelOverlap=False)),
        color=_color(report),
        tooltip=_tooltip(measure),
    )
    values = altair.X("value:Q", title=_("{measure}, 95% interval", measure=measure))
    return interval_bars(base, values.scale(domain=[0, 1], nice=False), len(rows))


def interval_bars(base: altair.Chart, values: altair.X, num_rows: int) -> altair.LayerChart:
    """Return a bar for each row, with its interval from `low` to `high`.

    values: a scale that begins at 0, else small gains would look large.
    """
    bars = base.mark_bar(height={"band": 0.7}, opacity=0.5).encode(x=values)
    intervals = base.mark_rule(strokeWidth=3).encode(x="low:Q", x2="high:Q")
    height = _ROW_PIXELS * num_rows + _AXIS_PIXELS
    return finished(altair.LayerChart(layer=[bars, intervals]), height)


def finished(chart: altair.LayerChart, height: int) -> altair.LayerChart:
    """Return the chart as wide as the page, with the reader's marks in numbers."""
    group, point, _percent = number_marks()
    marks = altair.NumberLocale(decimal=point, thousands=group, grouping=[3], currency=["", ""])
    chart = chart.properties(height=height, width="container")
    localized: altair.LayerChart = chart.configure(locale=altair.Locale(number=marks))
    return localized


def reranker_name(name: str) -> str:
    """Return the name of a reranker, or `search alone`."""
    return _("search alone") if name == NO_RERANKER else name


def cost_chart(report: EvaluationReport) -> altair.LayerChart:
    """Return nDCG@10 against the milliseconds of a median question with new passages; a line joins depths.

    The deepest point of each line is named.
    """
    measure, deepest = "nDCG@10", max(report.num_candidates)
    rows = [
        _quality(result, measure)
        | {
            "milliseconds": result.latency_ms["search"].p50 + result.latency_ms["rerank"].p50,
            "name": reranker_name(result.reranker) if result.num_candidates == deepest else "",
        }
        for result in report.results
    ]
    base = altair.Chart(altair.InlineData(values=rows)).encode(
        x=altair.X(
            "milliseconds:Q",
            title=_("milliseconds per question"),
            scale=altair.Scale(type="log"),  # extended to powers of ten: labels stand on both sides of the points
            axis=altair.Axis(tickCount=4),
        ),
        y=altair.Y("value:Q", title=measure, scale=altair.Scale(zero=False, padding=20)),
        color=_color(report),
        tooltip=[*_tooltip(measure), altair.Tooltip("milliseconds:Q", title=_("milliseconds"), format=".0f")],
    )
    shapes = altair.Legend(orient="top", title=None, symbolFillColor=_COLORS[0], symbolStrokeColor=_COLORS[0])
    lines = base.mark_line(strokeWidth=1.5, opacity=0.6).encode(detail="retriever:N", order="candidates:Q")
    shape = altair.Shape("retriever:N", legend=shapes if len({row["retriever"] for row in rows}) > 1 else None)
    points = base.mark_point(size=90, filled=True, opacity=1).encode(shape=shape)
    names = base.mark_text(dy=-14).encode(text="name:N")
    return finished(altair.LayerChart(layer=[lines, points, names]), 440)


def _quality(result: Result, measure: str) -> dict[str, object]:
    value = result.metrics[measure]
    return {
        "retriever": result.retriever,
        "reranker": reranker_name(result.reranker),
        "candidates": result.num_candidates,
        "value": value.mean,
        "low": value.low,
        "high": value.high,
    }


def _tooltip(measure: str) -> Sequence[altair.Tooltip]:
    return [
        altair.Tooltip("retriever:N", title=_("retriever")),
        altair.Tooltip("reranker:N", title=_("reranker")),
        altair.Tooltip("candidates:Q", title=_("candidates")),
        altair.Tooltip("value:Q", title=measure, format=".3f"),
        altair.Tooltip("low:Q", title=_("low"), format=".3f"),
        altair.Tooltip("high:Q", title=_("high"), format=".3f"),
    ]


def _color(report: EvaluationReport) -> altair.Color:
    """Return a color per reranker, the same in every chart; each bar and line has its name beside it."""
    names = list(dict.fromkeys(reranker_name(result.reranker) for result in report.results))
    colors = [_COLORS[index % len(_COLORS)] for index in range(len(names))]
    return altair.Color("reranker:N", scale=altair.Scale(domain=names, range=colors), legend=None)
