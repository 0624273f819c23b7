"""The newest commit of a Git repository, through the git command.

A bare copy of the newest commit alone lies in the home folder. The stamp of a file is Git's digest of its content, so
that only files that differ between two commits are read.
"""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from ingest.sources.source import Item, SourceError

_SECONDS = 1_800
_NEWEST = "refs/citeloop/newest"
_FILE_MODES = ("100644", "100755")
"""Not links and submodules."""


class GitRepository:
    """The connector of a repository. address: a URL, with #BRANCH for another than the default branch.

    folder: of the copy, made if missing. options: username and password (or token) for http addresses.
    """

    def __init__(self, address: str, folder: Path, options: Mapping[str, object]) -> None:
        self._url, _, branch = address.partition("#")
        self._branch = branch or "HEAD"
        self._folder, self._environment = folder, _environment(self._url, options)
        self._digests: dict[str, str] = {}

    def list(self, _known: Mapping[str, str]) -> Iterator[Item]:
        if not (self._folder / "HEAD").exists():
            self._git("init", "--quiet", "--bare", "--template=", str(self._folder))
        self._git(
            "fetch", "--quiet", "--depth=1", "--no-tags", "--end-of-options", self._url, f"+{self._branch}:{_NEWEST}"
        )
        for entry in self._git("ls-tree", "-r", "-z", "--long", "--full-tree", _NEWEST).split(b"\0")[:-1]:
            about, _, name = entry.partition(b"\t")
            mode, _, digest, size = about.decode().split()
            path = name.decode("utf-8", "replace")
            if mode in _FILE_MODES:
                address = f"{self._url}#{path}"
                self._digests[address] = digest
                yield Item(path, address, digest, int(size))

    def read(self, item: Item, target: BinaryIO, max_bytes: int) -> None:
        if item.size > max_bytes:
            raise SourceError("it is larger than the limit for one file; split it")
        command = self._command("cat-file", "blob", self._digests[item.address])
        if subprocess.run(command, stdout=target, env=self._environment, check=False).returncode:  # noqa: S603
            raise SourceError("git cannot read this file")

    def _git(self, *arguments: str) -> bytes:
        command = self._command(*arguments)
        try:
            done = subprocess.run(  # noqa: S603
                command, env=self._environment, capture_output=True, timeout=_SECONDS, stdin=subprocess.DEVNULL
            )
        except FileNotFoundError as error:
            raise SourceError("a Git repository needs the git command; install git") from error
        except subprocess.TimeoutExpired as error:
            raise SourceError(f"{self._url} did not answer within {_SECONDS // 60} minutes; try again later") from error
        if done.returncode:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
            raise SourceError(f"{self._url} cannot be read: {lines[0]}. Check the address and the credentials")
        return done.stdout

    def _command(self, *arguments: str) -> Sequence[str]:
        where = [] if arguments[0] == "init" else [f"--git-dir={self._folder}"]
        return ["git", *where, *arguments]


def _environment(url: str, options: Mapping[str, object]) -> dict[str, str]:
    """Return the variables for git: it asks nobody, runs no other program for an address, and follows no redirect."""
    settings = {"http.followRedirects": "false"}
    if "password" in options:
        login = f"{options.get('username', 'git')}:{options['password']}"
        settings[f"http.{url}.extraHeader"] = f"Authorization: Basic {base64.b64encode(login.encode()).decode()}"
    pairs: dict[str, str] = {}
    for number, (key, value) in enumerate(settings.items()):  # not as arguments, which other users can see
        pairs |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
        **os.environ,
        **pairs,
        "GIT_CONFIG_COUNT": str(len(settings)),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "LC_ALL": "C",
    }
