"""Processes that are killed at any moment, disks that are full: nothing is lost, half, or there twice."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ingest import CiteloopError
from ingest.jobs import JobStore
from ingest.originals import Originals
from ingest.pipeline import ingest
from ingest.repair import examine
from ingest.table import ChunkTable
from ingest.worker import run
from tests.ingest.faults import EMBEDDER, Zygote, small_steps, zygote

pytestmark = pytest.mark.slow

NUM_KILLS = int(os.environ.get("CITELOOP_TEST_KILLS", "40"))  # 200 take two and a half minutes
SEED = int(os.environ.get("CITELOOP_TEST_SEED", "20"))
NUM_PARTS = 6


@pytest.fixture(scope="module", autouse=True)
def _small_steps() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for attribute, value in small_steps().items():
            patch.setattr(attribute, value)
        yield


@pytest.fixture(scope="module")
def starter() -> Iterator[Zygote]:
    with zygote() as process:
        yield process


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(report: Path, words: str, process: int) -> None:
    deadline = time.monotonic() + 60
    while words not in report.read_text() and is_alive(process):
        assert time.monotonic() < deadline
        time.sleep(0.002)


def text(name: str, version: int) -> str:
    parts = (f"## Part {part}\n\nversion{version} of {name}, part {part}\n" for part in range(NUM_PARTS))
    return "\n".join(parts)


@dataclass
class Lane:
    """A folder and its home, changed and killed again and again."""

    number: int
    root: Path
    starter: Zygote
    versions: dict[str, int] = field(default_factory=dict)
    chance: random.Random = field(init=False)
    durations: dict[str, float] = field(default_factory=dict)
    kills: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(SEED + self.number)
        self.home, self.folder = self.root / "home", self.root / "folder"
        self.folder.mkdir(parents=True)
        for number in range(12):
            self.write(f"{number:02}.md")
        self.complete()

    def write(self, name: str) -> None:
        self.versions[name] = self.versions.get(name, -1) + 1
        (self.folder / name).write_text(text(name, self.versions[name]))

    def stored(self) -> dict[str, int]:
        """The version of each document; every one is there once and whole."""
        table = ChunkTable(self.home, EMBEDDER)
        documents = table.documents()
        found: dict[str, int] = {}
        for document in documents:
            pieces = table.chunks_of(document.id)
            assert [piece.heading for piece in pieces] == [f"Part {part}" for part in range(NUM_PARTS)], document.name
            words = {re.match(r"version(\d+) of (\S+), part", piece.text) for piece in pieces}
            told = {(match[1], match[2]) for match in words if match}
            assert len(told) == 1, f"{document.name} has chunks of several versions: {told}"
            ((version, _),) = told
            assert document.name not in found, f"{document.name} is there twice"
            found[document.name] = int(version)
        assert table.num_chunks() == NUM_PARTS * len(documents)
        assert table.damaged == set()
        return found

    def complete(self) -> None:
        """An undisturbed run makes the table equal to the folder."""
        table = ChunkTable(self.home, EMBEDDER)
        statuses = {result.status for result in ingest([self.folder], table, EMBEDDER, prune=True)}
        assert "failed" not in statuses
        assert self.stored() == self.versions
        assert table.verify() == set()
        originals = Originals(self.home)
        assert all(originals.is_whole(document) for document in table.documents())
        name = self.chance.choice(sorted(self.versions))
        hits = table.search_text(f"{name}", 100)
        assert {name} <= {piece.document for piece, _ in hits}
        near = table.search_vector(EMBEDDER.embed_query(hits[0][0].passage), 20)  # the index is approximate
        assert hits[0][0].passage in {piece.passage for piece, _ in near}

    def disturb(self) -> str:
        """Change the folder, run, kill; returns what was done. Nothing is asserted of a run that came to its end."""
        before = dict(self.versions)
        what = self.chance.choice(["replace", "replace", "add", "prune", "rename", "index", "reindex"])
        allowed = {name: {version} for name, version in before.items()}
        if what == "replace":
            for name in before:
                if self.chance.random() < 0.8:
                    self.write(name)
                    allowed[name].add(self.versions[name])
        elif what == "add":
            for number in range(self.chance.randrange(3, 8)):
                name = f"new-{len(self.kills)}-{number}.md"
                self.write(name)
                allowed[name] = {before.get(name, -1), self.versions[name]}  # -1: not there
        elif what == "prune":
            for name in self.chance.sample(sorted(before), len(before) // 2):
                (self.folder / name).unlink()
                del self.versions[name]
                allowed[name].add(-1)
        elif what == "rename":
            for name in self.chance.sample(sorted(before), 4):
                (self.folder / name).rename(self.folder / f"moved-{name}")
                self.versions[f"moved-{name}"] = self.versions.pop(name)
                allowed[name].add(-1)
                allowed[f"moved-{name}"] = {before[name], -1}
        report = self.root / "report"
        process = self.starter.start(self.home, self.folder, what, report)
        wait_for(report, "begin\n", process)
        time.sleep(self.chance.uniform(0, self.durations.get(what, 0.3)))
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        while is_alive(process):
            time.sleep(0.002)
        lines = report.read_text().splitlines()
        assert not any(line.startswith(("raised", "failed")) for line in lines), lines
        if lines[-1] == "end":
            self.durations[what] = self.durations.get(what, 0.3) * 0.8
        else:
            self.kills.append(what)
            self.durations[what] = self.durations.get(what, 0.3) * 1.05
        self.check(what, allowed, lines)
        return what

    def check(self, what: str, allowed: dict[str, set[int]], lines: list[str]) -> None:
        found = self.stored()
        assert set(found) <= set(allowed)
        for name, versions in allowed.items():
            assert found.get(name, -1) in versions, f"{name} has version {found.get(name, -1)}, not of {versions}"
        for status, name in (line.split(maxsplit=1) for line in lines if " " in line):
            told = found.get(name.strip(), -1)
            if what != "reindex":
                assert told == (-1 if status == "removed" else self.versions[name.strip()]), f"{status} {name}"
        if what == "rename":
            sources = [each.id for each in ChunkTable(self.home, EMBEDDER).documents()]
            assert len(sources) == len(set(sources)) == len(found)

    def tidy(self) -> None:
        """Keep the folder at about its size."""
        for name in sorted(self.versions)[20:]:
            (self.folder / name).unlink()
            del self.versions[name]
        for number in range(12 - len(self.versions)):
            self.write(f"again-{len(self.kills)}-{number}.md")

    def go(self, num_kills: int) -> None:
        """Disturb and complete until so many processes were killed."""
        while len(self.kills) < num_kills:
            try:
                self.disturb()
                self.complete()
                self.tidy()
                self.complete()
            except BaseException as error:
                error.add_note(f"lane {self.number}, seed {SEED}, kill {len(self.kills)}: {self.kills[-3:]}")
                raise


def test_no_kill_loses_halves_or_doubles_a_document(starter: Zygote, tmp_path: Path) -> None:
    lanes = [Lane(number, tmp_path / str(number), starter) for number in range(2)]
    with ThreadPoolExecutor(2) as threads:
        for running in [threads.submit(lane.go, NUM_KILLS // 2) for lane in lanes]:
            running.result()
    killed = [what for lane in lanes for what in lane.kills]
    assert len(killed) == NUM_KILLS // 2 * 2
    if NUM_KILLS >= 100:
        assert set(killed) == {"replace", "add", "prune", "rename", "index", "reindex"}
    for lane in lanes:
        assert [finding.ok for finding in examine(lane.home, EMBEDDER, repair=False)] == [True]


# several at once -------------------------------------------------------------------------------------


def run_together(starter: Zygote, home: Path, folders: list[Path], what: str, reports: Path) -> list[list[str]]:
    reports.mkdir()
    running = [
        (starter.start(home, folder, what, reports / str(number)), reports / str(number))
        for number, folder in enumerate(folders)
    ]
    for process, report in running:
        deadline = time.monotonic() + 60
        while is_alive(process):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert report.read_text().endswith("end\n"), report.read_text()
    return [report.read_text().splitlines()[1:-1] for _, report in running]


@pytest.mark.parametrize("same", [False, True])
def test_ingests_at_once_lose_and_double_nothing(starter: Zygote, tmp_path: Path, same: bool) -> None:
    folders = [tmp_path / "folder"] * 3 if same else [tmp_path / f"folder{number}" for number in range(3)]
    for number, folder in enumerate(dict.fromkeys(folders)):
        folder.mkdir()
        for file in range(10):
            (folder / f"{number}-{file}.md").write_text(text(f"{number}-{file}.md", 0))
    told = run_together(starter, tmp_path / "home", folders, "prune", tmp_path / "reports")
    added = [line for lines in told for line in lines if line.startswith("added")]
    num_files = 10 if same else 30
    assert len(added) == len(set(added)) == num_files
    table = ChunkTable(tmp_path / "home", EMBEDDER)
    assert len({each.id for each in table.documents()}) == len(table.documents()) == num_files
    assert table.num_chunks() == NUM_PARTS * num_files


def test_reindex_and_ingest_at_once_lose_and_double_nothing(starter: Zygote, tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "folder"
    folder.mkdir()
    for file in range(10):
        (folder / f"{file}.md").write_text(text(f"{file}.md", 0))
    list(ingest([folder], ChunkTable(home, EMBEDDER), EMBEDDER))
    for turn in range(3):
        (folder / f"new{turn}.md").write_text(text(f"new{turn}.md", 0))
        reports = tmp_path / f"reports{turn}"
        reports.mkdir()
        processes = [
            starter.start(home, folder, what, reports / str(number))
            for number, what in enumerate(["reindex", "add", "reindex", "prune"])
        ]
        while any(is_alive(process) for process in processes):
            time.sleep(0.01)
        for report in reports.iterdir():
            assert report.read_text().endswith("end\n"), report.read_text()
        table = ChunkTable(home, EMBEDDER)
        assert len(table.documents()) == 11 + turn
        assert table.num_chunks() == NUM_PARTS * (11 + turn)


# disks -----------------------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    with suppress(OSError):
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            yield folder
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
            return
    pytest.skip("a disk cannot be mounted here")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three files, to which others can be added."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.md").write_text(text(f"{number}.md", 0))
    return folder


def fill(disk: Path, free_bytes: int) -> Path:
    """A file that leaves so much space."""
    path = disk / "filler"
    space = os.statvfs(disk)
    path.write_bytes(b"\0" * max(0, space.f_bavail * space.f_frsize - free_bytes))
    return path


def add_large_files(folder: Path) -> None:
    for number in range(6):
        words = "".join(f"## Part {part}\n\n{'word ' * 25}{number} {part}\n\n" for part in range(1500))
        (folder / f"large{number}.md").write_text(words)


@pytest.mark.parametrize("free_bytes", [0, 20_000, 300_000, 1_500_000])
def test_full_disk_is_said_search_goes_on_and_the_job_can_be_resumed(disk: Path, folder: Path, free_bytes: int) -> None:
    home = disk / "home"
    store = JobStore(home)
    list(ingest([folder], ChunkTable(home, EMBEDDER), EMBEDDER))
    before = ChunkTable(home, EMBEDDER).documents()
    add_large_files(folder)
    job = store.add("folder", [folder], begin=True)
    filler = fill(disk, free_bytes)
    with pytest.raises(CiteloopError, match="free space and permissions") as caught:
        list(run(store, job, lambda: EMBEDDER))
    assert "No space left" in str(caught.value) or "full" in str(caught.value), str(caught.value)
    reader = ChunkTable(home, EMBEDDER)
    assert {each.name for each in reader.documents()} >= {each.name for each in before}
    assert reader.search_text("version0", 5)
    assert reader.search_vector(EMBEDDER.embed_query("version0 of 1.md"), 5)
    filler.unlink()
    if store.job(job.id).is_open:  # even that it failed could not be written
        store.update(job.id, heartbeat_at="2020-01-01T00:00:00+00:00")
    store.queue_again(job.id)
    again = store.claim()
    assert again
    for path in sorted(folder.glob("large*"))[2:]:
        path.unlink()  # the disk is small
    assert "failed" not in {result.status for result in run(store, again, lambda: EMBEDDER)}
    assert store.job(job.id).state == "done"
    table = ChunkTable(home, EMBEDDER)
    assert {each.name for each in table.documents()} == {path.name for path in folder.iterdir()}
    assert table.verify() == set()


def test_disk_that_may_only_be_read_is_said_and_search_goes_on(disk: Path, folder: Path) -> None:
    home = disk / "home"
    store = JobStore(home)
    list(ingest([folder], ChunkTable(home, EMBEDDER), EMBEDDER))
    (folder / "new.md").write_text(text("new.md", 0))
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    reader = ChunkTable(home, EMBEDDER)
    with pytest.raises(CiteloopError, match=r"cannot write in .*: Read-only file system; check the permissions"):
        list(ingest([folder], reader, EMBEDDER))
    with pytest.raises(CiteloopError, match=r"the jobs in the home folder cannot be used: .*permissions"):
        store.add("folder", [folder])
    assert len(reader.documents()) == 3
    assert reader.search_text("version0", 5)
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert [result.status for result in ingest([folder], reader, EMBEDDER)].count("added") == 1
