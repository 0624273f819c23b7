"""`python -m ingest.worker`: run the queued jobs of a home folder, one after the other, until none is left.

Whoever queues a job starts one such process and leaves it; it has its own session and outlives the page.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Annotated

import typer

from ingest import CiteloopError
from ingest.embed import DEFAULT_EMBEDDER, DeferredEmbedder, Embedder, recorded_name
from ingest.jobs import Job, JobError, JobStore, now
from ingest.pipeline import FileResult, Progress, StoppedError, ingest
from ingest.reindex import reindex
from ingest.table import ChunkTable, read_identity

_HEARTBEAT_SECONDS = 1.0

_log = logging.getLogger(__name__)


def embedder_for(home: Path, name: str) -> Embedder:
    """The embedder of this name, which is not loaded for a table that it made as long as nothing has changed."""
    made_with = read_identity(home)
    is_its_own = made_with is not None and made_with.embedder == recorded_name(name)
    return DeferredEmbedder(name, made_with.dimension if made_with and is_its_own else None)


def uploads_folder(home: Path, job_id: str) -> Path:
    """Where the files of an upload wait for their job."""
    return home / "uploads" / job_id


def start(home: Path, embedder: str = DEFAULT_EMBEDDER) -> None:
    """Begin to run the queued jobs of this home in a process of its own. What it says goes to `jobs.log`."""
    command = [sys.executable, "-m", "ingest.worker", "--home", str(home.resolve()), "--embedder", embedder]
    with (home / "jobs.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  # our own module
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    threading.Thread(target=process.wait, daemon=True).start()  # else it would stay a zombie when it ends


def resume(home: Path, embedder: str = DEFAULT_EMBEDDER) -> None:
    """Go on with what was queued or killed before; to be called when a server starts."""
    store = JobStore(home)
    store.revive()
    if any(job.is_waiting for job in store.jobs()):
        start(home, embedder)


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
    try:
        with _Heart(store, job, on_progress, on_wait) as heart:
            for result in _results(store.home, job, load(), heart):
                store.record(job.id, result)
                yield result
    except StoppedError as error:
        store.end(job.id, "cancelled", str(error))
    except CiteloopError as error:
        store.end(job.id, "failed", str(error))
        raise
    except BaseException as error:  # Ctrl+C among them
        store.end(job.id, "failed", f"it was interrupted ({type(error).__name__})")
        raise
    else:
        store.end(job.id, "done")
        shutil.rmtree(uploads_folder(store.home, job.id), ignore_errors=True)


def _results(home: Path, job: Job, embedder: Embedder, heart: _Heart) -> Iterator[FileResult]:
    if job.kind == "reindex":
        return reindex(
            home, embedder, on_progress=heart.tell, on_wait=heart.wait, should_stop=heart.stop_requested.is_set
        )
    return ingest(
        [Path(path) for path in job.paths],
        ChunkTable(home, embedder),
        embedder,
        prune=job.prune,
        uploaded=job.kind == "upload",
        on_progress=heart.tell,
        on_wait=heart.wait,
        should_stop=heart.stop_requested.is_set,
    )


class _Heart:
    """Beats while a job is at work: writes how far it is once a second and hears whether it should stop."""

    def __init__(
        self, store: JobStore, job: Job, on_progress: Callable[[Progress], None], on_wait: Callable[[], None]
    ) -> None:
        self._store, self._job, self._on_progress, self._on_wait = store, job, on_progress, on_wait
        self._progress: Progress | None = None
        self._message = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self.stop_requested = threading.Event()

    def __enter__(self) -> _Heart:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        self._write()

    def tell(self, progress: Progress) -> None:
        """Take note of how far the job is."""
        if self._progress is None:
            self._message = ""
            self._store.update(self._job.id, state="running", started_at=now(), message="")
        self._progress = progress
        self._on_progress(progress)

    def wait(self) -> None:
        """Take note that another process is writing. Raises StoppedError when the job was cancelled."""
        self._message = "waiting for another process that is writing"
        self._on_wait()
        if self.stop_requested.is_set():
            raise StoppedError("cancelled before its turn came")

    def _beat(self) -> None:
        while not self._ended.wait(_HEARTBEAT_SECONDS):
            self._write()

    def _write(self) -> None:
        changes: dict[str, object] = {"heartbeat_at": now(), "message": self._message}
        if progress := self._progress:
            changes |= {
                "num_files": progress.num_files,
                "num_files_done": progress.num_files_done,
                "num_chunks_done": progress.num_chunks_done,
                "current": progress.current,
            }
        try:
            self._store.update(self._job.id, **changes)
            if self._store.job(self._job.id).cancel_requested:
                self.stop_requested.set()
        except JobError as error:  # a full disk: the work itself will say so
            _log.warning("%s", error)


def main(
    home: Annotated[Path, typer.Option(help="The home folder.")],
    embedder: Annotated[str, typer.Option(help="Name or folder of the embedder.")] = DEFAULT_EMBEDDER,
) -> None:
    """Run the queued jobs of a home folder until none is left."""
    store = JobStore(home)
    while job := store.claim():
        try:
            for _ in run(store, job, lambda: embedder_for(home, embedder)):
                pass
        except CiteloopError as error:
            _log.error("job %s: %s", job.id, error)
        except Exception:  # the jobs behind it shall not wait for the next start
            _log.exception("job %s", job.id)


if __name__ == "__main__":
    typer.run(main)
