"""Limits how many searches run and wait at once: more than the cores can handle would only slow down all."""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ingest import CiteloopError
from ingest.home.job_store import StoppedError

_MAX_RUNNING = 16
"""More threads would only wait for the GIL."""
_MAX_WAITING = 16
_LOOK_SECONDS = 0.1
_MAX_RETRY_SECONDS = 60


class BusyError(CiteloopError):
    """Too many questions are waiting. retry_seconds: when there should be room."""

    def __init__(self, retry_seconds: int) -> None:
        super().__init__(f"too many questions at once; ask again in about {retry_seconds} seconds")
        self.retry_seconds = retry_seconds


class Admission:
    """Lets at most max_running searches run and max_waiting wait, in order of arrival."""

    def __init__(self, max_running: int, max_waiting: int) -> None:
        self._max_running, self._max_waiting = max_running, max_waiting
        self._num_running = 0
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()
        self._usual_seconds = 1.0

    @contextmanager
    def slot(self, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Hold a slot during the block. Raises BusyError at once when too many wait.

        on_wait: called every tenth of a second while waiting; if it raises, the place in the queue is given up.
        """
        self._enter(on_wait)
        started = time.monotonic()
        try:
            yield
        finally:
            self._leave(time.monotonic() - started)

    def wait_until_idle(self) -> None:
        """Wait until no search runs or waits."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._num_running or self._queue))

    def _enter(self, on_wait: Callable[[], None]) -> None:
        ticket = object()
        with self._changed:
            if self._num_running + len(self._queue) >= self._max_running + self._max_waiting:
                raise BusyError(self._retry_seconds())
            self._queue.append(ticket)
        try:
            while not self._is_admitted(ticket):
                on_wait()
        except BaseException:
            with self._changed:
                self._queue.remove(ticket)
                self._changed.notify_all()
            raise

    def _is_admitted(self, ticket: object) -> bool:
        """Take a slot if this ticket is first and a slot is free, now or within _LOOK_SECONDS."""
        with self._changed:
            if not self._is_next(ticket):
                self._changed.wait(_LOOK_SECONDS)
            if not self._is_next(ticket):
                return False
            self._queue.popleft()
            self._num_running += 1
            self._changed.notify_all()
            return True

    def _is_next(self, ticket: object) -> bool:
        return self._queue[0] is ticket and self._num_running < self._max_running

    def _leave(self, seconds: float) -> None:
        with self._changed:
            self._num_running -= 1
            self._usual_seconds += (seconds - self._usual_seconds) / 8
            self._changed.notify_all()

    def _retry_seconds(self) -> int:
        """Estimate the time until half of the queue is done."""
        seconds = self._usual_seconds * len(self._queue) / 2 / self._max_running
        return min(max(math.ceil(seconds), 1), _MAX_RETRY_SECONDS)


def usual_admission() -> Admission:
    """Return the admission for this machine, with slots for half of the cores, since a model uses several."""
    return Admission(min(max((os.cpu_count() or 1) // 2, 2), _MAX_RUNNING), _MAX_WAITING)


def expect_waiting(stop: threading.Event) -> None:
    """Raise StoppedError if nobody waits for the result any longer."""
    if stop.is_set():
        raise StoppedError("stopped, because nobody waits for the result any longer")
