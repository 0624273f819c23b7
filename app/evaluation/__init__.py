"""judged questions -> EvaluationReport: ranking quality, and whether the reranker pays.

    beir_files    Row               the files of a BEIR folder -> rows, each checked
    benchmark     Benchmark         a BEIR folder -> documents, queries, judgements
    tables        JudgedTable       a benchmark -> a table of its documents, with judgements
    judgements    JudgedTable       a CSV of your own questions -> the same on the ingested documents
    csv_rows                        spreadsheet CSV -> rows by column name
    metrics       Interval          qrels + run -> standard measures, intervals and paired differences
    changes       QuestionChange    the questions that a reranker helped and hurt most
    results       Result            one retriever with one reranker: quality, milliseconds, changes
    kept_results  KeptResults       finished results of a stopped run, for the next run
    report        EvaluationReport  every retriever, reranker and depth on the same candidates
    decision      Verdict           the report in one sentence
    abstention    Abstention        whether a low score predicts a missing answer
    charts                          the report as charts
    report_text                     the report as Markdown
    report_files  SavedReport       the report as a folder, with TREC runs
    slices        Slice             the gain on questions asked before, and on new ones
    replay        Replay            the log of feedback -> what votes were worth to later questions
    trial         Tally             a model on trial and the log -> which model is better
    progress                        progress on stderr

Candidates are searched once per query and ranked by every reranker, so that comparisons are paired.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.evaluation.benchmark import Benchmark, Qrels, Run, read_benchmark, write_corpus
    from app.evaluation.decision import Verdict, verdict
    from app.evaluation.metrics import Difference, Interval, measure
    from app.evaluation.report import EvaluationReport, evaluate, evaluate_table
    from app.evaluation.report_files import SavedReport, read_reports, write_report
    from app.evaluation.results import Latency, Result
    from app.evaluation.tables import JudgedTable, benchmark_table

__all__ = [
    "Benchmark",
    "Difference",
    "EvaluationReport",
    "Interval",
    "JudgedTable",
    "Latency",
    "Qrels",
    "Result",
    "Run",
    "SavedReport",
    "Verdict",
    "benchmark_table",
    "evaluate",
    "evaluate_table",
    "measure",
    "read_benchmark",
    "read_reports",
    "verdict",
    "write_corpus",
    "write_report",
]

_MODULES = ("benchmark", "tables", "metrics", "results", "report", "decision", "report_files")


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that the command line starts quickly."""
    if name in __all__:
        for module in _MODULES:
            defined = vars(import_module(f"app.evaluation.{module}"))
            if name in defined:
                return defined[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
