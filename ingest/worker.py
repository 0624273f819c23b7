"""`python -m ingest.worker`: run the queued jobs of a home folder in order until none is left.

Queuing a job starts a process in its own session, so that it outlives the page: `app.ingest_worker`, which does the
same and knows the vision model.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ingest.embed.deferred import DeferredEmbedder
from ingest.embed.embedder import Embedder, recorded_name
from ingest.home.job_process import Heart, at_work, run_queued
from ingest.home.log import write_log
from ingest.isolation import Parsers
from ingest.jobs import Job, JobStore
from ingest.pipeline import FileResult, Progress, ingest
from ingest.reindex import reindex
from ingest.removal import remove
from ingest.sources.source import Source
from ingest.sources.store import SourceStore
from ingest.sources.sync import Sync
from ingest.table import ChunkTable, read_identity


def embedder_for(home: Path, name: str) -> Embedder:
    """Return the embedder of this name, loaded only when something has to be embedded.

    name: empty means the table's embedder, or the default one for a new table.
    """
    made_with = read_identity(home)
    wanted = name or (made_with.embedder if made_with else "")
    is_its_own = made_with is not None and made_with.embedder == recorded_name(wanted)
    return DeferredEmbedder(wanted, made_with.dimension if made_with and is_its_own else None)


def uploads_folder(home: Path, job_id: str) -> Path:
    """Return the folder where the files of an upload wait for their job."""
    return home / "uploads" / job_id


def cancel(store: JobStore, job_id: str) -> None:
    """Ask a job to stop; delete its uploaded files if no process is running it. Raises JobError."""
    store.cancel(job_id)
    if not store.job(job_id).is_open:
        shutil.rmtree(uploads_folder(store.home, job_id), ignore_errors=True)


def queue_sync(store: JobStore, source: Source, *, embedder: str) -> None:
    """Queue a sync of a source, unless one is queued or running."""
    if not any(job.is_open for job in store.syncs(source.name)):
        store.add("source", [], collection=source.collection, source=source.name, embedder=embedder)


def queue_due(home: Path, embedder: str = "") -> None:
    """Queue a sync of every source that is due, and start them; call this from time to time."""
    if due := SourceStore(home).claim_due():
        store = JobStore(home)
        for source in due:
            queue_sync(store, source, embedder=embedder)
        store.start_worker()


def remove_source(
    table: ChunkTable,
    source: Source,
    *,
    with_documents: bool,
    within: Collection[str] | None = None,
    on_wait: Callable[[], None] = lambda: None,
) -> int:
    """Stop following a source; returns how many documents it has. with_documents: remove them too.

    within: ids of the documents that may be removed; None: all. on_wait: called while another process is writing; it
    may raise to give up.
    """
    sources = SourceStore(table.home)
    own = sources.seen(source.name)
    documents = [document for document in table.documents() if document.source in own]
    if within is not None:
        documents = [document for document in documents if document.id in within]
    if with_documents:
        with table.writing(on_wait):
            remove(documents, table)
    sources.remove(source.name)
    shutil.rmtree(table.home / "sources" / f"{source.name}.git", ignore_errors=True)
    return len(documents)


def run(
    store: JobStore,
    job: Job,
    load: Callable[[], Embedder],
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_wait: Callable[[], None] = lambda: None,
    parsers: Parsers | None = None,
) -> Iterator[FileResult]:
    """Run a claimed job and record it in the store; yields a result for each file once it is stored.

    parsers: for files and folders; None: processes of this machine. Raises what `ingest` raises, except StoppedError:
    a cancelled job just ends.
    """
    with at_work(store, job) as heart:
        for result in _results(store.home, job, load(), _Callbacks(heart, on_progress, on_wait), parsers):
            store.record(job.id, result)
            yield result
    if job.source:
        store.forget_quiet(job.source)
    if store.job(job.id).state == "done":  # a cancelled job keeps its files: it may be resumed
        shutil.rmtree(uploads_folder(store.home, job.id), ignore_errors=True)


class _Callbacks:
    """Pass the progress of an ingest to its job's heartbeat and to the caller."""

    def __init__(self, heart: Heart, on_progress: Callable[[Progress], None], on_wait: Callable[[], None]) -> None:
        self._heart, self._on_progress, self._on_wait = heart, on_progress, on_wait
        self.should_stop = heart.stop_requested.is_set

    def progress(self, progress: Progress) -> None:
        self._heart.tell(**asdict(progress))
        self._on_progress(progress)

    def wait(self) -> None:
        """Report the wait. Raises StoppedError when the job was cancelled."""
        self._on_wait()
        self._heart.wait("waiting for another process that is writing")


def _results(
    home: Path, job: Job, embedder: Embedder, calls: _Callbacks, parsers: Parsers | None
) -> Iterator[FileResult]:
    if job.kind == "reindex":
        return reindex(home, embedder, on_progress=calls.progress, on_wait=calls.wait, should_stop=calls.should_stop)
    if job.kind == "source":
        sync = Sync(
            SourceStore(home).source(job.source),
            home,
            delete_many=job.prune,
            on_progress=calls.progress,
            on_wait=calls.wait,
            should_stop=calls.should_stop,
        )
        return sync.run(ChunkTable(home, embedder), embedder)
    return ingest(
        [Path(path) for path in job.paths],
        ChunkTable(home, embedder),
        embedder,
        prune=job.prune,
        uploaded=job.kind == "upload",
        collection=job.collection,
        parsers=parsers,
        on_progress=calls.progress,
        on_wait=calls.wait,
        should_stop=calls.should_stop,
    )


def main(home: Annotated[Path, typer.Option(help="The home folder.")]) -> None:
    """Run the queued jobs of a home folder until none is left."""
    run_all(home)


def run_all(home: Path, on_end: Callable[[Job], object] = lambda _: None) -> None:
    """Run the queued jobs of a home folder until none is left. on_end: called after each job, also one that failed."""
    write_log()
    store = JobStore(home)

    def run_whole(job: Job) -> None:
        try:
            for _ in run(store, job, lambda: embedder_for(home, job.embedder)):
                pass
        finally:
            on_end(job)

    run_queued(store, run_whole)


if __name__ == "__main__":
    typer.run(main)
