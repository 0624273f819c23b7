"""Pagination of long lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import streamlit as st

T = TypeVar("T")


def page_of(items: Sequence[T], size: int, key: str) -> Sequence[T]:
    """Return the items of the chosen page; show the page selector if there are several."""
    num_pages = -(-len(items) // size)
    if num_pages < 2:
        return items
    if st.session_state.get(key, 1) > num_pages:
        st.session_state[key] = num_pages
    number = st.pagination(num_pages, key=key, max_visible_pages=5)
    return items[(number - 1) * size : number * size]
