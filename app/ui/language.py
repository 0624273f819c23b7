"""The language of the pages: CITELOOP_LANGUAGE, else that of the visitor's browser."""

from __future__ import annotations

from functools import cache

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.settings import read_settings
from app.translation import LANGUAGES, Language


def page_language() -> Language:
    """Return the language of the page that runs in this thread; English outside pages, and for unknown languages."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return "en"
    wanted = _configured() or (st.context.locale or "").lower()[:2]
    return next((language for language in LANGUAGES if language == wanted), "en")


@cache  # each text asks
def _configured() -> Language | None:
    return read_settings().language
