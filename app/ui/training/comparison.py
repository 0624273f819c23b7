"""A GateReport on the page: what was decided and why, in words and charts, and the questions that changed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import streamlit as st

from app.evaluation.metrics import Difference
from app.training.charts import MEASURE_TITLES, comparison_chart
from app.training.gate.decision import MAX_FORGOTTEN, MAX_SLOW_DOWN, USEFUL_GAIN, GateReport
from app.training.labels.from_feedback import MIN_GATE_QUESTIONS
from app.ui import markup
from app.ui.quality.changes import show_changes
from app.ui.words import counted, moment

VERDICTS: Mapping[str, str] = {
    "promote": "better, and may go live",
    "keep": "not better, keep what is live",
    "too little data": "too little feedback to tell",
}
"""Verdict of the gate -> what that means, for people."""

CHOSEN = "training-comparison"
"""Key of what is chosen to look at: the name of a model."""

_EXPLANATION = f"""\
People's feedback is split by question: most questions teach, and some are set aside and only ever compare. On these,
each order of the passages is held against what people said answers the question and what does not. Passages that
nobody has judged do not count, for or against.

- **Points** say how good an order is: 100 if every passage that answers stands above every one that does not
  (nDCG@10: the further down an answer, the less it counts). _How far up the first right one is_ gives 100 for the
  first place, 50 for the second, 33 for the third (MRR@10). _A right one among the first five_ is the share of
  questions where that is so (hit rate@5).
- **The interval** says how far chance alone could move the points: with other questions of the same kind they would
  lie within it 95 times in 100. **p** is how often chance alone would make as large a difference; below 0.05 it
  hardly does.
- **Better** is at least {100 * USEFUL_GAIN:g} point more that chance hardly explains, with at most
  {100 * MAX_FORGOTTEN:g} points lost on other documents and at most {MAX_SLOW_DOWN:g} times the time.
- **Fewer than {MIN_GATE_QUESTIONS} questions** to compare by say nothing, and there is no verdict.
- **Other documents** are ones that come with Citeloop: a model that has become worse on them has learned these
  documents by heart and forgotten how to read others."""


def choose_comparison(name: str) -> None:
    """Show the comparison of this model when the page is drawn again; for `on_click`."""
    st.session_state[CHOSEN] = name
    st.session_state["scroll-to-comparison"] = True


def headline(report: GateReport) -> str:
    """The verdict in one sentence without any of the field's words."""
    candidate, live = report.candidate, report.live
    number = report.num_counted
    if not report.metrics or number < MIN_GATE_QUESTIONS:
        if objections(report):
            return f"Keep {live}; something speaks against {candidate}, see below."
        questions = "is only 1 question" if number == 1 else f"are only {number} questions"
        return (
            f"Nobody can tell yet whether {candidate} is better than {live}: there {questions} to compare by, "
            f"and {MIN_GATE_QUESTIONS} are needed."
        )
    means = {name: f"{100 * each['nDCG@10'].mean:.1f}" for name, each in report.metrics.items()}
    figures = (
        f"{means['candidate']} of 100 points, {live} has {means['live']} and search alone {means['none']}, "
        f"on {report.num_questions} questions that no model has learned from"
    )
    if report.verdict == "promote":
        return f"{candidate} orders the passages better than {live}: {figures}."
    if report.verdict == "too little data":
        return f"Nobody can tell yet whether {candidate} is better than {live}; it may be chance: {figures}."
    if objections(report):
        return f"Keep {live}; something speaks against {candidate}, see below. It has {figures}."
    return f"Keep {live}; {candidate} is not better by enough: {figures}."


def objections(report: GateReport) -> tuple[str, ...]:
    """What speaks against the candidate whatever it gains, a sentence each."""
    return report.reasons[:-1] if report.verdict == "keep" else ()


def show_report(report: GateReport, folder: Path) -> None:
    """All of it but the buttons. folder: of the candidate, where its card lies."""
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
    with st.expander("What the points mean, and how this was decided", icon=":material/help:"):
        st.markdown(_EXPLANATION)
        reasons = [reason for reason in report.reasons if reason not in report.sentence]
        st.markdown("**In the words of the rule**")
        st.markdown("\n".join(f"- {markup.plain(line)}" for line in (report.sentence, *reasons)))
    if card := card_markdown(folder):
        with st.expander(f"What {markup.plain(report.candidate)} has learned from", icon=":material/description:"):
            st.markdown(card)


_ICONS = {
    "promote": ":material/trending_up:",
    "keep": ":material/trending_flat:",
    "too little data": ":material/help:",
}


def _show_figures(report: GateReport) -> None:
    """Four figures that the verdict rests on."""
    live, candidate = report.latency_ms.get("live"), report.latency_ms.get("candidate")
    with st.container(horizontal=True, gap="small"):
        _figure(f"Over {report.live}", report.gain.get("nDCG@10"))
        _figure("Over search alone", report.gain_over_none.get("nDCG@10"))
        _figure("Other documents", report.probe)
        if candidate is not None:
            was = f"before {live:.0f} ms" if live is not None else ""
            _metric("Time a question", f"{candidate:.0f} ms", was)


def _figure(label: str, gain: Difference | None) -> None:
    if gain:
        _metric(label, f"{points(gain.mean)} points", f"{points(gain.low)} to {points(gain.high)}")


def points(gain: float) -> str:
    """A difference of two qualities in points, with its sign; what rounds to nothing has none."""
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
        st.caption(f"A folder with fewer than {counted(MIN_GATE_QUESTIONS, 'question')} says little by itself.")


def card_markdown(folder: Path) -> str:
    """README.md of a model, '' where there is none: its marks stay, links and images become words."""
    try:
        text = (folder / "README.md").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)  # what is for a model hub
    text = re.sub(r"^# .*$", "", text, count=1, flags=re.MULTILINE)  # its name is the title already
    return markup.written(re.sub(r"^#+ +(.*)$", r"**\1**", text, flags=re.MULTILINE)).strip()
