"""candidates -> list[RankedChunk]: a reranker scores every candidate, and `rerank` sorts them.

A reranker sees only text. A Blend adds the scores of search, with weights that were learned on training questions and
are stored beside the reranker's weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from app.memory.reach import logistic
from app.memory.votes import Recall
from app.search.fusion import exact_matches
from app.search.search import Candidate
from ingest import CiteloopError
from ingest.chunk import Chunk

_MARGIN = 1e-3
"""Score gap between passages with and without an exact term."""


class RerankerError(CiteloopError):
    """A reranker cannot be loaded or reached; the message says what is missing and what to do."""


@dataclass(frozen=True, slots=True)
class RankedChunk:
    """A candidate with its final rank.

    rank: from 1. score: defines the order, higher is better, comparable only within one ranking. is_probability: the
    score is the probability that the passage answers the query. reranker_score: its raw output, None without a
    reranker and where it left this passage out. vote: what people said that acts on this passage. unvoted_rank and
    unvoted_score: without any votes; None where no vote acts on the ranking. ranks: by the live model and by the one
    on trial; None without a trial.
    """

    candidate: Candidate
    rank: int
    score: float
    reranker_score: float | None = None
    is_probability: bool = False
    vote: Recall | None = None
    unvoted_rank: int | None = None
    unvoted_score: float | None = None
    ranks: tuple[int, int] | None = None

    @property
    def chunk(self) -> Chunk:
        return self.candidate.chunk

    @property
    def rank_change(self) -> int:
        """Return the ranks gained since the first stage: 3 = up three, negative = down."""
        return self.candidate.fused_rank - self.rank

    @property
    def is_struck_out(self) -> bool:
        """Return whether people struck this passage out for this very question."""
        return self.vote is not None and self.vote.decides and not self.vote.vote.is_for

    def as_row(self) -> dict[str, object]:
        """Return the flat form for the command line and tables, with stable names."""
        candidate, chunk = self.candidate, self.chunk
        return {
            "chunk_id": chunk.id,
            "document": chunk.document,
            "title": chunk.title,
            "heading": chunk.heading,
            "page": chunk.page,
            "rank": self.rank,
            "score": self.score,
            "reranker_score": self.reranker_score,
            "fused_rank": candidate.fused_rank,
            "fused_score": candidate.fused_score,
            "vector_rank": candidate.vector_rank,
            "vector_score": candidate.vector_score,
            "text_rank": candidate.text_rank,
            "text_score": candidate.text_score,
            "rank_change": self.rank_change,
            "unvoted_rank": self.unvoted_rank or self.rank,
            "vote": self.vote.as_record() if self.vote else None,
            "superseded_by": candidate.superseded_by,
            "text": chunk.text,
            "described_by": chunk.described_by,
        }


@dataclass(frozen=True, slots=True)
class Calibration:
    """Turns blended scores into probabilities that a passage answers, by a logistic function of a weighted sum.

    The blended score compares the candidates of one query; the best raw score and the best similarity show whether any
    of them is relevant. These two are equal for all candidates of a query, so the order does not change. floor: if the
    best probability is below it, the documents probably lack the answer.
    """

    intercept: float
    blended: float
    best_reranker: float
    best_vector: float
    floor: float

    def probabilities(
        self, blended: NDArray[np.float64], raw: Sequence[float], candidates: Sequence[Candidate]
    ) -> list[float]:
        """Return a probability for each candidate."""
        reranker, vector = best_scores(raw, candidates)
        logits = self.intercept + self.blended * blended + self.best_reranker * reranker + self.best_vector * vector
        return [float(value) for value in logistic(logits)]


@dataclass(frozen=True, slots=True)
class Blend:
    """Weights of scores, each standardized over the candidates of one query before they are added.

    fused: of the hybrid search score; 0 in older models without it.
    """

    reranker: float
    vector: float
    text: float
    fused: float = 0.0
    calibration: Calibration | None = None

    @classmethod
    def load(cls, folder: Path) -> Blend | None:
        """Return the blend in a reranker's folder, or None. Raises RerankerError when blend.json is damaged."""
        path = folder / "blend.json"
        if not path.exists():
            return None
        try:
            record = json.loads(path.read_text())
            calibration = Calibration(**_finite(record["calibration"])) if "calibration" in record else None
            weights = {name: weight for name, weight in record["weights"].items() if name not in _FORMER_WEIGHTS}
            return cls(**_finite(weights), calibration=calibration)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RerankerError(
                f"{path} must contain weights for the reranker and the search scores: {error}"
            ) from error

    def save(self, folder: Path) -> None:
        """Write blend.json, rounded to 4 digits."""
        content = {"weights": {name: round(float(getattr(self, name)), 4) for name in WEIGHTS}}
        if self.calibration:
            content["calibration"] = {name: round(value, 4) for name, value in asdict(self.calibration).items()}
        (folder / "blend.json").write_text(json.dumps(content, indent=1) + "\n")

    def combine(self, raw: Sequence[float], candidates: Sequence[Candidate]) -> NDArray[np.float64]:
        """Return the blended score of each candidate. raw: the reranker's scores."""
        weights = [getattr(self, name) for name in WEIGHTS]
        return np.asarray(features(raw, candidates) @ np.array(weights))


WEIGHTS = ("reranker", "vector", "text", "fused")
"""Names of a blend's weights, in the order of `features`."""
_FORMER_WEIGHTS = ("kept", "struck")
"""In models trained by earlier versions, which kept a memory of feedback beside the weights."""


def features(raw: Sequence[float], candidates: Sequence[Candidate]) -> NDArray[np.float64]:
    """Return the inputs of a blend, shape (len(candidates), 4), in the order of WEIGHTS.

    An unknown score counts as the list's lowest.
    """
    searched = [_filled(candidates, name) for name in ("vector_score", "text_score", "fused_score")]
    return np.column_stack([_standardized(column) for column in (np.array(raw, float), *searched)])


def best_scores(raw: Sequence[float], candidates: Sequence[Candidate]) -> tuple[float, float]:
    """Return the best raw score and the best similarity, which show whether any candidate is relevant."""
    return max(raw), float(_filled(candidates, "vector_score").max())


class PartialScores(list[float]):
    """Scores with the lowest value for passages that the reranker left out. missing: the indexes of these passages."""

    def __init__(self, scores: Iterable[float], missing: Iterable[int]) -> None:
        super().__init__(scores)
        self.missing = frozenset(missing)


@runtime_checkable
class Polyglot(Protocol):
    """Ranks with another reranker in languages that its first one cannot read."""

    def suited(self, query: str, passages: Sequence[str]) -> Reranker:
        """Return the reranker for the language of a query and its passages."""
        ...


class Reranker(Protocol):
    """Scores passages against a query: raw logits, higher is better, in the order of the passages."""

    @property
    def name(self) -> str: ...
    @property
    def blend(self) -> Blend | None: ...

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        """Return one float per passage, as PartialScores if some have none. Raises RerankerError."""
        ...


def rerank(query: str, candidates: Sequence[Candidate], reranker: Reranker | None) -> list[RankedChunk]:
    """Return the candidates in their final order; without a reranker, in the order of search.

    Ties keep the order of the first stage. Passages with a rare exact term of the query rank above all others, because
    similar table rows hardly differ to a model. Raises RerankerError unless the reranker returns one finite number per
    passage.
    """
    passages = [candidate.chunk.passage for candidate in candidates]
    if reranker is None or not candidates:
        return [RankedChunk(candidate, candidate.fused_rank, candidate.fused_score) for candidate in candidates]
    if isinstance(reranker, Polyglot):
        reranker = reranker.suited(query, passages)
    raw = reranker.score(query, passages)
    if len(raw) != len(candidates) or not np.isfinite(raw).all():
        raise RerankerError(f"{reranker.name} must return {len(candidates)} finite scores, got {_short(raw)}")
    blend = reranker.blend
    values = _lifted(blend.combine(raw, candidates) if blend else np.array(raw, float), query, passages)
    calibration = blend.calibration if blend else None
    scores = calibration.probabilities(values, raw, candidates) if calibration else values.tolist()
    order = sorted(range(len(candidates)), key=lambda index: (-values[index], candidates[index].fused_rank))
    missing = raw.missing if isinstance(raw, PartialScores) else frozenset()
    own = [None if index in missing else score for index, score in enumerate(raw)]
    return [
        RankedChunk(candidates[index], rank, scores[index], own[index], calibration is not None)
        for rank, index in enumerate(order, 1)
    ]


def _lifted(values: NDArray[np.float64], query: str, passages: Sequence[str]) -> NDArray[np.float64]:
    """Return the values, with passages that contain a rare exact term of the query raised above all others."""
    exact = np.array(exact_matches(query, passages))
    if not exact.any() or exact.all():
        return values
    lift = max(0.0, float(values[~exact].max() - values[exact].min())) + _MARGIN
    return np.where(exact, values + lift, values)


def _filled(candidates: Sequence[Candidate], name: str) -> NDArray[np.float64]:
    """Return a named score of each candidate; missing ones are replaced by the lowest, or 0."""
    scores = [getattr(candidate, name) for candidate in candidates]
    last = min((score for score in scores if score is not None), default=0.0)
    return np.array([last if score is None else score for score in scores], float)


def _finite(numbers: dict[str, object]) -> dict[str, float]:
    found = {name: float(str(number)) for name, number in numbers.items()}
    if not np.isfinite(list(found.values())).all():
        raise ValueError("a number is not finite")
    return found


def _standardized(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    deviation = float(scores.std())
    return (scores - scores.mean()) / deviation if deviation > 1e-9 else np.zeros_like(scores)


def _short(scores: Sequence[float]) -> str:
    return f"{len(scores)}: {', '.join(f'{score:.3g}' for score in scores[:5])}..."
