"""name -> Reranker: the rerankers that this program knows, each loaded when it is first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache

from app.rerank import Blend, Reranker, RerankerError
from app.settings import Settings
from ingest.embed import default_embedder_path, preferred_dtype

if TYPE_CHECKING:
    import torch

MODELS_FOLDER = Path(__file__).resolve().parent.parent / "data" / "models"
"""Where the rerankers lie that come with the program."""

_PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl"}
_CACHE_BYTES = 256 * 2**20


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
            raise _not_loaded(target, error) from error
        architectures = self._model.config.architectures or []
        if architectures and all(name.endswith("Model") for name in architectures):
            raise RerankerError(f"{target} is an encoder ({architectures[0]}) without a trained head, not a reranker")
        if self._model.num_labels != 1:
            raise RerankerError(f"{target} has {self._model.num_labels} outputs, a reranker must have one")

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        pairs = [(query, passage) for passage in passages]
        scores = self._model.predict(pairs, batch_size=16, show_progress_bar=False, convert_to_tensor=True)
        return [float(score) for score in scores.float().tolist()]


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


class HttpReranker:
    """A reranking service with the request that Cohere, Jina and vLLM share."""

    blend = None

    def __init__(self, url: str, model: str, api_key: str | None, timeout_seconds: float = 10.0) -> None:
        import httpx2

        self.name = f"http:{model}"
        self._model = model
        self._url = url.rstrip("/").removesuffix("/v1/rerank") + "/v1/rerank"
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx2.Client(timeout=timeout_seconds, headers=headers)

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        import httpx2

        body = {"model": self._model, "query": query, "documents": list(passages), "top_n": len(passages)}
        try:
            response = self._client.post(self._url, json=body).raise_for_status().json()
            found = {result["index"]: float(result["relevance_score"]) for result in response["results"]}
            return [found[index] for index in range(len(passages))]
        except httpx2.HTTPError as error:
            raise RerankerError(f"the reranking service at {self._url} did not answer: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise RerankerError(
                f"expected results with index and relevance_score for each passage from {self._url}: {error!r}"
            ) from error


def _shipped(_target: str | None, _settings: Settings) -> Reranker:
    blend = Blend.load(MODELS_FOLDER / "shipped")
    if blend is None:
        raise RerankerError(f"{MODELS_FOLDER / 'shipped'} lacks blend.json; install from a whole checkout")
    return LateInteractionReranker(name="shipped", blend=blend)


def _cross_encoder(target: str | None, _settings: Settings) -> Reranker:
    if target is None:
        raise RerankerError("cross-encoder needs a folder or hub id: cross-encoder:PATH_OR_ID")
    return CrossEncoderReranker(target)


def _late_interaction(target: str | None, _settings: Settings) -> Reranker:
    return LateInteractionReranker(target)


def _http(target: str | None, settings: Settings) -> Reranker:
    url = target or settings.rerank_url
    if url is None:
        raise RerankerError("the http reranker needs its address: set CITELOOP_RERANK_URL or use http:URL")
    key = settings.rerank_api_key
    return HttpReranker(url, settings.rerank_model, key.get_secret_value() if key else None)


RERANKERS: dict[str, Callable[[str | None, Settings], Reranker | None]] = {
    "none": lambda _target, _settings: None,
    "shipped": _shipped,
    "late-interaction": _late_interaction,
    "cross-encoder": _cross_encoder,
    "http": _http,
}
"""Kind -> factory. A reranker's name is KIND or KIND:TARGET; a bare folder or hub id is a cross-encoder."""

DESCRIPTIONS = {
    "none": "the order of search",
    "shipped": "late interaction and search scores; comes with the program",
    "late-interaction": "late interaction alone; over the embedder, or late-interaction:PATH_OR_ID",
    "cross-encoder": "cross-encoder:PATH_OR_ID; a bare folder or hub id means the same",
    "http": "a reranking service, CITELOOP_RERANK_URL or http:URL",
}


def load_reranker(name: str, settings: Settings) -> Reranker | None:
    """The reranker of this name, None for `none`.

    Raises RerankerError for an unknown name (listing the known ones) or when it cannot be loaded.
    """
    kind, _, target = name.partition(":")
    if name.startswith(("http://", "https://")):
        kind, target = "http", name
    if kind in RERANKERS:
        return RERANKERS[kind](target or None, settings)
    if name and (Path(name).is_dir() or "/" in name):
        return CrossEncoderReranker(name)
    known = ", ".join(RERANKERS)
    raise RerankerError(f"unknown reranker {name!r}; known: {known}, a model folder, or a hub id such as org/name")


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
        raise _not_loaded(target, error) from error


def _not_loaded(target: str, error: Exception) -> RerankerError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return RerankerError(
        f"cannot load {target}: it is neither a folder with config.json and model.safetensors nor a model "
        f"that the hub gave us ({reason}); download it and name its folder"
    )
