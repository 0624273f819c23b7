"""Ask: the conversation with answers and sources, the question box and its options."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import takewhile

import streamlit as st

from app.feedback import NotSavedError, StoredAnswer, new_id
from app.translation import gettext as _
from app.translation import ngettext
from app.ui import links, markup
from app.ui.ask.conversations import show_actions, show_conversations
from app.ui.ask.options import RANKING_CHANGED, choose_options
from app.ui.ask.turn import STEP_LABELS, show_turn
from app.ui.messages import show_messages
from app.ui.resources import (
    answerer,
    answers,
    current_user,
    examples,
    feedback_store,
    pipeline,
    readable,
    readable_documents,
)
from app.ui.scroll import scroll_here
from app.ui.who import current_rights

NUM_SHOWN_TURNS = 10
"""Older turns are hidden: drawing them all slows every click."""
_PATIENCE_SECONDS = 60.0
"""How long the page waits for sources; the answer continues without it."""


def show() -> None:
    """The page. What the visitor asks is searched while the earlier turns are drawn."""
    with st.spinner(_("Loading the models")):
        pipeline()
    show_messages()
    turns = shared = _shared_turns()
    conversation_id = "" if shared else _conversation_id()
    if not shared:
        turns = _shown_turns(conversation_id)
    _come_back()
    question, answer_id = _take_question(conversation_id, turns, is_shared=bool(shared))
    if shared and answer_id:
        st.rerun()  # in the conversation that the question began
    show_conversations(conversation_id)
    if turns:
        with st.container(key="heading"):  # not seen: for people who find their way by headings
            st.title(_("Conversation"), anchor=False)
    if shared:
        st.info(_("This conversation was shared with you. Your question starts a new one."), icon=":material/link:")
    elif turns:
        show_actions(conversation_id)
    welcome = st.empty()
    for turn in turns:
        show_turn(turn, is_earlier=bool(answer_id) or turn is not turns[-1])
    if answer_id:
        _show_asked(question, answer_id, is_first=not turns)
    elif not turns:
        with welcome.container():
            _welcome()


def _take_question(conversation_id: str, turns: Sequence[StoredAnswer], *, is_shared: bool) -> tuple[str, str]:
    """Show the question box; start to answer what was typed or chosen. Returns question and answer id, or '' twice."""
    with st.bottom:  # elsewhere it scrolls to the last source after every answer
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            options = choose_options()
        typed = st.chat_input(_("Ask about your documents"), max_chars=2000, submit_mode="disable", key="question")
    asked, is_whole = st.session_state.pop("asked", None), st.session_state.pop("asked-as-it-is", False)
    instead_of = st.session_state.pop("asked-instead-of", "")
    is_ranked_again = st.session_state.pop(RANKING_CHANGED, False)
    question = (typed or asked or "").strip()
    if question:
        st.query_params.pop("a", None)
        if is_shared:  # shared conversations are read-only
            turns, conversation_id = [], _start_conversation()
        elif turns and not (is_whole or instead_of):  # asking on means that the last answer was read and kept
            with suppress(NotSavedError):  # keep asking; the answer warns that nothing is saved
                feedback_store().record_kept(turns[-1], current_user())
        before = takewhile(lambda turn: turn.id != instead_of, turns)
        answer_id = answerer().ask(
            question,
            conversation_id,
            current_user(),
            reranker=options.reranker,
            within=readable(options.within),
            earlier=() if is_whole else [turn.answer.searched for turn in before if not turn.answer.never_searched],
            as_typed=is_whole,
            ignore_votes=options.ignore_votes,
        )
        st.session_state["scroll-to"] = answer_id
        return question, answer_id
    if is_ranked_again and turns and not is_shared and turns[-1].answer.citations:
        last = turns[-1]
        struck = feedback_store().deleted(last.id, last.user)
        answerer().rank_again(last, options.reranker, struck, current_rights(), ignore_votes=options.ignore_votes)
        st.session_state["scroll-to"] = last.id
    return "", ""


def _show_asked(question: str, answer_id: str, *, is_first: bool) -> None:
    """Show the current step until the answer has sources, then the answer."""
    place = st.empty()
    with place.container():
        scroll_here(key="scroll-to-question")
        with st.chat_message("user", avatar=":material/person:"):
            st.markdown(markup.plain(question))
        with st.chat_message("assistant", avatar=":material/search:"):
            status = st.status(_(STEP_LABELS[""]), type="compact")
            for step in answerer().watch(answer_id, _PATIENCE_SECONDS):
                status.update(label=_(STEP_LABELS.get(step, STEP_LABELS[""])))
    turn = answers().answer(answer_id, current_user())
    if is_first or turn is None:
        st.rerun()  # the conversation has a name now
    place.empty()
    show_turn(turn)


def _shared_turns() -> Sequence[StoredAnswer]:
    """Return another user's conversation shared by the token in the address; empty if none."""
    token = st.query_params.get("share")
    turns = answers().shared_conversation(token) if token else []
    if turns and turns[0].user != current_user():
        return turns
    if turns:
        st.query_params["c"] = turns[0].conversation_id
    elif token:
        st.info(
            _("This link is not valid. It has expired, or its owner stopped sharing it."), icon=":material/link_off:"
        )
    st.query_params.pop("share", None)
    return []


def _conversation_id() -> str:
    """Return the conversation in the address, which survives a reload, else that of the session.

    Ignores other users' and unknown conversations.
    """
    mine = str(st.session_state.setdefault("conversation_id", new_id()))
    begun_here: set[str] = st.session_state.setdefault("conversations-begun", set())
    begun_here.add(mine)  # the browser's back button can lead to one without questions
    named = st.query_params.get("c")
    if named and named != mine and (named in begun_here or answers().conversation(named, current_user(), last=1)):
        mine = st.session_state["conversation_id"] = named
    if named != mine:
        st.query_params["c"] = mine
    return mine


def _shown_turns(conversation_id: str) -> Sequence[StoredAnswer]:
    """Return the last turns, or all if the address names an earlier one or the user asked for them."""
    turns = answers().conversation(conversation_id, current_user(), last=NUM_SHOWN_TURNS + 1)
    if len(turns) <= NUM_SHOWN_TURNS:
        return turns
    named = answers().answer(st.query_params.get("a", ""), current_user())
    is_earlier = named and named.conversation_id == conversation_id and named.id not in {turn.id for turn in turns[1:]}
    if is_earlier or st.session_state.get("shown-whole") == conversation_id:
        return answers().conversation(conversation_id, current_user())
    wanted = {"shown-whole": conversation_id}
    st.button(_("Show earlier questions"), icon=":material/history:", on_click=st.session_state.update, args=(wanted,))
    return turns[1:]


def _come_back() -> None:
    """Scroll once to the answer that the user returns to from a source."""
    answer_id = st.query_params.get("a")  # kept: changing it this early breaks the browser's history
    if answer_id and answer_id != st.session_state.get("came-back-to"):
        st.session_state["came-back-to"] = st.session_state["scroll-to"] = answer_id


def _start_conversation() -> str:
    st.session_state["conversation_id"] = st.query_params["c"] = conversation_id = new_id()
    st.query_params.pop("share", None)
    return conversation_id


def _welcome() -> None:
    st.title(_("Ask your documents"), anchor=False)
    documents = readable_documents()
    if not documents:
        if current_rights().may_act_as("curator"):
            st.markdown(_("No documents yet. Add some, then ask about them here."))
            links.to_documents(_("Add documents"), icon=":material/upload:")
        else:
            st.markdown(
                _(
                    "No documents yet that you may read. Ask a curator to add some, or an administrator to give you "
                    "access."
                )
            )
        return
    st.markdown(
        ngettext(
            "Answers quote your {n} document and show why each source ranks where it does. "
            "Strike out a wrong source; the ranking learns from it.",
            "Answers quote your {n} documents and show why each source ranks where it does. "
            "Strike out a wrong source; the ranking learns from it.",
            len(documents),
        )
    )
    for number, example in enumerate(examples(documents)):
        st.button(
            markup.plain(example), key=f"example-{number}", on_click=st.session_state.update, args=({"asked": example},)
        )
