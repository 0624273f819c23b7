"""Ask: a question, the steps while it is answered, the answer, its sources; the conversation so far above."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace

import streamlit as st
from streamlit.elements.lib.mutable_status_container import StatusContainer

from app.answer import EXTRACTIVE, Answer
from app.feedback import StoredAnswer, new_id
from app.pipeline import Step
from app.ui import markup
from app.ui.ranking_view import show_ranking
from app.ui.resources import current_user, feedback_store, pipeline
from app.ui.scroll import scroll_here
from app.ui.source_cards import show_places, show_sources
from ingest import CiteloopError

NUM_SHOWN_TURNS = 10
"""Older turns of a conversation stay in the store and off the screen: drawing them all makes every click slow."""

_SAVE_SECONDS = 1.0
"""While an answer is being written, what is there is kept so often: a reload loses no more."""

EXAMPLES = (
    "How many days a week can I work from home?",
    "How long is the warranty on a membrane cap?",
    "When does Kingfisher go live?",
)

_STEP_LABELS: dict[Step, str] = {
    "search": "Searching the documents",
    "rerank": "Reranking the candidates",
    "answer": "Answering from the best passages",
}


def show() -> None:
    """The page."""
    conversation_id = _conversation_id()
    turns = feedback_store().conversation(conversation_id, last=NUM_SHOWN_TURNS)
    _come_back()
    welcome = st.empty()
    if len(turns) == NUM_SHOWN_TURNS:
        st.caption(f"The last {NUM_SHOWN_TURNS} questions of this conversation.")
    for turn in turns:
        _show_turn(turn)
    reranker = _choose_reranker(has_turns=bool(turns))
    with st.bottom:  # at the root of the page it would scroll to the last source after every answer
        typed = st.chat_input("Ask about your documents", max_chars=2000, submit_mode="disable", key="question")
    question = typed or st.session_state.pop("example", None)
    if question and question.strip():
        st.query_params.pop("a", None)
        if any(turn.user != current_user() for turn in turns):
            _start_conversation()  # somebody else's is read, not continued
            conversation_id = _conversation_id()
        elif turns:  # who goes on to the next question has read the answer before it, and left it as it is
            feedback_store().record_kept(turns[-1], current_user())
        _answer(question.strip(), reranker, conversation_id)
    elif not turns:
        with welcome.container():
            _welcome()


def _conversation_id() -> str:
    """The conversation of the address, which survives a reload, or else the one of this session.

    An address of no conversation is not taken over: whoever made it up could read what is asked there.
    """
    mine = str(st.session_state.setdefault("conversation_id", new_id()))
    named = st.query_params.get("c")
    if named and named != mine and feedback_store().conversation(named, last=1):
        mine = st.session_state["conversation_id"] = named
    if named != mine:
        st.query_params["c"] = mine
    return mine


def _come_back() -> None:
    """Scroll to the answer from whose source the user comes, once."""
    answer_id = st.query_params.get("a")  # it stays: changed this early, the browser's history would be wrong
    if answer_id and answer_id != st.session_state.get("came-back-to"):
        st.session_state["came-back-to"] = st.session_state["scroll-to"] = answer_id


def _start_conversation() -> None:
    st.session_state["conversation_id"] = st.query_params["c"] = new_id()


def _welcome() -> None:
    st.title("Ask your documents")
    num_documents = len(pipeline().table.documents())
    if not num_documents:
        st.markdown("There are no documents yet. Add some on the Documents page, then ask about them here.")
        return
    st.markdown(
        f"Every answer quotes the {num_documents} documents and shows why each passage ranks where it does; "
        "strike out a wrong one, and it is kept to teach the ranking."
    )
    for number, example in enumerate(EXAMPLES):
        st.button(example, key=f"example-{number}", on_click=st.session_state.update, args=({"example": example},))


def _choose_reranker(*, has_turns: bool) -> str:
    """The toggle and the choice beside the question; returns the reranker's name."""
    default = pipeline().settings.reranker
    names = [name for name in dict.fromkeys((default, "shipped", "late-interaction")) if name != "none"]
    with st.bottom, st.container(horizontal=True, vertical_alignment="center", gap="small"):
        on = st.toggle("Reranker", value=default != "none", key="reranker-on")
        chosen = st.selectbox(
            "Which reranker",
            names,
            key="reranker-name",
            label_visibility="collapsed",
            disabled=not on,
            width=135,
        )
        if has_turns:
            st.button("New", icon=":material/add:", help="Start a new conversation", on_click=_start_conversation)
    return chosen if on and chosen else "none"


def _answer(question: str, reranker: str, conversation_id: str) -> None:
    """Answer a new question before the user's eyes, keep it, and draw the page again from what was kept."""
    scroll_here(key="scroll-to-question")
    with st.chat_message("user", avatar=":material/person:"):
        st.markdown(markup.plain(question))
    with st.chat_message("assistant", avatar=":material/search:"):
        steps = _Steps()
        ranked = pipeline().rank(question, reranker, fall_back=True, on_step=steps.begin)
        answer_id = feedback_store().save_answer(ranked, conversation_id, current_user())
        steps.begin("answer")
        text = st.empty()
        st.caption("From " + ", ".join(dict.fromkeys(markup.plain(cited.chunk.title) for cited in ranked.citations)))
        answer, saved_at = ranked, time.monotonic()
        for answer in pipeline().write(ranked):
            if time.monotonic() > saved_at + _SAVE_SECONDS:
                feedback_store().save_answer(answer, conversation_id, current_user(), answer_id)
                saved_at = time.monotonic()
            text.markdown(_answer_markdown(answer, answer_id))
        feedback_store().save_answer(answer, conversation_id, current_user(), answer_id)
        steps.end()
    st.session_state["scroll-to"] = answer_id
    st.rerun()


class _Steps:
    """The steps of one answer on the page: what is being done, and how long what is done took."""

    def __init__(self) -> None:
        self._status = st.status("Working", type="compact", expanded=True)
        self._current: StatusContainer | None = None
        self._label = ""
        self._started = 0.0

    def begin(self, step: Step) -> None:
        self.end()
        self._label, self._started = _STEP_LABELS[step], time.perf_counter()
        self._status.update(label=self._label)
        self._current = self._status.status(self._label, type="step")

    def end(self) -> None:
        if self._current:
            milliseconds = (time.perf_counter() - self._started) * 1000
            self._current.update(label=f"{self._label}: {milliseconds:.0f} ms", state="complete")


@st.fragment
def _show_turn(turn: StoredAnswer) -> None:
    """A kept question with its answer; a click in here draws only this turn again.

    Where the answer was written from other sources than the ones that are left, it is written again.
    """
    turn = feedback_store().answer(turn.id) or turn  # it may have been written again since the page was drawn
    answer, deleted = turn.answer, feedback_store().deleted(turn.id, current_user())
    if st.session_state.get("scroll-to") == turn.id:
        scroll_here(key=f"scroll-{turn.id}")
    with st.chat_message("user", avatar=":material/person:"):
        st.markdown(markup.plain(answer.question))
    with st.chat_message("assistant", avatar=":material/search:"):
        text = st.empty()
        with text.container():
            _show_text(turn)
        if not answer.citations:
            return
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**Sources** ({len(answer.citations)})", width="content")
            label = "Before and after reranking" if answer.reranker != "none" else "How these were ranked"
            if st.button(label, key=f"ranking-{turn.id}", icon=":material/swap_vert:", type="tertiary"):
                show_ranking(turn)
        places = show_sources(turn, deleted)
    is_outdated = turn.user == current_user() and set(answer.without) != set(deleted)
    if is_outdated and not st.session_state.get("question"):  # a new question does not wait for an old answer
        try:
            with text.container():
                turn = _write_again(turn, deleted)
        except CiteloopError as error:  # what is below the answer, and the question to come, do not need it
            with text.container():
                _show_text(turn)
                st.error(markup.plain(str(error)), icon=":material/error:")
            return
        with text.container():
            _show_text(turn)
        show_places(turn.answer, places)


def _write_again(turn: StoredAnswer, without: Collection[str]) -> StoredAnswer:
    """Write the answer again before the user's eyes and keep it, in place of the one that it was.

    A click on the way ends this before anything is kept, and the next drawing of the turn begins again.
    """
    numbers = [f"[{each.number}]" for each in turn.answer.citations if each.chunk.id in without]
    st.status(f"Writing again {'without ' + ', '.join(numbers) if numbers else 'with all sources'}", type="compact")
    text = st.empty()
    text.markdown(_answer_markdown(turn.answer, turn.id))
    answer = turn.answer
    for answer in pipeline().rewrite(turn.answer, without):
        text.markdown(_answer_markdown(answer, turn.id))
    feedback_store().save_answer(answer, turn.conversation_id, turn.user, turn.id)
    return replace(turn, answer=answer)


def _show_text(turn: StoredAnswer) -> None:
    """What a kept answer says, below how it came about and what went wrong."""
    answer = turn.answer
    st.caption(_timings(answer))
    if answer.note:
        st.warning(markup.plain(answer.note), icon=":material/warning:")
    if not answer.complete and not answer.note:
        st.warning("This answer was cut off before its end. Ask again for a whole one.", icon=":material/warning:")
    if answer.found and answer.answered_by == EXTRACTIVE:
        st.markdown("**Closest passages found**")
    st.markdown(_answer_markdown(answer, turn.id))


def _answer_markdown(answer: Answer, anchor: str) -> str:
    if answer.answered_by == EXTRACTIVE:
        return markup.with_citation_links(markup.plain(answer.text).replace("  \n  \n", "\n\n"), anchor)
    return markup.with_citation_links(markup.written(answer.text), anchor)


def _timings(answer: Answer) -> str:
    milliseconds = {step: f"{value:.0f} ms" for step, value in answer.timings_ms.items()}
    parts = [f"searched {milliseconds.get('search', '')}"]
    if answer.reranker != "none":
        parts.append(f"reranked {len(answer.ranking)} candidates {milliseconds.get('rerank', '')} ({answer.reranker})")
    else:
        parts.append(f"{len(answer.ranking)} candidates, not reranked")
    if "answer" in milliseconds:
        parts.append(f"answered {milliseconds['answer']} ({answer.answered_by})")
    return " · ".join(parts)
