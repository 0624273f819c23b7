"""Claims of a login, a proxy or a token -> Identity: who somebody is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.access.rights import Rights

_EMAIL = re.compile(r"[^@\s:,]+@[^@\s:,]+")
EVERYBODY = "*"
GROUP = "group:"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is, as a login, a proxy or a token says.

    user: whose rows are theirs; the e-mail address if there is one. email: in lower case, '' if none or not verified.
    """

    user: str
    email: str = ""
    groups: frozenset[str] = frozenset()

    def is_named_by(self, entry: str) -> bool:
        """Return whether an entry of access.toml is for them: an address, @domain, group:NAME or *."""
        if entry.startswith(GROUP):
            return entry.removeprefix(GROUP) in self.groups
        if entry.startswith("@"):
            return self.email.endswith(entry.lower())
        return entry == EVERYBODY or (bool(self.email) and entry.lower() == self.email)


def identity_of(claims: Mapping[str, object], groups_claim: str) -> Identity | None:
    """Return who the claims of an OpenID provider are about; None if they name nobody.

    An address that the provider calls unverified is not used: anybody could have entered it.
    """
    groups = frozenset(_texts(claims.get(groups_claim)))
    if email := address(claims.get("email")) if _is_verified(claims) else "":
        return Identity(email, email, groups)
    subject = claims.get("sub")
    if not subject:
        return None
    return Identity(f"{claims.get('iss', '')}#{subject}", "", groups)  # a subject alone could be another's address


def address(value: object) -> str:
    """Return an e-mail address in lower case, '' for anything else."""
    found = str(value or "").strip().lower()
    return found if _EMAIL.fullmatch(found) else ""


def without_login(user: str) -> Rights:
    """Return the rights where no login is configured: everybody may do everything."""
    return Rights(user)


def _is_verified(claims: Mapping[str, object]) -> bool:
    # many providers verify every address and omit the claim
    return claims.get("email_verified") in (None, True, "true")


def _texts(value: object) -> list[str]:
    """Return the groups of a claim, which is a list, or of a header, which separates them by commas."""
    given = value if isinstance(value, list | tuple) else str(value or "").split(",")
    return [text for each in given if (text := str(each).strip())]
