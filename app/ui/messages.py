"""Outcomes of actions, shown once on the next run of the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import streamlit as st

from app.ui import markup
from app.ui.readers_language import in_readers_language
from ingest import CiteloopError

Kind = Literal["success", "info", "error"]
_KEY = "messages"


def tell(kind: Kind, message: str, place: str = "") -> None:
    """Queue a message in plain text for the next run. place: where on the page, '' for below the title."""
    st.session_state.setdefault(f"{_KEY}-{place}", []).append((kind, message))


def show_messages(place: str = "") -> None:
    """Show the messages queued for a place; by default call it below the title."""
    with st.container():  # also without messages: a message must not close the expander or popover below it
        boxes = {"success": st.success, "info": st.info, "error": st.error}
        for kind, message in st.session_state.pop(f"{_KEY}-{place}", []):
            boxes[kind](markup.plain(message))


def try_to(act: Callable[[], object], place: str = "") -> bool:
    """Run act or queue its error; return whether it succeeded. For callbacks, which rerun the page anyway."""
    try:
        act()
    except (CiteloopError, OSError) as error:
        tell("error", in_readers_language(str(error)), place)
        return False
    return True


def attempt(act: Callable[[], object], message: str, place: str = "") -> None:
    """Run act, queue the message or the error, and rerun the page."""
    if try_to(act, place):
        tell("success", message, place)
    st.rerun()
