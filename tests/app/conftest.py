"""The command line on the tiny home, with fakes for the models."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.commands.main import main
from app.reranking.rerank import Reranker, RerankerError
from app.settings import Settings
from tests.app.builders import WordScorer, write_benchmark
from tests.conftest import DOCUMENTS, FakeEmbedder, FakeReranker


@dataclass(frozen=True)
class Outcome:
    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


Citeloop = Callable[..., Outcome]


class BrokenReranker(FakeReranker):
    """A service that is down."""

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        raise RerankerError("the service is down")


@pytest.fixture
def fake_models(settings: Settings, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    def load_reranker(name: str, _settings: Settings) -> Reranker | None:
        known: dict[str, Reranker | None] = {"none": None, "shipped": WordScorer(), "late-interaction": WordScorer()}
        known |= {"trains": FakeReranker({"Trains": 5.0}), "broken": BrokenReranker()}
        if name not in known:
            raise RerankerError(f"unknown reranker {name!r}; known: none, shipped")
        return known[name]

    monkeypatch.setattr("app.models.load_embedder", lambda _: embedder)
    for module in ("embedder", "deferred"):
        monkeypatch.setattr(f"ingest.embed.{module}.load_embedder", lambda _: embedder)
    monkeypatch.setattr("app.commands.doctor.load_embedder", lambda _: embedder)
    monkeypatch.setattr("app.models.load_reranker", load_reranker)
    monkeypatch.setattr("app.reranking.names.load_reranker", load_reranker)


@pytest.fixture
def citeloop(
    fake_models: None, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Citeloop:
    """Run `citeloop ARGUMENTS` on the tiny home, in this process, through the real entry point."""
    monkeypatch.setenv("CITELOOP_HOME", str(home))

    def run(*arguments: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["citeloop", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        status = stopped.value.code or 0
        assert isinstance(status, int)
        return Outcome(status, *capsys.readouterr())

    return run


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """The tiny documents with two questions, in BEIR layout."""
    corpus = [{"_id": name, "title": name, "text": text} for name, text in DOCUMENTS.items()]
    queries = [{"_id": "q1", "text": "hotel a night"}, {"_id": "q2", "text": "parental leave"}]
    return write_benchmark(
        tmp_path / "tiny", corpus, queries, [("q1", "handbook/travel.md", 1), ("q2", "handbook/leave.md", 1)]
    )
