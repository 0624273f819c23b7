from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import chain, pairwise
from typing import Any

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from app.reranking.http import SHAPES, HttpReranker, guess_shape
from app.reranking.names import load_reranker
from app.reranking.rerank import PartialScores, RerankerError, rerank
from app.settings import RerankShape, Settings, read_settings
from ingest import CiteloopError
from tests.app.builders import make_candidates
from tests.conftest import PATIENCE

KEY = "sk-12345-secret"


def results(*scores: tuple[Any, Any]) -> dict[str, Any]:
    return {"results": [{"index": index, "relevance_score": score} for index, score in scores]}


def reranker(httpserver: HTTPServer, shape: RerankShape | None = None, **options: Any) -> HttpReranker:
    return HttpReranker(
        httpserver.url_for(""), "fast", SecretStr(KEY), shape, **{"timeout_seconds": PATIENCE} | options
    )


def refusal(httpserver: HTTPServer, shape: RerankShape | None = None, **options: Any) -> str:
    """The message when two passages cannot be scored; whatever happened, it is one line without the key."""
    with pytest.raises(RerankerError) as caught:
        reranker(httpserver, shape, **options).score("q", ["a", "b"])
    message = str(caught.value)
    assert KEY not in message
    assert "\n" not in message
    return message


# Shapes ----------------------------------------------------------------------------------------------
# For each service: the path, the request and the answer of its own documentation, with our field values.

SHARED_REQUEST = {"model": "fast", "query": "q", "documents": ["a", "b", "c"], "top_n": 3}
SPOKEN: dict[RerankShape, tuple[str, dict[str, Any], Any]] = {
    "cohere": (
        "/v2/rerank",
        SHARED_REQUEST,
        {
            "results": [
                {"index": 2, "relevance_score": 0.999071},
                {"index": 0, "relevance_score": 0.32713068},
                {"index": 1, "relevance_score": 0},
            ],
            "id": "07734bd2-2473-4f07-94e1-0d9f0e6843cf",
            "meta": {"api_version": {"version": "2", "is_experimental": False}, "billed_units": {"search_units": 1}},
        },
    ),
    "jina": (
        "/v1/rerank",
        {**SHARED_REQUEST, "return_documents": False},
        {
            "model": "fast",
            "usage": {"total_tokens": 815},
            "results": [
                {"index": 2, "relevance_score": 0.999071},
                {"index": 0, "relevance_score": 0.32713068},
                {"index": 1, "relevance_score": 0},
            ],
        },
    ),
    "voyage": (
        "/v1/rerank",
        {"model": "fast", "query": "q", "documents": ["a", "b", "c"], "top_k": 3},
        {
            "object": "list",
            "data": [
                {"relevance_score": 0.999071, "index": 2},
                {"relevance_score": 0.32713068, "index": 0},
                {"relevance_score": 0, "index": 1},
            ],
            "model": "fast",
            "usage": {"total_tokens": 26},
        },
    ),
    "tei": (
        "/rerank",
        {"query": "q", "texts": ["a", "b", "c"], "raw_scores": True, "truncate": True},
        [{"index": 2, "score": 0.999071}, {"index": 0, "score": 0.32713068}, {"index": 1, "score": 0}],
    ),
    "vllm": (
        "/v1/rerank",
        SHARED_REQUEST,
        {
            "id": "rerank-fae51b2b664d4ed38f5969b612edff77",
            "model": "fast",
            "usage": {"total_tokens": 56},
            "results": [
                {"index": 2, "document": {"text": "c"}, "relevance_score": 0.999071},
                {"index": 0, "document": {"text": "a"}, "relevance_score": 0.32713068},
                {"index": 1, "document": {"text": "b"}, "relevance_score": 0},
            ],
        },
    ),
}


def test_every_shape_is_tested() -> None:
    assert set(SPOKEN) == set(SHAPES)


@pytest.mark.parametrize("shape", SPOKEN)
def test_a_service_is_asked_and_understood_as_its_documentation_says(
    shape: RerankShape, httpserver: HTTPServer
) -> None:
    path, request, answer = SPOKEN[shape]
    httpserver.expect_oneshot_request(
        path, method="POST", json=request, headers={"Authorization": f"Bearer {KEY}"}
    ).respond_with_json(answer)
    scores = reranker(httpserver, shape).score("q", ["a", "b", "c"])
    assert scores == [0.32713068, 0.0, 0.999071]
    assert all(type(score) is float for score in scores)


@pytest.mark.parametrize(
    ("url", "shape"),
    [
        ("https://api.cohere.com", "cohere"),
        ("https://api.cohere.com/v1", "cohere"),
        ("https://API.jina.ai/v1/rerank", "jina"),
        ("https://api.voyageai.com:443", "voyage"),
        ("http://localhost:8080", "vllm"),
        ("https://proxy.example/api.cohere.com", "vllm"),
        ("https://api.jina.ai.example", "vllm"),
    ],
)
def test_the_shape_is_guessed_from_the_host_alone(url: str, shape: str) -> None:
    assert guess_shape(url) == shape


@pytest.mark.parametrize(
    ("shape", "end", "path"),
    [
        (None, "", "/v1/rerank"),
        (None, "/", "/v1/rerank"),
        (None, "/v1", "/v1/rerank"),
        (None, "/v1/rerank/", "/v1/rerank"),
        (None, "/proxy", "/proxy/v1/rerank"),
        ("cohere", "", "/v2/rerank"),
        ("cohere", "/v1", "/v1/rerank"),
        ("cohere", "/v1/rerank", "/v1/rerank"),
        ("tei", "", "/rerank"),
        ("tei", "/models/bge/", "/models/bge/rerank"),
    ],
)
def test_the_address_may_hold_the_path_already(
    shape: RerankShape | None, end: str, path: str, httpserver: HTTPServer
) -> None:
    answer = [{"index": 0, "score": 1}] if shape == "tei" else results((0, 1))
    httpserver.expect_oneshot_request(path).respond_with_json(answer)
    assert HttpReranker(httpserver.url_for("").rstrip("/") + end, "m", shape=shape).score("q", ["a"]) == [1.0]


def test_the_query_of_an_address_is_kept_but_not_shown(httpserver: HTTPServer) -> None:
    httpserver.expect_oneshot_request("/v1/rerank", query_string="version=hidden").respond_with_json(results((0, 1)))
    httpserver.expect_request("/v1/rerank").respond_with_data("no", status=500)
    asked = HttpReranker(httpserver.url_for("/v1/rerank?version=hidden").replace("//", "//me:hidden@"), "m")
    assert asked.score("q", ["a"]) == [1.0]
    with pytest.raises(RerankerError, match="/v1/rerank answered with status 500") as caught:
        asked.score("q", ["a"])
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://host", "http://", "http://host:port", "http://[::1", "v1"])
def test_an_address_that_is_none_is_refused_before_anything_is_asked(url: str, settings: Settings) -> None:
    with pytest.raises(RerankerError, match="expected the address of a reranking service such as"):
        load_reranker("http", settings.model_copy(update={"rerank_url": url}))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("score", ["relevance_score", "score"])
@pytest.mark.parametrize("wrap", [None, "results", "data"])
def test_an_answer_in_the_form_of_another_shape_is_understood(
    wrap: str | None, score: str, shape: RerankShape, httpserver: HTTPServer
) -> None:
    rows = [{"index": 1, score: 0.5}, {"index": 0, score: 0.25}]
    httpserver.expect_request(SPOKEN[shape][0]).respond_with_json({wrap: rows} if wrap else rows)
    assert reranker(httpserver, shape).score("q", ["a", "b"]) == [0.25, 0.5]


def test_passages_that_a_service_leaves_out_go_behind_the_others_in_the_order_of_search(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/rerank").respond_with_json(results((3, -0.5), (1, 0.75)))
    ranking = rerank("q", make_candidates("a", "b", "c", "d"), reranker(httpserver))
    assert [(each.chunk.text, each.reranker_score) for each in ranking] == [
        ("b", 0.75),
        ("d", -0.5),
        ("a", None),
        ("c", None),
    ]
    assert ranking[1].score > ranking[2].score == ranking[3].score


def test_what_one_batch_leaves_out_goes_behind_all_batches(httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/rerank").respond_with_json([{"index": 5, "score": 7}])
    httpserver.expect_ordered_request("/rerank").respond_with_json([{"index": 0, "score": -7}])
    scores = reranker(httpserver, "tei").score("q", ["x"] * 33)
    assert (scores[5], scores[32]) == (7.0, -7.0)
    assert isinstance(scores, PartialScores)
    assert scores.missing == set(range(32)) - {5}
    assert all(scores[index] < -7 for index in scores.missing)


# Settings --------------------------------------------------------------------------------------------


def test_everything_comes_from_the_settings(httpserver: HTTPServer, settings: Settings) -> None:
    httpserver.expect_oneshot_request(
        "/v1/rerank",
        headers={"Authorization": f"Bearer {KEY}"},
        json={"model": "big", "query": "q", "documents": ["a"], "top_k": 1},
    ).respond_with_json({"data": [{"index": 0, "relevance_score": 4.5}]})
    configured = settings.model_copy(
        update={
            "rerank_url": httpserver.url_for(""),
            "rerank_model": "big",
            "rerank_api_key": SecretStr(f" {KEY}\n"),  # as an editor leaves it in a file of variables
            "rerank_shape": "voyage",
        }
    )
    loaded = load_reranker("http", configured)
    assert loaded is not None
    assert loaded.score("q", ["a"]) == [4.5]
    assert (loaded.name, loaded.blend) == ("http:big", None)


def test_an_address_in_the_name_comes_before_that_of_the_settings(httpserver: HTTPServer, settings: Settings) -> None:
    httpserver.expect_request("/rerank").respond_with_json([{"index": 0, "score": -7}])
    configured = settings.model_copy(update={"rerank_url": "http://127.0.0.1:1", "rerank_shape": "tei"})
    for name in (f"http:{httpserver.url_for('')}", httpserver.url_for("")):
        loaded = load_reranker(name, configured)
        assert loaded is not None
        assert loaded.score("q", ["a"]) == [-7.0]


@pytest.mark.usefixtures("settings")
def test_a_shape_is_set_by_its_variable_and_an_unknown_one_lists_the_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for shape in SHAPES:
        monkeypatch.setenv("CITELOOP_RERANK_SHAPE", shape)
        assert read_settings().rerank_shape == shape
    monkeypatch.setenv("CITELOOP_RERANK_SHAPE", "")
    assert read_settings().rerank_shape is None
    monkeypatch.setenv("CITELOOP_RERANK_SHAPE", "bedrock")
    with pytest.raises(CiteloopError, match=r"CITELOOP_RERANK_SHAPE: .*'tei' or 'vllm', got 'bedrock'"):
        read_settings()


@pytest.mark.parametrize("key", [None, SecretStr(""), SecretStr("  ")])
def test_without_a_key_no_authorization_is_sent(key: SecretStr | None, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/rerank").respond_with_json(results((0, 1)))
    HttpReranker(httpserver.url_for(""), "m", key).score("q", ["a"])
    assert "Authorization" not in httpserver.log[0][0].headers


@pytest.mark.parametrize("key", ["sk-123\nHost: x", "sk-123\N{EN DASH}4", "sk-123\0"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(RerankerError, match="CITELOOP_RERANK_API_KEY has an invalid character") as caught:
        HttpReranker("http://localhost", "m", SecretStr(key))
    assert "123" not in str(caught.value)


def test_the_key_is_not_shown(httpserver: HTTPServer) -> None:
    asked = reranker(httpserver)
    assert KEY not in f"{asked!r} {asked} {vars(asked)!r} {asked._client.headers!r}"


# Batches ---------------------------------------------------------------------------------------------


def by_length(request: Request) -> Response:
    """text-embeddings-inference with its usual limit; a text's score is its length, the best first."""
    texts = request.get_json()["texts"]
    if len(texts) > 32:
        error = {"error": f"batch size {len(texts)} > maximum allowed batch size 32", "error_type": "Validation"}
        return Response(json.dumps(error), status=422, content_type="application/json")
    ranks = [{"index": index, "score": len(text)} for index, text in enumerate(texts)]
    return Response(json.dumps(sorted(ranks, key=lambda rank: -rank["score"])), content_type="application/json")


@pytest.mark.parametrize(("num_passages", "sizes"), [(0, []), (1, [1]), (32, [32]), (33, [32, 1]), (80, [32, 32, 16])])
def test_more_passages_than_a_service_takes_go_in_batches(
    num_passages: int, sizes: list[int], httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/rerank").respond_with_handler(by_length)
    passages = ["x" * (1 + number * 7 % 50) for number in range(num_passages)]
    assert reranker(httpserver, "tei").score("q", passages) == [float(len(passage)) for passage in passages]
    assert [len(request.get_json()["texts"]) for request, _ in httpserver.log] == sizes


@pytest.mark.parametrize(("shape", "limit"), [("cohere", 1000), ("voyage", 1000), ("jina", 5000), ("vllm", 5000)])
def test_what_a_service_takes_at_once_is_sent_at_once(shape: RerankShape, limit: int, httpserver: HTTPServer) -> None:
    rows = [{"index": index, "relevance_score": index} for index in range(limit)]
    httpserver.expect_oneshot_request(SPOKEN[shape][0]).respond_with_json({SHAPES[shape].results: rows})
    assert reranker(httpserver, shape).score("q", ["x"] * limit)[-1] == limit - 1


# Waiting ---------------------------------------------------------------------------------------------


def busy(httpserver: HTTPServer, times: int, retry_after: str | None, path: str = "/v1/rerank") -> None:
    """The service has too many requests this often, then answers."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    for _ in range(times):
        httpserver.expect_ordered_request(path).respond_with_data("slow down", status=429, headers=headers)
    httpserver.expect_ordered_request(path).respond_with_json(results((0, 1), (1, 2)))


@pytest.mark.parametrize("times", [1, 2])
def test_a_busy_service_that_says_how_long_is_asked_again(times: int, httpserver: HTTPServer) -> None:
    busy(httpserver, times, "0.05")
    assert reranker(httpserver).score("q", ["a", "b"]) == [1.0, 2.0]


def test_it_is_waited_for_as_long_as_the_service_says(httpserver: HTTPServer) -> None:
    moments: list[float] = []

    def answer(_request: Request) -> Response:
        moments.append(time.monotonic())
        return Response("{}", status=429, headers={"Retry-After": "0.3"})

    httpserver.expect_request("/v1/rerank").respond_with_handler(answer)
    assert "status 429" in refusal(httpserver)
    assert all(later - earlier >= 0.3 for earlier, later in pairwise(moments))


def test_the_time_to_wait_may_be_a_date(httpserver: HTTPServer) -> None:
    busy(httpserver, 1, format_datetime(datetime.now(UTC) - timedelta(seconds=9), usegmt=True))
    assert reranker(httpserver).score("q", ["a", "b"]) == [1.0, 2.0]


def test_a_service_that_stays_busy_is_asked_three_times(httpserver: HTTPServer) -> None:
    busy(httpserver, 3, "0")
    assert "answered with status 429 ('slow down'); it has too many requests: try later" in refusal(httpserver)
    assert len(httpserver.log) == 3


@pytest.mark.parametrize("retry_after", [None, "", "soon", "nan", "inf", "Tue, 99 Foo 2099 25:00:00 GMT"])
def test_a_busy_service_that_does_not_say_how_long_is_left_alone(
    retry_after: str | None, httpserver: HTTPServer
) -> None:
    busy(httpserver, 1, retry_after)
    assert "status 429" in refusal(httpserver)
    assert len(httpserver.log) == 1


@pytest.mark.parametrize(
    "far", ["600", format_datetime(datetime.now(UTC) + timedelta(days=9), usegmt=True)], ids=["seconds", "date"]
)
def test_nobody_waits_longer_than_the_timeout(far: str, httpserver: HTTPServer) -> None:
    busy(httpserver, 1, far)
    assert "answered with status 429, Retry-After " in refusal(httpserver)
    assert len(httpserver.log) == 1


@pytest.fixture
def own_server() -> Iterator[HTTPServer]:
    """A server that no other test finds busy with an answer that nobody waits for."""
    with HTTPServer(threaded=True) as server:
        yield server


def slowly(seconds: float, num_pieces: int) -> Iterator[bytes]:
    for _ in range(num_pieces):
        time.sleep(seconds)
        yield b" "


def test_a_slow_service_is_not_waited_for(own_server: HTTPServer) -> None:
    own_server.expect_request("/v1/rerank").respond_with_handler(lambda _: Response(slowly(0.5, 1)))
    assert "did not answer: timed out" in refusal(own_server, timeout_seconds=0.1)


def test_a_service_that_answers_drop_by_drop_is_not_waited_for(own_server: HTTPServer) -> None:
    own_server.expect_request("/v1/rerank").respond_with_handler(lambda _: Response(slowly(0.05, 40)))
    assert "did not answer: timed out" in refusal(own_server, timeout_seconds=0.2)


def test_all_batches_share_one_timeout(own_server: HTTPServer) -> None:
    def answer(request: Request) -> Response:
        return Response(chain(slowly(0.3, 1), [by_length(request).get_data()]))

    own_server.expect_request("/rerank").respond_with_handler(answer)
    asked = reranker(own_server, "tei")
    left_seconds: list[float] = []
    asked._client.event_hooks["request"] = [lambda sent: left_seconds.append(sent.extensions["timeout"]["read"])]
    asked.score("q", ["x"] * 96)
    assert len(own_server.log) == 3
    assert left_seconds[0] <= PATIENCE
    assert all(later <= earlier - 0.3 for earlier, later in pairwise(left_seconds))


# Faults ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (302, "check its address"),
        (400, "check CITELOOP_RERANK_MODEL and whether its shape is vllm"),
        (401, "the key is wrong or missing: set CITELOOP_RERANK_API_KEY"),
        (403, "the key is wrong, missing or lacks permission: set CITELOOP_RERANK_API_KEY"),
        (404, "the path or the model 'fast' is wrong: check CITELOOP_RERANK_URL, CITELOOP_RERANK_MODEL and"),
        (413, "2 passages are too many for one request"),
        (422, "whether its shape is vllm"),
        (500, "check its address and its log"),
        (503, "check its address and its log"),
    ],
)
def test_a_refusal_says_what_came_and_what_to_do(status: int, advice: str, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/rerank").respond_with_data('{"message":\n "no"}', status=status)
    message = refusal(httpserver)
    assert f"service at {httpserver.url_for('/v1/rerank')} answered with status {status}" in message
    assert """('{"message": "no"}')""" in message
    assert advice in message
    assert len(httpserver.log) == 1


@pytest.mark.parametrize("padding", range(170, 201, 5))
def test_a_service_that_repeats_the_key_does_not_make_us_show_it(padding: int, httpserver: HTTPServer) -> None:
    text = f"{'x' * padding} wrong key {KEY} "
    httpserver.expect_request("/v1/rerank").respond_with_data(text, status=401)
    message = refusal(httpserver)
    assert "sk-1" not in message
    assert len(message) < 500


@pytest.mark.parametrize(
    ("shape", "body", "reason"),
    [
        (None, "not json", "it is not JSON"),
        (None, "", "it is not JSON"),
        (None, "<html>\n<title>Sign in</title>", "it is not JSON: '<html> <title>Sign in"),
        (None, "\xff\xfe", "it is not JSON"),
        (None, "[" * 100_000, "it is not JSON"),
        (None, "null", "there is no such list"),
        (None, "{}", "there is no such list"),
        (None, '{"results": null}', "there is no such list"),
        (None, '{"results": {"0": 1}}', "there is no such list"),
        (None, '{"results": [1, 2]}', "index None is not one of 0 to 1"),
        (None, json.dumps(results()), "index 0 is missing"),
        (None, json.dumps(results((0, 1.0), (2, 1.0))), "index 2 is not one of 0 to 1"),
        (None, json.dumps(results((0, 1.0), (-1, 1.0))), "index -1 is not one of"),
        (None, json.dumps(results((0, 1.0), (True, 1.0))), "index True is not one of"),
        (None, json.dumps(results((0, 1.0), ("1", 1.0))), "index '1' is not one of"),
        (None, json.dumps(results((0, 1.0), (1, 1.0), (0, 2.0))), "index 0 is repeated"),
        (None, json.dumps(results((0, 1.0), (1, None))), "None is not a finite score"),
        (None, json.dumps(results((0, 1.0), (1, "high"))), "'high' is not a finite score"),
        (None, json.dumps(results((0, 1.0), (1, True))), "True is not a finite score"),
        (None, json.dumps(results((0, 1.0), (1, float("nan")))), "nan is not a finite score"),
        (None, json.dumps(results((0, 1.0), (1, float("-inf")))), "-inf is not a finite score"),
        (None, json.dumps(results((0, 1.0), (1, 10**400))), "1000"),
        (None, '{"results": [{"index": 0, "rank": 1}, {"index": 1, "rank": 2}]}', "None is not a finite score"),
        (None, '{"rankings": [{"index": 0, "score": 1}]}', "there is no such list"),
        ("voyage", '{"data": 5}', "for each of 2 passages in its data, but there is no"),
        ("tei", '{"error": "x"}', "index and score for each of 2 passages in a list, but"),
        ("tei", "[]", "index 0 is missing"),
    ],
)
def test_an_answer_that_cannot_be_used_says_why_and_what_to_set(
    shape: RerankShape | None, body: str, reason: str, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/rerank" if shape == "tei" else "/v1/rerank").respond_with_data(
        body.encode("latin-1"), content_type="application/json"
    )
    message = refusal(httpserver, shape)
    assert "sent an answer that cannot be used: expected index and " in message
    assert reason in message
    assert f"its shape is not {shape or 'vllm'}, set CITELOOP_RERANK_SHAPE to one of cohere, jina" in message
    assert len(message) < 700


def test_an_answer_that_cannot_be_unpacked_is_a_reranker_error(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/rerank").respond_with_data("plain", headers={"Content-Encoding": "gzip"})
    assert "did not answer" in refusal(httpserver)


def test_a_refused_connection_is_a_reranker_error(settings: Settings) -> None:
    loaded = load_reranker("http:http://127.0.0.1:1", settings)
    assert loaded is not None
    with pytest.raises(RerankerError, match=r"http://127\.0\.0\.1:1/v1/rerank did not answer"):
        loaded.score("q", ["a"])


def test_an_address_that_is_none_is_said_without_what_is_secret() -> None:
    with pytest.raises(RerankerError, match="expected the address of a reranking service") as caught:
        HttpReranker(f"http://ann:{KEY}@:80/v1?key={KEY}", "fast")
    assert KEY not in str(caught.value)
