"""A job at work: the process that does it, with a heartbeat in its row and the request to stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any

from ingest import CiteloopError
from ingest.home.database import now
from ingest.home.job_store import BaseJob, BaseJobStore, J, JobError, StoppedError
from ingest.home.log import in_request

_HEARTBEAT_SECONDS = 1.0
_log = logging.getLogger(__name__)


class Heart:
    """Heartbeat of a running job: writes its progress about once a second and checks for a request to stop."""

    def __init__(self, store: BaseJobStore[Any], job_id: str, beat_seconds: float | None = None) -> None:
        self._store, self._job_id, self._beat_seconds = store, job_id, beat_seconds or _HEARTBEAT_SECONDS
        self._changes: dict[str, object] = {"message": ""}
        self._runs = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self.stop_requested = threading.Event()

    def __enter__(self) -> Heart:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        self._write()

    def tell(self, **changes: object) -> None:
        """Set fields that the next beat writes. The first call marks the job as running."""
        if not self._runs:
            self._runs = True
            self._changes = {"message": "", "state": "running", "started_at": now()}
            self._update(**self._changes)
        self._changes = self._changes | changes  # a new dict, since the thread may be reading the old one

    def wait(self, why: str) -> None:
        """Record why the job waits. Raises StoppedError when it was cancelled."""
        self._changes = self._changes | {"message": why}
        if self.stop_requested.is_set():
            raise StoppedError("cancelled before it started")

    def _beat(self) -> None:
        while not self._ended.wait(self._beat_seconds):
            self._write()

    def _write(self) -> None:
        self._update(heartbeat_at=now(), **self._changes)
        with suppress(JobError):
            if self._store.job(self._job_id).cancel_requested:
                self.stop_requested.set()

    def _update(self, **changes: object) -> None:
        try:
            self._store.update(self._job_id, **changes)
        except (JobError, OSError) as error:  # such as a full disk: the work itself will report it
            _log.warning("%s", error)


@contextmanager
def at_work(store: BaseJobStore[Any], job: BaseJob, beat_seconds: float | None = None) -> Iterator[Heart]:
    """Run a claimed job in this block: its heart beats, and the job's end is recorded.

    A StoppedError ends the job as "cancelled"; any other exception is recorded as a failure and re-raised.
    """
    try:
        with Heart(store, job.id, beat_seconds) as heart:
            yield heart
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


def run_queued(store: BaseJobStore[J], run: Callable[[J], object]) -> None:
    """Claim and run queued jobs until none is left; failed jobs are logged."""
    while job := store.claim():
        with in_request(job.id):
            try:
                run(job)
            except CiteloopError as error:
                _log.error("the job failed: %s", error)
            except Exception:
                _log.exception("the job failed")
