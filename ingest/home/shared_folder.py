"""A folder at any address that fsspec knows, with the states of a home folder that others copy.

`files/` holds the files, each under its path and its time, so that none is ever changed; `lists/ID.json` names all
files of one state; `newest` is the id of the newest one. It is written last, so a state is there as a whole or not.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import TypeAdapter

from ingest import CiteloopError
from ingest.home.folder import flush

SHARED = ("table", "originals", "models", "table.current")
"""What is shared of a home folder; everything else belongs to one server."""
_AT_ONCE = 200
"""Files that are copied, then renamed."""

Stamp = tuple[int, int]
"""Bytes, and time of the last change in nanoseconds: a file is copied if it has another one."""


class SharingError(CiteloopError):
    """The shared folder cannot be used, or another server is the one that writes."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One state. writer, host: the home folder that wrote it, and its machine. files: path -> stamp."""

    id: str
    writer: str
    host: str
    files: Mapping[str, Stamp] = field(default_factory=dict)


_LISTINGS = TypeAdapter(Listing)


class SharedFolder:
    """The shared folder at an address. Every method raises SharingError when it cannot be read or written."""

    def __init__(self, address: str) -> None:
        self._address = address
        with self._clear_errors():
            self._files, self._root = _opened(address)

    def newest_id(self) -> str:
        """Return the id of the newest state, '' if there is none yet."""
        with self._clear_errors():
            try:
                return str(self._files.cat_file(f"{self._root}/newest").decode())
            except FileNotFoundError:
                return ""

    def newest(self) -> Listing | None:
        """Return the newest state, None if there is none yet."""
        if not (id := self.newest_id()):
            return None
        with self._clear_errors():
            return _checked(_LISTINGS.validate_json(self._files.cat_file(self._list(id))))

    def publish(self, home: Path, listing: Listing, before: Listing | None) -> int:
        """Copy the files that the state before lacks, and make this one the newest; returns how many were copied."""
        known = before.files if before else {}
        new = {path: stamp for path, stamp in listing.files.items() if known.get(path) != stamp}
        with self._clear_errors():
            if new:
                self._files.put([str(home / path) for path in new], [self._file(*each) for each in new.items()])
            self._write(self._list(listing.id), _LISTINGS.dump_json(listing))
            self._write(f"{self._root}/newest", listing.id.encode())
            gone = [self._file(*each) for each in known.items() if listing.files.get(each[0]) != each[1]]
            self._remove([*gone, *([self._list(before.id)] if before else ())])
        return len(new)

    def fetch(self, home: Path, listing: Listing, present: Mapping[str, Stamp]) -> int:
        """Copy the files that are not present, those that switch to the new state last; returns how many."""
        missing = sorted(
            (path for path, stamp in listing.files.items() if present.get(path) != stamp), key=_order_of_arrival
        )
        with self._clear_errors(), tempfile.TemporaryDirectory(dir=home, prefix=".shared-") as folder:
            for start in range(0, len(missing), _AT_ONCE):
                self._fetch(home, listing, missing[start : start + _AT_ONCE], Path(folder))
            flush()
        return len(missing)

    def _fetch(self, home: Path, listing: Listing, paths: Sequence[str], folder: Path) -> None:
        copies = [folder / str(number) for number in range(len(paths))]
        self._files.get([self._file(path, listing.files[path]) for path in paths], [str(copy) for copy in copies])
        for path, copy in zip(paths, copies, strict=True):
            num_bytes, changed_at = listing.files[path]
            if copy.stat().st_size != num_bytes:
                raise SharingError(f"{self._address} has only a part of {path}; the next round tries again")
            os.utime(copy, ns=(changed_at, changed_at))
            (home / path).parent.mkdir(parents=True, exist_ok=True)
            copy.replace(home / path)

    def _file(self, path: str, stamp: Stamp) -> str:
        return f"{self._root}/files/{path}.{stamp[1]}"

    def _list(self, id: str) -> str:
        return f"{self._root}/lists/{id}.json"

    def _write(self, path: str, content: bytes) -> None:
        """Write a small file; not every file system makes its folder when it is opened."""
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            self._files.put_file(file.name, path)

    def _remove(self, paths: Sequence[str]) -> None:
        for path in paths:
            with suppress(FileNotFoundError):  # an earlier removal was interrupted
                self._files.rm_file(path)

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except SharingError:
            raise
        except Exception as error:  # each file system has errors of its own
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise SharingError(
                f"the shared folder {self._address} cannot be used: {reason}; check CITELOOP_TABLE_URI, which names a "
                "folder such as s3://BUCKET/FOLDER, and the rights to it"
            ) from error


@lru_cache
def _opened(address: str) -> tuple[Any, str]:
    """Return a file system that remembers no earlier listing, and the path in it."""
    import fsspec

    options = {"use_listings_cache": False, "skip_instance_cache": True}
    if fsspec.core.split_protocol(address)[0] in (None, "file", "local"):
        options["auto_mkdir"] = True
    files, root = fsspec.url_to_fs(address, **options)
    return files, str(root).rstrip("/")


def _checked(listing: Listing) -> Listing:
    """Return the listing if its files belong to what is shared."""
    for path in listing.files:
        parts = PurePosixPath(path).parts
        if parts[:1] not in [(name,) for name in SHARED] or ".." in parts:
            raise SharingError(f"the shared list of files names {path!r:.80}, which is not part of what is shared")
    return listing


def _order_of_arrival(path: str) -> tuple[bool, bool, str]:
    """Sort what switches to a new state last: the newest manifest of a table, then the name of the current table."""
    return path == SHARED[-1], "/_versions/" in path, path
