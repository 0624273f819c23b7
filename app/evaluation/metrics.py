"""qrels + run -> the field's measures for each query, by ir_measures, and their confidence intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ir_measures
import numpy as np
from scipy.stats import bootstrap, permutation_test

from app.evaluation.benchmark import Qrels, Run

MEASURES = {
    "nDCG@10": ir_measures.nDCG @ 10,
    "MRR@10": ir_measures.RR @ 10,
    "hit rate@5": ir_measures.Success @ 5,
    "hit rate@10": ir_measures.Success @ 10,
    "recall@50": ir_measures.R @ 50,
}
"""Name in reports -> measure. Hit rate is the share of queries with a relevant result so far up."""


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
    found = bootstrap((sample,), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(0))
    return Interval(mean, float(found.confidence_interval.low), float(found.confidence_interval.high))


def difference(values: Mapping[str, float], baseline: Mapping[str, float]) -> Difference:
    """How much better values are than the baseline's, query by query; both have the same queries.

    The test swaps the two values of a query at random (9,999 times, fixed seed).
    """
    pair = np.array([[values[query_id], baseline[query_id]] for query_id in values]).T
    gains = interval((pair[0] - pair[1]).tolist())
    if np.ptp(pair[0] - pair[1]) == 0 and gains.mean == 0:
        return Difference(0.0, 0.0, 0.0, 1.0)
    test = permutation_test(
        tuple(pair),
        lambda ours, theirs, axis: np.mean(ours - theirs, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=9999,
        rng=np.random.default_rng(0),
    )
    return Difference(gains.mean, gains.low, gains.high, float(test.pvalue))
