"""The log of feedback events, to read, filter and export."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.feedback import ACTIONS, REASONS, FeedbackEvent
from app.training.exchange.exports import event_lines
from app.ui.cells import as_text
from app.ui.feedback.counts import Feedback
from app.ui.resources import feedback_store, only_readable


def show_log(_said: Feedback) -> None:
    """Show all events, newest first, also of people who are ignored."""
    events = only_readable(feedback_store().events(everyone=True))[::-1]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input("Find", placeholder="Part of a question, document or passage", key="feedback-filter")
        action = st.selectbox("Action", ["all", *ACTIONS], key="feedback-action", width=160)
        reason = st.selectbox("Reason", ["all", "none given", *REASONS], key="feedback-reason", width=180)
    shown = [event for event in events if _matches(event, words.lower(), action, reason)]
    st.markdown(f"**{len(shown):,}** of {len(events):,} events, newest first")
    st.dataframe(
        _table(shown),
        hide_index=True,
        column_config={"When": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm")},
        alt="Feedback events: time, action, question, passage and rank",
    )
    st.download_button(
        "Export events (.jsonl)",
        data=lambda: event_lines(reversed(shown)).encode(),  # called on click
        file_name="citeloop-feedback.jsonl",
        mime="application/jsonl",
        on_click="ignore",
        icon=":material/download:",
        disabled=not shown,
    )


def _matches(event: FeedbackEvent, words: str, action: str, reason: str) -> bool:
    return (
        words in f"{event.question}\n{event.document}\n{event.title}\n{event.text}".lower()
        and action in ("all", event.action)
        and (reason == "all" or (event.reason or "none given") == reason)
    )


def _table(events: Sequence[FeedbackEvent]) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "When": pd.to_datetime([event.at for event in events], utc=True),
            "Action": [event.action for event in events],
            "Reason": [event.reason or "" for event in events],
            "Question": [event.question for event in events],
            "Document": [event.document for event in events],
            "Heading": [event.heading for event in events],
            "Passage": [event.text for event in events],
            "Rank": [event.rank for event in events],
            "Before": [event.fused_rank for event in events],
            "Reranker": [event.reranker for event in events],
            "By": [event.user for event in events],
        }
    )
    return as_text(table, "Question", "Document", "Heading", "Passage", "By")
