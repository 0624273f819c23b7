"""What can be trained, how, and the steps of a training. Imports no model library, since pages use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from app.training.fit.trainer import Recipe

Kind = Literal["reranker", "late-interaction", "cross-encoder", "embedder", "both"]
"""reranker: train the live one further. late-interaction, cross-encoder: a new one from a base model. embedder: train
it further. both: the embedder, then the live reranker, judged together.
"""

Step = Literal["reading the feedback", "training", "weighing its scores", "comparing it with the live one"]

RECIPES: Mapping[Kind, Recipe] = {
    "reranker": Recipe(num_epochs=4, learning_rate=2e-5),
    "late-interaction": Recipe(num_epochs=4, learning_rate=3e-5),
    "cross-encoder": Recipe(num_epochs=4, learning_rate=3e-5),
    "embedder": Recipe(num_epochs=4, learning_rate=1e-5, temperature=0.05),
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
    def parts(self) -> tuple[Plan, ...]:
        """Return a plan per model, in order; for both, each starts from what is live."""
        return (Plan("embedder", seed=self.seed), Plan(seed=self.seed)) if self.kind == "both" else (self,)

    @property
    def recipe(self) -> Recipe:
        """Return the recipe; for both, only what their recipes share: negatives, epochs, sizes."""
        return replace(RECIPES[self.parts[0].kind], seed=self.seed)
