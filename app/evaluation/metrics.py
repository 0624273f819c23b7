"""qrels + run -> the field's measures for each query, by ir_measures, and their confidence intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ir_measures
import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

from app.evaluation.benchmark import Qrels, Run

MEASURES = {
    "nDCG@10": ir_measures.nDCG @ 10,
    "MRR@10": ir_measures.RR @ 10,
    "hit rate@5": ir_measures.Success @ 5,
    "hit rate@10": ir_measures.Success @ 10,
    "recall@50": ir_measures.R @ 50,
}
"""Name in reports -> measure. Hit rate is the share of queries with a relevant result so far up."""

_NUM_FLIPS = 9_999
_VALUES_AT_ONCE = 2**21
"""That are drawn in one part, so that many queries do not fill the memory."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over queries with its 95% confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean gain over queries against another order of the same candidates, with its 95% interval.

    p_value: two-sided, of a paired randomisation test: how often chance alone would make as large a difference.
    """

    mean: float
    low: float
    high: float
    p_value: float


def measure(qrels: Qrels, run: Run) -> dict[str, dict[str, float]]:
    """Measure -> query id -> value, for every query of the qrels; one that found nothing has 0."""
    values = {name: dict.fromkeys(qrels, 0.0) for name in MEASURES}
    names = {measured: name for name, measured in MEASURES.items()}
    found = {query_id: scores for query_id, scores in run.items() if scores}
    for metric in ir_measures.iter_calc(list(MEASURES.values()), qrels, found):
        values[names[metric.measure]][metric.query_id] = float(metric.value)
    return values


def interval(values: Sequence[float]) -> Interval:
    """Mean and percentile bootstrap interval (2,000 resamples, fixed seed) of per-query values."""
    sample = np.asarray(values, float)
    mean = float(sample.mean())
    if len(sample) < 2 or np.ptp(sample) == 0:
        return Interval(mean, mean, mean)
    found = bootstrap(
        (sample,),
        np.mean,
        n_resamples=2000,
        batch=max(1, _VALUES_AT_ONCE // len(sample)),
        method="percentile",
        rng=np.random.default_rng(0),
    )
    return Interval(mean, float(found.confidence_interval.low), float(found.confidence_interval.high))


def difference(values: Mapping[str, float], baseline: Mapping[str, float]) -> Difference:
    """How much better values are than the baseline's, query by query; both have the same queries, at least one."""
    gains = np.array([values[query_id] - baseline[query_id] for query_id in values])
    found = interval(gains.tolist())
    return Difference(found.mean, found.low, found.high, _p_value(gains[gains != 0]))


def _p_value(gains: NDArray[np.float64]) -> float:
    """How often swapping the two values of queries makes as large a sum of gains, either way; 1 for less than two.

    All swaps are tried where that is less work than 9,999 at random (fixed seed). A query without a
    gain is the same both ways.
    """
    least = abs(gains.sum()) - 1e-12 * np.abs(gains).sum()  # the order in which numbers are added is not to count
    if 2 ** len(gains) <= _NUM_FLIPS:
        flips = np.arange(2 ** len(gains))[:, None] >> np.arange(len(gains)) & 1
        return float(np.mean(np.abs(gains.sum() - 2 * flips @ gains) >= least))
    chance, num_as_large, left = np.random.default_rng(0), 0, _NUM_FLIPS
    while left:
        count = min(left, max(1, _VALUES_AT_ONCE // len(gains)))
        flips = chance.integers(0, 2, (count, len(gains)), np.int8)
        num_as_large += int(np.sum(np.abs(gains.sum() - 2 * (flips @ gains)) >= least))
        left -= count
    return (num_as_large + 1) / (_NUM_FLIPS + 1)
