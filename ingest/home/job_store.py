"""The life of a job: a row that pages can read while a separate process does the work.

A job survives the page that started it, and a job whose process died is queued again. Subclasses define the work and
further fields; nothing here knows about documents or models.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import MISSING, asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar

from sqlalchemy import ColumnElement, Select, Table, select, update

from ingest import CiteloopError
from ingest.home.database import now
from ingest.home.processes import is_running, start_process
from ingest.home.records import Records, put, unusable

State = Literal["queued", "running", "done", "failed", "cancelled"]
_OPEN = ("queued", "running")

_DEAD_AFTER = timedelta(seconds=15)
_MAX_ATTEMPTS = 3
"""A job whose process was killed this often is not restarted automatically."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseJob:
    """The fields that every job has. Times are ISO 8601 in UTC, or None.

    attempts: how often a process started it. current: the item in progress. message: why it waits or failed. A
    subclass adds fields for the request, without defaults, and for the progress, with defaults; a job that is queued
    again keeps the former and resets the latter. Fields are str, numbers, bool, or tuples of str.
    """

    id: str
    created_at: str
    state: State = "queued"
    started_at: str | None = None
    ended_at: str | None = None
    heartbeat_at: str | None = None
    cancel_requested: bool = False
    attempts: int = 0
    current: str = ""
    message: str = ""

    @property
    def is_open(self) -> bool:
        """Return whether the job has not ended."""
        return self.state in _OPEN

    @property
    def is_waiting(self) -> bool:
        """Return whether no process has started it."""
        return self.state == "queued" and self.heartbeat_at is None

    @property
    def is_dead(self) -> bool:
        """Return whether it was started, but its heartbeat has stopped. One in the future is of a clock set back."""
        if not self.is_open or self.heartbeat_at is None:
            return False
        return abs(datetime.now(UTC) - datetime.fromisoformat(self.heartbeat_at)) > _DEAD_AFTER

    @property
    def seconds(self) -> float:
        """Return how long it has been running, or ran."""
        if self.started_at is None:
            return 0.0
        ended = datetime.fromisoformat(self.ended_at) if self.ended_at else datetime.now(UTC)
        return (ended - datetime.fromisoformat(self.started_at)).total_seconds()

    def as_record(self) -> dict[str, object]:
        """Return the form that the command line prints, with stable names."""
        return {
            **asdict(self),
            "state": "stopped" if self.is_dead else self.state,
            "seconds": round(self.seconds, 1),
        }


class JobError(CiteloopError):
    """The job does not exist, or its state does not allow the action."""


class StoppedError(CiteloopError):
    """The work stopped on request."""


J = TypeVar("J", bound=BaseJob)


class BaseJobStore(Generic[J]):
    """The jobs of one kind in a home folder; every method is one transaction. Subclasses add jobs.

    Every method raises JobError when the file is damaged or the disk is full. worker, log: of jobs that a process of
    their own runs, its module and the file in the home folder that collects its output.
    """

    worker: ClassVar[str]
    log: ClassVar[str]

    def __init__(self, home: Path, job_type: type[J], table: Table, *, in_memory: bool = False) -> None:
        """table: has a column for each field. in_memory: the jobs end with the process."""
        self.home = home
        self._type, self._table = job_type, table
        self._columns = [table.c[field.name] for field in fields(job_type)]
        self._records = Records(None if in_memory else home, table.metadata, unusable(JobError, "the jobs"))

    def put(self, job: J, *, begin: bool = False) -> J:
        """Queue a job; with begin, mark it as started by the caller."""
        if begin:
            job = replace(job, heartbeat_at=now(), attempts=1)
        self._write(job)
        return job

    def jobs(self, last: int | None = None) -> list[J]:
        """Return the last jobs, newest first."""
        return self._jobs(select(*self._columns).order_by(*self._newest_first()).limit(last))

    def job(self, job_id: str) -> J:
        """Return the job with this id. Raises JobError."""
        if found := self._jobs(self._with_id(job_id)):
            return found[0]
        known = ", ".join(job.id for job in self.jobs(5)) or "none"
        raise JobError(f"no job {job_id}; the last ones are: {known}")

    def claim(self) -> J | None:
        """Claim the oldest queued job, so that no other process runs it; returns None if there is none."""
        table = self._table.c
        queued = select(*self._columns).where(table.state == "queued", table.heartbeat_at.is_(None))
        with self._records.writing() as connection:
            row = connection.execute(queued.order_by(table.created_at, table.sequence).limit(1)).first()
            if row is None:
                return None
            changes = {"heartbeat_at": now(), "attempts": row.attempts + 1}
            connection.execute(update(self._table).where(table.id == row.id).values(changes))
        return replace(self._type(**row._mapping), **changes)

    def update(self, job_id: str, **changes: Any) -> None:
        """Change fields of an open job."""
        with self._records.writing() as connection:
            connection.execute(update(self._table).where(self._table.c.id == job_id, self._is_open).values(changes))

    def end(self, job_id: str, state: State, message: str = "") -> None:
        """Record how a job ended."""
        self.update(job_id, state=state, message=message, ended_at=now(), current="")

    def cancel(self, job_id: str) -> None:
        """Ask a job to stop; one without a running process ends at once. Raises JobError."""
        job = self.job(job_id)
        if not job.is_open:
            raise JobError(f"job {job_id} has ended already: {job.state}")
        self.update(job_id, cancel_requested=True)
        if job.is_waiting or job.is_dead:
            self.end(job_id, "cancelled")

    def queue_again(self, job_id: str) -> None:
        """Queue again a job that failed, was cancelled, or lost its process. Raises JobError."""
        job = self.job(job_id)
        if job.state == "done" or (job.is_open and not job.is_dead):
            raise JobError(f"job {job_id} is {job.state}; only one that failed or was stopped can be resumed")
        request = [field.name for field in fields(job) if field.default is MISSING]
        kept = {name: getattr(job, name) for name in (*request, "attempts")}
        self._write(self._type(**kept), instead_of=job)

    def revive(self) -> bool:
        """Queue again every job whose process is gone, or fail it after too many attempts.

        Return whether a job waits and no process is at work, which would do it next.
        """
        for job in self.jobs():
            if job.is_dead and job.attempts >= _MAX_ATTEMPTS:
                self.end(job.id, "failed", f"its process was stopped {job.attempts} times, last at {job.current}")
            elif job.is_dead:
                with suppress(JobError):  # another process has just done so
                    self.queue_again(job.id)
        jobs = [job for job in self.jobs() if job.is_open]
        return bool(jobs) and all(job.is_waiting or job.is_dead for job in jobs)

    def start_worker(self) -> None:
        """Run the queued jobs in a separate process."""
        start_process(self.worker, self.home, log=self.log)

    @property
    def has_worker(self) -> bool:
        """Return whether a worker that this process started is alive; on a busy machine it takes a minute to begin."""
        return is_running(self.worker, self.home)

    def restart(self, job: J) -> None:
        """Run a job again, or start the process that it waits for. Raises JobError, OSError."""
        if job.heartbeat_at is not None or not job.is_open:
            self.queue_again(job.id)
        self.start_worker()

    def resume(self) -> None:
        """Run the jobs that were queued or killed before; call this when a server starts."""
        if self.revive():
            self.start_worker()

    def fail_dead(self) -> None:
        """Mark every job whose process is gone as failed, for jobs not worth restarting."""
        for job in self.jobs():
            if job.is_dead:
                self.end(job.id, "failed", "its process was stopped")

    @property
    def _is_open(self) -> ColumnElement[bool]:
        return self._table.c.state.in_(_OPEN)

    def _newest_first(self) -> tuple[ColumnElement[Any], ...]:
        return self._table.c.created_at.desc(), self._table.c.sequence.desc()

    def _with_id(self, job_id: str) -> Select[Any]:
        return select(*self._columns).where(self._table.c.id == job_id)

    def _jobs(self, query: Select[Any]) -> list[J]:
        with self._records.reading() as connection:
            return [self._type(**row) for row in connection.execute(query).mappings()]

    def _write(self, job: J, instead_of: J | None = None) -> None:
        """Store a job. Raises JobError if instead_of is given and the stored job differs from it."""
        with self._records.writing() as connection:
            if instead_of:
                stored = connection.execute(self._with_id(job.id)).mappings().first()
                if stored is None or self._type(**stored) != instead_of:
                    raise JobError(f"job {job.id} has changed meanwhile; reload and try again")
            put(connection, self._table, [{field.name: getattr(job, field.name) for field in fields(job)}], "id")


def new_job_id() -> str:
    """Return a random id of 12 hex digits."""
    return uuid.uuid4().hex[:12]
