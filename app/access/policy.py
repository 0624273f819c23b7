"""access.toml -> Policy: who has which role, and who may read which collection."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from app.access.identity import EVERYBODY, GROUP, Identity, address
from app.access.rights import ROLES, Role
from ingest import CiteloopError

FILE_NAME = "access.toml"
EXAMPLE = '[roles]\nadmin = ["you@example.org"]\nreader = ["@example.org"]'


class AccessError(CiteloopError):
    """access.toml cannot be used, or somebody has no access."""


def _checked_entry(entry: str) -> str:
    is_group = entry.startswith(GROUP) and entry != GROUP
    if not (is_group or entry == EVERYBODY or address(entry) or address(f"x{entry}")):
        raise ValueError(f"expected an e-mail address, @domain, {GROUP}NAME or {EVERYBODY}")
    return entry


def _checked_header(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+", name):
        raise ValueError("expected the name of a header, such as X-Forwarded-Email")
    return name


def _checked_network(network: str) -> str:
    ipaddress.ip_network(network)  # its error names the value
    return network


def _checked_sign_out(url: str) -> str:
    if not re.match(r"/(?!/)|https://", url):
        raise ValueError("expected an address that begins with / or https://")
    return url


def _checked_issuer(url: str) -> str:
    if not re.match(r"https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/]", url):
        raise ValueError("expected an address that begins with https://")
    return url


Entry = Annotated[str, AfterValidator(_checked_entry)]
Header = Annotated[str, AfterValidator(_checked_header)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Roles(_Table):
    """The people of each role; the highest one that names somebody counts."""

    admin: Annotated[list[Entry], Field(min_length=1)]
    curator: list[Entry] = []
    reader: list[Entry] = []


class Collection(_Table):
    """Who may read the documents of a collection, beside admins."""

    readers: list[Entry]


class Proxy(_Table):
    """A proxy in front that logs people in and names them in headers.

    addresses: those it connects from. sign_out_url: its page that ends the login, '' if it has none.
    """

    addresses: Annotated[list[Annotated[str, AfterValidator(_checked_network)]], Field(min_length=1)]
    email_header: Header = "X-Forwarded-Email"
    groups_header: Header = "X-Forwarded-Groups"
    sign_out_url: Annotated[str, AfterValidator(_checked_sign_out)] = ""

    def connects_from(self, host: str) -> bool:
        """Return whether an address is the proxy's."""
        try:
            found = ipaddress.ip_address(host)
        except ValueError:
            return False
        found = getattr(found, "ipv4_mapped", None) or found
        return any(found in ipaddress.ip_network(network) for network in self.addresses)


class Tokens(_Table):
    """Whose bearer tokens the API accepts. audience: the value that the issuer gives to tokens for Citeloop."""

    issuer: Annotated[str, AfterValidator(_checked_issuer)]
    audience: Annotated[str, Field(min_length=1)]


class Policy(_Table):
    """The contents of access.toml. groups_claim: the claim of a login or token that lists groups."""

    roles: Roles
    groups_claim: str = "groups"
    collections: dict[str, Collection] = {}
    proxy: Proxy | None = None
    tokens: Tokens | None = None

    def role_of(self, identity: Identity) -> tuple[Role, str] | None:
        """Return somebody's role and the entry that gives it; None: no access."""
        for role in reversed(ROLES):
            if entry := naming(getattr(self.roles, role), identity):
                return role, entry
        return None


def naming(entries: list[str], identity: Identity) -> str:
    """Return the first entry that is for somebody, '' if none is."""
    return next((entry for entry in entries if identity.is_named_by(entry)), "")


def read_policy(home: Path) -> Policy | None:
    """Return the policy in a home folder, None if there is no file. Raises AccessError that says what is wrong."""
    path = home / FILE_NAME
    try:
        return Policy.model_validate(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        problems = "; ".join(_problem(item["loc"], item["type"], item["msg"]) for item in error.errors())
    except (OSError, ValueError) as error:  # not UTF-8 or not TOML
        problems = str(error)
    raise AccessError(f"{path} cannot be used: {problems}")


def _problem(place: tuple[str | int, ...], kind: str, message: str) -> str:
    name = ".".join(str(part) for part in place)
    if kind == "extra_forbidden":
        return f"{name} is unknown; expected {', '.join(_known_keys(place[:-1]))}"
    if place[:1] == ("roles",) and kind in ("missing", "too_short"):
        return 'roles.admin: name at least one, for example admin = ["you@example.org"]'
    return f"{name}: {message.removeprefix('Value error, ')}"


def _known_keys(place: tuple[str | int, ...]) -> list[str]:
    tables: dict[str, type[BaseModel]] = {
        "roles": Roles,
        "collections": Collection,
        "proxy": Proxy,
        "tokens": Tokens,
    }
    return list(tables.get(str(place[0]) if place else "", Policy).model_fields)
