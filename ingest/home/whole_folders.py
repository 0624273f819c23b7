"""Folders that people find whole under their name, or not at all: they are made beside it, hidden, and renamed."""

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
    """A folder cannot be made, or is there already; the message says which and why."""


def check_new_folder(path: Path) -> None:
    """Raise FolderError when `new_folder` could not make it: said before minutes are spent on what will lie in it.

    The folder around it is made if need be, and stays.
    """
    with _clear_errors(path):
        is_empty = path.is_dir() and not any(path.iterdir())
        if path.exists() and not is_empty:
            raise FolderError(f"{path} is there already; name a new folder")
        path.mkdir(parents=True, exist_ok=True)
        if not is_empty:
            path.rmdir()


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Where to make what will lie in a new folder, or in an empty one; it is there on leaving without an error.

    Raises FolderError when it cannot be made, or something else has made it meanwhile.
    """
    check_new_folder(path)
    with unfinished_folder(path.parent) as folder:
        yield folder
        with _clear_errors(path):
            folder.rename(path)


@contextmanager
def unfinished_folder(parent: Path) -> Iterator[Path]:
    """A new hidden folder to make something in, and then to rename; deleted in the end if it is still there.

    What a process that was killed has left is deleted too: it does not hold its lock any more. Raises FolderError.
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
        raise FolderError(f"cannot make the folder {path}: {error.strerror}; name another") from error
