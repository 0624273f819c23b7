"""One turn of a conversation: the question, its growing or finished answer, and the sources."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import streamlit as st

from app.answer import CURATED, EXTRACTIVE, Answer
from app.answer.curated import said_by
from app.answering import AnswerJob
from app.feedback import FeedbackEvent, StoredAnswer
from app.feedback.reading import HIDDEN
from app.reranking.live import NONE
from app.translation import N_, ngettext
from app.translation import gettext as _
from app.ui import markup
from app.ui.ask.answer_text import answer_markdown, card_of
from app.ui.ask.citation_popover import show_passages_on_hover
from app.ui.ask.compare import compare
from app.ui.ask.controls import ask, rank_again, show_controls
from app.ui.ask.ranking import show_ranking
from app.ui.ask.source_cards import show_sources
from app.ui.readers_language import in_readers_language, note_in_readers_language
from app.ui.resources import answerer, answers, current_user, feedback_store
from app.ui.scroll import scroll_here
from app.ui.source.drawer import show_opened
from app.ui.who import current_rights
from ingest import CiteloopError

_LOOK_SECONDS = 0.5
"""Refresh interval of a growing answer; shorter ones take CPU time from the models."""
_PATIENCE_SECONDS = 1.0
"""How long the page waits for a complete answer before it streams; quotes take less."""

STEP_LABELS = {
    "": N_("Waiting"),
    "wait": N_("Waiting"),
    "understand": N_("Understanding the question"),
    "search": N_("Searching the documents"),
    "rerank": N_("Reranking the candidates"),
    "answer": N_("Writing the answer"),
}


@st.fragment
def show_turn(turn: StoredAnswer, *, is_earlier: bool = False) -> None:
    """Show a stored question and answer as a fragment; of an earlier one the sources only once they are unfolded.

    Rewrites the answer if its sources were struck out or restored since.
    """
    try:
        _show_turn(turn, is_earlier=is_earlier)
    except CiteloopError as error:  # here, since a click reruns only this fragment
        st.error(markup.plain(in_readers_language(str(error))), icon=":material/error:")


def _show_turn(turn: StoredAnswer, *, is_earlier: bool) -> None:
    deleted = feedback_store().deleted(turn.id, turn.user)
    job = answerer().at_work(turn.id)
    turn = answers().answer(turn.id, turn.user) or turn  # read after the job, so it is final if there is no job
    if turn.answer.text == HIDDEN:
        _show_hidden(turn)
        return
    if job and turn.answer.citations:
        turn, job = _patiently(turn)
    without = job.without if job else turn.answer.without
    cited = {each.chunk.id for each in turn.answer.citations}  # one that was struck out may not be cited any more
    if turn.user == current_user() and cited.intersection(without) != cited.intersection(deleted):
        answerer().write_again(turn, [each.chunk.id for each in turn.answer.citations if each.chunk.id in deleted])
        turn, job = _patiently(turn)
    with st.empty():  # else all below moves up, and stays twice on the page until the next answer is complete
        if st.session_state.get("scroll-to") == turn.id:
            made_from = "".join(_numbers(turn.answer, deleted))  # a new key scrolls again
            focus = st.session_state.get(f"focus-{turn.id}", "")
            scroll_here(key=f"scroll-{turn.id}-{turn.answer.reranker}{made_from}", focus=focus)
    with st.chat_message("user", avatar=":material/person:"):
        st.markdown(markup.plain(turn.answer.question))
    with st.chat_message("assistant", avatar=":material/search:"):
        if turn.answer.query:
            _show_query(turn)
        with st.container():  # keeps the place of all below: sources that move are shown twice while it is written
            if job:
                _show_growing(turn, with_sources=bool(turn.answer.citations))
            else:
                _show_text(turn)
                show_controls(turn)
        if turn.answer.citations:
            show_passages_on_hover(turn)
            if is_earlier:
                _show_folded(turn, deleted)
            else:
                _show_tools(turn, _sources_title(turn))
                show_sources(turn, deleted)
            show_opened(turn)


def _show_folded(turn: StoredAnswer, deleted: Mapping[str, FeedbackEvent]) -> None:
    """Draw the sources once they are unfolded: the cards of a long conversation would slow each click."""
    is_named = st.query_params.get("a") == turn.id
    sources = st.expander(_sources_title(turn), is_named, key=f"sources-{turn.id}", on_change="rerun")
    if sources.open:
        with sources:
            _show_tools(turn)
            show_sources(turn, deleted)


def _sources_title(turn: StoredAnswer) -> str:
    return _("**Sources** ({n})", n=len(turn.answer.citations))


def _show_hidden(turn: StoredAnswer) -> None:
    """Show a question whose answer may not be read any more; its user can ask again."""
    with st.chat_message("user", avatar=":material/person:"):
        st.markdown(markup.plain(turn.answer.question))
    with st.chat_message("assistant", avatar=":material/search:"):
        st.info(_(HIDDEN), icon=":material/lock:")
        if turn.user == current_user() and st.button(_("Ask again"), key=f"again-{turn.id}", icon=":material/refresh:"):
            ask(turn.answer.question, instead_of=turn.id)


def _patiently(turn: StoredAnswer) -> tuple[StoredAnswer, AnswerJob | None]:
    """Wait briefly; return the turn, and its job if it is still running."""
    job = answerer().wait_for(turn.id, _PATIENCE_SECONDS)
    return answers().answer(turn.id, turn.user) or turn, job


@st.fragment(run_every=_LOOK_SECONDS)
def _show_growing(turn: StoredAnswer, *, with_sources: bool) -> None:
    """Show the answer so far; rerun the page when sources arrive or it is complete."""
    job = answerer().at_work(turn.id)
    now = turn if with_sources else answers().answer(turn.id, turn.user)
    if job is None or (now and bool(now.answer.citations) != with_sources):
        st.rerun()
    numbers = _numbers(turn.answer, job.without)
    with st.container(horizontal=True, vertical_alignment="center"):
        is_rewriting = numbers and job.current in ("", "answer")
        label = (
            _("Rewriting without {numbers}", numbers=", ".join(numbers))
            if is_rewriting
            else _(STEP_LABELS.get(job.current, N_("Working")))
        )
        st.status(label, type="compact", width=225)
        if turn.user == current_user():
            st.button(
                _("Stop"),
                key=f"stop-{turn.id}",
                icon=":material/stop_circle:",
                type="tertiary",
                on_click=answerer().stop,
                args=(turn.id,),
                disabled=job.cancel_requested,
            )
    if job.text and _may_follow(turn):
        st.markdown(markup.with_citation_links(markup.written(job.text), card_of(turn.id)))
    else:
        st.markdown(answer_markdown(turn.answer, card_of(turn.id)))


def _may_follow(turn: StoredAnswer) -> bool:
    """Return whether the visitor may read a text whose new sources are not stored yet: who asked, or who reads all."""
    return turn.user == current_user() or current_rights().collections is None


def _numbers(answer: Answer, chunk_ids: Collection[str]) -> list[str]:
    """Return the numbers of these chunks in an answer, such as [3]."""
    return [f"[{each.number}]" for each in answer.citations if each.chunk.id in chunk_ids]


def _show_query(turn: StoredAnswer) -> None:
    """Show the query that was searched instead of the question, with controls to change it."""
    is_corrected = turn.answer.corrected_from == turn.answer.question
    query = markup.plain(turn.answer.query)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            _("Showing results for **{query}**", query=query)
            if is_corrected
            else _("Understood as: {query}", query=query),
            width="content",
        )
        if turn.user == current_user():
            with st.popover(_("Change"), type="tertiary"):
                question = st.text_area(_("Full question"), turn.answer.query, key=f"query-{turn.id}", max_chars=2000)
                if st.button(_("Ask question"), key=f"ask-{turn.id}"):
                    ask(question, as_typed=True)
            as_typed = _("Search as typed") if is_corrected else _("Ask as typed")
            if st.button(as_typed, key=f"as-typed-{turn.id}", type="tertiary"):
                ask(turn.answer.question, as_typed=True)


def _show_text(turn: StoredAnswer) -> None:
    """Show a stored answer below its warnings."""
    answer = turn.answer
    if answer.note:
        st.warning(markup.plain(note_in_readers_language(answer.note)), icon=":material/warning:")
    if answer.stopped:
        st.warning(_("This answer was stopped."), icon=":material/stop_circle:")
    elif not answer.complete and not answer.note:
        st.warning(_("This answer was cut off. Ask again for a complete one."), icon=":material/warning:")
    captions = [_("Quoted from the documents")] if answer.found and answer.answered_by == EXTRACTIVE else []
    if answer.ignores_votes:
        captions.append(_("Without what people said"))
    if numbers := _numbers(answer, answer.without):
        captions.append(markup.plain(_("Rewritten without {numbers}", numbers=", ".join(numbers))))
    if answer.answered_by == CURATED and answer.statement:
        question = answer.statement.question
        for_question = _("for “{question}”", question=question) if question != answer.searched else ""
        by = markup.plain(said_by(answer.statement))
        badge = _(":blue-badge[:material/person: Answered by {by}]", by=by)
        st.markdown(f"{badge} {markup.plain(for_question)}".rstrip())
    if captions:
        st.caption(" · ".join(captions))
    st.markdown(answer_markdown(answer, card_of(turn.id)))
    if (answer.shown_statement or answer.ignores_votes) and turn.user == current_user():
        st.button(
            _("Include what people said") if answer.ignores_votes else _("Show what the documents say"),
            key=f"documents-{turn.id}",
            icon=":material/group:" if answer.ignores_votes else ":material/article:",
            type="tertiary",
            on_click=rank_again,
            args=(turn,),
            kwargs={"ignore_votes": not answer.ignores_votes},
        )
    if answer.num_dropped:
        st.caption(ngettext("Removed {n} made-up citation.", "Removed {n} made-up citations.", answer.num_dropped))


def _show_tools(turn: StoredAnswer, title: str = "") -> None:
    answer = turn.answer
    with st.container(horizontal=True, vertical_alignment="center"):
        if title:
            st.markdown(title, width="content")
        label = _("Before and after reranking") if answer.reranker != NONE else _("How these were ranked")
        if st.button(label, key=f"ranking-{turn.id}", icon=":material/swap_vert:", type="tertiary"):
            show_ranking(turn)
        label = _("Compare without reranker") if answer.reranker != NONE else _("Compare with reranker")
        if st.button(label, key=f"compare-{turn.id}", icon=":material/compare:", type="tertiary"):
            compare(turn)
