"""documents -> kept token vectors: the passages are encoded before anybody asks, while nobody does."""

from __future__ import annotations

from collections.abc import Callable

from app.reranking.kept_vectors import key_of
from app.reranking.rerank import Reranker
from app.reranking.similarity import Preparable
from ingest.table import ChunkTable

_FEW = 8
"""Passages encoded at once: a tenth of a second, which a question may have to wait."""


class Preparer:
    """Prepares one reranker after another for the documents of a table."""

    def __init__(
        self,
        reranker: Callable[[], Reranker | None],
        table: Callable[[], ChunkTable],
        wait_until_idle: Callable[[], None],
    ) -> None:
        """reranker, table: return those in use. wait_until_idle: waits until no question needs the models."""
        self._reranker, self._table, self._wait_until_idle = reranker, table, wait_until_idle
        self._seen: object = None
        self._prepared: object = None

    def look(self) -> None:
        """Prepare all passages if table or reranker changed before the last look, but not since.

        Call it every few seconds: documents that are being added come first. Raises CiteloopError, sqlite3.Error.
        """
        reranker, table = self._reranker(), self._table()
        state = reranker, table.name, table.version
        is_settled, self._seen = state == self._seen, state
        if is_settled and state != self._prepared and isinstance(reranker, Preparable):
            keys = set[str]()
            for batch in table.passages():
                keys.update(map(key_of, batch))
                unprepared = reranker.unprepared(batch)
                for start in range(0, len(unprepared), _FEW):
                    self._wait_until_idle()
                    reranker.prepare(unprepared[start : start + _FEW])
            reranker.keep_only(keys)
            self._prepared = state
