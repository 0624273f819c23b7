"""Beside the question: the reranker, and the documents that it is asked of."""

from __future__ import annotations

from datetime import date

import streamlit as st

from app.filters import EVERYTHING, Filter, choices
from app.ui.resources import pipeline
from app.ui.words import counted

_FIELDS = ("collections", "types", "documents", "since")


def choose_reranker() -> str:
    """The toggle and the choice; returns the reranker's name."""
    default = pipeline().settings.reranker
    names = [name for name in dict.fromkeys((default, "shipped", "late-interaction")) if name != "none"]
    on = st.toggle("Reranker", value=default != "none", key="reranker-on")
    chosen = st.selectbox(
        "Which reranker", names, key="reranker-name", label_visibility="collapsed", disabled=not on, width=135
    )
    return chosen if on and chosen else "none"


def choose_filter() -> Filter:
    """Which documents the next questions are asked of; what has been chosen stays until it is taken back."""
    found = choices(pipeline().table)
    if not found.documents:
        return EVERYTHING
    chosen = _chosen()
    number = sum(bool(getattr(chosen, field)) for field in _FIELDS)
    label = counted(number, "filter") if number else "All documents"
    with st.popover(label, icon=":material/filter_list:", key="filters"):
        st.multiselect("Collection", found.collections, key="filter-collections", placeholder="Any")
        st.multiselect("Type", found.types, key="filter-types", placeholder="Any")
        st.multiselect(
            "Document",
            list(found.documents),
            format_func=lambda id: found.documents.get(id, "gone since"),
            key="filter-documents",
            placeholder="Any",
        )
        st.date_input("Added since", value=None, key="filter-since", max_value=date.max)
        st.button("Ask all documents", on_click=_forget, disabled=not number)
    return _chosen()


def _chosen() -> Filter:
    collections, types, documents = (tuple(st.session_state.get(f"filter-{field}", ())) for field in _FIELDS[:3])
    return Filter(collections, documents, types, st.session_state.get("filter-since"))


def _forget() -> None:
    for field in _FIELDS:
        st.session_state.pop(f"filter-{field}", None)
