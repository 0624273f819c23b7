"""The log of feedback events, to read, filter and export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from app.access.users import shown_name
from app.feedback import ACTIONS, REASONS, FeedbackEvent
from app.training.exchange.exports import event_lines
from app.translation import N_
from app.translation import gettext as _
from app.ui.cells import as_text
from app.ui.feedback.counts import Feedback
from app.ui.resources import feedback_store, only_readable_events
from app.ui.who import current_rights
from app.ui.words import preview, reason_words

_PREVIEW_CHARACTERS = 200
_REASON_WIDTH = 130
"""Pixels; else the first rows, which often have no reason, decide, and later ones are cut off."""
_ACTIONS = {
    "deleted": N_("struck out"),
    "undone": N_("undone"),
    "kept": N_("kept"),
    "opened": N_("opened"),
    "all": N_("all"),
}
"""As they are stored -> in words."""


def show_log(_said: Feedback) -> None:
    """Show all events, newest first, also of people who are ignored."""
    events = only_readable_events(feedback_store().events(everyone=True))[::-1]
    if current_rights().collections is not None:  # these tell of passages that may be hidden
        hidden = {"number": 0, "rank": 0, "fused_rank": 0, "vector_rank": 0, "text_rank": 0, "shown": ""}
        events = [replace(each, **hidden) for each in events]  # type: ignore[arg-type]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input(
            _("Find"), placeholder=_("Part of a question, document or passage"), key="feedback-filter"
        )
        action = st.selectbox(
            _("Action"), ["all", *ACTIONS], format_func=lambda each: _(_ACTIONS[each]), key="feedback-action", width=160
        )
        reasons = ["all", "none given", *REASONS]
        reason = st.selectbox(_("Reason"), reasons, format_func=_reason_words, key="feedback-reason", width=180)
    shown = [event for event in events if _matches(event, words.lower(), action, reason)]
    st.markdown(_("**{n}** of {total} events, newest first", n=len(shown), total=len(events)))
    st.dataframe(
        _table(shown),
        hide_index=True,
        column_config={
            _("When"): st.column_config.DatetimeColumn(format=_("D MMM YYYY, HH:mm"), timezone=st.context.timezone),
            _("Reason"): st.column_config.TextColumn(width=_REASON_WIDTH),
        },
        alt=_("Feedback events: time, action, question, passage and rank"),
    )
    st.download_button(
        _("Export events (.jsonl)"),
        data=lambda: event_lines(reversed(shown)).encode(),  # called on click
        file_name="citeloop-feedback.jsonl",
        mime="application/jsonl",
        on_click="ignore",
        icon=":material/download:",
        disabled=not shown,
    )


def _reason_words(choice: str) -> str:
    return {"all": _("all"), "none given": _("none given")}.get(choice) or reason_words(choice)


def _matches(event: FeedbackEvent, words: str, action: str, reason: str) -> bool:
    return (
        words in f"{event.question}\n{event.document}\n{event.title}\n{event.text}".lower()
        and action in ("all", event.action)
        and (reason == "all" or (event.reason or "none given") == reason)
    )


def _table(events: Sequence[FeedbackEvent]) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            _("When"): pd.to_datetime([event.at for event in events], utc=True),
            _("Action"): [_(_ACTIONS[event.action]) for event in events],
            _("Reason"): [reason_words(event.reason or "") for event in events],
            _("Question"): [event.question for event in events],
            _("Document"): [event.document for event in events],
            _("Heading"): [event.heading for event in events],
            _("Passage"): [preview(event.text, _PREVIEW_CHARACTERS) for event in events],
            _("Rank"): [event.rank for event in events],
            _("Before"): [event.fused_rank for event in events],
            _("Reranker"): [event.reranker for event in events],
            _("By"): [shown_name(event.user) for event in events],
        }
    )
    return as_text(table, _("Question"), _("Document"), _("Heading"), _("Passage"), _("By"))
