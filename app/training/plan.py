"""What can be trained, how, and the steps of a training. Imports no model library, since pages use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from app.training.fit.trainer import Recipe
from ingest import CiteloopError

Kind = Literal["reranker", "late-interaction", "cross-encoder"]
"""reranker: train the live one further. late-interaction, cross-encoder: a new one from a base model."""

Step = Literal["reading the feedback", "training", "comparing it with the live one"]

RECIPES: Mapping[Kind, Recipe] = {
    "reranker": Recipe(num_epochs=4, learning_rate=2e-5),
    "late-interaction": Recipe(num_epochs=4, learning_rate=3e-5),
    "cross-encoder": Recipe(num_epochs=4, learning_rate=3e-5),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train. base: a folder or hub id; empty: the live model, or for a new reranker the default embedder.
    seed: random seed; results repeat on the same machine.
    """

    kind: Kind = "reranker"
    base: str = ""
    seed: int = 0

    @property
    def recipe(self) -> Recipe:
        """Return the recipe. Raises CiteloopError for a kind of an older version."""
        if self.kind not in RECIPES:
            raise CiteloopError(f"cannot train a model of kind {self.kind}; the kinds are: {', '.join(RECIPES)}")
        return replace(RECIPES[self.kind], seed=self.seed)
