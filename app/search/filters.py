"""Filter -> ids of documents: collection, document, type and date, as restrictions of what a search may find."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from pathlib import PurePosixPath
from typing import Protocol

from ingest import CiteloopError
from ingest.files import UPLOAD
from ingest.table import StoredDocument

UPLOADS = "uploads"
"""The collection of what came through the browser; a folder of this name joins it."""

_MAX_NAMED = 10


class FilterError(CiteloopError):
    """What a filter names is not in the table, or its days are the wrong way round."""


class Documents(Protocol):
    """What knows its documents: a ChunkTable, or what stands for one."""

    def documents(self) -> list[StoredDocument]: ...


@dataclass(frozen=True, slots=True)
class Filter:
    """Which documents a search may find: any value of a field will do, and every field that has one has to fit.

    collections: see `collection_of`. documents: ids or names. types: endings of the file's name, such as 'pdf'.
    since, until: the first and the last day, in UTC, on which the present version of a document went into the table;
    the table knows no other date. A file that has changed, moved or been indexed anew has a new day.
    """

    collections: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None

    def __bool__(self) -> bool:
        """Whether it restricts anything."""
        return self != EVERYTHING

    def as_record(self) -> dict[str, object]:
        """The form that is printed, with stable names; a day is ISO 8601, or None."""
        return {
            "collections": list(self.collections),
            "documents": list(self.documents),
            "types": list(self.types),
            "since": self.since and self.since.isoformat(),
            "until": self.until and self.until.isoformat(),
        }

    def document_ids(self, table: Documents) -> frozenset[str] | None:
        """The documents that fit; None, without a look at the table, where nothing is restricted.

        Raises FilterError on a collection, document or type that the table does not have.
        """
        if not self:
            return None
        if self.since and self.until and self.since > self.until:
            raise FilterError(f"since {self.since} is later than until {self.until}; exchange them")
        stored = table.documents()
        types = tuple(map(_as_type, self.types))
        _check_known("collection", self.collections, map(collection_of, stored))
        _check_known("type", types, map(type_of, stored))
        _check_known("document", self.documents, (each.name for each in stored), {each.id for each in stored})
        return frozenset(
            each.id
            for each in stored
            if _fits(self.collections, collection_of(each))
            and _fits(types, type_of(each))
            and _fits(self.documents, each.id, each.name)
            and (self.since or date.min) <= day_of(each) <= (self.until or date.max)
        )


EVERYTHING = Filter()
"""Restricts nothing."""


@dataclass(frozen=True, slots=True)
class FilterChoices:
    """What there is to choose from, in order. documents: id -> name."""

    collections: tuple[str, ...]
    types: tuple[str, ...]
    documents: Mapping[str, str]


def choices(table: Documents) -> FilterChoices:
    """What the documents of a table can be filtered by."""
    stored = table.documents()
    return FilterChoices(
        collections=tuple(sorted({collection_of(each) for each in stored})),
        types=tuple(sorted({type_of(each) for each in stored})),
        documents={each.id: each.name for each in stored},
    )


def collection_of(document: StoredDocument) -> str:
    """The first folder below the one that was ingested; for files right in that one, its own name; UPLOADS."""
    if document.source.startswith(UPLOAD):
        return UPLOADS
    folder, slash, _ = document.name.partition("/")
    return folder if slash else PurePosixPath(document.source).parent.name or "/"


def type_of(document: StoredDocument) -> str:
    """The ending of its file's name in small letters, without the dot."""
    return _as_type(PurePosixPath(document.name).suffix)


def day_of(document: StoredDocument) -> date:
    """The day, in UTC, on which its present version went into the table."""
    return document.ingested_at.astimezone(UTC).date()


def _as_type(written: str) -> str:
    return written.lower().removeprefix(".")


def _fits(wanted: Sequence[str], *values: str) -> bool:
    return not wanted or any(value in wanted for value in values)


def _check_known(what: str, wanted: Sequence[str], known: Iterable[str], ids: Collection[str] = ()) -> None:
    """Raises FilterError that names the known ones, where one that is wanted is none of them and no id."""
    if not wanted:
        return
    names = sorted(set(known))
    for each in wanted:
        if each not in names and each not in ids:
            more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
            there = f"choose from: {', '.join(names[:_MAX_NAMED])}{more}" if names else "there are no documents yet"
            raise FilterError(f"there is no {what} {each!r}; {there}")
