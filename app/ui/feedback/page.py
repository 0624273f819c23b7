"""The inbox; feedback by question, by document, by person, as a log and in files; proposed questions."""

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
from app.ui.feedback.inbox import show_inbox
from app.ui.feedback.log import show_log
from app.ui.feedback.people import show_people
from app.ui.feedback.proposals import show_proposals
from app.ui.feedback.statements import show_written
from app.ui.feedback.unanswered import show_unanswered
from app.ui.messages import show_messages
from app.ui.resources import askings, feedback, feedback_store
from app.ui.words import counted, passages_that_answer
from ingest.home.damaged_database import damaged_databases

_VIEWS: Mapping[str, Callable[[Feedback], None]] = {
    "Inbox": show_inbox,
    "By question": show_questions,
    "By document": show_documents,
    "Unanswered": show_unanswered,
    "Written answers": show_written,
    "Proposed questions": show_proposals,
    "Log": show_log,
    "Files": show_files,
    "People": show_people,
}


def show() -> None:
    """The page."""
    st.title("Feedback", anchor=False)
    show_messages()
    _show_damage()
    said = feedback()
    if not (said.labeled or askings() or feedback_store().ignored()):
        _show_empty(said)
        return
    st.markdown(count_words(said))
    links.to_training("See training data" if said.ready.missing else "Train the reranker")
    view = st.segmented_control(
        "View",
        list(_VIEWS),
        default="Inbox",
        required=True,
        key="feedback-view",
        label_visibility="collapsed",
    )
    _VIEWS[view or "Inbox"](said)  # draw only the chosen view


def _show_damage() -> None:
    if damaged := damaged_databases(read_settings().home):
        st.warning(
            f"A damaged database was replaced; its readable rows were copied. The old file is kept: "
            f"{markup.plain(', '.join(str(path) for path in damaged))}",
            icon=":material/warning:",
        )


def _show_empty(said: Feedback) -> None:
    st.info(
        "No feedback yet. Strike out a wrong source below an answer, or add questions with known answers.",
        icon=":material/info:",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Add question and answer", icon=":material/add:", type="primary"):
            find_answer("")
        links.to_ask("Ask a question")
    st.subheader("Proposed questions", anchor=False)
    show_proposals(said)
    show_files(said)


def count_words(said: Feedback) -> str:
    """Return the numbers and what is needed before training, as Markdown."""
    ready = said.ready
    words = (
        f"**{counted(ready.num_questions, 'question')}**: {passages_that_answer(ready.num_positives)}, "
        f"{ready.num_negatives:,} that do not"
    )
    if said.ready.num_contradictions:
        words += f", {said.ready.num_contradictions:,} with conflicting feedback"
    missing = f" Needed before training: {'; '.join(ready.missing)}." if ready.missing else ""
    return f"{words}.{missing}"
