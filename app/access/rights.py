"""Rights: what somebody may do, and which collections they may read. Made in one place, asked everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["reader", "curator", "admin"]
"""Reader: asks and gives feedback. Curator: also adds documents, decides, trains. Admin: also settings, audit log."""

ROLES: tuple[Role, ...] = ("reader", "curator", "admin")
"""Each may do what those before it may."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What a user may do. collections: the names of those that they may read; None: all."""

    user: str
    role: Role = "admin"
    collections: frozenset[str] | None = None

    def may_act_as(self, role: Role) -> bool:
        """Return whether this user may do what the role may."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def may_read(self, collection: str) -> bool:
        """Return whether this user may read the documents of a collection."""
        return self.collections is None or collection in self.collections
