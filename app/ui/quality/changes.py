"""The questions that gained and lost most, with both rankings side by side."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.evaluation.changes import Place, QuestionChange
from app.ui import markup


def show_changes(changes: Sequence[QuestionChange], *, before: str, after: str, in_points: bool = False) -> None:
    """Show tabs with the questions that gained and lost. before, after: names of the rankings.

    in_points: show quality in points of 100, without the measure's name.
    """
    parts = {
        "Gained": [change for change in changes if change.gain > 0],
        "Lost": [change for change in changes if change.gain < 0],
    }
    tabs = st.tabs([f"{label} ({len(part)})" for label, part in parts.items()])
    for tab, part in zip(tabs, parts.values(), strict=True):
        with tab:
            for change in part:
                _show_change(change, before, after, in_points=in_points)
            if not part:
                st.caption("None.")


def _show_change(change: QuestionChange, before: str, after: str, *, in_points: bool) -> None:
    gain = f"{100 * change.gain:+.0f} points" if in_points else f"{change.gain:+.2f}"
    with st.expander(f"{gain}  {markup.plain(change.question)}"):
        if in_points:
            st.caption(f"From {100 * change.before:.0f} to {100 * change.after:.0f} points; ✓ marks what answers")
        else:
            st.caption(f"nDCG@10 from {change.before:.3f} to {change.after:.3f}; ✓ marks what is relevant")
        left, right = st.columns(2)
        left.markdown(f"**Before**, {markup.plain(before)}\n\n{_places(change.places_before)}")
        right.markdown(f"**After**, {markup.plain(after)}\n\n{_places(change.places_after)}")


def _places(places: Sequence[Place]) -> str:
    return "\n".join(f"{rank}. {_place(place)}" for rank, place in enumerate(places, 1))


def _place(place: Place) -> str:
    where = markup.plain(" > ".join(filter(None, (place.title, place.heading))))
    page = f", page {place.page}" if place.page else ""
    mark = ":green-background[✓ relevant] " if place.relevant else ""
    return f"{mark}**{where}**{page}  \n   {markup.plain(place.text)}"
