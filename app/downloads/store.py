"""Release -> a model of the registry, with a record of where it came from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock, Timeout

from app.downloads.catalog import CatalogModel, DownloadError
from app.downloads.hub import OnBytes, Release, download
from app.registry import RERANKER_KINDS, Registry, TrainedModel, loaded_files
from app.reranking.model_files import is_late_interaction
from ingest.home.folder import make_home
from ingest.originals import file_digest

RECORD = "download.json"
"""Beside the weights: id, revision, license and digests of a download."""
_REVISION = ".revision"
"""In an unfinished download: the revision that its files belong to."""


def fetch(release: Release, registry: Registry, on_bytes: OnBytes = lambda _: None) -> TrainedModel:
    """Download a release and register it. Raises DownloadError, RegistryError.

    Unfinished downloads stay in a hidden folder, where the next call continues.
    """
    model = release.model
    require_new(model, registry)
    make_home(registry.models_folder.parent)
    registry.models_folder.mkdir(exist_ok=True)
    folder = registry.models_folder / f".download-{model.name}"
    lock = FileLock(folder.with_suffix(folder.suffix + ".lock"))
    try:
        with lock.acquire(timeout=0):
            _forget_other_revision(folder, release.revision)
            download(release, folder, on_bytes)
            _require_kind(folder, model)
            write_record(folder, {"id": model.id, "revision": release.revision, "license": release.license})
            base, note = f"{model.id}@{release.revision}", f"downloaded from {release.endpoint} ({release.license})"
            (folder / _REVISION).unlink()
            return registry.add(folder, registry.free_name(model.name), kind=model.kind, base=base, note=note)
    except Timeout:
        raise DownloadError(f"{model.id} is being downloaded by another process; wait for it") from None


def require_new(model: CatalogModel, registry: Registry) -> None:
    """Raise DownloadError if a model is here already."""
    if here := registry.downloaded(model.id):
        raise DownloadError(f"{model.id} is here already, as {here}")


def write_record(folder: Path, record: Mapping[str, object]) -> None:
    """Write where a model comes from, with the SHA-256 of each file."""
    files = {name: file_digest(folder / name) for name in loaded_files(folder) if name not in (RECORD, _REVISION)}
    content = json.dumps({**record, "files": files}, indent=1) + "\n"
    (folder / RECORD).write_text(content, encoding="utf-8")


def _forget_other_revision(folder: Path, revision: str) -> None:
    """Delete an unfinished download of another revision, whose files do not belong to this one."""
    marked = folder / _REVISION
    if folder.exists() and (not marked.is_file() or marked.read_text() != revision):
        shutil.rmtree(folder)
    folder.mkdir(exist_ok=True)
    marked.write_text(revision)


def _require_kind(folder: Path, model: CatalogModel) -> None:
    """Raise DownloadError if the files are not of the kind in the catalog; a wrong head would rank at random."""
    if model.kind in RERANKER_KINDS and is_late_interaction(str(folder)) != (model.kind == "late-interaction"):
        raise DownloadError(f"{model.id} is no {model.kind} model, by its files; it was not registered")
