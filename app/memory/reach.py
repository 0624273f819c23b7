"""how often votes for like questions agreed with what people said later -> Reach: how far votes act in this home.

Two questions of the same similarity have the same need in one collection and different needs in another. So the
log-odds of `Wording.log_odds` are shifted by what the log of this home says: each judged passage is predicted from the
votes of other questions, and the shift that predicts best is taken, somewhat cautiously.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.memory.votes import Kind, relevance

_SHIFTS = np.linspace(-8.0, 4.0, 121)
_DEVIATION = 1.0
"""Standard deviation of the shift before anything is known."""
_QUANTILE = 0.4
"""Probability that the shift taken is too wide."""
_MAX_SHIFT = 0.5
_LEAST = 1e-3
"""No prediction is taken to be more certain than this."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a vote for a like question says of a passage that people judged later.

    log_odds: that both questions have the same need. kind: of the vote. usual: the share of passages shown at this
    rank that people leave standing. stands: whether they left this one standing.
    """

    log_odds: float
    kind: Kind
    usual: float
    stands: bool


@dataclass(frozen=True, slots=True)
class Reach:
    """Log-odds added for votes in favor and against."""

    in_favor: float = 0.0
    against: float = 0.0

    @classmethod
    def of(cls, predictions: Sequence[Prediction]) -> Reach:
        """Return the reach that the predictions prove; without any, a cautious one."""
        in_favor = [prediction for prediction in predictions if prediction.kind in ("named", "kept")]
        against = [prediction for prediction in predictions if prediction.kind not in ("named", "kept")]
        return cls(_shift(in_favor), _shift(against))

    def likeness(self, log_odds: float, *, is_for: bool) -> float:
        """Return the probability that two questions have the same need, 1 for the same question."""
        if log_odds == math.inf:
            return 1.0
        return float(logistic(log_odds + (self.in_favor if is_for else self.against)))


def logistic(logits: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(-x)), with the same shape and without overflow.

    SciPy's would add a quarter of a second to every start.
    """
    return np.asarray(np.exp(-np.logaddexp(0, -logits)))


def _shift(predictions: Sequence[Prediction]) -> float:
    """Return a low quantile of the shift's posterior distribution."""
    log_posterior = -0.5 * (_SHIFTS / _DEVIATION) ** 2
    for one in predictions:
        share, answers = logistic(one.log_odds + _SHIFTS), relevance(one.kind)
        stands = (1 - share) * one.usual + share * answers
        stands = np.maximum(stands, one.usual) if answers > 0.5 else np.minimum(stands, one.usual)
        log_posterior += np.log(np.clip(stands if one.stands else 1 - stands, _LEAST, 1))
    posterior = np.exp(log_posterior - log_posterior.max())
    taken = np.searchsorted(np.cumsum(posterior / posterior.sum()), _QUANTILE)
    return min(_MAX_SHIFT, float(_SHIFTS[taken]))
