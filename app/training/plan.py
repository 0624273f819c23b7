"""What can be trained, how, and in which steps. Imports no model library: pages read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from app.training.fit.trainer import Recipe

Kind = Literal["reranker", "late-interaction", "cross-encoder", "embedder", "both"]
"""What is trained: the live reranker, further; a new one of a kind, from a base model; the embedder, further; or the
embedder and then the live reranker, which are judged together.
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
    """What to train. base: a folder or hub id; empty: what is live, or for a new reranker the weights of the embedder
    that comes with the program. seed: of every draw, on the same machine.
    """

    kind: Kind = "reranker"
    base: str = ""
    seed: int = 0

    @property
    def parts(self) -> tuple[Plan, ...]:
        """The plans of one model each that this one takes, in order; of both, each goes on from what is live."""
        return (Plan("embedder", seed=self.seed), Plan(seed=self.seed)) if self.kind == "both" else (self,)

    @property
    def recipe(self) -> Recipe:
        """How its models are trained; of both, what is alike in them: negatives, epochs, sizes."""
        return replace(RECIPES[self.parts[0].kind], seed=self.seed)
