"""Objects shared by the whole server: the only caches of the pages."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from app.answering import Answerer, AnswerJobStore
from app.downloads.jobs import DownloadJobStore
from app.feedback import FeedbackEvent, FeedbackStore, Judgement, earlier_name
from app.feedback.changed import Changed
from app.feedback.curators import Asking
from app.feedback.inbox import InboxItem
from app.feedback.inbox import inbox as open_items
from app.feedback.recall import Memory
from app.feedback.rules import label
from app.memory.wording import Wording
from app.pipeline import Pipeline, changed_questions
from app.registry import Registry
from app.search.filters import FilterChoices, choices
from app.settings import read_settings
from app.training.jobs import TrainingJobStore
from app.ui.ask.examples import example_questions
from app.ui.feedback.counts import Feedback, gather
from app.ui.source.page_picture import PagePicture
from app.ui.source.page_picture import page_picture as draw_page
from app.ui.who import USER_COOKIE as USER_COOKIE
from app.ui.who import current_user as current_user
from app.ui.who import is_logged_in
from ingest import CiteloopError
from ingest.jobs import JobStore
from ingest.parse import Box
from ingest.table import StoredDocument

if TYPE_CHECKING:
    from app.evaluation.replay import Replay


@st.cache_resource(show_spinner="Loading the models")
def pipeline() -> Pipeline:
    """Return the pipeline of the configured home folder."""
    return Pipeline(read_settings())


@st.cache_resource(show_spinner=False)
def feedback_store() -> FeedbackStore:
    """Return the feedback database of the configured home folder."""
    return FeedbackStore(read_settings().home)


@st.cache_resource(show_spinner=False)
def answerer() -> Answerer:
    """Return the background answerer."""
    return Answerer(pipeline(), feedback_store(), AnswerJobStore(read_settings().home))


@st.cache_resource(show_spinner=False)
def job_store() -> JobStore:
    """Return the ingest jobs of the configured home folder."""
    return JobStore(read_settings().home)


@st.cache_resource(show_spinner=False)
def training_job_store() -> TrainingJobStore:
    """Return the trainings of the configured home folder."""
    return TrainingJobStore(read_settings().home)


@st.cache_resource(show_spinner=False)
def download_job_store() -> DownloadJobStore:
    """Return the downloads of models of the configured home folder."""
    return DownloadJobStore(read_settings().home)


@st.cache_resource(show_spinner=False)
def registry() -> Registry:
    """Return the trained models of the configured home folder."""
    return Registry(read_settings().home)


@st.cache_resource(ttl=10, show_spinner=False)
def filter_choices() -> FilterChoices:
    """Return the filter values; new documents appear within seconds."""
    return choices(pipeline().table)


def examples(documents: Sequence[StoredDocument]) -> list[str]:
    """Return example questions that these documents answer; made again only after they changed."""
    newest = max(document.ingested_at for document in documents)
    return _examples(f"{read_settings().home} {len(documents)} {newest}", documents)


@st.cache_resource(max_entries=4, show_spinner=False)
def _examples(state: str, _documents: Sequence[StoredDocument]) -> list[str]:  # noqa: ARG001
    return example_questions(_documents, pipeline().table.chunks_of)


def feedback() -> Feedback:
    """Return all feedback with labels; recomputed only after new feedback."""
    events, judgements = feedback_store().events(), feedback_store().judgements()
    newest = [*(each.id for each in events[-1:]), *(each.id for each in judgements[-1:])]  # newest last
    state = f"{read_settings().home} {len(events)} {len(judgements)} {newest}"
    return _feedback(state, events, judgements)


@st.cache_resource(max_entries=4, show_spinner=False)
def _feedback(state: str, _events: list[FeedbackEvent], _judgements: list[Judgement]) -> Feedback:  # noqa: ARG001
    return gather(_events, label(_events, _judgements))


def replayed() -> Replay:
    """Return what votes were worth; measured again only after new feedback. Raises CiteloopError."""
    return _replayed(f"{read_settings().home} {feedback_store().position()}")


@st.cache_resource(max_entries=4, show_spinner="Ranking the judged questions again")
def _replayed(state: str) -> Replay:  # noqa: ARG001
    from app.evaluation.replay import replay  # takes a second to import

    used = pipeline()
    memory = Memory(used.embedder, used.settings.min_agreeing)
    return replay(feedback_store(), memory, used.find_passages)


@st.cache_resource(ttl=60, show_spinner="Reading the answers")
def askings() -> list[Asking]:
    """Return what the inbox needs of the answers; new ones appear within a minute."""
    return feedback_store().askings()


def inbox() -> list[InboxItem]:
    """Return what a curator should decide next; recomputed after new feedback, answers and documents."""
    return _inbox(_state(), askings())


def changed() -> Mapping[Wording | str, Changed]:
    """Return what waits since the documents have changed, by wording key; recomputed as the inbox."""
    return _changed(_state(), askings())


def _state() -> str:
    """Return what the inbox depends on."""
    asked, last = askings(), feedback_store().position()
    newest = asked[-1].answer_id if asked else ""
    return f"{read_settings().home} {last} {len(asked)} {newest} {pipeline().table.version}"


@st.cache_resource(max_entries=4, show_spinner="Comparing the documents")
def _changed(state: str, _asked: list[Asking]) -> dict[Wording | str, Changed]:  # noqa: ARG001
    return changed_questions(pipeline(), feedback_store(), _asked)


@st.cache_resource(max_entries=4, show_spinner="Comparing the questions")
def _inbox(state: str, _asked: list[Asking]) -> list[InboxItem]:  # noqa: ARG001
    return open_items(feedback_store(), pipeline().embedder, _asked, feedback().labeled, changed())


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


def warm_up() -> None:
    """Load the pipeline and the default reranker before the first question."""
    # Streamlit would warn at every start that no page is running.
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").setLevel(logging.ERROR)
    try:
        pipeline().rank("wram up", fall_back=True)  # the typo loads the words of the documents
    except CiteloopError as error:  # the page will show it too
        logging.getLogger(__name__).warning("could not load the models early: %s", error)


def take_over_earlier_rows() -> None:
    """Move rows from the user id of an earlier version to the current one, once per session."""
    if not st.session_state.get("took-over"):
        user = current_user()
        earlier = str(st.user.get("email") or "") if is_logged_in() else earlier_name(user)
        with suppress(CiteloopError):  # pages that need the database show the error
            if not is_logged_in() or (earlier != user and earlier.lower() == user):  # kept as the provider wrote it
                feedback_store().take_over(earlier, user)
            st.session_state["took-over"] = True
