"""Ask: the conversation so far, each answer with its sources; a question; what it is answered with."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import streamlit as st

from app.feedback import NotSavedError, StoredAnswer, new_id
from app.ui import markup
from app.ui.ask.conversations import show_actions, show_conversations
from app.ui.ask.options import choose_options
from app.ui.ask.turn import STEP_LABELS, show_turn
from app.ui.messages import show_messages
from app.ui.resources import answerer, current_user, feedback_store, pipeline
from app.ui.scroll import scroll_here

NUM_SHOWN_TURNS = 10
"""Older turns of a conversation stay in the store and off the screen: drawing them all makes every click slow."""
_PATIENCE_SECONDS = 60.0
"""So long the page waits for an answer's sources; whoever leaves it finds them when coming back."""

EXAMPLES = (
    "How many days a week can I work from home?",
    "How long is the warranty on a membrane cap?",
    "When does Kingfisher go live?",
)


def show() -> None:
    """The page."""
    show_messages()
    turns = shared = _shared_turns()
    conversation_id = "" if shared else _conversation_id()
    if not shared:
        turns = _shown_turns(conversation_id)
    _come_back()
    show_conversations(conversation_id)
    if shared:
        st.info(
            "Somebody shared this conversation with you. Your own question starts a new one.", icon=":material/link:"
        )
    elif turns:
        show_actions(conversation_id)
    welcome = st.empty()
    for turn in turns:
        show_turn(turn)
    with st.bottom:  # at the root of the page it would scroll to the last source after every answer
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            options = choose_options()
        typed = st.chat_input("Ask about your documents", max_chars=2000, submit_mode="disable", key="question")
    asked, is_whole = st.session_state.pop("asked", None), st.session_state.pop("asked-as-it-is", False)
    question = typed or asked
    if question and question.strip():
        st.query_params.pop("a", None)
        if shared:  # it is read, not continued
            turns, conversation_id = [], _start_conversation()
        elif turns and not is_whole:  # who goes on has read the answer before it, and left it as it is
            with suppress(NotSavedError):  # asking must go on; the answer says that nothing is saved
                feedback_store().record_kept(turns[-1], current_user())
        answer_id = answerer().ask(
            question.strip(),
            conversation_id,
            current_user(),
            reranker=options.reranker,
            within=options.within,
            earlier=() if is_whole else [turn.answer.searched for turn in turns if not turn.answer.never_searched],
        )
        _wait_for_sources(question, answer_id)
        st.session_state["scroll-to"] = answer_id
        st.rerun()
    elif not turns:
        with welcome.container():
            _welcome()


def _wait_for_sources(question: str, answer_id: str) -> None:
    """Show what is being done for an answer until there is something to show of it."""
    scroll_here(key="scroll-to-question")
    with st.chat_message("user", avatar=":material/person:"):
        st.markdown(markup.plain(question))
    with st.chat_message("assistant", avatar=":material/search:"):
        status = st.status(STEP_LABELS[""], type="compact")
        for step in answerer().watch(answer_id, _PATIENCE_SECONDS):
            status.update(label=STEP_LABELS.get(step, STEP_LABELS[""]))


def _shared_turns() -> Sequence[StoredAnswer]:
    """Return the conversation that somebody else shares by the token in the address; empty if there is none."""
    token = st.query_params.get("share")
    turns = feedback_store().shared_conversation(token) if token else []
    if turns and turns[0].user != current_user():
        return turns
    if turns:
        st.query_params["c"] = turns[0].conversation_id
    elif token:
        st.info("Nothing is shared by this link; its owner may have stopped sharing.", icon=":material/link_off:")
    st.query_params.pop("share", None)
    return []


def _conversation_id() -> str:
    """The conversation of the address, which survives a reload, or else the one of this session.

    An address of somebody else's conversation, or of none, is not taken over.
    """
    mine = str(st.session_state.setdefault("conversation_id", new_id()))
    begun_here: set[str] = st.session_state.setdefault("conversations-begun", set())
    begun_here.add(mine)  # where nothing has been asked yet, the browser's back still leads to it
    named = st.query_params.get("c")
    if (
        named
        and named != mine
        and (named in begun_here or feedback_store().conversation(named, current_user(), last=1))
    ):
        mine = st.session_state["conversation_id"] = named
    if named != mine:
        st.query_params["c"] = mine
    return mine


def _shown_turns(conversation_id: str) -> Sequence[StoredAnswer]:
    """The last turns, or all where the address names an earlier one, or the user wants to see them."""
    turns = feedback_store().conversation(conversation_id, current_user(), last=NUM_SHOWN_TURNS + 1)
    if len(turns) <= NUM_SHOWN_TURNS:
        return turns
    named = feedback_store().answer(st.query_params.get("a", ""), current_user())
    is_earlier = named and named.conversation_id == conversation_id and named.id not in {turn.id for turn in turns[1:]}
    if is_earlier or st.session_state.get("shown-whole") == conversation_id:
        return feedback_store().conversation(conversation_id, current_user())
    wanted = {"shown-whole": conversation_id}
    st.button("Earlier questions", icon=":material/history:", on_click=st.session_state.update, args=(wanted,))
    return turns[1:]


def _come_back() -> None:
    """Scroll to the answer from whose source the user comes, once."""
    answer_id = st.query_params.get("a")  # it stays: changed this early, the browser's history would be wrong
    if answer_id and answer_id != st.session_state.get("came-back-to"):
        st.session_state["came-back-to"] = st.session_state["scroll-to"] = answer_id


def _start_conversation() -> str:
    st.session_state["conversation_id"] = st.query_params["c"] = conversation_id = new_id()
    st.query_params.pop("share", None)
    return conversation_id


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
        st.button(example, key=f"example-{number}", on_click=st.session_state.update, args=({"asked": example},))
