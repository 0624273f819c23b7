from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.settings import Settings
from app.ui.documents.jobs import outcome_words, progress_words, result_lines, state_words, title
from ingest.home.database import now
from ingest.jobs import Job, JobStore
from ingest.pipeline import FileResult
from ingest.worker import uploads_folder
from tests.ui.conftest import Run

pytestmark = pytest.mark.slow

LONG_AGO = (datetime.now(UTC) - timedelta(days=5)).isoformat()


def jobs() -> None:
    from app.ui.documents import jobs as job_list

    job_list.show_jobs()


@pytest.fixture
def store(settings: Settings) -> JobStore:
    return JobStore(settings.home)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The homes for which a worker was started; none really is."""
    homes: list[Path] = []
    monkeypatch.setattr(JobStore, "start_worker", lambda store: homes.append(store.home))
    return homes


def running(store: JobStore, documents: Path, **changes: object) -> Job:
    job = store.add("folder", [documents], begin=True)
    store.update(
        job.id,
        **{"state": "running", "started_at": now(), "num_files": 12, "num_files_done": 3, "current": "it/a_b.md"}
        | changes,
    )
    return store.job(job.id)


def ended(store: JobStore, paths: list[Path], *results: FileResult, state: str = "done", at: str | None = None) -> Job:
    job = store.add("folder", paths, begin=True)
    for result in results:
        store.record(job.id, result)
    store.update(job.id, state=state, ended_at=at or now(), num_files_done=len(results))
    return store.job(job.id)


def texts(page: AppTest) -> str:
    assert not page.exception
    kinds = (page.header, page.markdown, page.caption)
    return "\n".join(str(element.value) for elements in kinds for element in elements)


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def click(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception
    return page


def test_without_jobs_there_is_nothing(run_page: Run) -> None:
    assert texts(run_page(jobs)) == ""


def test_a_running_job_shows_how_far_it_is(run_page: Run, store: JobStore, documents: Path) -> None:
    ago = (datetime.now(UTC) - timedelta(seconds=6000)).isoformat()
    job = running(store, documents, num_chunks_done=240_000, started_at=ago)
    for number in range(3):
        store.record(job.id, FileResult(f"{number}.md", f"/{number}.md", "added", 130))
    page = run_page(jobs)
    assert "Ingest of documents" in texts(page)
    assert re.search(r"it/a\\_b\.md · 240,000 passages · (40|39) per second · about 5 h left", texts(page))
    assert page.get("progress")[0].proto.text == "3 of 12 files"
    assert page.get("progress")[0].proto.value == 25
    assert labels(page) == ["Cancel"]


def test_a_running_job_is_asked_to_stop(run_page: Run, store: JobStore, documents: Path) -> None:
    job = running(store, documents)
    page = click(run_page(jobs), "Cancel")
    assert store.job(job.id).cancel_requested
    assert "Stopping" in texts(page)
    assert labels(page) == []


def test_a_queued_upload_that_is_cancelled_leaves_no_files(run_page: Run, store: JobStore) -> None:
    folder = uploads_folder(store.home, "one")
    folder.mkdir(parents=True)
    (folder / "pump.md").write_text("# Pump")
    store.add("upload", [folder], job_id="one")
    page = run_page(jobs)
    assert "Upload of pump.md" in texts(page)
    assert "Queued" in texts(page)
    page = click(page, "Cancel")
    assert store.job("one").state == "cancelled"
    assert not folder.exists()
    assert "Cancelled" in texts(page)
    assert labels(page) == []  # there is nothing left to run again


def test_a_job_whose_process_was_killed_can_go_on(
    run_page: Run, store: JobStore, documents: Path, started: list[Path]
) -> None:
    job = running(store, documents, heartbeat_at=LONG_AGO)
    page = run_page(jobs)
    assert "its process was killed" in texts(page)
    assert labels(page) == ["Resume", "Cancel"]
    click(page, "Resume")
    assert store.job(job.id).heartbeat_at is None
    assert started == [store.home]


def test_a_queued_job_that_nobody_begins_can_be_begun(
    run_page: Run, store: JobStore, documents: Path, started: list[Path]
) -> None:
    job = store.add("folder", [documents])
    assert labels(run_page(jobs)) == ["Cancel"]
    store.update(job.id, created_at=LONG_AGO)
    click(run_page(jobs), "Resume")
    assert started


def test_a_queued_job_whose_worker_is_starting_need_not_be_begun(
    run_page: Run, store: JobStore, documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = store.add("folder", [documents])
    store.update(job.id, created_at=LONG_AGO)
    monkeypatch.setattr(JobStore, "has_worker", True)
    page = run_page(jobs)
    assert labels(page) == ["Cancel"]
    assert "Starting" in texts(page)


def test_what_has_just_ended_is_seen_without_opening_anything(run_page: Run, store: JobStore, documents: Path) -> None:
    good = FileResult("pump.md", "/pump.md", "added", 1)
    bad = FileResult("broken.pdf", "/broken.pdf", "failed", reason="the file is damaged [x](http://evil.example)")
    ended(store, [documents], good, bad)
    page = run_page(jobs)
    assert not page.expander
    assert re.search(r"1 added, 1 failed · (just now|\d+ s ago)", texts(page))
    assert "- **pump.md** :green[added], 1 passage" in texts(page)
    assert r"- **broken.pdf** :red[failed]\: the file is damaged \[x\](http\://evil.example)" in texts(page)


def test_earlier_jobs_are_folded_away_newest_first(run_page: Run, store: JobStore, tmp_path: Path) -> None:
    for name in ("old", "older"):
        ended(store, [tmp_path / name], at=LONG_AGO)
    page = run_page(jobs)
    (expander,) = page.expander
    titles = [element.value for element in expander.markdown]
    assert [title.split()[-1] for title in titles] == ["older**", "old**"]  # in the order in which they were added
    assert "5 days ago" in texts(page)


def test_only_the_newest_job_of_a_folder_that_is_there_can_be_done_again(
    run_page: Run, store: JobStore, documents: Path, started: list[Path]
) -> None:
    for path in (documents, documents, documents / "gone"):
        ended(store, [path])
    page = run_page(jobs)
    assert labels(page) == ["Sync again"]
    click(page, "Sync again")
    newest = store.jobs()[0]
    assert newest.state == "queued"
    assert newest.paths == (str(documents.resolve()),)
    assert started


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_what_failed_or_was_cancelled_can_be_run_again(
    run_page: Run, store: JobStore, documents: Path, started: list[Path], state: str
) -> None:
    job = ended(store, [documents], state=state)
    click(run_page(jobs), "Run again")
    assert store.job(job.id).state == "queued"
    assert started


def test_the_reason_of_a_failed_job_is_shown(run_page: Run, store: JobStore, documents: Path) -> None:
    job = store.add("folder", [documents], begin=True)
    store.end(job.id, "failed", "the disk is full")
    assert ":red[the disk is full]" in texts(run_page(jobs))


def test_many_failures_are_a_click_away(run_page: Run, store: JobStore, documents: Path) -> None:
    ended(store, [documents], *(FileResult(f"{n}.pdf", f"/{n}.pdf", "failed", reason="damaged") for n in range(8)))
    (expander,) = run_page(jobs).expander
    assert expander.label == "3 more that failed or were skipped"
    assert r"7\.pdf" in expander.markdown[0].value


# words -----------------------------------------------------------------------------------------------------

JOB = Job(
    id="one",
    kind="folder",
    paths=("/srv/handbook",),
    prune=False,
    embedder="",
    collection="",
    source="",
    created_at=now(),
)
WORDS: list[tuple[Callable[[], str], str]] = [
    (lambda: title(JOB), "Ingest of handbook"),
    (lambda: state_words(JOB), "Queued"),
    (lambda: progress_words(JOB), "Looking at the files"),
    (lambda: outcome_words(JOB, []), "Queued"),
    (lambda: result_lines([]), ""),
]


@pytest.mark.parametrize(("words", "expected"), WORDS)
def test_words(words: Callable[[], str], expected: str) -> None:
    assert words() == expected


def test_a_job_that_waits_says_for_whom(store: JobStore, documents: Path) -> None:
    job = running(store, documents, state="queued", message="waiting for another process that is writing")
    assert state_words(job) == "Waiting: another process is writing"


def test_unchanged_files_are_counted(store: JobStore, documents: Path) -> None:
    job = ended(store, [documents])
    store_again = JobStore(store.home)
    assert outcome_words(job, []) == "nothing to do"
    one = FileResult("a.md", "/a.md", "removed")
    job = running(store_again, documents, num_files_done=4, state="running")
    assert "4 unchanged" in outcome_words(job, [one])
    assert "1 removed" in outcome_words(job, [one])
