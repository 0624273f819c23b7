"""`citeloop access`: what somebody may do and why; who changed what."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from app.access.audit import AuditLog
from app.access.identity import Identity, address
from ingest.commands import HomeOption, JsonOption, printable
from ingest.home.folder import DEFAULT_HOME

if TYPE_CHECKING:
    from app.access.access import Explanation

access_cli = typer.Typer(help="Who may see and do what (access.toml), and who changed what.", no_args_is_help=True)


@access_cli.command("check")
def check_command(
    email: Annotated[str, typer.Argument(help="Address, as the login gives it.")],
    groups: Annotated[
        list[str] | None, typer.Option("--groups", help="Group of the login or proxy; repeatable.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what somebody who logs in may do, and which entries of access.toml allow it.

    Example: citeloop access check eve@example.org --groups hr
    """
    from app.access.access import Access  # takes a fifth of a second to import
    from app.access.policy import FILE_NAME, AccessError

    if not (user := address(email)):
        raise typer.BadParameter(f"expected an e-mail address, got {email!r:.80}")
    access = Access(home or DEFAULT_HOME)
    if access.policy is None:
        raise AccessError(f"there is no {FILE_NAME} in {home or DEFAULT_HOME}: without a login everybody is an admin")
    found = access.explain(Identity(user, user, frozenset(groups or ())))
    if as_json:
        print(json.dumps(_record(user, found)))
    else:
        print("\n".join(_lines(user, found)))


@access_cli.command("log")
def log_command(
    last: Annotated[int | None, typer.Option(min=1, help="How many of the newest entries. Default: all.")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print who changed what, when and from where, newest first. Example: citeloop access log --last 20"""
    entries = AuditLog(home or DEFAULT_HOME).entries(last or None)
    if as_json:
        print(json.dumps([asdict(entry) for entry in entries], ensure_ascii=False))
        return
    for entry in entries:
        words = ": ".join(filter(None, (entry.act, entry.subject)))
        print(f"{entry.at[:19]}  {entry.user or '-':30}  {entry.address or '-':15}  {printable(words)}")
    if not entries:
        print("no changes yet")


def _record(user: str, found: Explanation) -> dict[str, object]:
    rights = found.rights
    return {
        "user": user,
        "role": rights.role if rights else None,
        "because": found.role_entry,
        "collections": None if rights is None or rights.collections is None else sorted(rights.collections),
        "readers": dict(found.collections),
    }


def _lines(user: str, found: Explanation) -> list[str]:
    if found.rights is None:
        return [f"{user} has no access: no role names them"]
    lines = [f"{user} is {found.rights.role}: {found.role_entry}"]
    if found.rights.collections is None:
        return [*lines, "reads every document"]
    return lines + [
        f"{'reads' if entry else 'does not read'} {name}{f': {entry}' if entry else ''}"
        for name, entry in found.collections.items()
    ]
