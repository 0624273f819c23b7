"""Fakes for the three seams, and a tiny table that is filled in milliseconds."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NoReturn

os.environ["HF_HUB_OFFLINE"] = "1"  # before any import of a model library: a test that would fetch, fails

import numpy as np
import pytest

from app.language_model.protocol import LanguageModelError
from app.pipeline import Pipeline
from app.reranking.rerank import Blend
from app.settings import Settings
from ingest.embed.embedder import Vectors
from ingest.isolation import Limits, ParserPool
from ingest.pipeline import ingest
from ingest.table import ChunkTable

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
"""Real documents that are not part of the project; tests that use them skip where it is absent."""


PATIENCE = 60.0
"""Seconds to wait for what must happen: far more than it takes, since other work may slow this machine down."""


class FakeEmbedder:
    """A bag of hashed words: texts that share words are near each other."""

    name = "fake"
    dimension = 64
    max_tokens = 40

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def embed(self, texts: list[str]) -> Vectors:
        vectors = np.full((len(texts), self.dimension), 1e-3, np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()):
                row[zlib.crc32(word.encode()) % self.dimension] += 1
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

    def embed_query(self, text: str) -> Vectors:
        return np.asarray(self.embed([text])[0], np.float32)


class FakeReranker:
    """Scores a passage by a function of its text; the default likes the word 'gold'. A Similarity, too."""

    def __init__(self, scores: Mapping[str, float] | None = None, blend: Blend | None = None) -> None:
        self.name = "fake"
        self.blend = blend
        self._scores = scores or {"gold": 10.0}
        self.calls: list[tuple[str, list[str]]] = []

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        self.calls.append((query, list(passages)))
        return [sum(score for word, score in self._scores.items() if word in passage) for passage in passages]

    def similarities(self, text: str, texts: Sequence[str]) -> list[float]:
        return self.score(text, texts)


class FakeLanguageModel:
    """Streams what it was given; an exception among the pieces is raised in its place."""

    name = "fake-writer"

    def __init__(self, *pieces: str | LanguageModelError) -> None:
        self._pieces = pieces
        self.messages: list[Mapping[str, Any]] = []

    def stream(self, messages: Sequence[Mapping[str, Any]], stop: threading.Event | None = None) -> Iterator[str]:
        self.messages = list(messages)
        for piece in self._pieces:
            if stop and stop.is_set():
                return
            if isinstance(piece, LanguageModelError):
                raise piece
            yield piece


def refuse(*_: object) -> NoReturn:
    """What SQLite does on a full disk, in the place of ingest.home.database._opened_for_writing."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    raise error


DOCUMENTS = {
    "handbook/leave.md": "# Leave\n\n## Annual leave\n\nEverybody has 30 days of leave a year.\n\n"
    "## Parental leave\n\nParents request parental leave eight weeks before the birth.\n",
    "handbook/travel.md": "# Travel\n\nA hotel may cost 150 euros a night. Trains come first for short trips.\n",
    "it/vpn.md": "# VPN\n\nThe VPN needs the hardware key. Call extension 4400 when the tunnel fails.\n",
}


_FIXTURES_OF_SEVERAL_PARTS = {
    *("table", "pipeline", "sync", "large"),  # documents in a table
    *("citeloop", "httpserver", "server", "own_server", "hub"),  # commands, and answers over HTTP
    *("benchmark", "by_document", "by_passage", "judged", "report"),  # evaluations
}


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark the tests of several parts together, which take longer than those of one part."""
    for item in items:
        if _FIXTURES_OF_SEVERAL_PARTS & set(getattr(item, "fixturenames", ())):
            item.add_marker("integration")


@pytest.fixture(scope="session", autouse=True)
def shared_parsers() -> Iterator[None]:
    """One pool of parsers for every ingest in this process, since each would take half a second to start its own.

    An ingest with other limits gets its own all the same.
    """
    usual = Limits()
    with ParserPool(usual, num_processes=2) as shared, pytest.MonkeyPatch.context() as patch:

        def parsers(limits: Limits | None = None) -> AbstractContextManager[ParserPool]:
            return nullcontext(shared) if limits in (None, usual) else ParserPool(limits)

        patch.setattr("ingest.pipeline.ParserPool", parsers)
        yield


@pytest.fixture
def embedder() -> FakeEmbedder:
    return FakeEmbedder()


@pytest.fixture
def rare_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the fake embedder's tokenizer know no word as a whole, so that typos are looked for."""
    count = FakeEmbedder.count_tokens
    monkeypatch.setattr(FakeEmbedder, "count_tokens", lambda self, text: max(2, count(self, text)))


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A folder with three small documents."""
    return _write_documents(tmp_path / "documents")


def _write_documents(folder: Path) -> Path:
    for name, text in DOCUMENTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture(scope="session")
def filled_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with the three documents, made once for all tests of this process, which get copies."""
    folder, embedder = tmp_path_factory.mktemp("filled"), FakeEmbedder()
    results = ingest([_write_documents(folder / "documents")], ChunkTable(folder / "home", embedder), embedder)
    assert {result.status for result in results} == {"added"}
    return folder / "home"


@pytest.fixture
def table(request: pytest.FixtureRequest, home: Path, filled_home: Path, embedder: FakeEmbedder) -> ChunkTable:
    """A table with the three documents in it: those of the test's own folder, if it uses that."""
    if "documents" not in request.fixturenames:
        shutil.copytree(filled_home, home, dirs_exist_ok=True)
        return ChunkTable(home, embedder)
    table = ChunkTable(home, embedder)
    results = ingest([request.getfixturevalue("documents")], table, embedder)
    assert {result.status for result in results} == {"added"}
    return table


@pytest.fixture
def settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings that no variable of the outside reaches."""
    for variable in list(os.environ):
        if variable.startswith(("CITELOOP_", "OPENAI_", "AZURE_OPENAI_")):
            monkeypatch.delenv(variable)
    return Settings(home=home, reranker="none")


@pytest.fixture
def pipeline(settings: Settings, table: ChunkTable, embedder: FakeEmbedder) -> Pipeline:
    """A pipeline over the tiny table, with the fake embedder and extractive answers."""
    return Pipeline(settings, embedder)
