"""Source, Item and the protocol of a connector."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from ingest import CiteloopError

_UNITS = {"m": 60, "h": 3_600, "d": 86_400}
_NAME = re.compile(r"\w[\w. -]{0,60}")


class SourceError(CiteloopError):
    """A source cannot be added, listed or read; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Source:
    """Documents that are kept up to date. address: where they come from, without secrets.

    collection: of its documents. every: such as 1h, or '' for syncs by hand only. inner: whether a website may be on
    the inner network. next_at: when the next sync is due, ISO 8601 in UTC, or ''.
    """

    name: str
    address: str
    collection: str
    every: str = ""
    inner: bool = False
    next_at: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A document at a source, as listed.

    path: below the source, with the suffix of its format; shown to people, never used as a path. address: where it is,
    the table's key. stamp: differs if the content may have changed; '' if unknown. size: in bytes, 0 if unknown.
    problem: why it cannot be read now, or ''; its document stays.
    """

    path: str
    address: str
    stamp: str = ""
    size: int = 0
    problem: str = ""


class Connector(Protocol):
    """Lists and reads the documents of one source."""

    def list(self, known: Mapping[str, str], /) -> Iterable[Item]:
        """Yield every document that is there now. known: address -> stamp of the last sync, to ask for changes only.

        Raises SourceError if the listing is not complete: what is missing in it counts as deleted.
        """
        ...

    def read(self, item: Item, target: BinaryIO, max_bytes: int) -> None:
        """Write the content to target. Raises SourceError, also above max_bytes."""
        ...


def seconds_of(every: str) -> int:
    """Return the seconds of an interval such as 30m, 1h or 7d. Raises SourceError."""
    found = re.fullmatch(r"([1-9]\d{0,3})([mhd])", every)
    if not found:
        raise SourceError(f"an interval is a number with m, h or d, such as 30m, 1h or 7d, but is {every!r}")
    return int(found[1]) * _UNITS[found[2]]


def check_name(name: str) -> None:
    """Raise SourceError unless the name can be part of document names and file names."""
    if not _NAME.fullmatch(name):
        raise SourceError(f"a name has letters, digits, spaces, dots and hyphens, but is {name!r}; choose one")


def copy(content: BinaryIO, target: BinaryIO, max_bytes: int) -> None:
    """Copy a file. Raises SourceError above max_bytes."""
    while part := content.read(1 << 20):
        max_bytes -= len(part)
        if max_bytes < 0:
            raise SourceError("it is larger than the limit for one file; split it")
        target.write(part)
