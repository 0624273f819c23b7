"""Filter -> ids of the documents to search, by what may be read, collection, document, type and date."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date
from pathlib import PurePosixPath

from app.access.rights import Rights
from ingest import CiteloopError
from ingest.listing import StoredDocument
from ingest.table import ChunkTable

_MAX_NAMED = 10


class FilterError(CiteloopError):
    """A filter names something that is not in the table, or its days are in the wrong order."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which documents a search may find: those that match one value of every field that is set.

    documents: ids or names. types: file name endings, such as 'pdf'. since, until: first and last day, in UTC, of the
    ingest of a document's current version, which is the only date in the table. A file that has changed, moved or been
    reindexed has a new day. readable: the collections that the asker may read, None: all; a stored filter has those of
    the time when it was used.
    """

    collections: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    readable: frozenset[str] | None = None

    def __bool__(self) -> bool:
        """Return whether it restricts anything."""
        return self != EVERYTHING

    def read_by(self, rights: Rights) -> Filter:
        """Return the same filter for somebody else, or for other rights of the same person."""
        return replace(self, readable=rights.collections)

    @property
    def all_readable(self) -> Filter:
        """Everything that the same asker may read."""
        return replace(EVERYTHING, readable=self.readable)

    def as_record(self) -> dict[str, object]:
        """Return the printed form, with stable names; a day is ISO 8601 or None. What may be read is left out."""
        return {
            "collections": list(self.collections),
            "documents": list(self.documents),
            "types": list(self.types),
            "since": self.since and self.since.isoformat(),
            "until": self.until and self.until.isoformat(),
        }

    def document_ids(self, table: ChunkTable) -> frozenset[str] | None:
        """Return the ids of matching documents; None, without reading the table, if nothing is restricted.

        Raises FilterError for an unknown collection, document or type, or for days in the wrong order; what may not be
        read is unknown.
        """
        if not self:
            return None
        if self.since and self.until and self.since > self.until:
            raise FilterError(f"since {self.since} is later than until {self.until}; swap them")
        stored = self.readable_documents(table)
        if self == self.all_readable:
            return frozenset(file.id for file in stored)
        types = tuple(map(_as_type, self.types))
        _check_known("collection", self.collections, (file.collection for file in stored))
        _check_known("type", types, map(type_of, stored))
        _check_known("document", self.documents, (file.name for file in stored), {file.id for file in stored})
        return frozenset(
            file.id
            for file in stored
            if _fits(self.collections, file.collection)
            and _fits(types, type_of(file))
            and _fits(self.documents, file.id, file.name)
            and (self.since or date.min) <= day_of(file) <= (self.until or date.max)
        )

    def readable_documents(self, table: ChunkTable) -> list[StoredDocument]:
        """Return the documents that may be read, whatever else the filter says."""
        stored = table.documents()
        return stored if self.readable is None else [file for file in stored if file.collection in self.readable]


EVERYTHING = Filter()
"""Restricts nothing."""


@dataclass(frozen=True, slots=True)
class FilterChoices:
    """The values to choose from, sorted. documents: id -> name."""

    collections: tuple[str, ...]
    types: tuple[str, ...]
    documents: Mapping[str, str]


def choices(documents: Iterable[StoredDocument]) -> FilterChoices:
    """Return the values for filtering these documents."""
    stored = list(documents)
    return FilterChoices(
        collections=tuple(sorted({file.collection for file in stored})),
        types=tuple(sorted({type_of(file) for file in stored})),
        documents={file.id: file.name for file in stored},
    )


def type_of(document: StoredDocument) -> str:
    """Return the file name's ending in lower case, without the dot."""
    return _as_type(PurePosixPath(document.name).suffix)


def day_of(document: StoredDocument) -> date:
    """Return the day, in UTC, when its current version was ingested."""
    return document.ingested_at.astimezone(UTC).date()


def _as_type(ending: str) -> str:
    return ending.lower().removeprefix(".")


def _fits(wanted: Sequence[str], *values: str) -> bool:
    return not wanted or any(value in wanted for value in values)


def _check_known(what: str, wanted: Sequence[str], known: Iterable[str], ids: Collection[str] = ()) -> None:
    """Raise FilterError, with a list of known names, if a wanted value is neither a known name nor an id."""
    if not wanted:
        return
    names = sorted(set(known))
    for value in wanted:
        if value not in names and value not in ids:
            more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
            advice = f"choose from: {', '.join(names[:_MAX_NAMED])}{more}" if names else "there are no documents yet"
            raise FilterError(f"there is no {what} {value!r}; {advice}")
