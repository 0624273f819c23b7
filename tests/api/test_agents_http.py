from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult
from starlette.applications import Starlette

from app.access.keys import KeyStore
from app.access.limits import Limits
from app.access.rates import Rates
from app.api.agents import _rights_for, agents_over_http
from app.ui.own_site import OwnSite, OwnSiteOnly
from tests.api.conftest import Api, MakePipeline, serving
from tests.api.test_agents import said
from tests.conftest import PATIENCE, FakeLanguageModel

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
ACCEPT = {"Accept": "application/json, text/event-stream"}


@pytest.fixture
def site(api: Api) -> Starlette:
    """A site that has the tools at /mcp."""
    route, while_serving = agents_over_http(lambda: api.pipeline, api.callers, Rates())

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with while_serving:
            yield

    return Starlette(routes=[route], lifespan=lifespan)


@pytest.fixture
def server(site: Starlette) -> Iterator[str]:
    """The address of the tools behind a real server."""
    with serving(site) as address:
        yield f"{address}/mcp"


@asynccontextmanager
async def agent(server: str, key: str, mode: Any = "auto") -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=PATIENCE) as http,
        Client(streamable_http_client(server, http_client=http), mode=mode) as client,
    ):
        yield client


def call(server: str, key: str, tool: str, mode: Any = "auto", **arguments: Any) -> CallToolResult:
    async def run() -> CallToolResult:
        async with agent(server, key, mode) as client:
            return await client.call_tool(tool, arguments)

    return asyncio.run(run())


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_agent_with_a_key_searches_and_asks(server: str, key: str, mode: str) -> None:
    found = call(server, key, "search", mode, query="hotel a night", num_results=1).structured_content
    answer = call(server, key, "ask", mode, question="How many days of leave are there?").structured_content
    assert found is not None
    assert [row["document"] for row in found["ranking"]] == ["handbook/travel.md"]
    assert answer is not None
    assert "30 days of leave" in answer["answer"]


def test_an_agent_finds_and_cites_what_its_key_may_read(server: str, keys: KeyStore) -> None:
    key = keys.create("handbook", Limits(collections=("handbook",)))
    found = call(server, key, "search", query="How does the VPN work?").structured_content
    answer = call(server, key, "ask", question="How does the VPN work?").structured_content
    assert found is not None
    assert {row["document"].partition("/")[0] for row in found["ranking"]} == {"handbook"}
    assert "vpn.md" not in str(answer)


def test_a_request_that_cannot_be_seen_reads_nothing() -> None:
    context: Any = SimpleNamespace(request_context=SimpleNamespace(request=None))
    with pytest.raises(ToolError, match="no key"):
        _rights_for(context, "search", on_stdio=False)
    assert _rights_for(context, "search", on_stdio=True).collections is None


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer citeloop_wrong"}])
def test_without_a_key_nothing_is_done(server: str, headers: dict[str, str]) -> None:
    refused = httpx2.post(server, json=HELLO, headers={**ACCEPT, **headers}, timeout=PATIENCE)
    assert refused.status_code == 401
    assert "citeloop keys add NAME" in refused.json()["error"]["message"]


def test_a_tool_needs_the_scope_of_its_name(server: str, keys: KeyStore) -> None:
    searching = keys.create("searching", Limits(scopes=("search",)))
    assert not call(server, searching, "search", query="hotel").is_error
    refused = call(server, searching, "ask", question="How many days of leave are there?")
    assert refused.is_error
    assert "the key of searching may search, but not ask" in said(refused)


def test_the_rate_of_a_key_holds(server: str, keys: KeyStore) -> None:
    headers = {**ACCEPT, "Authorization": f"Bearer {keys.create('slow', Limits(rate=1))}"}
    first, second = (httpx2.post(server, json=HELLO, headers=headers, timeout=PATIENCE) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 429)
    assert int(second.headers["Retry-After"]) > 0


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_agent_that_goes_away_ends_the_answer(
    server: str, key: str, api: Api, make_pipeline: MakePipeline, mode: str
) -> None:
    has_begun, has_ended = threading.Event(), threading.Event()

    class Writer(FakeLanguageModel):
        def stream(self, messages: Sequence[Mapping[str, str]], stop: Any = None) -> Iterator[str]:
            has_begun.set()
            if stop.wait(PATIENCE):
                has_ended.set()
            yield "too late"

    async def run() -> None:
        async with agent(server, key, mode) as client:
            asking = asyncio.ensure_future(client.call_tool("ask", {"question": "How many days of leave?"}))
            assert await asyncio.to_thread(has_begun.wait, PATIENCE)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
        assert await asyncio.to_thread(has_ended.wait, PATIENCE)

    api.pipeline = make_pipeline(Writer())
    asyncio.run(run())


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Host": "evil.example"}, 421), ({"Origin": "https://evil.example"}, 403), ({}, 200)],
)
def test_other_sites_are_not_let_in(site: Starlette, key: str, headers: dict[str, str], status: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    guarded: Any = OwnSiteOnly(site, OwnSite("127.0.0.1", port))
    with serving(guarded) as address:
        sent = {"Host": f"127.0.0.1:{port}", **ACCEPT, "Authorization": f"Bearer {key}", **headers}
        answer = httpx2.post(f"{address}/mcp", json=HELLO, headers=sent, timeout=PATIENCE)
    assert answer.status_code == status
