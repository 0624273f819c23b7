"""A source that is synced in this process with the fake embedder, and a website on loopback."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ingest.pipeline import FileResult
from ingest.sources import fetch
from ingest.sources.connect import new_source
from ingest.sources.store import SourceStore
from ingest.sources.sync import Sync
from ingest.table import ChunkTable, stored_documents
from tests.conftest import FakeEmbedder

SyncNow = Callable[..., list[FileResult]]
"""Syncs the source with this address, which is added at the first call."""


@pytest.fixture
def new_home(tmp_path: Path) -> Path:
    return tmp_path / "followed"


@pytest.fixture
def sync(new_home: Path, embedder: FakeEmbedder) -> SyncNow:
    def run(
        address: str | Path, *, inner: bool = True, delete_many: bool = False, name: str = "it"
    ) -> list[FileResult]:
        store = SourceStore(new_home)
        if name not in [source.name for source in store.sources()]:
            store.add(new_source(str(address), name, inner=inner))
        running = Sync(store.source(name), new_home, delete_many=delete_many)
        return list(running.run(ChunkTable(new_home, embedder), embedder))

    return run


def outcome(results: list[FileResult]) -> list[tuple[str, str]]:
    """Status and name below the source, sorted."""
    return sorted((result.status, result.name.partition("/")[2]) for result in results)


def names(home: Path) -> list[str]:
    return [document.name.partition("/")[2] for document in stored_documents(home)]


@dataclass
class Site:
    """A website: path -> (status, headers, body). Conditional requests are answered as by any server."""

    url: str
    pages: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    statuses: list[int] = field(default_factory=list)

    def put(self, path: str, text: str, *, kind: str = "text/html", status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = (status, {"Content-Type": kind, **named}, text.encode())

    def page(self, path: str, text: str, *links: str, head: str = "") -> None:
        """A page with a heading and links, and an ETag made from its text."""
        anchors = " ".join(f'<a href="{link}">more</a>' for link in links)
        self.put(
            path,
            f"<html><head>{head}</head><body><main><h1>About {path}</h1><p>{text}</p></main>{anchors}</body></html>",
            ETag=f'"{hash((text, links, head))}"',
        )


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(fetch, "_PAUSE_SECONDS", 0.0)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked[self.path] += 1
            status, headers, body = served.pages.get(self.path, (404, {}, b""))
            if status == 200 and headers.get("ETag") and self.headers.get("If-None-Match") == headers["ETag"]:
                status, body = 304, b""
            served.statuses.append(status)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()
