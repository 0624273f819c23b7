"""late interaction + a multilingual embedder -> Similarity in languages that late interaction cannot read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.reranking.similarity import Similarity, can_read
from ingest.embed.embedder import Embedder, likeness

_OFFSET = 0.15
"""What the likeness of the embedder's vectors is below a similarity of the shipped model, where both answer as surely.

With it, 5% of 135 answerable questions on invented German, French and Spanish documents are hedged, as English ones
are, and 29% of 75 that these documents do not answer (docs/benchmarks.md, "Quoted answers").
"""


class AnyLanguage:
    """Compares by token vectors where they read the language, else by the embedder's vectors of whole texts.

    To be used for one question: the vectors of its texts are kept.
    """

    def __init__(self, tokens: Similarity, embedder: Embedder) -> None:
        self._tokens, self._embedder = tokens, embedder
        self._vectors: dict[str, NDArray[np.float32]] = {}

    def similarities(self, text: str, texts: Sequence[str]) -> list[float]:
        """Return how alike the text is to each of the texts, on the scale of the token vectors."""
        if can_read(self._tokens, text, texts):
            return self._tokens.similarities(text, texts)
        if new := [each for each in dict.fromkeys(texts) if each not in self._vectors]:
            self._vectors.update(zip(new, self._embedder.embed(new), strict=True))
        query = self._embedder.embed_query(text)
        cosines = (float(query @ self._vectors[each]) for each in texts)
        return [likeness(cosine, self._embedder.name) + _OFFSET for cosine in cosines]
