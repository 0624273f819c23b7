"""TrainingExamples -> a cross-encoder: a folder that plain sentence-transformers loads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.training.fit.trainer import Recipe, Watch, cut_at, fit, save
from app.training.labels.examples import TrainingExample

_QUESTION_TOKENS = 32
"""Room that a pair gets for its question beside that for the passage; few questions are longer."""


def train(
    examples: Sequence[TrainingExample],
    base: str,
    output: Path,
    recipe: Recipe,
    validation: Sequence[TrainingExample] = (),
    watch: Watch = Watch(),  # noqa: B008  # frozen
) -> None:
    """Train on the examples and save to the output folder, in half precision.

    base: a folder or hub id of a cross-encoder, or of any encoder, on which a new head is put. The model learns to
    give a question's own passage the highest score among those of the example and of the batch.
    """
    import torch
    from sentence_transformers import CrossEncoder
    from sentence_transformers.cross_encoder.losses import MultipleNegativesRankingLoss

    torch.manual_seed(recipe.seed)  # of the new head
    options = {"dtype": torch.float32, "use_safetensors": True}
    model = CrossEncoder(base, num_labels=1, model_kwargs=options)
    loss = MultipleNegativesRankingLoss(model, num_negatives=recipe.batch_size // 4)
    with cut_at(_QUESTION_TOKENS + recipe.max_tokens, model):
        fit("CrossEncoder", model, loss, examples, recipe, validation, watch)
    save(model.half(), output)
