from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from app.api.keys import KeyStore, KeyStoreError
from tests.app.conftest import Citeloop, citeloop, fake_models

__all__ = ["citeloop", "fake_models"]
from ingest.damaged_database import damaged_databases
from tests.conftest import refuse


def test_key_is_long_random_and_known_by_its_name(keys: KeyStore) -> None:
    first, second = keys.create("helpdesk"), keys.create("wiki")
    assert re.fullmatch(r"citeloop_[\w-]{43}", first)
    assert first != second
    assert (keys.name_of(first), keys.name_of(second)) == ("helpdesk", "wiki")
    assert [keys.name_of(wrong) for wrong in ("", first[:-1], first + "x", first.upper())] == [None] * 4


def test_key_itself_is_nowhere_on_the_disk(keys: KeyStore, home: Path) -> None:
    secret = keys.create("helpdesk").removeprefix("citeloop_").encode()
    files = [path for path in home.rglob("keys.*") if path.is_file()]
    assert files
    assert not any(secret in path.read_bytes() for path in files)


def test_use_is_noted_at_most_once_a_minute(
    keys: KeyStore, key: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert keys.keys()[0].last_used_at is None
    keys.name_of(key)
    first = keys.keys()[0].last_used_at
    assert first is not None
    monkeypatch.setattr("app.api.keys.now", lambda: "2999-01-01T00:00:00.000+00:00")
    keys.name_of(key)
    assert keys.keys()[0].last_used_at == first
    with sqlite3.connect(home / "keys.sqlite3") as connection:
        connection.execute("UPDATE keys SET last_used_at = '2020-01-01T00:00:00.000+00:00'")
    keys.name_of(key)
    assert keys.keys()[0].last_used_at == "2999-01-01T00:00:00.000+00:00"


def test_name_has_one_key_until_it_is_removed(keys: KeyStore) -> None:
    first = keys.create("helpdesk")
    with pytest.raises(KeyStoreError, match="citeloop keys remove helpdesk"):
        keys.create("helpdesk")
    keys.remove("helpdesk")
    assert keys.name_of(first) is None
    assert keys.create("helpdesk") != first


@pytest.mark.parametrize("name", ["", "a/b", "a b", "-a", "a\n", "x" * 65, "ü"])
def test_name_that_could_be_mistaken_is_refused(keys: KeyStore, name: str) -> None:
    with pytest.raises(KeyStoreError, match="got"):
        keys.create(name)


def test_damaged_file_is_set_aside_and_opens_for_nobody(home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "keys.sqlite3").write_bytes(b"no database" * 1000)
    keys = KeyStore(home)
    assert keys.name_of("anything") is None
    assert len(damaged_databases(home)) == 1
    assert keys.name_of(keys.create("helpdesk")) == "helpdesk"


def test_key_counts_where_its_use_cannot_be_noted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = KeyStore(home).create("helpdesk")
    monkeypatch.setattr("ingest.database._opened_for_writing", refuse)
    keys = KeyStore(home)
    assert (keys.name_of(key), keys.name_of("another")) == ("helpdesk", None)
    with pytest.raises(KeyStoreError, match=r"keys\.sqlite3 .* look at the free space .* citeloop keys add") as raised:
        keys.create("second")
    assert str(home) not in str(raised.value)  # requests without a key are answered with it


def test_commands_add_list_and_remove(citeloop: Citeloop, home: Path) -> None:
    assert "citeloop keys add" in citeloop("keys", "list").stdout
    added = citeloop("keys", "add", "helpdesk")
    assert added.status == 0
    assert KeyStore(home).name_of(added.stdout.strip()) == "helpdesk"
    assert "cannot be shown again" in added.stderr
    made = citeloop("keys", "add", "wiki", "--json").json
    assert made == {"name": "wiki", "key": made["key"]}
    (first, second) = citeloop("keys", "list", "--json").json
    assert (first["name"], second["name"], second["last_used_at"]) == ("helpdesk", "wiki", None)
    assert first["last_used_at"] is not None
    assert citeloop("keys", "list").stdout.splitlines()[1].endswith("used never")
    assert citeloop("keys", "remove", "wiki").stdout == "removed wiki\n"
    assert KeyStore(home).name_of(made["key"]) is None


def test_commands_that_fail_say_why(citeloop: Citeloop) -> None:
    citeloop("keys", "add", "helpdesk")
    again = citeloop("keys", "add", "helpdesk")
    assert (again.status, again.stdout) == (1, "")
    assert "has a key already" in again.stderr
    missing = citeloop("keys", "remove", "wiki")
    assert missing.status == 1
    assert "there are: helpdesk" in missing.stderr
    assert citeloop("keys", "add").status == 2
