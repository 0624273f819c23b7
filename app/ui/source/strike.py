"""Strike out a source on its page, for people who come from a link in another front end."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.feedback import REASONS, Action, FeedbackEvent, Reason, StoredAnswer
from app.translation import gettext as _
from app.ui import markup
from app.ui.messages import try_to
from app.ui.resources import feedback_store
from app.ui.who import current_user
from app.ui.words import reason_words


def show_strike(answer: StoredAnswer, chunk_id: str) -> None:
    """Show the button that strikes a cited passage out, or undoes it with the reasons to choose from.

    Only for the visitor's own answers, and for those of a program, which gave out the link; always as the visitor.
    """
    number = next((each.number for each in answer.answer.citations if each.chunk.id == chunk_id), None)
    if number is None or not _may_strike(answer):
        return
    event = feedback_store().deleted(answer.id, current_user()).get(chunk_id)
    if event is None:
        st.button(
            _("Strike out [{number}]", number=number),
            icon=":material/thumb_down:",
            on_click=_record,
            args=(answer, chunk_id, "deleted"),
        )
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        title = markup.plain(answer.answer.searched)
        st.markdown(_("\\[{number}\\] is struck out for “{title}”.", number=number, title=title), width="content")
        st.button(
            _("Undo [{number}]", number=number),
            icon=":material/undo:",
            on_click=_record,
            args=(answer, chunk_id, "undone"),
        )
    choose_reason(answer, number, event, lambda reason: _record(answer, chunk_id, "deleted", reason))


def choose_reason(turn: StoredAnswer, number: int, event: FeedbackEvent, record: Callable[[Reason], object]) -> None:
    """Show the reasons to choose from for a struck-out source. record: called with the chosen one."""
    key = f"reason-{turn.id}-{number}"
    st.session_state[key] = event.reason  # it may come from another tab or not be saved

    def choose() -> None:
        if reason := st.session_state[key]:
            record(reason)

    st.pills(
        _("Why is [{number}] wrong? (optional)", number=number),
        REASONS,
        key=key,
        format_func=reason_words,
        required=event.reason is not None,
        on_change=choose,
    )


def _may_strike(answer: StoredAnswer) -> bool:
    return answer.user == current_user() or answer.user.startswith("api:")


def _record(answer: StoredAnswer, chunk_id: str, action: Action, reason: Reason | None = None) -> None:
    def record() -> None:
        if _may_strike(answer):  # asked again: the page may have been open for long
            feedback_store().record(answer, chunk_id, action, current_user(), reason)

    try_to(record)
