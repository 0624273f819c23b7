"""TrainingExamples -> a text embedder, in a folder that sentence-transformers loads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.training.fit.trainer import Recipe, Watch, cut_at, fit, save
from app.training.labels.examples import TrainingExample


def train(
    examples: Sequence[TrainingExample],
    base: str,
    output: Path,
    recipe: Recipe,
    validation: Sequence[TrainingExample] = (),
    watch: Watch = Watch(),  # noqa: B008  # frozen
) -> None:
    """Train on the examples and save to the output folder.

    base: a folder or hub id of a text embedder. The model learns to bring a question's vector nearer to its own passage
    than to all others of the batch. To use it, run `citeloop reindex`.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    model = SentenceTransformer(base, model_kwargs={"dtype": torch.float32, "use_safetensors": True})
    loss = MultipleNegativesRankingLoss(model, scale=1 / recipe.temperature)
    with cut_at(recipe.max_tokens, model):
        fit("SentenceTransformer", model, loss, examples, recipe, validation, watch)
    save(model, output)
