"""path -> Document in a separate process with limits, so that a hostile file fails alone.

`python -m ingest.parse` waits for paths and forks for each of them. It has loaded the converters and holds no model,
table or thread, so that a fork is cheap and safe. Several such processes read ahead while the caller is embedding.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import Any, NamedTuple, Protocol, Self

from pydantic import PositiveFloat, PositiveInt, TypeAdapter
from pydantic_settings import BaseSettings, SettingsConfigDict

from ingest.embed.embedder import Vectors
from ingest.files import SourceFile
from ingest.home.environment import read_environment
from ingest.parse import Document, ParseError

_DOCUMENT = TypeAdapter(Document)
_POLL_SECONDS = 0.2
_READ_AHEAD = 16
"""Maximum number of parsed documents that wait in memory while others are embedded."""


class Limits(BaseSettings):
    """Limits for reading one file; each can be set by a variable such as CITELOOP_FILE_CPU_SECONDS.

    cpu_seconds: processor time, plus cpu_seconds_per_page for each page and cpu_seconds_per_scan for each page that
    needs text recognition. memory_mb: memory of the process. pages, scans, characters: size of the document.
    """

    model_config = SettingsConfigDict(env_prefix="CITELOOP_FILE_", env_ignore_empty=True, frozen=True)

    cpu_seconds: PositiveInt = 20
    cpu_seconds_per_page: PositiveFloat = 0.05
    cpu_seconds_per_scan: PositiveFloat = 10.0
    memory_mb: PositiveInt = 1024
    pages: PositiveInt = 5_000
    scans: PositiveInt = 500
    characters: PositiveInt = 20_000_000


def read_limits() -> Limits:
    """Return the limits of the environment. Raises CiteloopError when a variable is invalid."""
    return read_environment(Limits)


class Parsed(NamedTuple):
    """A file with its document, or why it could not be read. vectors: passage -> vector, where they are known."""

    file: SourceFile
    outcome: Document | ParseError
    vectors: Mapping[str, Vectors] = {}


class Parsers(Protocol):
    """What parses files, as a context manager; leaving it ends its processes."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

    def parse_all(self, files: Iterable[SourceFile]) -> Iterator[Parsed | None]:
        """Yield what became of each file, and None while the next one is still being read.

        At None, the caller can check for a request to stop.
        """
        ...


class ParserPool:
    """Parsers in processes of this machine."""

    def __init__(self, limits: Limits | None = None, num_processes: int | None = None) -> None:
        """limits: None reads the environment. num_processes: None uses half of the cores, at most 8."""
        self._limits = limits or read_limits()
        self._num_processes = num_processes or max(1, min(8, (os.cpu_count() or 1) // 2))
        self._idle: SimpleQueue[_ParserProcess] = SimpleQueue()
        self._processes = [_ParserProcess() for _ in range(self._num_processes)]
        for process in self._processes:
            self._idle.put(process)

    def __enter__(self) -> ParserPool:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()

    def parse(self, file: SourceFile) -> Document:
        """Return what `ingest.parse.parse` returns. Raises ParseError, also for a file that exceeds a limit."""
        process = self._idle.get()
        try:
            answer = process.ask({"path": str(file.path.resolve()), "name": file.name} | self._limits.model_dump())
        finally:
            self._idle.put(process)
        if "error" in answer:
            raise ParseError(answer["error"])
        return _DOCUMENT.validate_python(answer["document"])

    def parse_all(self, files: Iterable[SourceFile]) -> Iterator[Parsed | None]:
        """As Parsers.parse_all, in the order of the files; a few are read ahead."""
        waiting: deque[tuple[SourceFile, Future[Document]]] = deque()
        remaining = iter(files)
        with self._threads() as threads:
            while True:
                while len(waiting) < _READ_AHEAD + self._num_processes and (file := next(remaining, None)) is not None:
                    waiting.append((file, threads.submit(self.parse, file)))
                if not waiting:
                    return
                file, future = waiting[0]
                try:
                    result: Document | ParseError = future.result(_POLL_SECONDS)
                except NotYet:
                    yield None
                    continue
                except ParseError as error:
                    result = error
                waiting.popleft()
                yield Parsed(file, result)

    @contextmanager
    def _threads(self) -> Iterator[ThreadPoolExecutor]:
        threads = ThreadPoolExecutor(self._num_processes)
        try:
            yield threads
        finally:
            threads.shutdown(wait=False, cancel_futures=True)


class _ParserProcess:
    """One `python -m ingest.parse`, started on first use and again after it has ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False
        self._starting = threading.Lock()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request and return the answer, a document or an error."""
        process = self._started()
        reply = b""
        if process and process.stdin and process.stdout:
            with suppress(OSError, ValueError):  # a process that has ended answers nothing
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
                reply = process.stdout.readline()
        if not reply.endswith(b"\n"):
            self._end()
            return {"error": "the process reading the file was stopped; ingest this file again"}
        answer: dict[str, Any] = json.loads(reply)
        return answer

    def kill(self) -> None:
        """Kill the process and do not start it again."""
        with self._starting:
            self._killed = True
        self._end()

    def _end(self) -> None:
        """Kill the process and its children."""
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _started(self) -> subprocess.Popen[bytes] | None:
        """Return the running process, or None after `kill`."""
        with self._starting:
            if not self._killed and (self._process is None or self._process.poll() is not None):
                command = [sys.executable, "-m", "ingest.parse"]
                # With an arena per thread, text recognition sometimes exceeded the memory limit.
                environment = {**os.environ, "MALLOC_ARENA_MAX": "2"}
                self._process = subprocess.Popen(  # noqa: S603  # runs only our module
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, env=environment
                )
            return None if self._killed else self._process
