from __future__ import annotations

import pytest
import streamlit as st
from streamlit.runtime.context import ContextProxy
from streamlit.testing.v1 import AppTest

from app.feedback import user_of_cookie
from app.settings import Settings
from app.ui.resources import SHARED, answerer, feedback_store, pipeline
from app.ui.who import USER_COOKIE
from tests.conftest import PATIENCE


def name() -> None:
    import streamlit as st

    from app.ui.resources import current_user

    st.markdown(current_user())


def shown(page: AppTest) -> str:
    assert not page.exception
    return str(page.markdown[0].value)


@pytest.fixture
def cookies(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the browser sends."""
    cookies: dict[str, str] = {}
    monkeypatch.setattr(ContextProxy, "cookies", cookies)
    return cookies


def test_the_user_of_a_browser_is_not_its_cookie(cookies: dict[str, str]) -> None:
    cookies[USER_COOKIE] = "5eed" * 8
    assert shown(AppTest.from_function(name, default_timeout=PATIENCE).run()) == user_of_cookie("5eed" * 8)


def test_no_browser_can_make_the_server_load_its_models_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITELOOP_HOME", str(settings.home))
    SHARED.clear()
    made = pipeline(), answerer(), feedback_store()
    st.cache_resource.clear()  # as the message `clear_cache` of any websocket does
    assert made == (pipeline(), answerer(), feedback_store())
    SHARED.clear()


def test_browsers_without_a_cookie_are_not_one_user(cookies: dict[str, str]) -> None:
    first, second = (AppTest.from_function(name, default_timeout=PATIENCE).run() for _ in range(2))
    before = shown(first)
    assert before != shown(second)
    assert shown(first.run()) == before
