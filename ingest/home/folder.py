"""The home folder: its location, its current table, its permissions and its write lock."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from ingest import CiteloopError

_CODE = Path(__file__).resolve().parents[2]
_PACKAGED = _CODE / "app" / "files"
"""Made by the wheel (see pyproject.toml); not in a checkout."""
ROOT = _PACKAGED if _PACKAGED.is_dir() else _CODE
"""Folder with data/ and .streamlit/: of the checkout, or of the installed package."""


def _default_home() -> Path:
    if ROOT != _PACKAGED:
        return ROOT / "data" / "home"
    from platformdirs import user_data_path  # a checkout works without it

    return user_data_path("citeloop", appauthor=False)


DEFAULT_HOME = _default_home()
"""Folder for everything created at run time, unless CITELOOP_HOME names another."""

_FIRST_TABLE = "chunks"


def make_home(home: Path) -> None:
    """Create the home folder if needed and give access only to its owner, whatever the umask.

    The mode of a shared folder stays as it was: /tmp, or one that contains this program.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = home.stat().st_mode
    if mode & 0o077 and not _is_shared(home, mode):
        with suppress(OSError):  # owned by someone else, or on a read-only disk
            home.chmod(0o700)


def _is_shared(folder: Path, mode: int) -> bool:
    return bool(mode & stat.S_ISVTX) or folder.resolve() in Path(__file__).resolve().parents


def create_private(path: Path) -> BinaryIO:
    """Open a file for writing that only its owner may read."""
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def current_name(home: Path) -> str:
    """Return the name of the current table; another one may be in the making."""
    try:
        return (home / "table.current").read_text().strip()
    except FileNotFoundError:
        return _FIRST_TABLE


def make_current(home: Path, name: str) -> None:
    """Switch to the table with this name in one step; open readers follow."""
    pointer = home / "table.current.new"
    pointer.write_text(name)
    flush()
    pointer.replace(home / "table.current")
    flush()


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file in one step: a crash leaves the old or the new one. Only its owner may read it."""
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
    """Flush a folder's entries to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_lock(home: Path, on_wait: Callable[[], None] = lambda: None) -> AbstractContextManager[None]:
    """Hold the lock for writing the table of this home, as `home_lock`."""
    return home_lock(home, "table", on_wait)


@contextmanager
def home_lock(home: Path, name: str, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold a lock of this home; on_wait is called about once a second while another process holds it.

    on_wait may raise to give up. Raises CiteloopError when the home is not writable.
    """
    lock = FileLock(home / f"{name}.lock")
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
        raise CiteloopError(f"cannot write in {home}: {error.strerror or error}; check the permissions") from error
    try:
        yield
    finally:
        lock.release()


def flush() -> None:
    """Flush all writes to the disk, so that they survive a power cut; LanceDB never does."""
    if hasattr(os, "sync"):  # not on Windows
        os.sync()
