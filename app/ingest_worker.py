"""`python -m app.ingest_worker`: run the queued ingests of a home folder, with its vision model if it has one."""

from __future__ import annotations

import typer

from app.language_model.vision import find_describer
from ingest import describe, worker

if __name__ == "__main__":
    describe.find_describer = find_describer
    typer.run(worker.main)
