"""Answers that could not be saved yet: shown from memory, and saved once the disk accepts writes."""

from __future__ import annotations

import threading
from dataclasses import replace

from cachetools import LRUCache

from app.feedback.events import StoredAnswer

_MAX_ANSWERS = 200


class UnsavedAnswers:
    """The newest answers that are not saved, each with the reason; safe to share between threads."""

    def __init__(self) -> None:
        self._held: LRUCache[str, tuple[StoredAnswer, str]] = LRUCache(_MAX_ANSWERS)
        self._lock = threading.Lock()

    def hold(self, answer: StoredAnswer, why: str) -> None:
        """Keep an answer, instead of its earlier version, until it is saved."""
        with self._lock:
            self._held[answer.id] = answer, why

    def drop(self, answer: StoredAnswer) -> None:
        """Forget an answer that was saved, unless a newer version exists."""
        with self._lock:
            if answer.id in self._held and self._held[answer.id][0] is answer:
                del self._held[answer.id]

    def find(self, answer_id: str) -> StoredAnswer | None:
        """Return the newest version of an answer if it is held."""
        with self._lock:
            return self._held[answer_id][0] if answer_id in self._held else None

    def answers(self) -> list[StoredAnswer]:
        """Return all held answers, without the note."""
        with self._lock:
            return [answer for answer, _ in self._held.values()]

    def shown(self, answer: StoredAnswer) -> StoredAnswer:
        """Return the newest version of an answer, with a note if it is not saved."""
        with self._lock:
            held, why = self._held.get(answer.id, (answer, ""))
        note = f"{held.answer.note} {why}".strip()
        return replace(held, answer=replace(held.answer, note=note))
