"""What an act on a page came to, said once on the page that is drawn after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import streamlit as st

from app.ui import markup
from ingest import CiteloopError

Kind = Literal["success", "info", "error"]
_KEY = "messages"


def tell(kind: Kind, message: str) -> None:
    """Say something, as it stands, when the page is drawn again."""
    st.session_state.setdefault(_KEY, []).append((kind, message))


def show_messages() -> None:
    """What there is to say; to be called below the title."""
    boxes = {"success": st.success, "info": st.info, "error": st.error}
    for kind, message in st.session_state.pop(_KEY, []):
        boxes[kind](markup.plain(message))


def try_to(act: Callable[[], object]) -> bool:
    """Do it or say why it failed; whether it was done. For callbacks, after which the page is drawn anyway."""
    try:
        act()
    except (CiteloopError, OSError) as error:
        tell("error", str(error))
        return False
    return True


def attempt(act: Callable[[], object], message: str) -> None:
    """Do it, say the message or why it failed, and draw the page again."""
    if try_to(act):
        tell("success", message)
    st.rerun()
