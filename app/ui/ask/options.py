"""Options beside the question: reranker and filters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import NamedTuple

import streamlit as st

from app.reranking.live import NONE
from app.reranking.names import in_words
from app.search.filters import Filter
from app.translation import gettext as _
from app.translation import ngettext
from app.ui.resources import filter_choices, pipeline
from app.ui.words import sentence

_FIELDS = ("collections", "types", "documents", "since")


class Options(NamedTuple):
    """Options for the next questions. reranker: its name. ignore_votes: rank as if nobody had said anything."""

    reranker: str
    within: Filter
    ignore_votes: bool


RANKING_CHANGED = "ranking-changed"
"""Key in the session: whether the user has just changed how passages are ranked."""


def choose_options() -> Options:
    """Show the reranker toggle and a menu with rerankers and filters; return the choice.

    A choice stays until it is cleared.
    """
    default = pipeline().settings.reranker
    names = [name for name in dict.fromkeys((default, "shipped", "late-interaction")) if name != NONE]
    num_filters = sum(bool(getattr(_chosen(), field)) for field in _FIELDS)
    on = st.toggle(
        _("Reranker"),
        value=default != NONE,
        key="reranker-on",
        persist_state="session",
        bind="query-params",  # a reload keeps it
        on_change=_note_change,
    )
    labels = {name: sentence(in_words(name)) for name in names}
    label = ngettext("{n} filter", "{n} filters", num_filters) if num_filters else _("All documents")
    label += " · " + _("without what people said") if st.session_state.get("ignore-votes") else ""
    with st.popover(label, icon=":material/tune:", key="options"):
        reranker = st.selectbox(
            _("Reranker"),
            names,
            key="reranker-name",
            persist_state="session",
            disabled=not on,
            format_func=labels.__getitem__,
            on_change=_note_change,
        )
        ignore_votes = st.toggle(
            _("Ignore what people said"),
            key="ignore-votes",
            persist_state="session",
            bind="query-params",
            help=_("Ranks as if nobody had struck out, kept or named a source."),
            on_change=_note_change,
        )
        _show_filters()
        st.button(_("Clear filters"), on_click=_clear_filters, disabled=not num_filters)
    return Options(reranker if on and reranker else NONE, _chosen(), ignore_votes)


def _note_change() -> None:
    st.session_state[RANKING_CHANGED] = True


def _show_filters() -> None:
    found = filter_choices()
    _choose("collections", _("Collection"), found.collections)
    _choose("types", _("Type"), found.types)
    _choose("documents", _("Document"), found.documents, lambda id: found.documents.get(id, _("removed")))
    st.date_input(
        _("Added since"),
        value=None,
        key="filter-since",
        persist_state="session",
        max_value=date.max,
        format=_("YYYY/MM/DD"),
    )


def _choose(field: str, label: str, found: Iterable[str], name_of: Callable[[str], str] = str) -> None:
    """Show a filter. Chosen values that no longer exist stay; Streamlit would drop them and so widen the filter."""
    key = f"filter-{field}"
    values = list(dict.fromkeys((*found, *st.session_state.get(key, ()))))
    st.multiselect(label, values, format_func=name_of, key=key, persist_state="session", placeholder=_("Any"))


def _chosen() -> Filter:
    collections, types, documents = (tuple(st.session_state.get(f"filter-{field}", ())) for field in _FIELDS[:3])
    return Filter(collections, documents, types, st.session_state.get("filter-since"))


def _clear_filters() -> None:
    st.session_state.update({**{f"filter-{field}": [] for field in _FIELDS[:3]}, "filter-since": None})
