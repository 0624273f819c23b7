"""Processes that can be killed: `python -m tests.ingest.faults` has imported everything and forks for each order.

An order is a line of JSON; the answer is the id of the process that carries it out. What that has done it
writes into a file, line by line, as it is told.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lancedb
import pytest

from ingest import isolation
from ingest.files import SourceFile
from ingest.parse import ParseError, parse
from ingest.pipeline import FileResult, ingest
from ingest.reindex import reindex
from ingest.table import ChunkTable, keep_current_up
from tests.conftest import FakeEmbedder

ROOT = Path(__file__).resolve().parents[2]
EMBEDDER = FakeEmbedder()


class InProcessParsers:
    """Parses in this process, as a ParserPool would in others."""

    def __init__(self, limits: isolation.Limits | None = None) -> None:
        pass

    def __enter__(self) -> InProcessParsers:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def parse_all(self, files: Iterable[SourceFile]) -> Iterator[isolation.Parsed | None]:
        for file in files:
            try:
                yield isolation.Parsed(file, parse(file.path, file.name))
            except ParseError as error:
                yield isolation.Parsed(file, error)


def small_steps() -> dict[str, object]:
    """What makes a run of many transactions and indexes out of a few small files: attribute -> value."""
    return {
        "ingest.pipeline.ParserPool": InProcessParsers,
        "ingest.pipeline._BATCH_CHARACTERS": 500,
        "ingest.indexes.MIN_INDEXED": 50,
        "ingest.indexes._MAX_WAITING": 0,
        "ingest.table.writing.start_process": upkeep_here,
    }


def upkeep_here(_module: str, home: Path, *, log: str) -> None:
    """Keep up inside the process that writes, and that is killed."""
    keep_current_up(home)


def carry_out(order: dict[str, Any]) -> Iterator[FileResult]:
    """Ingest a folder, with or without prune, build the indexes anew, or reindex."""
    home, folder = Path(order["home"]), Path(order["folder"])
    if order["what"] == "reindex":
        return reindex(home, EMBEDDER)
    if order["what"] == "index":
        drop_indexes(home)
    return ingest([folder], ChunkTable(home, EMBEDDER), EMBEDDER, prune=order["what"] == "prune")


def drop_indexes(home: Path) -> None:
    opened = ChunkTable(home, EMBEDDER)
    raw = lancedb.connect(home / "table").open_table(opened.name)
    with opened.writing():
        for index in raw.list_indices():
            if index.columns[0] != "passage":
                raw.drop_index(index.name)


class Zygote:
    """Starts processes that have nothing left to import."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.ingest.faults"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._asking = threading.Lock()  # else one lane takes the answer to another, or waits for a line it has

    def start(self, home: Path, folder: Path, what: str, report: Path) -> int:
        """The id of a process that does this, and writes into the file `report` when it begins and what it did."""
        order = {"home": str(home), "folder": str(folder), "what": what, "report": str(report)}
        report.write_text("")
        assert self._process.stdin
        assert self._process.stdout
        with self._asking:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


@contextmanager
def zygote() -> Iterator[Zygote]:
    process = Zygote()
    try:
        yield process
    finally:
        process.close()


def main() -> None:
    """Fork for each order."""
    for attribute, value in small_steps().items():
        pytest.MonkeyPatch().setattr(attribute, value)
    warnings.simplefilter("ignore")  # LanceDB warns of forks; none was open at this one
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    for line in sys.stdin.buffer:
        process = os.fork()
        if process == 0:
            order = json.loads(line)
            report = os.open(order["report"], os.O_WRONLY | os.O_APPEND)
            os.write(report, b"begin\n")
            try:
                for result in carry_out(order):
                    os.write(report, f"{result.status} {result.name} {result.reason}\n".encode())
                os.write(report, b"end\n")
            except BaseException as error:  # the report is all that is seen of it
                os.write(report, f"raised {error!r}\n".encode())
            os._exit(0)
        print(process, flush=True)


if __name__ == "__main__":
    main()
