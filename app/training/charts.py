"""Losses and GateReport -> charts of a training and of a comparison.

The colors are distinct on light and dark pages; without a font name, the page's font is used.
"""

from __future__ import annotations

from collections.abc import Sequence

import altair

from app.evaluation.charts import finished, interval_bars
from app.training.fit.trainer import Loss
from app.training.gate.decision import GateReport
from app.translation import N_, number
from app.translation import gettext as _

MEASURE_TITLES = {
    "nDCG@10": N_("Order of the first ten (nDCG@10)"),
    "MRR@10": N_("Rank of the first relevant source (MRR@10)"),
    "hit rate@5": N_("A relevant source in the first five (hit rate@5)"),
}
"""Measure of a GateReport -> its title."""

LEARNED, HELD_BACK = N_("training questions"), N_("held-back questions")
_COLORS = ("#8a8f98", "#3f7fd0", "#2a9d6f")


def loss_chart(losses: Sequence[Loss]) -> altair.LayerChart:
    """Return the loss by step on training and held-back questions; lower is better."""
    rows = [
        {"step": loss.step, "loss": value, "on": _(name)}
        for loss in losses
        for name, value in ((LEARNED, loss.training), (HELD_BACK, loss.validation))
        if value is not None
    ]
    num_steps = max((loss.num_steps for loss in losses), default=1)
    base = altair.Chart(altair.InlineData(values=rows)).encode(
        x=altair.X("step:Q", title=_("step"), scale=altair.Scale(domain=[0, num_steps], nice=False)),
        y=altair.Y("loss:Q", title=_("error, lower is better"), scale=altair.Scale(zero=False, padding=10)),
        color=altair.Color(
            "on:N",
            scale=altair.Scale(domain=[_(LEARNED), _(HELD_BACK)], range=_COLORS[1:]),
            legend=altair.Legend(orient="bottom", title=None, columns=1, symbolOpacity=1),
        ),
        tooltip=[
            altair.Tooltip("on:N", title=_("on")),
            altair.Tooltip("step:Q", title=_("step")),
            altair.Tooltip("loss:Q", title=_("error"), format=".4f"),
        ],
    )
    lines = base.mark_line(strokeWidth=2)
    points = base.mark_point(filled=True, opacity=1, size=45)  # a single value has no line
    return finished(altair.LayerChart(layer=[lines, points]), 300)


def comparison_chart(report: GateReport, measure: str) -> altair.LayerChart:
    """Return a bar with its 95% interval for search alone, the live model and the candidate."""
    names = {"none": _("search alone"), "live": report.live, "candidate": report.candidate}
    rows = [
        {
            "order": name,
            "row": f"{name}  {number(100 * value.mean, '.1f')}",
            "points": 100 * value.mean,
            "low": 100 * value.low,
            "high": 100 * value.high,
        }
        for key, name in names.items()
        for value in [report.metrics[key][measure]]
    ]
    base = altair.Chart(altair.InlineData(values=rows)).encode(
        y=altair.Y("row:N", sort=None, title=None, axis=altair.Axis(labelLimit=170, labelOverlap=False)),
        color=altair.Color(
            "order:N", scale=altair.Scale(domain=list(names.values()), range=list(_COLORS)), legend=None
        ),
        tooltip=[
            altair.Tooltip("order:N", title=_("order")),
            altair.Tooltip("points:Q", title=_("points"), format=".1f"),
            altair.Tooltip("low:Q", title=_("low"), format=".1f"),
            altair.Tooltip("high:Q", title=_("high"), format=".1f"),
        ],
    )
    points = altair.X("points:Q", title=_("points, 95% interval"), axis=altair.Axis(values=[0, 25, 50, 75, 100]))
    return interval_bars(base, points.scale(domain=[0, 100], nice=False), len(rows))
