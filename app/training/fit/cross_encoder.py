"""TrainingExamples -> a cross-encoder, in a folder that sentence-transformers loads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.training.fit.trainer import Recipe, Watch, cut_at, fit, save
from app.training.labels.examples import TrainingExample

_QUESTION_TOKENS = 32
"""Tokens of a pair reserved for the question; few are longer."""


def train(
    examples: Sequence[TrainingExample],
    base: str,
    output: Path,
    recipe: Recipe,
    validation: Sequence[TrainingExample] = (),
    watch: Watch = Watch(),  # noqa: B008  # frozen
) -> None:
    """Train on the examples and save to the output folder, in half precision.

    base: a folder or hub id of a cross-encoder, or of any encoder, which gets a new head. The model learns to give a
    question's own passage the highest score in its example and batch.
    """
    import torch
    from sentence_transformers import CrossEncoder
    from sentence_transformers.cross_encoder.losses import MultipleNegativesRankingLoss

    torch.manual_seed(recipe.seed)  # for the new head
    options = {"dtype": torch.float32, "use_safetensors": True}
    model = CrossEncoder(base, num_labels=1, model_kwargs=options)
    loss = MultipleNegativesRankingLoss(model, num_negatives=recipe.batch_size // 4)
    with cut_at(_QUESTION_TOKENS + recipe.max_tokens, model):
        fit("CrossEncoder", model, loss, examples, recipe, validation, watch)
    save(model.half(), output)
