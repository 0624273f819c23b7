from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from app.language_model.endpoint import Endpoint
from app.language_model.tokens import estimate_tokens, token_counter
from tests.app.faulty_server import FaultyServer

TEXT = "Everybody has 30 days of leave."


def endpoint(httpserver: HTTPServer, **changes: Any) -> Endpoint:
    return Endpoint(httpserver.url_for("/v1"), "writer-1", SecretStr("secret-key"), **changes)


def asked(httpserver: HTTPServer) -> list[Any]:
    return [request.get_json() for request, _ in httpserver.log]


def test_llama_cpp_counts(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/tokenize", json={"content": TEXT}).respond_with_json({"tokens": [1, 2, 3]})
    assert token_counter(endpoint(httpserver))(TEXT) == 3
    assert httpserver.log[0][0].headers["Authorization"] == "Bearer secret-key"


def test_vllm_counts_and_is_asked_in_its_own_shape_from_then_on(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/tokenize", json={"model": "writer-1", "prompt": TEXT}).respond_with_json(
        {"count": 9, "max_model_len": 4096, "tokens": [1] * 9}
    )
    count = token_counter(endpoint(httpserver))
    assert [count(TEXT), count(TEXT)] == [9, 9]
    assert [list(request) for request in asked(httpserver)] == [["content"], ["model", "prompt"], ["model", "prompt"]]


@pytest.mark.parametrize("answer", [5, [], {}, {"tokens": 5}, {"tokens": []}, {"count": True}, {"count": -1}])
def test_an_answer_that_is_no_count_is_not_taken_for_one(answer: object, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/tokenize").respond_with_json(answer)
    assert token_counter(endpoint(httpserver))(TEXT) == estimate_tokens(TEXT)


def test_a_server_without_a_tokenizer_is_asked_once(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/tokenize").respond_with_data("<html>not found</html>", 404)
    count = token_counter(endpoint(httpserver))
    assert {count(TEXT), count(TEXT), count(TEXT)} == {estimate_tokens(TEXT)}
    assert len(httpserver.log) == 2  # in either shape


def test_a_server_that_is_there_later_counts_then(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.language_model.tokens._PAUSE_SECONDS", 0)
    count = token_counter(endpoint(httpserver))
    httpserver.expect_ordered_request("/tokenize").respond_with_data("", 503)
    httpserver.expect_ordered_request("/tokenize").respond_with_data("", 503)
    httpserver.expect_ordered_request("/tokenize").respond_with_json({"tokens": [1]})
    assert [count(TEXT), count(TEXT)] == [estimate_tokens(TEXT), 1]


@pytest.mark.parametrize("fault", ["no first token", "drip"])
def test_a_slow_server_is_not_waited_for(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.language_model.tokens._TIMEOUT_SECONDS", 0.1)
    with FaultyServer(fault) as server:
        started = time.monotonic()
        assert token_counter(Endpoint(server.url, "writer-1"))(TEXT) == estimate_tokens(TEXT)
        assert time.monotonic() - started < 1
        assert len(server.requests) == 2


def test_a_counter_asks_nothing_before_it_is_called() -> None:
    with FaultyServer() as server:
        token_counter(Endpoint(server.url, "writer-1"))
        assert not server.requests


@pytest.mark.parametrize(
    "url",
    [None, "https://api.openai.com/v1", "https://eu.api.openai.com/v1", "https://ours.openai.azure.com/openai/v1"],
)
def test_services_that_cannot_count_are_not_asked(url: str | None) -> None:
    assert token_counter(Endpoint(url, "gpt")) is estimate_tokens


def test_azure_is_not_asked_at_any_host(httpserver: HTTPServer) -> None:
    assert token_counter(endpoint(httpserver, api_version="2024-10-21")) is estimate_tokens


def test_what_is_no_address_is_estimated() -> None:
    assert token_counter(Endpoint("http://[", "m"))(TEXT) == estimate_tokens(TEXT)


@pytest.mark.parametrize(
    ("text", "num_tokens"),  # counted by SmolLM2's tokenizer
    [
        ("", 0),
        (TEXT, 10),
        ("Jede Mitarbeiterin und jeder Mitarbeiter hat dreißig Tage Jahresurlaub.", 27),
        ("每位员工每年有三十天的带薪假期。", 31),
        ("| TB-7919 | 31337 | 1.37 EUR |", 22),
        ("a b c d", 4),
    ],
)
def test_an_estimate_is_near_or_rather_too_much(text: str, num_tokens: int) -> None:
    assert 0.9 * num_tokens <= estimate_tokens(text) <= 1.5 * num_tokens
