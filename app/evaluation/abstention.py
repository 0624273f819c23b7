"""best scores of questions with and without an answer -> Abstention: how well a low score separates them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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
