"""paths -> SourceFile: the files at and below the given paths, with their names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ingest import CiteloopError
from ingest.listing import StoredDocument
from ingest.parse import UPLOAD

_LEADS_OUT = "it links outside this folder; add the linked file or folder itself to read it"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to ingest.

    name: shown to people, the path below the given folder. source: the table's key: the absolute path, the address of a
    remote document, or UPLOAD and the name. document_id, collection: of the document of a kept file, else ''. not_read:
    why it must not be opened, or ''.
    """

    path: Path
    name: str
    source: str
    document_id: str = ""
    collection: str = ""
    not_read: str = ""


def check_paths(paths: Iterable[Path]) -> None:
    """Raise CiteloopError when a path does not exist; folders are not searched."""
    for path in paths:
        if not path.exists():
            raise CiteloopError(f"no such file or folder: {path}")


def find_files(paths: Iterable[Path], *, uploaded: bool = False, leave_out: Path | None = None) -> list[SourceFile]:
    """Return every file at or below the paths, sorted by name, without hidden files in folders.

    An inaccessible folder is returned like a file, so that reading it reports the error. A link that leads out of the
    paths is returned with not_read set. uploaded: the paths are temporary copies of an upload. leave_out: a folder to
    skip. Raises CiteloopError when a path does not exist.
    """
    paths = list(paths)
    check_paths(paths)
    allowed = _Allowed(paths, leave_out)
    files: dict[str, SourceFile] = {}
    for root in paths:
        folder = root if root.is_dir() else root.parent
        real_folder = os.path.realpath(folder)  # once per folder, because it is slow
        for below in sorted(_files_below(root, leave_out), key=_parts) if root.is_dir() else [root.name]:
            path, name, real_path = os.path.join(folder, below), path_text(below), os.path.join(real_folder, below)
            target = os.path.realpath(path) if os.path.islink(path) else real_path
            not_read = "" if target == real_path or allowed.holds(target) else _LEADS_OUT
            if target != real_path and not not_read and os.path.isdir(target):
                continue  # its files are found where they are
            resolved = real_path if not_read else target
            source = UPLOAD + name if uploaded else path_text(resolved)
            files.setdefault(resolved, SourceFile(Path(path), name, source, not_read=not_read))
    return list(files.values())


def beside_others(
    files: Iterable[SourceFile], documents: Iterable[StoredDocument], collection: str
) -> list[SourceFile]:
    """Return uploaded files, with a source of their own where a document of another collection has it.

    Who uploads may not be able to see that document, so it is not replaced.
    """
    taken = {document.source for document in documents if document.collection != collection}

    def own(source: str) -> str:
        return own(f"{source}#{collection}") if source in taken else source

    return [replace(each, source=own(each.source)) for each in files]


class _Allowed:
    """Allowed link targets: anything at or below the paths, but not below leave_out."""

    def __init__(self, paths: Iterable[Path], leave_out: Path | None) -> None:
        self._roots = [Path(os.path.realpath(path)) for path in paths]
        self._left_out = Path(os.path.realpath(leave_out)) if leave_out else None

    def holds(self, target: str) -> bool:
        """Return whether a resolved path is an allowed target."""
        if self._left_out and Path(target).is_relative_to(self._left_out):
            return False
        return any(Path(target).is_relative_to(root) for root in self._roots)


def is_gone(source: str) -> bool:
    """Return whether a source file no longer exists; uploads stay in the home folder, and a sync follows addresses."""
    if source.startswith(UPLOAD) or is_remote(source):
        return False
    try:
        os.stat(source)
    except OSError as error:  # a file in an inaccessible folder may still exist
        return isinstance(error, FileNotFoundError | NotADirectoryError)
    return False


def is_remote(source: str) -> bool:
    """Return whether a source is an address, not a file of this machine."""
    return "://" in source


def path_text(path: str) -> str:
    """Return the path as text with forward slashes; bytes that are not UTF-8 are replaced."""
    return path.replace(os.sep, "/").encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _parts(path: str) -> list[str]:
    return path.split(os.sep)


def _files_below(folder: Path, leave_out: Path | None) -> Iterator[str]:
    """Yield files and linked folders as paths relative to folder; nothing hidden, nothing below a link."""
    closed: list[str] = []
    left_out = os.path.realpath(leave_out) if leave_out else None
    for parent, folders, names in os.walk(folder, onerror=lambda error: closed.append(error.filename)):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and (not left_out or os.path.realpath(os.path.join(parent, name)) != left_out)
        ]
        below = os.path.relpath(parent, folder)
        linked = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        for name in (*linked, *names):
            if name in linked or (not name.startswith(".") and _may_be_file(Path(parent, name))):
                yield name if below == os.curdir else os.path.join(below, name)
    yield from (os.path.relpath(path, folder) for path in closed)


def _may_be_file(path: Path) -> bool:
    """Return whether it is a file or cannot be checked; opening it then reports the error."""
    try:
        return path.is_file()
    except OSError:
        return True
