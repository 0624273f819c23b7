"""A folder of this machine, found as an ordinary ingest finds it: nothing hidden, no link that leads out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ingest.files import find_files
from ingest.sources.source import Item, SourceError, copy


class LocalFolder:
    """The connector of a folder. home: left out if it lies inside."""

    def __init__(self, folder: Path, home: Path) -> None:
        self._folder, self._home = folder, home
        self._paths: dict[str, Path] = {}

    def list(self, _known: Mapping[str, str]) -> Iterator[Item]:
        for file in find_files([self._folder], leave_out=self._home):
            self._paths[file.source], stamp, size = file.path, "", 0
            with suppress(OSError):  # reading it reports the error
                state = file.path.stat()
                stamp, size = f"{state.st_mtime_ns} {state.st_size} {state.st_ino}", state.st_size
            yield Item(file.name, file.source, stamp, size, file.not_read)

    def read(self, item: Item, target: BinaryIO, max_bytes: int) -> None:
        try:
            with self._paths[item.address].open("rb") as content:
                copy(content, target, max_bytes)
        except OSError as error:
            raise SourceError(f"cannot open the file: {error.strerror or error}") from error
