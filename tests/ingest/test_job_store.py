"""The life of a job, with a kind of job that only the tests know."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Boolean, Column, Float, Integer, MetaData, Text

from ingest import CiteloopError
from ingest.home import job_process, job_store
from ingest.home.damaged_database import damaged_databases
from ingest.home.database import now
from ingest.home.job_process import Heart, at_work
from ingest.home.job_store import BaseJob, BaseJobStore, StoppedError, new_job_id
from ingest.home.processes import is_running, start_process
from ingest.home.tables import Names, job_table
from ingest.jobs import JobStore
from tests.conftest import PATIENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Bake(BaseJob):
    """What was asked for has no default, how far it is has one."""

    settings: str
    flavours: tuple[str, ...]
    is_vegan: bool
    step: int = 0
    loss: float = 0.0


_BAKES = job_table(
    "bakes",
    MetaData(info={"name": "bakery", "durable": False}),
    *(Column("settings", Text), Column("flavours", Names), Column("is_vegan", Boolean)),
    *(Column("step", Integer), Column("loss", Float)),
)


class Bakery(BaseJobStore[Bake]):
    def __init__(self, home: Path, *, in_memory: bool = False) -> None:
        super().__init__(home, Bake, _BAKES, in_memory=in_memory)

    def add(self, *, begin: bool = False) -> Bake:
        job = Bake(id=new_job_id(), created_at=now(), settings='{"a": 1}', flavours=("größe", "b"), is_vegan=True)
        return self.put(job, begin=begin)


@pytest.fixture
def store(home: Path) -> Bakery:
    return Bakery(home)


@pytest.fixture(autouse=True)
def _quick_heart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_process, "_HEARTBEAT_SECONDS", 0.02)


def wait_until_beaten(store: Bakery, job: Bake) -> None:
    before, deadline = store.job(job.id).heartbeat_at, time.monotonic() + PATIENCE
    while store.job(job.id).heartbeat_at == before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_fields_of_its_own_come_back_as_they_went_in(store: Bakery, home: Path) -> None:
    job = store.add()
    assert Bakery(home).job(job.id) == job
    assert (store.claim() or job).flavours == ("größe", "b")
    assert (store.job(job.id).is_vegan, store.job(job.id).cancel_requested) == (True, False)


def test_what_was_asked_for_is_kept_and_how_far_it_was_is_not(store: Bakery) -> None:
    job = store.add(begin=True)
    store.update(job.id, step=7, loss=0.5, current="oven")
    store.end(job.id, "failed", "it burnt")
    store.queue_again(job.id)
    again = store.job(job.id)
    assert (again.settings, again.flavours, again.is_vegan) == (job.settings, job.flavours, True)
    assert (again.step, again.loss, again.current, again.message) == (0, 0.0, "", "")
    assert (again.state, again.attempts, again.created_at) == ("queued", 1, job.created_at)


def test_kinds_of_jobs_do_not_meet(store: Bakery, home: Path, tmp_path: Path) -> None:
    store.add()
    ingests = JobStore(home)
    assert ingests.jobs() == []
    ingests.add("folder", [tmp_path])
    assert len(store.jobs()) == 1


def test_database_whose_columns_stand_in_another_order_is_read_and_written(home: Path, tmp_path: Path) -> None:
    home.mkdir()
    connection = sqlite3.connect(home / "jobs.sqlite3")
    connection.execute(  # as version 0.1.0 made it
        "CREATE TABLE jobs (id, kind, paths, prune, state, created_at, started_at, ended_at, heartbeat_at,"
        " cancel_requested, attempts, num_files, num_files_done, num_chunks_done, current, message, PRIMARY KEY (id))"
    )
    row = ("old", "folder", '["/a"]', 1, "failed", now(), None, now(), None, 0, 1, 3, 2, 9, "", "the disk was full")
    connection.execute(f"INSERT INTO jobs VALUES ({', '.join('?' * len(row))})", row)
    connection.commit()
    connection.close()
    store = JobStore(home)
    old = store.job("old")
    assert (old.kind, old.paths, old.prune, old.state, old.num_chunks_done) == ("folder", ("/a",), True, "failed", 9)
    assert old.embedder == ""  # a column that this version did not have
    new = store.add("upload", [tmp_path])
    assert store.job(new.id) == new
    store.queue_again("old")
    assert (store.job("old").paths, store.job("old").state) == (("/a",), "queued")


def test_sign_of_life_from_the_future_is_of_a_clock_that_was_set_back(store: Bakery) -> None:
    job = store.add(begin=True)
    store.update(job.id, heartbeat_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    assert store.job(job.id).is_dead
    assert store.revive()
    assert store.job(job.id).is_waiting


def test_jobs_that_wait_are_left_to_the_process_that_is_at_work(store: Bakery) -> None:
    at_work, _ = store.add(begin=True), store.add()
    assert not store.revive()
    store.end(at_work.id, "done")
    assert store.revive()


def test_two_that_start_at_once_queue_what_was_killed_once(store: Bakery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_store, "_DEAD_AFTER", timedelta(0))
    jobs = [store.add(begin=True) for _ in range(3)]
    usual = store.job

    def meanwhile(job_id: str) -> Bake:
        """Another process that starts queues and claims the job between the look at it and the writing."""
        seen = usual(job_id)
        monkeypatch.setattr(store, "job", usual)
        Bakery(store.home).queue_again(jobs[0].id)
        assert Bakery(store.home).claim()
        return seen

    monkeypatch.setattr(store, "job", meanwhile)
    monkeypatch.setattr(store, "jobs", lambda: jobs)
    store.revive()
    assert [(store.job(job.id).is_waiting, store.job(job.id).attempts) for job in jobs] == [
        (False, 2),
        (True, 1),
        (True, 1),
    ]


# at work ---------------------------------------------------------------------------------------------


def test_heart_writes_how_far_it_is(store: Bakery) -> None:
    job = store.add(begin=True)
    with Heart(store, job.id) as heart:
        wait_until_beaten(store, job)
        assert (store.job(job.id).state, store.job(job.id).started_at) == ("queued", None)
        heart.tell(step=3)
        assert store.job(job.id).state == "running"
        heart.tell(loss=0.25)
        wait_until_beaten(store, job)  # with what was known when that beat began
        wait_until_beaten(store, job)
        assert (store.job(job.id).step, store.job(job.id).loss) == (3, 0.25)
        heart.tell(step=4)
    assert store.job(job.id).step == 4


def test_heart_hears_that_the_job_was_cancelled(store: Bakery) -> None:
    job = store.add(begin=True)
    with Heart(store, job.id) as heart:
        heart.wait("for flour")
        wait_until_beaten(store, job)
        assert store.job(job.id).message == "for flour"
        store.cancel(job.id)
        assert heart.stop_requested.wait(PATIENCE)
        with pytest.raises(StoppedError):
            heart.wait("for flour")


def test_block_that_ends_is_done(store: Bakery) -> None:
    job = store.add(begin=True)
    with at_work(store, job) as heart:
        heart.tell(current="oven")
    assert (store.job(job.id).state, store.job(job.id).current) == ("done", "")


def test_block_that_stops_is_cancelled_and_the_program_goes_on(store: Bakery) -> None:
    job = store.add(begin=True)
    with at_work(store, job):
        raise StoppedError("as asked")
    assert (store.job(job.id).state, store.job(job.id).message) == ("cancelled", "as asked")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (CiteloopError("no flour"), "no flour"),
        (ValueError("?"), "it was interrupted (ValueError)"),
        (KeyboardInterrupt(), "it was interrupted (KeyboardInterrupt)"),
    ],
)
def test_block_that_fails_says_why_and_the_error_goes_on(store: Bakery, error: BaseException, message: str) -> None:
    job = store.add(begin=True)
    with pytest.raises(type(error)), at_work(store, job):
        raise error
    assert (store.job(job.id).state, store.job(job.id).message) == ("failed", message)


def test_process_is_started_with_its_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir()
    (home / "says.py").write_text("import os, sys; print(sys.argv[1:], os.getsid(0) == os.getpid())")
    monkeypatch.setenv("PYTHONPATH", str(home))
    start_process("says", home, log="said.log")
    assert is_running("says", home)
    deadline = time.monotonic() + PATIENCE
    while is_running("says", home) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running("says", home)
    assert (home / "said.log").read_text() == f"['--home', '{home.resolve()}'] True\n"


def test_damaged_database_makes_way_for_a_new_one(home: Path) -> None:
    home.mkdir()
    (home / "bakery.sqlite3").write_text("this is no database " * 100)
    assert Bakery(home).jobs() == []
    assert len(damaged_databases(home)) == 1


def test_jobs_in_memory_leave_nothing_on_the_disk(home: Path) -> None:
    store = Bakery(home, in_memory=True)
    job = store.add()
    store.update(job.id, step=2)
    assert [each.step for each in store.jobs()] == [2]
    assert not home.exists()
