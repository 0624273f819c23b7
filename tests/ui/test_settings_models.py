from __future__ import annotations

from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.downloads.catalog import CatalogModel
from app.downloads.jobs import DownloadJobStore
from app.registry import Registry
from app.settings import Settings
from app.ui.resources import SHARED
from tests.app.gate_builder import make_gate_report
from tests.conftest import PATIENCE

MODELS = (
    CatalogModel("acme/Tiny", "cross-encoder", "apache-2.0", ("en",), 90, "nDCG@10 74.30"),
    CatalogModel("acme/Refused", "cross-encoder", "cc-by-nc-4.0", ("many",), 900),
    CatalogModel("acme/Embedder", "embedder", "mit", ("en",), 90),
)


def page_of_models() -> None:
    from app.settings import read_settings
    from app.ui import settings_models

    settings_models.show_models(read_settings())


@pytest.fixture
def home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CITELOOP_HOME", str(settings.home))
    monkeypatch.setattr("app.ui.settings_models.catalog", lambda: MODELS)
    monkeypatch.setattr("app.ui.training.models.current_user", lambda: "ann")
    monkeypatch.setattr("ingest.home.job_store.start_process", lambda *_, **__: None)
    st.cache_resource.clear()
    SHARED.clear()
    return settings.home


def shown() -> AppTest:
    page = AppTest.from_function(page_of_models, default_timeout=PATIENCE).run()
    assert not page.exception
    return page


def labels(page: AppTest) -> list[str]:
    return [button.label.replace("\\", "") for button in page.button]


def texts(page: AppTest) -> str:
    kinds = (page.markdown, page.caption, page.info, page.error)
    return "\n".join(str(element.value) for elements in kinds for element in elements).replace("\\", "")


def add(home: Path) -> str:
    """Register what a download would have left."""
    registry = Registry(home)
    with registry.unfinished() as folder:
        (folder / "model.safetensors").write_bytes(b"weights")
        return registry.add(folder, "tiny", kind="cross-encoder", base="acme/Tiny@0123").name


def test_rerankers_are_offered_with_what_is_known_of_them(home: Path) -> None:
    page = shown()
    assert labels(page) == ["Download tiny"]
    assert page.expander[0].label == "Available rerankers (2)"
    assert "90 MB · apache-2.0 · English\n" in texts(page)
    assert page.button[0].help.replace("\\", "") == "Measured by its authors: nDCG@10 74.30"
    assert "Not offered: its license, cc-by-nc-4.0, forbids commercial use." in texts(page)


def test_a_download_is_queued_shown_and_can_be_stopped(home: Path) -> None:
    page = shown()
    page.button[0].click().run()
    (job,) = DownloadJobStore(home).jobs()
    assert job.model_id == "acme/Tiny"
    DownloadJobStore(home).update(job.id, size=4_000_000, num_bytes=1_000_000, current="downloading", state="running")
    page = shown()
    assert labels(page) == ["Stop download"]
    page.button[0].click().run()
    assert DownloadJobStore(home).job(job.id).cancel_requested


def test_a_model_is_used_only_after_its_trial(home: Path) -> None:
    name = add(home)
    assert labels(shown()) == ["Try tiny"]
    make_gate_report(candidate=name).save(Registry(home).folder(name))
    page = shown()
    assert "Time on this machine: " in texts(page)
    assert "On your questions: " in texts(page)
    assert "On the sample's questions: " in texts(page)
    next(button for button in page.button if button.label == "Promote tiny now").click().run()
    assert not page.exception
    assert Registry(home).live() == "tiny"
    assert ":green-badge[live]" in texts(shown())


def test_a_download_that_failed_says_why_and_can_be_tried_again(home: Path) -> None:
    store = DownloadJobStore(home)
    store.end(store.add("acme/Tiny").id, "failed", "cannot download acme/Tiny: no network")
    page = shown()
    assert "cannot download acme/Tiny: no network" in texts(page)
    assert labels(page) == ["Download tiny"]


def test_locked_settings_allow_no_download(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITELOOP_LOCK_SETTINGS", "1")
    page = shown()
    assert labels(page) == []
    assert "Downloads are locked" in texts(page)
