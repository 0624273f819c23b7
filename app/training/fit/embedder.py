"""TrainingExamples -> a text embedder: a folder that plain sentence-transformers loads."""

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

    base: a folder or hub id of a text embedder. A question's vector comes nearer to that of its own passage than
    to all others of the batch. The documents have to be embedded anew with it: `citeloop reindex`.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    model = SentenceTransformer(base, model_kwargs={"dtype": torch.float32, "use_safetensors": True})
    loss = MultipleNegativesRankingLoss(model, scale=1 / recipe.temperature)
    with cut_at(recipe.max_tokens, model):
        fit("SentenceTransformer", model, loss, examples, recipe, validation, watch)
    save(model, output)
