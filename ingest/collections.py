"""Collections of documents: the default one, and ids of documents -> a condition on rows of the table.

Rights to read and filters are both sets of documents. A set that is made of whole collections costs the same however
many documents they have, since rows store the name of their collection.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

from lancedb.expr import Expr, col

from ingest.parse import UPLOAD

UPLOADS = "uploads"
"""The collection of documents uploaded in the browser, and of any folder with this name."""


def default_collection(name: str, source: str) -> str:
    """Return the collection of a document for which none was chosen.

    The first folder below the ingested one, else the ingested folder's name; UPLOADS for uploads.
    """
    if source.startswith(UPLOAD):
        return UPLOADS
    folder, slash, _ = name.partition("/")
    return folder if slash else PurePosixPath(source).parent.name or "/"


class Groups:
    """The documents of a table by the collection that their rows store; rows of earlier versions store none."""

    def __init__(self, stored: Iterable[tuple[str, str]] = ()) -> None:
        """stored: document id and collection."""
        self._ids: dict[str, set[str]] = {}
        for document_id, collection in stored:
            self._ids.setdefault(collection, set()).add(document_id)

    def condition(self, wanted: Collection[str]) -> tuple[Expr, int]:
        """Return the condition that a row is of one of these documents, and how many of them it names by id."""
        whole = [name for name, ids in self._ids.items() if ids.issubset(wanted)]
        named = sorted(frozenset(wanted).difference(*(self._ids[name] for name in whole)))
        if not whole:
            return col("document_id").isin(named), len(named)
        by_collection = col("collection").isin(whole)
        return (by_collection | col("document_id").isin(named)) if named else by_collection, len(named)

    def around(self, wanted: Collection[str]) -> Expr | None:
        """Return the condition that a row is of a collection with one of these documents; None if some store none."""
        names = [name for name, ids in self._ids.items() if not ids.isdisjoint(wanted)]
        known = sum(len(self._ids[name].intersection(wanted)) for name in names)
        return col("collection").isin(names) if known == len(wanted) else None
