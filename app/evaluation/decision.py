"""EvaluationReport -> Verdict: whether reranking pays on these questions, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.evaluation.metrics import Difference
from app.evaluation.report import EvaluationReport
from app.evaluation.results import NO_RERANKER, Result
from app.translation import gettext as _
from app.translation import number

Outcome = Literal[
    "pays", "does not pay", "nothing to win", "too few questions", "nothing to compare", "nothing relevant"
]

USUAL_RETRIEVER, USUAL_DEPTH, USUAL_RERANKER = "hybrid", 50, "shipped"
"""The app's defaults, which are judged if the report has them."""
SMALL_USEFUL_GAIN = 0.01
"""A smaller gain in nDCG@10 is not worth waiting for a reranker."""
SMALL_LOSS = 0.02
"""Largest loss of hit rate@5, two in a hundred, that a better order can outweigh."""
MIN_QUESTIONS = 20
"""With fewer, a bootstrap interval is too narrow to be reliable."""
_P_VALUE = 0.05
_PERFECT = 1 - 1e-9
"""A mean over questions may differ from 1 by a rounding error."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict, the reranker it concerns, and the sentence shown."""

    outcome: Outcome
    sentence: str
    retriever: str
    reranker: str
    num_candidates: int


def decide(gain: Mapping[str, Difference], num_questions: int) -> Outcome:
    """Return the outcome by the paired gains against no reranker.

    It does not pay if its gain in nDCG@10 is too small even at best, or if it surely loses hits in the first five. It
    pays if the gain in nDCG@10 is significant, and hits are not fewer, or at worst a few fewer.
    """
    ndcg, hits = gain["nDCG@10"], gain["hit rate@5"]
    if num_questions < MIN_QUESTIONS:
        return "too few questions"
    if ndcg.high < SMALL_USEFUL_GAIN or hits.high < 0:
        return "does not pay"
    if ndcg.mean > 0 and ndcg.p_value < _P_VALUE and (hits.mean >= 0 or hits.low > -SMALL_LOSS):
        return "pays"
    return "too few questions"


def verdict(report: EvaluationReport) -> Verdict:
    """Judge the shipped reranker, else the one with the best nDCG@10, with hybrid search and 50 candidates.

    If the report lacks these, its first retriever and depth are judged. Special outcomes: no candidate is relevant, and
    search alone is already best. If search alone has a hit in the first five for every question, the sentence says so
    instead of asking for more questions.
    """
    results = usual_results(report)
    compared = [result for result in results if result.gain]
    if not compared:
        none = results[0]
        sentence = _("Nothing to compare: evaluate {none} and at least one reranker.", none=NO_RERANKER)
        return Verdict("nothing to compare", sentence, none.retriever, none.reranker, none.num_candidates)
    best = max(compared, key=lambda result: (result.reranker == USUAL_RERANKER, result.metrics["nDCG@10"].mean))
    none = next(result for result in results if result.reranker == NO_RERANKER)
    if best.oracle["nDCG@10"] == 0:
        sentence = _(
            "None of the {n} candidates of {retriever} search is relevant to any question, so no order can be better; "
            "check that the judgements are about these documents.",
            n=best.num_candidates,
            retriever=best.retriever,
        )
        return Verdict("nothing relevant", sentence, best.retriever, best.reranker, best.num_candidates)
    outcome = decide(best.gain, report.num_queries)
    if _is_perfect(none, "nDCG@10") or (outcome == "too few questions" and _is_perfect(none, "hit rate@5")):
        outcome = "nothing to win"
    sentence = _sentence(outcome, best, none, report.num_queries)
    return Verdict(outcome, sentence, best.retriever, best.reranker, best.num_candidates)


def usual_results(report: EvaluationReport) -> list[Result]:
    """Return the results of all rerankers with the app's defaults, or with the report's first retriever and depth."""
    retrievers = [result.retriever for result in report.results]
    retriever = USUAL_RETRIEVER if USUAL_RETRIEVER in retrievers else retrievers[0]
    depth = usual_depth(report)
    usual = [result for result in report.results if (result.retriever, result.num_candidates) == (retriever, depth)]
    return usual or list(report.results[:1])  # a failed reranker may have no such result


def usual_depth(report: EvaluationReport) -> int:
    """Return 50 candidates, or the first depth of the report."""
    return USUAL_DEPTH if USUAL_DEPTH in report.num_candidates else report.num_candidates[0]


def _is_perfect(result: Result, measure: str) -> bool:
    return result.metrics[measure].mean >= _PERFECT


def _sentence(outcome: Outcome, best: Result, none: Result, num_questions: int) -> str:
    hits, ndcg = best.gain["hit rate@5"], best.gain["nDCG@10"]
    before, after = none.metrics["hit rate@5"].mean, best.metrics["hit rate@5"].mean
    ranges = _(
        "95% interval {low} to {high}, p = {p}",
        low=number(ndcg.low, "+.3f"),
        high=number(ndcg.high, "+.3f"),
        p=number(ndcg.p_value, ".2g"),
    )
    figures = _(
        "{hits} points hit rate@5 (from {before} to {after}) and {ndcg} nDCG@10 ({ranges}) for {ms} ms a question with "
        "new passages",
        hits=number(100 * hits.mean, "+.1f"),
        before=number(before, ".1%"),
        after=number(after, ".1%"),
        ndcg=number(ndcg.mean, "+.3f"),
        ranges=ranges,
        ms=number(best.latency_ms["rerank"].p50, ".0f"),
    )
    return _(
        "{opening}: {figures}, by {reranker} on {n} candidates of {retriever} search.",
        opening=_opening(outcome, none, num_questions),
        figures=figures,
        reranker=best.reranker,
        n=best.num_candidates,
        retriever=best.retriever,
    )


def _opening(outcome: Outcome, none: Result, num_questions: int) -> str:
    if outcome == "pays":
        return _("Reranking pays here")
    if outcome == "does not pay":
        return _("Reranking does not pay here")
    if outcome == "too few questions":
        return _("Too few questions to tell ({n})", n=num_questions)
    if _is_perfect(none, "nDCG@10"):
        return _("Nothing to win here (search alone has the best order for each of the {n} questions)", n=num_questions)
    return _(
        "Nothing to win here (search alone puts a relevant result in the first five for each of the {n} questions)",
        n=num_questions,
    )
