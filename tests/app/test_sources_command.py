from __future__ import annotations

from pathlib import Path

import pytest

from ingest import worker
from ingest.jobs import JobStore
from ingest.sources.connect import new_source
from ingest.sources.store import SourceStore
from ingest.table import stored_documents
from tests.app.conftest import Citeloop

pytestmark = pytest.mark.usefixtures("fake_models")


@pytest.mark.slow
@pytest.mark.integration
def test_a_source_is_added_synced_and_removed(citeloop: Citeloop, documents: Path, home: Path) -> None:
    assert citeloop("sources", "list").stdout == "no sources yet; to add one: citeloop sources add ADDRESS\n"
    added = citeloop("sources", "add", documents, "--every", "1h", "--name", "wiki", "--collection", "staff")
    assert added.stdout == (
        "added wiki; `citeloop serve` syncs it every 1h. To sync it now: citeloop sources sync wiki\n"
    )
    preview = citeloop("sources", "sync", "wiki", "--dry-run").stdout
    assert preview.endswith("wiki: 3 to read, 0 to remove, 0 unchanged (dry run)\n")
    assert "added     wiki/it/vpn.md  1 passage" in citeloop("sources", "sync").stdout
    assert {document.collection for document in stored_documents(home)} == {"staff"}
    for _ in range(3):
        citeloop("sources", "sync", "wiki")  # of those that change nothing, one is kept
    assert [job.kind for job in JobStore(home).syncs("wiki")] == ["source", "source"]
    (documents / "it/vpn.md").unlink()
    again = citeloop("sources", "sync", "wiki", "--json").json
    assert [(file["name"], file["status"]) for file in again["files"]] == [("wiki/it/vpn.md", "removed")]
    (listed,) = citeloop("sources", "list", "--json").json["sources"]
    assert (listed["name"], listed["every"], listed["last"]["counts"]) == ("wiki", "1h", {"removed": 1})
    syncs = citeloop("sources", "history", "wiki", "--json").json["syncs"]
    assert [sync["counts"] for sync in syncs] == [{"removed": 1}, {"added": 3}]
    assert "done  3 added" in citeloop("sources", "history", "wiki").stdout
    removed = citeloop("sources", "remove", "wiki").stdout
    assert removed == "removed wiki; its 2 documents stay and are no longer updated\n"
    assert len(stored_documents(home)) == 2
    acts = [(entry["act"], entry["subject"]) for entry in citeloop("access", "log", "--json").json]
    assert acts[0] == ("source removed", "wiki")
    assert acts[-3:] == [("sources synced", "wiki"), ("sources synced", ""), ("source added", str(documents))]


@pytest.mark.slow
@pytest.mark.integration
def test_the_documents_can_be_removed_with_the_source(citeloop: Citeloop, documents: Path, home: Path) -> None:
    citeloop("sources", "add", documents, "--name", "wiki")
    citeloop("sources", "sync")
    removed = citeloop("sources", "remove", "wiki", "--with-documents", "--json").json
    assert removed == {"name": "wiki", "num_documents": 3, "documents_removed": True}
    assert stored_documents(home) == []


@pytest.mark.integration
def test_one_source_that_fails_does_not_stop_the_others(citeloop: Citeloop, documents: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    citeloop("sources", "add", tmp_path / "empty")
    citeloop("sources", "add", documents, "--name", "wiki")
    outcome = citeloop("sources", "sync")
    assert outcome.status == 1
    assert "error: empty: nothing was found at" in outcome.stderr
    assert "3 added" in outcome.stdout
    failed = citeloop("sources", "history", "empty").stdout
    assert "failed  nothing was found at" in failed


def test_wrong_sources_are_refused(citeloop: Citeloop, documents: Path) -> None:
    assert citeloop("sources", "add", documents, "--every", "often").status == 1
    assert "neither an address" in citeloop("sources", "add", "/no/such/folder").stderr
    citeloop("sources", "add", documents, "--name", "wiki")
    assert "already" in citeloop("sources", "add", documents, "--name", "other").stderr
    assert "there is no source 'x'; the sources are: wiki" in citeloop("sources", "sync", "x").stderr
    assert citeloop("sources", "sync", "--often").status == 2


def test_a_source_that_is_due_is_queued_once(home: Path, documents: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Path] = []
    monkeypatch.setattr(JobStore, "start_worker", lambda store: started.append(store.home))
    sources = SourceStore(home)
    worker.queue_due(home)
    assert not (home / "citeloop.sqlite3").exists()
    sources.add(new_source(str(documents), "due", every="1h"))
    sources.add(new_source(str(documents / "it"), "by hand"))
    worker.queue_due(home, "fake")
    worker.queue_due(home)
    (job,) = JobStore(home).jobs()
    assert (job.kind, job.source, job.collection, job.embedder) == ("source", "due", "due", "fake")
    assert started == [home]
    assert sources.source("due").next_at > job.created_at
    worker.queue_sync(JobStore(home), sources.source("due"), embedder="")
    assert len(JobStore(home).jobs()) == 1
