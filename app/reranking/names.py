"""name -> Reranker: the rerankers that this program knows, loaded by name.

cross_encoder      any sequence classification model
late_interaction   any model with a vector per token
http               a reranking service
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from app.registry import RERANKER_KINDS, SHIPPED, Registry, RegistryError, fingerprint
from app.reranking.cross_encoder import CrossEncoderReranker
from app.reranking.http import SHAPES, HttpReranker, without_secrets
from app.reranking.late_interaction import LateInteractionReranker
from app.reranking.model_files import is_downloaded, is_late_interaction, require_model
from app.reranking.rerank import Reranker, RerankerError
from app.settings import Settings
from app.translation import gettext as _
from ingest.embed.embedder import default_embedder_path
from ingest.home.folder import ROOT

MODELS_FOLDER = ROOT / "data" / "models"
"""Folder of the rerankers that come with the program."""


LIVE = "live"
"""Name of whichever reranker is live at the time."""


class UnknownRerankerError(RerankerError):
    """The name is unknown; the message lists the known ones."""


def _trained(target: str | None, settings: Settings) -> Reranker:
    registry = Registry(settings.home)
    try:
        model = registry.model(target or "")
        registry.check(model.name)
    except RegistryError as error:
        raise RerankerError(str(error)) from error
    if model.kind not in RERANKER_KINDS:
        raise RerankerError(f"{model.name} is of kind {model.kind}; expected {' or '.join(RERANKER_KINDS)}")
    return open_reranker(str(registry.folder(model.name)), name=model.name)


def _shipped(_target: str | None, _settings: Settings) -> Reranker:
    folder = MODELS_FOLDER / "shipped"
    if missing := [name for name in ("model.safetensors", "blend.json") if not (folder / name).exists()]:
        raise RerankerError(f"{folder} lacks {', '.join(missing)}; install from a full checkout")
    return LateInteractionReranker(str(folder), name="shipped")


def _cross_encoder(target: str | None, _settings: Settings) -> Reranker:
    if target is None:
        raise RerankerError("cross-encoder needs a folder or hub id: cross-encoder:PATH_OR_ID")
    require_model(target, f"cross-encoder:{target}")
    if is_late_interaction(target):  # it would load, but with a random head
        raise RerankerError(f"{target} is a late interaction model (ColBERT), use late-interaction:{target}")
    return CrossEncoderReranker(target)


def _late_interaction(target: str | None, _settings: Settings) -> Reranker:
    if target:
        require_model(target, f"late-interaction:{target}")
        if not is_late_interaction(target):  # it would load, but with a random projection
            raise RerankerError(f"{target} has no token vectors: expected a ColBERT or a MultiVectorEncoder")
    return LateInteractionReranker(target)


def _http(target: str | None, settings: Settings) -> Reranker:
    url = target or settings.rerank_url
    if url is None:
        raise RerankerError("the http reranker needs its address: set CITELOOP_RERANK_URL or use http:URL")
    return HttpReranker(url, settings.rerank_model, settings.rerank_api_key, settings.rerank_shape)


RERANKERS: dict[str, Callable[[str | None, Settings], Reranker | None]] = {
    "none": lambda _target, _settings: None,
    SHIPPED: _shipped,
    "trained": _trained,
    "late-interaction": _late_interaction,
    "cross-encoder": _cross_encoder,
    "http": _http,
}
"""Kind -> factory; `live` stands for one of them.

A reranker's name is KIND or KIND:TARGET; for a folder or hub id, its files tell the kind.
"""

_ADDRESSES = ("http://", "https://")
_WITHOUT_TARGET = ("none", LIVE, SHIPPED)

EXAMPLES = {
    "late-interaction": ("answerdotai/answerai-colbert-small-v1",),
    "cross-encoder": (
        "cross-encoder/ms-marco-MiniLM-L6-v2",
        "cross-encoder/ms-marco-MiniLM-L12-v2",
        "cross-encoder/ettin-reranker-17m-v1",
        "Alibaba-NLP/gte-reranker-modernbert-base",
        "BAAI/bge-reranker-base",
        "BAAI/bge-reranker-large",
    ),
}
"""Kind -> well-known models on the Hugging Face hub; any other of the kind works too."""

DESCRIPTIONS = {
    "none": "the order of search",
    LIVE: "the one promoted last; citeloop promote, citeloop rollback",
    SHIPPED: "late interaction trained on documentation and handbooks, with search scores; comes with the program",
    "trained": "trained:NAME, a model trained on this home's feedback or downloaded",
    "late-interaction": "only late interaction; with the embedder, or late-interaction:PATH_OR_ID, "
    f"such as {', '.join(EXAMPLES['late-interaction'])}",
    "cross-encoder": "cross-encoder:PATH_OR_ID; for a bare folder or hub id, its files tell the kind; "
    f"such as {', '.join(EXAMPLES['cross-encoder'])}",
    "http": f"a reranking service, CITELOOP_RERANK_URL or http:URL; speaks {', '.join(SHAPES)} (CITELOOP_RERANK_SHAPE)",
}


def describe(settings: Settings) -> dict[str, str]:
    """Return kind -> description and readiness on this machine. Loads no model and needs no network."""
    return {kind: f"{text} [{_readiness(kind, settings)}]" for kind, text in DESCRIPTIONS.items()}


def _readiness(kind: str, settings: Settings) -> str:
    if kind == "shipped" and not (MODELS_FOLDER / "shipped" / "model.safetensors").exists():
        return "missing: install from a full checkout"
    if kind == LIVE:
        return f"now {Registry(settings.home).live()}"
    if kind == "trained":
        models = Registry(settings.home).models()
        return ", ".join(model.name for model in models if model.kind in RERANKER_KINDS) or "none yet"
    if kind == "http":
        return "address set" if settings.rerank_url else "needs an address"
    if kind in EXAMPLES:
        here = ", ".join(model for model in EXAMPLES[kind] if is_downloaded(model)) or "none of these"
        return f"{'ready with the embedder; ' if kind == 'late-interaction' else ''}downloaded: {here}"
    return "ready"


def name_of(model: str) -> str:
    """Return the reranker name for a model of the registry."""
    return model if model == SHIPPED else f"trained:{model}"


def folder_of(model: str, settings: Settings) -> Path:
    """Return the folder of a model of the registry."""
    return MODELS_FOLDER / SHIPPED if model == SHIPPED else Registry(settings.home).folder(model)


def model_folder(name: str, settings: Settings) -> Path | None:
    """Return the folder that `load_reranker` reads, or None for `none`, a service, or a hub model."""
    name = resolved(name, settings)
    kind, _, target = name.partition(":")
    if kind in (SHIPPED, "trained"):
        return folder_of(target or SHIPPED, settings)
    if name == "late-interaction":
        return default_embedder_path()
    folder = Path(target if kind in EXAMPLES else name)
    return folder if folder.is_dir() else None


def version_of(name: str, settings: Settings) -> str:
    """Return the first 12 hex digits of a reranker's fingerprint, or ''."""
    kind, _, model = resolved(name, settings).partition(":")
    try:
        if kind == SHIPPED:
            return _fingerprint(MODELS_FOLDER / SHIPPED)[:12]
        return Registry(settings.home).model(model).fingerprint[:12] if kind == "trained" else ""
    except RegistryError:
        return ""


_fingerprint = lru_cache(fingerprint)
"""Cached for the shipped model, which does not change while the program runs."""


def load_reranker(name: str, settings: Settings) -> Reranker | None:
    """Return the reranker of this name, None for `none`.

    Raises UnknownRerankerError, with the known names, or RerankerError when it cannot be loaded, with how to get it.
    """
    name = resolved(name, settings)
    kind, _, target = name.partition(":")
    if name.startswith(_ADDRESSES):
        kind, target = "http", name
    if kind in _WITHOUT_TARGET and name != kind:
        raise UnknownRerankerError(f"expected {kind} with nothing after it, got {name!r}")
    if kind in RERANKERS:
        return RERANKERS[kind](target or None, settings)
    if name and (Path(name).is_dir() or "/" in name):
        require_model(name, f"cross-encoder:{name} or, for a ColBERT, late-interaction:{name}")
        return open_reranker(name)
    known = ", ".join(DESCRIPTIONS)
    raise UnknownRerankerError(
        f"unknown reranker {name!r}; known: {known}, a model folder, or a hub id such as org/name"
    )


def resolved(name: str, settings: Settings) -> str:
    """Return the live model's name for `live`, and the registry's for the hub id of a downloaded one; others stay.

    Raises RerankerError.
    """
    registry = Registry(settings.home)
    try:
        if name == LIVE:
            return name_of(registry.live())
        downloaded = registry.downloaded(name) if "/" in name and ":" not in name else None
    except RegistryError as error:
        raise RerankerError(str(error)) from error
    return f"trained:{downloaded}" if downloaded else name


def open_reranker(target: str, *, name: str | None = None) -> Reranker:
    """Return the late-interaction model or cross-encoder of a folder or hub id; its files tell the kind."""
    if is_late_interaction(target):
        return LateInteractionReranker(target, name=name)
    return CrossEncoderReranker(target, name=name)


def shown_name(name: str) -> str:
    """Return a reranker's name for shared files, without the secret parts of an address."""
    return without_secrets(name) if name.startswith(("http:", *_ADDRESSES)) else name


def name_in_answers(name: str) -> str:
    """Return the name of a reranker in answers: without `trained:` and the secrets of a service."""
    return shown_name(name.removeprefix("trained:"))


def in_words(name: str) -> str:
    """Return a reranker in the reader's words, or its name in answers."""
    words = {
        LIVE: _("live model"),
        SHIPPED: _("model that comes with Citeloop"),
        "late-interaction": _("word-by-word comparison"),
    }
    return words.get(name) or name_in_answers(name)
