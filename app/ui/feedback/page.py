"""The inbox; feedback by question, by document and by person; answers, proposed questions, the log and files."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from app.settings import read_settings
from app.translation import N_, ngettext
from app.translation import gettext as _
from app.ui import links, markup
from app.ui.ask.answer_search import find_answer
from app.ui.feedback.by_document import show_documents
from app.ui.feedback.by_question import show_questions
from app.ui.feedback.counts import Feedback
from app.ui.feedback.files import show_files
from app.ui.feedback.inbox import show_inbox
from app.ui.feedback.log import show_log
from app.ui.feedback.people import ignored_words, show_people
from app.ui.feedback.proposals import show_proposals
from app.ui.feedback.review import askings
from app.ui.feedback.statements import show_written
from app.ui.feedback.unanswered import show_unanswered
from app.ui.messages import show_messages
from app.ui.resources import current_user, feedback, feedback_store, readable_documents
from app.ui.words import passages_that_answer
from ingest.home.damaged_database import damaged_databases


def _show_answers(said: Feedback) -> None:
    st.header(_("Written answers"), anchor=False)
    show_written(said)
    st.header(_("Unanswered questions"), anchor=False)
    show_unanswered(said)


def _show_log_and_files(said: Feedback) -> None:
    show_log(said)
    show_files(said)


_VIEWS: Mapping[str, Callable[[Feedback], None]] = {
    N_("Inbox"): show_inbox,
    N_("By question"): show_questions,
    N_("By document"): show_documents,
    N_("Answers and gaps"): _show_answers,
    N_("Proposed questions"): show_proposals,
    N_("Log and files"): _show_log_and_files,
    N_("People"): show_people,
}
_FIRST = next(iter(_VIEWS))
_VIEW = "feedback-view"
"""Key of the view in the session and in the address."""
_MOVED = {
    "Unanswered": N_("Answers and gaps"),
    "Written answers": N_("Answers and gaps"),
    "Log": N_("Log and files"),
    "Files": N_("Log and files"),
}
"""Earlier views in saved links -> the view that has their content."""


def show() -> None:
    """The page."""
    st.title(_("Feedback"), anchor=False)
    show_messages()
    _show_damage()
    if words := ignored_words(current_user()):
        st.warning(markup.plain(words), icon=":material/person_off:")
    said = feedback()
    if not (said.labeled or askings() or feedback_store().ignored()):
        _show_empty(said)
        return
    st.markdown(count_words(said))
    links.to_training(_("See training data") if said.ready.missing else _("Train the reranker"))
    _VIEWS[_choose_view()](said)  # draw only the chosen view


def _choose_view() -> str:
    """Show the views and return the chosen one, which the address names in English, so that others can open it."""
    named = st.query_params.get(_VIEW, "")
    earlier = {_(view): view for view in _VIEWS}  # addresses of earlier versions, in the language of the page
    named = _MOVED.get(named) or earlier.get(named, named)
    st.session_state[_VIEW] = named if named in _VIEWS else _FIRST
    view = st.segmented_control(
        _("View"),
        list(_VIEWS),
        format_func=_,
        required=True,
        key=_VIEW,
        on_change=lambda: st.query_params.update({_VIEW: st.session_state[_VIEW]}),
        label_visibility="collapsed",
    )
    return view or _FIRST


def _show_damage() -> None:
    if damaged := damaged_databases(read_settings().home):
        st.warning(
            _(
                "A damaged database was replaced; its readable rows were copied. The old file is kept: {files}",
                files=markup.plain(", ".join(str(path) for path in damaged)),
            ),
            icon=":material/warning:",
        )


def _show_empty(said: Feedback) -> None:
    if not readable_documents():
        st.info(
            _("No documents yet. Add some, ask about them, and strike out wrong sources below the answers."),
            icon=":material/info:",
        )
        links.to_documents(_("Add documents"), icon=":material/upload:")
        show_files(said)
        return
    st.info(
        _("No feedback yet. Strike out a wrong source below an answer, or add questions with known answers."),
        icon=":material/info:",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(_("Add question and answer"), icon=":material/add:", type="primary"):
            find_answer("")
        links.to_ask(_("Ask a question"))
    st.header(_("Proposed questions"), anchor=False)
    show_proposals(said)
    show_files(said)


def count_words(said: Feedback) -> str:
    """Return the numbers and what is needed before training, as Markdown."""
    ready = said.ready
    words = ngettext(
        "**{n} question with usable feedback**: {passages_that_answer}, {num_negatives} that do not",
        "**{n} questions with usable feedback**: {passages_that_answer}, {num_negatives} that do not",
        ready.num_questions,
        passages_that_answer=passages_that_answer(ready.num_positives),
        num_negatives=ready.num_negatives,
    )
    if said.ready.num_contradictions:
        words += _(", {n} with conflicting feedback", n=said.ready.num_contradictions)
    missing = _(" Needed before training: {missing}.", missing="; ".join(ready.missing)) if ready.missing else ""
    return f"{words}.{missing}"
