from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ingest import CiteloopError, worker
from ingest.embed.embedder import Embedder, Vectors
from ingest.home import job_process
from ingest.jobs import Job, JobStore
from ingest.pipeline import Progress
from ingest.reindex import reindex
from ingest.table import ChunkTable, TableError, read_identity, stored_documents
from ingest.worker import run, uploads_folder
from tests.conftest import DOCUMENTS, PATIENCE, FakeEmbedder

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(home: Path) -> JobStore:
    return JobStore(home)


@pytest.fixture(autouse=True)
def _quick_heart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_process, "_HEARTBEAT_SECONDS", 0.02)


def do(store: JobStore, job: Job, embedder: Embedder | None = None) -> list[str]:
    """Run a job to its end; gives the status of each file."""
    return [result.status for result in run(store, job, lambda: embedder or FakeEmbedder())]


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def let_it_hear(store: JobStore, job: Job) -> None:
    """Wait until the job's process has looked whether it is to stop: with a whole heartbeat from here on."""
    for _ in range(2):
        before = store.job(job.id).heartbeat_at
        wait_until(lambda before=before: store.job(job.id).heartbeat_at != before)  # type: ignore[misc]


def names(home: Path) -> list[str]:
    return [document.name for document in stored_documents(home)]


class SlowEmbedder(FakeEmbedder):
    """Waits before it embeds until it is told to go on."""

    def __init__(self) -> None:
        self.began, self.go_on = threading.Event(), threading.Event()

    def embed(self, texts: list[str]) -> Vectors:
        self.began.set()
        assert self.go_on.wait(PATIENCE)
        return super().embed(texts)


class Other(FakeEmbedder):
    name = "other"


# a job in this process -------------------------------------------------------------------------------


def test_job_is_done_and_says_what_it_did(store: JobStore, documents: Path) -> None:
    job = store.add("folder", [documents], begin=True)
    assert do(store, job) == ["added"] * 3
    done = store.job(job.id)
    assert (done.state, done.message, done.current) == ("done", "", "")
    assert (done.num_files, done.num_files_done, done.num_chunks_done) == (3, 3, 4)
    assert done.started_at
    assert done.ended_at
    assert [(result.name, result.status) for result in store.results(job.id)] == [(name, "added") for name in DOCUMENTS]


def test_progress_is_told_to_the_one_who_runs_it_too(store: JobStore, documents: Path) -> None:
    told: list[Progress] = []
    list(run(store, store.add("folder", [documents], begin=True), FakeEmbedder, told.append))
    assert told[-1] == Progress(3, 3, 4, told[-1].current)


def test_result_is_noted_before_it_is_told(store: JobStore, documents: Path) -> None:
    job = store.add("folder", [documents], begin=True)
    results = run(store, job, FakeEmbedder)
    first = next(results)
    assert store.results(job.id) == [first]
    assert store.job(job.id).state == "running"


def test_folder_is_pruned_if_it_was_asked_for(store: JobStore, documents: Path) -> None:
    do(store, store.add("folder", [documents], begin=True))
    (documents / "it" / "vpn.md").unlink()
    assert do(store, store.add("folder", [documents], begin=True)) == ["unchanged", "unchanged"]
    assert do(store, store.add("folder", [documents], prune=True, begin=True)) == ["unchanged", "unchanged", "removed"]


def test_reindex_is_done_as_a_job(store: JobStore, home: Path, table: ChunkTable) -> None:
    job = store.add("reindex", [], begin=True)
    assert do(store, job, Other()) == ["added"] * 3
    assert store.job(job.id).state == "done"
    identity = read_identity(home)
    assert identity
    assert identity.embedder == "other"


def test_job_that_fails_says_why(store: JobStore, home: Path, tmp_path: Path) -> None:
    job = store.add("folder", [tmp_path / "nowhere"], begin=True)
    with pytest.raises(CiteloopError, match="nowhere"):
        do(store, job)
    assert store.job(job.id).state == "failed"
    assert "no such file or folder" in store.job(job.id).message


def test_job_whose_embedder_does_not_fit_fails_and_says_what_to_do(
    store: JobStore, documents: Path, table: ChunkTable
) -> None:
    job = store.add("folder", [documents], begin=True)
    with pytest.raises(TableError):
        do(store, job, Other())
    assert "citeloop reindex --embedder other" in store.job(job.id).message


def test_the_embedder_is_that_of_the_table_unless_another_is_named(
    store: JobStore, home: Path, documents: Path
) -> None:
    class Ours(FakeEmbedder):
        name = "/srv/models/ours"

    assert worker.embedder_for(home, "").name == "all-MiniLM-L6-v2"
    do(store, store.add("folder", [documents], begin=True), Ours())
    assert worker.embedder_for(home, "").name == "/srv/models/ours"
    assert worker.embedder_for(home, "").dimension == Ours.dimension  # as the table says: there is no such folder
    assert worker.embedder_for(home, "all-MiniLM-L6-v2").name == "all-MiniLM-L6-v2"


def test_job_goes_on_with_the_embedder_with_which_it_began(
    store: JobStore, home: Path, table: ChunkTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[str] = []

    def embedder_for(_: Path, name: str) -> Embedder:
        wanted.append(name)
        return FakeEmbedder()

    monkeypatch.setattr(worker, "embedder_for", embedder_for)
    job = store.add("reindex", [], embedder="/srv/models/ours", begin=True)
    store.end(job.id, "failed", "it was interrupted")
    store.queue_again(job.id)
    worker.main(home)
    assert (wanted, store.job(job.id).state) == (["/srv/models/ours"], "done")


def test_ingest_that_waited_for_another_embedder_says_to_run_it_again(
    home: Path, documents: Path, table: ChunkTable
) -> None:
    list(reindex(home, Other()))
    with pytest.raises(TableError, match="rebuilt with another embedder meanwhile; run this again"), table.writing():
        pytest.fail("it may be written")


def test_job_that_is_interrupted_has_failed_and_can_be_resumed(store: JobStore, documents: Path) -> None:
    class Interrupted(FakeEmbedder):
        def embed(self, texts: list[str]) -> Vectors:
            raise KeyboardInterrupt

    job = store.add("folder", [documents], begin=True)
    with pytest.raises(KeyboardInterrupt):
        do(store, job, Interrupted())
    assert (store.job(job.id).state, store.job(job.id).message) == ("failed", "it was interrupted (KeyboardInterrupt)")
    store.queue_again(job.id)
    again = store.claim()
    assert again
    assert do(store, again) == ["added"] * 3
    assert store.job(job.id).state == "done"


# uploads ---------------------------------------------------------------------------------------------


@pytest.fixture
def upload(store: JobStore, home: Path) -> Job:
    """An upload of two files."""
    job_id = "0123456789ab"
    folder = uploads_folder(home, job_id)
    folder.mkdir(parents=True)
    (folder / "a.md").write_text("# A\n\nThe first.\n")
    (folder / "b.md").write_text("# B\n\nThe second.\n")
    return store.add("upload", [folder], job_id=job_id, begin=True)


def test_upload_is_known_by_its_name_and_its_staging_is_removed(store: JobStore, home: Path, upload: Job) -> None:
    assert do(store, upload) == ["added"] * 2
    assert [(each.name, each.source) for each in stored_documents(home)] == [
        ("a.md", "upload:a.md"),
        ("b.md", "upload:b.md"),
    ]
    assert not uploads_folder(home, upload.id).exists()


def test_staging_of_an_upload_that_nobody_began_goes_when_it_is_cancelled(store: JobStore, home: Path) -> None:
    folder = uploads_folder(home, "0123456789ab")
    folder.mkdir(parents=True)
    job = store.add("upload", [folder], job_id="0123456789ab")
    worker.cancel(store, job.id)
    assert (store.job(job.id).state, folder.exists()) == ("cancelled", False)


@pytest.mark.parametrize("how", ["failed", "cancelled", "interrupted"])
def test_staging_stays_until_the_upload_is_done(store: JobStore, home: Path, upload: Job, how: str) -> None:
    class Ends(FakeEmbedder):
        def embed(self, texts: list[str]) -> Vectors:
            if how == "cancelled":
                store.cancel(upload.id)
                let_it_hear(store, upload)
                return super().embed(texts)
            raise CiteloopError("the disk is full") if how == "failed" else KeyboardInterrupt

    with suppress(CiteloopError, KeyboardInterrupt):
        do(store, upload, Ends())
    assert store.job(upload.id).state == ("cancelled" if how == "cancelled" else "failed")
    assert len(list(uploads_folder(home, upload.id).iterdir())) == 2
    store.queue_again(upload.id)
    again = store.claim()
    assert again
    do(store, again)
    assert names(home) == ["a.md", "b.md"]
    assert not uploads_folder(home, upload.id).exists()


# cancelling and waiting ------------------------------------------------------------------------------


def test_running_job_stops_soon_after_it_was_cancelled(store: JobStore, home: Path, documents: Path) -> None:
    embedder = SlowEmbedder()
    job = store.add("folder", [documents], begin=True)
    running = threading.Thread(target=do, args=(store, job, embedder))
    running.start()
    assert embedder.began.wait(PATIENCE)
    assert store.job(job.id).state == "running"
    assert not store.job(job.id).is_dead
    store.cancel(job.id)
    let_it_hear(store, job)
    embedder.go_on.set()
    running.join(PATIENCE)
    assert (store.job(job.id).state, store.job(job.id).message) == (
        "cancelled",
        "stopped; everything done until then is stored",
    )
    assert names(home) == []
    assert do(store, store.add("folder", [documents], begin=True)) == ["added"] * 3


def test_second_job_says_that_it_waits_and_then_runs(store: JobStore, documents: Path, tmp_path: Path) -> None:
    embedder = SlowEmbedder()
    first, second = (store.add("folder", [folder], begin=True) for folder in (documents, documents / "it"))
    threads = [threading.Thread(target=do, args=(store, first, embedder))]
    threads[0].start()
    assert embedder.began.wait(PATIENCE)
    threads.append(threading.Thread(target=do, args=(store, second)))
    threads[1].start()
    wait_until(lambda: store.job(second.id).message == "waiting for another process that is writing")
    assert (store.job(second.id).state, store.job(second.id).started_at) == ("queued", None)
    embedder.go_on.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert [store.job(job.id).state for job in (first, second)] == ["done", "done"]
    assert store.job(second.id).message == ""


def test_job_that_waits_can_be_cancelled(store: JobStore, documents: Path, table: ChunkTable) -> None:
    job = store.add("folder", [documents], begin=True)
    with table.writing():
        waiting = threading.Thread(target=do, args=(store, job))
        waiting.start()
        wait_until(lambda: store.job(job.id).message)
        store.cancel(job.id)
        waiting.join(PATIENCE)
        assert not waiting.is_alive()
    assert (store.job(job.id).state, store.job(job.id).message) == ("cancelled", "cancelled before it started")


def test_store_that_cannot_be_written_does_not_stop_the_work(
    store: JobStore, documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest.home.job_store import JobError

    job = store.add("folder", [documents], begin=True)
    beats: list[str] = []
    usual = JobStore.update

    def update(self: JobStore, job_id: str, **changes: object) -> None:
        if "heartbeat_at" in changes:
            beats.append(job_id)
            raise JobError("the disk is full")
        usual(self, job_id, **changes)

    monkeypatch.setattr(JobStore, "update", update)
    assert do(store, job) == ["added"] * 3
    assert beats
    assert store.job(job.id).state == "done"


# processes of their own ------------------------------------------------------------------------------

WORKER = """
import sys
import time
from pathlib import Path
from ingest import worker
from ingest.home import job_process
from tests.conftest import FakeEmbedder

class Embedder(FakeEmbedder):
    def embed(self, texts):
        time.sleep(float(sys.argv[2]))
        return super().embed(texts)

job_process._HEARTBEAT_SECONDS = 0.1
worker.embedder_for = lambda home, name: Embedder()
import ingest.pipeline
ingest.pipeline._BATCH_CHARACTERS = 0
worker.main(Path(sys.argv[1]))
"""


def start_worker(home: Path, seconds_per_document: float = 0) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", WORKER, str(home), str(seconds_per_document)]
    return subprocess.Popen(command, cwd=ROOT, start_new_session=True)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(12):
        parts = "".join(f"## Part {part}\n\nText {part} of {number}.\n\n" for part in range(5))
        (folder / f"{number:02}.md").write_text(parts)
    return folder


def test_killed_worker_is_followed_by_one_that_finishes_its_job(
    store: JobStore, home: Path, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = store.add("folder", [many])
    first = start_worker(home, 0.5)
    wait_until(lambda: store.job(job.id).num_files_done >= 3)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert store.job(job.id).is_open
    assert store.claim() is None  # it may still be alive, for all anyone knows
    store.update(job.id, heartbeat_at="2020-01-01T00:00:00+00:00")
    store.revive()
    assert start_worker(home).wait(2 * PATIENCE) == 0
    done = store.job(job.id)
    assert (done.state, done.attempts, done.num_files, done.num_files_done) == ("done", 2, 12, 12)
    table = ChunkTable(home, FakeEmbedder())
    assert [(each.name, each.num_chunks) for each in table.documents()] == [(f"{n:02}.md", 5) for n in range(12)]
    results = {result.name for result in store.results(job.id)}
    assert len(results) >= 11  # one may have been stored just before it could be noted


def test_worker_does_all_queued_jobs_whatever_becomes_of_one(store: JobStore, home: Path, many: Path) -> None:
    jobs = [store.add("folder", [folder]) for folder in (many, many / "nowhere", many)]
    assert start_worker(home).wait(2 * PATIENCE) == 0
    assert [store.job(job.id).state for job in jobs] == ["done", "failed", "done"]
    assert len(names(home)) == 12


def test_two_workers_share_the_jobs(store: JobStore, home: Path, documents: Path, many: Path) -> None:
    jobs = [store.add("folder", [folder]) for folder in (many, documents, documents / "it")]
    workers = [start_worker(home, 0.05) for _ in range(2)]
    assert [each.wait(2 * PATIENCE) for each in workers] == [0, 0]
    assert [(store.job(job.id).state, store.job(job.id).attempts) for job in jobs] == [("done", 1)] * 3
    assert len(names(home)) == 15


def test_only_what_is_open_is_resumed(store: JobStore, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Path] = []
    monkeypatch.setattr(JobStore, "start_worker", lambda store: started.append(store.home))
    store.resume()
    assert started == []
    job = store.add("folder", [home], begin=True)
    store.resume()
    assert started == []  # it is alive
    store.update(job.id, heartbeat_at="2020-01-01T00:00:00+00:00")
    store.resume()
    assert started == [home]


STARTER = """
import os, sys, time
from pathlib import Path
from ingest.jobs import JobStore
JobStore(Path(sys.argv[1])).start_worker()
print("started", flush=True)
time.sleep(60)
"""


def test_worker_survives_the_one_who_started_it(store: JobStore, home: Path, documents: Path) -> None:
    job = store.add("folder", [documents])
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(home)], cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True
    )
    assert starter.stdout
    assert starter.stdout.readline() == b"started\n"
    os.killpg(starter.pid, signal.SIGKILL)
    starter.communicate()
    wait_until(lambda: not store.job(job.id).is_open, 3 * PATIENCE)
    assert store.job(job.id).state == "done", (home / "jobs.log").read_text()
    assert names(home) == list(DOCUMENTS)


@pytest.fixture
def watching(home: Path, documents: Path) -> Iterator[list[str]]:
    """`citeloop watch` on the documents; the lines that it prints."""
    lines: list[str] = []
    # Where the tests themselves run in the background of a script, Ctrl+C is ignored, and so it would be in there.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    watcher = subprocess.Popen(
        [sys.executable, "-m", "app.commands.main", "watch", str(documents), "--home", str(home)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    signal.signal(signal.SIGINT, before)

    def read() -> None:
        assert watcher.stdout
        for line in watcher.stdout:
            lines.append(line)

    reader = threading.Thread(target=read)
    reader.start()
    yield lines
    for _ in range(3):  # Python loses a signal that falls into a finalizer; a user would press the keys again
        watcher.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            watcher.wait(PATIENCE)
            break
    assert watcher.poll() in (0, 130)  # between two jobs, or in one
    reader.join(PATIENCE)


@pytest.mark.timeout(900)  # it loads a model, and each change takes its time
def test_watched_folder_and_table_stay_equal(home: Path, documents: Path, watching: list[str]) -> None:
    wait_until(lambda: any("following" in line for line in watching), 3 * PATIENCE)
    assert names(home) == list(DOCUMENTS)
    (documents / "new.md").write_text("# New\n\nA new text.\n")
    wait_until(lambda: "new.md" in names(home))
    (documents / "new.md").write_text("# New\n\nA changed text.\n")
    wait_until(lambda: any(line.startswith("replaced  new.md") for line in watching))
    (documents / "new.md").unlink()
    shutil.rmtree(documents / "handbook")
    wait_until(lambda: names(home) == ["it/vpn.md"])
