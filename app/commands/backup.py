"""`citeloop backup` and `citeloop restore`: the home folder to one file and back.

Heavy imports are inside the commands, so that `--help` is quick.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest.commands import HomeOption, JsonOption
from ingest.home.folder import DEFAULT_HOME

if TYPE_CHECKING:
    from ingest.backup import Backup


def backup_command(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist.", show_default=False)],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the home folder to one tar file, while people go on working. Example: citeloop backup /backups/monday.tar

    The file holds all documents, feedback, models and keys, so store it accordingly.
    """
    from ingest.backup import back_up

    def wait() -> None:
        print("another process is writing to the table; waiting for it", file=sys.stderr)

    _print("backed up", back_up(home or DEFAULT_HOME, file, wait), as_json=as_json)


def restore_command(
    file: Annotated[Path, typer.Argument(help="A file that `citeloop backup` wrote.", show_default=False)],
    home: HomeOption = None,
    force: Annotated[bool, typer.Option("--force", help="Put what is in the home folder aside.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fill an empty home folder from a backup; stop the server first. Example: citeloop restore /backups/monday.tar"""
    from ingest.backup import restore

    _print("restored", restore(file, home or DEFAULT_HOME, force=force), as_json=as_json)


def _print(done: str, backup: Backup, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(backup), default=str))
        return
    size = f"{backup.num_files} files, {backup.num_bytes / 1e6:,.1f} MB"
    print(f"{done}: {size}, as of {backup.made_at[:19].replace('T', ' ')} UTC")
    if backup.put_aside:
        print(f"the earlier content is in {backup.put_aside}; delete it when you do not need it")
