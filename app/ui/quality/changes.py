"""The questions that gained and lost most, with both rankings side by side."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.evaluation.changes import Place, QuestionChange
from app.translation import gettext as _
from app.translation import number
from app.ui import markup
from app.ui.words import on_page
from ingest.chunk import breadcrumb


def show_changes(changes: Sequence[QuestionChange], *, before: str, after: str, in_points: bool = False) -> None:
    """Show tabs with the questions that gained and lost. before, after: names of the rankings.

    in_points: show quality in points of 100, without the measure's name.
    """
    parts = {
        _("Gained"): [change for change in changes if change.gain > 0],
        _("Lost"): [change for change in changes if change.gain < 0],
    }
    tabs = st.tabs([f"{label} ({len(part)})" for label, part in parts.items()])
    for tab, part in zip(tabs, parts.values(), strict=True):
        with tab:
            for change in part:
                _show_change(change, before, after, in_points=in_points)
            if not part:
                st.caption(_("None."))


def _show_change(change: QuestionChange, before: str, after: str, *, in_points: bool) -> None:
    gain = number(change.gain, "+.2f")
    if in_points:
        gain = _("{gain} points", gain=number(100 * change.gain, "+.0f"))
    with st.expander(f"**{gain}** · {markup.plain(change.question)}"):
        if in_points:
            st.caption(
                _(
                    "From {before} to {after} points; ✓ marks what answers",
                    before=number(100 * change.before, ".0f"),
                    after=number(100 * change.after, ".0f"),
                )
            )
        else:
            st.caption(
                _(
                    "nDCG@10 from {before} to {after}; ✓ marks what is relevant",
                    before=number(change.before, ".3f"),
                    after=number(change.after, ".3f"),
                )
            )
        left, right = st.columns(2)
        left.markdown(_("**Before**, {name}", name=markup.plain(before)) + f"\n\n{_places(change.places_before)}")
        right.markdown(_("**After**, {name}", name=markup.plain(after)) + f"\n\n{_places(change.places_after)}")


def _places(places: Sequence[Place]) -> str:
    return "\n".join(f"{rank}. {_place(place)}" for rank, place in enumerate(places, 1))


def _place(place: Place) -> str:
    where = markup.plain(breadcrumb(place.title, place.heading))
    mark = _(":green-background[✓ relevant] ") if place.relevant else ""
    return f"{mark}**{where}**{on_page(place.page)}  \n   {markup.plain(place.text)}"
