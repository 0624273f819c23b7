from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, ListToolsResult, TextContent

from app.api.agents import AgentAnswer, create_agent_server
from app.pipeline import Pipeline
from ingest import CiteloopError
from ingest.embed.embedder import load_embedder
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.api.conftest import MakePipeline
from tests.app.test_cli import ROW
from tests.conftest import PATIENCE, FakeLanguageModel

ROOT = Path(__file__).resolve().parents[2]


def call(pipeline: Pipeline, tool: str, **arguments: Any) -> CallToolResult:
    """What an agent gets from a tool."""

    async def run() -> CallToolResult:
        async with Client(create_agent_server(lambda: pipeline)) as client:
            return await client.call_tool(tool, arguments)

    return asyncio.run(run())


def said(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


@pytest.fixture
def pipeline(make_pipeline: MakePipeline) -> Pipeline:
    return make_pipeline()


def test_tools_are_described_for_agents() -> None:
    def never() -> Pipeline:
        raise AssertionError("models are loaded when a tool is called, not before")

    async def run() -> ListToolsResult:
        async with Client(create_agent_server(never)) as client:
            return await client.list_tools()

    search, ask = asyncio.run(run()).tools
    assert (search.name, ask.name) == ("search", "ask")
    for tool, arguments in ((search, {"query", "num_results"}), (ask, {"question"})):
        assert set(tool.input_schema["properties"]) == arguments
        assert all("description" in argument for argument in tool.input_schema["properties"].values())
        assert tool.description is not None
        assert "documents" in tool.description
        assert tool.output_schema is not None
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint is True


def test_search_gives_the_rows_of_the_command_line(pipeline: Pipeline) -> None:
    found = call(pipeline, "search", query="hotel a night", num_results=2).structured_content
    assert found is not None
    assert found["ranking"][0]["document"] == "handbook/travel.md"
    assert len(found["ranking"]) == 2
    assert list(found["ranking"][0]) == ROW


@pytest.mark.usefixtures("rare_words")
def test_agents_are_told_the_corrected_query(pipeline: Pipeline) -> None:
    asked = call(pipeline, "ask", question="What does a hotle cost?").structured_content
    found = call(pipeline, "search", query="a hotle").structured_content
    assert asked is not None
    assert found is not None
    assert (asked["query"], found["query"]) == ("What does a hotel cost?", "a hotel")


def test_ask_gives_answer_and_citations(pipeline: Pipeline) -> None:
    result = call(pipeline, "ask", question="How many days of leave are there?")
    answer = result.structured_content
    assert answer is not None
    assert set(answer) == set(AgentAnswer.model_fields)
    assert "30 days of leave" in answer["answer"]
    assert answer["citations"][0]["document"] == "handbook/leave.md"
    assert json.loads(said(result)) == answer  # for clients that read text only


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("search", {"query": " "}), ("search", {"query": "x", "num_results": 0}), ("ask", {"question": "x" * 2001})],
)
def test_wrong_arguments_are_said(pipeline: Pipeline, tool: str, arguments: dict[str, Any]) -> None:
    result = call(pipeline, tool, **arguments)
    assert result.is_error
    assert next(iter(arguments)) in said(result) or "num_results" in said(result)


def test_what_cannot_be_done_says_why_and_a_fault_says_nothing(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error, expected in (
        (CiteloopError("the table is damaged; run: citeloop doctor"), "run: citeloop doctor"),
        (ZeroDivisionError("a secret"), "Error executing tool search"),
    ):

        def fail(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(pipeline, "rank", fail)
        result = call(pipeline, "search", query="leave")
        assert result.is_error
        assert expected in said(result)
        assert "secret" not in said(result)


def test_agent_that_no_longer_waits_ends_the_answer(make_pipeline: MakePipeline) -> None:
    has_begun, has_ended = threading.Event(), threading.Event()

    class Writer(FakeLanguageModel):
        def stream(self, messages: Sequence[Mapping[str, str]], stop: threading.Event | None = None) -> Iterator[str]:
            assert stop is not None
            has_begun.set()
            if stop.wait(PATIENCE):
                has_ended.set()
            yield "too late"

    async def run() -> None:
        async with Client(create_agent_server(lambda: writing)) as client:
            asking = asyncio.ensure_future(client.call_tool("ask", {"question": "How many days of leave?"}))
            assert await asyncio.to_thread(has_begun.wait, PATIENCE)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert await asyncio.to_thread(has_ended.wait, PATIENCE)

    writing = make_pipeline(Writer())
    asyncio.run(run())


NOISY = """
import os
from app.api.agents import create_agent_server
from ingest import CiteloopError

def pipeline():
    print("noise")
    os.write(1, b"more noise\\n")
    raise CiteloopError("no pipeline")

create_agent_server(pipeline).run("stdio")
"""


def test_standard_output_carries_the_protocol_only() -> None:
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    requests: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "ask", "arguments": {"question": "leave"}}},
    ]
    process = subprocess.Popen(
        [sys.executable, "-c", NOISY],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": ""},  # what is printed waits until the end, which is the worst case
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for request in requests:
        process.stdin.write(json.dumps({"jsonrpc": "2.0", **request}) + "\n")
        process.stdin.flush()
    lines = [json.loads(process.stdout.readline()) for _ in range(2)]
    rest, noise = process.communicate(timeout=PATIENCE)  # closes its input, which ends it
    assert [line["id"] for line in lines] == [1, 2]
    assert "no pipeline" in lines[1]["result"]["content"][0]["text"]
    assert rest == ""
    assert "noise\n" in noise
    assert "more noise\n" in noise
    assert process.returncode == 0


@pytest.mark.slow
def test_an_agent_asks_over_standard_input_with_real_models(home: Path, documents: Path) -> None:
    embedder = load_embedder()
    list(ingest([documents], ChunkTable(home, embedder), embedder))
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "app.commands.main", "mcp", "--home", str(home)],
        cwd=ROOT,
        env={"HF_HUB_OFFLINE": "1"},
    )

    async def run() -> list[CallToolResult]:
        async with Client(stdio_client(command)) as client:
            found = await client.call_tool("search", {"query": "hotel", "num_results": 1})
            return [found, await client.call_tool("ask", {"question": "How many days of leave are there?"})]

    found, answer = (result.structured_content for result in asyncio.run(run()))
    assert found is not None
    assert (found["reranker"], found["ranking"][0]["document"]) == ("shipped", "handbook/travel.md")
    assert answer is not None
    assert "30 days of leave" in answer["answer"]
