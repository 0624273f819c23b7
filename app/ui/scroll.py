"""Bring a place of the page into view when it is first drawn."""

from __future__ import annotations

from typing import Literal

import streamlit as st

_place = st.components.v2.component(
    "citeloop_scroll",
    html='<i style="display: block; scroll-margin-top: 5rem"></i>',
    js="""export default ({ parentElement, data }) => {
        const find = () => parentElement.querySelector("i");  // anew each time: Streamlit may put another in its place
        if (data.block === "start") return void setTimeout(() => find()?.scrollIntoView(), 50);
        let last, calm = 0, looks = 0;
        const look = () => {  // pictures above may still be loading: wait until nothing moves
            const { top } = find()?.getBoundingClientRect() ?? {};
            calm = top === last && [...document.images].every(image => image.complete) ? calm + 1 : 0;
            last = top;
            if (calm < 3 && looks++ < 40) setTimeout(look, 100);
            else if (top < 60 || top > innerHeight * 0.8) find()?.scrollIntoView({ block: "center" });
        };
        look();
    }""",
)


def scroll_here(key: str, block: Literal["start", "center"] = "start") -> None:
    """Scroll so that what follows is at the top; or, with center, in the middle, if it is not in view already."""
    _place(key=key, data={"block": block})
