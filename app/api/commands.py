"""The commands about programs that ask: keys, mcp.

Heavy imports stand inside the commands, so that `--help` is quick.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest.commands import HomeOption, JsonOption

if TYPE_CHECKING:
    from app.api.keys import KeyStore

keys_cli = typer.Typer(help="Keys for programs that use the API (citeloop serve --api).", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="Of the program that uses it; feedback is noted as api:NAME.")]


@keys_cli.command("add")
def add_command(name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Make a key and print it. It is not kept and cannot be shown again. Example: citeloop keys add helpdesk"""
    key = _store(home).create(name)
    if as_json:
        print(json.dumps({"name": name, "key": key}))
        return
    print(key)
    print("Note it now: it cannot be shown again. Send it as Authorization: Bearer KEY", file=sys.stderr)


@keys_cli.command("list")
def list_command(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Print the names that have a key, when it was made and when it was used last (UTC). Example: citeloop keys list"""
    keys = _store(home).keys()
    if as_json:
        print(json.dumps([asdict(key) for key in keys]))
        return
    for key in keys:
        print(f"{key.name:24} made {key.created_at[:19]}  used {(key.last_used_at or 'never')[:16]}")
    if not keys:
        print("no keys yet; make one with: citeloop keys add NAME")


@keys_cli.command("remove")
def remove_command(name: NameArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Remove a key; a running server refuses it from now on. Example: citeloop keys remove helpdesk"""
    _store(home).remove(name)
    print(json.dumps({"removed": name}) if as_json else f"removed {name}")


def mcp_command(home: HomeOption = None) -> None:
    """Offer search and ask to agents, as an MCP server over standard input and output. Models load on first use.

    An agent starts it by itself, for instance: claude mcp add citeloop -- citeloop mcp --home ~/handbook-home
    Example: citeloop mcp
    """
    from app.api.agents import create_agent_server
    from app.pipeline import Pipeline
    from app.settings import read_settings

    pipeline = Pipeline(read_settings(home))  # loads nothing yet
    create_agent_server(lambda: pipeline).run("stdio")


def _store(home: Path | None) -> KeyStore:
    from app.api.keys import KeyStore
    from ingest.home import DEFAULT_HOME

    return KeyStore(home or DEFAULT_HOME)
