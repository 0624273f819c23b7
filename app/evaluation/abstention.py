"""best scores of questions with and without an answer -> Abstention: how well a low score separates them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.evaluation.metrics import Interval

_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Abstention:
    """The result of abstaining when the best score is below the reranker's floor.

    precision: share of abstentions that are right. recall: share of unanswerable questions with abstention. f1: their
    harmonic mean. num_turned_away: wrong abstentions.
    """

    floor: float
    num_answerable: int
    num_unanswerable: int
    num_turned_away: int
    precision: float
    recall: float
    f1: float


def abstention(answerable: Sequence[float], unanswerable: Sequence[float], floor: float) -> Abstention:
    """Return the result for the best score of each question; shares are 0 without abstentions, as usual."""
    wrongly, rightly = (sum(score < floor for score in scores) for scores in (answerable, unanswerable))
    num_abstained = wrongly + rightly
    return Abstention(
        floor=floor,
        num_answerable=len(answerable),
        num_unanswerable=len(unanswerable),
        num_turned_away=wrongly,
        precision=rightly / num_abstained if num_abstained else 0.0,
        recall=rightly / len(unanswerable) if unanswerable else 0.0,
        f1=2 * rightly / max(1, num_abstained + len(unanswerable)),
    )


def intervals(found: Abstention) -> dict[str, Interval]:
    """Return precision, recall, f1 and the share turned away, with 95% bootstrap intervals (fixed seed).

    Questions with and without an answer are resampled separately, so that the numbers of abstentions are binomial.
    """
    rng = np.random.default_rng(0)
    hits = rng.binomial(found.num_unanswerable, found.recall, _RESAMPLES)
    rate = found.num_turned_away / max(1, found.num_answerable)
    wrong = rng.binomial(found.num_answerable, rate, _RESAMPLES)
    shares = {
        "precision": (found.precision, hits / np.maximum(1, hits + wrong)),
        "recall": (found.recall, hits / max(1, found.num_unanswerable)),
        "f1": (found.f1, 2 * hits / np.maximum(1, hits + wrong + found.num_unanswerable)),
        "turned_away": (rate, wrong / max(1, found.num_answerable)),
    }
    return {
        name: Interval(share, *(float(end) for end in np.quantile(drawn, [0.025, 0.975])))
        for name, (share, drawn) in shares.items()
    }
