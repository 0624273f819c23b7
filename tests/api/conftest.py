"""The API over the tiny table, with fakes for the models, in this process and behind a real server."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from app.access.access import Access
from app.access.callers import Callers
from app.access.keys import KeyStore
from app.access.limits import Limits
from app.access.rates import Rates
from app.api.web import create_api
from app.feedback import FeedbackStore
from app.language_model.protocol import LanguageModel
from app.pipeline import Pipeline
from app.reranking.rerank import Reranker
from app.settings import Settings
from ingest.table import ChunkTable
from tests.app.builders import WordScorer
from tests.conftest import PATIENCE, FakeEmbedder, FakeReranker

MakePipeline = Callable[..., Pipeline]


@pytest.fixture
def scorer() -> FakeReranker:
    """The shipped reranker, which is the live one: the word 'gold' is worth 10."""
    return FakeReranker()


@pytest.fixture
def make_pipeline(
    settings: Settings,
    table: ChunkTable,
    embedder: FakeEmbedder,
    scorer: FakeReranker,
    monkeypatch: pytest.MonkeyPatch,
) -> MakePipeline:
    rerankers: dict[str, Reranker | None] = {"none": None, "shipped": scorer, "late-interaction": WordScorer()}
    monkeypatch.setattr("app.models.load_reranker", lambda name, _settings: rerankers[name])

    def make(language_model: LanguageModel | None = None) -> Pipeline:
        return Pipeline(settings, embedder, language_model)

    return make


@pytest.fixture
def store(settings: Settings) -> FeedbackStore:
    return FeedbackStore(settings.home)


@pytest.fixture
def keys(settings: Settings) -> KeyStore:
    return KeyStore(settings.home)


@pytest.fixture
def key(keys: KeyStore) -> str:
    return keys.create("helpdesk", Limits(num_users=20))


@dataclass
class Api:
    """The API at /v1 of a site, and its pipeline, which a test may exchange."""

    pipeline: Pipeline
    site: Starlette = field(init=False)
    callers: Callers = field(init=False)
    store: FeedbackStore
    keys: KeyStore

    def __post_init__(self) -> None:
        self.callers = Callers(self.keys, Access(self.pipeline.settings.home))
        api = create_api(lambda: self.pipeline, lambda: self.store, self.callers, Rates())
        self.site = Starlette(routes=[Mount("/v1", api)])


@pytest.fixture
def api(make_pipeline: MakePipeline, store: FeedbackStore, keys: KeyStore) -> Api:
    return Api(make_pipeline(), store=store, keys=keys)


@pytest.fixture
def client(api: Api, key: str) -> Iterator[TestClient]:
    """A client with a key; a fault of the server is an answer, as for any client."""
    headers = {"Authorization": f"Bearer {key}"}
    with TestClient(api.site, headers=headers, raise_server_exceptions=False) as client:
        yield client


@contextmanager
def serving(site: Starlette) -> Iterator[str]:
    """The address of a real server in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(site, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        wait_until(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        listener.close()


def leave_once(has_begun: Callable[[], bool], url: str, body: object, key: str) -> None:
    """Send a request, and close its connection without an answer as soon as the server has begun with it."""
    address = urlsplit(url)
    connection = HTTPConnection(address.netloc, timeout=PATIENCE)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request("POST", address.path, json.dumps(body), headers)
    try:
        wait_until(has_begun)
    finally:
        connection.close()


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.01)


def parsed(stream: str) -> list[tuple[str, Any]]:
    """The events of a stream, in order."""
    events = []
    for block in stream.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            events.append((fields["event"], json.loads(fields["data"])))
    return events
