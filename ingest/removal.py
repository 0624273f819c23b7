"""Documents of the table -> removed, or moved to another collection, with their kept files."""

from __future__ import annotations

from collections.abc import Iterable

from ingest import CiteloopError
from ingest.listing import StoredDocument
from ingest.originals import Originals
from ingest.table import ChunkTable


def remove(documents: Iterable[StoredDocument], table: ChunkTable) -> None:
    """Remove documents, their chunks and their kept files; call inside `table.writing()`."""
    documents = list(documents)
    originals = Originals(table.home)
    for document in documents:  # first: a kept file without chunks would be restored as a lost document
        originals.remove(document.id)
    table.remove([document.id for document in documents])


def move(documents: Iterable[StoredDocument], collection: str, table: ChunkTable) -> None:
    """Put documents into a collection; call inside `table.writing()`. Raises CiteloopError for a name of spaces."""
    documents, collection = list(documents), collection.strip()
    if not collection:
        raise CiteloopError("a collection needs a name")
    originals = Originals(table.home)
    for document in documents:  # first: what is not in the table yet must not be restored into the earlier collection
        originals.move(document.id, collection)
    table.move([document.id for document in documents], collection)
