"""folder or hub id -> what its files say, without loading a model: is it here and safe, has it a vector per token?"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from app.reranking.rerank import RerankerError
from ingest.embed.model_files import UnsafeModelError, check_model_files


def is_late_interaction(target: str) -> bool:
    """Return whether a model's files, not its name, say that it has a vector per token.

    sentence-transformers writes MultiVectorEncoder; PyLate and Stanford's library write ColBERT and HF_ColBERT, the
    latter beside artifact.metadata. A Dense module is no sign, since cross-encoders can have one.
    """
    declared = {str(_read(target, "config_sentence_transformers.json", dict).get("model_type"))}
    declared.update(map(str, _read(target, "config.json", dict).get("architectures") or []))
    listed = [module for module in _read(target, "modules.json", list) if isinstance(module, dict)]
    modules = {str(module.get("type")).rpartition(".")[2] for module in listed}
    signs = {"MultiVectorEncoder", "ColBERT", "HF_ColBERT", "MultiVectorMask"}
    return bool(signs & (declared | modules)) or _file(target, "artifact.metadata") is not None


def require_model(target: str, names: str) -> None:
    """Raise RerankerError, with how to get it, unless a model is a folder or available from the hub.

    Imports no model library. names: the reranker name to use once it is downloaded.
    """
    if _file(target, "config.json") or _file(target, "modules.json"):
        return
    if Path(target).is_dir():
        raise RerankerError(
            f"cannot load {target}: it is neither a folder with config.json and model.safetensors nor one with "
            "modules.json"
        )
    download = (
        f"download it (citeloop models get NAME for one of the catalog, else HF_HUB_OFFLINE=0 hf download {target}) "
        f"and use {names}; or "
        if _is_hub_id(target)
        else ""
    )
    raise RerankerError(
        f"cannot load {target}: there is no such folder, and no such hub model on this machine; {download}"
        "name a folder with config.json and model.safetensors"
    )


def is_downloaded(model: str) -> bool:
    """Return whether a hub model is on this machine."""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(model, "model.safetensors"), str)


def local_folder(target: str) -> Path | None:
    """Return the folder with a model's files on this machine: target itself, or the download of a hub id."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    if Path(target).is_dir():
        return Path(target)
    try:
        found = try_to_load_from_cache(target, "config.json")
    except HFValidationError:  # not a valid hub id
        return None
    return Path(found).parent if isinstance(found, str) else None


def refuse_unsafe(target: str) -> None:
    """Raise RerankerError when a model's folder, or the download of a hub id, has what no model needs."""
    if folder := local_folder(target):
        try:
            check_model_files(folder)
        except UnsafeModelError as error:
            raise RerankerError(str(error)) from error


def not_loaded(target: str, error: Exception) -> RerankerError:
    """Return the error for a model that cannot be loaded."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return RerankerError(
        f"cannot load {target}: it is neither a folder with config.json and model.safetensors nor a model "
        f"from the hub ({reason}); download it and name its folder"
    )


def _is_hub_id(target: str) -> bool:
    return re.fullmatch(r"\w[\w.-]*(/[\w.-]+)?", target) is not None


def _read(target: str, filename: str, expected: type) -> Any:
    """Return the contents of a model's JSON file, or an empty value of the expected type."""
    path = _file(target, filename)
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path else None
    except (ValueError, RecursionError):  # loading the model will report the damage
        found = None
    return found if isinstance(found, expected) else expected()


def _file(target: str, filename: str) -> Path | None:
    """Return the path of a model's file, in its folder or from the hub, or None."""
    if Path(target).is_dir():
        path = Path(target) / filename
        return path if path.is_file() else None
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(target, filename))
    except Exception:  # no such model or file, no network, invalid id: many types
        return None
