"""Quality: does reranking pay? A report with charts, and the questions that gained and lost most."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from app.evaluation.charts import CHART_MEASURES, cost_chart, quality_chart
from app.evaluation.decision import Outcome, usual_depth, verdict
from app.evaluation.report import EvaluationReport
from app.evaluation.report_files import SavedReport, read_reports
from app.evaluation.report_text import HOW_MEASURED
from app.evaluation.results import Result
from app.settings import read_settings
from app.ui import links, markup
from app.ui.quality.changes import show_changes
from app.ui.resources import reads_everything

_ICONS: dict[Outcome, str] = {
    "pays": ":material/trending_up:",
    "does not pay": ":material/trending_flat:",
    "nothing to win": ":material/check:",
    "too few questions": ":material/help:",
    "nothing to compare": ":material/help:",
    "nothing relevant": ":material/help:",
}
_NO_REPORT = "No report yet. It needs questions whose answers are known: 50 or more."
_HOW_TO_MEASURE = """Write the questions into a CSV with the columns `question`, `document` (the name as on the
Documents page) and `quote` (the text in the document that answers the question), and run

    citeloop evaluate questions.csv"""


def show() -> None:
    """The page."""
    st.title("Quality", anchor=False)
    if not reads_everything():
        return
    reports = {saved.folder.name: saved for saved in read_reports(read_settings().home)}
    if not reports:
        _show_empty()
        return
    name = st.selectbox("Report", list(reports), format_func=lambda name: _label(reports[name]), key="quality-report")
    chosen = reports[name]
    report = chosen.report
    decided = verdict(report)
    box = st.success if decided.outcome == "pays" else st.info
    box(markup.plain(decided.sentence), icon=_ICONS[decided.outcome])
    st.caption(markup.plain(_facts(report)))
    depth = _choose_depth(report)
    for column, measure in zip(st.columns(2), CHART_MEASURES, strict=True):
        column.altair_chart(quality_chart(report, measure, depth))
    st.subheader("Quality against time", anchor=False)
    st.altair_chart(cost_chart(report))
    _show_table(report, depth)
    _show_changes([result for result in report.results if result.num_candidates == depth and result.changes])
    with st.expander("How this was measured"):
        st.markdown(HOW_MEASURED)
        st.markdown("\n".join(f"- left out: {markup.plain(line)}" for line in report.left_out))
        st.caption(markup.plain(f"Files of this report, with TREC runs: {chosen.folder}"))


def _show_empty() -> None:
    st.info(_NO_REPORT, icon=":material/info:")
    links.to_feedback("Collect questions with known answers")
    with st.expander("How the administrator makes a report"):
        st.markdown(_HOW_TO_MEASURE)


def _label(saved: SavedReport) -> str:
    at = datetime.fromisoformat(saved.report.evaluated_at)
    return f"{saved.report.benchmark}, {at:%-d %b %Y, %H:%M} UTC, {saved.report.num_queries} questions"


def _facts(report: EvaluationReport) -> str:
    return (
        f"{report.num_queries} questions judged by {report.judged} on {report.num_documents} documents in "
        f"{report.num_chunks:,} passages, embedded with {report.embedder}."
    )


def _choose_depth(report: EvaluationReport) -> int:
    """Return the number of reranked candidates to show."""
    depth = usual_depth(report)
    if len(report.num_candidates) == 1:
        return depth
    chosen = st.segmented_control(
        "Candidates", report.num_candidates, default=depth, required=True, key=f"quality-depth-{report.evaluated_at}"
    )
    return chosen or depth


# the table -----------------------------------------------------------------------------------------------


def _show_table(report: EvaluationReport, depth: int) -> None:
    shown = [result for result in report.results if result.num_candidates == depth]
    st.subheader(f"All figures, {depth} candidates", anchor=False)
    st.dataframe(
        pd.DataFrame([_row(result) for result in shown]),
        hide_index=True,
        alt="Quality and milliseconds of each retriever and reranker",
    )


def _row(result: Result) -> dict[str, object]:
    gain = result.gain.get("nDCG@10")
    quality = {name: f"{value.mean:.3f}" for name, value in result.metrics.items()}
    return {
        "Retriever": result.retriever,
        "Reranker": result.reranker,
        **quality,
        "Gain in nDCG@10": f"{gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})" if gain else "",
        "p": f"{gain.p_value:.2g}" if gain else "",
        "Best possible nDCG@10": f"{result.oracle['nDCG@10']:.3f}",
        "Search ms": round(result.latency_ms["search"].p50),
        "Reranking ms": round(result.latency_ms["rerank"].p50),
        "95th percentile": round(result.latency_ms["rerank"].p95),
        "Times as long": f"{result.slow_down:.1f}" if result.slow_down else "",
    }


# the questions -------------------------------------------------------------------------------------------


def _show_changes(results: Sequence[Result]) -> None:
    if not results:
        return
    st.subheader("Questions that changed most", anchor=False)
    by_name = {f"{result.reranker} on {result.retriever} search": result for result in results}
    usual = max(by_name, key=lambda name: (by_name[name].retriever == "hybrid", by_name[name].metrics["nDCG@10"].mean))
    chosen = st.selectbox("Reranker", list(by_name), index=list(by_name).index(usual), key="quality-changes")
    result = by_name[chosen]
    show_changes(result.changes, before="search alone", after="reranked")
