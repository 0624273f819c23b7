"""settings of a home -> Models: its table with the embedder, its rerankers and its language model, each loaded once."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from cachetools import LRUCache

from app.language_model.endpoint import Endpoint, check_endpoint, read_endpoint
from app.language_model.protocol import LanguageModel
from app.registry import SHIPPED
from app.reranking.any_language import in_any_language
from app.reranking.kept_vectors import KeptVectors
from app.reranking.late_interaction import LateInteractionReranker
from app.reranking.names import load_reranker, name_in_answers, resolved, version_of
from app.reranking.rerank import Reranker, RerankerError
from app.reranking.similarity import Similarity
from app.settings import Settings
from ingest import CiteloopError
from ingest.embed.embedder import Embedder, load_embedder, recorded_name
from ingest.home.folder import current_name
from ingest.home.sharing import share
from ingest.languages import language_hint
from ingest.table import ChunkTable, read_identity

_log = logging.getLogger(__name__)

_MAX_LOADED = 4
"""Rerankers kept in memory: the live one, the sentence finder, and two used before."""


class Models:
    """What is loaded for one home folder, on first use; safe to share between threads.

    embedder, language_model and sentence_scorer (also for quotes) replace the configured ones, for tests.
    """

    def __init__(
        self,
        settings: Settings,
        embedder: Embedder | None = None,
        language_model: LanguageModel | None = None,
        sentence_scorer: Similarity | None = None,
    ) -> None:
        self.settings = settings
        self._given_embedder = embedder
        self._opened: tuple[ChunkTable, Embedder] | None = None
        self._given_language_model = language_model
        self._connected: tuple[Endpoint, LanguageModel] | None = None
        self._given_sentence_scorer = sentence_scorer
        self._rerankers: LRUCache[str, Reranker | None] = LRUCache(_MAX_LOADED)
        self._versions: dict[str, str] = {}
        self._hint: tuple[tuple[str, int | None], str] | None = None
        self._loading = threading.Lock()

    @property
    def table(self) -> ChunkTable:
        """Return the table in use. Raises TableError if it is damaged or of another version."""
        return self.table_and_embedder()[0]

    @property
    def embedder(self) -> Embedder:
        """Return the embedder of the table, else that of the settings. Raises CiteloopError."""
        return self.table_and_embedder()[1]

    @property
    def hint(self) -> str:
        """Return what the curator should do about the table, or ''."""
        table, embedder = self.table_and_embedder()
        wanted = self.settings.embedder
        if self._given_embedder or not wanted or embedder.name == recorded_name(wanted):
            state = (table.name, table.version)
            if self._hint is None or self._hint[0] != state:
                self._hint = state, language_hint(table, embedder)
            return self._hint[1]
        return f"The documents were embedded with {embedder.name}. To use {wanted}, run: citeloop reindex"

    def table_and_embedder(self) -> tuple[ChunkTable, Embedder]:
        """Return the table with its embedder; reopened after it is created or replaced. Raises CiteloopError."""
        home = self.settings.home
        with self._loading:
            if self._opened is None:
                self._follow(home)
            if self._opened is None or not self._opened[0].is_made or self._opened[0].name != current_name(home):
                made_with = read_identity(home)
                name = made_with.embedder if made_with else self.settings.embedder
                embedder = self._given_embedder or load_embedder(name)
                self._opened = ChunkTable(home, embedder), embedder
            return self._opened

    def _follow(self, home: Path) -> None:
        """Copy what other servers share, if it is newer. Without it, what this one has is served."""
        try:
            share(home)
        except CiteloopError as error:
            _log.warning("%s", error)

    def connection(self) -> tuple[LanguageModel | None, int]:
        """Return the language model, None to quote, and its context size in tokens. Raises EndpointError."""
        endpoint = None if self._given_language_model else read_endpoint(self.settings)
        if endpoint is None:
            return self._given_language_model, self.settings.context_tokens
        check_endpoint(endpoint)
        from app.language_model.openai_model import OpenAILanguageModel  # takes half a second to import

        with self._loading:
            if self._connected is None or self._connected[0] != endpoint:
                self._connected = endpoint, OpenAILanguageModel(endpoint)
            return self._connected[1], endpoint.context_tokens

    @property
    def language_model(self) -> LanguageModel | None:
        """Return the language model in use; None if answers are extractive."""
        return self.connection()[0]

    @property
    def sentence_scorer(self) -> Similarity:
        """Return the scorer of written sentences, regardless of the reranker: the embedder's token vectors."""
        return self._given_sentence_scorer or _similarity(self._loaded("late-interaction"), "late-interaction")

    @property
    def quote_scorer(self) -> Similarity:
        """Return the scorer of quotes, regardless of the reranker: the shipped model, which quoting was fitted to."""
        return self._given_sentence_scorer or _similarity(self.reranker(SHIPPED), SHIPPED)

    def reranker(self, name: str) -> Reranker | None:
        """Return a reranker by name, loaded on first use; None for `none`. Raises RerankerError."""
        return in_any_language(self._loaded(name), self.embedder, self.settings.home)

    def _loaded(self, name: str) -> Reranker | None:
        name = resolved(name, self.settings)
        with self._loading:
            if name not in self._rerankers:
                loaded, version = load_reranker(name, self.settings), version_of(name, self.settings)
                if version and isinstance(loaded, LateInteractionReranker):
                    loaded.kept = KeptVectors(self.settings.home, version)
                self._rerankers[name], self._versions[name_in_answers(name)] = loaded, version
            return self._rerankers[name]

    def version(self, name: str) -> str:
        """Return the version of a loaded reranker by its name in answers, '' if it has none."""
        return self._versions.get(name, "")


def _similarity(reranker: Reranker | None, name: str) -> Similarity:
    if not isinstance(reranker, Similarity):
        raise RerankerError(f"{name} only sorts; quoting and checking citations need late interaction")
    return reranker
