"""A model of the registry -> one tar file, and back: for machines without a network.

The archive begins with manifest.json, which names each file with its size and SHA-256. Everything else in it must be
named there and be a plain file; nothing is written outside a new hidden folder, and nothing is registered before all
digests are right.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, Field, ValidationError

from app.downloads.catalog import DownloadError
from app.downloads.hub import MAX_BYTES, SUFFIXES, is_safe
from app.registry import RERANKER_KINDS, Registry, TrainedModel, loaded_files
from ingest.originals import file_digest

_MANIFEST = "manifest.json"
_MAX_MANIFEST_BYTES = 2**20
_MAX_FILES = 200
_PIECE = 2**20


class ArchivedFile(BaseModel):
    """sha256: in hex. size: in bytes."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)


class Manifest(BaseModel):
    """The first file of an archive. files: path -> its digest and size."""

    format: str = Field(default="citeloop-model-1", pattern=r"^citeloop-model-1$")
    name: str
    kind: str
    base: str
    files: dict[str, ArchivedFile] = Field(max_length=_MAX_FILES)


def export_model(name: str, path: Path, registry: Registry) -> None:
    """Write a model to a new tar file, after checking its files. Raises RegistryError, DownloadError."""
    model, folder = registry.model(name), registry.folder(name)
    registry.check(name)
    files = {
        each: ArchivedFile(sha256=file_digest(folder / each), size=(folder / each).stat().st_size)
        for each in loaded_files(folder)
    }
    manifest = Manifest(name=name, kind=model.kind, base=model.base, files=files).model_dump_json(indent=1).encode()
    if path.exists():
        raise DownloadError(f"{path} exists already; choose a new file")
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with tarfile.open(unfinished, "w") as archive:
            _add(archive, _MANIFEST, io.BytesIO(manifest), len(manifest))
            for each, file in files.items():
                with (folder / each).open("rb") as content:
                    _add(archive, each, content, file.size)
        unfinished.rename(path)
    except OSError as error:
        raise DownloadError(f"cannot write {path}: {error.strerror}; choose another file") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, name: str, content: BinaryIO, size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    archive.addfile(member, content)


def import_model(path: Path, registry: Registry) -> TrainedModel:
    """Check an archive, unpack it and register its model. Raises DownloadError and leaves nothing behind."""
    try:
        with tarfile.open(path, "r:") as archive, registry.unfinished() as folder:
            manifest = _manifest(archive)
            for name in _unpack(archive, manifest, folder):
                del manifest.files[name]
            if manifest.files:
                raise DownloadError(f"{path} lacks {', '.join(sorted(manifest.files)[:5])}, which its manifest names")
            return registry.add(
                folder, registry.free_name(manifest.name), kind=manifest.kind, base=manifest.base, note="imported"
            )
    except (tarfile.TarError, EOFError) as error:
        raise DownloadError(f"{path} is not an archive that `citeloop models export` wrote: {error}") from error
    except OSError as error:
        raise DownloadError(f"cannot import {path}: {error.strerror or error}") from error


def _manifest(archive: tarfile.TarFile) -> Manifest:
    first = archive.next()
    if first is None or first.name != _MANIFEST or not first.isreg() or first.size > _MAX_MANIFEST_BYTES:
        raise DownloadError(f"expected an archive that begins with {_MANIFEST}, as `citeloop models export` writes it")
    content = archive.extractfile(first)
    try:
        manifest = Manifest.model_validate_json(content.read() if content else b"")
    except ValidationError as error:
        problem = error.errors()[0]
        raise DownloadError(
            f"{_MANIFEST} is invalid: {'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        ) from error
    if manifest.kind not in (*RERANKER_KINDS, "embedder"):
        raise DownloadError(f"{_MANIFEST} names the kind {manifest.kind!r:.40}, which is unknown here")
    for name in manifest.files:
        if not is_safe(name) or not name.endswith(SUFFIXES) or name in ("gate.json", "training.json"):
            raise DownloadError(f"{_MANIFEST} names {name!r:.80}, which is no file of a model")
    if sum(file.size for file in manifest.files.values()) > MAX_BYTES:
        raise DownloadError(f"the files are larger than {MAX_BYTES / 1e9:.0f} GB together")
    return manifest


def _unpack(archive: tarfile.TarFile, manifest: Manifest, folder: Path) -> list[str]:
    """Write the archive's files into a folder and return their names."""
    names = list[str]()
    while member := archive.next():
        file = manifest.files.get(member.name)
        if file is None or not member.isreg() or member.size != file.size or member.name in names:
            raise DownloadError(
                f"{member.name!r:.80} in the archive is not as its {_MANIFEST} says; it was not imported"
            )
        target, content = folder / member.name, archive.extractfile(member)
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with target.open("xb") as output:
            while content and (piece := content.read(_PIECE)):
                digest.update(piece)
                output.write(piece)
        if digest.hexdigest() != file.sha256:
            raise DownloadError(f"{member.name} in the archive is damaged or was changed; it was not imported")
        names.append(member.name)
    return names
