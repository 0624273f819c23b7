"""best scores of questions with and without an answer -> Abstention: does a low score tell them apart?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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
