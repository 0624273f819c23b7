"""The home folder: where it is, which table in it serves, and who may read and write."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from ingest import CiteloopError

DEFAULT_HOME = Path(__file__).resolve().parents[2] / "data" / "home"
"""Where everything lies that the program creates at run time, unless CITELOOP_HOME names another folder."""

_FIRST_TABLE = "chunks"


def make_home(home: Path) -> None:
    """Make the home folder if there is none, and let only its owner into it, whatever the umask.

    A folder that is more than a home stays as open as it was: /tmp, or one that holds this program.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = home.stat().st_mode
    if mode & 0o077 and not _is_more_than_a_home(home, mode):
        with suppress(OSError):  # somebody else's, who lets this account in; or the disk is read-only
            home.chmod(0o700)


def _is_more_than_a_home(folder: Path, mode: int) -> bool:
    return bool(mode & stat.S_ISVTX) or folder.resolve() in Path(__file__).resolve().parents


def create_private(path: Path) -> BinaryIO:
    """Open a file for writing that only its owner may read."""
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def current_name(home: Path) -> str:
    """The name of the table that serves; there may be another one that is being filled."""
    try:
        return (home / "table.current").read_text().strip()
    except FileNotFoundError:
        return _FIRST_TABLE


def make_current(home: Path, name: str) -> None:
    """Let the table of this name serve from now on, in one step; readers that are open follow."""
    pointer = home / "table.current.new"
    pointer.write_text(name)
    flush()
    pointer.replace(home / "table.current")
    flush()


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file in one step: after a crash it is the old one or the new one. Only its owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    flush_entries(path.parent)


def flush_entries(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def write_lock(home: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Be the one writer of this home; on_wait is called, once or each second, while another one is at work.

    on_wait may raise to give up. Raises CiteloopError when the home cannot be written.
    """
    lock = FileLock(home / "table.lock")
    try:
        make_home(home)
        while True:
            try:
                lock.acquire(timeout=0)
                break
            except Timeout:
                on_wait()
            with suppress(Timeout):
                lock.acquire(timeout=1)
                break
    except OSError as error:
        raise CiteloopError(f"cannot write in {home}: {error.strerror or error}; look at the permissions") from error
    try:
        yield
    finally:
        lock.release()


def flush() -> None:
    """Have what was written be on the disk, so that it survives a power cut; LanceDB itself never does."""
    if hasattr(os, "sync"):  # not on Windows
        os.sync()
