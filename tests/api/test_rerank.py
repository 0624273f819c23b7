from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.access.admission import Admission
from app.memory.reach import logistic
from app.reranking.http import HttpReranker
from app.reranking.rerank import RerankerError
from app.settings import RerankShape
from tests.api.conftest import Api, leave_once, serving, wait_until
from tests.conftest import PATIENCE, FakeEmbedder, FakeReranker

TEXTS = ["iron", "gold", "tin", "gold leaf", "silver"]
SCORES = {"gold": 2.0, "leaf": 1.5, "silver": 0.5, "tin": -3.0}


@pytest.fixture(autouse=True)
def metals(scorer: FakeReranker) -> None:
    scorer._scores = SCORES


def rerank(client: TestClient, **changes: Any) -> Any:
    response = client.post("/v1/rerank", json={"query": "metals", "documents": TEXTS, **changes})
    assert response.status_code == 200, response.text
    return response.json()


def test_documents_come_best_first_with_ties_as_they_were_sent(client: TestClient, scorer: FakeReranker) -> None:
    answer = rerank(client, documents=[*TEXTS, "gold"])
    assert [each["index"] for each in answer["results"]] == [3, 1, 5, 4, 0, 2]
    assert scorer.calls == [("metals", [*TEXTS, "gold"])]
    assert answer["results"][0] == {"index": 3, "relevance_score": pytest.approx(1 / (1 + math.exp(-3.5)))}
    assert answer["results"][4]["relevance_score"] == 0.5
    assert answer["model"] == "shipped"
    assert answer["usage"] == {"total_tokens": 8}
    assert answer["meta"] == {"api_version": {"version": "1"}}
    assert answer["id"] != rerank(client)["id"]


def test_as_many_as_asked_for_with_their_text_if_asked_for(client: TestClient) -> None:
    answer = rerank(client, top_n=2, return_documents=True)
    assert [each["document"] for each in answer["results"]] == [{"text": "gold leaf"}, {"text": "gold"}]
    assert len(rerank(client, top_n=99)["results"]) == len(TEXTS)


def test_what_other_services_take_is_taken(client: TestClient) -> None:
    documents = [{"text": text, "title": "not read"} for text in TEXTS]
    answer = rerank(client, documents=documents, model="default", max_tokens_per_doc=4096, truncation=True)
    assert [each["index"] for each in answer["results"]] == [3, 1, 4, 0, 2]


def test_model_can_be_named(client: TestClient, scorer: FakeReranker) -> None:
    answer = rerank(client, query="silver", model="late-interaction")
    assert answer["model"] == "late-interaction"
    assert answer["results"][0]["index"] == 4
    assert scorer.calls == []


def test_usage_counts_what_was_read(client: TestClient) -> None:
    assert rerank(client, query="two words", documents=["word " * 1000, "three more words"])["usage"] == {
        "total_tokens": 2 + FakeEmbedder.max_tokens + 3
    }


def test_more_text_than_can_be_read_in_time_is_refused(client: TestClient, scorer: FakeReranker) -> None:
    response = client.post("/v1/rerank", json={"query": "metals", "documents": ["gold", {"text": "," * 2_000_000}]})
    assert response.status_code == 422
    assert "expected at most 2,000,000 characters in all documents, got 2,000,004" in response.text
    assert scorer.calls == []


class HeldReranker(FakeReranker):
    """Waits in each call until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.let_go = threading.Event(), threading.Event()

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        self.begun.set()
        assert self.let_go.wait(PATIENCE)
        return super().score(query, passages)


@pytest.fixture
def held(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldReranker]:
    reranker = HeldReranker()
    monkeypatch.setattr(api.pipeline.models, "reranker", lambda _name: reranker)
    yield reranker
    reranker.let_go.set()


def has_ended(api: Api) -> bool:
    return api.pipeline.admission._num_running == 0


def test_work_past_its_deadline_ends_with_what_to_do(
    client: TestClient, api: Api, held: HeldReranker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.api.asking.SEARCH_SECONDS", 0.2)
    response = client.post("/v1/rerank", json={"query": "metals", "documents": ["gold"] * 1000})
    assert response.status_code == 503
    assert "no result after 0.2 seconds, so the request was stopped; send fewer" in response.text
    held.let_go.set()
    wait_until(lambda: has_ended(api))
    assert len(held.calls) <= 1  # none if the time was over before it began


def test_whoever_goes_away_ends_the_scoring_at_its_next_step(
    api: Api, key: str, held: HeldReranker, monkeypatch: pytest.MonkeyPatch
) -> None:
    stops: list[threading.Event] = []

    def make_stop() -> threading.Event:
        stops.append(threading.Event())
        return stops[-1]

    monkeypatch.setattr("app.api.streams.threading", SimpleNamespace(Event=make_stop))
    body = {"query": "metals", "documents": ["gold"] * 1000}
    with serving(api.site) as server:
        leave_once(held.begun.is_set, f"{server}/v1/rerank", body, key)
        wait_until(lambda: stops[0].is_set())  # the server has noticed
        held.let_go.set()
        wait_until(lambda: has_ended(api))
    assert len(held.calls) == 1


def test_who_finds_too_many_waiting_is_told_when_to_come_back(client: TestClient, api: Api) -> None:
    api.pipeline.admission = Admission(1, 0)
    requests = {"rerank": {"query": "q", "documents": ["a"]}, "search": {"query": "q"}, "ask": {"question": "q"}}
    with api.pipeline.admission.slot():
        for path, body in requests.items():
            response = client.post(f"/v1/{path}", json=body)
            assert (response.status_code, response.headers["Retry-After"]) == (429, "1")
            assert "ask again in about 1 seconds" in response.json()["error"]["message"]
    assert client.post("/v1/search", json={"query": "q"}).status_code == 200


@pytest.mark.parametrize("path", ["search", "ask", "rerank"])
def test_whoever_goes_away_leaves_the_queue(api: Api, key: str, path: str) -> None:
    api.pipeline.admission = admission = Admission(1, 5)
    body = {"search": {"query": "q"}, "ask": {"question": "q"}, "rerank": {"query": "q", "documents": ["a"]}}[path]
    with serving(api.site) as server, admission.slot():
        leave_once(lambda: len(admission._queue) == 1, f"{server}/v1/{path}", body, key)
        wait_until(lambda: not admission._queue)
    assert api.store.shown() == []


@pytest.mark.parametrize("scores", [[1.0], [1.0, 2.0, math.nan, 0.0, 0.0], [1.0, math.inf, 2.0, 0.0, 0.0]])
def test_scores_that_are_none_are_said(
    client: TestClient, scorer: FakeReranker, monkeypatch: pytest.MonkeyPatch, scores: list[float]
) -> None:
    monkeypatch.setattr(scorer, "score", lambda _query, _passages: scores)
    response = client.post("/v1/rerank", json={"query": "metals", "documents": TEXTS})
    assert response.status_code == 503
    assert "must return 5 finite scores" in response.json()["error"]["message"]


def test_reranker_that_fails_is_said(client: TestClient, scorer: FakeReranker, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_query: str, _passages: Sequence[str]) -> list[float]:
        raise RerankerError("it is gone; install from a whole checkout")

    monkeypatch.setattr(scorer, "score", fail)
    response = client.post("/v1/rerank", json={"query": "metals", "documents": TEXTS})
    assert response.status_code == 503
    assert response.json()["error"]["message"] == "it is gone; install from a whole checkout"


def test_relevance_keeps_the_order_of_any_scores() -> None:
    raw = [-1e4, -800.0, -30.0, -1.0, 0.0, 0.3, 0.3000001, 0.9, 30.0, 800.0, 1e4]
    relevance = [float(logistic(score)) for score in raw]
    assert all(below <= above for below, above in pairwise(relevance))
    assert all(0 <= each <= 1 for each in relevance)
    assert relevance[5] < relevance[6]


@pytest.mark.parametrize("shape", ["vllm", "jina"])
@pytest.mark.parametrize("address", ["{}", "{}/v1", "{}/v1/rerank"])
def test_our_own_client_gets_the_same_order(api: Api, key: str, shape: RerankShape, address: str) -> None:
    with serving(api.site) as server:
        reranker = HttpReranker(address.format(server), "default", SecretStr(key), shape, PATIENCE)
        scores = reranker.score("metals", TEXTS)
    assert scores == [float(logistic(sum(SCORES[word] for word in SCORES if word in text))) for text in TEXTS]


def test_our_own_client_is_told_what_is_wrong_with_its_key(api: Api) -> None:
    with serving(api.site) as server, pytest.raises(RerankerError, match="CITELOOP_RERANK_API_KEY"):
        HttpReranker(server, "default", SecretStr("wrong")).score("metals", TEXTS)


def test_our_own_client_is_told_of_a_model_that_is_not_here(api: Api, key: str) -> None:
    with serving(api.site) as server, pytest.raises(RerankerError, match="expected one of live"):
        HttpReranker(server, "rerank-v3.5", SecretStr(key)).score("metals", TEXTS)
