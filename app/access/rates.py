"""How often each key may ask: a bucket of requests that fills again with time, in the memory of this server."""

from __future__ import annotations

import time
from collections.abc import Callable


class Rates:
    """Requests that each key has left; for one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}
        """Name -> requests left, and when they were counted."""

    def take(self, name: str, rate: int) -> float:
        """Take one request of `rate` a minute; return 0, or the seconds after which there will be one.

        All requests of a minute may come at once.
        """
        at = self._clock()
        left, counted_at = self._buckets.get(name, (rate, at))
        left = min(rate, left + (at - counted_at) * rate / 60)
        is_taken = left >= 1
        self._buckets[name] = (left - 1 if is_taken else left, at)
        return 0.0 if is_taken else (1 - left) * 60 / rate
