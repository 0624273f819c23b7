from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.access.keys import KeyStore
from app.access.limits import SCOPES, Limits
from app.answer import Answer
from app.api.guard import MAX_BODY_BYTES
from app.reranking.rerank import RerankerError
from ingest import CiteloopError
from tests.api.conftest import Api
from tests.app.test_cli import ROW
from tests.conftest import FakeReranker

PATHS = ["/v1/search", "/v1/rerank", "/v1/ask", "/v1/feedback", "/v1/chat/completions"]


def message(response: Any) -> str:
    """The message of an error; it has no other shape, and holds no stack trace."""
    (error,) = response.json().values()
    assert list(response.json()) == ["error"]
    assert list(error) == ["message", "type", "param", "code"]
    assert "Traceback" not in error["message"]
    return str(error["message"])


# Keys and sizes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*PATHS, "/v1/nonsense", "/v1/docs"])
@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer citeloop_wrong", "Basic {key}", "{key}", "Bearer ü"])
def test_without_a_known_key_nothing_is_done(client: TestClient, key: str, path: str, header: str | None) -> None:
    headers = {b"Authorization": header.format(key=key).encode("latin-1")} if header is not None else {}
    client.headers.pop("Authorization")
    response = client.post(path, content=b"{broken", headers=headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert "citeloop keys add NAME" in message(response)


def test_key_that_is_removed_is_refused_at_once(client: TestClient, keys: KeyStore) -> None:
    assert client.post("/v1/search", json={"query": "leave"}).status_code == 200
    keys.remove("helpdesk")
    assert client.post("/v1/search", json={"query": "leave"}).status_code == 401


@pytest.mark.parametrize("key", ["citeloop_wrong", "the right one"])
def test_keys_that_cannot_be_read_are_said(
    client: TestClient, home: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setattr("ingest.home.database._BUSY_SECONDS", 0.1)
    headers = {"Authorization": f"Bearer {key}"} if key == "citeloop_wrong" else {}
    path = home / "citeloop.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        response = client.post("/v1/search", json={"query": "leave"}, headers=headers)
        assert client.get("/v1/openapi.json").status_code == 200
    assert response.status_code == 503
    assert "check free space and permissions" in message(response)


def test_keys_are_never_logged(client: TestClient, key: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client.post("/v1/search", json={"query": "leave"})
    client.post("/v1/search", content=b"{broken")
    assert key not in caplog.text


def test_body_that_is_declared_too_large_is_not_read(client: TestClient) -> None:
    response = client.post("/v1/rerank", content=b" " * (MAX_BODY_BYTES + 1))
    assert response.status_code == 413
    assert "5,000,000 bytes" in message(response)


def test_body_that_turns_out_too_large_is_not_read_on(client: TestClient) -> None:
    num_sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal num_sent
        for _ in range(100):
            num_sent += 1
            yield b" " * 1_000_000

    response = client.post("/v1/rerank", content=pieces())
    assert response.status_code == 413
    assert "5,000,000 bytes" in message(response)


def test_other_sites_are_not_let_in(client: TestClient) -> None:
    headers = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    response = client.options("/v1/search", headers=headers)
    assert response.status_code == 405
    assert not any(name.startswith("access-control") for name in response.headers)


# Errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("search", {}, "query: Field required"),
        ("search", {"query": " "}, "query: String should have at least 1 character"),
        ("search", {"query": "x" * 2001}, "query: String should have at most 2000"),
        ("search", {"query": "x", "num_results": 0}, "num_results: "),
        ("search", {"query": "x", "num_results": 101}, "num_results: "),
        ("search", {"query": "x", "top_k": 3}, "top_k: Extra inputs"),
        ("search", {"query": "x", "reranker": "http://127.0.0.1:9"}, "expected one of live, none, shipped"),
        ("search", {"query": "x", "reranker": "org/model"}, "expected one of live, none, shipped"),
        ("ask", {"question": "x", "reranker": "/etc"}, "expected one of live, none, shipped"),
        ("ask", {"question": "x", "user": "a/b"}, "user: String should match"),
        ("rerank", {"query": "x", "documents": []}, "documents: List should have at least 1"),
        ("rerank", {"query": "x", "documents": ["a"] * 1001}, "documents: List should have at most 1000"),
        ("rerank", {"query": "x", "documents": ["a"], "model": "none"}, "expected one of live, shipped"),
        ("rerank", {"query": "x", "documents": ["a"], "model": "rerank-v3.5"}, "expected one of live, shipped"),
        ("rerank", {"query": "x", "documents": ["a"], "top_n": 0}, "top_n: "),
        ("rerank", {"query": "x", "documents": [3, {"title": "a"}]}, "documents.0.str: "),
        ("feedback", {"answer_id": "x", "number": 1, "action": "liked"}, "action: Input should be 'deleted'"),
        ("feedback", {"answer_id": "x", "number": 1, "action": "deleted", "reason": "bad"}, "reason: "),
        ("feedback", {"answer_id": "x", "action": "kept"}, "either by number or by chunk_id"),
        ("feedback", {"answer_id": "x", "number": 1, "chunk_id": "y", "action": "kept"}, "either by number"),
        ("feedback", {"answer_id": "x", "number": 1, "action": "kept", "reason": "other"}, "action deleted"),
    ],
)
def test_wrong_values_are_said_in_plain_words(
    client: TestClient, path: str, body: dict[str, Any], expected: str
) -> None:
    response = client.post(f"/v1/{path}", json=body)
    assert response.status_code == 422
    assert expected in message(response)
    assert len(message(response)) < 1000


@pytest.mark.parametrize("content", [b"", b"{broken", b"[]", b'"x"', b'{"query": "\\ud800"}', b"\xff", b"[" * 100_000])
def test_body_that_is_no_json_object_is_refused(client: TestClient, content: bytes) -> None:
    response = client.post("/v1/search", content=content, headers={"Content-Type": "application/json"})
    assert response.status_code in (400, 422)
    assert message(response)


def test_path_that_is_not_there_and_wrong_method(client: TestClient) -> None:
    missing, wrong = client.get("/v1/nonsense"), client.get("/v1/search")
    assert (missing.status_code, message(missing)) == (404, "Not Found")
    assert (wrong.status_code, message(wrong)) == (405, "Method Not Allowed")


@pytest.mark.parametrize("path", ["search", "ask"])
def test_what_cannot_be_done_now_says_why(
    client: TestClient, api: Api, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> Answer:
        raise CiteloopError("the table is damaged; run: citeloop doctor")

    monkeypatch.setattr(api.pipeline, "rank", fail)
    response = client.post(f"/v1/{path}", json={"query" if path == "search" else "question": "leave"})
    assert (response.status_code, message(response)) == (503, "the table is damaged; run: citeloop doctor")


def test_fault_is_logged_and_not_shown(client: TestClient, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> Answer:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(api.pipeline, "rank", fail)
    response = client.post("/v1/search", json={"query": "leave"})
    assert response.status_code == 500
    assert message(response) == f"internal error; see the server log for request {response.headers['X-Request-ID']}"
    with TestClient(api.site, headers=dict(client.headers)) as strict, pytest.raises(ZeroDivisionError):
        strict.post("/v1/search", json={"query": "leave"})  # which is how it comes into the server's log


# Search ----------------------------------------------------------------------------------------------


def test_search_gives_the_rows_of_the_command_line(client: TestClient, api: Api) -> None:
    found = client.post("/v1/search", json={"query": " hotel a night "}).json()
    ranking = api.pipeline.rank("hotel a night").ranking
    assert found["ranking"] == [json.loads(json.dumps(ranked.as_row())) for ranked in ranking]
    assert list(found["ranking"][0]) == ROW
    assert found["ranking"][0]["document"] == "handbook/travel.md"
    assert (found["query"], found["reranker"], found["note"]) == ("hotel a night", "none", "")
    assert set(found["timings_ms"]) == {"search", "rerank"}


@pytest.mark.usefixtures("rare_words")
@pytest.mark.parametrize(("path", "asked"), [("/v1/search", "query"), ("/v1/ask", "question")])
def test_typos_are_corrected_unless_searched_as_typed(client: TestClient, path: str, asked: str) -> None:
    body = {asked: "a hotle", **({} if asked == "query" else {"stream": False})}
    corrected = client.post(path, json=body).json()
    assert (corrected["query"], corrected["corrected_from"]) == ("a hotel", "a hotle")
    as_typed = client.post(path, json={**body, "as_typed": True}).json()
    assert (as_typed["query"], as_typed["corrected_from"]) == ("a hotle", "")


def test_search_gives_as_many_as_asked_for_by_the_reranker_asked_for(client: TestClient, scorer: FakeReranker) -> None:
    scorer._scores = {"tunnel": 10.0}
    found = client.post("/v1/search", json={"query": "leave", "num_results": 1, "reranker": "shipped"}).json()
    assert found["reranker"] == "shipped"
    assert [row["document"] for row in found["ranking"]] == ["it/vpn.md"]


def test_search_falls_back_when_the_reranker_fails(
    client: TestClient, scorer: FakeReranker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_query: str, _passages: list[str]) -> list[float]:
        raise RerankerError("it is gone")

    monkeypatch.setattr(scorer, "score", fail)
    found = client.post("/v1/search", json={"query": "leave", "reranker": "shipped"}).json()
    assert found["reranker"] == "none"
    assert "it is gone" in found["note"]


# Feedback --------------------------------------------------------------------------------------------


@pytest.fixture
def asked(client: TestClient) -> Any:
    """An answer that helpdesk asked for."""
    return client.post("/v1/ask", json={"question": "How many days of leave?", "stream": False}).json()


def test_feedback_is_kept_once_with_who_it_was(client: TestClient, api: Api, asked: Any) -> None:
    body = {"answer_id": asked["answer_id"], "number": 2, "action": "deleted", "reason": "outdated", "user": "ann"}
    first, second = (client.post("/v1/feedback", json=body).json() for _ in range(2))
    (event,) = api.store.events()
    assert (event.user, event.action, event.reason) == ("api:helpdesk/ann", "deleted", "outdated")
    assert (event.number, event.chunk_id) == (2, asked["citations"][1]["chunk_id"])
    assert first["recorded"] is True
    assert first["event"]["id"] == event.id
    assert second == {"recorded": False, "event": None}


def test_feedback_by_chunk_is_that_by_number(client: TestClient, api: Api, asked: Any) -> None:
    chunk_id = asked["citations"][0]["chunk_id"]
    for action in ("deleted", "undone", "opened", "kept"):
        body = {"answer_id": asked["answer_id"], "chunk_id": chunk_id, "action": action}
        assert client.post("/v1/feedback", json=body).json()["recorded"]
    assert [(event.action, event.user, event.number) for event in api.store.events()] == [
        (action, "api:helpdesk", 1) for action in ("deleted", "undone", "opened", "kept")
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"answer_id": "unknown", "number": 1}, "expected an answer_id from /v1/ask"),
        ({"number": 6}, "citations, numbered from 1; got 6"),
        ({"chunk_id": "unknown"}, "does not cite chunk unknown"),
    ],
)
def test_feedback_on_what_is_not_there(
    client: TestClient, api: Api, asked: Any, changes: dict[str, Any], expected: str
) -> None:
    body = {"answer_id": asked["answer_id"], "action": "deleted", **changes}
    response = client.post("/v1/feedback", json=body)
    assert response.status_code == 404
    assert expected in message(response)
    assert api.store.events() == []


def test_feedback_on_the_answer_of_another_key_is_as_on_none(
    client: TestClient, api: Api, keys: KeyStore, asked: Any
) -> None:
    wiki = {"Authorization": f"Bearer {keys.create('wiki')}"}
    theirs, unknown = (
        client.post("/v1/feedback", json={"answer_id": answer_id, "number": 1, "action": "deleted"}, headers=wiki)
        for answer_id in (asked["answer_id"], "made-up")
    )
    assert theirs.status_code == unknown.status_code == 404
    assert message(theirs).replace(asked["answer_id"], "made-up") == message(unknown)
    assert api.store.events() == []


def test_a_strike_acts_on_the_next_question_of_its_user_and_on_all_once_a_second_one_agrees(client: TestClient) -> None:
    def ask(user: str, **more: Any) -> Any:
        body = {"question": "How much may a hotel cost a night?", "stream": False, "user": user, **more}
        return client.post("/v1/ask", json=body).json()

    def strike(answer: Any, user: str, action: str = "deleted") -> None:
        body = {"answer_id": answer["answer_id"], "chunk_id": struck, "action": action, "user": user}
        assert client.post("/v1/feedback", json=body).json()["recorded"]

    def cited(answer: Any) -> list[str]:
        return [citation["chunk_id"] for citation in answer["citations"]]

    first, other = ask("ann"), ask("ben")
    struck = cited(first)[0]
    strike(first, "ann")
    assert struck not in cited(ask("ann"))
    assert struck in cited(ask("ann", ignore_votes=True))
    assert struck in cited(ask("ben"))
    strike(other, "ben")
    later = ask("cleo")
    assert struck not in cited(later)
    (vote,) = [row["vote"] for row in later["ranking"] if row["chunk_id"] == struck]
    assert (vote["kind"], vote["num_people"], vote["own"], vote["same_question"]) == ("struck out", 2, False, True)
    strike(first, "ann", "undone")
    assert struck in cited(ask("cleo"))


# Limits of keys --------------------------------------------------------------------------------------

BODIES: dict[str, dict[str, object]] = {
    "search": {"query": "leave"},
    "ask": {"question": "How many days of leave?", "stream": False},
    "rerank": {"query": "leave", "documents": ["a"]},
    "feedback": {"answer_id": "unknown", "number": 1, "action": "deleted"},
}


@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_may_do_what_its_scopes_say(client: TestClient, keys: KeyStore, scope: str) -> None:
    headers = {"Authorization": f"Bearer {keys.create('wiki', Limits(scopes=(scope,)))}"}
    replies = {path: client.post(f"/v1/{path}", json=body, headers=headers) for path, body in BODIES.items()}
    assert {path for path, reply in replies.items() if reply.status_code != 403} == {scope}
    refused = next(reply for path, reply in replies.items() if path != scope)
    assert f"may {scope}, but not " in message(refused)
    assert "citeloop keys change wiki --scope" in message(refused)


def test_a_key_that_has_expired_is_refused(client: TestClient, keys: KeyStore) -> None:
    expired = keys.create("wiki", Limits(expires_at="2026-01-31T12:00:00.000+00:00"))
    lasting = keys.create("portal", Limits(expires_at="2999-01-31T12:00:00.000+00:00"))
    statuses = []
    for key in (expired, lasting):
        reply = client.post("/v1/search", json=BODIES["search"], headers={"Authorization": f"Bearer {key}"})
        statuses.append(reply.status_code)
        if reply.status_code == 401:
            assert "expired on 2026-01-31; renew it with: citeloop keys change wiki --expires DAYS" in message(reply)
    assert statuses == [401, 200]


def test_a_key_that_asks_too_often_is_told_when_to_come_back(client: TestClient, keys: KeyStore) -> None:
    headers = {"Authorization": f"Bearer {keys.create('wiki', Limits(rate=2))}"}
    replies = [client.post("/v1/search", json=BODIES["search"], headers=headers) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert 0 < int(replies[-1].headers["Retry-After"]) <= 30
    assert "may send 2 requests a minute" in message(replies[-1])
    assert client.post("/v1/search", json=BODIES["search"]).status_code == 200  # another key


def test_a_key_does_not_vote_as_invented_users(client: TestClient, api: Api, keys: KeyStore) -> None:
    headers = {"Authorization": f"Bearer {keys.create('wiki', Limits(num_users=3))}"}
    asked = client.post("/v1/ask", json=BODIES["ask"], headers=headers).json()
    body = {"answer_id": asked["answer_id"], "number": 1, "action": "deleted"}
    replies = [
        client.post("/v1/feedback", json={**body, "user": f"invented-{number}"}, headers=headers) for number in range(9)
    ]
    assert [reply.status_code for reply in replies] == [200] * 2 + [403] * 7
    assert "citeloop keys change wiki --users N" in message(replies[-1])
    assert {event.user for event in api.store.events()} == {"api:wiki/invented-0", "api:wiki/invented-1"}
    named = client.post("/v1/ask", json={**BODIES["ask"], "user": "invented-9"}, headers=headers)
    assert named.status_code == 403
    assert client.post("/v1/feedback", json=body, headers=headers).status_code == 200  # for itself


# OpenAPI ---------------------------------------------------------------------------------------------


def test_openapi_needs_no_key_and_describes_all_with_examples(client: TestClient) -> None:
    client.headers.pop("Authorization")
    schema = client.get("/v1/openapi.json").json()
    assert schema["servers"] == [{"url": "/v1"}]
    assert {f"/v1{path}" for path in schema["paths"]} == {*PATHS, "/v1/models", "/v1/models/{name}"}
    for path in schema["paths"].values():
        (operation,) = path.values()
        assert operation["description"]
        assert operation["security"] == [{"HTTPBearer": []}]
        assert {"401", "403", "413", "422", "429", "503"} <= set(operation["responses"])
        for status in ("401", "422"):
            described = operation["responses"][status]["content"]["application/json"]["schema"]
            assert described == {"$ref": "#/components/schemas/ErrorAnswer"}
    for body in ("SearchBody", "AskBody", "RerankBody", "FeedbackBody", "ChatBody"):
        properties = schema["components"]["schemas"][body]["properties"]
        assert any("examples" in field for field in properties.values())
    events = schema["paths"]["/ask"]["post"]["responses"]["200"]["content"]["text/event-stream"]["example"]
    assert [line for line in events.splitlines() if line.startswith("event")] == [
        "event: sources",
        "event: text",
        "event: answer",
    ]


@pytest.mark.parametrize("path", ["/v1/docs", "/v1/redoc"])
def test_no_page_loads_scripts_from_elsewhere(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404
