"""`python -m ingest.worker`: run the queued jobs of a home folder, one after the other, until none is left.

Whoever queues a job starts one such process and leaves it; it has its own session and outlives the page.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ingest.embed.embedder import DeferredEmbedder, Embedder, recorded_name
from ingest.home.job_store import Heart, at_work, run_queued, start_process
from ingest.jobs import Job, JobStore
from ingest.pipeline import FileResult, Progress, ingest
from ingest.reindex import reindex
from ingest.table import ChunkTable, read_identity


def embedder_for(home: Path, name: str) -> Embedder:
    """The embedder of this name, which is not loaded for a table that it made as long as nothing has changed.

    name: empty means the one of the table, or the default one for a new table.
    """
    made_with = read_identity(home)
    wanted = name or (made_with.embedder if made_with else "")
    is_its_own = made_with is not None and made_with.embedder == recorded_name(wanted)
    return DeferredEmbedder(wanted, made_with.dimension if made_with and is_its_own else None)


def uploads_folder(home: Path, job_id: str) -> Path:
    """Where the files of an upload wait for their job."""
    return home / "uploads" / job_id


def cancel(store: JobStore, job_id: str) -> None:
    """Ask a job to stop. The files of an upload that nobody had begun go, since nobody else will clean up."""
    store.cancel(job_id)
    if not store.job(job_id).is_open:
        shutil.rmtree(uploads_folder(store.home, job_id), ignore_errors=True)


def start(home: Path) -> None:
    """Begin to run the queued jobs of this home in a process of its own. What it says goes to `jobs.log`."""
    start_process("ingest.worker", home, log="jobs.log")


def resume(home: Path) -> None:
    """Go on with what was queued or killed before; to be called when a server starts."""
    store = JobStore(home)
    store.revive()
    if any(job.is_waiting for job in store.jobs()):
        start(home)


def run(
    store: JobStore,
    job: Job,
    load: Callable[[], Embedder],
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_wait: Callable[[], None] = lambda: None,
) -> Iterator[FileResult]:
    """Do a claimed job; yields a result for each file as it is stored, and notes them and the end in the store.

    Raises what `ingest` raises, but for StoppedError when the job was cancelled.
    """
    with at_work(store, job) as heart:
        for result in _results(store.home, job, load(), _Told(heart, on_progress, on_wait)):
            store.record(job.id, result)
            yield result
    if store.job(job.id).state == "done":  # not when it was cancelled: it may be resumed
        shutil.rmtree(uploads_folder(store.home, job.id), ignore_errors=True)


class _Told:
    """What an ingest tells on its way goes to the heart of its job and to the one who runs it."""

    def __init__(self, heart: Heart, on_progress: Callable[[Progress], None], on_wait: Callable[[], None]) -> None:
        self._heart, self._on_progress, self._on_wait = heart, on_progress, on_wait
        self.should_stop = heart.stop_requested.is_set

    def progress(self, progress: Progress) -> None:
        self._heart.tell(**asdict(progress))
        self._on_progress(progress)

    def wait(self) -> None:
        """Raises StoppedError when the job was cancelled."""
        self._on_wait()
        self._heart.wait("waiting for another process that is writing")


def _results(home: Path, job: Job, embedder: Embedder, told: _Told) -> Iterator[FileResult]:
    if job.kind == "reindex":
        return reindex(home, embedder, on_progress=told.progress, on_wait=told.wait, should_stop=told.should_stop)
    return ingest(
        [Path(path) for path in job.paths],
        ChunkTable(home, embedder),
        embedder,
        prune=job.prune,
        uploaded=job.kind == "upload",
        on_progress=told.progress,
        on_wait=told.wait,
        should_stop=told.should_stop,
    )


def main(home: Annotated[Path, typer.Option(help="The home folder.")]) -> None:
    """Run the queued jobs of a home folder until none is left."""
    store = JobStore(home)

    def run_whole(job: Job) -> None:
        for _ in run(store, job, lambda: embedder_for(home, job.embedder)):
            pass

    run_queued(store, run_whole)


if __name__ == "__main__":
    typer.run(main)
