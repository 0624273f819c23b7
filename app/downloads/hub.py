"""CatalogModel -> Release -> a folder with the model's files, each checked before anything loads it.

The digests come from the hub's own interface, over TLS, unless the catalog pins them: SHA-256 for large files, Git's
digest for small ones. That detects damage and a file that was exchanged on the way or in a mirror's cache. It does not
detect a model that was exchanged at the hub itself, unless the catalog pins it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import httpx2

from app.downloads.catalog import CatalogModel, DownloadError, license_refusal
from ingest.originals import file_digest

_HUB = "https://huggingface.co"
_WEIGHTS = "model.safetensors"
SUFFIXES = (".safetensors", ".json", ".txt", ".model")
"""Of the files that a model is loaded from."""
_OTHER_FORMATS = ("onnx", "openvino", "assets", "images")
MAX_BYTES = 20 * 2**30
"""Of all files of a model together."""

OnBytes = Callable[[int], object]
"""Called with the number of bytes since the last call; an exception from it ends the download."""


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file at the hub. sha256: of a large file; git_sha1: of a small one, whose sha256 is ''."""

    path: str
    size: int
    sha256: str
    git_sha1: str


@dataclass(frozen=True, slots=True)
class Release:
    """One revision of a model. revision: the commit. endpoint: the address it comes from."""

    model: CatalogModel
    revision: str
    license: str
    files: tuple[HubFile, ...]
    endpoint: str

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def read_release(model: CatalogModel) -> Release:
    """Ask the hub for a model's files with their digests, and check that it may be used.

    Reads HF_ENDPOINT for a mirror, and the usual variables for a proxy. Raises DownloadError.
    """
    if model.refusal:
        raise DownloadError(f"{model.id} is not offered: {model.refusal}")
    endpoint = (os.environ.get("HF_ENDPOINT") or _HUB).rstrip("/")
    with _online(model):
        from huggingface_hub import HfApi

        info = HfApi(endpoint=endpoint).model_info(model.id, revision=model.revision, files_metadata=True)
    license = str((info.card_data.get("license") if info.card_data else "") or "").lower()
    _check_license(model, license)
    files = tuple(_file(model, sibling) for sibling in info.siblings or () if _is_needed(sibling.rfilename))
    release = Release(model, str(info.sha), license, files, endpoint)
    _check_files(release)
    return release


def download(release: Release, folder: Path, on_bytes: OnBytes = lambda _: None) -> None:
    """Download into a folder, and continue where an earlier call with this folder was stopped.

    Raises DownloadError, also when a file is not what the hub or the catalog says; such a file is deleted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < release.size:
        needed = f"{release.model.id} needs {release.size / 1e6:,.0f} MB"
        raise DownloadError(f"{needed}, but only {free / 1e6:,.0f} MB are free in {folder.parent}")
    for file in release.files:
        if (folder / file.path).is_file():  # of an earlier call
            on_bytes(file.size)
        else:
            with _online(release.model):
                _fetch(release, file, folder, on_bytes)
        _check(folder, file, release.endpoint)


def _fetch(release: Release, file: HubFile, folder: Path, on_bytes: OnBytes) -> None:
    """Download one file, or the rest of it: the hub's own function for folders always begins again."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils._headers import build_hf_headers

    path = folder / file.path
    part = path.with_name(f"{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as output:
        if (num_here := output.tell()) < file.size:
            http_get(
                hf_hub_url(release.model.id, file.path, revision=release.revision, endpoint=release.endpoint),
                output,
                resume_size=num_here,
                headers=build_hf_headers(),
                expected_size=file.size,
                tqdm_class=_bar(on_bytes),
            )
    part.replace(path)


def _bar(on_bytes: OnBytes) -> Any:
    """Return a progress bar that draws nothing."""
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[type-arg]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            options.pop("name", None)  # of the hub's own bars
            super().__init__(*arguments, **(options | {"disable": True}))
            on_bytes(int(options.get("initial") or 0))

        def update(self, n: float | None = 1) -> bool:
            on_bytes(int(n or 0))
            return True

    return Bar


def _check(folder: Path, file: HubFile, endpoint: str) -> None:
    from huggingface_hub.utils.sha import git_hash

    path = folder / file.path
    expected = file.sha256 or file.git_sha1
    found = file_digest(path) if file.sha256 else git_hash(path.read_bytes())
    if found != expected:
        path.unlink()
        raise DownloadError(
            f"{file.path} from {endpoint} is not what was announced: expected digest {expected[:12]}, got "
            f"{found[:12]}; it was deleted. Try again, and if that fails, do not use this source"
        )


def _is_needed(path: str) -> bool:
    """Return whether a file is read when the model is loaded: weights, tokenizer, configuration."""
    parts = PurePosixPath(path).parts
    is_other = any(part.startswith(".") or part in _OTHER_FORMATS for part in parts[:-1])
    return path.endswith(SUFFIXES) and not is_other


def _file(model: CatalogModel, sibling: Any) -> HubFile:
    path = str(sibling.rfilename)
    if not is_safe(path):
        raise DownloadError(f"{model.id} has a file outside its folder: {path!r:.80}")
    sha256 = model.files.get(path) or (str(sibling.lfs.sha256) if sibling.lfs else "")
    return HubFile(path, int(sibling.size or 0), sha256, str(sibling.blob_id or ""))


def is_safe(path: str) -> bool:
    """Return whether a relative path stays inside its folder."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and "\\" not in path and ".." not in parts and "\0" not in path


def _check_license(model: CatalogModel, license: str) -> None:
    if refusal := license_refusal(license):
        raise DownloadError(f"{model.id} is not offered: {refusal} (as the hub says)")
    if model.license and license != model.license:
        raise DownloadError(
            f"{model.id} has the license {license} at the hub, and {model.license} in the catalog; check which one "
            "holds before it is used"
        )


def _check_files(release: Release) -> None:
    paths = {file.path for file in release.files}
    if _WEIGHTS not in paths:
        raise DownloadError(f"{release.model.id} has no {_WEIGHTS}; models load only from safetensors")
    if missing := release.model.files.keys() - paths:
        raise DownloadError(f"{release.model.id} lacks {', '.join(sorted(missing))}, which the catalog names")
    if unknown := [file.path for file in release.files if not (file.sha256 or file.git_sha1)]:
        raise DownloadError(f"{release.endpoint} names no digest for {unknown[0]}, so that it could not be checked")
    if release.size > MAX_BYTES:
        raise DownloadError(f"{release.model.id} has {release.size / 1e9:.0f} GB; the limit is {MAX_BYTES / 1e9:.0f}")


@contextmanager
def _online(model: CatalogModel) -> Iterator[None]:
    """Let the hub's library use the network, which it may not elsewhere, and explain its errors."""
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    before, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, False
    try:
        yield
    except (HfHubHTTPError, HFValidationError, httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DownloadError(
            f"cannot download {model.id}: {reason}. Check the network (HTTPS_PROXY for a proxy, HF_ENDPOINT for a "
            "mirror) and try again: it continues where it stopped. Without a network, use `citeloop models export` on "
            "another machine and `citeloop models import` here"
        ) from error
    finally:
        constants.HF_HUB_OFFLINE = before
