"""candidates -> list[RankedChunk]: a reranker scores every candidate, and `rerank` alone puts them in order.

A reranker sees text only. What the first stage knew comes back in through a Blend, whose weights were
learned on training questions and lie beside the reranker's weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.memory import Memory
from app.search.fusion import exact_matches
from app.search.search import Candidate
from ingest import CiteloopError
from ingest.chunk import Chunk

_MARGIN = 1e-3
"""Between the last passage that holds an exact term and the first that does not."""


class RerankerError(CiteloopError):
    """A reranker cannot be loaded or reached; the message names what is missing and what would do."""


@dataclass(frozen=True, slots=True)
class RankedChunk:
    """A candidate in its final place.

    rank: from 1. score: what the order was made by, higher is better, comparable within one ranking only; where it
    is_probability, that the passage answers the query. reranker_score: the reranker's raw output, None without a
    reranker and where it left this passage out.
    """

    candidate: Candidate
    rank: int
    score: float
    reranker_score: float | None = None
    is_probability: bool = False

    @property
    def chunk(self) -> Chunk:
        return self.candidate.chunk

    @property
    def rank_change(self) -> int:
        """Places won against the first stage: 3 = up three, negative = down, 0 = the same."""
        return self.candidate.fused_rank - self.rank

    def as_row(self) -> dict[str, object]:
        """The flat form that the command line prints and tables show, with stable names."""
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
            "text": chunk.text,
        }


@dataclass(frozen=True, slots=True)
class Calibration:
    """Turns a blended score into the probability that a passage answers: the logistic function of a sum.

    The blended score says how a passage stands among the candidates of its query; whether any of them is near
    say the best raw score of the reranker and the best similarity. Both are the same for all candidates of a
    query, so that the order stays. floor: where the best probability is below it, the documents may well not hold
    the answer.
    """

    intercept: float
    blended: float
    best_reranker: float
    best_vector: float
    floor: float

    def probabilities(
        self, blended: NDArray[np.float64], raw: Sequence[float], candidates: Sequence[Candidate]
    ) -> list[float]:
        """One for each candidate, between 0 and 1."""
        reranker, vector = best_scores(raw, candidates)
        logits = self.intercept + self.blended * blended + self.best_reranker * reranker + self.best_vector * vector
        return [float(value) for value in np.exp(-np.logaddexp(0, -logits))]  # the logistic function, of any size


@dataclass(frozen=True, slots=True)
class Blend:
    """Weights of four scores, each standardized over the candidates of one query before they are added.

    fused: of the hybrid search score; 0 in models that were trained before it was part of a blend. kept, struck:
    weights of the memory's votes for and against each passage.
    """

    reranker: float
    vector: float
    text: float
    fused: float = 0.0
    calibration: Calibration | None = None
    kept: float = 0.0
    struck: float = 0.0
    memory: Memory | None = None

    @classmethod
    def load(cls, folder: Path) -> Blend | None:
        """The blend of the reranker in this folder, None if it has none.

        Raises RerankerError when its blend.json does not hold exactly the numbers of a blend, or its memory is damaged.
        """
        path = folder / "blend.json"
        if not path.exists():
            return None
        try:
            record = json.loads(path.read_text())
            calibration = Calibration(**_finite(record["calibration"])) if "calibration" in record else None
            return cls(**_finite(record["weights"]), calibration=calibration, memory=Memory.load(folder))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RerankerError(
                f"{path} must hold weights for the reranker and the scores of search, and memory.json what is "
                f"remembered: {error}"
            ) from error

    def save(self, folder: Path) -> None:
        """Write blend.json, rounded to what matters, and memory.json."""
        content = {"weights": {name: round(float(getattr(self, name)), 4) for name in WEIGHTS}}
        if self.calibration:
            content["calibration"] = {name: round(value, 4) for name, value in asdict(self.calibration).items()}
        (folder / "blend.json").write_text(json.dumps(content, indent=1) + "\n")
        if self.memory:
            self.memory.save(folder)

    def combine(
        self, raw: Sequence[float], candidates: Sequence[Candidate], recalled: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """The blended score of each candidate. raw: what the reranker says of each; recalled: what the memory does."""
        weights = [getattr(self, name) for name in WEIGHTS]
        return np.asarray(features(raw, candidates, recalled) @ np.array(weights))


WEIGHTS = ("reranker", "vector", "text", "fused", "kept", "struck")
"""The names of a blend's weights, in the order of `features`."""


def features(
    raw: Sequence[float], candidates: Sequence[Candidate], recalled: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """What a blend weighs, shape (len(candidates), 6), in the order of WEIGHTS.

    A candidate whose score in a list is unknown counts as that list's last. recalled: as `Memory.recall` gives it.
    """
    searched = [_filled(candidates, name) for name in ("vector_score", "text_score", "fused_score")]
    columns = [np.array(raw, float), *searched]
    remembered = np.zeros((len(candidates), 2)) if recalled is None else recalled * [1, -1]
    return np.column_stack([*(_standardized(column) for column in columns), remembered])


def best_scores(raw: Sequence[float], candidates: Sequence[Candidate]) -> tuple[float, float]:
    """What tells whether any of the candidates is near: the best raw score, and the best similarity."""
    return max(raw), float(_filled(candidates, "vector_score").max())


class PartialScores(list[float]):
    """Scores with the lowest value for passages that the reranker left out. missing: the indexes of these passages."""

    def __init__(self, scores: Iterable[float], missing: Iterable[int]) -> None:
        super().__init__(scores)
        self.missing = frozenset(missing)


class Reranker(Protocol):
    """Scores passages against a query: raw logits, higher is better, in the order of the passages."""

    @property
    def name(self) -> str: ...
    @property
    def blend(self) -> Blend | None: ...

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        """One float for each passage, PartialScores if some have none; raises RerankerError when it cannot be had."""
        ...


def rerank(query: str, candidates: Sequence[Candidate], reranker: Reranker | None) -> list[RankedChunk]:
    """The candidates in their final order; with no reranker, in the order that search gave them.

    Ties keep the order of the first stage. Passages that hold a rare exact term of the query stay above all others:
    rows that look alike differ to a model by little, and to people by everything. Raises RerankerError when the
    reranker returns anything but one finite number for each passage.
    """
    if reranker is None or not candidates:
        return [RankedChunk(candidate, candidate.fused_rank, candidate.fused_score) for candidate in candidates]
    passages = [candidate.chunk.passage for candidate in candidates]
    raw = reranker.score(query, passages)
    if len(raw) != len(candidates) or not np.isfinite(raw).all():
        raise RerankerError(f"{reranker.name} must return {len(candidates)} finite scores, got {_short(raw)}")
    blend = reranker.blend
    recalled = blend.memory.recall(query, passages, reranker.score) if blend and blend.memory else None
    values = _lifted(blend.combine(raw, candidates, recalled) if blend else np.array(raw, float), query, passages)
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
    """The values, with the passages that hold a rare exact term of the query above the best of the others."""
    exact = np.array(exact_matches(query, passages))
    if not exact.any() or exact.all():
        return values
    lift = max(0.0, float(values[~exact].max() - values[exact].min())) + _MARGIN
    return np.where(exact, values + lift, values)


def _filled(candidates: Sequence[Candidate], name: str) -> NDArray[np.float64]:
    """A score of each candidate by its name; one that has none has the lowest of the others, or 0."""
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
