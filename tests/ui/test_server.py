from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from starlette.testclient import TestClient
from streamlit.runtime import Runtime

from app.api.keys import KeyStore
from app.pipeline import Pipeline
from app.settings import Settings
from app.ui import server
from app.ui.resources import feedback_store
from ingest import CiteloopError
from tests.app.builders import WordScorer

Site = Callable[..., TestClient]


@pytest.fixture
def calls(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is done when a server starts, in order; nothing of it really is."""
    calls: list[object] = []
    monkeypatch.setenv("CITELOOP_HOME", str(settings.home))
    monkeypatch.setattr("ingest.worker.resume", calls.append)
    monkeypatch.setattr("app.training.jobs.resume", calls.append)
    monkeypatch.setattr("app.ui.server.warm_up", lambda: calls.append("warm up"))
    return calls


def test_jobs_that_were_killed_go_on_when_the_server_starts(calls: list[object], settings: Settings) -> None:
    server._get_ready()
    assert calls == [settings.home, settings.home, "warm up"]


def test_ingests_that_cannot_go_on_keep_neither_trainings_nor_models_waiting(
    calls: list[object], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_home: Path) -> None:
        raise CiteloopError("the jobs cannot be read")

    monkeypatch.setattr("ingest.worker.resume", fail)
    server._get_ready()
    assert calls == [settings.home, "warm up"]


@pytest.fixture
def site(calls: list[object], pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Gives a client of the site, whose pages would find this pipeline."""
    monkeypatch.setattr("app.ui.server.pipeline", lambda: pipeline)
    monkeypatch.setattr("app.pipeline.load_reranker", lambda name, _settings: None if name == "none" else WordScorer())
    monkeypatch.setattr(Runtime, "_instance", None)  # there is one in a process, and here one in a test
    st.cache_resource.clear()
    yield lambda *, api: TestClient(server.create_app(api=api))
    st.cache_resource.clear()


def test_programs_find_what_the_pages_use(site: Site, settings: Settings) -> None:
    headers = {"Authorization": f"Bearer {KeyStore(settings.home).create('helpdesk')}"}
    with site(api=True) as client:
        assert client.post("/v1/search", json={"query": "hotel"}).status_code == 401
        found = client.post("/v1/search", json={"query": "hotel"}, headers=headers)
        page = client.get("/")
    assert found.json()["ranking"][0]["document"] == "handbook/travel.md"
    assert found.headers["Content-Security-Policy"] == server.CONTENT_SECURITY_POLICY
    assert "set-cookie" not in found.headers
    assert page.headers["content-type"].startswith("text/html")


def test_stream_of_an_answer_comes_through_the_site(site: Site, settings: Settings) -> None:
    headers = {"Authorization": f"Bearer {KeyStore(settings.home).create('helpdesk')}", "Accept-Encoding": "gzip"}
    with site(api=True) as client:
        answer = client.post("/v1/ask", json={"question": "How many days of leave?"}, headers=headers)
        assert "content-encoding" not in answer.headers  # each event goes out by itself
        assert answer.text.startswith("event: sources\n")
        answer_id = json.loads(answer.text.splitlines()[1].removeprefix("data: "))["answer_id"]
        body = {"answer_id": answer_id, "number": 1, "action": "deleted"}
        assert client.post("/v1/feedback", json=body, headers=headers).json()["recorded"]
    assert [event.user for event in feedback_store().events()] == ["api:helpdesk"]  # where the pages look, too


def test_without_being_asked_for_there_is_nothing_for_programs(site: Site, settings: Settings) -> None:
    headers = {"Authorization": f"Bearer {KeyStore(settings.home).create('helpdesk')}"}
    with site(api=False) as client:
        assert client.post("/v1/search", json={"query": "hotel"}, headers=headers).status_code in (404, 405)
        described = client.get("/v1/openapi.json")
    assert described.headers["content-type"].startswith("text/html")  # the page that says that there is no such page
