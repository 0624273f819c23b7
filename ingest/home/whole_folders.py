"""Folders that appear complete or not at all: they are filled under a hidden name, then renamed."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ingest import CiteloopError

_UNFINISHED = ".unfinished-"


class FolderError(CiteloopError):
    """A folder exists already or cannot be created; the message says which and why."""


def check_new_folder(path: Path) -> None:
    """Raise FolderError if `new_folder` would fail; call it before long work. Creates the parent folders."""
    with _clear_errors(path):
        is_empty = path.is_dir() and not any(path.iterdir())
        if path.exists() and not is_empty:
            raise FolderError(f"{path} exists already; choose a new folder")
        path.mkdir(parents=True, exist_ok=True)
        if not is_empty:
            path.rmdir()


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder to fill; on success it is renamed to path, which must be new or empty.

    Raises FolderError when path cannot be created, or was created by something else meanwhile.
    """
    check_new_folder(path)
    with unfinished_folder(path.parent) as folder:
        yield folder
        with _clear_errors(path):
            folder.rename(path)


@contextmanager
def unfinished_folder(parent: Path) -> Iterator[Path]:
    """Yield a new hidden folder to fill and rename; it is deleted if it still exists afterwards.

    Also deletes folders of killed processes, whose locks are free. Raises FolderError.
    """
    folder = parent / f"{_UNFINISHED}{uuid.uuid4().hex[:12]}"
    lock = FileLock(folder.with_suffix(".lock"))
    with _clear_errors(parent):
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.glob(f"{_UNFINISHED}*.lock"):
            with suppress(Timeout), FileLock(left, timeout=0):
                shutil.rmtree(left.with_suffix(""), ignore_errors=True)
                left.unlink(missing_ok=True)
        lock.acquire()
    try:
        with _clear_errors(parent):
            folder.mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FolderError(f"cannot create the folder {path}: {error.strerror}; choose another") from error
