from __future__ import annotations

from collections.abc import Iterator

import pytest
import streamlit as st
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect
from streamlit.runtime import Runtime

from app.settings import Settings
from app.ui import server
from app.ui.own_site import OwnSite, OwnSiteOnly
from app.ui.resources import SHARED
from ingest import CiteloopError

LOCAL = OwnSite("127.0.0.1", 8501)
PUBLIC = OwnSite("127.0.0.1", 8501, ("https://docs.example.com", "http://intranet:8080/"))


@pytest.mark.parametrize(
    ("site", "own"),
    [
        (LOCAL, {"http://127.0.0.1:8501", "http://localhost:8501", "http://[::1]:8501", "http://LOCALHOST:8501"}),
        (OwnSite("::1", 80), {"http://[::1]", "http://localhost"}),
        (OwnSite("10.0.0.5", 8501), {"http://10.0.0.5:8501"}),
        (OwnSite("0.0.0.0", 8501), {"http://10.0.0.5:8501", "http://[fe80::1]:8501", "http://localhost:8501"}),
        (PUBLIC, {"https://docs.example.com", "http://intranet:8080", "http://localhost:8501"}),
    ],
)
def test_a_site_knows_its_own_addresses(site: OwnSite, own: set[str]) -> None:
    assert [origin for origin in own if not site.has(origin)] == []


@pytest.mark.parametrize("site", [LOCAL, PUBLIC, OwnSite("0.0.0.0", 8501), OwnSite("10.0.0.5", 8501)])
@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://",
        "http://evil.example",
        "http://evil.example:8501",
        "http://localhost:8502",
        "http://localhost",
        "https://localhost:8501",
        "https://127.0.0.1:8501",
        "http://127.0.0.1:8501.evil.example",
        "http://evil@127.0.0.1:8501",
        "http://127.0.0.1:8501/path",
        "http://127.0.0.1:port",
        "http://[::1",
        "http://docs.example.com",
        "https://docs.example.com:8501",
        "https://sub.docs.example.com",
        "http://intranet",
    ],
)
def test_a_site_knows_what_is_not_its_own(site: OwnSite, origin: str) -> None:
    assert not site.has(origin)


@pytest.mark.parametrize(
    "url",
    ["docs.example.com", "https://docs.example.com/app", "ftp://docs", "https://a@docs", "https://", "http://a:b"],
)
def test_a_public_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(CiteloopError, match=r"expected a public URL such as https://docs\.example\.com"):
        OwnSite("127.0.0.1", 8501, (url,))


@pytest.mark.parametrize(
    ("site", "is_public"), [(LOCAL, False), (OwnSite("localhost", 1), False), (OwnSite("::", 1), True), (PUBLIC, True)]
)
def test_a_site_is_public_where_others_can_connect(site: OwnSite, is_public: bool) -> None:
    assert site.is_public == is_public


# Requests --------------------------------------------------------------------------------------------


class Recorder:
    """Stands for the whole site, and notes what reaches it."""

    def __init__(self) -> None:
        self.reached: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.reached.append(scope["type"])
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"the titles of all conversations"})


@pytest.fixture
def inside() -> Recorder:
    return Recorder()


def visiting(inside: ASGIApp, site: OwnSite = LOCAL) -> TestClient:
    return TestClient(OwnSiteOnly(inside, site), base_url="http://127.0.0.1:8501")


@pytest.mark.parametrize("path", ["/", "/v1/search", "/_stcore/health"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example:8501"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Host": "127.0.0.1:8502"}, 421),
        ({"Host": ""}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": "https://127.0.0.1:8501"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:8501"}, 403),  # its own, and not the one that was asked
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403),
    ],
)
def test_a_request_from_elsewhere_reaches_nothing(
    inside: Recorder, headers: dict[str, str], status: int, path: str
) -> None:
    reply = visiting(inside).get(path, headers=headers)
    assert reply.status_code == status
    assert "expected a request" in reply.json()["error"]["message"]
    assert inside.reached == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost:8501", "Origin": "http://localhost:8501"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"},
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
        {"Host": "docs.example.com", "Origin": "https://docs.example.com"},
    ],
)
def test_the_own_pages_programs_and_followed_links_are_answered(inside: Recorder, headers: dict[str, str]) -> None:
    assert visiting(inside, PUBLIC).get("/", headers=headers).status_code == 200


def test_a_form_of_another_site_is_refused_though_it_navigates(inside: Recorder) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert visiting(inside).post("/", headers=headers).status_code == 403


def test_what_is_refused_says_what_to_set(inside: Recorder) -> None:
    message = visiting(inside).get("/", headers={"Host": "docs.example.com"}).json()["error"]["message"]
    assert "http://127.0.0.1:8501" in message
    assert "citeloop serve --public-url" in message


# Streamlit -------------------------------------------------------------------------------------------


@pytest.fixture
def pages(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """The real pages behind the wrapper; nothing is loaded."""
    monkeypatch.setenv("CITELOOP_HOME", str(settings.home))
    monkeypatch.setattr("app.ui.server._get_ready", lambda *_: None)
    monkeypatch.setattr(Runtime, "_instance", None)
    st.cache_resource.clear()
    SHARED.clear()
    with visiting(server.create_app(), PUBLIC) as client:
        yield client
    st.cache_resource.clear()
    SHARED.clear()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
        {"Host": "127.0.0.1:8501", "Origin": "https://docs.example.com"},
    ],
)
def test_a_foreign_websocket_has_streamlit_look_nothing_up(
    pages: TestClient, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[str] = []
    for name in ("get_internal_ip", "get_external_ip"):
        monkeypatch.setattr(f"streamlit.net_util.{name}", lambda name=name: looked_up.append(name))
    with pytest.raises(WebSocketDisconnect), pages.websocket_connect("/_stcore/stream", headers=headers):
        pass
    assert looked_up == []


def test_the_own_websocket_behind_a_proxy_has_streamlit_look_nothing_up(
    pages: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[str] = []
    for name in ("get_internal_ip", "get_external_ip"):
        monkeypatch.setattr(f"streamlit.net_util.{name}", lambda name=name: looked_up.append(name))
    headers = {"Host": "docs.example.com", "Origin": "https://docs.example.com"}
    with pages.websocket_connect("/_stcore/stream", headers=headers, subprotocols=["streamlit"]):
        pass
    assert looked_up == []
