"""What people made in a PostgreSQL server on loopback, from Debian's packages."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, update

from app.access.audit import AuditLog
from app.access.keys import KeyStore
from app.feedback import FeedbackStore, NotSavedError
from app.registry import Registry
from ingest import CiteloopError
from ingest.home.records import Records
from ingest.home.tables import MADE, switches
from ingest.jobs import JobStore
from tests.app.builders import make_answer
from tests.servers import Cluster, running_cluster

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def database(cluster: Cluster, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A new database, in use for every home folder."""
    url = cluster.new_database(f"test_{abs(hash(request.node.name))}")
    monkeypatch.setenv("CITELOOP_DATABASE_URL", url)
    return url


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The home folder of a second server."""
    return tmp_path / "other"


def test_two_servers_share_what_people_made(database: str, home: Path, other: Path) -> None:
    first, second = FeedbackStore(home), FeedbackStore(other)
    answer_id = first.save_answer(answer := make_answer(), "c", "ann")
    found = second.answer(answer_id, "ann")
    assert found
    assert found.answer == answer
    assert second.answer(answer_id, "ben") is None
    second.record(found, answer.citations[0].chunk.id, "deleted", "ann")
    assert [event.action for event in first.events(everyone=True)] == ["deleted"]
    assert [asking.user for asking in second.askings()] == ["ann"]  # reads inside the stored answers
    assert [each.id for each in second.conversations("ann")] == ["c"]
    key = KeyStore(home).create("wiki")
    assert KeyStore(other).find(key)
    Registry(home).set_promotes_by_itself(True)
    assert Registry(other).promotes_by_itself
    assert not list(home.glob("citeloop.sqlite3*"))


def test_jobs_stay_on_their_server(database: str, home: Path, other: Path) -> None:
    JobStore(home).add("folder", [home])
    assert len(JobStore(home).jobs()) == 1
    assert JobStore(other).jobs() == []


def test_new_tables_get_the_rows_of_the_home_folder(
    database: str, home: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.delenv("CITELOOP_DATABASE_URL")
        old = FeedbackStore(home).save_answer(make_answer(), "c", "ann")
        KeyStore(home).create("wiki")
        for user in ("ann", "ben"):
            AuditLog(home).add(user, "tested")
    AuditLog(home).add("cem", "tested")
    assert [entry.user for entry in AuditLog(other).entries()] == ["cem", "ben", "ann"]
    assert KeyStore(other).limits("wiki") == KeyStore(home).limits("wiki")
    new = FeedbackStore(home).save_answer(make_answer(), "c", "ann")
    assert [each.id for each in FeedbackStore(other).conversation("c", "ann")] == [old, new]


def test_one_writes_at_a_time_and_a_reader_sees_one_state(database: str, home: Path) -> None:
    records = Records(home, MADE, lambda error: error)
    with records.writing() as connection:
        connection.execute(switches.insert().values(name="0", is_on=False))

    def count(_: int) -> None:
        with records.writing() as connection:
            number = int(connection.scalar(select(switches.c.name)) or 0)
            connection.execute(update(switches).values(name=str(number + 1)))

    with records.reading() as connection:
        assert connection.scalar(select(switches.c.name)) == "0"
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(count, range(40)))
        assert connection.scalar(select(switches.c.name)) == "0"
    with records.reading() as connection:
        assert connection.scalar(select(switches.c.name)) == "40"


def test_an_error_takes_the_transaction_back(database: str, home: Path) -> None:
    records = Records(home, MADE, lambda error: error)

    def fail() -> None:
        with records.writing() as connection:
            connection.execute(switches.insert().values(name="x", is_on=False))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with records.reading() as connection:
        assert connection.scalar(select(switches.c.name)) is None


@pytest.mark.parametrize("change", ["UPDATE audit_entries SET act = 'other'", "DELETE FROM audit_entries"])
def test_the_audit_log_only_grows(change: str, database: str, home: Path) -> None:
    AuditLog(home).add("ann", "tested")
    with (
        pytest.raises(CiteloopError, match="only grows"),
        Records(home, MADE, lambda error: CiteloopError(str(error))).writing() as connection,
    ):
        connection.exec_driver_sql(change)


def test_a_character_that_it_cannot_hold_is_left_out(database: str, home: Path) -> None:
    AuditLog(home).add("ann", "a\0b")
    assert [entry.act for entry in AuditLog(home).entries()] == ["ab"]


def test_answers_wait_for_a_server_that_is_gone(database: str, cluster: Cluster, home: Path) -> None:
    store = FeedbackStore(home)
    store.save_answer(make_answer(), "c", "ann")
    cluster.stop()
    try:
        waiting = store.save_answer(make_answer(), "c", "ann")
        held = store.answer(waiting, "ann")
        assert held
        assert "Not saved: PostgreSQL 127.0.0.1/" in held.answer.note
        assert "secret" not in held.answer.note
        with pytest.raises(NotSavedError, match="check that server and CITELOOP_DATABASE_URL"):
            store.record(held, held.answer.citations[0].chunk.id, "deleted", "ann")
    finally:
        cluster.start()
    assert store.answer(waiting, "ann")
    assert len(FeedbackStore(home.with_name("another")).conversation("c", "ann")) == 2


def test_tables_are_as_declared_and_newer_ones_are_refused(database: str, home: Path, other: Path) -> None:
    with Records(home, MADE, lambda error: error).writing() as connection:
        assert compare_metadata(MigrationContext.configure(connection), MADE) == []
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(CiteloopError, match="a newer version of Citeloop has used this database"):
        AuditLog(other).entries()
