"""Objects shared by the whole server, and what the current user may read of them.

The only caches of the pages are here and in feedback/review.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

import streamlit as st
from cachetools import cached

from app.answering import Answerer, AnswerJobStore
from app.downloads.jobs import DownloadJobStore
from app.feedback import FeedbackEvent, FeedbackStore, Judgement, earlier_name
from app.feedback.curators import Asking
from app.feedback.reading import ReadableAnswers
from app.feedback.rules import LabeledPassage, label
from app.memory.votes import Statement
from app.pipeline import Pipeline
from app.registry import Registry
from app.search.filters import EVERYTHING, Filter, FilterChoices, choices
from app.settings import read_settings
from app.training.jobs import TrainingJobStore
from app.translation import gettext as _
from app.ui.ask.examples import example_questions
from app.ui.feedback.counts import Feedback, gather
from app.ui.source.page_picture import PagePicture
from app.ui.source.page_picture import page_picture as draw_page
from app.ui.who import current_rights, is_logged_in
from app.ui.who import current_user as current_user
from ingest import CiteloopError
from ingest.chunk import Chunk, PassageRef
from ingest.figures import Figures, KeptFigure
from ingest.jobs import JobStore
from ingest.listing import StoredDocument
from ingest.parse import Box

P = TypeVar("P", LabeledPassage, PassageRef)
S = TypeVar("S", Asking, Statement)

T = TypeVar("T")

SHARED: dict[Hashable, Any] = {}
"""Function name or kind of store -> its one object on this server.

Streamlit's cache is for the rest: any browser can clear it.
"""
_making = RLock()


def _once(make: Callable[[], T]) -> Callable[[], T]:
    return cached(SHARED, key=lambda: make.__name__, lock=_making)(make)


def _shared(kind: Callable[[Path], T]) -> Callable[[], T]:
    """Return a function that opens this store of the configured home folder, once for the server."""
    return cached(SHARED, key=lambda: kind, lock=_making)(lambda: kind(read_settings().home))


@_once
def pipeline() -> Pipeline:
    """Return the pipeline of the configured home folder."""
    return Pipeline(read_settings())


feedback_store = _shared(FeedbackStore)
job_store = _shared(JobStore)
training_job_store = _shared(TrainingJobStore)
download_job_store = _shared(DownloadJobStore)
registry = _shared(Registry)
"""The trained models."""


@_once
def answerer() -> Answerer:
    """Return the background answerer."""
    return Answerer(pipeline(), feedback_store(), AnswerJobStore(read_settings().home))


def readable(chosen: Filter = EVERYTHING) -> Filter:
    """Return the chosen filter, limited to what the current user may read."""
    return chosen.read_by(current_rights())


def is_readable(document_id: str) -> bool:
    """Return whether the current user may read a document; a fragment asks, as nothing else checks rights for it."""
    ids = readable().document_ids(pipeline().table)
    return ids is None or document_id in ids


def readable_documents() -> list[StoredDocument]:
    """Return the documents that the current user may read, sorted by name."""
    return readable().readable_documents(pipeline().table)


def answers() -> ReadableAnswers:
    """Return the stored answers as the current user may read them."""
    return pipeline().readable_answers(feedback_store(), current_rights())


def _only_with_readable(items: Iterable[T], shown: Callable[[T], Iterable[str]]) -> list[T]:
    """Return the items whose chunks all stand in documents that the current user may read; who may read all gets all.

    shown: returns the ids of an item's chunks.
    """
    items, ids = list(items), readable().document_ids(pipeline().table)
    if ids is None:
        return items
    standing = pipeline().table.find_ids({chunk_id for item in items for chunk_id in shown(item)}, ids)
    return [item for item in items if standing.issuperset(shown(item))]


def only_readable(passages: Iterable[P]) -> list[P]:
    """Return the passages that the current user may read."""
    return _only_with_readable(passages, lambda passage: (passage.chunk_id,))


def only_readable_events(events: Iterable[FeedbackEvent]) -> list[FeedbackEvent]:
    """Return the events whose answers showed only what the current user may read: a question can tell of the rest."""
    return _only_with_readable(events, lambda event: (event.chunk_id, *event.shown.split()))


def readers() -> str:
    """Return a key for what depends on what the current user may read."""
    names, table = current_rights().collections, pipeline().table
    return "all" if names is None else f"{sorted(names)} {table.name} {table.version}"


def filter_choices() -> FilterChoices:
    """Return the filter values; new documents appear within seconds."""
    return _filter_choices(readers())


@st.cache_resource(ttl=10, max_entries=16, show_spinner=False)
def _filter_choices(readers: str) -> FilterChoices:  # noqa: ARG001
    return choices(readable_documents())


def collections() -> dict[str, str]:
    """Return document id -> collection, of the documents that the current user may read; empty with one collection."""
    found = {document.id: document.collection for document in readable_documents()}
    return found if len(set(found.values())) > 1 else {}


def examples(documents: Sequence[StoredDocument]) -> list[str]:
    """Return example questions that these readable documents answer; made again only after they changed."""
    newest = max(document.ingested_at for document in documents)
    state = f"{read_settings().home} {len(documents)} {newest} {readers()}"
    return _examples(state, documents)


@st.cache_resource(max_entries=4, show_spinner=False)
def _examples(state: str, _documents: Sequence[StoredDocument]) -> list[str]:  # noqa: ARG001
    return example_questions(_documents, pipeline().table.chunks_of)


def feedback() -> Feedback:
    """Return the feedback that the current user may read, with labels; recomputed only after new feedback."""
    events, judgements = feedback_store().events(), feedback_store().judgements()
    newest = [*(each.id for each in events[-1:]), *(each.id for each in judgements[-1:])]  # newest last
    state = f"{read_settings().home} {len(events)} {len(judgements)} {newest}"
    return _feedback(f"{state} {readers()}", events, judgements)


@st.cache_resource(max_entries=4, show_spinner=False)
def _feedback(state: str, _events: list[FeedbackEvent], _judgements: list[Judgement]) -> Feedback:  # noqa: ARG001
    events = only_readable_events(_events)
    return gather(events, only_readable(label(events, _judgements)))


def only_shown_readable(shown: Iterable[S]) -> list[S]:
    """Return those whose passages shown the current user may all read."""
    return _only_with_readable(shown, lambda each: each.shown)


def only_readable_statements(said: list[Statement]) -> list[Statement]:
    """Return the statements whose passages shown and sources the current user may all read."""
    said = only_shown_readable(said)
    may_read = set(only_readable(source for one in said for source in one.sources))
    return [one for one in said if may_read.issuperset(one.sources)]


@st.cache_resource(max_entries=64, show_spinner=False)
def page_picture(
    document_id: str,  # noqa: ARG001  # cache key, with the digest
    sha256: str,  # noqa: ARG001
    page: int,
    chunk_id: str,  # noqa: ARG001
    _path: Path,
    _boxes: tuple[Box, ...],
) -> PagePicture:
    """Return a page of a stored file with a chunk's passage marked, cached. Raises PictureError."""
    return draw_page(_path, page, _boxes)


def figures_of(chunk: Chunk) -> list[tuple[KeptFigure, Path]]:
    """Return the pictures to show with a chunk and their files, if the current user may read its document."""
    with suppress(CiteloopError):  # a damaged table; the stored answer is shown without them
        if is_readable(chunk.document_id):
            return Figures(pipeline().settings.home).shown_with(chunk, pipeline().table)
    return []


def warm_up() -> None:
    """Load the pipeline and the default reranker before the first question."""
    # Streamlit would warn at every start that no page is running.
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").setLevel(logging.ERROR)
    try:
        pipeline().rank("wram up", fall_back=True)  # the typo loads the words of the documents
    except CiteloopError as error:  # the page will show it too
        logging.getLogger(__name__).warning("could not load the models early: %s", error)


def reads_everything() -> bool:
    """Return whether the current user may read all collections; if not, show a message on the page."""
    if current_rights().collections is None:
        return True
    st.info(_("This looks at all documents, so it needs the right to read every collection."), icon=":material/lock:")
    return False


def take_over_earlier_rows() -> None:
    """Move rows from the user id of an earlier version to the current one, once per session."""
    if not st.session_state.get("took-over"):
        user = current_user()
        earlier = str(st.user.get("email") or "") if is_logged_in() else earlier_name(user)
        with suppress(CiteloopError):  # pages that need the database show the error
            if not is_logged_in() or (earlier != user and earlier.lower() == user):  # kept as the provider wrote it
                feedback_store().take_over(earlier, user)
            st.session_state["took-over"] = True
