"""judged questions -> Slice: what an order gained on questions asked before in other words, or on new ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from app.evaluation.metrics import Difference, difference
from app.memory.votes import Recall

MAX_LOSS = 0.002
"""nDCG@10 that new questions may lose: .2 points."""
_LIKELY = 0.5
"""A question counts as asked before if another one has the same need with this probability."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The gain in nDCG@10 on the questions of one kind.

    gain: None without questions. is_harmless: they have certainly not lost more than MAX_LOSS.
    """

    num_questions: int = 0
    gain: Difference | None = None
    num_won: int = 0
    num_lost: int = 0
    is_harmless: bool = False

    @classmethod
    def of(cls, values: Mapping[str, float], baseline: Mapping[str, float]) -> Self:
        """Return the slice of these questions. values, baseline: nDCG@10 by question."""
        gain = difference(values, baseline) if values else None
        return cls(
            len(values),
            gain,
            sum(values[key] > baseline[key] for key in values),
            sum(values[key] < baseline[key] for key in values),
            gain is not None and gain.low >= -MAX_LOSS,
        )

    @property
    def sentence(self) -> str:
        """Return the number of questions and the gain with its interval, in words."""
        if self.gain is None:
            return "none yet"
        mean, low, high = (f"{100 * value:+.1f}" for value in (self.gain.mean, self.gain.low, self.gain.high))
        changed = f"{self.num_won} gained, {self.num_lost} lost"
        questions = "1 question" if self.num_questions == 1 else f"{self.num_questions} questions"
        return f"{questions}, {mean} points nDCG@10 ({low} to {high}); {changed}"


def is_asked_before(recalls: Iterable[Recall]) -> bool:
    """Return whether what is remembered for a question shows that its need has been asked before."""
    return any(recall.likeness >= _LIKELY for recall in recalls)
