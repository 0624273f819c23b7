"""A module of the program -> a process that runs it and outlives its starter."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

_running: set[tuple[str, Path, int]] = set()
"""Module, home folder and id of each process that was started from here and has not ended."""


def start_process(module: str, home: Path, *, log: str) -> None:
    """Start `python -m MODULE --home HOME` in its own session, which outlives this process.

    log: the file below home that collects its output.
    """
    command = [sys.executable, "-m", module, "--home", str(home.resolve())]
    with (home / log).open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  # runs only our module
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    started = (module, home.resolve(), process.pid)
    _running.add(started)

    def wait() -> None:  # avoids a zombie process
        process.wait()
        _running.discard(started)

    threading.Thread(target=wait, daemon=True).start()


def is_running(module: str, home: Path) -> bool:
    """Return whether a process of this module and home folder that was started from here has not ended."""
    return any((name, folder) == (module, home.resolve()) for name, folder, _ in tuple(_running))
