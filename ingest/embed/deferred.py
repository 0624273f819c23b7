"""An embedder that is loaded when it is first used, or meanwhile in another thread."""

from __future__ import annotations

import threading
from contextlib import suppress

from ingest import CiteloopError
from ingest.embed.embedder import Embedder, Vectors, load_embedder, recorded_name


class DeferredEmbedder:
    """An embedder that is loaded on first use, since loading takes seconds.

    dimension: if known from its table; does not load the embedder. The methods raise as load_embedder does.
    """

    def __init__(self, name: str, dimension: int | None = None) -> None:
        self.name = recorded_name(name)
        self._dimension = dimension
        self._loading = threading.Lock()

    @property
    def dimension(self) -> int:
        return self._loaded.dimension if self._dimension is None else self._dimension

    @property
    def max_tokens(self) -> int:
        return self._loaded.max_tokens

    def count_tokens(self, text: str) -> int:
        return self._loaded.count_tokens(text)

    def embed(self, texts: list[str]) -> Vectors:
        return self._loaded.embed(texts)

    def embed_query(self, text: str) -> Vectors:
        return self._loaded.embed_query(text)

    @property
    def _loaded(self) -> Embedder:
        with self._loading:  # another thread may be loading it, see load_meanwhile
            return load_embedder(self.name)


def load_meanwhile(embedder: Embedder) -> None:
    """Load a deferred embedder in another thread; errors are raised when it is used."""

    def load() -> None:
        with suppress(CiteloopError):
            embedder.count_tokens("")

    threading.Thread(target=load, name="load-embedder").start()
