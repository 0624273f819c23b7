"""Identity -> Rights: the one place that decides who may do what."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.access.identity import EVERYBODY, Identity, identity_of
from app.access.policy import FILE_NAME, AccessError, Policy, naming, read_policy
from app.access.rights import Rights, Role
from app.translation import gettext as _

_log = logging.getLogger(__name__)


class NoAccessError(AccessError):
    """Somebody is logged in, but access.toml gives them no role."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What somebody may do and read, and which entries of access.toml allow it.

    rights: None without access. collections: name -> entry, '' where none lets them read; empty: no collection is
    restricted.
    """

    rights: Rights | None
    role_entry: str = ""
    collections: Mapping[str, str] = field(default_factory=dict)


class Access:
    """People's rights by the access.toml of a home folder, which is read again when it changes.

    A broken or missing file changes nothing: the last good one counts, so no collection becomes open.
    `problem` and the log say what is wrong. Raises AccessError if the first file is broken.
    """

    def __init__(self, home: Path, on_reload: Callable[[str], object] = lambda _: None) -> None:
        """on_reload: gets '' or the problem whenever a changed file was read."""
        self._home, self._on_reload = home, on_reload
        self._lock = threading.Lock()
        self._state = _state_of(home)
        self._policy = read_policy(home)
        self.problem = ""

    @property
    def policy(self) -> Policy | None:
        """The policy that counts now, None without a file."""
        with self._lock:
            if (state := _state_of(self._home)) != self._state:
                self._state = state
                self._read_again()
            return self._policy

    def _read_again(self) -> None:
        try:
            policy = read_policy(self._home)
            if policy is None:
                raise AccessError(f"{self._home / FILE_NAME} is gone; put it back, or restart without it")
        except AccessError as error:
            self.problem = str(error)
            _log.error("the earlier rights are kept: %s", error)
        else:
            self._policy, self.problem = policy, ""
            _log.warning("%s was read again", FILE_NAME)
        self._on_reload(self.problem)

    @property
    def open_collections(self) -> frozenset[str] | None:
        """The collections that everybody may read. None: all, where no collection is restricted."""
        policy = self.policy
        named = policy.collections if policy else {}
        return frozenset(name for name, each in named.items() if EVERYBODY in each.readers) if named else None

    def identity_of(self, claims: Mapping[str, object]) -> Identity | None:
        """Return who the claims of a login or token are about; None if they name nobody."""
        policy = self.policy
        return identity_of(claims, policy.groups_claim if policy else "groups")

    def rights_of(self, identity: Identity) -> Rights:
        """Return what somebody who is logged in may do. Raises NoAccessError."""
        if rights := self.explain(identity).rights:
            return rights
        raise NoAccessError(
            _("{user} has no access. Ask an administrator to add you to {file}", user=identity.user, file=FILE_NAME)
        )

    def explain(self, identity: Identity) -> Explanation:
        """Return what somebody may do and why."""
        policy = self.policy
        found = policy.role_of(identity) if policy else None
        if policy is None or found is None:
            return Explanation(None)
        role, entry = found
        read = {name: naming(each.readers, identity) for name, each in policy.collections.items()}
        return Explanation(Rights(identity.user, role, _readable(role, read)), entry, read)


def _readable(role: Role, read: Mapping[str, str]) -> frozenset[str] | None:
    """Return the collections that may be read. None: all, for admins and where no collection is restricted."""
    if role == "admin" or not read:
        return None
    return frozenset(name for name, entry in read.items() if entry)


def _state_of(home: Path) -> tuple[int, ...] | None:
    """Return what changes when the file changes; None if it is not there."""
    try:
        found = os.stat(home / FILE_NAME)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
