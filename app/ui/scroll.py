"""Bring a place of the page into view when it is first drawn."""

from __future__ import annotations

from typing import Literal

import streamlit as st

_place = st.components.v2.component(
    "citeloop_scroll",
    html='<i style="display: block; scroll-margin-top: 5rem"></i>',
    js="""export default ({ parentElement, data }) => {
        setTimeout(() => {
            const place = parentElement.querySelector("i");
            const { top } = place.getBoundingClientRect();
            const isSeen = top > 0 && top < innerHeight * 0.8;
            if (data.block === "start" || !isSeen) place.scrollIntoView({ block: data.block });
        }, data.block === "start" ? 50 : 400);  // what stands above has found its height by then
    }""",
)


def scroll_here(key: str, block: Literal["start", "center"] = "start") -> None:
    """Scroll so that what follows is at the top; or, with center, in the middle, if it is not in view already."""
    _place(key=key, data={"block": block})
