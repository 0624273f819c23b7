"""A sequence classification model as a Reranker: it reads query and passage together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from app.rerank import Blend, RerankerError
from ingest.embed import preferred_dtype


class CrossEncoderReranker:
    """Reads query and passage together; any sequence classification model with one output."""

    def __init__(self, target: str) -> None:
        """target: a local folder or a model's id on the Hugging Face hub."""
        from sentence_transformers import CrossEncoder
        from torch.nn import Identity

        self.name = f"cross-encoder:{target}"
        self.blend = Blend.load(Path(target))
        options = {"dtype": preferred_dtype(), "use_safetensors": True}
        try:
            self._model = CrossEncoder(target, model_kwargs=options, activation_fn=Identity())
        except Exception as error:  # damaged weights make the libraries raise anything
            raise not_loaded(target, error) from error
        architectures = self._model.config.architectures or []
        if architectures and all(name.endswith("Model") for name in architectures):
            raise RerankerError(f"{target} is an encoder ({architectures[0]}) without a trained head, not a reranker")
        if self._model.num_labels != 1:
            raise RerankerError(f"{target} has {self._model.num_labels} outputs, a reranker must have one")

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        pairs = [(query, passage) for passage in passages]
        scores = self._model.predict(pairs, batch_size=16, show_progress_bar=False, convert_to_tensor=True)
        return [float(score) for score in scores.float().tolist()]


def not_loaded(target: str, error: Exception) -> RerankerError:
    """What to say of a model that does not load, and why."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return RerankerError(
        f"cannot load {target}: it is neither a folder with config.json and model.safetensors nor a model "
        f"that the hub gave us ({reason}); download it and name its folder"
    )
