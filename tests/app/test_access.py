from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import typer

from app import ingest_worker
from app.access.access import Access, NoAccessError
from app.access.audit import AuditLog
from app.access.identity import Identity, identity_of
from app.access.policy import AccessError, Proxy, read_policy
from app.access.rights import Rights, Role
from app.commands.main import cli
from ingest.jobs import JobStore
from ingest.pipeline import FileResult
from tests.app.conftest import Citeloop
from tests.conftest import refuse

POLICY = """
[roles]
admin = ["ann@example.org"]
curator = ["group:editors", "Carl@Example.org"]
reader = ["@example.org", "guest@elsewhere.net"]

[collections.handbook]
readers = ["*"]
[collections.hr]
readers = ["group:hr", "eve@example.org"]
"""


def person(email: str, groups: Iterable[str] = ()) -> Identity:
    return Identity(email, email, frozenset(groups))


def write(home: Path, text: str = POLICY) -> None:
    home.mkdir(exist_ok=True)
    (home / "access.toml").write_text(text)


@pytest.fixture
def access(home: Path) -> Access:
    write(home)
    return Access(home)


# Who somebody is -------------------------------------------------------------------------------------


def test_an_address_is_the_user_in_lower_case() -> None:
    claims = {"email": " Ann@Example.org", "email_verified": True, "sub": "7", "groups": ["hr", "editors"]}
    assert identity_of(claims, "groups") == Identity("ann@example.org", "ann@example.org", frozenset({"hr", "editors"}))


@pytest.mark.parametrize("verified", [False, "false", 0, "no"])
def test_an_address_that_is_not_verified_names_nobody(verified: object) -> None:
    claims = {"email": "ann@example.org", "email_verified": verified, "sub": "7", "iss": "https://login.example.org"}
    assert identity_of(claims, "groups") == Identity("https://login.example.org#7")


def test_a_subject_that_looks_like_an_address_is_not_its_user() -> None:
    identity = identity_of({"sub": "ann@example.org", "iss": "https://login.example.org"}, "groups")
    assert identity
    assert identity.user != "ann@example.org"
    assert not identity.email


@pytest.mark.parametrize("claims", [{}, {"email": ""}, {"email": "nobody"}, {"email": None, "sub": ""}])
def test_claims_without_a_name_are_nobody(claims: dict[str, object]) -> None:
    assert identity_of(claims, "groups") is None


def test_groups_come_as_a_list_or_with_commas() -> None:
    for given in (["hr", "it"], "hr, it,"):
        identity = identity_of({"email": "a@b.org", "roles": given}, "roles")
        assert identity
        assert identity.groups == {"hr", "it"}


# What they may do ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identity", "role", "collections"),
    [
        (person("ann@example.org"), "admin", None),
        (person("carl@example.org"), "curator", {"handbook"}),
        (person("bob@elsewhere.net", ["editors"]), "curator", {"handbook"}),
        (person("bob@example.org"), "reader", {"handbook"}),
        (person("bob@example.org", ["hr"]), "reader", {"handbook", "hr"}),
        (person("eve@example.org"), "reader", {"handbook", "hr"}),
        (person("guest@elsewhere.net"), "reader", {"handbook"}),
    ],
)
def test_role_and_collections(access: Access, identity: Identity, role: Role, collections: set[str] | None) -> None:
    allowed = None if collections is None else frozenset(collections)
    assert access.rights_of(identity) == Rights(identity.user, role, allowed)


@pytest.mark.parametrize(
    "identity",
    [
        person("ann@example.org.evil.net"),
        person("ann@sub.example.org"),
        person("example.org@elsewhere.net"),
        Identity("https://login.example.org#7"),
        Identity("ann@example.org"),  # the user's name alone proves nothing
        Identity("x", "", frozenset({"ann@example.org", "*"})),
    ],
)
def test_everybody_else_is_refused(access: Access, identity: Identity) -> None:
    with pytest.raises(NoAccessError, match="has no access"):
        access.rights_of(identity)


def test_without_a_file_a_login_opens_nothing(home: Path) -> None:
    with pytest.raises(NoAccessError):
        Access(home).rights_of(person("ann@example.org"))


def test_without_collections_in_the_file_all_are_open(home: Path) -> None:
    write(home, '[roles]\nadmin = ["a@b.org"]\nreader = ["*"]')
    assert Access(home).rights_of(person("eve@c.org")) == Rights("eve@c.org", "reader", None)


# The file --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "roles.admin: name at least one"),
        ("[roles]\nadmin = []", "roles.admin: name at least one"),
        (
            '[roles]\nadmin = ["a@b.org"]\nowner = ["a@b.org"]',
            "roles.owner is unknown; expected admin, curator, reader",
        ),
        ('[roles]\nadmin = ["a@b.org"]\n[colections.hr]\nreaders = ["*"]', "colections is unknown; expected roles, "),
        (
            '[roles]\nadmin = ["a@b.org"]\n[collections.hr]\nreader = ["*"]',
            "collections.hr.reader is unknown; expected rea",
        ),
        ('[roles]\nadmin = ["ann"]', r"roles.admin.0: expected an e-mail address, @domain, group:NAME or \*"),
        ('[roles]\nadmin = ["group:"]', "roles.admin.0: expected"),
        ('[roles]\nadmin = "a@b.org"', "roles.admin: Input should be a valid list"),
        ('[roles]\nadmin = ["a@b.org"]\n[proxy]\naddresses = ["everywhere"]', "proxy.addresses.0: .*everywhere"),
        ('[roles]\nadmin = ["a@b.org"]\n[proxy]\naddresses = []', "proxy.addresses: "),
        ('[roles]\nadmin = ["a@b.org"]\n[tokens]\nissuer = "http://b.org"\naudience = "x"', "tokens.issuer: .*https"),
        ("[roles", "access.toml cannot be used: "),
    ],
)
def test_a_wrong_file_is_explained(home: Path, text: str, said: str) -> None:
    write(home, text)
    with pytest.raises(AccessError, match=said):
        Access(home)


def test_a_changed_file_counts_at_once(access: Access, home: Path) -> None:
    write(home, POLICY.replace("eve@", "bob@"))
    assert access.rights_of(person("eve@example.org")).collections == frozenset({"handbook"})
    assert access.rights_of(person("bob@example.org")).collections == frozenset({"handbook", "hr"})


@pytest.mark.parametrize("text", ["", "[roles", '[roles]\nadmin = ["eve"]', None])
def test_a_broken_edit_changes_nothing_and_is_said(
    text: str | None, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    write(home)
    access = Access(home, told.append)
    before = access.rights_of(person("eve@example.org"))
    if text is None:
        (home / "access.toml").unlink()
    else:
        write(home, text)
    with caplog.at_level(logging.ERROR):
        assert access.rights_of(person("eve@example.org")) == before
    assert "access.toml" in access.problem
    assert access.problem in caplog.text
    write(home)
    assert access.rights_of(person("eve@example.org")) == before
    assert access.problem == ""
    assert [bool(problem) for problem in told] == [True, False]


@pytest.mark.parametrize(
    ("host", "is_proxy"),
    [
        ("127.0.0.1", True),
        ("::ffff:127.0.0.1", True),
        ("10.1.2.3", True),
        ("10.2.0.1", False),
        ("::1", False),
        ("", False),
    ],
)
def test_the_addresses_of_a_proxy(host: str, is_proxy: bool) -> None:
    assert Proxy(addresses=["127.0.0.1", "10.1.0.0/16"]).connects_from(host) is is_proxy


def test_the_examples_of_the_documentation_are_right(home: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    examples = [part.split("```")[0] for part in page.split("```toml\n")[1:]]
    proxy, roles = (next(example for example in examples if mark in example) for mark in ("[proxy]", "[roles]"))
    write(home, proxy + roles)
    assert read_policy(home)


# The audit log ---------------------------------------------------------------------------------------


def test_the_log_only_grows(home: Path) -> None:
    log = AuditLog(home)
    log.add("ann@example.org", "document removed", "leave.md", "10.0.0.7")
    log.add("", "access.toml read again")
    newest, oldest = log.entries()
    assert (oldest.user, oldest.act, oldest.subject, oldest.address) == (
        "ann@example.org",
        "document removed",
        "leave.md",
        "10.0.0.7",
    )
    assert [newest] == log.entries(last=1)
    with closing(sqlite3.connect(home / "citeloop.sqlite3")) as connection:
        for statement in ("DELETE FROM audit_entries", "UPDATE audit_entries SET user = 'eve@example.org'"):
            with pytest.raises(sqlite3.IntegrityError, match="only grows"):
                connection.execute(statement)


def test_where_the_log_cannot_be_written_the_servers_log_has_the_change(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ingest.home.database._opened_for_writing", refuse)
    AuditLog(home).add("ann@example.org", "model promoted", "reranker-1")
    assert "reranker-1" in caplog.text


def test_what_a_sync_changed_is_in_the_log(home: Path) -> None:
    jobs = JobStore(home)
    quiet, changing = (jobs.add("source", [], source="wiki", begin=True) for _ in range(2))
    jobs.record(changing.id, FileResult("leave.md", "https://example.org/leave.md", "added"))
    for job in (quiet, changing):
        ingest_worker._record(home, job)
    assert [(each.act, each.subject) for each in AuditLog(home).entries()] == [("documents synced", "wiki: 1 added")]


# Commands --------------------------------------------------------------------------------------------


def test_check_says_what_somebody_may_and_why(citeloop: Citeloop, home: Path) -> None:
    write(home)
    said = citeloop("access", "check", "Eve@example.org", "--groups", "editors").stdout.splitlines()
    assert said == [
        "eve@example.org is curator: group:editors",
        "reads handbook: *",
        "reads hr: eve@example.org",
    ]
    assert (
        citeloop("access", "check", "eve@elsewhere.net").stdout
        == "eve@elsewhere.net has no access: no role names them\n"
    )
    record: dict[str, Any] = citeloop("access", "check", "bob@example.org", "--json").json
    assert record == {
        "user": "bob@example.org",
        "role": "reader",
        "because": "@example.org",
        "collections": ["handbook"],
        "readers": {"handbook": "*", "hr": ""},
    }
    assert citeloop("access", "check", "ann@example.org").stdout.splitlines()[1] == "reads every document"


def test_check_without_a_file_says_so(citeloop: Citeloop) -> None:
    outcome = citeloop("access", "check", "ann@example.org")
    assert outcome.status == 1
    assert "there is no access.toml" in outcome.stderr


@pytest.mark.integration
def test_commands_that_change_something_are_in_the_log(citeloop: Citeloop, documents: Path) -> None:
    citeloop("ingest", str(documents))
    citeloop("keys", "add", "portal")
    citeloop("jobs", "resume")
    citeloop("search", "vpn")
    entries: list[dict[str, str]] = citeloop("access", "log", "--json").json
    assert [(entry["act"], entry["subject"]) for entry in entries] == [
        ("ingest: resume", ""),
        ("key made", "portal"),
        ("documents ingested", str(documents)),
    ]
    assert all(entry["user"].startswith("command line (") for entry in entries)
    assert "key made: portal" in citeloop("access", "log", "--last", "2").stdout


def test_every_command_that_changes_something_is_in_the_log() -> None:
    def commands(group: typer.Typer) -> Iterator[Callable[..., object]]:
        yield from (each.callback for each in group.registered_commands if each.callback)
        for each in group.registered_groups:
            assert each.typer_instance
            yield from commands(each.typer_instance)

    silent = {each.__name__.removesuffix("_command") for each in commands(cli) if not hasattr(each, "__wrapped__")}
    reading = "ask catalog check doctor evaluate export history inbox list list_jobs log mcp replay search serve try"
    assert silent == set(reading.split())


def test_a_command_that_failed_is_not_in_the_log(citeloop: Citeloop) -> None:
    assert citeloop("promote", "reranker-9").status == 1
    assert citeloop("access", "log", "--json").json == []
