"""name -> Reranker: the rerankers that this program knows, each loaded when it is first asked for.

cross_encoder      any sequence classification model
late_interaction   any model with a vector for each token
http               a reranking service
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.rerank import Blend, Reranker, RerankerError
from app.rerankers.cross_encoder import CrossEncoderReranker
from app.rerankers.http import HttpReranker
from app.rerankers.late_interaction import LateInteractionReranker
from app.settings import Settings

MODELS_FOLDER = Path(__file__).resolve().parent.parent.parent / "data" / "models"
"""Where the rerankers lie that come with the program."""


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
