"""Programs and agents find, cite and judge only what they may read: this one reads `handbook`, not `it`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.access.keys import KeyStore
from app.access.limits import Limits
from app.access.rights import Rights
from tests.api.conftest import Api, MakePipeline, parsed
from tests.conftest import FakeLanguageModel

QUESTION = "What does it need?"
SECRET = ("VPN", "vpn.md", "hardware", "extension 4400", "tunnel")
READER = Rights("api:helpdesk", "reader", frozenset({"handbook"}))


@pytest.fixture
def key(keys: KeyStore) -> str:
    return keys.create("helpdesk", Limits(num_users=20, collections=("handbook",)))


def leaks(text: str) -> list[str]:
    return [word for word in SECRET if word in text]


def asked_before(api: Api) -> str:
    """The id of an answer that the program got when it could read everything, in the conversation `talk`."""
    answer = replace(api.pipeline.ask("What does the VPN need?"), question=QUESTION, query="the VPN tunnel")
    return api.store.save_answer(answer, "talk", "api:helpdesk")


def test_search_finds_what_may_be_read(client: TestClient) -> None:
    found = client.post("/v1/search", json={"query": QUESTION})
    assert found.json()["ranking"]
    assert not leaks(found.text)


@pytest.mark.parametrize("wanted", [{"collections": ["it"]}, {"documents": ["it/vpn.md"]}])
def test_a_filter_that_may_not_be_read_is_an_unknown_one(client: TestClient, wanted: dict[str, Any]) -> None:
    said = client.post("/v1/search", json={"query": QUESTION, "within": wanted})
    unknown = {key: [value.replace("it", "xx") for value in values] for key, values in wanted.items()}
    other = client.post("/v1/search", json={"query": QUESTION, "within": unknown})
    assert said.status_code == other.status_code == 422
    assert said.text.replace("it/vpn", "xx/vpn").replace("'it'", "'xx'") == other.text


@pytest.mark.parametrize("is_stream", [False, True])
def test_ask_cites_what_may_be_read(client: TestClient, is_stream: bool) -> None:
    answer = client.post("/v1/ask", json={"question": QUESTION, "stream": is_stream})
    assert answer.status_code == 200
    assert not leaks(answer.text)
    assert "handbook" in (str(parsed(answer.text)) if is_stream else answer.text)


def test_a_follow_up_carries_nothing_of_a_hidden_answer(
    client: TestClient, api: Api, make_pipeline: MakePipeline
) -> None:
    asked_before(api)
    language_model = FakeLanguageModel("How many days? [1]")
    api.pipeline = make_pipeline(language_model)
    answer = client.post("/v1/ask", json={"question": "And for how long?", "conversation_id": "talk"})
    assert answer.status_code == 200
    assert not leaks(answer.text)
    assert not leaks(str(language_model.messages))


@pytest.mark.parametrize("named", [{"number": 1}, {"chunk_id": "secret"}])
def test_feedback_on_what_may_not_be_read_is_refused_as_on_what_is_not_there(
    client: TestClient, api: Api, named: dict[str, Any]
) -> None:
    answer_id = asked_before(api)
    stored = api.store.answer(answer_id, "api:helpdesk")
    assert stored is not None
    secret = next(each.chunk.id for each in stored.answer.citations if each.chunk.document == "it/vpn.md")
    named = {key: secret if value == "secret" else value for key, value in named.items()}
    said = client.post("/v1/feedback", json={"answer_id": answer_id, "action": "deleted", **named})
    assert said.status_code == 404
    assert not leaks(said.text)
    assert api.store.events() == []
