"""Settings -> list[Check]: whether all parts that a question needs exist and work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.feedback import FeedbackStore
from app.models import Models
from app.registry import Registry
from app.reranking.names import LIVE
from app.settings import Settings
from ingest import CiteloopError
from ingest.embed.embedder import load_embedder
from ingest.home.damaged_database import damaged_databases
from ingest.home.sharing import share, shared_address, writer_elsewhere
from ingest.repair import examine
from ingest.table import TableError


@dataclass(frozen=True, slots=True)
class Check:
    """One check: whether the part works, and what was found or what to do."""

    name: str
    ok: bool
    detail: str


def check(settings: Settings, *, repair: bool = True) -> list[Check]:
    """Load and use each part once; a failing part does not stop the others.

    repair: restore a damaged table from the kept files.
    """
    return [
        _attempt("embedder", lambda: _embedder(settings)),
        *_documents(settings, repair=repair),
        _attempt("table", lambda: _table(settings)),
        _attempt("index", lambda: str(Models(settings).table_and_embedder()[0].index_state())),
        _attempt("reranker", lambda: _reranker(settings)),
        _attempt("models", lambda: _models(settings)),
        _attempt("feedback", lambda: _feedback(settings)),
        _attempt("answers", lambda: _answers(settings)),
        *([_attempt("sharing", lambda: _sharing(settings))] if shared_address() else []),
    ]


def _attempt(name: str, run: Callable[[], str]) -> Check:
    try:
        return Check(name, True, run())
    except Exception as error:  # damaged files make the libraries raise anything
        return Check(name, False, str(error) or type(error).__name__)


def _embedder(settings: Settings) -> str:
    models = Models(settings)
    embedder = models.embedder
    length = float((embedder.embed_query("a question") ** 2).sum())
    if abs(length - 1) > 1e-3:
        raise CiteloopError(f"{embedder.name} gave a vector of length {length}, expected 1; reinstall the package")
    return "; ".join(filter(None, (f"{embedder.name}, {embedder.dimension} dimensions", _language(models))))


def _language(models: Models) -> str:
    try:
        return models.hint
    except CiteloopError:
        return ""  # another check tells what is wrong with the table


def _documents(settings: Settings, *, repair: bool) -> list[Check]:
    """Check every stored passage and every kept file."""
    try:
        try:
            embedder = Models(settings).embedder
        except TableError:  # it cannot be opened, so use the embedder of the settings
            embedder = load_embedder(settings.embedder)
        return [Check("documents", found.ok, found.detail) for found in examine(settings.home, embedder, repair=repair)]
    except Exception as error:  # a damaged embedder, as above
        return [Check("documents", False, str(error) or type(error).__name__)]


def _table(settings: Settings) -> str:
    table, _ = Models(settings).table_and_embedder()
    table.check_chunking()
    documents = table.documents()
    hint = "" if documents else "; add some with: citeloop ingest PATH"
    return f"{len(documents)} documents, {table.num_chunks()} passages in {settings.home}{hint}"


def _reranker(settings: Settings) -> str:
    reranker = Models(settings).reranker(settings.reranker)
    if reranker:
        reranker.score("a question", ["a passage"])
    return f"{LIVE}: {reranker.name}" if reranker and settings.reranker == LIVE else settings.reranker


def _models(settings: Settings) -> str:
    """Check every trained model, since a rollback or fallback may use any."""
    registry = Registry(settings.home)
    names = [model.name for model in registry.models()]
    for name in names:
        registry.check(name)
    trained = f"trained and undamaged: {', '.join(names)}" if names else "none trained yet"
    return f"{registry.live()} is live; {trained}"


def _feedback(settings: Settings) -> str:
    store = FeedbackStore(settings.home)
    num_events = len(store.events(everyone=True))
    store.check_writable()
    if damaged := damaged_databases(settings.home):
        names = ", ".join(path.name for path in damaged)
        raise CiteloopError(
            f"{num_events} events; damaged files were set aside: {names}. Readable rows were copied to new files; "
            f"move the damaged ones out of {settings.home} when you no longer need them"
        )
    return f"{num_events} events"


def _sharing(settings: Settings) -> str:
    done, writer = share(settings.home), writer_elsewhere(settings.home)
    return "; ".join(filter(None, (f"documents are added on {writer}" if writer else "documents are added here", done)))


def _answers(settings: Settings) -> str:
    language_model = Models(settings).language_model
    if language_model is None:
        return "extractive (set a language model on the Settings page, or by OPENAI_API_KEY or OPENAI_BASE_URL)"
    return f"written by {language_model.name} (not called)"
