"""kind of a model -> its trainer and its base model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from app.reranking.model_files import require_model
from app.training.fit import cross_encoder, embedder, late_interaction
from app.training.fit.trainer import Recipe, Watch
from app.training.labels.examples import TrainingExample
from ingest.embed.embedder import DEFAULT_EMBEDDER, check_embedder, default_embedder_path

EMBEDDER = "embedder"
"""A kind that does not rank: it is trained from pairs and used by reindexing with it."""


class Trainer(Protocol):
    """Trains a base model on examples and saves it to the output folder."""

    def __call__(
        self,
        examples: Sequence[TrainingExample],
        base: str,
        output: Path,
        recipe: Recipe,
        validation: Sequence[TrainingExample] = ...,
        watch: Watch = ...,
    ) -> None: ...


def base_model(base: str, kind: str) -> str:
    """Return the folder or hub id to start from; '' and the default embedder's name give its folder.

    Raises RerankerError when the model is missing, CiteloopError when an embedder is required and it is none.
    """
    if base in ("", DEFAULT_EMBEDDER):
        return str(default_embedder_path())
    require_model(base, f"--base {base}")
    if kind == EMBEDDER and Path(base).is_dir():
        check_embedder(Path(base))
    return base


TRAINERS: Mapping[str, Trainer] = {
    "late-interaction": late_interaction.train,
    "cross-encoder": cross_encoder.train,
    EMBEDDER: embedder.train,
}
