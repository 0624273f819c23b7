"""The kept files -> a new table that replaces the current one when it is complete.

Use it to change the embedder or the chunking rules, or to rebuild a table that is beyond repair.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from ingest.chunk import CHUNKING
from ingest.embed.embedder import Embedder
from ingest.files import SourceFile
from ingest.home.folder import current_name, make_current
from ingest.home.sharing import shared_write_lock
from ingest.isolation import read_limits
from ingest.listing import StoredDocument
from ingest.originals import Original, Originals
from ingest.pipeline import FileResult, Ingest, Progress
from ingest.table import ChunkTable, TableError, drop_others, stored_documents


def reindex(
    home: Path,
    embedder: Embedder,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_wait: Callable[[], None] = lambda: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[FileResult]:
    """Read, chunk and embed every document again, then switch to the new table; yields a result for each.

    The old table stays in use until then, and also if a document cannot be read. A stopped run continues where it
    was. Raises TableError, StoppedError.
    """
    with shared_write_lock(home, on_wait):
        before = current_name(home)
        table = ChunkTable(home, embedder, name=_new_name(before, embedder))
        drop_others(home, {before, table.name})
        run = Ingest(table, embedder, read_limits(), on_progress, should_stop)
        num_failed = 0
        for result in run.store(_files(home)):
            num_failed += result.status == "failed"
            yield result
        if num_failed:
            raise TableError(
                f"{num_failed} documents could not be read again, so the table was not changed; remove them, or add "
                "their files again, then run the command again"
            )
        table.optimize()
        make_current(home, table.name)


def _new_name(before: str, embedder: Embedder) -> str:
    """Return a name that a resumed run finds again and that differs from the old table's."""
    made_with = "\n".join((embedder.name, str(embedder.dimension), CHUNKING, before))
    return f"chunks-{hashlib.sha256(made_with.encode()).hexdigest()[:12]}"


def _files(home: Path) -> list[SourceFile]:
    """Return the kept file, or else the source, of every document in the table; if it is unreadable, all kept files."""
    originals = Originals(home)
    try:
        documents: list[StoredDocument] | list[Original] = stored_documents(home)
    except TableError:  # unreadable: only the kept files are left
        documents = list(originals)
    return [source_of(document, originals) for document in documents]


def source_of(document: StoredDocument | Original, originals: Originals) -> SourceFile:
    """Return the file to read a document from again: the kept file, or its source if none was kept."""
    kept = originals.path(document)
    path = kept if kept.exists() else Path(document.source)
    return SourceFile(path, document.name, document.source, document.id, document.collection)
