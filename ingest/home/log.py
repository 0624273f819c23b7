"""The server's log: lines of text or JSON on standard error, each with the id of its request.

No line holds a question, a passage or a key: messages name things by id, and a traceback leaves out what an unforeseen
exception says, since that may quote what it was given.
"""

from __future__ import annotations

import contextvars
import json
import logging
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal, ParamSpec, TypeVar

from pydantic_settings import BaseSettings, SettingsConfigDict

from ingest import CiteloopError
from ingest.home.environment import read_environment

P = ParamSpec("P")
T = TypeVar("T")

_OURS = ("app", "ingest")
_SPEAKS = (CiteloopError, OSError, ImportError)
"""Exceptions whose words are about this program or machine."""

_request: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="")


class LogSettings(BaseSettings):
    """Environment variables of the log."""

    model_config = SettingsConfigDict(env_prefix="CITELOOP_", env_ignore_empty=True, extra="ignore")

    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"


def request_id() -> str:
    """Return the id of the current request, '' outside of one."""
    return _request.get()


def begin_request(request: str = "") -> str:
    """Give the current task or thread a request id, by default a new one, and return it."""
    _request.set(request or uuid.uuid4().hex[:12])
    return request_id()


@contextmanager
def in_request(request: str) -> Iterator[None]:
    """Let a block belong to this request."""
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)


def same_request(work: Callable[P, T]) -> Callable[P, T]:
    """Return work to be run in another thread as part of the current request."""
    context = contextvars.copy_context()
    return lambda *args, **kwargs: context.run(work, *args, **kwargs)


def fault() -> str:
    """Return the message for users when something unforeseen fails, which only the log explains."""
    number = request_id()
    return f"internal error; see the server log{f' for request {number}' if number else ''}"


def write_log() -> None:
    """Let everything in this process log to standard error as the environment says. Raises CiteloopError.

    Libraries log warnings and errors only. Those that have handlers of their own lose them.
    """
    settings = read_environment(LogSettings)
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if settings.log_format == "json" else TextLines())
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    logging.captureWarnings(True)
    for name in _OURS:
        logging.getLogger(name).setLevel(level)
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger) and logger.handlers:
            logger.handlers, logger.propagate, logger.level = [], True, logging.NOTSET


class TextLines(logging.Formatter):
    """Formats a record as one line, and the lines of its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        error = _traceback(record)
        words = [_time(record), record.levelname, record.name, f"[{request_id() or '-'}]", record.getMessage()]
        words += [f"{name}={value}" for name, value in _fields(record).items()]
        return " ".join(words) + (f"\n{error}" if error else "")


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object in one line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {"at": _time(record), "level": record.levelname.lower(), "logger": record.name}
        line |= {"request": request_id(), "message": record.getMessage(), **_fields(record)}
        if error := _traceback(record):
            line["error"] = error
        return json.dumps(line, ensure_ascii=False, default=str)


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """Return what was logged with `extra={"fields": ...}`."""
    fields: dict[str, object] = getattr(record, "fields", {})
    return fields


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _traceback(record: logging.LogRecord) -> str:
    """Return where an exception was raised, with its causes first."""
    error = record.exc_info[1] if record.exc_info else None
    lines = list[str]()
    while error is not None:
        words = f": {error}" if isinstance(error, _SPEAKS) else ""
        lines[:0] = [*traceback.format_tb(error.__traceback__), f"{type(error).__name__}{words}\n"]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "".join(lines).rstrip()
