"""A dialog to find and pick the passage that answers a question."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.access.admission import BusyError
from app.feedback import question_key
from app.reranking.rerank import RankedChunk
from app.translation import gettext as _
from app.ui import links, markup
from app.ui.feedback.say import judge
from app.ui.messages import attempt
from app.ui.resources import feedback_store, pipeline, readable
from app.ui.words import beginning_of, on_page
from ingest.chunk import Chunk, breadcrumb

_NUM_FOUND = 10
_PREVIEW_CHARACTERS = 500


def find_answer(question: str, wordings: Sequence[str] = ()) -> None:
    """Open a dialog to search, by default for the question, and pick a passage.

    question: '' to enter one first. wordings: other questions that the passage answers too.
    """
    st.dialog(_("Find the answering passage"), width="large")(_find_answer)(question, wordings)


def _find_answer(question: str, wordings: Sequence[str]) -> None:
    if question:
        st.markdown(f"**{markup.plain(question)}**")
    else:
        question = st.text_input(_("Question"), key="answer-question", max_chars=2000).strip()
    words = st.text_input(_("Search"), value=question, key=f"answer-words-{question}", max_chars=2000).strip()
    if not (question and words):
        st.caption(_("Enter the question as a user would ask it, then pick the passage that answers it."))
        return
    found = find_passages(words)
    if found is None:
        return
    if not found:
        st.info(_("No matches. Try other words, or add the document first."))
    answering = {
        each.text
        for each in feedback_store().judgements()
        if each.label == "relevant" and question_key(each.question) == question_key(question)
    }
    for ranked in found:
        _show_found([question, *wordings], ranked, is_chosen=ranked.chunk.text in answering)


def find_passages(words: str) -> Sequence[RankedChunk] | None:
    """Return the best passages that the curator may read; None, with a message, when too many are waiting."""
    try:
        with st.spinner(_("Searching the documents")):
            return pipeline().rank(words, within=readable(), fall_back=True).ranking[:_NUM_FOUND]
    except BusyError as error:
        st.warning(str(error))
        return None


def title_and_heading(chunk: Chunk) -> str:
    """Return title and heading path of a passage as Markdown."""
    where = breadcrumb(chunk.title, chunk.heading)
    return f"**{markup.plain(where)}**"


def _show_found(questions: Sequence[str], ranked: RankedChunk, *, is_chosen: bool) -> None:
    chunk = ranked.chunk
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.markdown(title_and_heading(chunk), width="content")
            if is_chosen:
                st.markdown(_(":green-badge[answers]"), width="content")
            elif st.button(
                _("Pick passage {rank}", rank=ranked.rank),
                key=f"answers-{chunk.id}",
                icon=":material/check:",
            ):
                attempt(
                    lambda: judge("relevant", questions, chunk),
                    _("Saved: {title} answers “{question}”", title=chunk.title, question=questions[0]),
                )
        st.caption(f"{markup.plain(chunk.document)}{on_page(chunk.page)}")
        st.markdown(markup.passage(beginning_of(chunk.text, _PREVIEW_CHARACTERS)))
        links.to_source(_("Open in document"), chunk_id=chunk.id, icon=":material/visibility:")
