"""A GateReport on the page: the verdict and its reasons, charts, and the questions that changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import streamlit as st

from app.evaluation.metrics import Difference
from app.evaluation.slices import MAX_LOSS
from app.training.charts import MEASURE_TITLES, comparison_chart
from app.training.gate.decision import MAX_FORGOTTEN, MAX_SLOW_DOWN, USEFUL_GAIN, GateReport
from app.training.labels.from_feedback import MIN_GATE_QUESTIONS
from app.ui import markup
from app.ui.quality.changes import show_changes
from app.ui.words import counted, moment

VERDICTS: Mapping[str, str] = {
    "promote": "better, can go live",
    "keep": "not better, keep the live model",
    "too little data": "too little feedback to tell",
}
"""Verdict of the gate -> its meaning for people."""

CHOSEN = "training-comparison"
"""Session key: name of the model whose comparison is shown."""

_EXPLANATION = f"""\
Feedback is split by question: most questions are used for training, the others only to compare models. On these, each
ranking is checked against the passages that people judged. Passages without a judgement are ignored.

- **Points** measure a ranking: 100 if every passage that answers ranks above every other one (nDCG@10; answers
  further down count less). _How far up the first right one is_ gives 100 for rank 1, 50 for rank 2, 33 for rank 3
  (MRR@10). _A right one among the first five_ is the share of such questions (hit rate@5).
- **The interval** is where the points of similar questions would lie 95 times in 100. **p** is the probability of such
  a difference by chance alone; below 0.05, chance is unlikely.
- **Better** means at least {100 * USEFUL_GAIN:g} point more, unlikely by chance, with at most
  {100 * MAX_FORGOTTEN:g} points lost on other documents and at most {MAX_SLOW_DOWN:g} times the time.
- **Asked before** are questions that ask in other words what the training saw; the others are **new**. A model is also
  better if only questions asked before gain, and new ones have certainly lost no more than {100 * MAX_LOSS:.1f} points.
- **Fewer than {MIN_GATE_QUESTIONS} new questions** are too few for a verdict.
- **Other documents** come with Citeloop. A model that gets worse on them has memorized your documents and reads
  others less well."""


def choose_comparison(name: str) -> None:
    """Show the comparison of this model on the next run; for `on_click`."""
    st.session_state[CHOSEN] = name
    st.session_state["scroll-to-comparison"] = True


def headline(report: GateReport) -> str:
    """Return the verdict in one sentence without jargon."""
    candidate, live = report.candidate, report.live
    number = report.num_counted
    if not report.metrics or number < MIN_GATE_QUESTIONS:
        if objections(report):
            return f"Keep {live}; see below what speaks against {candidate}."
        return (
            f"Too early to tell whether {candidate} is better than {live}: "
            f"{number} of {MIN_GATE_QUESTIONS} questions needed for a comparison."
        )
    means = {name: f"{100 * each['nDCG@10'].mean:.1f}" for name, each in report.metrics.items()}
    figures = (
        f"{means['candidate']} of 100 points, {live} has {means['live']} and search alone {means['none']}, "
        f"on {report.num_questions} questions not used for training"
    )
    if report.verdict == "promote":
        return f"{candidate} ranks passages better than {live}: {figures}."
    if report.verdict == "too little data":
        return f"Too early to tell whether {candidate} is better than {live}; it may be chance: {figures}."
    if objections(report):
        return f"Keep {live}; see below what speaks against {candidate}. It has {figures}."
    return f"Keep {live}; {candidate} gains too little: {figures}."


def objections(report: GateReport) -> tuple[str, ...]:
    """Objections to the candidate regardless of its gain, one sentence each."""
    return report.reasons[:-1] if report.verdict == "keep" else ()


def show_report(report: GateReport, folder: Path) -> None:
    """Show everything but the buttons. folder: of the candidate, with its model card."""
    box = {"promote": st.success, "keep": st.warning, "too little data": st.info}[report.verdict]
    box(markup.plain(headline(report)), icon=_ICONS[report.verdict])
    if against := objections(report):
        st.markdown("\n".join(f"- {markup.plain(line)}" for line in against))
    st.caption(f"Compared with {markup.plain(report.live)} on {moment(report.decided_at)}")
    _show_figures(report)
    if report.metrics:
        for column, measure in zip(st.columns(3), MEASURE_TITLES, strict=True):
            column.markdown(f"**{MEASURE_TITLES[measure]}**")
            column.altair_chart(comparison_chart(report, measure), alt=_in_words(report, measure))
    _show_groups(report)
    if report.changes:
        st.markdown("**Questions that changed most**")
        show_changes(report.changes, before=report.live, after=report.candidate, in_points=True)
    with st.expander("How points and verdict are computed", icon=":material/help:"):
        st.markdown(_EXPLANATION)
        reasons = [reason for reason in report.reasons if reason not in report.sentence]
        st.markdown("**Decision**")
        st.markdown("\n".join(f"- {markup.plain(line)}" for line in (report.sentence, *reasons)))
    if card := card_markdown(folder):
        with st.expander(f"Training data of {markup.plain(report.candidate)}", icon=":material/description:"):
            st.markdown(card)


_ICONS = {
    "promote": ":material/trending_up:",
    "keep": ":material/trending_flat:",
    "too little data": ":material/help:",
}


def _show_figures(report: GateReport) -> None:
    """Show the figures behind the verdict."""
    live, candidate = report.latency_ms.get("live"), report.latency_ms.get("candidate")
    with st.container(horizontal=True, gap="small"):
        _figure(f"Gain over {report.live}", report.gain.get("nDCG@10"))
        for label, part in (("Asked before", report.asked_before), ("New questions", report.new)):
            _figure(label, part.gain, f", {counted(part.num_questions, 'question')}")
        _figure("Gain over search alone", report.gain_over_none.get("nDCG@10"))
        _figure("Other documents", report.probe)
        if candidate is not None:
            was = f"before {live:.0f} ms" if live is not None else ""
            _metric("Time per question", f"{candidate:.0f} ms", was)


def _figure(label: str, gain: Difference | None, more: str = "") -> None:
    if gain:
        _metric(label, f"{points(gain.mean)} points", f"{points(gain.low)} to {points(gain.high)}{more}")


def points(gain: float) -> str:
    """Return a difference in points with its sign; zero has none."""
    rounded = round(100 * gain, 1)
    return f"{rounded:+.1f}" if rounded else "0.0"


def _metric(label: str, value: str, below: str) -> None:
    with st.container(border=True, width=168, height="stretch", gap="xsmall"):
        st.markdown(f"{markup.plain(label)}  \n**{value}**")
        st.caption(below)


def _in_words(report: GateReport, measure: str) -> str:
    means = {name: f"{100 * report.metrics[name][measure].mean:.1f}" for name in ("none", "live", "candidate")}
    return (
        f"{MEASURE_TITLES[measure]}: search alone {means['none']}, {report.live} {means['live']}, "
        f"{report.candidate} {means['candidate']} points"
    )


def _show_groups(report: GateReport) -> None:
    if len(report.groups) < 2:
        return
    st.markdown("**By folder of the documents**")
    rows = [
        {
            "Folder": group.name,
            "Questions": group.num_questions,
            f"{report.live}, points": f"{100 * group.live:.1f}",
            f"{report.candidate}, points": f"{100 * group.candidate:.1f}",
            "Change": points(group.candidate - group.live),
        }
        for group in report.groups
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt="Points by folder, before and after")
    few = [group for group in report.groups if group.num_questions < MIN_GATE_QUESTIONS]
    if few:
        st.caption(f"A folder with fewer than {counted(MIN_GATE_QUESTIONS, 'question')} is too small to judge alone.")


def card_markdown(folder: Path) -> str:
    """Return a model's README.md, '' if missing; formatting stays, links and images become words."""
    try:
        text = (folder / "README.md").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)  # front matter for a model hub
    text = re.sub(r"^# .*$", "", text, count=1, flags=re.MULTILINE)  # the page already shows the name
    return markup.written(re.sub(r"^#+ +(.*)$", r"**\1**", text, flags=re.MULTILINE)).strip()
