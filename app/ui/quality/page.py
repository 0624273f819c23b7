"""Quality: does reranking pay? A report with charts, and the questions that gained and lost most."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.evaluation.charts import CHART_MEASURES, cost_chart, quality_chart, reranker_name
from app.evaluation.decision import Outcome, Verdict, usual_depth, usual_results, verdict
from app.evaluation.metrics import Difference
from app.evaluation.report import EvaluationReport
from app.evaluation.report_files import SavedReport, read_reports
from app.evaluation.report_text import HOW_MEASURED
from app.evaluation.results import NO_RERANKER, Result
from app.settings import read_settings
from app.translation import N_, number
from app.translation import gettext as _
from app.ui import links, markup
from app.ui.quality.changes import show_changes
from app.ui.resources import reads_everything
from app.ui.words import moment

_ICONS: dict[Outcome, str] = {
    "pays": ":material/trending_up:",
    "does not pay": ":material/trending_flat:",
    "nothing to win": ":material/check:",
    "too few questions": ":material/help:",
    "nothing to compare": ":material/help:",
    "nothing relevant": ":material/help:",
}
_NO_REPORT = N_(
    "No report yet. A report says whether reranking pays on your documents, for which questions, and how much time it "
    "takes. It needs at least 50 questions whose answers are known."
)
_HOW_TO_MEASURE = N_("""Write the questions into a CSV with the columns `question`, `document` (the name as on the
Documents page) and `quote` (the text in the document that answers the question), and run

    citeloop evaluate questions.csv""")


def show() -> None:
    """The page."""
    st.title(_("Quality"), anchor=False)
    if not reads_everything():
        return
    reports = {saved.folder.name: saved for saved in read_reports(read_settings().home)}
    if not reports:
        _show_empty()
        return
    name = st.selectbox(
        _("Report"), list(reports), format_func=lambda name: _label(reports[name]), key="quality-report"
    )
    chosen = reports[name]
    report = chosen.report
    decided = verdict(report)
    box = st.success if decided.outcome == "pays" else st.info
    words = headline(report, decided)
    box(markup.plain(words), icon=_ICONS[decided.outcome])
    st.caption(markup.plain(_facts(report)))
    depth = _choose_depth(report)
    for column, measure in zip(st.columns(2), CHART_MEASURES, strict=True):
        column.altair_chart(
            quality_chart(report, measure, depth), alt=_("{measure} of each retriever and reranker", measure=measure)
        )
    st.header(_("Quality against time"), anchor=False)
    st.altair_chart(cost_chart(report), alt=_("nDCG@10 against milliseconds a question"))
    _show_table(report, depth)
    _show_changes([result for result in report.results if result.num_candidates == depth and result.changes])
    with st.expander(_("How this was measured")):
        if words != decided.sentence:
            st.caption(markup.plain(decided.sentence))
        st.markdown(_(HOW_MEASURED))
        st.markdown("\n".join(_("- left out: {line}", line=markup.plain(line)) for line in report.left_out))
        st.caption(markup.plain(_("Files of this report, with TREC runs: {folder}", folder=chosen.folder)))


def headline(report: EvaluationReport, decided: Verdict) -> str:
    """Return whether answers are better with reranking, in words that need no explanation."""
    if decided.outcome == "pays":
        hits = {result.reranker: round(100 * result.metrics["hit rate@5"].mean) for result in usual_results(report)}
        before, after = hits[NO_RERANKER], hits[decided.reranker]
        if after <= before:
            return _("Answers are better with reranking: sources that answer stand higher up.")
        return _(
            "Answers are better with reranking: for {after} of 100 questions, a source that answers is among the first "
            "five, instead of {before}.",
            after=after,
            before=before,
        )
    if decided.outcome == "does not pay":
        return _("Answers are not better with reranking; it only takes time.")
    if decided.outcome == "too few questions":
        return _(
            "The {n} questions are too few to tell whether answers are better with reranking. Add questions and "
            "measure again.",
            n=report.num_queries,
        )
    if decided.outcome == "nothing to win":
        return _(
            "Search alone already puts a source that answers among the first five for every question; reranking has "
            "little to improve."
        )
    return decided.sentence


def _show_empty() -> None:
    st.info(_(_NO_REPORT), icon=":material/info:")
    links.to_feedback(_("Collect questions with known answers"))
    with st.expander(_("How the administrator makes a report")):
        st.markdown(_(_HOW_TO_MEASURE))


def _label(saved: SavedReport) -> str:
    report = saved.report
    at = moment(report.evaluated_at)
    return _("{name}, {moment}, {n} questions", name=report.benchmark, moment=at, n=report.num_queries)


def _facts(report: EvaluationReport) -> str:
    words = (
        N_(
            "{num_queries} questions, judged by passages, on {num_documents} documents in {num_chunks} passages, "
            "embedded with {embedder}."
        )
        if report.judged == "passages"
        else N_(
            "{num_queries} questions, judged by documents, on {num_documents} documents in {num_chunks} passages, "
            "embedded with {embedder}."
        )
    )
    return _(
        words,
        num_queries=report.num_queries,
        num_documents=report.num_documents,
        num_chunks=report.num_chunks,
        embedder=report.embedder,
    )


def _choose_depth(report: EvaluationReport) -> int:
    """Return the number of reranked candidates to show."""
    depth = usual_depth(report)
    if len(report.num_candidates) == 1:
        return depth
    chosen = st.segmented_control(
        _("Candidates"), report.num_candidates, default=depth, required=True, key=f"quality-depth-{report.evaluated_at}"
    )
    return chosen or depth


# the table -----------------------------------------------------------------------------------------------


def _show_table(report: EvaluationReport, depth: int) -> None:
    shown = [result for result in report.results if result.num_candidates == depth]
    st.header(_("All figures, {depth} candidates", depth=depth), anchor=False)
    table = pd.DataFrame([_row(result) for result in shown])
    st.dataframe(
        table if table[_("Retriever")].nunique() > 1 else table.drop(columns=_("Retriever")),
        hide_index=True,
        alt=_("Quality and milliseconds of each retriever and reranker"),
    )


def _row(result: Result) -> dict[str, object]:
    gain = result.gain.get("nDCG@10")
    quality = {name: number(value.mean, ".3f") for name, value in result.metrics.items()}
    return {
        _("Retriever"): result.retriever,
        _("Reranker"): reranker_name(result.reranker),
        **quality,
        _("Gain in nDCG@10"): _gain_words(gain) if gain else "",
        "p": number(gain.p_value, ".2g") if gain else "",
        _("Best possible nDCG@10"): number(result.oracle["nDCG@10"], ".3f"),
        _("Search ms"): round(result.latency_ms["search"].p50),
        _("Reranking ms"): round(result.latency_ms["rerank"].p50),
        _("95th percentile"): round(result.latency_ms["rerank"].p95),
        _("Times as long"): number(result.slow_down, ".1f") if result.slow_down else "",
    }


def _gain_words(gain: Difference) -> str:
    mean, low, high = (number(value, "+.3f") for value in (gain.mean, gain.low, gain.high))
    return _("{mean} ({low} to {high})", mean=mean, low=low, high=high)


# the questions -------------------------------------------------------------------------------------------


def _show_changes(results: Sequence[Result]) -> None:
    if not results:
        return
    st.header(_("Questions that changed most"), anchor=False)
    by_name = {
        _("{reranker} on {retriever} search", reranker=result.reranker, retriever=result.retriever): result
        for result in results
    }
    usual = max(by_name, key=lambda name: (by_name[name].retriever == "hybrid", by_name[name].metrics["nDCG@10"].mean))
    chosen = st.selectbox(_("Reranker"), list(by_name), index=list(by_name).index(usual), key="quality-changes")
    result = by_name[chosen]
    show_changes(result.changes, before=_("search alone"), after=_("reranked"))
