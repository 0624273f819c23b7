"""answers shown, events, history -> DeletionRates: do people strike out more since another model is live?"""

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
    """Of the answers by one reranker in one span of time: how many there were, their citations, and the deleted ones.

    Deleted is what somebody has struck out as not relevant, or without a reason, and not taken back. num_corrected:
    answers of which something was deleted.
    """

    reranker: str
    num_answers: int
    num_citations: int
    num_deleted: int
    num_corrected: int

    @property
    def share(self) -> float:
        """Of the citations that were deleted, 0 to 1."""
        return self.num_deleted / self.num_citations if self.num_citations else 0.0


@dataclass(frozen=True, slots=True)
class DeletionRates:
    """Before and after the last promotion or rollback.

    p_value: how likely as many corrected answers after it were if nothing had changed (one-sided); who strikes out all
    of one answer says one thing.
    """

    change: Promotion
    before: DeletionRate
    after: DeletionRate
    p_value: float

    @property
    def is_rising(self) -> bool:
        """Whether more is struck out since, by more than chance explains; never on fewer than 30 answers a side."""
        enough = min(self.before.num_answers, self.after.num_answers) >= _MIN_ANSWERS
        return enough and self.p_value < _P_VALUE


def deletion_rates_of(home: Path) -> DeletionRates | None:
    """Those of a home folder, None where nothing was promoted yet. Raises RegistryError, FeedbackError."""
    history = Registry(home).history()
    if not (changes := _changes(history)):
        return None
    store = FeedbackStore(home)
    return deletion_rates(store.shown(since=_begin(changes)), store.events(), history)


def deletion_rates(
    shown: Iterable[ShownAnswer], events: Iterable[FeedbackEvent], history: Sequence[Promotion]
) -> DeletionRates | None:
    """Compares the answers by the model that is live with those by the one before it, while that was live.

    history: newest first. Answers that somebody asked of another reranker do not count. None without a change of
    the live model.
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
    """Since when the model was live that was so before the last change; '' for always."""
    return changes[1].at if len(changes) > 1 else ""


def _rate(reranker: str, answers: Iterable[ShownAnswer], deleted: set[tuple[str, str]]) -> DeletionRate:
    own = {each.id: each.num_citations for each in answers if each.reranker == reranker}
    corrected = [answer_id for answer_id, _ in deleted if answer_id in own]
    return DeletionRate(reranker, len(own), sum(own.values()), len(corrected), len(set(corrected)))


def _deleted(events: Iterable[FeedbackEvent]) -> set[tuple[str, str]]:
    """Ids of answer and chunk of what counts as struck out, each once, however many did it."""
    stand: dict[tuple[str, str, str], bool] = {}
    for event in events:
        if event.action in ("deleted", "undone"):
            counts = event.action == "deleted" and event.reason in (None, "not relevant")
            stand[event.answer_id, event.chunk_id, event.user] = counts
    return {(answer_id, chunk_id) for (answer_id, chunk_id, _), counts in stand.items() if counts}


def _p_value(before: DeletionRate, after: DeletionRate) -> float:
    """Of Fisher's test for two proportions: it is exact also where next to nothing is struck out."""
    from scipy.stats import fisher_exact

    table = [[rate.num_corrected, rate.num_answers - rate.num_corrected] for rate in (after, before)]
    return float(fisher_exact(table, alternative="greater").pvalue)
