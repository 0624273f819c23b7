"""qrels + run -> standard measures per query, by ir_measures, with confidence intervals."""

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
"""Name in reports -> measure. Hit rate@k is the share of queries with a relevant result in the first k."""

_NUM_FLIPS = 9_999
_VALUES_AT_ONCE = 2**21
"""Random values drawn at once, to limit memory with many queries."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over queries with its 95% confidence interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference(Interval):
    """The mean gain over queries against another order of the same candidates, with its 95% interval.

    p_value: two-sided, of a paired randomization test.
    """

    p_value: float


def measure(qrels: Qrels, run: Run) -> dict[str, dict[str, float]]:
    """Return measure -> query id -> value for every query of the qrels; 0 if nothing was found."""
    values = {name: dict.fromkeys(qrels, 0.0) for name in MEASURES}
    names = {measured: name for name, measured in MEASURES.items()}
    found = {query_id: scores for query_id, scores in run.items() if scores}
    for metric in ir_measures.iter_calc(list(MEASURES.values()), qrels, found):
        values[names[metric.measure]][metric.query_id] = float(metric.value)
    return values


def interval(values: Sequence[float]) -> Interval:
    """Return mean and percentile bootstrap interval (2,000 resamples, fixed seed) of per-query values."""
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
    """Return the paired difference from the baseline; both need the same queries, at least one."""
    gains = np.array([values[query_id] - baseline[query_id] for query_id in values])
    found = interval(gains.tolist())
    return Difference(found.mean, found.low, found.high, _p_value(gains[gains != 0]))


def _p_value(gains: NDArray[np.float64]) -> float:
    """Return how often random swaps of paired values give as large a sum of gains, two-sided; 1 for fewer than two.

    All swaps are tried if fewer than 9,999, else random ones (fixed seed). Queries without a gain do not matter.
    """
    least = abs(gains.sum()) - 1e-12 * np.abs(gains).sum()  # tolerance for rounding errors
    if 2 ** len(gains) <= _NUM_FLIPS:
        flips = np.arange(2 ** len(gains))[:, None] >> np.arange(len(gains)) & 1
        return float(np.mean(np.abs(gains.sum() - 2 * flips @ gains) >= least))
    rng, num_as_large, left = np.random.default_rng(0), 0, _NUM_FLIPS
    while left:
        count = min(left, max(1, _VALUES_AT_ONCE // len(gains)))
        flips = rng.integers(0, 2, (count, len(gains)), np.int8)
        num_as_large += int(np.sum(np.abs(gains.sum() - 2 * (flips @ gains)) >= least))
        left -= count
    return (num_as_large + 1) / (_NUM_FLIPS + 1)
