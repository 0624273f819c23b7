"""How much votes helped: the result of replay, on request, since it ranks every judged question again."""

from __future__ import annotations

import streamlit as st

from app.evaluation.replay import Replay, ReplayedSlice
from app.evaluation.slices import MAX_LOSS
from app.ui import links, markup
from app.ui.resources import replayed
from app.ui.words import counted


def show_votes() -> None:
    """Show how much votes helped later questions."""
    st.subheader("Votes", anchor=False)
    st.markdown(
        "Votes are what people strike out, keep or name. They act from the next question on. Measure how much they "
        "helped later questions."
    )
    if st.button("Measure", key="replay", icon=":material/history:"):
        st.session_state["replayed"] = replayed()
    found: Replay | None = st.session_state.get("replayed")
    if found is None:
        return
    st.markdown(f"**{found.sentence}**")
    if found.is_early:
        links.to_feedback("Review feedback")
        return
    before, new = st.columns(2, gap="large")
    with before:
        _show_slice("Asked before in other words", found.asked_before)
    with new:
        _show_slice("New questions", found.new)
        if not found.is_harmless:
            st.caption(f"Votes should cost new questions at most {100 * MAX_LOSS:.1f} points.")


def _show_slice(title: str, part: ReplayedSlice) -> None:
    gain = part.gain
    if gain is None:
        st.markdown(f"{title}: none yet")
        return
    st.metric(
        title,
        f"{100 * gain.mean:+.1f} points",
        f"{100 * gain.low:+.1f} to {100 * gain.high:+.1f}, {counted(part.num_questions, 'question')}",
        delta_color="off",
        delta_arrow="off",
    )
    for one in (*part.won, *part.lost):
        st.caption(f"{100 * one.gain:+.1f} · {markup.plain(one.question)}")
