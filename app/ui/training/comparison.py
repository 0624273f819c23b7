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
from app.training.gate.decision import MAX_FORGOTTEN, MAX_SLOW_DOWN, USEFUL_GAIN, GateReport, worded
from app.training.labels.from_feedback import MIN_GATE_QUESTIONS
from app.translation import N_, ngettext, number, pgettext
from app.translation import gettext as _
from app.ui import markup
from app.ui.quality.changes import show_changes
from app.ui.words import milliseconds, moment

VERDICTS: Mapping[str, str] = {
    "promote": N_("better, can go live"),
    "keep": N_("not better in the comparison"),
    "too little data": N_("too little feedback to tell"),
}
"""Verdict of the gate -> its meaning for people."""

CHOSEN = "training-comparison"
"""Session key: name of the model whose comparison is shown."""

_EXPLANATION = N_("""\
Feedback is split by question: most questions are used for training, the others only to compare models. On these, each
ranking is checked against the passages that people judged. Passages without a judgement are ignored.

- **Points** measure a ranking: 100 if every passage that answers ranks above every other one (nDCG@10; answers
  further down count less). _Rank of the first relevant source_ gives 100 for rank 1, 50 for rank 2, 33 for rank 3
  (MRR@10). _A relevant source in the first five_ is the share of such questions (hit rate@5).
- **The interval** is where the points of similar questions would lie 95 times in 100. **p** is the probability of such
  a difference by chance alone; below 0.05, chance is unlikely.
- **Better** means at least {useful_gain} point more, unlikely by chance, with at most
  {forgotten} points lost on other documents and at most {slow_down} times the time.
- **Asked before** are questions that ask in other words what the training saw; the others are **new**. A model is also
  better if only questions asked before gain, and new ones have certainly lost no more than {loss} points.
- **Fewer than {questions} new questions** are too few for a verdict.
- **Other documents** come with Citeloop. A model that gets worse on them has memorized your documents and reads
  others less well.""")


def choose_comparison(name: str) -> None:
    """Show the comparison of this model on the next run; for `on_click`."""
    st.session_state[CHOSEN] = name
    st.session_state["scroll-to-comparison"] = True


def headline(report: GateReport) -> str:
    """Return the verdict in one sentence without jargon."""
    candidate, live = report.candidate, report.live
    num_counted = report.num_counted
    if not report.metrics or num_counted < MIN_GATE_QUESTIONS:
        if objections(report):
            return _("Keep {live}; see below what speaks against {candidate}.", live=live, candidate=candidate)
        return _(
            "Too early to tell whether {candidate} is better than {live}: {number} of {needed} questions needed for a "
            "comparison.",
            candidate=candidate,
            live=live,
            number=num_counted,
            needed=MIN_GATE_QUESTIONS,
        )
    figures = _figures(report)
    if report.verdict == "promote":
        return _(
            "{candidate} ranks passages better than {live}: {figures}.", candidate=candidate, live=live, figures=figures
        )
    if report.verdict == "too little data":
        return _(
            "Too early to tell whether {candidate} is better than {live}; it may be chance: {figures}.",
            candidate=candidate,
            live=live,
            figures=figures,
        )
    if objections(report):
        return _(
            "Keep {live}; see below what speaks against {candidate}. It has {figures}.",
            live=live,
            candidate=candidate,
            figures=figures,
        )
    return _("Keep {live}; {candidate} gains too little: {figures}.", live=live, candidate=candidate, figures=figures)


def _figures(report: GateReport) -> str:
    """Return the points of the candidate, the live model and search alone."""
    means = {name: number(100 * each["nDCG@10"].mean, ".1f") for name, each in report.metrics.items()}
    return _(
        "{points} of 100 points, {live} has {live_points} and search alone {search_points}, on {n} questions not used "
        "for training",
        points=means["candidate"],
        live=report.live,
        live_points=means["live"],
        search_points=means["none"],
        n=report.num_questions,
    )


def objections(report: GateReport) -> tuple[str, ...]:
    """Objections to the candidate regardless of its gain, one sentence each."""
    return worded(report)[1][:-1] if report.verdict == "keep" else ()


def show_report(report: GateReport, folder: Path) -> None:
    """Show everything but the buttons. folder: of the candidate, with its model card."""
    box = {"promote": st.success, "keep": st.warning, "too little data": st.info}[report.verdict]
    box(markup.plain(headline(report)), icon=_ICONS[report.verdict])
    if against := objections(report):
        st.markdown("\n".join(f"- {markup.plain(line)}" for line in against))
    st.caption(_("Compared with {live} on {moment}", live=markup.plain(report.live), moment=moment(report.decided_at)))
    _show_figures(report)
    if report.metrics:
        for column, measure in zip(st.columns(3), MEASURE_TITLES, strict=True):
            column.markdown(f"**{_(MEASURE_TITLES[measure])}**")
            column.altair_chart(comparison_chart(report, measure), alt=_in_words(report, measure))
    _show_groups(report)
    if report.changes:
        st.markdown(_("**Questions that changed most**"))
        show_changes(report.changes, before=report.live, after=report.candidate, in_points=True)
    with st.expander(_("How points and verdict are computed")):
        st.markdown(
            _(
                _EXPLANATION,
                useful_gain=number(100 * USEFUL_GAIN, "g"),
                forgotten=number(100 * MAX_FORGOTTEN, "g"),
                slow_down=number(MAX_SLOW_DOWN, "g"),
                loss=number(100 * MAX_LOSS, ".1f"),
                questions=MIN_GATE_QUESTIONS,
            )
        )
        sentence, reasons = worded(report)
        reasons = tuple(reason for reason in reasons if reason not in sentence)
        st.markdown(_("**Decision**"))
        st.markdown("\n".join(f"- {markup.plain(line)}" for line in (sentence, *reasons)))
    if card := card_markdown(folder):
        with st.expander(
            _("Training data of {candidate}", candidate=markup.plain(report.candidate)), icon=":material/description:"
        ):
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
        _figure(_("Gain over {live}", live=report.live), report.gain.get("nDCG@10"))
        for label, part in ((_("Asked before"), report.asked_before), (_("New questions"), report.new)):
            questions = ngettext("{n} question", "{n} questions", part.num_questions)
            _figure(label, part.gain, f", {questions}")
        _figure(_("Gain over search alone"), report.gain_over_none.get("nDCG@10"))
        _figure(_("Other documents"), report.probe)
        if candidate is not None:
            was = _("before {time}", time=milliseconds(live)) if live is not None else ""
            _metric(_("Time per question"), milliseconds(candidate), was)


def _figure(label: str, gain: Difference | None, more: str = "") -> None:
    if gain:
        interval = _("{low} to {high}", low=points(gain.low), high=points(gain.high))
        _metric(label, _("{gain} points", gain=points(gain.mean)), f"{interval}{more}")


def points(gain: float) -> str:
    """Return a difference in points with its sign; zero has none."""
    rounded = round(100 * gain, 1)
    return number(rounded, "+.1f") if rounded else number(0.0, ".1f")


def _metric(label: str, value: str, below: str) -> None:
    with st.container(border=True, width=168, height="stretch", gap="xsmall"):
        st.markdown(f"{markup.plain(label)}  \n**{value}**")
        st.caption(below)


def _in_words(report: GateReport, measure: str) -> str:
    means = {name: number(100 * report.metrics[name][measure].mean, ".1f") for name in ("none", "live", "candidate")}
    return _(
        "{measure}: search alone {search_points}, {live} {live_points}, {candidate} {points} points",
        measure=_(MEASURE_TITLES[measure]),
        search_points=means["none"],
        live=report.live,
        live_points=means["live"],
        candidate=report.candidate,
        points=means["candidate"],
    )


def _show_groups(report: GateReport) -> None:
    if len(report.groups) < 2:
        return
    st.markdown(_("**By folder of the documents**"))
    rows = [
        {
            _("Folder"): group.name,
            _("Questions"): group.num_questions,
            _("{name}, points", name=report.live): number(100 * group.live, ".1f"),
            _("{name}, points", name=report.candidate): number(100 * group.candidate, ".1f"),
            pgettext("column", "Change"): points(group.candidate - group.live),
        }
        for group in report.groups
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True, alt=_("Points by folder, before and after"))
    few = [group for group in report.groups if group.num_questions < MIN_GATE_QUESTIONS]
    if few:
        st.caption(_("A folder with fewer than {n} questions is too small to judge alone.", n=MIN_GATE_QUESTIONS))


def card_markdown(folder: Path) -> str:
    """Return a model's README.md, '' if missing; formatting stays, links and images become words."""
    try:
        text = (folder / "README.md").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)  # front matter for a model hub
    text = re.sub(r"^# .*$", "", text, count=1, flags=re.MULTILINE)  # the page already shows the name
    return markup.written(re.sub(r"^#+ +(.*)$", r"**\1**", text, flags=re.MULTILINE)).strip()
