"""judged questions -> EvaluationReport: is the ranking good, and does the reranker pay?

    benchmark   Benchmark   a BEIR folder -> documents, queries, judgements
    metrics     Interval    qrels + run -> the field's measures with confidence intervals
    report      EvaluationReport  every retriever with every reranker on the same candidates

The candidates of a query are searched once and ranked by every reranker, so that a comparison is paired.
"""

from __future__ import annotations

from app.evaluation.benchmark import Benchmark, Qrels, Run, read_benchmark, write_corpus
from app.evaluation.metrics import Interval, measure
from app.evaluation.report import EvaluationReport, Latency, Result, evaluate

__all__ = [
    "Benchmark",
    "EvaluationReport",
    "Interval",
    "Latency",
    "Qrels",
    "Result",
    "Run",
    "evaluate",
    "measure",
    "read_benchmark",
    "write_corpus",
]
