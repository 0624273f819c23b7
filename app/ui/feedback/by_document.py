"""Feedback by document: which have the most struck-out passages, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import streamlit as st

from app.feedback import FeedbackEvent
from app.translation import gettext as _
from app.translation import ngettext
from app.ui import links, markup
from app.ui.feedback.counts import CARE_REASONS, DocumentFeedback, Feedback, by_document, struck_out
from app.ui.paging import page_of
from app.ui.resources import pipeline, readable, readable_documents
from app.ui.words import counted_reasons, people, preview, reason_words, times
from ingest.chunk import breadcrumb

_NUM_DOCUMENTS, _NUM_PASSAGES = 10, 5
_PREVIEW_CHARACTERS = 160


def show_documents(said: Feedback) -> None:
    """Show the documents with struck-out passages, most often struck out first."""
    documents = by_document(_as_named_now(struck_out(said.events)))
    if not documents:
        st.caption(_("No source is struck out."))
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input(
            _("Find"), placeholder=_("Part of a document's name"), key="documents-feedback-filter"
        ).lower()
        only_care = st.toggle(_("Only documents to check"), key="documents-feedback-care")
    chosen = [each for each in documents if words in each.document.lower() and (each.needs_care or not only_care)]
    st.caption(
        ngettext(
            "**{n} document** with struck-out sources. Some reasons do not train the ranking but ask for a look "
            "at the document: {reasons}.",
            "**{n} documents** with struck-out sources. Some reasons do not train the ranking but ask for a look "
            "at the document: {reasons}.",
            len(chosen),
            reasons=", ".join(map(reason_words, CARE_REASONS)),
        )
    )
    ids = {document.name: document.id for document in readable_documents()}
    for document in page_of(chosen, _NUM_DOCUMENTS, "documents-feedback-page"):
        _show_document(document, ids)


def _as_named_now(events: Iterable[FeedbackEvent]) -> list[FeedbackEvent]:
    """Return the events with the current names of their documents."""
    events = list(events)
    table = pipeline().table
    found = table.find_texts({event.text for event in events}, readable().document_ids(table))
    names = {chunk.id: chunk.document for chunks in found.values() for chunk in chunks}
    return [replace(event, document=names.get(event.chunk_id, event.document)) for event in events]


def _show_document(document: DocumentFeedback, ids: Mapping[str, str]) -> None:
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            care = _(" &nbsp;:orange-badge[:material/warning: check document]") if document.needs_care else ""
            no_document = _("No document")
            st.markdown(f"**{markup.plain(document.document or no_document)}**{care}", width="content")
            if document_id := ids.get(document.document):
                links.to_source(_("Open document"), document_id=document_id, icon=":material/visibility:")
            else:
                st.caption(_("document removed"), width="content")
        st.caption(document_words(document))
        with st.expander(ngettext("{n} passage struck out", "{n} passages struck out", len(document.passages))):
            for event, number in document.passages[:_NUM_PASSAGES]:
                where = markup.plain(breadcrumb(event.title, event.heading))
                text = markup.plain(preview(event.text, _PREVIEW_CHARACTERS))
                st.markdown(
                    _(
                        "**{where}**, {times}  \n{text}  \nLast asked: {question}",
                        where=where,
                        times=times(number),
                        text=text,
                        question=markup.plain(event.question),
                    )
                )
                links.to_source(_("Open in document"), chunk_id=event.chunk_id, icon=":material/visibility:")
            if rest := document.passages[_NUM_PASSAGES:]:
                st.caption(ngettext("and {n} more passage", "and {n} more passages", len(rest)))


def document_words(document: DocumentFeedback) -> str:
    """Return how often its passages were struck out, by how many people, and why."""
    return _(
        "Struck out {times} by {people}: {reasons}",
        times=times(document.num_struck_out),
        people=people(document.num_users),
        reasons=counted_reasons(document.reasons),
    )
