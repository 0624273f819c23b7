"""kind of a model -> its trainer and its base model."""

from __future__ import annotations

from pathlib import Path

from app.reranking.model_files import require_model
from app.training.fit import late_interaction
from app.training.fit.trainer import Training, cut_at, fit, save
from ingest.embed.embedder import DEFAULT_EMBEDDER, check_embedder, default_embedder_path

EMBEDDER = "embedder"
"""A kind that does not rank: it is trained from pairs and used by reindexing with it."""
_QUESTION_TOKENS = 32
"""Tokens of a cross-encoder's pair reserved for the question; few are longer."""


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


def _train_cross_encoder(training: Training, base: str, output: Path) -> None:
    """Train on the examples and save to the output folder, in half precision.

    base: a folder or hub id of a cross-encoder, or of any encoder, which gets a new head. The model learns to give a
    question's own passage the highest score in its example and batch.
    """
    import torch
    from sentence_transformers import CrossEncoder
    from sentence_transformers.cross_encoder.losses import MultipleNegativesRankingLoss

    torch.manual_seed(training.recipe.seed)  # for the new head
    options = {"dtype": torch.float32, "use_safetensors": True}
    model = CrossEncoder(base, num_labels=1, model_kwargs=options)
    loss = MultipleNegativesRankingLoss(model, num_negatives=training.recipe.batch_size // 4)
    with cut_at(_QUESTION_TOKENS + training.recipe.max_tokens, model):
        fit("CrossEncoder", model, loss, training)
    save(model.half(), output)


def _train_embedder(training: Training, base: str, output: Path) -> None:
    """Train on the examples and save to the output folder.

    base: a folder or hub id of a text embedder. The model learns to bring a question's vector nearer to its own passage
    than to all others of the batch. To use it, run `citeloop reindex`.
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    model = SentenceTransformer(base, model_kwargs={"dtype": torch.float32, "use_safetensors": True})
    loss = MultipleNegativesRankingLoss(model, scale=1 / training.recipe.temperature)
    with cut_at(training.recipe.max_tokens, model):
        fit("SentenceTransformer", model, loss, training)
    save(model, output)


TRAINERS = {
    "late-interaction": late_interaction.train,
    "cross-encoder": _train_cross_encoder,
    EMBEDDER: _train_embedder,
}
"""Kind -> the function that trains it."""
