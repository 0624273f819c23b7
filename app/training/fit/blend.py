"""judged queries and a reranker's scores -> Blend: how much each score counts, and what a blended score means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from app.evaluation.tables import Track, untracked
from app.reranking.rerank import WEIGHTS, Blend, Calibration, Reranker, best_scores, features
from app.search.search import Candidate
from app.training.labels.examples import MIN_CANDIDATES, JudgedQuery

_NUM_SCORES = WEIGHTS.index("kept")
"""The first weights of a blend are of scores, the others of the memory."""
_PENALTY = 1e-3
"""On the squares of the weights: keeps them finite where the training questions are all easy."""
_PRIOR_QUERIES = 1.0
"""How strongly nothing is expected of a memory: a weight of 1 costs as much as a unit of loss of one query."""
_TURNED_AWAY = 0.05
"""Share of the training questions with an answer that the floor may turn away."""
_UNANSWERED_SHARE = 0.25
"""How much a query without its relevant candidates counts next to itself: so many are asked in vain, we suppose."""


@dataclass(frozen=True, slots=True)
class ScoredQuery:
    """The candidates of a judged query, what the reranker says of each, and which are relevant.

    recalled: as `Memory.recall` gives it, but without this query's own judgements; None without a memory.
    """

    candidates: tuple[Candidate, ...]
    raw: tuple[float, ...]
    relevant: tuple[bool, ...]
    recalled: NDArray[np.float64] | None = None

    def features(self) -> NDArray[np.float64]:
        """What a blend weighs."""
        return features(self.raw, self.candidates, self.recalled)

    def combined(self, blend: Blend) -> NDArray[np.float64]:
        """The blended score of each candidate."""
        return blend.combine(self.raw, self.candidates, self.recalled)

    def without_relevant(self) -> ScoredQuery:
        """As if the documents did not hold the answer."""
        kept = [place for place, relevant in enumerate(self.relevant) if not relevant]
        return ScoredQuery(
            tuple(self.candidates[place] for place in kept),
            tuple(self.raw[place] for place in kept),
            (False,) * len(kept),
            None if self.recalled is None else self.recalled[kept],
        )


def scored_queries(
    judged: Sequence[JudgedQuery],
    reranker: Reranker,
    track: Track = untracked,
) -> list[ScoredQuery]:
    """Let the reranker score the candidates of each query that search found an answer to."""
    return [
        ScoredQuery(
            each.candidates,
            tuple(reranker.score(each.query, [candidate.chunk.passage for candidate in each.candidates])),
            tuple(candidate.chunk.document in each.relevant for candidate in each.candidates),
        )
        for each in track(judged, "score")
        if each.is_answered
    ]


def fit_blend(scored: Mapping[str, Sequence[ScoredQuery]], prior: Blend | None = None) -> Blend:
    """The weights under which the softmax over a query's candidates gives most to the relevant ones.

    scored: by collection, each of which counts the same. Weights are not negative. prior: only what a memory is worth
    is fitted, and weights of scores and calibration are the prior's: people judge what the live model shows them, from
    which its own weights cannot be learned (measured: they get worse).
    """
    start = np.array([getattr(prior, name) for name in WEIGHTS] if prior else [0.0] * len(WEIGHTS))
    penalty = _PRIOR_QUERIES / max(1, sum(map(len, scored.values()))) if prior else _PENALTY
    fixed = [(weight, weight) for weight in start[:_NUM_SCORES]] if prior else [(0, None)] * _NUM_SCORES
    queries = [
        (
            each.features(),
            np.array(each.relevant),
            1 / (len(scored) * len(collection)),
        )
        for collection in scored.values()
        for each in collection
    ]

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """The likelihood that is missing, and its gradient."""
        away = weights - start
        total, gradient = penalty * float(away @ away), 2 * penalty * away
        for matrix, relevant, share in queries:
            scores = matrix @ weights
            likelihoods = np.exp(scores - scores.max())
            among_all, among_relevant = likelihoods / likelihoods.sum(), np.where(relevant, likelihoods, 0)
            total -= share * float(np.log(among_relevant.sum() / likelihoods.sum()))
            gradient = gradient + share * (among_all - among_relevant / among_relevant.sum()) @ matrix
        return total, gradient

    begin = start if prior else np.ones(len(WEIGHTS))
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=[*fixed, (0, None), (0, None)])
    reranker, vector, text, fused, kept, struck = (float(weight) for weight in found.x)
    return Blend(reranker, vector, text, fused, prior.calibration if prior else None, kept, struck)


def fit_calibration(scored: Mapping[str, Sequence[ScoredQuery]], blend: Blend) -> Blend:
    """The blend with what makes its score a probability, a logistic regression on every candidate, and with a floor.

    Each query is there twice, with its relevant candidates and, counting less, without them, so that the
    probability also tells when the documents do not hold the answer.
    """
    rows, labels, shares = [], [], []
    for collection in scored.values():
        queries = [(each, 1.0) for each in collection]
        queries += [(each.without_relevant(), _UNANSWERED_SHARE) for each in collection]
        for each, counts in queries:
            if len(each.candidates) < MIN_CANDIDATES:
                continue
            blended = each.combined(blend)
            near = np.tile(best_scores(each.raw, each.candidates), (len(blended), 1))
            rows.append(np.column_stack([np.ones(len(blended)), blended, near]))
            labels.append(np.array(each.relevant, float))
            shares.append(np.full(len(blended), counts / (len(scored) * len(collection))))
    matrix, label, share = np.concatenate(rows), np.concatenate(labels), np.concatenate(shares)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = matrix @ weights
        total = float(share @ (np.logaddexp(0, logits) - label * logits))
        return total, (share * (expit(logits) - label)) @ matrix

    bounds = [(None, None), (0, None), (None, None), (None, None)]  # a better score must not mean less
    found = minimize(loss, np.array([-4.0, 1.0, 0.0, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds)
    intercept, blended_weight, best_reranker, best_vector = (float(weight) for weight in found.x)
    calibrated = replace(blend, calibration=Calibration(intercept, blended_weight, best_reranker, best_vector, 0.0))
    floor = np.mean([np.quantile(best_probabilities(each, calibrated), _TURNED_AWAY) for each in scored.values()])
    return replace(blend, calibration=Calibration(intercept, blended_weight, best_reranker, best_vector, float(floor)))


def best_probabilities(scored: Iterable[ScoredQuery], blend: Blend) -> list[float]:
    """The probability that a calibrated blend gives to the best candidate of each query."""
    return [max(probabilities(each, blend)) for each in scored]


def probabilities(scored: ScoredQuery, blend: Blend) -> list[float]:
    """What a calibrated blend says of each candidate. Raises ValueError when it is not calibrated."""
    if blend.calibration is None:
        raise ValueError("expected a calibrated blend; see fit_calibration")
    return blend.calibration.probabilities(scored.combined(blend), scored.raw, scored.candidates)
