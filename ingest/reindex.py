"""The kept files -> a new table beside the one that serves, which takes its place when it is whole.

So an embedder or the rules of chunking can be changed, and a table that is beyond repair be made anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from ingest.chunk import DEFAULT_POLICY, Policy
from ingest.embed.embedder import Embedder
from ingest.files import SourceFile
from ingest.home.folder import current_name, make_current, write_lock
from ingest.isolation import Limits, read_limits
from ingest.originals import Original, Originals
from ingest.pipeline import FileResult, Ingest, Progress
from ingest.table import ChunkTable, StoredDocument, TableError, drop_others, stored_documents


def reindex(
    home: Path,
    embedder: Embedder,
    policy: Policy = DEFAULT_POLICY,
    *,
    limits: Limits | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_wait: Callable[[], None] = lambda: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[FileResult]:
    """Read, chunk and embed every document anew, then let the new table serve; yields a result for each.

    The old table serves until then, and still does if a document could not be read again. A run that was
    stopped goes on where it was. Raises TableError, StoppedError.
    """
    with write_lock(home, on_wait):
        before = current_name(home)
        table = ChunkTable(home, embedder, policy, _new_name(before, embedder, policy))
        drop_others(home, {before, table.name})
        run = Ingest(table, embedder, limits or read_limits(), on_progress, should_stop)
        num_failed = 0
        for result in run.store(_files(home)):
            num_failed += result.status == "failed"
            yield result
        if num_failed:
            raise TableError(
                f"{num_failed} documents could not be read again, so the table stays as it was; remove them, or add "
                "their files anew, then run the command again"
            )
        table.optimize()
        make_current(home, table.name)


def _new_name(before: str, embedder: Embedder, policy: Policy) -> str:
    """A name that is the same for a run that goes on where another was stopped, and never that of the old table."""
    made_with = "\n".join((embedder.name, str(embedder.dimension), policy.name, before))
    return f"chunks-{hashlib.sha256(made_with.encode()).hexdigest()[:12]}"


def _files(home: Path) -> list[SourceFile]:
    """The kept file of every document in the table, or its source where none was kept; else every kept file."""
    originals = Originals(home)
    try:
        documents: list[StoredDocument] | list[Original] = stored_documents(home)
    except TableError:  # beyond reading: what was kept is all there is
        documents = list(originals)
    return [source_of(document, originals) for document in documents]


def source_of(document: StoredDocument | Original, originals: Originals) -> SourceFile:
    """The kept file of a document, or where it came from if none was kept, to be read again."""
    kept = originals.path(document)
    return SourceFile(kept if kept.exists() else Path(document.source), document.name, document.source, document.id)
