"""paths -> SourceFile: the files at and below the paths that were given, and what they are called."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest import CiteloopError

UPLOAD = "upload:"
"""Stands before the name in the source of a document that came through the browser."""
_LEADS_OUT = "it is a link to a place outside this folder; name that place itself to read it"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to ingest, the name that people will see, and the source by which the table knows it.

    The name is the path below the folder that was given; the source is the absolute path, or UPLOAD and
    the name. document_id: of a kept file, whose document it is; else ''. not_read: why it must not be opened, or ''.
    """

    path: Path
    name: str
    source: str
    document_id: str = ""
    not_read: str = ""


def check_paths(paths: Iterable[Path]) -> None:
    """Raise CiteloopError when a path does not exist; costs no walk through the folders."""
    for path in paths:
        if not path.exists():
            raise CiteloopError(f"no such file or folder: {path}")


def find_files(paths: Iterable[Path], *, uploaded: bool = False, leave_out: Path | None = None) -> list[SourceFile]:
    """Every file at or below the paths, sorted by name; what is hidden below a folder is left out.

    A folder that may not be looked into is there as if it were a file, so that reading it says so. A link that leads
    out of the paths is there to be reported, not read. uploaded: the paths are where an upload was put for the
    moment. leave_out: a folder that may lie below one of the paths. Raises CiteloopError when a path does not exist.
    """
    paths = list(paths)
    check_paths(paths)
    allowed = _Allowed(paths, leave_out)
    files: dict[str, SourceFile] = {}
    for root in paths:
        folder = root if root.is_dir() else root.parent
        real_folder = os.path.realpath(folder)  # once: with many files it is what takes the time
        for below in sorted(_files_below(root, leave_out), key=_parts) if root.is_dir() else [root.name]:
            path, name, place = os.path.join(folder, below), printable(below), os.path.join(real_folder, below)
            target = os.path.realpath(path) if os.path.islink(path) else place
            not_read = "" if target == place or allowed.holds(target) else _LEADS_OUT
            if target != place and not not_read and os.path.isdir(target):
                continue  # its files are found where they are
            resolved = place if not_read else target
            source = UPLOAD + name if uploaded else printable(resolved)
            files.setdefault(resolved, SourceFile(Path(path), name, source, not_read=not_read))
    return list(files.values())


class _Allowed:
    """The places that links may lead to: what is at and below the paths, but not below leave_out."""

    def __init__(self, paths: Iterable[Path], leave_out: Path | None) -> None:
        self._roots = [Path(os.path.realpath(path)) for path in paths]
        self._left_out = Path(os.path.realpath(leave_out)) if leave_out else None

    def holds(self, target: str) -> bool:
        """Whether a resolved path is one of these places."""
        if self._left_out and Path(target).is_relative_to(self._left_out):
            return False
        return any(Path(target).is_relative_to(root) for root in self._roots)


def is_gone(source: str) -> bool:
    """Whether a file is no longer where it was; what was uploaded stays in the home folder."""
    if source.startswith(UPLOAD):
        return False
    try:
        os.stat(source)
    except OSError as error:  # nobody knows of a file in a folder that may not be looked into
        return isinstance(error, FileNotFoundError | NotADirectoryError)
    return False


def printable(path: str) -> str:
    """The path with forward slashes, as text; bytes that are not UTF-8 are replaced."""
    return path.replace(os.sep, "/").encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _parts(path: str) -> list[str]:
    return path.split(os.sep)


def _files_below(folder: Path, leave_out: Path | None) -> Iterator[str]:
    """Files and linked folders below a folder, as paths from there; nothing hidden, and nothing below a link."""
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
    """Whether it is a file, or in a folder that may not be looked into, which is said when it is opened."""
    try:
        return path.is_file()
    except OSError:
        return True
