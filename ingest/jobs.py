"""Ingests as jobs: a row for each in SQLite, that a page can read while a process of its own does the work.

A job survives the page that asked for it and its own process: one whose heart has stopped is queued again,
and since unchanged files cost only a hash, it goes on where it was.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from ingest import CiteloopError
from ingest.database import transaction
from ingest.pipeline import FileResult

Kind = Literal["upload", "folder", "reindex"]
State = Literal["queued", "running", "done", "failed", "cancelled"]

_DEAD_AFTER = timedelta(seconds=15)
_MAX_ATTEMPTS = 3
"""A job whose process was killed so often is not started again by itself."""


@dataclass(frozen=True, slots=True)
class Job:
    """One ingest: what was asked for, how far it is, how it ended. Times are ISO 8601 in UTC, or None.

    paths: absolute; of an upload, the folder where its files wait. message: why it waits or failed. current:
    the file at work. attempts: how often a process began it.
    """

    id: str
    kind: Kind
    paths: tuple[str, ...]
    prune: bool
    state: State
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None
    heartbeat_at: str | None = None
    cancel_requested: bool = False
    attempts: int = 0
    num_files: int = 0
    num_files_done: int = 0
    num_chunks_done: int = 0
    current: str = ""
    message: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state in ("queued", "running")

    @property
    def is_waiting(self) -> bool:
        """Whether no process has begun it."""
        return self.state == "queued" and self.heartbeat_at is None

    @property
    def is_dead(self) -> bool:
        """Whether a process began it and has not been heard of since."""
        if not self.is_open or self.heartbeat_at is None:
            return False
        return datetime.now(UTC) - datetime.fromisoformat(self.heartbeat_at) > _DEAD_AFTER

    @property
    def seconds(self) -> float:
        """How long it has been running, or ran."""
        if self.started_at is None:
            return 0.0
        ended = datetime.fromisoformat(self.ended_at) if self.ended_at else datetime.now(UTC)
        return (ended - datetime.fromisoformat(self.started_at)).total_seconds()

    @property
    def chunks_per_second(self) -> float:
        """The rate so far."""
        return self.num_chunks_done / self.seconds if self.seconds else 0.0

    def as_record(self) -> dict[str, object]:
        """The form that the command line prints, with stable names."""
        return {
            **asdict(self),
            "state": "stopped" if self.is_dead else self.state,
            "seconds": round(self.seconds, 1),
            "chunks_per_second": round(self.chunks_per_second, 1),
        }


class JobError(CiteloopError):
    """The job is not there, or not in a state for what was asked."""


_COLUMNS = [field.name for field in fields(Job)]
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS jobs ({", ".join(_COLUMNS)}, PRIMARY KEY (id));
CREATE TABLE IF NOT EXISTS results (
    job_id TEXT NOT NULL, name TEXT NOT NULL, source TEXT NOT NULL, status TEXT NOT NULL,
    num_chunks INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (job_id, source)
);
"""


class JobStore:
    """The jobs of one home folder; every method is one transaction."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self._path = home / "jobs.sqlite3"
        with self._connection() as connection:
            connection.executescript(_SCHEMA)

    def add(
        self,
        kind: Kind,
        paths: Sequence[Path],
        *,
        prune: bool = False,
        begin: bool = False,
        job_id: str | None = None,
    ) -> Job:
        """Queue a job; with begin, as one that the caller runs himself."""
        where = tuple(str(path.resolve()) for path in paths)
        began = {"heartbeat_at": now(), "attempts": 1} if begin else {}
        job = Job(job_id or new_job_id(), kind, where, prune, "queued", now(), **began)  # type: ignore[arg-type]
        self._write(job)
        return job

    def jobs(self, last: int = -1) -> list[Job]:
        """The last jobs, newest first."""
        return self._jobs("ORDER BY created_at DESC, rowid DESC LIMIT ?", last)

    def job(self, job_id: str) -> Job:
        """The job of this id. Raises JobError."""
        if found := self._jobs("WHERE id = ?", job_id):
            return found[0]
        known = ", ".join(job.id for job in self.jobs(5)) or "none"
        raise JobError(f"no job {job_id}; the last ones are: {known}")

    def claim(self) -> Job | None:
        """Take the oldest queued job, so that no other process runs it; None when there is none."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            condition = "state = 'queued' AND heartbeat_at IS NULL"
            row = connection.execute(
                "UPDATE jobs SET heartbeat_at = ?, attempts = attempts + 1 WHERE id ="
                f" (SELECT id FROM jobs WHERE {condition} ORDER BY created_at, rowid LIMIT 1)"
                f" RETURNING {', '.join(_COLUMNS)}",
                (now(),),
            ).fetchone()
        return _from_row(row) if row else None

    def update(self, job_id: str, **changes: Any) -> None:
        """Change fields of a job that has not ended."""
        assignments = ", ".join(f"{name} = ?" for name in changes)
        with self._connection() as connection:
            connection.execute(
                f"UPDATE jobs SET {assignments} WHERE id = ? AND state IN ('queued', 'running')",
                (*changes.values(), job_id),
            )

    def end(self, job_id: str, state: State, message: str = "") -> None:
        """Say how a job ended."""
        self.update(job_id, state=state, message=message, ended_at=now(), current="")

    def cancel(self, job_id: str) -> None:
        """Ask a job to stop; one that no process has begun, or whose process is gone, ends at once. Raises JobError."""
        job = self.job(job_id)
        if not job.is_open:
            raise JobError(f"job {job_id} has ended already: {job.state}")
        self.update(job_id, cancel_requested=True)
        if job.is_waiting or job.is_dead:
            self.end(job_id, "cancelled")

    def queue_again(self, job_id: str) -> None:
        """Queue a job once more that failed, was cancelled, or lost its process. Raises JobError."""
        job = self.job(job_id)
        if job.state == "done" or (job.is_open and not job.is_dead):
            raise JobError(f"job {job_id} is {job.state}; only one that failed or was stopped can be resumed")
        again = Job(job.id, job.kind, job.paths, job.prune, "queued", job.created_at, attempts=job.attempts)
        self._write(again)

    def revive(self) -> None:
        """Queue again every job whose process is gone; one that has been begun too often fails."""
        for job in self.jobs():
            if job.is_dead and job.attempts >= _MAX_ATTEMPTS:
                self.end(job.id, "failed", f"its process was stopped {job.attempts} times, last at {job.current}")
            elif job.is_dead:
                self.queue_again(job.id)

    def record(self, job_id: str, result: FileResult) -> None:
        """Note what happened to a file; unchanged ones are only counted."""
        if result.status == "unchanged":
            return
        row = (job_id, result.name, result.source, result.status, result.num_chunks, result.reason)
        with self._connection() as connection:
            connection.execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?)", row)

    def results(self, job_id: str) -> list[FileResult]:
        """What happened to each file of a job, but for the unchanged ones, in the order in which they were done."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT name, source, status, num_chunks, reason FROM results WHERE job_id = ? ORDER BY rowid",
                (job_id,),
            )
            return [FileResult(*row) for row in rows]

    def _jobs(self, condition: str, *parameters: object) -> list[Job]:
        with self._connection() as connection:
            rows = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM jobs {condition}", parameters)
            return [_from_row(row) for row in rows]

    def _write(self, job: Job) -> None:
        with self._connection() as connection:
            marks = ", ".join("?" * len(_COLUMNS))
            connection.execute(f"INSERT OR REPLACE INTO jobs VALUES ({marks})", _to_row(job))

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with transaction(self._path, durable=False) as connection:  # the table itself says what is stored
                yield connection
        except sqlite3.DatabaseError as error:
            raise JobError(
                f"the jobs in {self._path} cannot be used: {error}; look at the free space and the permissions"
            ) from error


def new_job_id() -> str:
    """A random id: 12 hex digits."""
    return uuid.uuid4().hex[:12]


def _to_row(job: Job) -> list[object]:
    return [json.dumps(value) if isinstance(value, tuple) else value for value in astuple(job)]


def _from_row(row: Sequence[Any]) -> Job:
    values = dict(zip(_COLUMNS, row, strict=True))
    switches = {name: bool(values[name]) for name in ("prune", "cancel_requested")}
    return Job(**values | switches | {"paths": tuple(json.loads(values["paths"]))})


def now() -> str:
    """The time as jobs note it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
