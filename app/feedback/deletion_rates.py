"""Answers, events, history -> DeletionRates before and after a change of the live model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.feedback import FeedbackEvent, FeedbackStore, ShownAnswer
from app.registry import Promotion, Registry

_MIN_ANSWERS = 30
_P_VALUE = 0.05


@dataclass(frozen=True, slots=True)
class DeletionRate:
    """Answers by one reranker in one period, their citations, and the deleted ones.

    Deleted: struck out as not relevant or without a reason, and not undone. num_corrected: answers with a deleted
    citation.
    """

    reranker: str
    num_answers: int
    num_citations: int
    num_deleted: int
    num_corrected: int

    @property
    def share(self) -> float:
        """Share of deleted citations, 0 to 1."""
        return self.num_deleted / self.num_citations if self.num_citations else 0.0


@dataclass(frozen=True, slots=True)
class DeletionRates:
    """Before and after the last promotion or rollback.

    p_value: one-sided probability of as many corrected answers without a change; counts answers, since one person may
    strike out all of an answer.
    """

    change: Promotion
    before: DeletionRate
    after: DeletionRate
    p_value: float

    @property
    def is_rising(self) -> bool:
        """Whether strike-outs rose significantly; False with fewer than 30 answers on a side."""
        enough = min(self.before.num_answers, self.after.num_answers) >= _MIN_ANSWERS
        return enough and self.p_value < _P_VALUE


def deletion_rates_of(home: Path) -> DeletionRates | None:
    """Return the rates of a home folder; None before any promotion. Raises RegistryError, FeedbackError."""
    history = Registry(home).history()
    if not (changes := _changes(history)):
        return None
    store = FeedbackStore(home)
    return deletion_rates(store.shown(since=_begin(changes)), store.events(), history)


def deletion_rates(
    shown: Iterable[ShownAnswer], events: Iterable[FeedbackEvent], history: Sequence[Promotion]
) -> DeletionRates | None:
    """Compare answers by the live model with those by its predecessor while that was live.

    history: newest first. Ignores answers by other rerankers. None if the live model never changed.
    """
    if not (changes := _changes(history)):
        return None
    last, begin = changes[0], _begin(changes)
    deleted, answers = _deleted(events), list(shown)
    before = _rate(last.previous, [each for each in answers if begin <= each.asked_at < last.at], deleted)
    after = _rate(last.model, [each for each in answers if last.at <= each.asked_at], deleted)
    return DeletionRates(last, before, after, _p_value(before, after))


def _changes(history: Sequence[Promotion]) -> list[Promotion]:
    return [line for line in history if line.action != "fallback"]


def _begin(changes: Sequence[Promotion]) -> str:
    """Return when the previous live model went live; '' if from the start."""
    return changes[1].at if len(changes) > 1 else ""


def _rate(reranker: str, answers: Iterable[ShownAnswer], deleted: set[tuple[str, str]]) -> DeletionRate:
    own = {each.id: each.num_citations for each in answers if each.reranker == reranker}
    corrected = [answer_id for answer_id, _ in deleted if answer_id in own]
    return DeletionRate(reranker, len(own), sum(own.values()), len(corrected), len(set(corrected)))


def _deleted(events: Iterable[FeedbackEvent]) -> set[tuple[str, str]]:
    """Return (answer id, chunk id) of deleted citations, once each regardless of the number of users."""
    stand: dict[tuple[str, str, str], bool] = {}
    for event in events:
        if event.action in ("deleted", "undone"):
            counts = event.says_not_relevant
            stand[event.answer_id, event.chunk_id, event.user] = counts
    return {(answer_id, chunk_id) for (answer_id, chunk_id, _), counts in stand.items() if counts}


def _p_value(before: DeletionRate, after: DeletionRate) -> float:
    """Return the p-value of Fisher's test, which is exact for small counts too."""
    from scipy.stats import fisher_exact

    table = [[rate.num_corrected, rate.num_answers - rate.num_corrected] for rate in (after, before)]
    return float(fisher_exact(table, alternative="greater").pvalue)
