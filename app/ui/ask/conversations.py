"""The list of the user's conversations, and actions on the open one."""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

import streamlit as st

from app.feedback import StoredAnswer, new_id
from app.feedback.conversation_markdown import as_markdown
from app.feedback.conversations import SHARE_DAYS
from app.translation import gettext as _
from app.translation import ngettext
from app.ui import markup
from app.ui.messages import try_to
from app.ui.resources import answerer, answers, current_user, feedback_store, pipeline
from app.ui.who import act_as, current_rights, is_logged_in
from app.ui.words import ago, date_words

_NUM_LISTED = 40
_MAX_TITLE_CHARACTERS = 60


def show_conversations(current_id: str) -> None:
    """Show the conversations in the sidebar, newest first, filtered by the search words."""
    with st.sidebar:
        st.button(_("New conversation"), icon=":material/add:", on_click=_open, args=("",), width="stretch", key="new")
        words = st.text_input(
            _("Search conversations"),
            key="conversation-words",
            placeholder=_("Search conversations"),
            label_visibility="collapsed",
            icon=":material/search:",
        )
        found = answers().conversations(current_user(), words, last=_NUM_LISTED)
        for each in found:
            st.button(
                markup.plain(_shortened(each.title)),
                key=f"conversation-{each.id}",
                type="secondary" if each.id == current_id else "tertiary",
                help=ngettext(
                    "{n} question, last {ago}",
                    "{n} questions, last {ago}",
                    each.num_questions,
                    ago=ago(each.last_asked_at),
                ),
                on_click=_open,
                args=(each.id,),
                width="stretch",
            )
        if not found:
            st.caption(_("No conversations match.") if words else _("No conversations yet."))


def show_actions(conversation_id: str) -> None:
    """Show a menu for the open conversation: share, export, rename, remove."""
    with (
        st.container(horizontal=True, horizontal_alignment="right"),
        st.popover(_("Conversation"), icon=":material/more_horiz:", type="tertiary"),
    ):
        show_sharing(conversation_id)
        _show_exports(conversation_id, current_user())
        title = feedback_store().title(conversation_id, current_user())
        key = f"title-{conversation_id}"
        st.text_input(_("Title"), title, key=key, max_chars=200, placeholder=_("The first question"))
        st.button(_("Rename"), icon=":material/edit:", on_click=_rename, args=(conversation_id, key))
        if st.checkbox(
            _("Remove this conversation"),
            key=f"remove-{conversation_id}",
            help=_("Your feedback on its sources is kept."),
        ):
            st.button(_("Remove conversation"), icon=":material/delete:", on_click=_remove, args=(conversation_id,))


def show_sharing(conversation_id: str, answer_id: str = "") -> None:
    """Show controls to share or unshare; the link leads to the answer if one is named."""
    store, user = feedback_store(), current_user()
    token = store.share_token(conversation_id, user)
    if token:
        st.caption(_who_may_read(store.shared_until(token)))
        st.code(_link_to(token, answer_id), language=None, wrap_lines=True)
        label, icon = _("Stop sharing"), ":material/link_off:"
    else:
        st.caption(
            _(
                "Only you can open this conversation. A link works for {n} days, or until you stop it.",
                n=SHARE_DAYS,
            )
        )
        label, icon = _("Share conversation"), ":material/link:"
    if st.button(label, key=f"{label}-{conversation_id}-{answer_id}", icon=icon):
        what, act = ("sharing stopped", store.stop_sharing) if token else ("conversation shared", store.share)
        try_to(lambda: act_as("reader", what, partial(act, conversation_id, user), conversation_id))
        st.rerun()  # rerun the page: other menus show the link too


def _who_may_read(until: datetime | None) -> str:
    who = _("Anyone who can log in here and has this link") if is_logged_in() else _("Anyone with this link")
    if until is None:
        return _("{who} can read this conversation, including later questions:", who=who)
    return _("{who} can read this conversation until {day}, including later questions:", who=who, day=date_words(until))


def _link_to(token: str, answer_id: str) -> str:
    here = urlsplit(st.context.url or "")
    anchor = f"&a={answer_id}" if answer_id else ""
    path = here.path.removesuffix("ask").rstrip("/")  # the default page has no path of its own
    return f"{here.scheme}://{here.netloc}{path}/?share={token}{anchor}"


def _show_exports(conversation_id: str, user: str) -> None:
    rights = current_rights()

    def turns() -> list[StoredAnswer]:  # called on click, outside a page: no user is known
        return pipeline().readable_answers(feedback_store(), rights).conversation(conversation_id, user)

    st.download_button(
        _("Export as Markdown"),
        lambda: as_markdown(turns()),
        "conversation.md",
        "text/markdown",
        icon=":material/download:",
        on_click="ignore",
    )
    st.download_button(
        _("Export as JSON"),
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
    act = partial(feedback_store().rename_conversation, conversation_id, current_user(), st.session_state[key])
    try_to(lambda: act_as("reader", "conversation renamed", act, conversation_id))


def _remove(conversation_id: str) -> None:
    def remove() -> None:
        for turn in feedback_store().conversation(conversation_id, current_user()):
            answerer().stop(turn.id)  # no longer needed
        feedback_store().remove_conversation(conversation_id, current_user())

    if try_to(lambda: act_as("reader", "conversation removed", remove, conversation_id)):
        _open("")
