from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.api.answers import logistic
from app.rerank import RerankerError
from app.rerankers.http import HttpReranker
from app.settings import RerankShape
from tests.api.conftest import Api, serving
from tests.conftest import FakeReranker

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
    relevance = [logistic(score) for score in raw]
    assert all(below <= above for below, above in pairwise(relevance))
    assert all(0 <= each <= 1 for each in relevance)
    assert relevance[5] < relevance[6]


@pytest.mark.parametrize("shape", ["vllm", "jina"])
@pytest.mark.parametrize("address", ["{}", "{}/v1", "{}/v1/rerank"])
def test_our_own_client_gets_the_same_order(api: Api, key: str, shape: RerankShape, address: str) -> None:
    with serving(api.site) as server:
        reranker = HttpReranker(address.format(server), "default", SecretStr(key), shape)
        scores = reranker.score("metals", TEXTS)
    assert scores == [logistic(sum(SCORES[word] for word in SCORES if word in text)) for text in TEXTS]


def test_our_own_client_is_told_what_is_wrong_with_its_key(api: Api) -> None:
    with serving(api.site) as server, pytest.raises(RerankerError, match="CITELOOP_RERANK_API_KEY"):
        HttpReranker(server, "default", SecretStr("wrong")).score("metals", TEXTS)


def test_our_own_client_is_told_of_a_model_that_is_not_here(api: Api, key: str) -> None:
    with serving(api.site) as server, pytest.raises(RerankerError, match="expected one of live"):
        HttpReranker(server, "rerank-v3.5", SecretStr(key)).score("metals", TEXTS)
