"""`python -m app.downloads.worker`: run the queued downloads of a home folder until none is left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from app.access.audit import AuditLog
from app.downloads.catalog import find
from app.downloads.hub import read_release
from app.downloads.jobs import DownloadJob, DownloadJobStore
from app.downloads.store import fetch
from app.downloads.trial import try_model
from app.pipeline import Pipeline
from app.registry import Registry
from app.settings import read_settings
from ingest.home.job_process import Heart, at_work, run_queued
from ingest.home.job_store import StoppedError
from ingest.home.log import write_log


def run(store: DownloadJobStore, job: DownloadJob, pipeline: Callable[[], Pipeline]) -> None:
    """Download a reranker unless it is here, try it, and record progress and end in the store.

    Raises what `fetch` and `try_model` raise, except StoppedError.
    """
    with at_work(store, job) as heart:
        heart.tell(current="downloading")
        registry = Registry(store.home)
        name = registry.downloaded(job.model_id)
        if not name:
            name = _fetch(job, registry, heart)
            AuditLog(store.home).add("", "model downloaded", name)
        heart.tell(current="trying")
        try_model(name, pipeline())


def _fetch(job: DownloadJob, registry: Registry, heart: Heart) -> str:
    release, num_bytes = read_release(find(job.model_id)), 0

    def count(arrived: int) -> None:
        nonlocal num_bytes
        num_bytes += arrived
        heart.tell(num_bytes=num_bytes)
        if heart.stop_requested.is_set():
            raise StoppedError("stopped; a new download continues where it stopped")

    heart.tell(size=release.size)
    return fetch(release, registry, count).name


def main(home: Annotated[Path, typer.Option(help="The home folder.")]) -> None:
    """Run the queued downloads of a home folder until none is left."""
    write_log()
    store = DownloadJobStore(home)
    run_queued(store, lambda job: run(store, job, lambda: Pipeline(read_settings(home))))


if __name__ == "__main__":
    typer.run(main)
