"""EvaluationReport <-> a folder: report.json, report.md, report.html with charts, and TREC runs.

A folder gets its name only when it is complete. The page loads nothing from elsewhere.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from urllib.parse import quote

from markdown_it import MarkdownIt
from pydantic import TypeAdapter, ValidationError

from app.evaluation.benchmark import Qrels, Run
from app.evaluation.charts import CHART_MEASURES, cost_chart, quality_chart
from app.evaluation.decision import verdict
from app.evaluation.report import EvaluationReport
from app.evaluation.report_text import sections
from app.evaluation.results import Result
from ingest.home.whole_folders import check_new_folder, new_folder, unfinished_folder

_REPORT = TypeAdapter(EvaluationReport)
_CHART_PIXELS = 340
_NAME_BYTES = 100
_TEXT_COLOR, _LINE_COLOR = "#010203", "#010204"
"""Placeholders in a chart for the page's colors, which depend on light or dark mode."""

_STYLE = """
:root { color-scheme: light dark; }
body { max-width: 84rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; } h3 { font-size: 1.05rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; font-size: 0.9rem; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.7rem; border-bottom: 1px solid #8886; }
td:not(:has(strong)) { white-space: nowrap; } td:has(strong) { min-width: 14rem; }
figure { margin: 1rem 0; overflow-x: auto; } figcaption { font-weight: 600; }
svg { max-width: 100%; height: auto; }
.charts { display: flex; flex-wrap: wrap; gap: 0 2rem; }
"""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>{style}</style></head><body>
{body}
</body></html>
"""
_SVG_STYLE = "<style>svg { color: #1c1f24 } @media (prefers-color-scheme: dark) { svg { color: #e8eaed } }</style>"


@dataclass(frozen=True, slots=True)
class SavedReport:
    """A report and its folder."""

    folder: Path
    report: EvaluationReport


def reports_folder(home: Path) -> Path:
    """Return the folder of a home's reports."""
    return home / "reports"


def write_report(report: EvaluationReport, home: Path, folder: Path | None = None) -> Path:
    """Write a report to a new folder and return the folder: `HOME/reports/<UTC time>-<benchmark>`, or the given one.

    Raises FolderError when the given folder exists or cannot be created.
    """
    if folder:
        with new_folder(folder) as unfinished:
            _fill(unfinished, report)
        return folder
    with unfinished_folder(reports_folder(home)) as unfinished:
        _fill(unfinished, report)
        return _renamed(unfinished, reports_folder(home) / _folder_name(report))


def check_output(home: Path, folder: Path | None) -> None:
    """Raise FolderError if a report cannot be written; call it before measuring, which takes minutes.

    Creates the parent folder. folder: None means below HOME/reports.
    """
    if folder:
        check_new_folder(folder)
        return
    with unfinished_folder(reports_folder(home)):
        return


def read_reports(home: Path) -> list[SavedReport]:
    """Return the reports of a home folder, newest first, without damaged ones."""
    reports = []
    for path in reports_folder(home).glob("[!.]*/report.json"):
        try:
            reports.append(SavedReport(path.parent, _REPORT.validate_json(path.read_bytes())))
        except (OSError, ValidationError):
            continue
    return sorted(reports, key=lambda saved: (saved.report.evaluated_at, saved.folder.name), reverse=True)


def as_record(report: EvaluationReport) -> dict[str, object]:
    """Return the content of report.json: the report without runs and judgements."""
    record = asdict(report)
    del record["qrels"]
    for result in record["results"]:
        del result["run"]
    return record


def run_names(results: Sequence[Result]) -> list[str]:
    """Return the name of each result's run, also its tag in the file; equal names are numbered."""
    names: list[str] = []
    for result in results:
        name = _file_name(f"{result.retriever}-{result.num_candidates}-{result.reranker}")
        numbered = (name if number == 1 else f"{name}-{number}" for number in count(1))
        names.append(next(candidate for candidate in numbered if candidate not in names))
    return names


def _folder_name(report: EvaluationReport) -> str:
    at = datetime.fromisoformat(report.evaluated_at)
    return f"{at:%Y%m%dT%H%M%SZ}-{_file_name(report.benchmark)}"


def _file_name(name: str) -> str:
    """Return a valid file name, short enough to add a time or a number."""
    return re.sub(r"[^\w.-]+", "-", name).encode()[:_NAME_BYTES].decode(errors="ignore")


def _renamed(unfinished: Path, wanted: Path) -> Path:
    """Rename the folder, with a number if the name is taken; returns the new path."""
    for number in count(1):
        name = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        try:
            return unfinished.rename(name)
        except OSError:
            if not name.exists():
                raise
    raise AssertionError  # count has no end


def _fill(folder: Path, report: EvaluationReport) -> None:
    (folder / "runs").mkdir()
    for name, result in zip(run_names(report.results), report.results, strict=True):
        (folder / "runs" / f"{name}.run").write_text(_trec_run(result.run, name), encoding="utf-8")
    (folder / "runs" / "judgements.qrels").write_text(_trec_qrels(report.qrels), encoding="utf-8")
    charts = _charts(report)
    for number, chart in enumerate(charts.values(), 1):
        (folder / f"chart-{number}.svg").write_text(chart, encoding="utf-8")
    title, decided, *others = sections(report)
    figures = "\n\n".join(f"![{title}](chart-{number}.svg)" for number, title in enumerate(charts, 1))
    (folder / "report.md").write_text("\n\n".join([title, decided, figures, *others]) + "\n", encoding="utf-8")
    (folder / "report.html").write_text(_html(report, charts), encoding="utf-8")
    (folder / "report.json").write_text(json.dumps(as_record(report), ensure_ascii=False), encoding="utf-8")


def _trec_run(run: Run, tag: str) -> str:
    return "".join(
        f"{_word(query_id)} Q0 {_word(found)} {rank} {score:.6f} {tag}\n"
        for query_id, scores in run.items()
        for rank, (found, score) in enumerate(scores.items(), 1)
    )


def _trec_qrels(qrels: Qrels) -> str:
    return "".join(
        f"{_word(query_id)} 0 {_word(found)} {relevance}\n"
        for query_id, judged in qrels.items()
        for found, relevance in judged.items()
    )


def _word(name: str) -> str:
    """Return a name with white space percent-encoded, since it would break a TREC line."""
    return re.sub(r"[\s%]", lambda found: quote(found[0]), name)


def _charts(report: EvaluationReport) -> Mapping[str, str]:
    """Return title -> SVG."""
    charts = {measure: quality_chart(report, measure) for measure in CHART_MEASURES}
    charts["Quality against milliseconds"] = cost_chart(report)
    return {title: _svg(chart.to_dict()) for title, chart in charts.items()}


def _svg(specification: dict[str, object]) -> str:
    from vl_convert import vegalite_to_svg  # slow to import

    texts = {"labelColor": _TEXT_COLOR, "titleColor": _TEXT_COLOR, "labelFontSize": 12, "titleFontSize": 12}
    axis = texts | {"gridColor": _LINE_COLOR, "gridOpacity": 0.15}
    view = {"stroke": "transparent"}
    padding = {"left": 40, "right": 20, "top": 5, "bottom": 5}  # the reader's font may be wider
    config = {"background": "transparent", "font": "sans-serif", "axis": axis, "legend": texts, "view": view}
    svg = vegalite_to_svg(specification | {"width": _CHART_PIXELS, "padding": padding, "config": config})
    svg = svg.replace(_TEXT_COLOR, "currentColor").replace(_LINE_COLOR, "currentColor")
    return str(re.sub(r"(<svg[^>]*>)", rf"\1{_SVG_STYLE}", svg, count=1))


def _html(report: EvaluationReport, charts: Mapping[str, str]) -> str:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    title, decided, *others = map(markdown.render, sections(report))
    figures = [f"<figure><figcaption>{title}</figcaption>{chart}</figure>" for title, chart in charts.items()]
    return _PAGE.format(
        title=html.escape(verdict(report).sentence),
        style=_STYLE,
        body="\n".join([title, decided, '<div class="charts">', *figures, "</div>", *others]),
    )
