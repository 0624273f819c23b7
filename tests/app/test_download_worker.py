from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.access.audit import AuditLog
from app.downloads import worker
from app.downloads.catalog import DownloadError
from app.downloads.jobs import DownloadJob, DownloadJobStore
from app.registry import Registry
from ingest.home.job_process import Heart
from tests.api.conftest import serving
from tests.app.hub_server import Hub
from tests.app.test_downloads import FILES, MODEL


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub(MODEL.id, dict(FILES))
    monkeypatch.setattr("app.downloads.catalog.catalog", lambda: (MODEL,))
    with serving(hub.app) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield hub


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the models that were tried."""
    tried: list[str] = []
    monkeypatch.setattr(worker, "try_model", lambda name, _pipeline: tried.append(name))
    return tried


def run(home: Path) -> DownloadJob:
    store = DownloadJobStore(home)
    store.add(MODEL.id)
    job = store.claim()
    assert job is not None
    no_pipeline: Any = None
    try:
        worker.run(store, job, lambda: no_pipeline)
    finally:
        job = store.job(job.id)
    return job


def test_a_job_downloads_and_tries(hub: Hub, home: Path, tried: list[str]) -> None:
    job = run(home)
    assert (job.state, job.message) == ("done", "")
    assert job.num_bytes == job.size > len(FILES["model.safetensors"])
    assert [model.name for model in Registry(home).models()] == tried == ["tiny-reranker"]
    assert [(each.act, each.subject) for each in AuditLog(home).entries()] == [("model downloaded", "tiny-reranker")]


def test_a_model_that_is_here_is_only_tried(hub: Hub, home: Path, tried: list[str]) -> None:
    run(home)
    hub.asked.clear()
    assert run(home).state == "done"
    assert hub.asked == []
    assert tried == ["tiny-reranker"] * 2


def test_a_job_that_fails_keeps_why(hub: Hub, home: Path, tried: list[str]) -> None:
    hub.license = "mit"
    with pytest.raises(DownloadError):
        run(home)
    (job,) = DownloadJobStore(home).jobs()
    assert job.state == "failed"
    assert "has the license mit at the hub" in job.message
    assert tried == []


def test_a_job_that_is_stopped_registers_nothing(
    hub: Hub, home: Path, tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tell = Heart.tell

    def tell_and_stop(heart: Heart, **changes: object) -> None:
        tell(heart, **changes)
        if changes.get("num_bytes"):
            heart.stop_requested.set()

    monkeypatch.setattr(Heart, "tell", tell_and_stop)
    job = run(home)
    assert (job.state, job.message) == ("cancelled", "stopped; a new download continues where it stopped")
    assert Registry(home).models() == []
    assert tried == []
