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
            const main = document.querySelector("[data-testid=stMainBlockContainer]");
            const named = () => data.focus && main.querySelector(`.st-key-${data.focus} button`);
            const refocus = () => {  // when what had the focus is gone
                const isLost = [document.body, find()?.getRootNode().host].includes(document.activeElement);
                if (isLost) (named() || find())?.focus({ preventScroll: true });
            };
            const size = new ResizeObserver(() => { find()?.scrollIntoView(); refocus(); });
            const content = new MutationObserver(refocus);  // a button can go without a change of size
            const stop = () => { size.disconnect(); content.disconnect(); };
            size.observe(main);
            content.observe(main, { childList: true, subtree: true });
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


def scroll_here(key: str, block: Literal["start", "center"] = "start", focus: str = "") -> None:
    """Scroll the next element to the top, and focus it if the focus was lost; with center, to the middle if hidden.

    focus: key of the button that gets a lost focus instead.
    """
    _place(key=key, data={"block": block, "focus": focus})
