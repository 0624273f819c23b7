"""How much votes helped: the result of replay, on request, since it ranks every judged question again."""

from __future__ import annotations

import streamlit as st

from app.evaluation.replay import Replay, ReplayedSlice
from app.evaluation.slices import MAX_LOSS
from app.translation import gettext as _
from app.translation import ngettext, number
from app.ui import links, markup
from app.ui.feedback.review import replayed


def show_votes() -> None:
    """Show how much votes helped later questions."""
    st.header(_("Votes"), anchor=False)
    st.markdown(
        _(
            "Votes are what people strike out, keep or name. They act from the next question on. Measure how much they "
            "helped later questions."
        )
    )
    if st.button(_("Measure"), key="replay", icon=":material/history:"):
        st.session_state["replayed"] = replayed()
    found: Replay | None = st.session_state.get("replayed")
    if found is None:
        return
    st.markdown(f"**{found.sentence}**")
    if found.is_early:
        links.to_feedback(_("Review feedback"))
        return
    before, new = st.columns(2, gap="large")
    with before:
        _show_slice(_("Asked before in other words"), found.asked_before)
    with new:
        _show_slice(_("New questions"), found.new)
        if not found.is_harmless:
            st.caption(
                _("Votes should cost new questions at most {points} points.", points=number(100 * MAX_LOSS, ".1f"))
            )


def _show_slice(title: str, part: ReplayedSlice) -> None:
    gain = part.gain
    if gain is None:
        st.markdown(_("{title}: none yet", title=title))
        return
    mean, low, high = (number(100 * value, "+.1f") for value in (gain.mean, gain.low, gain.high))
    st.metric(
        title,
        _("{gain} points", gain=mean),
        ngettext(
            "{low} to {high}, {n} question", "{low} to {high}, {n} questions", part.num_questions, low=low, high=high
        ),
        delta_color="off",
        delta_arrow="off",
    )
    for one in (*part.won, *part.lost):
        st.caption(f"{number(100 * one.gain, '+.1f')} · {markup.plain(one.question)}")
