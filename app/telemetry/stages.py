"""a step of a question -> a line of the log, and a span and metrics if telemetry is on."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from ingest.chunk import Chunk

StageName = Literal["request", "question", "wait", "search", "rerank", "answer"]
"""The first two contain the others: a request of a program, a question of a page."""
Counted = Literal["questions", "strikes", "refusals"]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Stage:
    """One step. fields: logged, so no text of people or documents.

    For spans only: model, that ranked or wrote; query; passages, with scores, best first; output, such as the answer.
    """

    name: StageName
    fields: dict[str, object] = field(default_factory=dict)
    model: str = ""
    query: str = ""
    passages: Iterable[tuple[Chunk, float]] = ()
    output: str = ""
    seconds: float = 0.0


class Observer(Protocol):
    """Receives stages and counts."""

    def span(self, stage: Stage) -> AbstractContextManager[None]: ...
    def count(self, what: Counted, fields: dict[str, str | bool]) -> None: ...
    def queue(self, change: int) -> None: ...


_observer: Observer | None = None


def observe_with(observer: Observer | None) -> None:
    """Send all stages and counts of this process to an observer."""
    global _observer
    _observer = observer


@contextmanager
def stage(name: StageName, timings_ms: MutableMapping[str, float] | None = None) -> Iterator[Stage]:
    """Time the block, log it and observe it. timings_ms: also written into it, under the stage's name."""
    current, started = Stage(name), time.perf_counter()
    with _observer.span(current) if _observer else nullcontext():
        try:
            yield current
        except BaseException as error:
            current.fields["ended_by"] = type(error).__name__
            raise
        finally:
            current.seconds = time.perf_counter() - started
            if timings_ms is not None:
                timings_ms[name] = current.seconds * 1000
            fields = {"ms": round(current.seconds * 1000, 1), **current.fields}
            _log.log(logging.DEBUG if name == "wait" else logging.INFO, name, extra={"fields": fields})


def count(what: Counted, **fields: str | bool) -> None:
    """Count one of these."""
    if _observer:
        _observer.count(what, fields)


def queue(change: int) -> None:
    """Record that this many more questions wait."""
    if _observer:
        _observer.queue(change)
