"""A source in a drawer: beside the conversation on a wide screen, over it on a narrow one."""

from __future__ import annotations

import streamlit as st

from app.feedback import StoredAnswer
from app.translation import gettext as _
from app.ui import links, markup
from app.ui.source.page import OPENED, STYLE, find_source, record_opened, show_source

_BESIDE = """
@media (min-width: 1280px) {
  [data-testid="stDialog"]:has(.st-key-source-drawer) { background: none; }
  body:has(.st-key-source-drawer) [data-testid="stMain"] { padding-right: 500px; }
}
"""
"""The conversation makes room for the drawer, whose width Streamlit fixes."""


def open_source(answer_id: str, chunk_id: str) -> None:
    """Open the document at a passage that this answer cites, once the answer is drawn; a callback."""
    st.session_state[OPENED] = answer_id, chunk_id


def show_opened(turn: StoredAnswer) -> None:
    """Show the drawer if it was opened from this answer; it stays while the answer grows."""
    answer_id, chunk_id = st.session_state.get(OPENED, ("", ""))
    titles = {each.chunk.id: each.chunk.title for each in turn.answer.citations}
    if answer_id == turn.id and chunk_id in titles:
        title = markup.plain(titles[chunk_id])
        st.dialog(title, position="right", on_dismiss=_close)(_show)(answer_id, chunk_id)


def _close() -> None:
    st.session_state.pop(OPENED, None)


def _show(answer_id: str, chunk_id: str) -> None:
    share = st.query_params.get("share", "")
    source = find_source(chunk=chunk_id, document="", a=answer_id, share=share)
    record_opened(source)
    st.html(f"<style>{STYLE}{_BESIDE}</style>")
    with st.container(key="source-drawer"):
        links.to_source(
            _("Open on its own page"),
            chunk_id=chunk_id,
            answer_id=answer_id,
            share=share,
            icon=":material/open_in_full:",
        )
        show_source(source)
