"""Many people at once: python -m tests.benchmarks.load --people 50 --minutes 10

Starts a server on the sample documents and a stand-in for the language model that writes 60 words in three seconds and
repeats the beginning of the question. Each person asks about once a minute, in a program's way (`/v1/ask`). Prints how
many were answered, how fast, whose answer was mixed up, how long the server's health took, and its memory.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import numpy as np

from app.access.keys import KeyStore
from app.access.limits import Limits
from tests.benchmarks.timing import machine

_NUM_WORDS, _WORD_SECONDS = 60, 0.05
_PATIENCE_SECONDS = 120.0
_SHOWN = 40
"""Letters of a question that its answer repeats; one that repeats more counts as an echo of the prompt."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: HTTP status, 0 if the connection failed; seconds until the sources and until the end."""

    status: int
    first: float
    whole: float
    is_mixed_up: bool = False


class StandIn(BaseHTTPRequestHandler):
    """Streams the question and then words."""

    protocol_version = "HTTP/1.0"

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        question = request["messages"][-1]["content"].rpartition("Question: ")[2][:_SHOWN]
        for word in [f"{question} [1].", *["word"] * _NUM_WORDS, ""]:
            choice = {"index": 0, "delta": {"content": f"{word} "}, "finish_reason": None if word else "stop"}
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            time.sleep(_WORD_SECONDS)
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_: object) -> None:
        pass


def questions() -> list[str]:
    """Return the questions about the sample."""
    lines = Path("data/eval/sample/queries.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines]


def main() -> None:
    """Print one record."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder, _model() as model_url, _server(Path(folder), model_url) as (url, pid):
        key = KeyStore(Path(folder)).create("load", Limits(rate=10_000, num_users=options.people + 1))
        time.sleep(options.settle)
        memory = [_megabytes(pid)]
        stop = threading.Event()
        health: list[float] = []
        watching = threading.Thread(target=_watch_health, args=(url, stop, health))
        watching.start()
        until = time.monotonic() + 60 * options.minutes
        with ThreadPoolExecutor(options.people) as people:
            asked = [
                one
                for many in people.map(lambda n: list(_person(n, url, key, until)), range(options.people))
                for one in many
            ]
        stop.set()
        watching.join()
        memory.append(_megabytes(pid))
    print(json.dumps({"machine": machine(), "load": os.getloadavg(), **_record(asked, health, memory)}, indent=1))


def _record(asked: Sequence[Asked], health: Sequence[float], memory: Sequence[float]) -> dict[str, object]:
    answered = [one for one in asked if one.status == 200]
    return {
        "questions": len(asked),
        "answered": len(answered) / len(asked),
        "told_to_come_later": sum(one.status == 429 for one in asked) / len(asked),
        "failed": sum(one.status not in (200, 429) for one in asked),
        "mixed_up": sum(one.is_mixed_up for one in asked),
        "seconds_to_sources": _percentiles([one.first for one in answered]),
        "seconds_to_answer": _percentiles([one.whole for one in answered]),
        "health_ms": _percentiles([1000 * one for one in health]),
        "memory_mb": memory,
    }


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    return {f"p{percent}": round(float(np.percentile(values, percent)), 3) for percent in (50, 90, 99)}


def _person(number: int, url: str, key: str, until: float) -> Iterator[Asked]:
    """Ask again and again, a minute apart on average."""
    dice, texts = random.Random(number), questions()
    time.sleep(dice.uniform(0, 60))
    with httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=_PATIENCE_SECONDS) as client:
        while time.monotonic() < until:
            started = time.monotonic()
            yield _ask(client, url, dice.choice(texts), f"person-{number}")
            time.sleep(max(0.0, dice.uniform(30, 90) - (time.monotonic() - started)))


def _ask(client: httpx.Client, url: str, question: str, user: str) -> Asked:
    started, first, text = time.monotonic(), 0.0, ""
    try:
        with client.stream("POST", f"{url}/v1/ask", json={"question": question, "user": user}) as response:
            for line in response.iter_lines():
                first = first or time.monotonic() - started
                text = line if line.startswith("data:") else text
            whole = time.monotonic() - started
            if response.status_code != 200:
                return Asked(response.status_code, first, whole)
    except httpx.HTTPError:
        return Asked(0, first, time.monotonic() - started)
    answer = json.loads(text.removeprefix("data:"))
    is_mixed_up = answer["question"] != question or (answer["query"] or question)[:_SHOWN] not in answer["answer"]
    return Asked(200, first, whole, is_mixed_up)


def _watch_health(url: str, stop: threading.Event, seconds: list[float]) -> None:
    with httpx.Client(timeout=_PATIENCE_SECONDS) as client:
        while not stop.wait(1):
            started = time.monotonic()
            client.get(f"{url}/_stcore/health").raise_for_status()
            seconds.append(time.monotonic() - started)


@contextmanager
def _model() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), StandIn) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()


@contextmanager
def _server(home: Path, model_url: str) -> Iterator[tuple[str, int]]:
    """Yield the address and process id of a server with the sample documents."""
    command = [sys.executable, "-m", "app.commands.main"]
    subprocess.run([*command, "ingest", "data/sample", "--home", home], check=True, stdout=subprocess.DEVNULL)
    environment = {**os.environ, "OPENAI_BASE_URL": model_url, "OPENAI_API_KEY": "none", "OPENAI_MODEL": "m"}
    serve = [*command, "serve", "--api", "--port", "0", "--home", str(home)]
    with subprocess.Popen(serve, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            line = next(line for line in process.stdout if "starting on" in line)
            yield re.findall(r"http://\S+", line)[0], process.pid
        finally:
            process.terminate()


def _megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.load", description=__doc__)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--settle", type=float, default=90, help="seconds to wait for the server to be ready")
    return parser.parse_args()


if __name__ == "__main__":
    main()
