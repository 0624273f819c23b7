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
    _link("source", _("Source"), label, icon, named)


def source_address(chunk_id: str) -> str:
    """Return the address of a passage's page, for Markdown, whose links open in a new tab."""
    return f"source?chunk={chunk_id}"


def to_answer(label: str, *, conversation_id: str, answer_id: str, share: str = "") -> None:
    """Show a link to an answer in the user's own or a shared conversation."""
    named = {"c": "" if share else conversation_id, "share": share, "a": answer_id}
    _link("ask", _("Ask"), label, ":material/arrow_back:", named)


def to_ask(label: str) -> None:
    """Show a link to the Ask page."""
    _link("ask", _("Ask"), label, ":material/chat:")


def to_documents(label: str, icon: str = ":material/arrow_back:") -> None:
    """Show a link to the Documents page."""
    _link("documents", _("Documents"), label, icon)


def to_feedback(label: str) -> None:
    """Show a link to the Feedback page."""
    _link("feedback", _("Feedback"), label, ":material/thumb_down:")


def to_training(label: str) -> None:
    """Show a link to the Training page."""
    _link("training", _("Training"), label, ":material/school:")


def to_settings(label: str) -> None:
    """Show a link to the Settings page."""
    _link("settings", _("Settings"), label, ":material/settings:")


def _link(path: str, title: str, label: str, icon: str, parameters: Mapping[str, str] | None = None) -> None:
    """Show a link to the page at this path. parameters: of its address; empty ones are left out."""
    given = {key: value for key, value in (parameters or {}).items() if value}
    page = st.Page(_elsewhere, title=title, url_path=path)
    st.page_link(page, label=label, icon=icon or None, query_params=given)


def _elsewhere() -> None:
    """Placeholder for the linked page; Streamlit uses only its address."""
