from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.access.rights import Rights
from app.reranking.rerank import Reranker
from app.settings import Settings
from ingest.table import ChunkTable
from tests.conftest import FakeEmbedder, FakeReranker

Run = Callable[[Callable[[], None]], AppTest]

_WHO_ASK_WHO_IT_IS = (
    "ask.answer_search",
    "ask.page",
    "ask.conversations",
    "ask.controls",
    "feedback.files",
    "feedback.inbox",
    "feedback.people",
    "feedback.unanswered",
    "feedback.proposals",
    "feedback.by_question",
    "training.models",
    "ask.source_cards",
    "source.page",
    "training.page",
    "training.progress",
    "ask.turn",
    "documents.versions",
)

_WHO_ASK_FOR_RIGHTS = (
    "resources",
    "ask.conversations",
    "ask.page",
    "documents.jobs",
    "documents.page",
    "feedback.inbox",
)


class AtOnce:
    """Stands for the threads of the answerer: what is begun is done when `submit` returns."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def submit(self, act: Callable[..., object], *arguments: object) -> None:
        act(*arguments)


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Callable[[Rights], None]:
    """Gives the current user these rights."""

    def become_one(rights: Rights) -> None:
        for module in _WHO_ASK_FOR_RIGHTS:
            monkeypatch.setattr(f"app.ui.{module}.current_rights", lambda: rights)

    return become_one


@pytest.fixture(autouse=True)
def may_do_everything(become: Callable[[Rights], None]) -> None:
    become(Rights("ann"))


@pytest.fixture
def run_page(
    settings: Settings, table: ChunkTable, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    """Runs a page over the tiny table, with fakes for the models."""

    def load(name: str, _settings: Settings) -> Reranker | None:
        return None if name == "none" else FakeReranker({"hotel": 5.0, "VPN": 1.0})

    monkeypatch.setenv("CITELOOP_HOME", str(settings.home))
    monkeypatch.setattr("app.pipeline.load_embedder", lambda *_: embedder)
    monkeypatch.setattr("app.pipeline.load_reranker", load)
    monkeypatch.setattr("app.answering.ThreadPoolExecutor", AtOnce)
    for module in _WHO_ASK_WHO_IT_IS:
        monkeypatch.setattr(f"app.ui.{module}.current_user", lambda: "ann")  # AppTest has no cookies
    st.cache_resource.clear()
    yield lambda page: AppTest.from_function(page, default_timeout=30).run()
    st.cache_resource.clear()
