"""Closes the sidebar on a phone, where it covers the page, once a page or a conversation is chosen in it."""

from __future__ import annotations

import streamlit as st

_closer = st.components.v2.component(
    "citeloop_sidebar",
    html="<i hidden></i>",
    js="""export default () => {
        const choices = "a, .st-key-new button, [class*='st-key-conversation-'] button";
        const close = ({ target }) => {
            if (innerWidth < 768 && target.closest(`[data-testid=stSidebar] :is(${choices})`))
                document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click();
        };
        addEventListener("click", close);
        return () => removeEventListener("click", close);
    }""",
)


def close_once_chosen() -> None:
    """Close the sidebar at a tap on a link or a conversation, on narrow screens."""
    with st.container(key="sidebar-closer"):
        _closer(key="close-sidebar")
