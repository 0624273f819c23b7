from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ingest.sources.git import _environment
from ingest.sources.source import SourceError
from tests.ingest.sources.conftest import SyncNow, names, outcome


class Repository:
    """A bare repository, and a clone in which commits are made."""

    def __init__(self, folder: Path) -> None:
        self.bare, self.clone = folder / "wiki.git", folder / "clone"
        self.run("init", "--quiet", "--bare", "--initial-branch=main", str(self.bare), at=folder)
        self.run("clone", "--quiet", str(self.bare), str(self.clone), at=folder)

    def run(self, *arguments: str, at: Path | None = None) -> None:
        person = {f"GIT_{role}_{part}": "a@b" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        subprocess.run(
            ["git", "-c", "init.defaultBranch=main", *arguments],
            cwd=at or self.clone,
            check=True,
            capture_output=True,
            env={**os.environ, **person},
        )

    def commit(self, **files: str | None) -> None:
        """Write, or for None delete, files whose names have an underscore in place of the dot, and push."""
        for name, text in files.items():
            path = self.clone / name.replace("_", ".")
            path.write_text(text) if text is not None else path.unlink()
        self.run("add", "--all")
        self.run("commit", "--quiet", "-m", "words")
        self.run("push", "--quiet", "origin", "HEAD:main")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path)
    repository.commit(leave_md="# Leave\n\nThirty days a year.", vpn_md="# VPN\n\nIt needs a key.")
    return repository


def test_the_newest_commit_is_followed(repository: Repository, sync: SyncNow, new_home: Path) -> None:
    assert outcome(sync(repository.bare)) == [("added", "leave.md"), ("added", "vpn.md")]
    assert sync(repository.bare) == []
    repository.commit(leave_md=None, vpn_md="# VPN\n\nIt needs two keys.", pay_md="# Pay\n\nOn the last day.")
    assert outcome(sync(repository.bare)) == [("added", "pay.md"), ("removed", "leave.md"), ("replaced", "vpn.md")]
    assert names(new_home) == ["pay.md", "vpn.md"]


def test_links_and_hidden_files_are_left_out(repository: Repository, sync: SyncNow, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("# Secret\n\nNot for others.")
    (repository.clone / "link.md").symlink_to(tmp_path / "secret.md")
    (repository.clone / ".notes.md").write_text("# Notes\n\nHidden.")
    repository.commit(more_md="# More\n\nMore words.")
    assert outcome(sync(repository.bare)) == [("added", "leave.md"), ("added", "more.md"), ("added", "vpn.md")]


def test_another_branch_is_chosen_with_a_hash(repository: Repository, sync: SyncNow, new_home: Path) -> None:
    repository.run("push", "--quiet", "origin", "HEAD:old")
    repository.commit(leave_md="# Leave\n\nNo days at all.")
    assert len(sync(f"{repository.bare.as_uri()}#old")) == 2
    repository.commit(leave_md="# Leave\n\nOne day.")
    assert sync(f"{repository.bare.as_uri()}#old") == []


@pytest.mark.parametrize("address", ["ext::sh -c touch% evil.git", "file:///no/such/repository.git"])
def test_a_repository_that_cannot_be_read_changes_nothing(address: str, sync: SyncNow, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"cannot be read|neither an address"):
        sync(address)
    assert not list(tmp_path.glob("**/evil*"))


def test_a_repository_that_is_empty_changes_nothing(repository: Repository, sync: SyncNow, new_home: Path) -> None:
    sync(repository.bare)
    repository.commit(leave_md=None, vpn_md=None)
    with pytest.raises(SourceError, match="nothing was found"):
        sync(repository.bare)
    assert len(names(new_home)) == 2


def test_a_password_is_sent_to_its_address_and_is_no_argument() -> None:
    made = _environment("https://git.example.com/wiki.git", {"username": "me", "password": "word"})
    pairs = {made[f"GIT_CONFIG_KEY_{n}"]: made[f"GIT_CONFIG_VALUE_{n}"] for n in range(int(made["GIT_CONFIG_COUNT"]))}
    assert pairs["http.https://git.example.com/wiki.git.extraHeader"] == "Authorization: Basic bWU6d29yZA=="
    assert pairs["http.followRedirects"] == "false"
