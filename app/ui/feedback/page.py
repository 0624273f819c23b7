"""Feedback: what people say of passages, by question, by document, as a log, to and from files; what is proposed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from app.settings import read_settings
from app.ui import links, markup
from app.ui.ask.answer_search import find_answer
from app.ui.feedback.by_document import show_documents
from app.ui.feedback.by_question import show_questions
from app.ui.feedback.counts import Feedback
from app.ui.feedback.files import show_files
from app.ui.feedback.log import show_log
from app.ui.feedback.proposals import show_proposals
from app.ui.messages import show_messages
from app.ui.resources import feedback
from app.ui.words import counted, passages_that_answer
from ingest.home.damaged_database import damaged_databases

_VIEWS: Mapping[str, Callable[[Feedback], None]] = {
    "By question": show_questions,
    "By document": show_documents,
    "Proposed questions": show_proposals,
    "Log": show_log,
    "Files": show_files,
}


def show() -> None:
    """The page."""
    st.title("Feedback", anchor=False)
    show_messages()
    _show_damage()
    said = feedback()
    if not said.labeled:
        _show_empty(said)
        return
    st.markdown(count_words(said))
    links.to_training("See what is missing for training" if said.ready.missing else "Train the reranker on it")
    view = st.segmented_control(
        "View",
        list(_VIEWS),
        default="By question",
        required=True,
        key="feedback-view",
        label_visibility="collapsed",
    )
    _VIEWS[view or "By question"](said)  # only what is looked at is drawn


def _show_damage() -> None:
    if damaged := damaged_databases(read_settings().home):
        st.warning(
            f"A damaged database was replaced by a new one with what could be read of it. The old file is kept: "
            f"{markup.plain(', '.join(str(path) for path in damaged))}",
            icon=":material/warning:",
        )


def _show_empty(said: Feedback) -> None:
    st.info(
        "Nothing yet. Strike out a wrong source below an answer, and it is noted here. Questions whose answers are "
        "known can be added one by one, or imported.",
        icon=":material/info:",
    )
    if st.button("Add a question and its answer", icon=":material/add:"):
        find_answer("")
    st.subheader("Proposed questions", anchor=False)
    show_proposals(said)
    show_files(said)


def count_words(said: Feedback) -> str:
    """How much there is and what is missing, as Markdown."""
    ready = said.ready
    words = (
        f"**{counted(ready.num_questions, 'question')}**: {passages_that_answer(ready.num_positives)}, "
        f"{ready.num_negatives:,} that do not"
    )
    if said.ready.num_contradictions:
        words += f", {said.ready.num_contradictions:,} that people contradict each other on"
    missing = f" Missing until training makes sense: {'; '.join(ready.missing)}." if ready.missing else ""
    return f"{words}.{missing}"
