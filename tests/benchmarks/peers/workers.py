"""Requests to the process of a side."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request returned, how long it took, and the most memory that the process has held, in MB."""

    seconds: float
    result: Any
    peak_mb: float


class Worker:
    """One side's process; it starts when this is made."""

    def __init__(self, side: str, python: str, folders: tuple[Path, Path, Path]) -> None:
        """folders: the side's store, the embedder, the cross-encoder."""
        self.started = time.perf_counter()
        self._side, self._log = side, folders[0].with_suffix(".log")
        self._process = subprocess.Popen(
            [python, "-m", f"tests.benchmarks.peers.{side}", *map(str, folders)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log.open("w"),
            text=True,
            env=os.environ | {"HF_HUB_OFFLINE": "1"},
        )

    def ask(self, method: str, *arguments: object) -> Reply:
        """Call a method of the side. Raises RuntimeError when its process has ended."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps([method, arguments]), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._side} ended at {method}: {self._log.read_text()[-2000:]}")
        return Reply(**json.loads(line))

    def close(self) -> None:
        self._process.communicate()


@contextmanager
def started(side: str, python: str, folders: tuple[Path, Path, Path]) -> Iterator[Worker]:
    """Yield the process of a side, which ends afterwards."""
    worker = Worker(side, python, folders)
    try:
        yield worker
    finally:
        worker.close()
