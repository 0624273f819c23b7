"""Rate limits of keys: a token bucket per key, in the server's memory."""

from __future__ import annotations

import time
from collections.abc import Callable


class Rates:
    """Remaining requests of each key; for one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}
        """Name -> requests left, and when counted."""

    def take(self, name: str, rate: int) -> float:
        """Take one request of `rate` per minute; return 0, or the seconds to wait if none is left.

        All requests of a minute may arrive at once.
        """
        at = self._clock()
        left, counted_at = self._buckets.get(name, (rate, at))
        left = min(rate, left + (at - counted_at) * rate / 60)
        is_taken = left >= 1
        self._buckets[name] = (left - 1 if is_taken else left, at)
        return 0.0 if is_taken else (1 - left) * 60 / rate
