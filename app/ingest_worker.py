"""`python -m app.ingest_worker`: run the queued ingests of a home folder, with its vision model if it has one.

What a sync has changed goes into the audit log, since nobody need have asked for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.access.audit import AuditLog
from app.language_model.vision import find_describer
from ingest import describe, worker
from ingest.jobs import Job, JobStore


def main(home: Annotated[Path, typer.Option(help="The home folder.")]) -> None:
    """Run the queued jobs of a home folder until none is left."""
    worker.run_all(home, lambda job: _record(home, job))


def _record(home: Path, job: Job) -> None:
    counts = JobStore(home).counts(job.id) if job.source else {}
    if counts:
        changes = ", ".join(f"{number} {status}" for status, number in counts.items())
        AuditLog(home).add("", "documents synced", f"{job.source}: {changes}")


if __name__ == "__main__":
    describe.find_describer = find_describer
    typer.run(main)
