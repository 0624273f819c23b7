"""`python -m ingest.upkeep`: bring the indexes and files of a home's table up to date, if that is due.

A write to a large table starts it in the background, with low priority, so that neither writer nor questions wait.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from filelock import FileLock, Timeout

from ingest.home.log import write_log
from ingest.home.sharing import shared_write_lock
from ingest.table import keep_current_up


def main(home: Annotated[Path, typer.Option(help="The home folder.")]) -> None:
    """Keep up the current table of a home folder; waits for the write lock."""
    write_log()
    if hasattr(os, "nice"):  # not on Windows
        os.nice(10)
    with (
        suppress(Timeout),
        FileLock(home / "upkeep.lock", timeout=0),
        shared_write_lock(home),
    ):  # else another one waits
        keep_current_up(home)


if __name__ == "__main__":
    typer.run(main)
