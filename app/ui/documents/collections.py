"""Changes to documents: the collections to add to, and what is refused."""

from __future__ import annotations

from typing import NoReturn

import streamlit as st

from app.translation import gettext as _
from app.ui.resources import filter_choices
from app.ui.who import current_rights
from ingest import CiteloopError
from ingest.collections import UPLOADS


def choose_collection(key: str, label: str) -> str:
    """Show the collections that the user may add to, and return the chosen or typed one; '' if none."""
    names, rights = filter_choices().collections, current_rights()
    chosen = st.selectbox(
        label,
        sorted({*names, *(rights.collections or ())}),
        index=None,
        accept_new_options=rights.collections is None,
        placeholder=_("Choose one") if rights.collections is not None else _("Choose one or type a new name"),
        key=key,
        help=_("The collection decides who may read a document. Questions can be limited to one collection."),
    )
    return (chosen or "").strip()


def check_may_add(collection: str) -> None:
    """Raise CiteloopError for a collection that the user may not read; the page offers none."""
    if not current_rights().may_read(collection or UPLOADS):
        raise CiteloopError(_("choose a collection that you may read"))


def give_up() -> NoReturn:
    """Refuse to wait for another writer. Raises CiteloopError."""
    raise CiteloopError(_("Nothing was changed because an ingest is running. Try again when it has ended."))
