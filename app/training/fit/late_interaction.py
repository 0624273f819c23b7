"""TrainingExamples -> a late-interaction model, in a folder that sentence-transformers loads."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.reranking.model_files import is_late_interaction
from app.training.fit.trainer import PASSAGES_AT_ONCE, Training, fit, save

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder


def train(training: Training, base: str, output: Path) -> None:
    """Train on the examples and save to the output folder, in half precision.

    base: a folder or hub id of a late-interaction model to train further, or of a text embedder, to start from its
    token vectors. The model learns to distinguish a question's own passage from all others of the batch (InfoNCE; van
    den Oord et al., 2018), scored by MaxSim; examples with a teacher's scores teach these scores.
    """
    from sentence_transformers.multi_vector_encoder.losses import MultiVectorMultipleNegativesRankingLoss
    from sentence_transformers.multi_vector_encoder.scoring import mean_colbert_scores

    model = load(base)
    by_labels = MultiVectorMultipleNegativesRankingLoss(
        model,
        scale=1 / training.recipe.temperature,
        similarity_fct=mean_colbert_scores,
        mini_batch_size=PASSAGES_AT_ONCE,
    )
    by_scores = _teacher_loss(model, training.recipe.temperature)
    losses = {one.origin: by_scores if one.scores else by_labels for one in (*training.examples, *training.validation)}
    max_length = {"query": 64, "document": training.recipe.max_tokens}
    fit("MultiVectorEncoder", model, losses, training, max_length=max_length)
    save(model.half(), output)


def _teacher_loss(model: MultiVectorEncoder, temperature: float) -> Any:
    """Return a loss: the KL divergence from a teacher's scores over the passages of an example."""
    from sentence_transformers.multi_vector_encoder.losses import MultiVectorDistillKLDivLoss
    from sentence_transformers.multi_vector_encoder.scoring import colbert_kd_scores

    class TeacherLoss(MultiVectorDistillKLDivLoss):
        def forward(self, sentence_features: Any, labels: Any) -> Any:
            # Undo the library's factor of temperature squared, which would leave almost no loss here.
            return super().forward(sentence_features, labels) / self.student_temperature**2

    scoring = partial(colbert_kd_scores, length_normalize=True)
    return TeacherLoss(model, similarity_fct=scoring, temperature=temperature, mini_batch_size=PASSAGES_AT_ONCE)


def load(base: str) -> MultiVectorEncoder:
    """Return a late-interaction model in single precision, ready for training."""
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
