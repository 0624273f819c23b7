"""Outcomes of actions, shown once on the next run of the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import streamlit as st

from app.ui import markup
from ingest import CiteloopError

Kind = Literal["success", "info", "error"]
_KEY = "messages"


def tell(kind: Kind, message: str) -> None:
    """Queue a message in plain text for the next run."""
    st.session_state.setdefault(_KEY, []).append((kind, message))


def show_messages() -> None:
    """Show queued messages; call it below the title."""
    boxes = {"success": st.success, "info": st.info, "error": st.error}
    for kind, message in st.session_state.pop(_KEY, []):
        boxes[kind](markup.plain(message))


def try_to(act: Callable[[], object]) -> bool:
    """Run act or queue its error; return whether it succeeded. For callbacks, which rerun the page anyway."""
    try:
        act()
    except (CiteloopError, OSError) as error:
        tell("error", str(error))
        return False
    return True


def attempt(act: Callable[[], object], message: str) -> None:
    """Run act, queue the message or the error, and rerun the page."""
    if try_to(act):
        tell("success", message)
    st.rerun()
