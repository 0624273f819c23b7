"""candidates -> Reranked by the live model, with one on trial, or, if the live one fails, by its predecessor.

Load does not change the ranking: app/access/admission.py decides who waits and who is turned away.

The registry is read for each question, so that a promotion or rollback by another process applies at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from app.registry import SHIPPED, Registry, RegistryError
from app.reranking.draft import drafted
from app.reranking.names import name_of
from app.reranking.rerank import RankedChunk, Reranker, rerank
from app.search.search import Candidate
from ingest import CiteloopError

NONE = "none"
_SECONDS_TO_RETRY = 60.0
"""A failed model is tried again after this time: its folder may have been restored."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reranked:
    """A ranking and its reranker's name, or `none`. note: why another reranker was used, or ''."""

    reranker: str
    ranking: list[RankedChunk]
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a model is not used, and until which clock time."""

    why: str
    until: float


class LiveReranker:
    """Ranks with the live model of a registry; safe to share between threads.

    load: returns a loaded reranker by name. num_drafted: first places that a model on trial helps to fill. clock:
    returns seconds.
    """

    def __init__(
        self,
        registry: Registry,
        load: Callable[[str], Reranker | None],
        num_drafted: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry, self._load, self._num_drafted, self._clock = registry, load, num_drafted, clock
        self._standing = [SHIPPED]
        self._failures: dict[str, _Failure] = {}
        self._reported: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def rerank(self, query: str, candidates: Sequence[Candidate]) -> Reranked:
        """Rank with the live model, else its predecessors, else in the order of search; the note says why."""
        failed: dict[str, str] = {}
        for model in self._models():
            why = self._failure(model)
            if why is None:
                try:
                    ranking = rerank(query, candidates, self._load(name_of(model)))
                except Exception as error:  # damaged weights make the libraries raise anything
                    why = _reason(error)
                    self._give_up(model, why)
                else:
                    found = Reranked(used(model, ranking), ranking, self._note(failed, model))
                    return self._with_trial(found, query, candidates)
            failed[model] = why
        return Reranked(NONE, rerank(query, candidates, None), self._note(failed, NONE))

    def _with_trial(self, found: Reranked, query: str, candidates: Sequence[Candidate]) -> Reranked:
        """Draft the first places from this ranking and that of a model on trial; if that one fails, they stay."""
        try:
            trial = self._registry.trial()
            if trial is None or trial.live != found.reranker:
                return found
            other = rerank(query, candidates, self._load(name_of(trial.model)))
        except Exception as error:  # damaged weights make the libraries raise anything
            _log.warning("the trial could not rank: %s", error)
            return found
        return replace(found, ranking=drafted(found.ranking, other, self._num_drafted, query))

    def _models(self) -> list[str]:
        """Return the live model and its fallbacks; the last known ones if the registry cannot be read."""
        try:
            self._standing = self._registry.standing()
        except RegistryError as error:
            _log.warning("%s", error)
        return self._standing

    def _give_up(self, model: str, why: str) -> None:
        with self._lock:
            self._failures[model] = _Failure(why, self._clock() + _SECONDS_TO_RETRY)
            self._reported.discard((model, why))  # report again; the registry skips duplicates

    def _failure(self, model: str) -> str | None:
        """Return why a model must not be tried now, or None."""
        failure = self._failures.get(model)
        return failure.why if failure and self._clock() < failure.until else None

    def _note(self, failed: Mapping[str, str], used: str) -> str:
        """Return the note for the user, and report each failure once to the log and the history."""
        for model, why in failed.items():
            with self._lock:
                is_new = (model, why) not in self._reported
                self._reported.add((model, why))
            if is_new:
                self._report(model, used, why)
        if not failed:
            return ""
        instead = "this is the order of search" if used == NONE else f"{used} was used"
        return f"Reranker {next(iter(failed))} could not be used, so {instead}: {'; '.join(_joined(failed))}"

    def _report(self, model: str, used: str, why: str) -> None:
        _log.warning("reranker %s could not be used, %s is used instead: %s", model, used, why)
        try:
            self._registry.note_fallback(model, used, why)
        except RegistryError as error:
            _log.warning("%s", error)


def used(reranker: str, ranking: Sequence[RankedChunk]) -> str:
    """Return the reranker's name, or `none` if it scored no passage and left the order of search."""
    return reranker if not ranking or any(ranked.reranker_score is not None for ranked in ranking) else NONE


def left_out(reranker: str, ranking: Sequence[RankedChunk]) -> str:
    """Return a note on passages that the reranker left out, or ''."""
    num_scored, num_all = sum(ranked.reranker_score is not None for ranked in ranking), len(ranking)
    if num_scored in (0, num_all):
        return ""
    return f"Reranker {reranker} scored {num_scored} of {num_all} passages; the others follow in the order of search."


def _joined(failed: Mapping[str, str]) -> list[str]:
    """Return the reasons, with names for all but the live model."""
    live, *others = failed
    return [failed[live], *(f"{model} failed too: {failed[model]}" for model in others)]


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, CiteloopError) else f"{type(error).__name__}: {error}"
