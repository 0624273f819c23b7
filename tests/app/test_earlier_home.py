"""A home folder of the version with a database for each store opens with everything in it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData

from app.access.audit import AuditError, AuditLog
from app.access.keys import KeyStore
from app.answering import AnswerJobStore
from app.downloads.jobs import DownloadJobStore
from app.feedback import FeedbackStore
from app.registry import Registry
from app.search.corrections import CorrectionStore
from app.training.jobs import TrainingJobStore
from app.training.labels.split import parts_of
from app.training.proposals.jobs import ProposalJobStore
from app.training.proposals.store import ProposalStore
from ingest import CiteloopError
from ingest.backup import back_up, restore
from ingest.home import migrating, records
from ingest.home.earlier import FOLDER
from ingest.home.folder import ROOT
from ingest.home.records import _engine
from ingest.home.tables import JOBS, MADE
from ingest.jobs import JobStore
from ingest.sources.store import SourceStore
from tests.conftest import FakeEmbedder, refuse

EARLIER = Path(__file__).parent / "earlier_home"
USERS = ("ann@example.org", "ben@example.org")
QUESTION = "How many days of leave?"


def everything(home: Path) -> dict[str, Any]:
    """Return what the stores of a home say."""
    feedback, registry, sources = FeedbackStore(home), Registry(home), SourceStore(home)
    talks = {user: feedback.conversations(user) for user in USERS}
    ingests, trainings = JobStore(home), TrainingJobStore(home)
    answering = AnswerJobStore(home)
    found = {
        "talks": talks,
        "answers": [feedback.conversation(talk.id, user) for user, found in talks.items() for talk in found],
        "shown": feedback.shown(),
        "share": feedback.shared_until("58DccKb7A0JpfwxjBW38i69RL08MnJxu"),
        "events": feedback.events(everyone=True),
        "counted events": feedback.events(),
        "judgements": feedback.judgements(everyone=True),
        "statements": feedback.statements(),
        "ignored": feedback.ignored(),
        "askings": feedback.askings(),
        "position": feedback.position(),
        "vectors": {key: np.frombuffer(it).tolist() for key, it in feedback.question_vectors("fake", ["a"]).items()},
        "corrections": CorrectionStore(home).all(),
        "keys": KeyStore(home).keys(),
        "audit": AuditLog(home).entries(),
        "models": registry.models(),
        "history": registry.history(),
        "standing": registry.standing(),
        "trial": registry.trial(),
        "promotes": registry.promotes_by_itself,
        "free name": registry.free_name("first"),
        "proposals": ProposalStore(home).proposals(),
        "parts": parts_of([QUESTION], home, FakeEmbedder()),
        "sources": sources.sources(),
        "items": sources.seen("wiki"),
        "ingests": ingests.jobs(),
        "results": [ingests.results(job.id) for job in ingests.jobs()],
        "trainings": trainings.jobs(),
        "losses": [trainings.losses(job.id) for job in trainings.jobs()],
        "downloads": DownloadJobStore(home).jobs(),
        "proposing": ProposalJobStore(home).jobs(),
        "answering": answering.jobs(),
    }
    return dict(json.loads(json.dumps(found, default=_plain)))


def _plain(value: Any) -> Any:
    return asdict(value) if hasattr(value, "__dataclass_fields__") else str(value)


def make(home: Path) -> None:
    """Make the databases as that version left them."""
    home.mkdir()
    for path in EARLIER.glob("*.sql"):
        with closing(sqlite3.connect(home / f"{path.stem}.sqlite3")) as connection:
            connection.executescript(path.read_text())


def known(found: Any, expected: Any) -> Any:
    """Return what is found without the fields that a later version has added."""
    if isinstance(expected, dict):
        return {name: known(found[name], value) for name, value in expected.items()}
    if isinstance(expected, list) and len(found) == len(expected):
        return [known(*pair) for pair in zip(found, expected, strict=True)]
    return found


def expect_everything(home: Path) -> None:
    expected = json.loads((EARLIER / "expected.json").read_text())
    found = everything(home)
    for name, value in expected.items():
        assert known(found[name], value) == value, name


def test_it_opens_with_everything_in_it(home: Path) -> None:
    make(home)
    earlier = {path.name: path.read_bytes() for path in home.iterdir()}
    expect_everything(home)
    assert sorted(path.name for path in home.glob("*.sqlite3")) == ["citeloop.sqlite3", "progress.sqlite3"]
    kept = {path.name.partition("-2")[0]: path.read_bytes() for path in (home / FOLDER).iterdir()}
    assert kept == earlier
    expect_everything(home)


def test_it_can_be_backed_up_before_it_is_opened(home: Path, tmp_path: Path) -> None:
    make(home)
    back_up(home, tmp_path / "backup.tar")
    restore(tmp_path / "backup.tar", tmp_path / "restored")
    expect_everything(tmp_path / "restored")


def test_many_open_it_at_once(home: Path) -> None:
    make(home)
    read = (lambda: len(AuditLog(home).entries()), lambda: len(JobStore(home).jobs()))
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(lambda number: read[number % 2](), range(6))) == [2] * 6
    expect_everything(home)


OPEN = """
import os, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from app.access.audit import AuditLog
from ingest.jobs import JobStore

for number in range(int(sys.argv[2])):
    home = Path(sys.argv[1]) / str(number)
    process = os.fork()
    if not process:
        AuditLog(home).entries()
        JobStore(home).jobs()
        os._exit(0)
    time.sleep(number * 0.012)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
"""
NUM_KILLS = int(os.environ.get("CITELOOP_TEST_KILLS", "8"))


def num_rows(home: Path) -> dict[str, int]:
    """Open a home and return the number of rows of each table."""
    AuditLog(home).entries()
    JobStore(home).jobs()
    found = {}
    for tables in (MADE, JOBS):
        with closing(sqlite3.connect(home / f"{tables.info['name']}.sqlite3")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            for name in tables.tables:
                (found[name],) = connection.execute(f"SELECT COUNT(*) FROM {name}").fetchone()
    return found


@pytest.mark.slow
def test_killed_at_any_time_it_loses_nothing(tmp_path: Path) -> None:
    for number in range(NUM_KILLS + 1):
        make(tmp_path / str(number))
    expected = num_rows(tmp_path / str(NUM_KILLS))
    assert min(expected.values()) > 0
    command = [sys.executable, "-c", OPEN, str(tmp_path), str(NUM_KILLS), str(ROOT)]
    subprocess.run(command, check=True, timeout=250)
    for number in range(NUM_KILLS):
        home = tmp_path / str(number)
        assert num_rows(home) == expected
        assert sorted(path.name for path in home.glob("*.sqlite3")) == ["citeloop.sqlite3", "progress.sqlite3"]


@pytest.mark.parametrize("step", ["copy_earlier", "put_aside"])
def test_stopped_before_a_step_it_is_opened_by_the_next_one(
    home: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    make(home)
    with monkeypatch.context() as stopped:
        stopped.setattr(f"ingest.home.records.{step}", refuse)
        with suppress(sqlite3.Error, CiteloopError):
            everything(home)
    _engine.cache_clear()  # as in the next process
    expect_everything(home)
    assert not list(home.glob("feedback.*"))


def test_newer_one_is_refused(home: Path) -> None:
    AuditLog(home).add("ann", "tested")
    with closing(sqlite3.connect(home / "citeloop.sqlite3")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(AuditError, match="a newer version of Citeloop has used this home folder"):
        AuditLog(home).entries()


# migrations ------------------------------------------------------------------------------------------

MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    op.add_column("audit_entries", sa.Column("device", sa.Text, nullable=False, server_default="unknown"))
    op.execute("UPDATE sources SET collection = 'all'")
"""


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the migrations, for further ones."""
    folder = tmp_path / "migrations"
    shutil.copytree(migrating._MIGRATIONS, folder)
    monkeypatch.setattr(migrating, "_MIGRATIONS", folder)
    yield folder
    migrating.newest_revision.cache_clear()


def test_tables_are_migrated_once_by_one_of_many(home: Path, migrations: Path) -> None:
    make(home)
    assert len(SourceStore(home).sources()) == 1
    (migrations / "citeloop" / "0002_device.py").write_text(MIGRATION)
    migrating.newest_revision.cache_clear()
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: SourceStore(home).source("wiki").collection, range(8)))
    assert found == ["all"] * 8
    with closing(sqlite3.connect(home / "citeloop.sqlite3")) as connection:
        assert connection.execute("SELECT device FROM audit_entries").fetchall() == [("unknown",)] * 2
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0002",)]


def test_migration_that_fails_changes_nothing(home: Path, migrations: Path) -> None:
    AuditLog(home).add("ann", "tested")
    (migrations / "citeloop" / "0002_device.py").write_text(MIGRATION.replace("SET collection", "SET absent"))
    migrating.newest_revision.cache_clear()
    with pytest.raises(AuditError, match="no such column: absent"):
        AuditLog(home).entries()
    (migrations / "citeloop" / "0002_device.py").write_text(MIGRATION)
    AuditLog(home).add("ben", "tested")
    assert [entry.user for entry in AuditLog(home).entries()] == ["ben", "ann"]


@pytest.mark.parametrize("tables", [MADE, JOBS])
def test_migrated_tables_are_as_declared(home: Path, tables: MetaData) -> None:
    """Fails if `tables.py` is changed without a migration. frozen: the tables as revision 0001 made them."""
    home.mkdir()
    name = tables.info["name"]
    with closing(sqlite3.connect(home / f"{name}.sqlite3")) as connection:
        connection.executescript((EARLIER / f"{name}-0001.txt").read_text())
    with records.Records(home, tables, lambda error: error).writing() as opened:
        assert compare_metadata(MigrationContext.configure(opened), tables) == []
