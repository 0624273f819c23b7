"""kind of a model -> what trains it on examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from app.registry import EMBEDDER
from app.training import cross_encoder, embedder, late_interaction
from app.training.examples import TrainingExample
from app.training.fit import Recipe, Watch


class Trainer(Protocol):
    """Trains a base model on the examples, and saves it to the output folder."""

    def __call__(
        self,
        examples: Sequence[TrainingExample],
        base: str,
        output: Path,
        recipe: Recipe,
        validation: Sequence[TrainingExample] = ...,
        watch: Watch = ...,
    ) -> None: ...


TRAINERS: Mapping[str, Trainer] = {
    "late-interaction": late_interaction.train,
    "cross-encoder": cross_encoder.train,
    EMBEDDER: embedder.train,
}
