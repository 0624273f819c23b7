from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import streamlit as st
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app.access.rights import Rights
from app.reranking.rerank import Reranker
from app.settings import Settings
from app.ui.resources import SHARED
from app.ui.who import require_login
from ingest.table import ChunkTable
from tests.conftest import PATIENCE, FakeEmbedder, FakeReranker

Run = Callable[[Callable[[], None]], AppTest]
Visit = Callable[..., AppTest]

MAIN = Path(__file__).parents[2] / "app" / "ui" / "main.py"

_WHO_ASK_WHO_IT_IS = (
    "ask.page",
    "ask.conversations",
    "ask.controls",
    "feedback.files",
    "feedback.page",
    "feedback.people",
    "feedback.changed",
    "feedback.say",
    "feedback.statements",
    "feedback.proposals",
    "feedback.by_question",
    "training.models",
    "ask.source_cards",
    "source.page",
    "source.strike",
    "training.page",
    "training.progress",
    "training.trial",
    "ask.turn",
    "documents.versions",
)

_WHO_ASK_FOR_RIGHTS = (
    "resources",
    "ask.conversations",
    "ask.page",
    "ask.turn",
    "documents.collections",
    "documents.jobs",
    "documents.page",
    "documents.sources",
    "feedback.log",
    "feedback.proposals",
    "feedback.say",
    "who",  # last: the others must not import a fake
)


class AtOnce:
    """Stands for the threads of the answerer: what is begun is done when `submit` returns."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def submit(self, act: Callable[..., object], *arguments: object) -> None:
        act(*arguments)


@pytest.fixture(autouse=True)
def browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a browser without a cookie sends, which an AppTest does not; and no login that another test required."""
    monkeypatch.setattr(ContextProxy, "cookies", {})
    monkeypatch.setattr(ContextProxy, "ip_address", "192.0.2.7")
    monkeypatch.setattr("app.ui.who._login_required", threading.Event())


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Callable[[Rights], None]:
    """Gives the current user these rights."""

    def become_one(rights: Rights) -> None:
        for module in _WHO_ASK_FOR_RIGHTS:
            monkeypatch.setattr(f"app.ui.{module}.current_rights", lambda: rights)

    return become_one


@pytest.fixture
def fake_models(
    settings: Settings, table: ChunkTable, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The pages find the tiny table, with fakes for the models."""

    def load(name: str, _settings: Settings) -> Reranker | None:
        return None if name == "none" else FakeReranker({"hotel": 5.0, "VPN": 1.0})

    monkeypatch.setenv("CITELOOP_HOME", str(settings.home))
    monkeypatch.setattr("app.models.load_embedder", lambda *_: embedder)
    monkeypatch.setattr("app.models.load_reranker", load)
    monkeypatch.setattr("app.answering.ThreadPoolExecutor", AtOnce)
    st.cache_resource.clear()
    SHARED.clear()
    yield
    st.cache_resource.clear()
    SHARED.clear()


@pytest.fixture(autouse=True)
def slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No job counts as dead for the time that it takes to draw a page of it."""
    monkeypatch.setattr("ingest.home.job_store._DEAD_AFTER", timedelta(minutes=10))


@pytest.fixture
def run_page(fake_models: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a page over the tiny table, with fakes for the models."""
    for module in _WHO_ASK_WHO_IT_IS:
        monkeypatch.setattr(f"app.ui.{module}.current_user", lambda: "ann")  # AppTest has no cookies
    return lambda page: AppTest.from_function(page, default_timeout=PATIENCE).run()


@pytest.fixture
def visit(fake_models: None) -> Visit:
    """Opens the site at an address as somebody who is logged in, as a browser does; None: before the login."""
    require_login()

    def open_page(email: str | None, page: str = "", **parameters: str) -> AppTest:
        opened = AppTest.from_file(str(MAIN), default_timeout=PATIENCE)
        opened.user = {"is_logged_in": email is not None} | ({"email": email} if email else {})
        opened._page_hash = calc_hash(page)  # the tests of Streamlit switch between files only
        for name, value in parameters.items():
            opened.query_params[name] = value
        return opened.run()

    return open_page
