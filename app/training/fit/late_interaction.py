"""TrainingExamples -> a late-interaction model: a folder that plain sentence-transformers loads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.reranking.names import is_late_interaction
from app.training.fit.trainer import Recipe, Watch, fit, save
from app.training.labels.examples import TrainingExample

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder


def train(
    examples: Sequence[TrainingExample],
    base: str,
    output: Path,
    recipe: Recipe,
    validation: Sequence[TrainingExample] = (),
    watch: Watch = Watch(),  # noqa: B008  # frozen
) -> None:
    """Train on the examples and save to the output folder, in half precision.

    base: a folder or hub id: a late-interaction model, whose training goes on, or a text embedder, whose token
    vectors are the start. The model learns to tell a question's own passage from all other passages of the batch
    (InfoNCE; van den Oord et al., 2018), scored by MaxSim; from examples with a teacher's scores it learns these.
    """
    from sentence_transformers.multi_vector_encoder.losses import MultiVectorMultipleNegativesRankingLoss
    from sentence_transformers.multi_vector_encoder.scoring import mean_colbert_scores

    model = load(base)
    by_labels = MultiVectorMultipleNegativesRankingLoss(
        model, scale=1 / recipe.temperature, similarity_fct=mean_colbert_scores
    )
    by_scores = _stay_near(model, recipe.temperature)
    losses = {each.origin: by_scores if each.scores else by_labels for each in (*examples, *validation)}
    max_length = {"query": 64, "document": recipe.max_tokens}
    fit("MultiVectorEncoder", model, losses, examples, recipe, validation, watch, max_length=max_length)
    save(model.half(), output)


def _stay_near(model: MultiVectorEncoder, temperature: float) -> Any:
    """How far the model's scores are from a teacher's, as distributions over the passages of an example (KL)."""
    from sentence_transformers.multi_vector_encoder.losses import MultiVectorDistillKLDivLoss
    from sentence_transformers.multi_vector_encoder.scoring import colbert_kd_scores

    class StayNear(MultiVectorDistillKLDivLoss):
        def forward(self, sentence_features: Any, labels: Any) -> Any:
            # The library makes the loss smaller by the square of the temperature, which here would leave nothing.
            return super().forward(sentence_features, labels) / self.student_temperature**2

    return StayNear(model, similarity_fct=partial(colbert_kd_scores, length_normalize=True), temperature=temperature)


def load(base: str) -> MultiVectorEncoder:
    """A late-interaction model with weights in single precision, ready to be trained."""
    import torch
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Normalize, Transformer
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

    options = {"dtype": torch.float32, "use_safetensors": True}
    if is_late_interaction(base):
        return MultiVectorEncoder(base, model_kwargs=options)
    # MultiVectorEncoder(folder) would put a random projection on top of a plain encoder: build it by hand.
    transformer = Transformer(base, model_kwargs=options)
    modules = [transformer, MultiVectorMask(), Normalize(module_input_name="token_embeddings")]
    return MultiVectorEncoder(modules=modules)
