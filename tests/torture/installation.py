"""An installation that is broken on purpose, and what it has promised to keep.

A document counts as stored once `citeloop ingest` names it, an answer or a vote once the API answers with 200 and
does not say that it is not saved.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from app.access.keys import KeyStore
from app.access.limits import Limits
from app.feedback import FeedbackStore, Judgement
from ingest.jobs import JobStore
from ingest.table import stored_documents

ROOT = Path(__file__).parents[2]
NUM_PARTS = 4
_NUM_DOCUMENTS = 10
_NUM_QUESTIONS = 80
_PATIENCE_SECONDS = 600
"""Far more than anything takes, also on a machine that is busy with other things."""


@dataclass
class Installation:
    """A home, its documents, its server, and what was acknowledged.

    language_model: its base URL. versions: of each document in the folder. allowed: versions of a document that the
    table may have. back_seconds: how long each start of the server took until it answered.
    """

    root: Path
    chance: random.Random
    language_model: str
    versions: dict[str, int] = field(default_factory=dict)
    allowed: dict[str, set[int]] = field(default_factory=dict)
    answers: set[str] = field(default_factory=set)
    votes: set[str] = field(default_factory=set)
    back_seconds: list[float] = field(default_factory=list)
    _server: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.home, self.folder = self.root / "home", self.root / "documents"

    def begin(self) -> None:
        """Add documents and judgements, and start the server."""
        self.folder.mkdir(parents=True)
        self.key = self.new_key("torture")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        for _ in range(_NUM_DOCUMENTS):
            self.write(f"{len(self.versions):02}.md")
        self.ingest()
        self._judge()
        self.start()

    # documents -------------------------------------------------------------------------------------------

    def write(self, name: str) -> None:
        """Write the next version of a document."""
        version = self.versions[name] = self.versions.get(name, -1) + 1
        parts = (f"## Part {part}\n\nPump {name} turns {part}{version} times.\n" for part in range(NUM_PARTS))
        (self.folder / name).write_text(f"# Pump {name} version {version}\n\n" + "\n".join(parts))
        self.allowed.setdefault(name, {-1}).add(version)

    def change(self) -> None:
        """Change some documents and add one."""
        for name in self.chance.sample(sorted(self.versions), _NUM_DOCUMENTS // 2):
            self.write(name)
        self.write(f"{len(self.versions):02}.md")

    def ingest(self) -> None:
        """Bring the table up to date, undisturbed."""
        done = self.run("ingest", str(self.folder), "--json")
        assert done.returncode == 0, f"an undisturbed ingest failed: {done.stderr.decode()[-800:]}"
        for result in json.loads(done.stdout)["files"]:
            self._stored(result["name"])
        self.check_documents()
        assert {name: {version} for name, version in self.versions.items()} == self.allowed

    def _stored(self, name: str) -> None:
        self.allowed[name] = {self.versions[name]}

    def note_told(self, output: bytes) -> None:
        """Take note of what a killed ingest has said that it stored."""
        for name in re.findall(rb"^(?:added|replaced) +(\S+\.md)", output, re.MULTILINE):
            self._stored(name.decode())

    def check_documents(self) -> None:
        """Check that each document is there once and whole, in a version that it may have."""
        found: dict[str, int] = {}
        for document in stored_documents(self.home):
            assert document.name not in found, f"{document.name} is there twice"
            assert document.num_chunks == NUM_PARTS, (
                f"{document.name} has {document.num_chunks} of {NUM_PARTS} passages"
            )
            found[document.name] = int(document.title.rpartition(" ")[2])
        for name, allowed in self.allowed.items():
            version = found.get(name, -1)
            assert version in allowed, f"{name} has version {version}, expected one of {sorted(allowed)}"
            self.allowed[name] = allowed & {version, self.versions[name]}

    # commands and the server -----------------------------------------------------------------------------

    def command(
        self, *arguments: str, module: str = "app.commands.main", log: IO[bytes] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a command in a session of its own; its output is piped, or goes to the log."""
        variables = {key: value for key, value in os.environ.items() if not key.startswith(("CITELOOP_", "OPENAI_"))}
        variables |= {"CITELOOP_HOME": str(self.home), "OPENAI_BASE_URL": self.language_model, "OPENAI_MODEL": "m"}
        return subprocess.Popen(
            [sys.executable, "-u", "-m", module, *arguments],
            cwd=ROOT,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=log or subprocess.PIPE,
            stderr=log or subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end."""
        with self.command(*arguments) as process:
            output, errors = process.communicate(timeout=_PATIENCE_SECONDS)
            return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    @property
    def server(self) -> int:
        """The server's process id."""
        assert self._server
        return self._server.pid

    def new_key(self, name: str) -> str:
        """Make a key for the API."""
        return KeyStore(self.home).create(name, Limits(num_users=20, rate=10_000))

    def start(self) -> None:
        """Start the server and wait until it answers."""
        begun = time.monotonic()
        with (self.root / "server.log").open("ab") as log:
            self._server = self.command("serve", "--port", str(self.port), "--api", log=log)
        self.wait_for("the server answers", lambda: self._get("/v1/openapi.json") and self._get("/"))
        self.back_seconds.append(time.monotonic() - begun)

    def kill(self) -> None:
        """Kill the server and what it has started, which has sessions of its own."""
        if self._server:
            self._server.kill()
            self._server.wait()

    def wait_for(self, what: str, is_so: Callable[[], object]) -> None:
        """Wait until something is so; it is stuck if that takes minutes."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not is_so():
            assert time.monotonic() < deadline, f"stuck: never came to pass: {what}"
            assert self._server is None or self._server.poll() is None, "the server has ended by itself"
            time.sleep(0.1)

    def _get(self, path: str) -> bool:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            return bool(answer.status == 200)
        return False

    def post(self, path: str, **body: object) -> dict[str, Any] | None:
        """Return the API's answer; None where it refused, or the connection broke."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        data = json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/v1{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS) as answer:
                return dict(json.load(answer))
        except (OSError, ValueError, urllib.error.HTTPError):
            return None

    # answers and votes -----------------------------------------------------------------------------------

    def ask(self) -> dict[str, Any] | None:
        """Ask a question and strike out a source or keep it; note what was acknowledged."""
        name, part = self.chance.choice(sorted(self.versions)), self.chance.randrange(NUM_PARTS)
        question = f"How often does pump {name} turn in part {part}?"
        answer = self.post("/ask", question=question, user="ann", stream=False)
        if answer is None or answer["note"].startswith("Not saved"):
            return answer
        self.answers.add(answer["answer_id"])
        action = self.chance.choice(["deleted", "kept"])
        vote = self.post("/feedback", answer_id=answer["answer_id"], number=1, action=action, user="ann")
        if vote and vote["event"]:
            self.votes.add(vote["event"]["id"])
        return answer

    def check_answers(self) -> None:
        """Check that no acknowledged answer or vote is lost."""
        with closing(sqlite3.connect(self.home / "citeloop.sqlite3")) as database:
            for table, acknowledged in (("answers", self.answers), ("events", self.votes)):
                lost = acknowledged - {row[0] for row in database.execute(f"SELECT id FROM {table}")}
                assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged {table} are lost"

    def check(self) -> None:
        """Check that it answers, has kept its promises, and that no job is stuck."""
        answer = self.ask()
        assert answer, "it does not answer"
        assert not answer["note"].startswith("Not saved"), answer["note"]
        self.check_answers()
        self.check_documents()
        jobs = JobStore(self.home)
        self.wait_for("no ingest is open", lambda: not any(job.is_open for job in jobs.jobs()))

    def _judge(self) -> None:
        """Judge enough questions to train."""
        store, names = FeedbackStore(self.home), sorted(self.versions)
        for number in range(_NUM_QUESTIONS):
            name, other = names[number % len(names)], names[(number + 1) % len(names)]
            question = f"How often does pump {name} turn, question {number}?"
            answering = Judgement(user="cat", question=question, label="relevant", text=f"Pump {name} turns 10 times.")
            store.judge([answering, replace(answering, label="not relevant", text=f"Pump {other} stops.")])

    def close(self) -> None:
        """Stop everything."""
        if self._server and self._server.poll() is None:
            os.killpg(self._server.pid, signal.SIGTERM)
            self._server.wait(60)
