"""`python -m ingest.parse`: parse the files named on standard input, each in a forked process with limits.

A request is a line of JSON: path, name and the fields of `ingest.isolation.Limits`. The answer is a line of JSON:
{"document": ...} or {"error": "why not"}. Text comes before pictures: if a picture ends the process, the text stays.
"""

from __future__ import annotations

import gc
import importlib
import json
import math
import os
import resource
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from pydantic import TypeAdapter

from ingest.parse import Document, ParseError, document, parse

_CONVERTERS = {
    ".rst": "docutils.core",
    **dict.fromkeys((".pptx", ".pptm", ".ppsx"), "pptx"),
    **dict.fromkeys((".xlsx", ".xlsm", ".xltx"), "openpyxl"),
    ".msg": "oxmsg",
}
"""Suffix -> module to import before the first fork for such a file; later forks share it."""

_WALL_SECONDS_PER_CPU_SECOND = 10
"""On a busy machine parsing waits for the processor; beyond this ratio it hangs."""

_CPU_SECONDS_PER_FIGURE = 1

_DOCUMENT = TypeAdapter(Document)


def main() -> None:
    """Answer requests until standard input ends."""
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if module := _CONVERTERS.get(Path(request["path"]).suffix.lower()):
            importlib.import_module(module)
        gc.freeze()  # keep loaded modules shared between forks
        answer = _answer(request) + b"\n"
        try:
            sys.stdout.buffer.write(answer)
            sys.stdout.buffer.flush()
        except BrokenPipeError:  # the caller is gone
            os._exit(0)


def _answer(request: Mapping[str, Any]) -> bytes:
    reader, writer = os.pipe()
    process_id = os.fork()
    if process_id == 0:
        os.close(reader)
        _parse_and_exit(request, writer)
    os.close(writer)
    with open(reader, "rb") as pipe:
        answer = pipe.read()
    _, status, usage = os.wait4(process_id, 0)
    exit_code = os.waitstatus_to_exitcode(status)
    *whole, _ = answer.split(b"\n")
    if whole:  # the document, or its text alone where a picture ended the process
        return whole[-1]
    return _error(_why_stopped(exit_code, usage.ru_utime + usage.ru_stime))


def _parse_and_exit(request: Mapping[str, Any], writer: int) -> NoReturn:
    """In the forked process: parse within the limits, write the answer, exit without clean-up."""
    document.effort = _LimitedEffort(request)
    devnull = os.open(os.devnull, os.O_RDWR)
    for standard_stream in range(3):  # converters print, which would garble the answers
        os.dup2(devnull, standard_stream)

    def give(answer: bytes) -> None:
        pipe.write(answer + b"\n")
        pipe.flush()

    def give_text(parsed: Document) -> None:
        given.append(parsed)
        num_characters = sum(len(page.text) for page in parsed.pages)
        if num_characters > request["characters"]:
            raise ParseError(
                f"it has {num_characters:,} characters of text, the limit is {request['characters']:,}; split it"
            )
        give(_read(parsed))

    given: list[Document] = []
    pipe = open(writer, "wb")  # noqa: SIM115  # closed by the exit
    try:
        parsed = parse(Path(request["path"]), request["name"], give_text)
        if parsed is not given[0]:  # it has pictures
            give(_read(parsed))
    except ParseError as error:
        give(_error(str(error)))
    except MemoryError:
        give(_error(f"reading it needs more than {request['memory_mb']:,} MB of memory"))
    os._exit(0)


def _read(parsed: Document) -> bytes:
    return b'{"document":' + _DOCUMENT.dump_json(parsed) + b"}"


class _LimitedEffort(document.Effort):
    """Sets the limits of this process; longer documents get more time."""

    def __init__(self, limits: Mapping[str, Any]) -> None:
        self._limits = limits
        self._num_scans = 0
        _limit(resource.RLIMIT_DATA, limits["memory_mb"] << 20)
        _limit(resource.RLIMIT_CORE, 0)
        self._seconds: float = 0
        self._allow(limits["cpu_seconds"])

    def pages(self, num_pages: int) -> None:
        if num_pages > self._limits["pages"]:
            raise ParseError(f"it has {num_pages:,} pages, the limit is {self._limits['pages']:,}; split it")
        self._allow(self._limits["cpu_seconds_per_page"] * num_pages)

    def scan(self) -> None:
        self._num_scans += 1
        if self._num_scans > self._limits["scans"]:
            raise ParseError(f"more than {self._limits['scans']:,} of its pages are scans; split it")
        self._allow(self._limits["cpu_seconds_per_scan"])

    def figure(self) -> None:
        self._allow(_CPU_SECONDS_PER_FIGURE)

    def _allow(self, more_seconds: float) -> None:
        self._seconds += more_seconds
        _limit(resource.RLIMIT_CPU, math.ceil(self._seconds))
        signal.alarm(math.ceil(self._seconds) * _WALL_SECONDS_PER_CPU_SECOND)


def _limit(kind: int, amount: int) -> None:
    """Set a limit of this process, but no higher than its hard limit."""
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (amount if hard == resource.RLIM_INFINITY else min(amount, hard), hard))


def _why_stopped(exit_code: int, cpu_seconds: float) -> str:
    if exit_code == -signal.SIGXCPU:
        return f"reading it took too long: stopped after {cpu_seconds:.0f} seconds of processor time"
    if exit_code == -signal.SIGALRM:
        return "reading it took too long: no result for minutes"
    return f"the program that reads such files crashed (status {exit_code}); the file is damaged"


def _error(message: str) -> bytes:
    return json.dumps({"error": message}).encode()


if __name__ == "__main__":
    main()
