"""sentence of an answer, passages that it cites -> CitedSentence: do they say it?"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CitedSentence:
    """A sentence of an answer with the numbers of the passages that it cites, in its order.

    score: how far the best of them says it, 0 to 1. is_supported: whether that is enough.
    """

    text: str
    numbers: tuple[int, ...]
    score: float
    is_supported: bool
