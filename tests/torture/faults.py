"""What breaks an installation: each fault breaks one thing, and leaves it as it must be before the next."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.access.limits import KeyStoreError
from app.registry import Registry
from app.training.jobs import TrainingJobStore
from ingest.home.database import transaction
from ingest.jobs import JobStore
from tests.app.faulty_server import FaultyServer
from tests.torture.installation import Installation

_LONGEST_RUN = 8.0
"""Seconds within which a command is killed; most have ended by then."""
_FLIPPED_FILES = 3


class UnavailableError(Exception):
    """This machine cannot have the fault."""


Fault = Callable[[Installation, FaultyServer], None]


@contextmanager
def asking(here: Installation, num_people: int = 3) -> Iterator[None]:
    """People ask and vote meanwhile, whatever becomes of it."""
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            here.ask()

    people = [threading.Thread(target=ask) for _ in range(num_people)]
    for person in people:
        person.start()
    try:
        yield
    finally:
        ended.set()
        for person in people:
            person.join()


def kill_server(here: Installation, _: FaultyServer) -> None:
    """Kill the server while people ask and vote."""
    with asking(here):
        time.sleep(here.chance.uniform(0, 3))
        here.kill()
    here.start()


def kill_ingest(here: Installation, _: FaultyServer) -> None:
    """Kill `citeloop ingest` at some moment."""
    here.change()
    with asking(here, 1):
        here.note_told(_killed(here, here.command("ingest", str(here.folder)))[0])
    here.check_documents()
    here.ingest()


def kill_worker(here: Installation, _: FaultyServer) -> None:
    """Kill the worker of a job; the server has to notice it."""
    here.change()
    _kill_worker(here)
    _expect_ingested(here)


def clock_back(here: Installation, _: FaultyServer) -> None:
    """Kill the worker of a job, then set the clock back: the job's last sign of life is in the future."""
    here.change()
    job_id = _kill_worker(here)
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    with transaction(here.home / "progress.sqlite3") as connection:
        condition = "id = ? AND heartbeat_at IS NOT NULL AND state IN ('queued', 'running')"
        connection.execute(f"UPDATE ingest_jobs SET heartbeat_at = ? WHERE {condition}", (ahead, job_id))
    _expect_ingested(here)


def kill_training(here: Installation, _: FaultyServer) -> None:
    """Kill a training; the live model stays, and the training can be cancelled."""
    live, jobs = Registry(here.home).live(), TrainingJobStore(here.home)
    _killed(here, here.command("train"), within=60)
    here.wait_for(
        "a killed training is noticed", lambda: not any(job.is_open and not job.is_dead for job in jobs.jobs())
    )
    for job in jobs.jobs():
        if job.is_open:
            jobs.cancel(job.id)
    assert not any(job.is_open for job in jobs.jobs()), "a killed training cannot be cancelled"
    registry = Registry(here.home)
    assert registry.live() == live, "a killed training changed the live model"
    for model in registry.models():
        registry.check(model.name)


def full_disk(here: Installation, _: FaultyServer) -> None:
    """Let no file of the server, and of an ingest, grow beyond some size, as on a full disk."""
    size = here.chance.choice([0, 4096, here.chance.randrange(2_000_000)])
    no_limit = resource.prlimit(here.server, resource.RLIMIT_FSIZE)
    resource.prlimit(here.server, resource.RLIMIT_FSIZE, (size, no_limit[1]))
    try:
        for _n in range(3):
            assert here.ask(), "it does not answer on a full disk"
    finally:
        resource.prlimit(here.server, resource.RLIMIT_FSIZE, no_limit)
    here.check_answers()
    here.change()
    with here.command("ingest", str(here.folder)) as ingest:
        resource.prlimit(ingest.pid, resource.RLIMIT_FSIZE, (size, no_limit[1]))
        output, errors = ingest.communicate()
        here.note_told(output)
        assert ingest.returncode == 0 or b"rror" in errors, f"a full disk ended an ingest without a word: {errors!r}"
    here.check_documents()
    here.ingest()


def read_only(here: Installation, _: FaultyServer) -> None:
    """Take the right to write in the home away."""
    if os.geteuid() == 0:
        raise UnavailableError("root writes into read-only folders")
    folders = [here.home, *(path for path in here.home.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o500)
    try:
        for _n in range(3):
            assert here.ask(), "it does not answer from a read-only home"
        assert here.run("ingest", str(here.folder)).returncode in (0, 1)
    finally:
        for folder in folders:
            folder.chmod(0o700)
    here.ingest()


def flipped_table(here: Installation, _: FaultyServer) -> None:
    """Flip bytes of the table while the server runs; the doctor restores it from the kept files."""
    _flip(here, [path for path in (here.home / "table").rglob("*") if path.is_file()])
    here.ask()
    here.run("doctor")
    checked = here.run("doctor", "--no-repair")
    assert b"FAILED documents" not in checked.stdout, f"the doctor did not repair it: {checked.stdout.decode()}"
    here.ingest()


def flipped_database(here: Installation, _: FaultyServer) -> None:
    """Flip bytes of the databases while the server is down; it starts and answers. The files are put back."""
    here.kill()
    kept, answers, votes, key = here.root / "kept", set(here.answers), set(here.votes), here.key
    shutil.copytree(here.home, kept, ignore=lambda _, names: [name for name in names if ".sqlite3" not in name])
    _flip(here, list(here.home.glob("*.sqlite3")))
    here.start()
    for name in ("second", "third"):
        with suppress(KeyStoreError):  # the first one may find the damage
            here.key = here.new_key(name)  # the damage may have taken the key
    assert here.ask(), "it does not answer with damaged databases"
    here.kill()
    for path in here.home.glob("*.sqlite3*"):
        path.unlink()
    shutil.copytree(kept, here.home, dirs_exist_ok=True)
    shutil.rmtree(kept)
    here.answers, here.votes, here.key = answers, votes, key
    here.start()


def dead_language_model(here: Installation, language_model: FaultyServer) -> None:
    """Let the language model fail in one of many ways."""
    fault = here.chance.choice(
        ["broken", "cut", "cut before anything", "html", "malformed chunk", "empty", "wrong key"]
    )
    language_model.use(fault)
    try:
        answer = here.ask()
        assert answer, f"it does not answer when the language model is {fault}"
        assert answer["answer"], f"the answer is empty when the language model is {fault}"
    finally:
        language_model.use("none")


FAULTS: tuple[Fault, ...] = (
    kill_server,
    kill_ingest,
    kill_worker,
    clock_back,
    kill_training,
    full_disk,
    read_only,
    flipped_table,
    flipped_database,
    dead_language_model,
)


def _killed(here: Installation, process: subprocess.Popen[bytes], within: float = _LONGEST_RUN) -> tuple[bytes, bytes]:
    """Kill a process and what it started at some moment; return what it said."""
    with process:
        try:
            process.wait(here.chance.uniform(0.3, within))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()


def _kill_worker(here: Installation) -> str:
    job = JobStore(here.home).add("folder", [here.folder])
    _killed(here, here.command("--home", str(here.home), module="ingest.worker"))
    return job.id


def _expect_ingested(here: Installation) -> None:
    """Expect that the server has the job done without anybody's help."""
    jobs = JobStore(here.home)
    here.wait_for("a killed job is done", lambda: not any(job.is_open for job in jobs.jobs()))
    here.ingest()


def _flip(here: Installation, paths: list[Path]) -> None:
    """Flip some bytes of some files."""
    for path in here.chance.sample(paths, min(_FLIPPED_FILES, len(paths))):
        content = bytearray(path.read_bytes())
        for _ in range(here.chance.randrange(1, 20)):
            if content:
                content[here.chance.randrange(len(content))] ^= here.chance.randrange(1, 256)
        path.write_bytes(content)
