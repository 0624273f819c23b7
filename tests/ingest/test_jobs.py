from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.commands.main import cli
from ingest.home.job_store import JobError, new_job_id
from ingest.jobs import Job, JobStore
from ingest.pipeline import FileResult
from tests.conftest import PATIENCE, FakeEmbedder

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(home: Path) -> JobStore:
    return JobStore(home)


def kill(store: JobStore, job_id: str) -> None:
    """As if the process of a job had been killed a while ago."""
    store.update(job_id, heartbeat_at=(datetime.now(UTC) - timedelta(seconds=60)).isoformat())


def states(store: JobStore) -> list[str]:
    return [job.state for job in store.jobs()]


# the way of a job ------------------------------------------------------------------------------------


def test_job_is_queued_as_it_was_asked_for(store: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    job = store.add("folder", [Path("notes"), tmp_path / "größe"], prune=True)
    assert store.job(job.id) == job
    assert job.paths == (str(tmp_path.resolve() / "notes"), str(tmp_path.resolve() / "größe"))
    assert (job.kind, job.prune, job.state, job.is_open, job.is_dead) == ("folder", True, "queued", True, False)
    assert (job.seconds, job.chunks_per_second, job.attempts) == (0, 0, 0)


def test_jobs_are_listed_newest_first(store: JobStore, tmp_path: Path) -> None:
    ids = [store.add("folder", [tmp_path]).id for _ in range(5)]
    assert [job.id for job in store.jobs()] == ids[::-1]
    assert [job.id for job in store.jobs(2)] == [ids[4], ids[3]]


def test_oldest_job_is_claimed_first_and_only_once(store: JobStore, tmp_path: Path) -> None:
    first, second = store.add("folder", [tmp_path]), store.add("upload", [tmp_path])
    claimed = [store.claim() for _ in range(3)]
    assert [job.id if job else None for job in claimed] == [first.id, second.id, None]
    assert store.job(first.id).attempts == 1
    assert store.job(first.id).heartbeat_at is not None


def test_job_that_its_asker_runs_himself_is_never_claimed(store: JobStore, tmp_path: Path) -> None:
    store.add("folder", [tmp_path], begin=True)
    assert store.claim() is None


def test_no_job_is_claimed_twice_by_threads(store: JobStore, tmp_path: Path) -> None:
    ids = {store.add("folder", [tmp_path]).id for _ in range(40)}
    with ThreadPoolExecutor(8) as threads:
        claimed = [job.id for job in threads.map(lambda _: store.claim(), range(60)) if job]
    assert len(claimed) == 40
    assert set(claimed) == ids


CLAIM_ALL = """
import os, sys
from pathlib import Path
from ingest.jobs import JobStore
store = JobStore(Path(sys.argv[1]))
for _ in range(3):
    os.fork()  # eight processes
while job := store.claim():
    os.write(1, f"{os.getpid()} {job.id}\\n".encode())
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
"""


def test_no_job_is_claimed_twice_by_processes(store: JobStore, tmp_path: Path) -> None:
    ids = {store.add("folder", [tmp_path]).id for _ in range(40)}
    command = [sys.executable, "-c", CLAIM_ALL, str(store.home)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len({process for process, _ in lines}) > 1
    assert len(lines) == 40
    assert {job_id for _, job_id in lines} == ids


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
def test_job_that_has_ended_does_not_change_any_more(store: JobStore, tmp_path: Path, state: Any) -> None:
    job = store.add("folder", [tmp_path], begin=True)
    store.end(job.id, state, "so it ended")
    store.update(job.id, state="running", message="it goes on")
    store.end(job.id, "failed", "once more")
    ended = store.job(job.id)
    assert (ended.state, ended.message, ended.is_open, ended.is_dead) == (state, "so it ended", False, False)
    assert ended.ended_at is not None


def test_rate_is_that_of_the_time_it_ran(store: JobStore, tmp_path: Path) -> None:
    job = store.add("folder", [tmp_path], begin=True)
    began = datetime.now(UTC) - timedelta(seconds=50)
    store.update(job.id, started_at=began.isoformat(), num_chunks_done=500)
    assert store.job(job.id).seconds == pytest.approx(50, abs=30)
    assert store.job(job.id).chunks_per_second == pytest.approx(10, abs=1)
    store.update(job.id, ended_at=(began + timedelta(seconds=10)).isoformat())
    assert store.job(job.id).chunks_per_second == pytest.approx(50)


def test_unknown_job_is_said_with_those_that_are_known(store: JobStore, tmp_path: Path) -> None:
    with pytest.raises(JobError, match="no job x; the last ones are: none"):
        store.job("x")
    job = store.add("folder", [tmp_path])
    for ask in (store.job, store.cancel, store.queue_again):
        with pytest.raises(JobError, match=f"no job x; the last ones are: {job.id}"):
            ask("x")


# cancelling, dying, going on -------------------------------------------------------------------------


def test_queued_job_is_cancelled_at_once(store: JobStore, tmp_path: Path) -> None:
    job = store.add("folder", [tmp_path])
    store.cancel(job.id)
    assert store.job(job.id).state == "cancelled"
    assert store.claim() is None


def test_running_job_is_asked_to_stop(store: JobStore, tmp_path: Path) -> None:
    job = store.add("folder", [tmp_path], begin=True)
    store.cancel(job.id)
    assert store.job(job.id).cancel_requested
    assert store.job(job.id).is_open


def test_job_whose_process_is_gone_is_cancelled_at_once(store: JobStore, tmp_path: Path) -> None:
    job = store.add("folder", [tmp_path], begin=True)
    kill(store, job.id)
    store.cancel(job.id)
    assert store.job(job.id).state == "cancelled"


def test_ended_job_cannot_be_cancelled(store: JobStore, tmp_path: Path) -> None:
    job = store.add("folder", [tmp_path], begin=True)
    store.end(job.id, "done")
    with pytest.raises(JobError, match="has ended already: done"):
        store.cancel(job.id)


def test_job_is_dead_when_its_process_was_not_heard_of(store: JobStore, tmp_path: Path) -> None:
    job = store.add("folder", [tmp_path], begin=True)
    assert not store.job(job.id).is_dead
    kill(store, job.id)
    assert store.job(job.id).is_dead
    assert store.job(job.id).as_record()["state"] == "stopped"


def test_dead_job_is_queued_again_and_a_living_one_is_not(store: JobStore, tmp_path: Path) -> None:
    dead, living, ended = (store.add("folder", [tmp_path], begin=True) for _ in range(3))
    kill(store, dead.id)
    kill(store, ended.id)
    store.end(ended.id, "done")
    store.revive()
    claimed = store.claim()
    assert claimed
    assert (claimed.id, claimed.attempts) == (dead.id, 2)
    assert store.claim() is None
    assert store.job(living.id) == living


def test_job_that_was_killed_three_times_fails_and_says_where(store: JobStore, tmp_path: Path) -> None:
    job = store.add("folder", [tmp_path])
    for _ in range(3):
        assert store.claim()
        store.update(job.id, current="bad.pdf")
        kill(store, job.id)
        store.revive()
    failed = store.job(job.id)
    assert (failed.state, failed.message) == ("failed", "its process was stopped 3 times, last at bad.pdf")
    assert store.claim() is None


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_ended_job_can_be_queued_again(store: JobStore, tmp_path: Path, state: Any) -> None:
    job = store.add("upload", [tmp_path], prune=True, begin=True)
    store.update(job.id, cancel_requested=True)
    store.end(job.id, state, "so it ended")
    store.queue_again(job.id)
    again = store.claim()
    assert again
    assert (again.id, again.kind, again.paths, again.prune) == (job.id, "upload", job.paths, True)
    assert (again.cancel_requested, again.message, again.ended_at) == (False, "", None)


def test_done_and_running_jobs_are_not_queued_again(store: JobStore, tmp_path: Path) -> None:
    done, running = (store.add("folder", [tmp_path], begin=True) for _ in range(2))
    store.end(done.id, "done")
    for job, state in ((done, "done"), (running, "queued")):
        with pytest.raises(JobError, match=f"is {state}; only one that failed or was stopped can be resumed"):
            store.queue_again(job.id)


# results ---------------------------------------------------------------------------------------------


def test_results_are_kept_in_order_but_for_unchanged_files(store: JobStore, tmp_path: Path) -> None:
    job, other = store.add("folder", [tmp_path]), store.add("folder", [tmp_path])
    results = [FileResult("b", "/b", "added", 3), FileResult("a", "/a", "failed", reason="größe")]
    for result in [results[0], FileResult("c", "/c", "unchanged"), results[1]]:
        store.record(job.id, result)
    assert store.results(job.id) == results
    assert store.results(other.id) == []


def test_second_attempt_at_a_file_takes_the_place_of_the_first(store: JobStore, tmp_path: Path) -> None:
    job = store.add("folder", [tmp_path])
    for result in (
        FileResult("a", "/a", "failed", reason="?"),
        FileResult("a", "/a", "added", 3),
        FileResult("a", "/a", "unchanged"),
    ):
        store.record(job.id, result)
    assert store.results(job.id) == [FileResult("a", "/a", "added", 3)]


def test_jobs_survive_the_store(store: JobStore, home: Path, tmp_path: Path) -> None:
    job = store.add("folder", [tmp_path])
    assert JobStore(home).job(job.id) == job


def test_database_that_another_one_holds_for_a_moment_is_waited_for(store: JobStore, tmp_path: Path) -> None:
    store.add("folder", [tmp_path])  # makes the database
    other = sqlite3.connect(store.home / "progress.sqlite3", check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as threads:
        adding = threads.submit(store.add, "folder", [tmp_path])
        time.sleep(0.3)
        assert not adding.done()
        other.rollback()
        assert store.job(adding.result(PATIENCE).id).is_open
    other.close()


def test_ids_are_twelve_hex_digits() -> None:
    assert len({new_job_id() for _ in range(100)}) == 100
    assert all(len(job_id) == 12 and int(job_id, 16) >= 0 for job_id in (new_job_id() for _ in range(100)))


# the command line ------------------------------------------------------------------------------------

RECORD = [
    "id",
    "kind",
    "paths",
    "prune",
    "embedder",
    "collection",
    "source",
    "state",
    "created_at",
    "started_at",
    "ended_at",
    "heartbeat_at",
    "cancel_requested",
    "attempts",
    "num_files",
    "num_files_done",
    "num_chunks_done",
    "current",
    "message",
    "seconds",
    "chunks_per_second",
]

Citeloop = Callable[..., Any]


@pytest.fixture
def citeloop(home: Path, monkeypatch: pytest.MonkeyPatch) -> Citeloop:
    monkeypatch.setenv("CITELOOP_HOME", str(home))
    monkeypatch.setattr("ingest.worker.embedder_for", lambda *_: FakeEmbedder())
    return lambda *arguments: CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The homes for which a worker was started; none is."""
    homes: list[Path] = []
    monkeypatch.setattr(JobStore, "start_worker", lambda store: homes.append(store.home))
    return homes


def test_jobs_are_printed_with_their_state(citeloop: Citeloop, documents: Path, store: JobStore) -> None:
    assert citeloop("jobs").stdout == "no jobs yet\n"
    citeloop("ingest", documents)
    queued = store.add("reindex", [])
    first, second = citeloop("jobs").stdout.splitlines()
    assert first.startswith(f"{queued.id}  queued ")
    assert "all documents" in first
    assert "  done  " in second
    assert "3/3 files, 4 passages" in second
    assert str(documents.resolve()) in second
    assert len(citeloop("jobs", "--last", "1").stdout.splitlines()) == 1


def test_jobs_list_prints_what_jobs_alone_prints(
    citeloop: Citeloop, documents: Path, store: JobStore, tmp_path: Path
) -> None:
    assert citeloop("jobs", "list").stdout == "no jobs yet\n"
    citeloop("ingest", documents)
    store.add("reindex", [])
    assert citeloop("jobs", "list").stdout == citeloop("jobs").stdout
    assert citeloop("jobs", "list", "--last", "1", "--json").stdout == citeloop("jobs", "--last", "1", "--json").stdout
    assert citeloop("jobs", "list", "--home", tmp_path / "empty").stdout == "no jobs yet\n"


def test_jobs_as_json_have_these_names(citeloop: Citeloop, documents: Path, store: JobStore) -> None:
    assert json.loads(citeloop("jobs", "--json").stdout) == {"jobs": []}
    citeloop("ingest", documents)
    (record,) = json.loads(citeloop("jobs", "--json").stdout)["jobs"]
    assert sorted(record) == sorted(RECORD)
    assert (record["state"], record["kind"], record["num_chunks_done"]) == ("done", "folder", 4)
    assert record["paths"] == [str(documents.resolve())]


def test_job_of_an_ingest_is_named_in_its_json(citeloop: Citeloop, documents: Path, store: JobStore) -> None:
    report = json.loads(citeloop("ingest", documents, "--json").stdout)
    assert store.job(report["job"]).state == "done"
    assert len(store.results(report["job"])) == 3


def test_queued_job_is_cancelled_from_the_command_line(citeloop: Citeloop, store: JobStore, tmp_path: Path) -> None:
    queued, running = store.add("folder", [tmp_path]), store.add("folder", [tmp_path], begin=True)
    assert citeloop("jobs", "cancel", queued.id).stdout == f"job {queued.id}: cancelled\n"
    assert citeloop("jobs", "cancel", running.id).stdout == f"job {running.id}: asked to stop\n"
    assert isinstance(citeloop("jobs", "cancel", "nothing").exception, JobError)


def test_killed_jobs_are_resumed_from_the_command_line(
    citeloop: Citeloop, store: JobStore, tmp_path: Path, started: list[Path], home: Path
) -> None:
    assert citeloop("jobs", "resume").stdout == "nothing to resume\n"
    assert started == []
    job = store.add("folder", [tmp_path], begin=True)
    kill(store, job.id)
    assert "stopped" in citeloop("jobs").stdout
    assert citeloop("jobs", "resume").stdout == f"resumed: {job.id}\n"
    assert started == [home]


def test_failed_job_is_resumed_when_it_is_named(
    citeloop: Citeloop, store: JobStore, tmp_path: Path, started: list[Path], home: Path
) -> None:
    job = store.add("folder", [tmp_path], begin=True)
    store.end(job.id, "failed", "the disk was full")
    assert citeloop("jobs", "resume").stdout == "nothing to resume\n"
    assert citeloop("jobs", "resume", job.id).stdout == f"resumed: {job.id}\n"
    assert started == [home]
    assert "is queued" in str(citeloop("jobs", "resume", job.id).exception)


def test_reindex_is_a_job_too(citeloop: Citeloop, documents: Path, store: JobStore) -> None:
    citeloop("ingest", documents)
    done = citeloop("reindex", "--json")
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    assert [file["status"] for file in report["files"]] == ["added"] * 3
    assert store.job(report["job"]).kind == "reindex"
    assert report["num_chunks"] == 4


def test_job_is_a_value(store: JobStore, tmp_path: Path) -> None:
    job = store.add("folder", [tmp_path])
    assert isinstance(job, Job)
    assert job == store.job(job.id)
