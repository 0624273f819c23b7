"""Ingests as jobs: the request, its progress, and the result for each file.

Unchanged files cost only a hash, so a job that is queued again continues where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Select, delete, func, select

from ingest.home.database import now
from ingest.home.job_store import BaseJob, BaseJobStore, new_job_id
from ingest.home.records import put
from ingest.home.tables import ingest_jobs, ingest_results
from ingest.pipeline import FileResult

Kind = Literal["upload", "folder", "reindex", "source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(BaseJob):
    """One ingest. paths: absolute; for an upload, the folder with its files. current: the file being read.

    embedder: its name or folder; empty: the table's embedder. collection: chosen for the documents, or ''. source: the
    name of the source to sync, or ''; with prune also if most of its documents are gone.
    """

    kind: Kind
    paths: tuple[str, ...]
    prune: bool
    embedder: str
    collection: str
    source: str
    num_files: int = 0
    num_files_done: int = 0
    num_chunks_done: int = 0

    @property
    def chunks_per_second(self) -> float:
        """Return the average rate so far."""
        return self.num_chunks_done / self.seconds if self.seconds else 0.0

    def as_record(self) -> dict[str, object]:
        record = BaseJob.as_record(self)  # super() does not work in a class with slots
        return {**record, "chunks_per_second": round(self.chunks_per_second, 1)}


class JobStore(BaseJobStore[Job]):
    """The ingest jobs of one home folder and their results."""

    worker, log = "app.ingest_worker", "jobs.log"

    def __init__(self, home: Path) -> None:
        super().__init__(home, Job, ingest_jobs)

    def add(
        self,
        kind: Kind,
        paths: Sequence[Path],
        *,
        prune: bool = False,
        embedder: str = "",
        collection: str = "",
        source: str = "",
        begin: bool = False,
        job_id: str | None = None,
    ) -> Job:
        """Queue a job; with begin, mark it as started by the caller."""
        where = tuple(str(path.resolve()) for path in paths)
        job = Job(
            id=job_id or new_job_id(),
            created_at=now(),
            kind=kind,
            paths=where,
            prune=prune,
            embedder=embedder,
            collection=collection,
            source=source,
        )
        return self.put(job, begin=begin)

    def syncs(self, source: str) -> list[Job]:
        """Return the syncs of a source, newest first."""
        return self._jobs(self._syncs(source))

    def _syncs(self, source: str) -> Select[Any]:
        return select(*self._columns).where(ingest_jobs.c.source == source).order_by(*self._newest_first())

    def forget_quiet(self, source: str) -> None:
        """Delete the syncs of a source that changed nothing, except the newest: they would crowd out the others."""
        with self._records.writing() as connection:
            earlier = connection.execute(self._syncs(source).with_only_columns(ingest_jobs.c.id)).scalars().all()[1:]
            connection.execute(
                delete(ingest_jobs).where(
                    ingest_jobs.c.id.in_(earlier),
                    ingest_jobs.c.state == "done",
                    ingest_jobs.c.id.not_in(select(ingest_results.c.job_id)),
                )
            )

    def record(self, job_id: str, result: FileResult) -> None:
        """Record a file's result; unchanged files are only counted."""
        if result.status == "unchanged":
            return
        with self._records.writing() as connection:
            put(connection, ingest_results, [{"job_id": job_id, **asdict(result)}], "job_id", "source")

    def results(self, job_id: str) -> list[FileResult]:
        """Return the results of a job in order of completion, without unchanged files."""
        columns = [ingest_results.c[field.name] for field in fields(FileResult)]
        query = select(*columns).where(ingest_results.c.job_id == job_id).order_by(ingest_results.c.sequence)
        with self._records.reading() as connection:
            return [FileResult(*row) for row in connection.execute(query)]

    def counts(self, job_id: str) -> dict[str, int]:
        """Return status -> number of the files of a job, without unchanged files."""
        status = ingest_results.c.status
        query = select(status, func.count()).where(ingest_results.c.job_id == job_id).group_by(status).order_by(status)
        with self._records.reading() as connection:
            return dict(connection.execute(query).all())
