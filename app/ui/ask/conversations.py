"""The user's conversations beside the page; and what can be done with the one that is open."""

from __future__ import annotations

import json
from functools import partial
from urllib.parse import urlsplit

import streamlit as st

from app.feedback import StoredAnswer, new_id
from app.feedback.conversation_markdown import as_markdown
from app.ui import markup
from app.ui.messages import try_to
from app.ui.resources import answerer, current_user, feedback_store
from app.ui.words import ago, counted

_NUM_LISTED = 40
_MAX_TITLE_CHARACTERS = 60


def show_conversations(current_id: str) -> None:
    """The list, in the sidebar: the newest first, or those in which the words occur that are looked for."""
    with st.sidebar:
        st.button("New conversation", icon=":material/add:", on_click=_open, args=("",), width="stretch", key="new")
        words = st.text_input(
            "Find a conversation",
            key="conversation-words",
            placeholder="Find a conversation",
            label_visibility="collapsed",
            icon=":material/search:",
        )
        found = feedback_store().conversations(current_user(), words, last=_NUM_LISTED)
        for each in found:
            st.button(
                markup.plain(_shortened(each.title)),
                key=f"conversation-{each.id}",
                type="secondary" if each.id == current_id else "tertiary",
                help=f"{counted(each.num_questions, 'question')}, the last {ago(each.last_asked_at)}",
                on_click=_open,
                args=(each.id,),
                width="stretch",
            )
        if not found:
            st.caption("No conversation holds these words." if words else "What you ask will be listed here.")


def show_actions(conversation_id: str) -> None:
    """A menu for the user's conversation that is open: share, copy, rename, remove."""
    with (
        st.container(horizontal=True, horizontal_alignment="right"),
        st.popover("Conversation", icon=":material/more_horiz:", type="tertiary"),
    ):
        show_sharing(conversation_id)
        _offer_copies(conversation_id, current_user())
        title = feedback_store().title(conversation_id, current_user())
        key = f"title-{conversation_id}"
        st.text_input("Title", title, key=key, max_chars=200, placeholder="The first question")
        st.button("Rename", icon=":material/edit:", on_click=_rename, args=(conversation_id, key))
        if st.checkbox("Remove this conversation", help="What you struck out stays in the feedback."):
            st.button("Remove with all answers", icon=":material/delete:", on_click=_remove, args=(conversation_id,))


def show_sharing(conversation_id: str, answer_id: str = "") -> None:
    """Share the user's conversation, or stop that; the link leads to the answer if one is named."""
    store, user = feedback_store(), current_user()
    token = store.share_token(conversation_id, user)
    if token:
        st.caption("Anyone with this link can read this conversation, also what you ask in it later:")
        st.code(_link_to(token, answer_id), language=None, wrap_lines=True)
        label, icon = "Stop sharing", ":material/link_off:"
    else:
        st.caption("Only you can open this conversation.")
        label, icon = "Share this conversation", ":material/link:"
    if st.button(label, key=f"{label}-{conversation_id}-{answer_id}", icon=icon):
        try_to(partial(store.stop_sharing if token else store.share, conversation_id, user))
        st.rerun()  # the whole page: other menus show the link too


def _link_to(token: str, answer_id: str) -> str:
    here = urlsplit(st.context.url or "")
    anchor = f"&a={answer_id}" if answer_id else ""
    path = here.path.removesuffix("ask").rstrip("/")  # this page is the first: its own name leads nowhere
    return f"{here.scheme}://{here.netloc}{path}/?share={token}{anchor}"


def _offer_copies(conversation_id: str, user: str) -> None:
    def turns() -> list[StoredAnswer]:  # called at a click, when no page says whose click it is
        return feedback_store().conversation(conversation_id, user)

    st.download_button(
        "Export as Markdown",
        lambda: as_markdown(turns()),
        "conversation.md",
        "text/markdown",
        icon=":material/download:",
        on_click="ignore",
    )
    st.download_button(
        "Export as JSON",
        lambda: json.dumps([turn.answer.as_record() for turn in turns()], ensure_ascii=False, indent=1),
        "conversation.json",
        "application/json",
        icon=":material/download:",
        on_click="ignore",
    )


def _shortened(title: str) -> str:
    return title if len(title) <= _MAX_TITLE_CHARACTERS else title[:_MAX_TITLE_CHARACTERS].rstrip() + "…"


def _open(conversation_id: str) -> None:
    st.session_state["conversation_id"] = st.query_params["c"] = conversation_id or new_id()
    for name in ("a", "share"):
        st.query_params.pop(name, None)


def _rename(conversation_id: str, key: str) -> None:
    try_to(lambda: feedback_store().rename_conversation(conversation_id, current_user(), st.session_state[key]))


def _remove(conversation_id: str) -> None:
    def remove() -> None:
        for turn in feedback_store().conversation(conversation_id, current_user()):
            answerer().stop(turn.id)  # nobody will read it
        feedback_store().remove_conversation(conversation_id, current_user())

    if try_to(remove):
        _open("")
