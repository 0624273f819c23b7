"""A chat completions server with one fault at a time, for tests of what becomes of an answer then.

with FaultyServer("cut") as server:
    ...  # ask server.url
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

DONE = "data: [DONE]\n\n"
TEXT = ("Everybody has ", "30 days of leave [1].")
HUGE = 20 * 2**20


def event(content: str | None = None, finish_reason: str | None = None, *, index: int = 0, **delta: object) -> str:
    """One server-sent event with one choice."""
    changes = {**({} if content is None else {"content": content}), **delta}
    choice = {"index": index, "delta": changes, "finish_reason": finish_reason}
    return raw({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})


def raw(data: object) -> str:
    """One server-sent event with any JSON."""
    return f"data: {json.dumps(data)}\n\n"


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Reply(BaseHTTPRequestHandler):
    """One request and how it is answered; the faults below write through it."""

    protocol_version = "HTTP/1.1"
    server: _Server
    request_json: Mapping[str, Any]

    def do_GET(self) -> None:
        self.server.owner.requests.append((self.path, dict(self.headers), {}))
        models = self.server.owner.models
        if not self.path.endswith("/v1/models") or models is None:
            self.send_json(404, {"error": {"message": f"no such path: {self.path}"}})
        else:
            self.send_json(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in models]})

    def do_POST(self) -> None:
        owner = self.server.owner
        self.request_json = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        owner.requests.append((self.path, dict(self.headers), self.request_json))
        try:
            FAULTS[owner.next_fault()](self)
        except (ConnectionError, ValueError):  # the client has gone
            owner.left.set()
            self.close_connection = True

    def send_json(self, status: int, record: object, **headers: str) -> None:
        self.send_text(status, json.dumps(record), "application/json", **headers)

    def send_text(self, status: int, text: str, content_type: str, **headers: str) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in {"content-type": content_type, **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status: int, message: str, code: str | None = None, **headers: str) -> None:
        self.send_json(status, {"error": {"message": message, "code": code}}, **headers)

    def stream(self, *events: str) -> None:
        """A whole body of server-sent events."""
        self.begin()
        for each in events:
            self.send(each)
        self.end()

    def begin(self, content_type: str = "text/event-stream") -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send(self, text: str) -> None:
        body = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(body), body))
        self.wfile.flush()

    def end(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def wait(self) -> None:
        """A moment; raises ConnectionError when the client goes away meanwhile."""
        owner = self.server.owner
        self.connection.settimeout(owner.delay_seconds)
        try:
            if not self.connection.recv(1, socket.MSG_PEEK):
                raise ConnectionAbortedError
        except TimeoutError:
            return
        finally:
            self.connection.settimeout(None)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _fine(reply: Reply) -> None:
    reply.stream(event(""), *map(event, TEXT), event(None, "stop"), DONE)


def _slow_first_token(reply: Reply) -> None:
    reply.begin()
    reply.wait()
    reply.send("".join([*map(event, TEXT), event(None, "stop"), DONE]))  # at once: nothing stalls in between
    reply.end()


def _silent(reply: Reply) -> None:
    while True:
        reply.wait()


def _forever(piece: Callable[[Reply], str]) -> Callable[[Reply], None]:
    def answer(reply: Reply) -> None:
        reply.begin()
        while True:
            reply.send(piece(reply))

    return answer


def _drip(reply: Reply) -> None:
    reply.begin()
    while True:
        reply.send(event("a "))
        reply.wait()


def _comments_only(reply: Reply) -> None:
    reply.begin()
    while True:
        reply.send(": still thinking\n\n")
        reply.wait()


def _stall(reply: Reply) -> None:
    reply.begin()
    reply.send(event(TEXT[0]))
    _silent(reply)


def _cut(reply: Reply) -> None:
    reply.begin()
    reply.send(event(TEXT[0]))
    reply.close_connection = True  # without the chunk that would end the body


def _cut_before_anything(reply: Reply) -> None:
    reply.begin()
    reply.close_connection = True


def _echo_prompt(reply: Reply) -> None:
    reply.stream(*(event(message["content"]) for message in reply.request_json["messages"]), event(None, "stop"), DONE)


def _no_system_role(reply: Reply) -> None:
    if any(message["role"] == "system" for message in reply.request_json["messages"]):
        reply.refuse(400, "System role not supported")
    else:
        _fine(reply)


def _no_temperature(reply: Reply) -> None:
    if "temperature" in reply.request_json:
        reply.refuse(400, "Unsupported value: 'temperature' does not support 0 with this model.", "unsupported_value")
    else:
        _fine(reply)


def _key_in_error(reply: Reply) -> None:
    reply.refuse(401, f"Incorrect API key provided: {reply.headers.get('Authorization', '').removeprefix('Bearer ')}")


def _refuses(status: int, message: str, code: str | None = None, **headers: str) -> Callable[[Reply], None]:
    return lambda reply: reply.refuse(status, message, code, **headers)


def streams(*events: str) -> Callable[[Reply], None]:
    return lambda reply: reply.stream(*events)


_TOOL = [{"index": 0, "id": "1", "type": "function", "function": {"name": "search", "arguments": "{}"}}]

FAULTS: dict[str, Callable[[Reply], None]] = {
    "none": _fine,
    # refusals
    "busy": _refuses(429, "Rate limit reached"),
    "busy for a moment": _refuses(429, "Rate limit reached", retry_after_ms="1"),
    "busy for a second": _refuses(429, "Rate limit reached", retry_after="1"),
    "busy for half a minute": _refuses(429, "Rate limit reached", retry_after="30"),
    "busy for 90 seconds": _refuses(429, "Rate limit reached", retry_after="90"),
    "busy until 2100": _refuses(503, "Maintenance", retry_after="Fri, 01 Jan 2100 00:00:00 GMT"),
    "no credit": _refuses(429, "You exceeded your current quota", "insufficient_quota"),
    "broken": _refuses(500, "Internal server error"),
    "half an emoji": _refuses(500, "Out of memory \ud83d"),
    "wrong key": _key_in_error,
    "forbidden": _refuses(403, "This key may not use this model"),
    "unknown model": _refuses(404, "model not found"),
    "too long": _refuses(400, "maximum context length is 4096 tokens", "context_length_exceeded"),
    "no temperature": _no_temperature,
    "no system role": _no_system_role,
    "elsewhere": lambda reply: reply.send_json(307, {}, location="http://elsewhere.example/v1"),
    # time
    "slow first token": _slow_first_token,
    "no first token": _silent,
    "drip": _drip,
    "comments only": _comments_only,
    "stall": _stall,
    # endings
    "cut": _cut,
    "cut before anything": _cut_before_anything,
    "no finish reason": streams(event(TEXT[0]), DONE),
    "length": streams(event(TEXT[0]), event(None, "length"), DONE),
    "content filter": streams(event(TEXT[0]), event(None, "content_filter"), DONE),
    "unknown finish reason": streams(event(TEXT[0]), event(None, "overheated"), DONE),
    "error in the stream": streams(event(TEXT[0]), raw({"error": {"message": "overloaded", "code": 529}})),
    "refusal": streams(event(None, refusal="I cannot help "), event(None, "stop", refusal="with that."), DONE),
    "empty": streams(event(""), event(None, "stop"), DONE),
    "white space": streams(event(" \n"), event(None, "stop"), DONE),
    "tool call": streams(event(None, tool_calls=_TOOL), event(None, "tool_calls"), DONE),
    # no completion
    "html": lambda reply: reply.send_text(200, "<html>Sign in</html>", "text/html"),
    "html error": lambda reply: reply.send_text(502, "<html>Bad gateway</html>", "text/html"),
    "json": lambda reply: reply.send_json(200, {"choices": [{"index": 0, "message": {"content": "30 days"}}]}),
    "malformed chunk": streams(event(TEXT[0]), "data: {not json\n\n"),
    # too much
    "huge chunk": streams(event("a" * HUGE), event(None, "stop"), DONE),
    "endless": _forever(lambda _: event("more and more ")),
    "endless line": lambda reply: _endless_line(reply),
    # whole, and yet wrong
    "wrong number": streams(event("Everybody has 30 days of leave [7]."), event(None, "stop"), DONE),
    "prompt echoed": _echo_prompt,
    "two answers": streams(
        event(TEXT[0]), event("No ", index=1), event(TEXT[1]), event("leave.", "stop", index=1), event(None, "stop")
    ),
    "thoughts": streams(
        event(None, reasoning_content="Hm. "),
        event("\n<th"),
        event("ink>Hm, "),
        event("30?</thi"),
        event("nk>\n"),
        event("\n"),
        *map(event, TEXT),
        event(None, "stop"),
        DONE,
    ),
    "thoughts only": streams(event("<think>Hm, 30?"), event(None, "stop"), DONE),
}
"""What the server does by name. `busy for a second` and the like also say how long by Retry-After."""


def _endless_line(reply: Reply) -> None:
    reply.begin()
    reply.send("data: ")
    while True:
        reply.send("a" * 2**20)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    owner: FaultyServer

    def handle_error(self, *_: Any) -> None:
        """Say nothing: clients that go away are what this server is for."""


class FaultyServer:
    """Answers with its faults in turn, and with the last of them from then on.

    requests: path, headers and JSON of each. left: set when a client went away before the end. models: what
    /v1/models lists; None: there is no such path. delay_seconds: a moment of the faults that take time.
    """

    def __init__(self, *faults: str) -> None:
        self._faults = list(faults) or ["none"]
        self.requests: list[tuple[str, dict[str, str], Mapping[str, Any]]] = []
        self.left = threading.Event()
        self.models: list[str] | None = ["writer-1"]
        self.delay_seconds = 0.05
        self._server = _Server(("127.0.0.1", 0), Reply)
        self._server.owner = self

    @property
    def url(self) -> str:
        """The base URL of its endpoint."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def use(self, *faults: str) -> None:
        """Answer with these from now on."""
        self._faults = list(faults)

    def next_fault(self) -> str:
        return self._faults.pop(0) if len(self._faults) > 1 else self._faults[0]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def faulty_server(*faults: str) -> Iterator[FaultyServer]:
    """The body of a fixture."""
    with FaultyServer(*faults) as server:
        yield server
