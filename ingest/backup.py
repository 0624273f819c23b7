"""home folder -> one tar file, while people work; and back.

The last file in it lists the digests of all others, so that a cut or damaged backup is never restored.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ingest import CiteloopError
from ingest.home.database import now, transaction
from ingest.home.earlier import earlier_files
from ingest.home.folder import create_private, flush, make_home, write_lock
from ingest.home.records import Records, unusable
from ingest.home.tables import JOBS, MADE
from ingest.home.whole_folders import unfinished_folder
from ingest.originals import file_digest

_CONTENTS = "citeloop-backup.json"
_FORMAT = 1
_DATABASE = ".sqlite3"
_LEFT_OUT = (".lock", ".log", f"{_DATABASE}-wal", f"{_DATABASE}-shm")
_OWN = ("evaluation", "sources", "token-vectors", "shared.json")
"""Caches, and what this home folder shares: a copy of it would write for it."""


class BackupError(CiteloopError):
    """The home folder cannot be backed up or restored; the message says why."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished backup or restore.

    made_at: when the backup was made, ISO 8601 in UTC. num_bytes: of all files. put_aside: the folder with what was in
    the home folder before a restore, None if there was nothing.
    """

    made_at: str
    num_files: int
    num_bytes: int
    put_aside: Path | None = None


def back_up(home: Path, path: Path, on_wait: Callable[[], None] = lambda: None) -> Backup:
    """Write the home folder to a new tar file that only its owner may read, without logs and caches.

    on_wait: called about once a second while another process writes to the table. Raises BackupError, and
    CiteloopError when the home is not writable.
    """
    if not _content(home):
        raise BackupError(f"there is nothing to back up in {home}; name the home folder with --home")
    if path.exists():
        raise BackupError(f"{path} exists already; choose a new file")
    if path.resolve().is_relative_to(home.resolve()):
        raise BackupError(f"{path} is in the home folder; choose a file elsewhere, best on another disk")
    unfinished = path.with_name(f".{path.name}.unfinished")
    with _clear_errors(f"write {path}"), _snapshot(home, on_wait) as folder:
        try:
            with create_private(unfinished) as file, tarfile.open(fileobj=file, mode="w") as tar:
                made = _write(folder, tar)
            flush()
            unfinished.rename(path)
        finally:
            unfinished.unlink(missing_ok=True)
    return made


@contextmanager
def _snapshot(home: Path, on_wait: Callable[[], None]) -> Iterator[Path]:
    """Yield a folder with one consistent state of the home. It waits for an ingest to end; later ones wait for it.

    Files of the table, originals and models are replaced, never changed, so links keep their state. Rows name files:
    those that are deleted meanwhile are linked before the rows are copied, new ones after.
    """
    with unfinished_folder(home) as folder:
        with write_lock(home, on_wait):
            _take_over_earlier(home)
            _link_files(home, folder)
            for database in home.glob(f"*{_DATABASE}"):
                _copy_database(database, folder / database.name)
            _link_files(home, folder)
        yield folder


def _link_files(home: Path, folder: Path) -> None:
    """Link all files except databases into a folder, without those that it has."""
    for name in _content(home):
        if (home / name).is_dir():
            for path in _files(home / name):
                _link(path, folder / path.relative_to(home))
        elif not name.endswith(_DATABASE):
            _link(home / name, folder / name)


def _link(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path.resolve(), target)
    except (FileExistsError, FileNotFoundError):  # linked before, or deleted meanwhile
        return
    except OSError:  # on another disk, or one without links
        shutil.copyfile(path, target)


def _take_over_earlier(home: Path) -> None:
    """Copy rows of an earlier version now, since its files are renamed as soon as another process does."""
    if earlier_files(home):
        for tables in (MADE, JOBS):
            with Records(home, tables, unusable(BackupError, "a database")).reading():
                pass


def _copy_database(path: Path, copy: Path) -> None:
    try:
        with transaction(path) as connection, closing(sqlite3.connect(copy)) as target:
            connection.backup(target)
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{path.name} cannot be read ({error}); check it with: citeloop doctor") from error


def _write(folder: Path, tar: tarfile.TarFile) -> Backup:
    digests, num_bytes = dict[str, str](), 0
    for path in sorted(_files(folder)):
        name = path.relative_to(folder).as_posix()
        digests[name], num_bytes = file_digest(path), num_bytes + path.stat().st_size
        tar.add(path, name)
    made = Backup(now(), len(digests), num_bytes)
    contents = json.dumps({"format": _FORMAT, "made_at": made.made_at, "files": digests}).encode()
    member = tarfile.TarInfo(_CONTENTS)
    member.size = len(contents)
    tar.addfile(member, io.BytesIO(contents))
    return made


def restore(path: Path, home: Path, *, force: bool = False) -> Backup:
    """Fill a home folder from a backup, if all of it is undamaged; no server may be running on the folder.

    force: put the folder's content aside into a hidden folder inside it. Raises BackupError.
    """
    if _content(home) and not force:
        raise BackupError(
            f"{home} is not empty; name another folder with --home, or put its content aside with --force"
        )
    if not path.is_file():
        raise BackupError(f"there is no file {path}; name one that `citeloop backup` wrote")
    make_home(home)
    with _clear_errors(f"restore {path}"), unfinished_folder(home) as folder:
        made = _unpack(path, folder)
        with write_lock(home):
            aside = _put_aside(home)
            for name in _content(folder):
                (folder / name).rename(home / name)
            flush()
    return replace(made, put_aside=aside)


def _unpack(path: Path, folder: Path) -> Backup:
    """Unpack all files and compare them with their digests."""
    try:
        with tarfile.open(path, "r:") as tar:
            tar.extractall(folder, filter="data")  # refuses paths and links that lead out of the folder
        contents = json.loads((folder / _CONTENTS).read_bytes())
        (folder / _CONTENTS).unlink()
        expected = contents["files"] if contents["format"] == _FORMAT else None
    except (tarfile.TarError, FileNotFoundError, ValueError, KeyError, EOFError) as error:
        raise BackupError(f"{path} is not a whole backup ({error}); restore another one") from error
    if expected is None:
        raise BackupError(f"{path} is a backup of a newer version; update Citeloop first")
    files = {file.relative_to(folder).as_posix(): file for file in _files(folder)}
    found = {name: file_digest(file) for name, file in files.items()}
    if damaged := sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name)):
        raise BackupError(f"{path} is damaged at {damaged[0]}; restore another one")
    return Backup(contents["made_at"], len(files), sum(file.stat().st_size for file in files.values()))


def _put_aside(home: Path) -> Path | None:
    """Move the content into a folder inside the home, which may be a mount point and cannot be moved itself."""
    aside = home / f".before-restore-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    for name in _content(home):
        aside.mkdir(exist_ok=True)
        (home / name).rename(aside / name)
    return aside if aside.exists() else None


def _content(home: Path) -> list[str]:
    """Return the names in a home folder that are worth keeping: no hidden files, locks, logs or caches."""
    names = sorted(os.listdir(home)) if home.is_dir() else []
    return [name for name in names if not (name.startswith(".") or name.endswith(_LEFT_OUT) or name in _OWN)]


def _files(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder, also those behind links; without models that are being made."""
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=_raise_unless_gone):
        folders[:] = [name for name in folders if not name.startswith(".unfinished-")]
        yield from (Path(parent, name) for name in names)


def _raise_unless_gone(error: OSError) -> None:
    with suppress(FileNotFoundError):  # deleted meanwhile
        raise error


@contextmanager
def _clear_errors(verb: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackupError(f"cannot {verb}: {error.strerror or error}; check free space and permissions") from error
