"""Messages about actions."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Expander

from tests.conftest import PATIENCE

pytestmark = pytest.mark.slow


def page_with_messages() -> None:
    import streamlit as st

    from app.ui.messages import show_messages, tell

    show_messages()
    with st.expander("Form"):
        st.button("Add", on_click=tell, args=("error", "no such folder"))


def test_a_message_does_not_move_what_is_below_it() -> None:
    page = AppTest.from_function(page_with_messages, default_timeout=PATIENCE).run()
    places = [index for index, block in page.main.children.items() if isinstance(block, Expander)]
    page.button[0].click().run()
    assert page.error[0].value == "no such folder"
    assert [index for index, block in page.main.children.items() if isinstance(block, Expander)] == places != []
