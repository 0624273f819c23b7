"""Ingests as jobs: the request, its progress, and the result for each file.

Unchanged files cost only a hash, so a job that is queued again continues where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ingest.home.database import now
from ingest.home.job_store import BaseJob, BaseJobStore, new_job_id
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


_RESULTS = """
CREATE TABLE IF NOT EXISTS results (
    job_id TEXT NOT NULL, name TEXT NOT NULL, source TEXT NOT NULL, status TEXT NOT NULL,
    num_chunks INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (job_id, source)
);
"""


class JobStore(BaseJobStore[Job]):
    """The ingest jobs of one home folder and their results."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, Job, "jobs.sqlite3", more_tables=_RESULTS)

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
        return self._jobs("WHERE source = ? ORDER BY created_at DESC, rowid DESC", source)

    def forget_quiet(self, source: str) -> None:
        """Delete the syncs of a source that changed nothing, except the newest: they would crowd out the others."""
        with self._connection() as connection:
            connection.execute(
                "DELETE FROM jobs WHERE source = ? AND state = 'done' AND id NOT IN (SELECT job_id FROM results)"
                " AND id != (SELECT id FROM jobs WHERE source = ? ORDER BY created_at DESC, rowid DESC LIMIT 1)",
                (source, source),
            )

    def record(self, job_id: str, result: FileResult) -> None:
        """Record a file's result; unchanged files are only counted."""
        if result.status == "unchanged":
            return
        row = (job_id, result.name, result.source, result.status, result.num_chunks, result.reason)
        with self._connection() as connection:
            connection.execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?)", row)

    def results(self, job_id: str) -> list[FileResult]:
        """Return the results of a job in order of completion, without unchanged files."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT name, source, status, num_chunks, reason FROM results WHERE job_id = ? ORDER BY rowid",
                (job_id,),
            )
            return [FileResult(*row) for row in rows]

    def counts(self, job_id: str) -> dict[str, int]:
        """Return status -> number of the files of a job, without unchanged files."""
        with self._connection() as connection:
            query = "SELECT status, COUNT(*) FROM results WHERE job_id = ? GROUP BY status ORDER BY status"
            return dict(connection.execute(query, (job_id,)).fetchall())
