from __future__ import annotations

import json
import re
import threading
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send
from streamlit import config
from streamlit.runtime import Runtime

from app.access.keys import KeyStore
from app.access.policy import Proxy
from app.pipeline import Pipeline
from app.settings import Settings, read_settings
from app.ui import server, who
from app.ui.own_site import OwnSiteOnly
from app.ui.proxy import TrustedProxy
from app.ui.resources import SHARED, feedback_store
from app.ui.streamlit_options import OPTIONS_FILE
from app.ui.who import PROXY_EMAIL, PROXY_GROUPS
from ingest import CiteloopError
from ingest.home.job_store import BaseJobStore
from ingest.jobs import JobStore
from tests.app.builders import WordScorer

Site = Callable[..., TestClient]


@pytest.fixture
def calls(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is done when a server starts, in order; nothing of it really is."""
    calls: list[object] = []
    monkeypatch.setenv("CITELOOP_HOME", str(settings.home))
    monkeypatch.setattr(BaseJobStore, "resume", lambda store: calls.append(store.home))
    monkeypatch.setattr("app.ui.server.warm_up", lambda: calls.append("warm up"))
    return calls


def test_jobs_that_were_killed_go_on_when_the_server_starts(calls: list[object], settings: Settings) -> None:
    server._get_ready(threading.Event(), _Ended(after=0))
    assert calls == [settings.home, settings.home, settings.home, "warm up"]


def test_jobs_that_are_killed_later_go_on_too(calls: list[object], settings: Settings) -> None:
    server._get_ready(threading.Event(), _Ended(after=2))
    assert calls == [*[settings.home] * 3, "warm up", *[settings.home] * 6]


class _Ended(threading.Event):
    """The end of a server that looks so often for jobs before."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._after = after

    def wait(self, timeout: float | None = None) -> bool:
        self._after -= 1
        return self._after < 0


def test_ingests_that_cannot_go_on_keep_neither_trainings_nor_models_waiting(
    calls: list[object], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_store: JobStore) -> None:
        raise CiteloopError("the jobs cannot be read")

    monkeypatch.setattr(JobStore, "resume", fail)
    server._get_ready(threading.Event(), _Ended(after=0))
    assert calls == [settings.home, settings.home, "warm up"]


@pytest.fixture
def site(calls: list[object], pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Gives a client of the site, whose pages would find this pipeline."""
    monkeypatch.setattr("app.ui.server.pipeline", lambda: pipeline)
    monkeypatch.setattr("app.models.load_reranker", lambda name, _settings: None if name == "none" else WordScorer())
    monkeypatch.setattr(Runtime, "_instance", None)  # there is one in a process, and here one in a test
    st.cache_resource.clear()
    SHARED.clear()
    yield lambda *, api: TestClient(server.create_app(api=api))
    st.cache_resource.clear()
    SHARED.clear()


def test_programs_find_what_the_pages_use(site: Site, settings: Settings) -> None:
    headers = {"Authorization": f"Bearer {KeyStore(settings.home).create('helpdesk')}"}
    with site(api=True) as client:
        assert client.post("/v1/search", json={"query": "hotel"}).status_code == 401
        found = client.post("/v1/search", json={"query": "hotel"}, headers=headers)
        page = client.get("/")
    assert found.json()["ranking"][0]["document"] == "handbook/travel.md"
    assert found.headers["Content-Security-Policy"] == server.CONTENT_SECURITY_POLICY
    assert "set-cookie" not in found.headers
    assert page.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("api", [False, True])
def test_whoever_watches_the_server_needs_no_key(site: Site, api: bool) -> None:
    with site(api=api) as client:
        assert client.get("/health").json() == {"status": "alive"}
        assert client.get("/ready").json()["status"] in ("loading the models", "ready")


def test_files_are_taken_only_from_pages_that_show_an_uploader(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.ui.upload_limit._sessions", {"curator"})
    with site(api=False) as client:
        refused = client.put("/_stcore/upload_file/stranger/1", files={"file": ("a.md", b"text")})
        passed_on = client.put("/_stcore/upload_file/curator/1", files={"file": ("a.md", b"text")})
    assert refused.status_code == 403
    assert "a page that offers one" in refused.text
    assert "a page that offers one" not in passed_on.text  # Streamlit's own checks follow


def test_agents_find_what_the_pages_use(site: Site, settings: Settings) -> None:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
    call |= {"params": {"name": "search", "arguments": {"query": "hotel"}}}
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
    key = {"Authorization": f"Bearer {KeyStore(settings.home).create('helpdesk')}"}
    with site(api=True) as client:
        assert client.post("/mcp", json=call, headers=headers).status_code == 401
        assert "handbook/travel.md" in client.post("/mcp", json=call, headers=headers | key).text


def test_stream_of_an_answer_comes_through_the_site(site: Site, settings: Settings) -> None:
    headers = {"Authorization": f"Bearer {KeyStore(settings.home).create('helpdesk')}", "Accept-Encoding": "gzip"}
    with site(api=True) as client:
        answer = client.post("/v1/ask", json={"question": "How many days of leave?"}, headers=headers)
        assert "content-encoding" not in answer.headers  # each event goes out by itself
        assert answer.text.startswith("event: sources\n")
        answer_id = json.loads(answer.text.splitlines()[1].removeprefix("data: "))["answer_id"]
        body = {"answer_id": answer_id, "number": 1, "action": "deleted"}
        assert client.post("/v1/feedback", json=body, headers=headers).json()["recorded"]
    assert [event.user for event in feedback_store().events()] == ["api:helpdesk"]  # where the pages look, too


def test_without_being_asked_for_there_is_nothing_for_programs(site: Site, settings: Settings) -> None:
    headers = {"Authorization": f"Bearer {KeyStore(settings.home).create('helpdesk')}"}
    with site(api=False) as client:
        assert client.post("/v1/search", json={"query": "hotel"}, headers=headers).status_code in (404, 405)
        described = client.get("/v1/openapi.json")
    assert described.headers["content-type"].startswith("text/html")  # the page that says that there is no such page


# Options ---------------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Streamlit, as a process that was started in another folder has it."""
    monkeypatch.chdir(tmp_path)
    config.get_config_options(force_reparse=True)
    yield
    monkeypatch.undo()
    config.get_config_options(force_reparse=True)


def test_started_elsewhere_the_pages_have_the_same_options(elsewhere: None, site: Site) -> None:
    assert config.get_option("browser.gatherUsageStats")  # Streamlit's own: nothing was read
    site(api=False)
    given = tomllib.loads(OPTIONS_FILE.read_text())
    assert config.get_option("browser.gatherUsageStats") is False
    assert config.get_option("client.toolbarMode") == given["client"]["toolbarMode"] == "minimal"
    assert config.get_option("client.showErrorDetails") == given["client"]["showErrorDetails"] == "none"
    assert config.get_option("theme.light.primaryColor") == given["theme"]["light"]["primaryColor"]
    assert config.get_option("theme.headingFontSizes") == given["theme"]["headingFontSizes"]
    assert config.get_option("server.maxUploadSize") == given["server"]["maxUploadSize"]


@pytest.mark.parametrize("content", [None, "[browser"])
def test_options_that_cannot_be_read_are_said(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.toml"
    monkeypatch.setattr("app.ui.streamlit_options.OPTIONS_FILE", path)
    if content:
        path.write_text(content)
    with pytest.raises(CiteloopError, match=r"config\.toml: .*; restore it"):
        server.create_app()


# Who may come in -------------------------------------------------------------------------------------


@pytest.fixture
def served(calls: list[object], monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What would have been served, instead of being served."""
    served: list[object] = []
    monkeypatch.setattr("uvicorn.Server.run", lambda server, sockets: served.append(server.config.app))
    monkeypatch.setenv("CITELOOP_LOCK_SETTINGS", "")  # so that it is as before after the test
    return served


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "my-server"])
def test_the_network_is_not_let_in_without_a_login(host: str, served: list[object]) -> None:
    with pytest.raises(CiteloopError, match=r"no login is configured.*--public-url.*--without-login"):
        server.serve(host, 0)
    assert served == []


def test_the_network_is_let_in_where_that_is_said(served: list[object], capsys: pytest.CaptureFixture[str]) -> None:
    server.serve("0.0.0.0", 0, without_login=True)
    assert isinstance(served[0], OwnSiteOnly)
    assert read_settings().lock_settings
    assert "Nobody can change the language model on the pages" in capsys.readouterr().out


POLICY = '[roles]\nadmin = ["ann@example.org"]\n'


def write_policy(settings: Settings, text: str = POLICY) -> None:
    settings.home.mkdir(exist_ok=True)
    (settings.home / "access.toml").write_text(text)


@pytest.fixture
def login_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit's login is configured."""
    monkeypatch.setattr(st.secrets, "load_if_toml_exists", lambda: True)
    monkeypatch.setattr(type(st.secrets), "__contains__", lambda _secrets, name: name == "auth", raising=False)


def test_the_network_is_let_in_to_a_login(
    login_page: None,
    served: list[object],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_policy(settings)
    monkeypatch.setenv("CITELOOP_LOCK_SETTINGS", "")
    server.serve("0.0.0.0", 0)
    assert served
    assert not read_settings().lock_settings  # the page is the admins' alone
    assert "Admins, as access.toml names them" in capsys.readouterr().out


def test_a_login_needs_somebody_who_is_admin(login_page: None, served: list[object], settings: Settings) -> None:
    with pytest.raises(CiteloopError, match=r"nothing says who may do what\. Write .*access\.toml, for example:\n"):
        server.serve("127.0.0.1", 0)
    assert served == []


def test_a_broken_file_keeps_the_server_from_starting(served: list[object], settings: Settings) -> None:
    write_policy(settings, "[roles")
    with pytest.raises(CiteloopError, match=r"access\.toml cannot be used"):
        server.serve("127.0.0.1", 0)
    assert served == []


def test_two_logins_are_refused(login_page: None, served: list[object], settings: Settings) -> None:
    write_policy(settings, POLICY + '[proxy]\naddresses = ["127.0.0.1"]')
    with pytest.raises(CiteloopError, match="there are two logins"):
        server.serve("127.0.0.1", 0)


def test_roles_without_a_login_are_said_to_be_idle(
    served: list[object], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    write_policy(settings)
    server.serve("127.0.0.1", 0)
    assert "No login, so access.toml does not act on the pages" in capsys.readouterr().out


HEADERS = {"X-Forwarded-Email": "ann@example.org", "X-Forwarded-Groups": "hr", "X-Forwarded-For": "6.6.6.6, 192.0.2.7"}


@pytest.mark.parametrize(
    ("host", "client", "names"),
    [("127.0.0.1", "192.0.2.7", ["x-forwarded-email", "x-forwarded-groups"]), ("192.0.2.66", "192.0.2.66", [])],
)
def test_headers_name_people_only_if_they_come_from_the_proxy(host: str, client: str, names: list[str]) -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await PlainTextResponse("ok")(scope, receive, send)

    proxied = TestClient(TrustedProxy(app, Proxy(addresses=["127.0.0.1"])), client=(host, 1))
    proxied.get("/", headers=HEADERS)
    assert seen[0]["client"][0] == client
    assert [name.decode() for name, _ in seen[0]["headers"] if b"email" in name or b"groups" in name] == names


def test_with_a_proxy_streamlit_reads_its_headers_and_a_login_is_required(site: Site, settings: Settings) -> None:
    write_policy(settings, POLICY + '[proxy]\naddresses = ["127.0.0.1"]\nemail_header = "X-Auth-Request-Email"')
    site(api=False)
    given = config.get_option("server.trustedUserHeaders")
    assert given == {"X-Auth-Request-Email": PROXY_EMAIL, "X-Forwarded-Groups": PROXY_GROUPS}
    assert who._login_required.is_set()


@pytest.mark.parametrize(
    ("public_urls", "variable", "locked"),
    [
        ([], "", False),
        ([], "1", True),
        (["https://docs.example.com"], "", True),
        (["https://docs.example.com"], "0", False),
        (["https://docs.example.com"], "1", True),
    ],
)
def test_the_language_model_is_locked_for_visitors_from_outside(
    public_urls: list[str],
    variable: str,
    locked: bool,
    served: list[object],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CITELOOP_LOCK_SETTINGS", variable)
    server.serve("127.0.0.1", 0, public_urls=public_urls)
    assert read_settings().lock_settings is locked
    said = capsys.readouterr().out
    assert ("Nobody can change" in said, "Anyone who opens the pages" in said) == (locked, not locked)


def test_links_in_answers_lead_to_the_first_public_address(
    served: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[dict[str, object]] = []
    monkeypatch.setattr("app.ui.server.create_app", lambda **options: named.append(options))
    server.serve("127.0.0.1", 0, api=True, public_urls=["https://docs.example.com", "http://citeloop.internal"])
    server.serve("127.0.0.1", 0, api=True)
    assert [options["public_url"] for options in named] == ["https://docs.example.com", ""]


def test_only_requests_to_the_port_that_is_served_are_answered(
    served: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    server.serve("127.0.0.1", 0)
    address = re.search(r"http://\S+", capsys.readouterr().out)
    assert address
    (app,) = served
    assert isinstance(app, OwnSiteOnly)
    assert TestClient(app).get("/", headers={"Host": "127.0.0.1:1"}).status_code == 421
    assert TestClient(app, base_url=address[0]).get("/_stcore/script-health-check").status_code != 421


def test_due_sources_are_queued_until_the_server_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    stopping, rounds = threading.Event(), list[Path]()

    def queue_due(home: Path, embedder: str) -> None:
        rounds.append(home)
        if len(rounds) == 2:
            stopping.set()
        raise CiteloopError("the disk is full")  # the next round tries again

    monkeypatch.setattr(server, "_SOURCES_SECONDS", 0.0)
    monkeypatch.setattr("ingest.worker.queue_due", queue_due)
    server._follow_sources(stopping)
    assert len(rounds) == 2
