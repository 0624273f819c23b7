from __future__ import annotations

from pathlib import Path

import pytest

from app.settings import Settings
from app.ui import server
from ingest import CiteloopError


@pytest.fixture
def calls(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is done when a server starts, in order; nothing of it really is."""
    calls: list[object] = []
    monkeypatch.setenv("CITELOOP_HOME", str(settings.home))
    monkeypatch.setattr("ingest.worker.resume", lambda home, embedder: calls.append((home, embedder)))
    monkeypatch.setattr("app.training.jobs.resume", calls.append)
    monkeypatch.setattr("app.ui.server.warm_up", lambda: calls.append("warm up"))
    return calls


def test_jobs_that_were_killed_go_on_when_the_server_starts(calls: list[object], settings: Settings) -> None:
    server._get_ready()
    assert calls == [(settings.home, "all-MiniLM-L6-v2"), settings.home, "warm up"]


def test_ingests_that_cannot_go_on_keep_neither_trainings_nor_models_waiting(
    calls: list[object], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_home: Path, _embedder: str) -> None:
        raise CiteloopError("the jobs cannot be read")

    monkeypatch.setattr("ingest.worker.resume", fail)
    server._get_ready()
    assert calls == [settings.home, "warm up"]
