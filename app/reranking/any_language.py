"""A reranker and a multilingual embedder -> AnyLanguage: ranks and compares in languages that the reranker cannot read.

The embedder was trained for whole texts. Its token vectors have most of their length in common; less that common part,
they compare as those of a model made for late interaction do (docs/benchmarks.md, "Languages").
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from app.reranking.kept_vectors import KeptVectors
from app.reranking.late_interaction import LateInteractionReranker
from app.reranking.rerank import Blend, Calibration, Reranker
from app.reranking.similarity import can_read
from ingest.embed.embedder import MULTILINGUAL_EMBEDDER, Embedder, PackedBertEmbedder

if TYPE_CHECKING:
    import torch

COMMON_PART = Path(__file__).with_name("common_part.npy")
"""The mean of the embedder's token vectors at length 1, shape (384,): of every eighth passage of the sample."""
_KEPT_FOLDER, _VERSION = "token-vectors/any-language", "1"
_OFFSET = 0.05
"""What the similarity of its token vectors is below that of the shipped model, where both answer as surely.

With it, 4% of 135 answerable questions on invented German, French and Spanish documents are hedged, as English ones
are, and 25% of 75 that these documents do not answer (docs/benchmarks.md, "Quoted answers").
"""
_CALIBRATION = Calibration(intercept=-7.21, blended=0.81, best_reranker=0.0, best_vector=0.0, floor=0.12)
"""Fitted to the same questions. Fitted to two languages, it holds for the third: of the passages that it calls a strong
match, 67 to 87% answer, of the fair ones 11 to 28%, of the others under 1%."""
_BLEND = Blend(reranker=2.0, vector=0.0, text=0.0, fused=1.0, calibration=_CALIBRATION)
"""On the same questions search has an MRR of .768; with weights of 1, 2, 3 and without search .799, .811, .821, .826.
Search keeps a third, because these documents are few."""


@dataclass(frozen=True, slots=True)
class AnyLanguage:
    """Ranks by a reranker where it can read the language, else by the token vectors of a multilingual embedder."""

    reranker: LateInteractionReranker
    stand_in: LateInteractionReranker

    @property
    def name(self) -> str:
        return self.reranker.name

    @property
    def blend(self) -> Blend | None:
        return self.reranker.blend

    def suited(self, query: str, passages: Sequence[str]) -> LateInteractionReranker:
        return self.reranker if can_read(self.reranker, query, passages) else self.stand_in

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        return self.suited(query, passages).score(query, passages)

    def similarities(self, text: str, texts: Sequence[str]) -> list[float]:
        """Return how alike the text is to each of the texts, on the scale of the reranker."""
        if can_read(self.reranker, text, texts):
            return self.reranker.similarities(text, texts)
        return [value + _OFFSET for value in self.stand_in.similarities(text, texts)]

    def forget(self) -> None:
        self.reranker.forget()
        self.stand_in.forget()

    def unprepared(self, passages: Sequence[str]) -> list[str]:
        return [each for model, texts in self._shared_out(passages) for each in model.unprepared(texts)]

    def prepare(self, passages: Sequence[str]) -> None:
        for model, texts in self._shared_out(passages):
            model.prepare(texts)

    def keep_only(self, keys: Collection[str]) -> None:
        self.reranker.keep_only(keys)
        self.stand_in.keep_only(keys)

    def _shared_out(self, passages: Sequence[str]) -> list[tuple[LateInteractionReranker, list[str]]]:
        """Return each model with the passages in its language."""
        models = [self.suited(passage, ()) for passage in passages]
        return [
            (model, [passage for passage, suited in zip(passages, models, strict=True) if suited is model])
            for model in (self.reranker, self.stand_in)
        ]


def in_any_language(reranker: Reranker | None, embedder: Embedder, home: Path | None = None) -> Reranker | None:
    """Return a reranker that also ranks what this one cannot read, if the embedder is multilingual, else this one.

    home: where the token vectors of passages are kept; None: nowhere.
    """
    if not isinstance(embedder, PackedBertEmbedder) or embedder.name != MULTILINGUAL_EMBEDDER:
        return reranker
    if not isinstance(reranker, LateInteractionReranker):
        return reranker
    return AnyLanguage(reranker, _stand_in(embedder, home))


@cache
def _stand_in(embedder: PackedBertEmbedder, home: Path | None) -> LateInteractionReranker:
    reranker = LateInteractionReranker(name=MULTILINGUAL_EMBEDDER, encoder=_OwnPart(embedder), blend=_BLEND)
    reranker.kept = KeptVectors(home, _VERSION, _KEPT_FOLDER) if home else None
    return reranker


class _OwnPart:
    """What the token vectors of a text do not share with those of all other texts, at length 1."""

    def __init__(self, embedder: PackedBertEmbedder) -> None:
        import torch

        self._embedder = embedder
        self._common = torch.from_numpy(np.load(COMMON_PART, allow_pickle=False))

    def encode_document(self, passages: list[str]) -> list[torch.Tensor]:
        return [self._own(vectors) for vectors in self._embedder.token_vectors(passages)]

    def encode_query(self, query: str) -> torch.Tensor:
        (vectors,) = self._embedder.token_vectors([query], is_query=True)
        return self._own(vectors)

    def _own(self, vectors: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import normalize

        return normalize(vectors - self._common, dim=1)
