"""Scroll to a position on the page when it is first drawn."""

from __future__ import annotations

from typing import Literal

import streamlit as st

_place = st.components.v2.component(
    "citeloop_scroll",
    html='<i tabindex="-1" style="display: block; scroll-margin-top: 5rem; outline: none"></i>',
    js="""export default ({ parentElement, data }) => {
        const find = () => parentElement.querySelector("i");  // every time: Streamlit may replace it
        if (data.block === "start") {  // again while the page above changes, until the reader takes over
            const page = new ResizeObserver(() => {
                find()?.scrollIntoView();
                if (document.activeElement === document.body) find()?.focus();  // what had the focus is gone
            });
            const stop = () => page.disconnect();
            page.observe(document.querySelector("[data-testid=stMainBlockContainer]"));
            for (const act of ["wheel", "touchstart", "pointerdown", "keydown"])
                addEventListener(act, stop, { capture: true, once: true });
            return stop;
        }
        let last, calm = 0, looks = 0;
        const look = () => {  // wait until pictures above have loaded
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
    """Scroll the next element to the top, and focus it if the focus was lost; with center, to the middle if hidden."""
    _place(key=key, data={"block": block})
