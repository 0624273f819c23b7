"""A module of the program -> a process that runs it and outlives its starter."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path


def start_process(module: str, home: Path, *, log: str) -> None:
    """Start `python -m MODULE --home HOME` in its own session, which outlives this process.

    log: the file below home that collects its output.
    """
    command = [sys.executable, "-m", module, "--home", str(home.resolve())]
    with (home / log).open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  # runs only our module
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    threading.Thread(target=process.wait, daemon=True).start()  # avoids a zombie process
