"""A sequence classification model as a Reranker, which reads query and passage together."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.reranking.model_files import local_folder, not_loaded, refuse_unsafe
from app.reranking.rerank import Blend, RerankerError
from ingest.embed.embedder import preferred_dtype
from ingest.embed.readable import readable_part

if TYPE_CHECKING:
    import torch

Logits = Callable[[Sequence[tuple[str, str]]], list[float]]
"""Pairs of query and passage -> one raw output each."""

_HEAD = ("pooler.dense", "classifier")


class CrossEncoderReranker:
    """Reads query and passage together; any sequence classification model with one output."""

    def __init__(self, target: str, *, name: str | None = None) -> None:
        """target: a local folder or a Hugging Face hub id."""
        self.name = name or f"cross-encoder:{target}"
        self.blend = Blend.load(Path(target))
        folder = local_folder(target)
        try:
            refuse_unsafe(target)
            self._logits: Logits = (
                _packed_logits(folder) if folder and _is_plain_bert(folder) else _cross_encoder_logits(target)
            )
            if not math.isfinite(self._logits([("a", "a")])[0]):  # some damage shows only then
                raise ValueError("its score is no number")
        except RerankerError:
            raise
        except Exception as error:  # damaged weights make the libraries raise anything
            raise not_loaded(target, error) from error

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        return self._logits([(query, passage) for passage in passages])


def _is_plain_bert(folder: Path) -> bool:
    from ingest.embed.packed_bert import is_plain_bert, read_modules

    if not is_plain_bert(folder) or [module.kind for module in read_modules(folder)] not in ([], ["Transformer"]):
        return False
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config.get("architectures") == ["BertForSequenceClassification"] and len(config.get("id2label") or "ab") == 1


def _packed_logits(folder: Path) -> Logits:
    """Return a plain BERT with one output, computed without padding."""
    import torch
    from torch.nn.functional import linear

    from ingest.embed.packed_bert import PackedBert

    bert = PackedBert(folder, preferred_dtype())
    pooler, head = ([bert.weights[f"{name}.{kind}"] for kind in ("weight", "bias")] for name in _HEAD)

    def finish(tokens: torch.Tensor) -> torch.Tensor:
        return linear(torch.tanh(linear(tokens[0], *pooler)), *head)[0]

    return lambda pairs: [float(logit) for logit in bert.encode(pairs, finish)]


def _cross_encoder_logits(target: str) -> Logits:
    """Return any model that sentence-transformers' CrossEncoder reads."""
    from sentence_transformers import CrossEncoder
    from torch.nn import Identity

    options = {"dtype": preferred_dtype(), "use_safetensors": True}
    model = CrossEncoder(target, model_kwargs=options, activation_fn=Identity())
    architectures = model.config.architectures or []
    has_head_modules = len(model) > 1  # as in the ettin rerankers
    if not has_head_modules and architectures and all(name.endswith("Model") for name in architectures):
        raise RerankerError(f"{target} is an encoder ({architectures[0]}) without a trained head, not a reranker")
    if model.num_labels != 1:
        raise RerankerError(f"{target} has {model.num_labels} outputs, a reranker must have one")

    def logits(pairs: Sequence[tuple[str, str]]) -> list[float]:
        parts = [tuple(readable_part(text, model.max_seq_length) for text in pair) for pair in pairs]
        scores = model.predict(parts, batch_size=16, show_progress_bar=False, convert_to_tensor=True)
        return [float(score) for score in scores.float().tolist()]

    return logits
