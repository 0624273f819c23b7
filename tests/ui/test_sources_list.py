from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.access.audit import AuditLog
from app.access.rights import Rights
from app.settings import Settings
from ingest.jobs import JobStore
from ingest.sources.connect import new_source
from ingest.sources.store import SourceStore
from tests.ui.conftest import Run

pytestmark = pytest.mark.slow


def sources() -> None:
    from app.ui.documents.sources import show_sources
    from app.ui.messages import show_messages

    show_sources()
    show_messages()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    homes: list[Path] = []
    monkeypatch.setattr(JobStore, "start_worker", lambda store: homes.append(store.home))
    return homes


def add(page: AppTest, address: str) -> AppTest:
    page.text_input(key="source-address").set_value(address)
    return press(page, "Add source")


def press(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception
    return page


def become(monkeypatch: pytest.MonkeyPatch, rights: Rights) -> None:
    for module in ("who", "documents.sources", "documents.collections"):
        monkeypatch.setattr(f"app.ui.{module}.current_rights", lambda: rights)


def test_a_source_is_added_synced_and_removed(run_page: Run, settings: Settings, started: list[Path]) -> None:
    page = add(run_page(sources), "https://docs.example.com/")
    assert page.success[0].value == "Added. Its documents appear as they are read."
    (source,) = SourceStore(settings.home).sources()
    assert (source.name, source.every, source.inner) == ("docs.example.com", "1d", False)
    (job,) = JobStore(settings.home).jobs()
    assert (job.kind, job.source) == ("source", "docs.example.com")
    JobStore(settings.home).end(job.id, "done")
    page = press(page, "Sync now")
    assert len(JobStore(settings.home).jobs()) == len(started) == 2
    assert "next sync" in page.caption[0].value
    assert "syncing now" in page.caption[0].value
    page = press(page, "Remove source, keep its documents")
    assert SourceStore(settings.home).sources() == []
    assert [entry.act for entry in AuditLog(settings.home).entries()] == [
        "source removed",
        "source synced",
        "source added",
    ]


def test_a_curator_adds_public_websites_alone(
    run_page: Run, settings: Settings, started: list[Path], monkeypatch: pytest.MonkeyPatch, documents: Path
) -> None:
    become(monkeypatch, Rights("cur@example.org", "curator"))
    page = run_page(sources)
    assert not page.checkbox
    for address in (str(documents), "s3://bucket", "https://example.com/wiki.git", "webdav://10.0.0.1/"):
        page = add(page, address)
        assert page.error[0].value == "only an administrator can add anything but a website that anybody can read"
    page = add(page, "https://docs.example.com/")
    (source,) = SourceStore(settings.home).sources()
    assert not source.inner


def test_sources_of_other_collections_are_neither_shown_nor_changed(
    run_page: Run, settings: Settings, started: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    SourceStore(settings.home).add(new_source("https://pay.example.com/", "pay", "personnel"))
    become(monkeypatch, Rights("cur@example.org", "curator", frozenset({"it"})))
    page = run_page(sources)
    assert [button.label for button in page.button] == ["Add source"]
    page = add(page, "https://docs.example.com/")  # its default collection is none of theirs
    assert page.error[0].value == "choose a collection that you may read"
    assert len(SourceStore(settings.home).sources()) == 1
    assert not started
