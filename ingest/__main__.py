"""`python -m ingest PATH...`: the ingest command alone, without the question side."""

from __future__ import annotations

import sys

import typer

from ingest import CiteloopError
from ingest.commands import ingest_command, printable


def run(app: typer.Typer) -> None:
    """Run a command line; print a user error as one line on stderr and exit with status 1."""
    try:
        app()
    except (CiteloopError, OSError) as error:
        print("\n".join(map(printable, f"error: {error}".split("\n"))), file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    main.command()(ingest_command)
    run(main)
