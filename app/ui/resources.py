"""Objects shared by the whole server, and the current user. The only caches of the pages."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from app.answering import Answerer, AnswerJobStore
from app.feedback import FeedbackEvent, FeedbackStore, Judgement, earlier_name, new_id, user_of_cookie
from app.feedback.curators import Asking
from app.feedback.inbox import InboxItem
from app.feedback.inbox import inbox as open_items
from app.feedback.recall import Memory
from app.feedback.rules import label
from app.pipeline import Pipeline
from app.registry import Registry
from app.search.filters import FilterChoices, choices
from app.settings import read_settings
from app.training.jobs import TrainingJobStore
from app.ui.ask.examples import example_questions
from app.ui.feedback.counts import Feedback, gather
from app.ui.source.page_picture import PagePicture
from app.ui.source.page_picture import page_picture as draw_page
from ingest import CiteloopError
from ingest.jobs import JobStore
from ingest.parse import Box
from ingest.table import StoredDocument

if TYPE_CHECKING:
    from app.evaluation.replay import Replay

USER_COOKIE = "citeloop_user"


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
def registry() -> Registry:
    """Return the trained models of the configured home folder."""
    return Registry(read_settings().home)


@st.cache_resource(ttl=10, show_spinner=False)
def filter_choices() -> FilterChoices:
    """Return the filter values; new documents appear within seconds."""
    return choices(pipeline().table.documents())


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
    return replay(feedback_store(), memory, used.find_passage)


@st.cache_resource(ttl=60, show_spinner="Reading the answers")
def askings() -> list[Asking]:
    """Return what the inbox needs of the answers; new ones appear within a minute."""
    return feedback_store().askings()


def inbox() -> list[InboxItem]:
    """Return what a curator should decide next; recomputed after new feedback and new answers."""
    asked = askings()
    state = f"{read_settings().home} {feedback_store().position()} {len(asked)} {asked[-1].answer_id if asked else ''}"
    return _inbox(state, asked)


@st.cache_resource(max_entries=4, show_spinner="Comparing the questions")
def _inbox(state: str, _asked: list[Asking]) -> list[InboxItem]:  # noqa: ARG001
    return open_items(feedback_store(), pipeline().embedder, _asked, feedback().labeled)


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


def current_user() -> str:
    """Return the logged-in user's e-mail address, else the user of the browser's random cookie.

    Without a cookie, a user lasts as long as the page is open.
    """
    if getattr(st.user, "is_logged_in", False) and (name := st.user.get("email") or st.user.get("sub")):
        return str(name)
    cookie = st.context.cookies.get(USER_COOKIE) or st.session_state.setdefault("no-cookie", new_id())
    return user_of_cookie(cookie)


def take_over_earlier_rows() -> None:
    """Move rows from the user id of an earlier version to the current one, once per session."""
    if not st.session_state.get("took-over"):
        user = current_user()
        with suppress(CiteloopError):  # pages that need the database show the error
            feedback_store().take_over(earlier_name(user), user)
            st.session_state["took-over"] = True
