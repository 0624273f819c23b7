"""A model that gives a vector for each token as a Reranker: every token of the query meets those of the passage."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache

from app.rerank import Blend, RerankerError
from app.rerankers.cross_encoder import not_loaded
from ingest.embed import default_embedder_path, preferred_dtype

if TYPE_CHECKING:
    import torch

_PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl"}
_CACHE_BYTES = 256 * 2**20


class LateInteractionReranker:
    """Compares every token of the query with every token of the passage: the mean over the query's tokens
    of the best cosine similarity (MaxSim; Khattab and Zaharia, SIGIR 2020).

    Token vectors of passages are kept in memory up to 256 MB, so that a passage is encoded once.
    """

    def __init__(self, target: str | None = None, *, name: str | None = None, blend: Blend | None = None) -> None:
        """target: a folder or hub id that MultiVectorEncoder reads; None: the embedder's own token vectors."""
        self.name = name or (f"late-interaction:{target}" if target else "late-interaction")
        self.blend = blend or (Blend.load(Path(target)) if target else None)
        self._model = _embedder_tokens() if target is None else _multi_vector_encoder(target)
        self._vectors: LRUCache[str, torch.Tensor] = LRUCache(_CACHE_BYTES, getsizeof=lambda vectors: vectors.nbytes)
        self._lock = threading.Lock()  # reading moves an entry to the front: not for two threads at once

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        from sentence_transformers.util import maxsim

        with self._lock:
            vectors = {passage: self._vectors[passage] for passage in passages if passage in self._vectors}
        if missing := [passage for passage in dict.fromkeys(passages) if passage not in vectors]:
            encoded = self._model.encode_document(missing, batch_size=16, show_progress_bar=False)
            vectors |= dict(zip(missing, encoded, strict=True))
            with self._lock:
                for passage in missing:
                    self._vectors[passage] = vectors[passage]
        query_vectors = self._model.encode_query(query, show_progress_bar=False)
        scores = maxsim([query_vectors], [vectors[passage] for passage in passages], length_normalize=True)
        return [float(score) for score in scores[0].tolist()]


def _embedder_tokens() -> Any:
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Normalize, Transformer
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

    # MultiVectorEncoder(folder) would put a random projection on top of a plain encoder: build it by hand.
    transformer = Transformer(str(default_embedder_path()), model_kwargs={"dtype": preferred_dtype()})
    modules = [transformer, MultiVectorMask(), Normalize(module_input_name="token_embeddings")]
    return MultiVectorEncoder(modules=modules)


def _multi_vector_encoder(target: str) -> Any:
    from sentence_transformers import MultiVectorEncoder

    pickled = (
        [path.name for path in Path(target).rglob("*") if path.suffix in _PICKLES] if Path(target).is_dir() else []
    )
    if pickled:  # use_safetensors reaches the transformer only, not the modules behind it
        raise RerankerError(f"{target} holds pickled weights ({pickled[0]}), which can run code; expected safetensors")
    options = {"dtype": preferred_dtype(), "use_safetensors": True}
    try:
        return MultiVectorEncoder(target, model_kwargs=options)
    except Exception as error:  # damaged weights make the libraries raise anything
        raise not_loaded(target, error) from error
