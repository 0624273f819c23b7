"""CITELOOP_TABLE_URI -> documents and models that several servers share: one writes them, the others follow.

Every server answers from its own home folder, since a search of object storage takes hundreds of milliseconds. After
each write the writer copies what has changed to the shared folder; followers copy it from there, then switch to it.
"""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from uuid import uuid4

from pydantic import TypeAdapter
from pydantic_settings import BaseSettings, SettingsConfigDict

from ingest import CiteloopError
from ingest.home.environment import read_environment
from ingest.home.folder import write_lock, write_whole
from ingest.home.shared_folder import SHARED, Listing, SharedFolder, SharingError, Stamp

_STATE = "shared.json"
_log = logging.getLogger(__name__)


class SharingSettings(BaseSettings):
    """Environment variables of sharing."""

    model_config = SettingsConfigDict(env_prefix="CITELOOP_", env_ignore_empty=True, extra="ignore")

    table_uri: str = ""
    """The shared folder, at any address that fsspec knows, such as `s3://BUCKET/FOLDER`; '': nothing is shared."""


@dataclass(frozen=True, slots=True)
class _State:
    """What a home folder knows of its shared folder.

    name: of this home folder. listed: id of the newest listing that it has. writer: the host that writes, '' for this
    one. models: those that are shared. is_behind: something was written here and is not copied yet.
    """

    address: str
    name: str
    listed: str = ""
    writer: str = ""
    models: tuple[str, ...] = ()
    is_behind: bool = False


_STATES = TypeAdapter(_State)


@contextmanager
def shared_write_lock(home: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the write lock of this home folder; what was written is copied to the shared folder, if there is one.

    If that fails, the log says so, and the next `share` tries again. Raises SharingError when another server writes.
    """
    with write_lock(home, on_wait):
        if not (address := shared_address()):
            yield
            return
        state = _read_state(home, address)
        _expect_own(SharedFolder(address).newest(), state)
        _write_state(home, state := replace(state, is_behind=True))
        try:
            yield
        finally:
            try:
                _publish(home, state)
            except SharingError as error:
                _log.warning("what was written here is not shared yet: %s", error)


def share(home: Path, *, begin: bool = False) -> str:
    """Copy what is newer to or from the shared folder; returns what was done, '' if nothing was newer.

    begin: let this home folder be the writer if there is none yet. Raises SharingError, and CiteloopError at once when
    another process is writing to the home folder.
    """
    if not (address := shared_address()):
        if begin:
            raise _not_shared()
        return ""
    listed = SharedFolder(address).newest_id()
    if listed == (state := _read_state(home, address)).listed and not _is_behind(home, state) and (listed or not begin):
        return ""
    with write_lock(home, _give_up):
        state, newest = _read_state(home, address), SharedFolder(address).newest()
        if newest and newest.writer != state.name:
            return _follow(home, state, newest)
        return _publish(home, state) if begin or _is_behind(home, state) else ""


def take_over(home: Path) -> str:
    """Let this home folder be the writer, once it has all that is shared. Raises SharingError, as `share`."""
    if not (address := shared_address()):
        raise _not_shared()
    state = _read_state(home, address)
    if state.listed and not state.is_behind:
        share(home)
    with write_lock(home, _give_up):
        return _publish(home, _read_state(home, address), takes_over=True)


def _not_shared() -> SharingError:
    return SharingError("nothing is shared; set CITELOOP_TABLE_URI to a folder such as s3://BUCKET/FOLDER")


def writer_elsewhere(home: Path) -> str:
    """Return the host that writes what this home folder follows, '' if this one may write."""
    address = shared_address()
    return _read_state(home, address).writer if address else ""


def expect_writer(home: Path) -> None:
    """Raise SharingError if another server writes what this home folder follows."""
    if host := writer_elsewhere(home):
        raise _written_by(host)


def shared_address() -> str:
    """Return where documents and models are shared, '' if they are not."""
    return read_environment(SharingSettings).table_uri.rstrip("/")


def _give_up() -> None:
    raise CiteloopError("another process is writing to the home folder; try again when it has ended")


def _expect_own(newest: Listing | None, state: _State) -> None:
    """Raise SharingError if another server has written the newest state."""
    if newest and newest.writer != state.name:
        raise _written_by(newest.host)


def _written_by(host: str) -> SharingError:
    return SharingError(
        f"{host} adds the documents and models that this server follows; do it there, or run here: "
        "citeloop share --take-over"
    )


# publishing and following ----------------------------------------------------------------------------


def _publish(home: Path, state: _State, *, takes_over: bool = False) -> str:
    """Copy what is new. Raises SharingError if another server has taken over, perhaps during this very write."""
    folder = SharedFolder(state.address)
    newest = folder.newest()
    if not takes_over:
        _expect_own(newest, state)
    listing = Listing(uuid4().hex, state.name, platform.node(), _files(home))
    num_files = folder.publish(home, listing, newest)
    _write_state(home, replace(state, listed=listing.id, writer="", models=_models(home), is_behind=False))
    return f"copied {num_files} files to {state.address}"


def _follow(home: Path, state: _State, newest: Listing) -> str:
    present = _files(home)
    if not state.listed and present:
        raise SharingError(
            f"{state.address} has the documents of {newest.host}, and {home} has others; start with an empty home "
            "folder, or name another address in CITELOOP_TABLE_URI"
        )
    if state.is_behind:
        raise SharingError(
            f"{home} has changes that were never shared, and {newest.host} has taken over since; to keep what is here, "
            "run: citeloop share --take-over, else start with an empty home folder"
        )
    num_files = SharedFolder(state.address).fetch(home, newest, present)
    for path in present.keys() - newest.files.keys():
        _remove(home, path)
    _write_state(home, replace(state, listed=newest.id, writer=newest.host, is_behind=False))
    return f"copied {num_files} files from {state.address}"


def _remove(home: Path, path: str) -> None:
    """Delete a file, and the folders that it leaves empty."""
    (home / path).unlink(missing_ok=True)
    with suppress(OSError):  # a folder that is not empty
        for folder in PurePosixPath(path).parents:
            (home / folder).rmdir()


def _is_behind(home: Path, state: _State) -> bool:
    """Return whether this home folder writes, and has something that is not shared yet."""
    return state.is_behind or (bool(state.listed) and not state.writer and _models(home) != state.models)


def _models(home: Path) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in (home / "models").glob("[!.]*") if path.is_dir()))


def _files(home: Path) -> dict[str, Stamp]:
    """Return the files to share, without those in the making."""
    found = {}
    for name in SHARED:
        for folder, folders, names in os.walk(home / name):
            folders[:] = [each for each in folders if not each.startswith(".")]
            for path in (Path(folder, each) for each in names if not each.startswith(".") and each != "unfinished"):
                found[path.relative_to(home).as_posix()] = _stamp(path)
        if (home / name).is_file():
            found[name] = _stamp(home / name)
    return found


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _read_state(home: Path, address: str) -> _State:
    """Return what the home folder knows. Raises SharingError if it belongs to another shared folder."""
    try:
        state = _STATES.validate_json((home / _STATE).read_bytes())
    except FileNotFoundError:
        return _State(address, uuid4().hex)
    except ValueError as error:
        raise SharingError(f"{home / _STATE} is damaged ({error}); delete it to begin again") from error
    if state.address != address:
        raise SharingError(
            f"{home} belongs to {state.address}, not to {address}; use another home folder, or delete "
            f"{home / _STATE} to share its documents at the new address"
        )
    return state


def _write_state(home: Path, state: _State) -> None:
    write_whole(home / _STATE, _STATES.dump_json(state))
