"""candidates -> Reranked by the live model or, where that fails or is too slow, by the one that was live before it.

The registry is asked anew for each question, so that a promotion or rollback by another process counts at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from app.registry import SHIPPED, Registry, RegistryError
from app.rerank import RankedChunk, Reranker, rerank
from app.rerankers import name_of
from app.search import Candidate
from ingest import CiteloopError

NONE = "none"
NUM_TIMED = 20
"""Rerankings whose median is held against the budget."""
_SECONDS_TO_RETRY = 60.0
"""A model that failed is tried again after this time: its folder may have been put back."""
_SECONDS_TO_RETRY_SLOW = 600.0
"""So is one that was too slow: the machine may have been busy with something else."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reranked:
    """A ranking and whose it is: the name of a reranker, or `none`. note: why it is not the one that was asked for."""

    reranker: str
    ranking: list[RankedChunk]
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a model is not used, and until when by the clock."""

    why: str
    until: float


class LiveReranker:
    """Ranks with the live model of a registry; safe to share between threads.

    load: gives a loaded reranker by its name. budget_ms: a model whose last 20 rerankings took longer in the median is
    not used in this process for ten minutes. clock: seconds.
    """

    def __init__(
        self,
        registry: Registry,
        load: Callable[[str], Reranker | None],
        budget_ms: float,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._registry, self._load, self._budget_ms, self._clock = registry, load, budget_ms, clock
        self._standing = [SHIPPED]
        self._failures: dict[str, _Failure] = {}
        self._milliseconds: dict[str, deque[float]] = {}
        self._told: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def rerank(self, query: str, candidates: Sequence[Candidate]) -> Reranked:
        """By the live model, else by the one before it, and so on, else the order of search; the note says why."""
        failed: dict[str, str] = {}
        for model in self._models():
            why = self._failure(model)
            if why is None:
                try:
                    ranking = self._ranking(model, query, candidates)
                except Exception as error:  # damaged weights make the libraries raise anything
                    why = _reason(error)
                    self._give_up(model, why, _SECONDS_TO_RETRY)
                else:
                    return Reranked(model, ranking, self._note(failed, model))
            failed[model] = why
        return Reranked(NONE, rerank(query, candidates, None), self._note(failed, NONE))

    def _models(self) -> list[str]:
        """What is live, and behind it what to fall back to; as it was known last where the registry cannot be read."""
        try:
            self._standing = self._registry.standing()
        except RegistryError as error:
            _log.warning("%s", error)
        return self._standing

    def _ranking(self, model: str, query: str, candidates: Sequence[Candidate]) -> list[RankedChunk]:
        reranker = self._load(name_of(model))
        started = self._clock()
        ranking = rerank(query, candidates, reranker)
        if candidates:
            self._time(model, (self._clock() - started) * 1000)
        return ranking

    def _time(self, model: str, milliseconds: float) -> None:
        """Take note of how long a reranking took; a model that is too slow is given up after it."""
        with self._lock:
            times = self._milliseconds.setdefault(model, deque(maxlen=NUM_TIMED))
            times.append(milliseconds)
            is_slow = len(times) == NUM_TIMED and median(times) > self._budget_ms
            if is_slow:
                times.clear()
        if is_slow:
            why = f"it takes more than {self._budget_ms:g} ms on this machine (CITELOOP_RERANK_BUDGET_MS)"
            self._give_up(model, why, _SECONDS_TO_RETRY_SLOW)

    def _give_up(self, model: str, why: str, seconds: float) -> None:
        with self._lock:
            self._failures[model] = _Failure(why, self._clock() + seconds)
            self._told.discard((model, why))  # news again; the registry knows whether it stands there already

    def _failure(self, model: str) -> str | None:
        """Why a model is not to be tried now, None when it is."""
        failure = self._failures.get(model)
        return failure.why if failure and self._clock() < failure.until else None

    def _note(self, failed: Mapping[str, str], used: str) -> str:
        """What the person who asked is told; the log and the history are told once."""
        for model, why in failed.items():
            with self._lock:
                is_new = (model, why) not in self._told
                self._told.add((model, why))
            if is_new:
                self._tell(model, used, why)
        if not failed:
            return ""
        instead = "this is the order of search" if used == NONE else f"{used} was used"
        return f"Reranker {next(iter(failed))} could not be used, so {instead}: {'; '.join(_joined(failed))}"

    def _tell(self, model: str, used: str, why: str) -> None:
        _log.warning("reranker %s could not be used, %s is used instead: %s", model, used, why)
        try:
            self._registry.note_fallback(model, used, why)
        except RegistryError as error:
            _log.warning("%s", error)


def _joined(failed: Mapping[str, str]) -> list[str]:
    """The reasons; of the models behind the live one with their names."""
    live, *others = failed
    return [failed[live], *(f"{model} failed too: {failed[model]}" for model in others)]


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, CiteloopError) else f"{type(error).__name__}: {error}"
