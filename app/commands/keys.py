"""The commands for programs: keys, mcp.

Heavy imports are inside the commands, so that `--help` is quick.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.access.identity import EVERYBODY, Identity, address
from app.access.limits import SCOPES, Limits
from app.commands.recorded import recorded
from ingest.commands import HomeOption, JsonOption
from ingest.extras import needs_extra
from ingest.home.folder import DEFAULT_HOME

if TYPE_CHECKING:
    from app.access.keys import KeyStore

keys_cli = typer.Typer(help="Keys for programs that use the API (citeloop serve --api).", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="Name of the program; its feedback is recorded as api:NAME.")]
ScopeOption = Annotated[
    list[str] | None, typer.Option("--scope", help=f"Permission: {', '.join(SCOPES)}; repeatable. Default: all.")
]
ExpiresOption = Annotated[int | None, typer.Option("--expires", min=1, help="Days until it expires.")]
RateOption = Annotated[int | None, typer.Option("--rate", min=1, help="Requests per minute. Default: 300.")]
UsersOption = Annotated[
    int | None, typer.Option("--users", min=1, help="Number of users it may name, including itself. Default: 1.")
]
OwnerOption = Annotated[
    str | None, typer.Option("--owner", help="Address of the person whose rights, as in access.toml, it has.")
]
CollectionsOption = Annotated[
    str | None,
    typer.Option("--collections", help="Only these collections, separated by commas; '*' removes the limit."),
]


@keys_cli.command("add")
@recorded("key made", "name")
def add_command(
    name: NameArgument,
    scope: ScopeOption = None,
    expires: ExpiresOption = None,
    rate: RateOption = None,
    users: UsersOption = None,
    owner: OwnerOption = None,
    collections: CollectionsOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a key and print it; it cannot be shown again. Example: citeloop keys add helpdesk"""
    limits = _changed(home, Limits(), scope, expires, rate, users, owner, collections)
    key = _store(home).create(name, limits)
    if as_json:
        print(json.dumps({"name": name, "key": key, "limits": asdict(limits)}))
        return
    print(key)
    print("Copy it now: it cannot be shown again. Send it as Authorization: Bearer KEY", file=sys.stderr)


@keys_cli.command("change")
@recorded("key changed", "name")
def change_command(
    name: NameArgument,
    scope: ScopeOption = None,
    expires: ExpiresOption = None,
    rate: RateOption = None,
    users: UsersOption = None,
    owner: OwnerOption = None,
    collections: CollectionsOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a key's limits; options not given stay. Example: citeloop keys change helpdesk --users 50"""
    store = _store(home)
    limits = _changed(home, store.limits(name), scope, expires, rate, users, owner, collections)
    store.change(name, limits)
    print(json.dumps({"name": name, "limits": asdict(limits)}) if as_json else f"{name} may now {_words(limits)}")


@keys_cli.command("list")
def list_command(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Print the keys with times of creation and last use (UTC) and limits. Example: citeloop keys list"""
    keys = _store(home).keys()
    if as_json:
        print(json.dumps([asdict(key) for key in keys]))
        return
    for key in keys:
        used = (key.last_used_at or "never")[:16]
        print(f"{key.name:24} made {key.created_at[:19]}  used {used:16}  may {_words(key.limits)}")
    if not keys:
        print("no keys yet; make one with: citeloop keys add NAME")


@keys_cli.command("remove")
@recorded("key removed", "name")
def remove_command(name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Remove a key; a running server refuses it from now on. Example: citeloop keys remove helpdesk"""
    _store(home).remove(name)
    print(json.dumps({"removed": name}) if as_json else f"removed {name}")


def _changed(
    home: Path | None,
    limits: Limits,
    scope: list[str] | None,
    expires: int | None,
    rate: int | None,
    users: int | None,
    owner: str | None,
    collections: str | None,
) -> Limits:
    """Return the limits with the given changes; expires: days from now. Raises NoAccessError for an unknown owner."""
    last = datetime.now(UTC) + timedelta(days=expires) if expires else None
    given = {
        "scopes": tuple(scope) if scope else None,
        "expires_at": last.isoformat(timespec="milliseconds") if last else None,
        "rate": rate,
        "num_users": users,
        "owner": _checked_owner(owner, home) if owner else None,
    }
    changed = replace(limits, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    if collections is None:
        return changed
    names = tuple(name.strip() for name in collections.split(",") if name.strip())
    return replace(changed, collections=None if names == (EVERYBODY,) else names)


def _checked_owner(owner: str, home: Path | None) -> str:
    from app.access.access import Access, NoAccessError  # takes a fifth of a second to import
    from app.access.policy import FILE_NAME

    if not (email := address(owner)):
        raise typer.BadParameter(f"expected an e-mail address for --owner, got {owner!r:.80}")
    folder = home or DEFAULT_HOME
    if not Access(folder).explain(Identity(email, email)).rights:
        raise NoAccessError(f"{email} has no access: first give the address a role in {folder / FILE_NAME}")
    return email


def _words(limits: Limits) -> str:
    users = f"{limits.num_users} user{'' if limits.num_users == 1 else 's'}"
    until = f"until {limits.expires_at[:10]}" if limits.expires_at else "without end"
    words = f"{', '.join(limits.scopes)}; {limits.rate} requests a minute; for {users}; {until}"
    if limits.collections is not None:
        words += f"; in {', '.join(limits.collections) or 'no collection'}"
    return words + (f"; owner {limits.owner}" if limits.owner else "")


def mcp_command(home: HomeOption = None) -> None:
    """Run an MCP server with the tools search and ask over stdin and stdout. Models load on first use.

    Agents start it themselves, for instance: claude mcp add citeloop -- citeloop mcp --home ~/handbook-home
    Example: citeloop mcp
    """
    with needs_extra("api", "an MCP server"):
        from app.api.agents import create_agent_server
    from app.pipeline import Pipeline
    from app.settings import read_settings

    pipeline = Pipeline(read_settings(home))  # loads nothing yet
    create_agent_server(lambda: pipeline).run("stdio")


def _store(home: Path | None) -> KeyStore:
    from app.access.keys import KeyStore  # takes a quarter of a second to import

    return KeyStore(home or DEFAULT_HOME)
