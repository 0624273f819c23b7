"""candidates -> Reranked by the live model or, where that fails, by its predecessor.

A busy machine changes no ranking: who waits and who is turned away is decided in app/access/admission.py.

The registry is asked anew for each question, so that a promotion or rollback by another process counts at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from app.registry import SHIPPED, Registry, RegistryError
from app.reranking.names import name_of
from app.reranking.rerank import RankedChunk, Reranker, rerank
from app.search.search import Candidate
from ingest import CiteloopError

NONE = "none"
_SECONDS_TO_RETRY = 60.0
"""A model that failed is tried again after this time: its folder may have been put back."""

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

    load: gives a loaded reranker by its name. clock: seconds.
    """

    def __init__(
        self,
        registry: Registry,
        load: Callable[[str], Reranker | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry, self._load, self._clock = registry, load, clock
        self._standing = [SHIPPED]
        self._failures: dict[str, _Failure] = {}
        self._told: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def rerank(self, query: str, candidates: Sequence[Candidate]) -> Reranked:
        """By the live model, else by the one before it, and so on, else the order of search; the note says why."""
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

    def _give_up(self, model: str, why: str) -> None:
        with self._lock:
            self._failures[model] = _Failure(why, self._clock() + _SECONDS_TO_RETRY)
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
