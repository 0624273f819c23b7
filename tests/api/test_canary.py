"""Questions, documents and keys never reach the log or the audit log, whatever fails."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import httpx2
import pytest
from pydantic import SecretStr

from app.access.audit import AuditLog
from app.answering import Answerer, AnswerJobStore
from app.language_model.endpoint import Endpoint
from app.language_model.openai_model import OpenAILanguageModel
from ingest.home.log import write_log
from ingest.pipeline import ingest
from ingest.table import ChunkTable
from tests.api.conftest import Api, MakePipeline, serving
from tests.app.faulty_server import FAULTS, FaultyServer, Reply
from tests.conftest import PATIENCE, FakeEmbedder

QUESTION, PASSAGE, KEY = "canaryquestion", "canarypassage", "canarykey"
CANARIES = (QUESTION, PASSAGE, KEY)
ReadLog = Callable[[], str]


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[ReadLog]:
    """Reads the log, in JSON and with every level of ours; logging is as before afterwards."""
    root = logging.root
    handlers, level = root.handlers[:], root.level
    monkeypatch.setenv("CITELOOP_LOG_FORMAT", "json")
    monkeypatch.setenv("CITELOOP_LOG_LEVEL", "debug")
    yield lambda: "".join(capsys.readouterr())
    root.handlers, root.level = handlers, level
    for name in ("app", "ingest"):
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.fixture
def canary(table: ChunkTable, documents: Path, embedder: FakeEmbedder) -> None:
    """A document that any question about canaries finds."""
    (documents / "it" / "canary.md").write_text(f"# Birds\n\nThe {PASSAGE} answers {QUESTION} about birds.\n")
    ingest([documents], table, embedder)


def expect_no_canary(written: str, home: Path) -> None:
    assert '"message": "search"' in written
    assert [each for each in CANARIES if each in written] == []
    AuditLog(home).add("ann", "tested")
    kept = str(AuditLog(home).entries())
    assert [each for each in CANARIES if each in kept] == []


def fail_with(question: str, *_: object, **__: object) -> NoReturn:
    raise ValueError(f"cannot read {question} or {PASSAGE} with {KEY}")


@pytest.mark.usefixtures("canary")
def test_requests_of_programs(
    api: Api, key: str, log: ReadLog, monkeypatch: pytest.MonkeyPatch, settings_home: Path
) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    with serving(api.site) as url, httpx2.Client(base_url=url, headers=headers, timeout=PATIENCE) as client:
        write_log()  # uvicorn has made its own
        for path, asked in {
            "search": {"query": QUESTION},
            "ask": {"question": QUESTION},
            "chat/completions": {"model": "citeloop", "messages": [{"role": "user", "content": QUESTION}]},
        }.items():
            assert client.post(f"/v1/{path}", json=asked).status_code == 200
            assert client.post(f"/v1/{path}", json={QUESTION: PASSAGE}).status_code == 422
        assert client.post("/v1/rerank", json={"query": QUESTION, "documents": [PASSAGE]}).status_code == 200
        answer = client.post("/v1/ask", json={"question": QUESTION, "stream": False}).json()
        strike = {"answer_id": answer["answer_id"], "number": 1, "action": "deleted"}
        assert client.post("/v1/feedback", json=strike).status_code == 200
        assert client.post(f"/v1/{QUESTION}?q={PASSAGE}").status_code == 404
        for wrong in ("/v1/search", f"/v1/search?key={KEY}"):
            assert client.post(wrong, json={}, headers={"Authorization": f"Bearer {KEY}"}).status_code == 401
        monkeypatch.setattr(api.pipeline, "rank", fail_with)
        failed = client.post("/v1/search", json={"query": QUESTION})
    written = log()
    assert failed.status_code == 500
    assert f'"request": "{failed.headers["X-Request-ID"]}"' in written
    assert "in fail_with" in written
    assert key not in written
    expect_no_canary(written, settings_home)


@pytest.fixture
def settings_home(api: Api) -> Path:
    return api.pipeline.settings.home


@pytest.mark.usefixtures("canary")
def test_questions_of_pages(api: Api, log: ReadLog, monkeypatch: pytest.MonkeyPatch, settings_home: Path) -> None:
    write_log()
    ids = []
    for fails in (False, True):
        answerer = Answerer(api.pipeline, api.store, AnswerJobStore(settings_home))
        if fails:
            monkeypatch.setattr(api.pipeline, "rank", fail_with)
        ids.append(answerer.ask(QUESTION, "conversation", "ann"))
        answerer.wait()
    written = log()
    lines = [json.loads(line) for line in written.splitlines()]
    for answer_id in ids:
        assert "question" in [line["message"] for line in lines if line["request"] == answer_id]
    stages = [line["message"] for line in lines if line["request"] == ids[0]]
    assert stages == ["wait", "search", "rerank", "answer", "question"]
    assert "in fail_with" in written
    expect_no_canary(written, settings_home)


@pytest.mark.parametrize("saved", [True, False])
@pytest.mark.usefixtures("canary")
def test_a_language_model_that_repeats_what_it_was_sent(
    make_pipeline: MakePipeline, log: ReadLog, saved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def repeat(reply: Reply) -> None:
        sent = {**reply.request_json, "headers": dict(reply.headers)}
        reply.send_text(500, json.dumps(sent), "text/plain")

    monkeypatch.setitem(FAULTS, "repeats", repeat)
    write_log()
    with FaultyServer("repeats") as server:
        endpoint = Endpoint(server.url, "m", SecretStr(KEY), saved=saved)
        pipeline = make_pipeline(OpenAILanguageModel(endpoint))
        assert pipeline.ask(QUESTION).note
    written = log()
    assert ("no language model" in written) == saved
    expect_no_canary(written, pipeline.settings.home)
