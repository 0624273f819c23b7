"""Commands that change something -> the same, with an entry in the audit log."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import typer

from app.access.audit import AuditLog
from app.commands.models import user_name
from ingest.home.folder import DEFAULT_HOME

Command = Callable[..., None]


def recorded(what: str, subject: str = "") -> Callable[[Command], Command]:
    """Return a decorator for a command: when it has changed something, the audit log says so.

    what: may name arguments, such as 'documents moved to {collection}'. subject: the argument that names what changed.
    """

    def with_entry(command: Command) -> Command:
        @wraps(command)
        def run(**arguments: Any) -> None:
            try:
                command(**arguments)
            except (typer.Exit, KeyboardInterrupt):  # some files failed, or watching ended
                _write(arguments, what, subject)
                raise
            _write(arguments, what, subject)

        return run

    return with_entry


def _write(arguments: dict[str, Any], what: str, subject: str) -> None:
    if arguments.get("dry_run"):
        return
    named = arguments.get(subject) or ""
    words = ", ".join(map(str, named)) if isinstance(named, list) else str(named)
    home: Path = arguments.get("home") or DEFAULT_HOME
    AuditLog(home).add(f"command line ({user_name()})", " ".join(what.format_map(arguments).split()), words)
