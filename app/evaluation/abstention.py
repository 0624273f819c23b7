"""best scores of questions with and without an answer -> Abstention: does a low score tell them apart?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.evaluation.metrics import Interval

_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Abstention:
    """Saying "not in the documents" wherever the best score is below the reranker's floor.

    precision: share of these questions that indeed have no answer. recall: share of those without an answer of which
    it is said. f1: their harmonic mean.
    """

    floor: float
    num_answerable: int
    num_unanswerable: int
    num_turned_away: int
    precision: float
    recall: float
    f1: float


def abstention(answerable: Sequence[float], unanswerable: Sequence[float], floor: float) -> Abstention:
    """From the best score of each question, higher is better; 0 where nothing is said, as usual for such shares."""
    wrongly, rightly = (sum(score < floor for score in scores) for scores in (answerable, unanswerable))
    said = wrongly + rightly
    return Abstention(
        floor=floor,
        num_answerable=len(answerable),
        num_unanswerable=len(unanswerable),
        num_turned_away=wrongly,
        precision=rightly / said if said else 0.0,
        recall=rightly / len(unanswerable) if unanswerable else 0.0,
        f1=2 * rightly / (said + len(unanswerable)) if said + len(unanswerable) else 0.0,
    )


def intervals(found: Abstention) -> dict[str, Interval]:
    """Precision, recall, f1 and the share that was turned away, each with its 95% bootstrap interval (fixed seed).

    Questions with and without an answer are drawn anew apart from each other; how often it is said of them is then
    binomial.
    """
    chance = np.random.default_rng(0)
    hits = chance.binomial(found.num_unanswerable, found.recall, _RESAMPLES)
    rate = found.num_turned_away / max(1, found.num_answerable)
    wrong = chance.binomial(found.num_answerable, rate, _RESAMPLES)
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
