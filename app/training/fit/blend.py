"""judged queries and a reranker's scores -> Blend: the weight of each score, and a calibration."""

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

_PENALTY = 1e-3
"""L2 penalty on the weights, which keeps them finite if all training questions are easy."""
_REJECTED_SHARE = 0.05
"""Share of the answered training questions that the floor may reject."""
_UNANSWERED_SHARE = 0.25
"""Weight of each query without its relevant candidates: the assumed share of unanswerable questions."""


@dataclass(frozen=True, slots=True)
class ScoredQuery:
    """The candidates of a judged query, their raw reranker scores, and which are relevant."""

    candidates: tuple[Candidate, ...]
    raw: tuple[float, ...]
    relevant: tuple[bool, ...]

    def features(self) -> NDArray[np.float64]:
        """Return the inputs of a blend."""
        return features(self.raw, self.candidates)

    def combined(self, blend: Blend) -> NDArray[np.float64]:
        """Return the blended score of each candidate."""
        return blend.combine(self.raw, self.candidates)

    def without_relevant(self) -> ScoredQuery:
        """Return the query as if the documents lacked the answer."""
        kept = [index for index, relevant in enumerate(self.relevant) if not relevant]
        return ScoredQuery(
            tuple(self.candidates[index] for index in kept),
            tuple(self.raw[index] for index in kept),
            (False,) * len(kept),
        )


def scored_queries(
    judged: Sequence[JudgedQuery],
    reranker: Reranker,
    track: Track = untracked,
) -> list[ScoredQuery]:
    """Score the candidates of each query for which search found an answer."""
    return [
        ScoredQuery(
            query.candidates,
            tuple(reranker.score(query.query, [candidate.chunk.passage for candidate in query.candidates])),
            tuple(candidate.chunk.document in query.relevant for candidate in query.candidates),
        )
        for query in track(judged, "score")
        if query.is_answered
    ]


def fit_blend(scored: Mapping[str, Sequence[ScoredQuery]]) -> Blend:
    """Return the weights that maximize the softmax share of relevant candidates.

    scored: by collection; all collections count equally. Weights are not negative.
    """
    queries = [
        (
            query.features(),
            np.array(query.relevant),
            1 / (len(scored) * len(collection)),
        )
        for collection in scored.values()
        for query in collection
    ]

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the negative log-likelihood and its gradient."""
        total, gradient = _PENALTY * float(weights @ weights), 2 * _PENALTY * weights
        for matrix, relevant, share in queries:
            scores = matrix @ weights
            likelihoods = np.exp(scores - scores.max())
            among_all, among_relevant = likelihoods / likelihoods.sum(), np.where(relevant, likelihoods, 0)
            total -= share * float(np.log(among_relevant.sum() / likelihoods.sum()))
            gradient = gradient + share * (among_all - among_relevant / among_relevant.sum()) @ matrix
        return total, gradient

    found = minimize(loss, np.ones(len(WEIGHTS)), jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(WEIGHTS))
    reranker, vector, text, fused = map(float, found.x)
    return Blend(reranker, vector, text, fused)


def fit_calibration(scored: Mapping[str, Sequence[ScoredQuery]], blend: Blend) -> Blend:
    """Return the blend with a calibration, by logistic regression on all candidates, and a floor.

    Each query counts twice, with its relevant candidates and, with less weight, without them, so that the probability
    also drops when the documents lack the answer.
    """
    rows, labels, shares = [], [], []
    for collection in scored.values():
        queries = [(query, 1.0) for query in collection]
        queries += [(query.without_relevant(), _UNANSWERED_SHARE) for query in collection]
        for query, weight in queries:
            if len(query.candidates) < MIN_CANDIDATES:
                continue
            blended = query.combined(blend)
            best = np.tile(best_scores(query.raw, query.candidates), (len(blended), 1))
            rows.append(np.column_stack([np.ones(len(blended)), blended, best]))
            labels.append(np.array(query.relevant, float))
            shares.append(np.full(len(blended), weight / (len(scored) * len(collection))))
    matrix, label, share = np.concatenate(rows), np.concatenate(labels), np.concatenate(shares)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = matrix @ weights
        total = float(share @ (np.logaddexp(0, logits) - label * logits))
        return total, (share * (expit(logits) - label)) @ matrix

    bounds = [(None, None), (0, None), (None, None), (None, None)]  # a better score must not mean less
    found = minimize(loss, np.array([-4.0, 1.0, 0.0, 0.0]), jac=True, method="L-BFGS-B", bounds=bounds)
    intercept, blended_weight, best_reranker, best_vector = (float(weight) for weight in found.x)
    calibrated = replace(blend, calibration=Calibration(intercept, blended_weight, best_reranker, best_vector, 0.0))
    floor = np.mean([np.quantile(best_probabilities(part, calibrated), _REJECTED_SHARE) for part in scored.values()])
    return replace(blend, calibration=Calibration(intercept, blended_weight, best_reranker, best_vector, float(floor)))


def best_probabilities(scored: Iterable[ScoredQuery], blend: Blend) -> list[float]:
    """Return the probability of the best candidate of each query, by a calibrated blend."""
    return [max(probabilities(query, blend)) for query in scored]


def probabilities(scored: ScoredQuery, blend: Blend) -> list[float]:
    """Return each candidate's probability by a calibrated blend. Raises ValueError if it is not calibrated."""
    if blend.calibration is None:
        raise ValueError("expected a calibrated blend; see fit_calibration")
    return blend.calibration.probabilities(scored.combined(blend), scored.raw, scored.candidates)
