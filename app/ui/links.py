"""Links from one page to another, each an address that also opens in a new tab."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from app.translation import gettext as _


def to_source(
    label: str, *, chunk_id: str = "", document_id: str = "", answer_id: str = "", share: str = "", icon: str = ""
) -> None:
    """Show a link to a passage in its document, or to a document.

    answer_id: of the citing answer; the page links back to it for the user who asked or, with the share token, for
    everyone.
    """
    named = {"chunk": chunk_id, "document": document_id, "a": answer_id, "share": share}
    page = st.Page(_elsewhere, title=_("Source"), url_path="source")
    st.page_link(page, label=label, icon=icon or None, query_params=_given(named))


def source_address(chunk_id: str) -> str:
    """Return the address of a passage's page, for Markdown, whose links open in a new tab."""
    return f"source?chunk={chunk_id}"


def to_answer(label: str, *, conversation_id: str, answer_id: str, share: str = "") -> None:
    """Show a link to an answer in the user's own or a shared conversation."""
    page = st.Page(_elsewhere, title=_("Ask"), url_path="ask")
    named = {"c": "" if share else conversation_id, "share": share, "a": answer_id}
    st.page_link(page, label=label, icon=":material/arrow_back:", query_params=_given(named))


def to_ask(label: str) -> None:
    """Show a link to the Ask page."""
    st.page_link(st.Page(_elsewhere, title=_("Ask"), url_path="ask"), label=label, icon=":material/chat:")


def to_documents(label: str, icon: str = ":material/arrow_back:") -> None:
    """Show a link to the Documents page."""
    st.page_link(st.Page(_elsewhere, title=_("Documents"), url_path="documents"), label=label, icon=icon)


def to_feedback(label: str) -> None:
    """Show a link to the Feedback page."""
    st.page_link(
        st.Page(_elsewhere, title=_("Feedback"), url_path="feedback"), label=label, icon=":material/thumb_down:"
    )


def to_training(label: str) -> None:
    """Show a link to the Training page."""
    st.page_link(st.Page(_elsewhere, title=_("Training"), url_path="training"), label=label, icon=":material/school:")


def _given(parameters: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in parameters.items() if value}


def _elsewhere() -> None:
    """Placeholder for the linked page; Streamlit uses only its address."""
