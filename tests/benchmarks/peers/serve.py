"""The process of a side: a JSON request per line of stdin, a JSON reply per line of stdout. Standard library only."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

Question = str
Passages = list[str]


def serve(make_side: Callable[[Path, Path, Path], object]) -> None:
    """Answer requests of the form [method, arguments] until stdin ends.

    make_side gets the folders of the side's store, the embedder, and the cross-encoder.
    """
    with os.fdopen(os.dup(1), "w") as replies:
        os.dup2(2, 1)  # libraries print to stdout, too
        side = make_side(*map(Path, sys.argv[1:4]))
        for line in sys.stdin:
            method, arguments = json.loads(line)
            began = time.perf_counter()
            result = getattr(side, method)(*arguments)
            reply = {"seconds": time.perf_counter() - began, "result": result, "peak_mb": _peak_mb()}
            print(json.dumps(reply), file=replies, flush=True)


def _peak_mb() -> float:
    """Return the most memory that this process has held."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
