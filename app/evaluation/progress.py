"""items -> the same items, with progress on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Iterable, Iterator
from math import ceil
from typing import TypeVar

T = TypeVar("T")

_SECONDS_BETWEEN_LINES = 10


def track(items: Collection[T], label: str) -> Iterable[T]:
    """Yield the items and show progress on stderr: a bar in a terminal, else lines for a log."""
    if not sys.stderr.isatty():
        return _with_lines(items, label)
    from tqdm import tqdm

    return tqdm(items, desc=label, leave=False)


def _with_lines(items: Collection[T], label: str) -> Iterator[T]:
    """Print a line about every 10 seconds and one when all items are done."""
    started = printed = time.monotonic()
    for num_done, item in enumerate(items):
        now = time.monotonic()
        if now - printed >= _SECONDS_BETWEEN_LINES:
            minutes_left = ceil((now - started) / num_done * (len(items) - num_done) / 60)
            print(f"{label}: {num_done} of {len(items)}, {minutes_left} min left", file=sys.stderr)
            printed = now
        yield item
    print(f"{label}: {len(items)} of {len(items)} in {time.monotonic() - started:.0f} s", file=sys.stderr)
