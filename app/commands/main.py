"""`citeloop`: the command line. Results go to stdout, everything else to stderr.

Exit status: 0 done, 1 failed (one line on stderr says why), 2 wrong usage. Heavy imports are inside the commands, so
that `--help` is quick.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from app.commands.access import access_cli
from app.commands.ask import ask_command, search_command
from app.commands.backup import backup_command, restore_command
from app.commands.documents import documents_cli
from app.commands.evaluate import evaluate_command
from app.commands.feedback import feedback_cli
from app.commands.keys import keys_cli, mcp_command
from app.commands.models import (
    get_command,
    import_command,
    models_cli,
    promote_command,
    rollback_command,
    trial_command,
)
from app.commands.recorded import recorded
from app.commands.replay import replay_command
from app.commands.sources import sources_cli
from app.commands.train import train_command
from ingest import describe
from ingest.__main__ import run
from ingest.commands import (
    HomeOption,
    JsonOption,
    cancel,
    ingest_command,
    jobs_cli,
    reindex_command,
    resume,
    share_command,
    watch_command,
)

cli = typer.Typer(
    name="citeloop",
    help="Ask your documents, see why each passage ranks where it does, strike out a wrong source.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
cli.add_typer(access_cli, name="access")
cli.add_typer(documents_cli, name="documents")
cli.add_typer(feedback_cli, name="feedback")
cli.add_typer(jobs_cli, name="jobs")
cli.add_typer(keys_cli, name="keys")
cli.add_typer(models_cli, name="models")
cli.add_typer(sources_cli, name="sources")
cli.command("ingest")(recorded("documents ingested", "paths")(ingest_command))
cli.command("watch")(recorded("folder watched", "folder")(watch_command))
cli.command("reindex")(recorded("documents indexed again")(reindex_command))
cli.command("share")(recorded("documents shared")(share_command))
cli.command("evaluate")(evaluate_command)
cli.command("replay")(replay_command)
cli.command("train")(recorded("training ended", "kind")(train_command))
cli.command("promote")(recorded("model promoted", "name")(promote_command))
cli.command("rollback")(recorded("model rolled back")(rollback_command))
models_cli.command("get")(recorded("model downloaded", "name")(get_command))
models_cli.command("trial")(recorded("trial changed", "name")(trial_command))
models_cli.command("import")(recorded("model imported", "path")(import_command))
cli.command("backup")(recorded("home folder backed up", "file")(backup_command))
cli.command("restore")(recorded("home folder restored", "file")(restore_command))
cli.command("mcp")(mcp_command)
cli.command("ask")(ask_command)
cli.command("search")(search_command)
for each in jobs_cli.registered_commands:  # the document side has no audit log
    if each.callback in (cancel, resume):
        each.callback = recorded(f"ingest: {each.callback.__name__}", "job_id")(each.callback)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"citeloop {version('citeloop')}")
        raise typer.Exit


def _find_describer(home: Path) -> describe.Describer | None:
    from app.language_model.vision import find_describer

    return find_describer(home)


describe.find_describer = _find_describer


@cli.callback()
def options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of the program itself."""


@cli.command()
def serve(
    home: HomeOption = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond loopback, a login is required.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="PORT", min=0, max=65535, help="Port; 0 picks a free one.")] = 8501,
    api: Annotated[
        bool, typer.Option("--api", help="Also serve the API below /v1, and tools for agents at /mcp.")
    ] = False,
    public_url: Annotated[
        list[str] | None,
        typer.Option(envvar="CITELOOP_PUBLIC_URL", help="Address at a reverse proxy, https://docs.example.com."),
    ] = None,
    without_login: Annotated[
        bool, typer.Option("--without-login", help="Listen beyond loopback; everybody there has full access.")
    ] = False,
) -> None:
    """Serve the app in a browser. Example: citeloop serve --port 8600"""
    if home:
        os.environ["CITELOOP_HOME"] = str(home.resolve())  # the pages read their settings from the environment
    from app.ui.server import serve as serve_pages

    serve_pages(host, port, api=api, public_urls=public_url or (), without_login=without_login)


@cli.command()
def doctor(
    home: HomeOption = None,
    repair: Annotated[bool, typer.Option(help="Restore a damaged table from the kept files.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Check all parts of the installation and repair the table. Example: citeloop doctor"""
    from app.commands.doctor import check
    from app.settings import read_settings

    checks = check(read_settings(home), repair=repair)
    if as_json:
        print(json.dumps({"checks": [asdict(result) for result in checks]}))
    else:
        for result in checks:
            print(f"{'ok    ' if result.ok else 'FAILED'} {result.name}: {result.detail}")
    if not all(result.ok for result in checks):
        raise typer.Exit(1)


def main() -> None:
    """The entry point of the `citeloop` command."""
    run(cli)


if __name__ == "__main__":
    main()
