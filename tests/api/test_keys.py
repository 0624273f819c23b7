from __future__ import annotations

import hashlib
import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.access.keys import KeyStore, UserLimitError
from app.access.limits import DEFAULT_RATE, SCOPES, KeyStoreError, Limits
from tests.app.conftest import Citeloop, citeloop, fake_models

__all__ = ["citeloop", "fake_models"]
from ingest.home.damaged_database import damaged_databases
from tests.conftest import refuse


def test_key_is_long_random_and_known_by_its_name(keys: KeyStore) -> None:
    first, second = keys.create("helpdesk"), keys.create("wiki")
    assert re.fullmatch(r"citeloop_[\w-]{43}", first)
    assert first != second
    assert [found.name for key in (first, second) if (found := keys.find(key))] == ["helpdesk", "wiki"]
    assert [keys.find(wrong) for wrong in ("", first[:-1], first + "x", first.upper())] == [None] * 4


def test_key_itself_is_nowhere_on_the_disk(keys: KeyStore, home: Path) -> None:
    secret = keys.create("helpdesk").removeprefix("citeloop_").encode()
    files = [path for path in home.rglob("citeloop.*") if path.is_file()]
    assert files
    assert not any(secret in path.read_bytes() for path in files)


def test_use_is_noted_at_most_once_a_minute(
    keys: KeyStore, key: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert keys.keys()[0].last_used_at is None
    keys.find(key)
    first = keys.keys()[0].last_used_at
    assert first is not None
    monkeypatch.setattr("app.access.keys.now", lambda: "2999-01-01T00:00:00.000+00:00")
    keys.find(key)
    assert keys.keys()[0].last_used_at == first
    with sqlite3.connect(home / "citeloop.sqlite3") as connection:
        connection.execute("UPDATE keys SET last_used_at = '2020-01-01T00:00:00.000+00:00'")
    keys.find(key)
    assert keys.keys()[0].last_used_at == "2999-01-01T00:00:00.000+00:00"


def test_name_has_one_key_until_it_is_removed(keys: KeyStore) -> None:
    first = keys.create("helpdesk")
    with pytest.raises(KeyStoreError, match="citeloop keys remove helpdesk"):
        keys.create("helpdesk")
    keys.remove("helpdesk")
    assert keys.find(first) is None
    assert keys.create("helpdesk") != first


@pytest.mark.parametrize("name", ["", "a/b", "a b", "-a", "a\n", "x" * 65, "ü"])
def test_name_that_could_be_mistaken_is_refused(keys: KeyStore, name: str) -> None:
    with pytest.raises(KeyStoreError, match="got"):
        keys.create(name)


def test_damaged_file_is_set_aside_and_opens_for_nobody(home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "citeloop.sqlite3").write_bytes(b"no database" * 1000)
    keys = KeyStore(home)
    assert keys.find("anything") is None
    assert len(damaged_databases(home)) == 1
    made = keys.find(keys.create("helpdesk"))
    assert made
    assert (made.name, made.limits) == ("helpdesk", Limits())


def test_key_counts_where_its_use_cannot_be_noted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = KeyStore(home).create("helpdesk")
    monkeypatch.setattr("ingest.home.database._opened_for_writing", refuse)
    keys = KeyStore(home)
    found = keys.find(key)
    assert found
    assert (found.name, keys.find("another")) == ("helpdesk", None)
    keys.speak_for(found, "ann")  # her question is answered, too
    with pytest.raises(
        KeyStoreError, match=r"the keys of the home folder .* check free space .* citeloop keys add"
    ) as raised:
        keys.create("second")
    assert str(home) not in str(raised.value)  # requests without a key are answered with it


def test_commands_add_list_and_remove(citeloop: Citeloop, home: Path) -> None:
    assert "citeloop keys add" in citeloop("keys", "list").stdout
    added = citeloop("keys", "add", "helpdesk")
    assert added.status == 0
    found = KeyStore(home).find(added.stdout.strip())
    assert found
    assert (found.name, found.limits) == ("helpdesk", Limits())
    assert "cannot be shown again" in added.stderr
    made = citeloop("keys", "add", "wiki", "--json").json
    assert made == {"name": "wiki", "key": made["key"], "limits": asdict(Limits()) | {"scopes": list(SCOPES)}}
    (first, second) = citeloop("keys", "list", "--json").json
    assert (first["name"], second["name"], second["last_used_at"]) == ("helpdesk", "wiki", None)
    assert first["last_used_at"] is not None
    assert "used never" in citeloop("keys", "list").stdout.splitlines()[1]
    assert citeloop("keys", "remove", "wiki").stdout == "removed wiki\n"
    assert KeyStore(home).find(made["key"]) is None


def test_commands_that_fail_say_why(citeloop: Citeloop) -> None:
    citeloop("keys", "add", "helpdesk")
    again = citeloop("keys", "add", "helpdesk")
    assert (again.status, again.stdout) == (1, "")
    assert "has a key already" in again.stderr
    missing = citeloop("keys", "remove", "wiki")
    assert missing.status == 1
    assert "known: helpdesk" in missing.stderr
    assert citeloop("keys", "add").status == 2


# Limits ----------------------------------------------------------------------------------------------


def test_a_key_of_an_earlier_version_keeps_working(home: Path) -> None:
    home.mkdir()
    key = "citeloop_" + "x" * 43
    with closing(sqlite3.connect(home / "keys.sqlite3")) as connection, connection:
        connection.execute(
            "CREATE TABLE keys (sha256 TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL,"
            " last_used_at TEXT)"
        )
        digest = hashlib.sha256(key.encode()).hexdigest()
        connection.execute("INSERT INTO keys VALUES (?, 'old', '2026-01-01T00:00:00.000+00:00', NULL)", (digest,))
    for keys in (KeyStore(home), KeyStore(home)):  # the second time there is nothing to add
        found = keys.find(key)
        assert found
        assert found.limits == Limits(scopes=SCOPES, expires_at=None, rate=DEFAULT_RATE, num_users=100)
    keys.create("new")
    assert keys.limits("new") == Limits()


def test_a_key_speaks_for_the_users_that_it_named_first(keys: KeyStore) -> None:
    key = keys.find(keys.create("helpdesk", Limits(num_users=3)))
    assert key
    for user in ("ann", "ben", "ann"):
        keys.speak_for(key, user)
    with pytest.raises(
        UserLimitError, match=r"\(3, including itself\), and 'cleo' .*citeloop keys change helpdesk --users N"
    ):
        keys.speak_for(key, "cleo")
    keys.speak_for(key, "ben")
    other = keys.find(keys.create("wiki", Limits(num_users=2)))
    assert other
    keys.speak_for(other, "cleo")


def test_a_key_speaks_for_itself_alone_unless_more_is_allowed(keys: KeyStore) -> None:
    found = keys.find(keys.create("helpdesk"))
    assert found
    with pytest.raises(UserLimitError, match="1, including itself"):
        keys.speak_for(found, "ann")


def test_many_at_once_do_not_name_more_users_than_allowed(keys: KeyStore, home: Path) -> None:
    key = keys.find(keys.create("helpdesk", Limits(num_users=4)))
    assert key

    def speak(number: int) -> None:
        with suppress(UserLimitError):
            KeyStore(home).speak_for(key, f"user-{number}")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(speak, range(24)))
    with closing(sqlite3.connect(home / "citeloop.sqlite3")) as connection:
        assert connection.execute("SELECT COUNT(*) FROM key_users").fetchone() == (3,)


def test_users_of_a_removed_key_do_not_count_for_the_next_one(keys: KeyStore) -> None:
    for user in ("ann", "ben"):
        key = keys.find(keys.create("helpdesk", Limits(num_users=2)))
        assert key
        keys.speak_for(key, user)
        keys.remove("helpdesk")


def test_commands_set_change_and_show_the_limits(citeloop: Citeloop, home: Path) -> None:
    made = citeloop(
        *("keys", "add", "helpdesk", "--scope", "search", "--scope", "ask", "--expires", "30"),
        *("--rate", "60", "--users", "20", "--json"),
    ).json
    assert made["limits"]["scopes"] == ["search", "ask"]
    assert (made["limits"]["rate"], made["limits"]["num_users"]) == (60, 20)
    expires_at = datetime.fromisoformat(made["limits"]["expires_at"])
    assert timedelta(days=29) < expires_at - datetime.now(UTC) <= timedelta(days=30)
    changed = citeloop("keys", "change", "helpdesk", "--users", "50", "--scope", "ask")
    assert changed.stdout == f"helpdesk may now ask; 60 requests a minute; for 50 users; until {expires_at:%Y-%m-%d}\n"
    (listed,) = citeloop("keys", "list", "--json").json
    assert listed["limits"] == made["limits"] | {"scopes": ["ask"], "num_users": 50}
    assert "ask; 60 requests a minute; for 50 users; until" in citeloop("keys", "list").stdout
    assert KeyStore(home).find(made["key"])
    missing = citeloop("keys", "change", "wiki", "--users", "2")
    assert (missing.status, "known: helpdesk" in missing.stderr) == (1, True)
    unknown = citeloop("keys", "add", "wiki", "--scope", "everything")
    assert (unknown.status, "expected scopes among search, ask, rerank, feedback" in unknown.stderr) == (1, True)
    for wrong in (["--expires", "0"], ["--rate", "0"], ["--users", "0"]):
        assert citeloop("keys", "add", "wiki", *wrong).status == 2
