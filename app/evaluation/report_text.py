"""EvaluationReport -> Markdown: the verdict, the tables, and the questions that changed most."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from pathlib import Path
from textwrap import shorten

from app.evaluation.changes import Place, QuestionChange
from app.evaluation.decision import usual_depth, usual_results, verdict
from app.evaluation.metrics import Difference
from app.evaluation.report import EvaluationReport
from app.evaluation.results import Result
from app.search.search import RETRIEVERS
from app.translation import N_
from ingest.chunk import breadcrumb

_SHOWN_CHARACTERS = 120
_LATENCY_NOTE = """\
All passages are new to the reranker. In brackets: the time of the median question as a multiple of search alone."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|!~&])")

HOW_MEASURED = N_("""\
Intervals are 95% bootstrap intervals of the mean over the questions. The gain is the paired difference from no reranker
on the same candidates; p is how often chance alone would make as large a difference (paired randomization test). The
best possible order is that of the same candidates. Milliseconds are medians and 95th percentiles over the questions,
one at a time. A reranker that keeps passages in memory is timed on up to 20 questions, with the memory emptied before
each; in the app, passages of earlier questions take less.""")


def sections(report: EvaluationReport) -> list[str]:
    """Return the report as sections of Markdown: title, verdict, tables, changes, method."""
    judged = verdict(report)
    shown = max(usual_results(report), key=lambda result: result.reranker == judged.reranker)
    return [
        f"# Does reranking pay? {plain(report.benchmark)}",
        f"**{plain(judged.sentence)}**\n\n{plain(description(report))}",
        "## Quality\n\n" + quality_table(report),
        *(["## Quality by depth\n\n" + depth_table(report)] if len(report.num_candidates) > 1 else []),
        "## Latency\n\n" + latency_table(report),
        *([f"## Questions without an answer\n\n{text}"] if (text := abstention_text(report)) else []),
        *([_changes_section(shown)] if shown.changes else []),
        f"## How it was measured\n\n{HOW_MEASURED}" + _left_out(report.left_out),
    ]


def description(report: EvaluationReport) -> str:
    """Return a description of the evaluation in one line."""
    depths = ", ".join(map(str, report.num_candidates))
    return (
        f"{report.benchmark}: {report.num_queries} questions judged by {report.judged}, {report.num_documents} "
        f"documents, {report.num_chunks} chunks ({report.chunking}), {depths} candidates, {report.embedder}, "
        f"{report.evaluated_at}"
    )


def quality_table(report: EvaluationReport) -> str:
    """Return a table of all retrievers and rerankers at the usual depth, with the best possible orders."""
    heads, rows = _quality(report)
    return f"With {usual_depth(report)} candidates:\n\n" + _table(heads, rows)


def overview(reports: Sequence[EvaluationReport]) -> str:
    """Return the combined quality table of reports on the same questions, with the embedder."""
    rows: list[list[str]] = []
    for report in reports:
        heads, found = _quality(report)
        rows += [[Path(report.embedder).name, *row] for row in found]
    table = _table(["embedder", *heads], rows)
    return f"All together, with {usual_depth(reports[0])} candidates:\n\n{table}"


def _quality(report: EvaluationReport) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the quality table."""
    shown = [result for result in report.results if result.num_candidates == usual_depth(report)]
    names = list(shown[0].metrics)
    rows = []
    for result in shown:
        values = [f"{value.mean:.3f} ({value.low:.3f}-{value.high:.3f})" for value in result.metrics.values()]
        rows.append([result.retriever, result.reranker, *values, _gain(result.gain.get("nDCG@10"))])
    oracles = {result.retriever: result.oracle for result in shown}
    rows += [
        [retriever, "best possible order", *(f"{oracle[name]:.3f}" for name in names), ""]
        for retriever, oracle in oracles.items()
    ]
    return ["retriever", "reranker", *names, "gain in nDCG@10"], rows


def depth_table(report: EvaluationReport) -> str:
    """Return a table of quality by number of candidates."""

    def cell(result: Result) -> str:
        return f"{result.metrics['nDCG@10'].mean:.3f} / {result.metrics['hit rate@5'].mean:.3f}"

    heads = [f"{depth}: nDCG@10 / hit rate@5" for depth in report.num_candidates]
    return _table(["retriever", "reranker", *heads], _by_depth(report, report.results, cell))


def latency_table(report: EvaluationReport) -> str:
    """Return a table of milliseconds by number of candidates, for search and each reranker, with the slow-down."""

    def milliseconds(result: Result, stage: str) -> str:
        latency = result.latency_ms[stage]
        return f"{latency.p50:.0f} / {latency.p95:.0f}"

    def reranking(result: Result) -> str:
        return f"{milliseconds(result, 'rerank')} ({result.slow_down:.1f} times)"

    searches = {(result.retriever, result.num_candidates): result for result in report.results}.values()
    rerankers = [result for result in report.results if result.slow_down is not None]
    rows = _by_depth(report, searches, lambda result: milliseconds(result, "search"), lambda _: "search alone")
    rows += _by_depth(report, rerankers, reranking)
    heads = [f"{depth} candidates: p50 / p95 ms" for depth in report.num_candidates]
    order: list[str] = list(RETRIEVERS)
    rows.sort(key=lambda row: order.index(row[0]))
    return f"{_LATENCY_NOTE}\n\n{_table(['retriever', 'step', *heads], rows)}"


def plain(text: str) -> str:
    """Escape a text for Markdown, in one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _by_depth(
    report: EvaluationReport,
    results: Iterable[Result],
    cell: Callable[[Result], str],
    step: Callable[[str], str] = str,
) -> list[list[str]]:
    """Return a row per retriever and reranker with a cell per depth, empty if a reranker failed.

    step: reranker -> label of its row.
    """
    rows: dict[tuple[str, str], dict[int, str]] = {}
    for result in results:
        rows.setdefault((result.retriever, step(result.reranker)), {})[result.num_candidates] = cell(result)
    return [[*names, *(cells.get(depth, "") for depth in report.num_candidates)] for names, cells in rows.items()]


def _gain(gain: Difference | None) -> str:
    return f"{gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}), p = {gain.p_value:.2g}" if gain else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell for cell in line)} |" for line in lines)


def _changes_section(result: Result) -> str:
    named = f"{result.reranker} on {result.num_candidates} candidates of {result.retriever} search"
    gained = [change for change in result.changes if change.gain > 0]
    lost = [change for change in result.changes if change.gain < 0]
    return "\n\n".join(
        [f"## Questions that changed most\n\nBy {plain(named)}; relevant passages are marked with ✓."]
        + ["### Gained", *map(_change, gained)] * bool(gained)
        + ["### Lost", *map(_change, lost)] * bool(lost)
    )


def _change(change: QuestionChange) -> str:
    orders = zip_longest(change.places_before, change.places_after)
    rows = [[str(rank), _place(before), _place(after)] for rank, (before, after) in enumerate(orders, 1)]
    head = f"**{plain(change.question)}** nDCG@10 {change.before:.3f} to {change.after:.3f} ({change.gain:+.3f})"
    return f"{head}\n\n{_table(['', 'before', 'after'], rows)}"


def _place(place: Place | None) -> str:
    if place is None:
        return ""
    page = f", page {place.page}" if place.page else ""
    where = breadcrumb(place.title, place.heading)
    text = shorten(place.text, _SHOWN_CHARACTERS, placeholder=" ...")
    return f"{'✓ ' if place.relevant else ''}**{plain(where)}** ({plain(place.document)}{page}): {plain(text)}"


def abstention_text(report: EvaluationReport) -> str:
    """Describe how well low scores of the judged reranker predict missing answers, '' if not measured."""
    judged = verdict(report).reranker
    found = next((result.abstention for result in usual_results(report) if result.reranker == judged), None)
    if found is None:
        return ""
    return (
        f"If the best score of {plain(judged)} is below {found.floor:.2f}, the documents may lack the answer. This "
        f"applies to {found.recall:.0%} of {found.num_unanswerable} questions without an answer, and to "
        f"{found.num_turned_away} of {found.num_answerable} with one: precision {found.precision:.2f}, "
        f"recall {found.recall:.2f}, F1 {found.f1:.2f}."
    )


def _left_out(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    return f"\n\nLeft out, {len(lines)}:\n\n" + "\n".join(f"- {plain(line)}" for line in lines)
