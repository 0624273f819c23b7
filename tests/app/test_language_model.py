from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from app.answer import LanguageModelError
from app.language_model import OpenAILanguageModel

MESSAGES = [{"role": "user", "content": "How many days?"}]
PATH = "/v1/chat/completions"


def event(content: str | None = None, finish_reason: str | None = None) -> str:
    choice = {"index": 0, "delta": {} if content is None else {"content": content}, "finish_reason": finish_reason}
    return raw({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})


def raw(data: object) -> str:
    return f"data: {json.dumps(data)}\n\n"


DONE = "data: [DONE]\n\n"


def streams(*events: str) -> Callable[[Request], Response]:
    return lambda _request: Response(iter(events), content_type="text/event-stream")


def connected(url: str, deadline_seconds: float = 10.0, **options: Any) -> OpenAILanguageModel:
    """A language model that gives up at once."""
    language_model = OpenAILanguageModel("writer-1", "secret-key", url, deadline_seconds)
    language_model._client = language_model._client.with_options(**{"max_retries": 0, "timeout": 5.0} | options)
    return language_model


@pytest.fixture
def language_model(httpserver: HTTPServer) -> OpenAILanguageModel:
    return connected(httpserver.url_for("/v1"))


def test_pieces_come_as_they_are_sent(httpserver: HTTPServer, language_model: OpenAILanguageModel) -> None:
    httpserver.expect_request(PATH).respond_with_handler(
        streams(event(""), event("Thirty "), event("days [1]."), event(None, "stop"), DONE)
    )
    assert list(language_model.stream(MESSAGES)) == ["Thirty ", "days [1]."]


def test_the_request_asks_the_model_to_stream_with_the_key(
    httpserver: HTTPServer, language_model: OpenAILanguageModel
) -> None:
    httpserver.expect_request(PATH, method="POST", headers={"Authorization": "Bearer secret-key"}).respond_with_handler(
        streams(event("x", "stop"), DONE)
    )
    assert list(language_model.stream(MESSAGES)) == ["x"]
    sent = httpserver.log[0][0].get_json()
    assert sent == {"model": "writer-1", "messages": MESSAGES, "temperature": 0, "stream": True}


def test_a_local_server_needs_no_key(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_handler(streams(event("x", "stop"), DONE))
    assert list(OpenAILanguageModel("m", None, httpserver.url_for("/v1")).stream(MESSAGES)) == ["x"]


def test_events_without_choices_and_comments_are_passed_over(
    httpserver: HTTPServer, language_model: OpenAILanguageModel
) -> None:
    usage = raw({"choices": [], "usage": {"total_tokens": 3}})
    httpserver.expect_request(PATH).respond_with_handler(
        streams(usage, ": waiting\n\n", event("a"), event("b", "stop"), usage, DONE)
    )
    assert list(language_model.stream(MESSAGES)) == ["a", "b"]


def test_a_server_that_is_busy_once_is_asked_again(httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request(PATH).respond_with_data("busy", status=503, headers={"retry-after-ms": "1"})
    httpserver.expect_ordered_request(PATH).respond_with_handler(streams(event("x", "stop"), DONE))
    assert list(OpenAILanguageModel("m", None, httpserver.url_for("/v1")).stream(MESSAGES)) == ["x"]


def failure(language_model: OpenAILanguageModel) -> tuple[list[str], str]:
    """What came before the LanguageModelError, and its message."""
    pieces: list[str] = []
    with pytest.raises(LanguageModelError) as caught:
        pieces.extend(language_model.stream(MESSAGES))
    return pieces, str(caught.value)


def test_a_stream_without_a_finish_reason_was_cut_off(
    httpserver: HTTPServer, language_model: OpenAILanguageModel
) -> None:
    httpserver.expect_request(PATH).respond_with_handler(streams(event("Thirty "), DONE))
    assert failure(language_model) == (
        ["Thirty "],
        "writer-1 was cut off (the connection ended early); ask again for a whole answer",
    )


def test_an_answer_that_grew_too_long_was_cut_off(httpserver: HTTPServer, language_model: OpenAILanguageModel) -> None:
    httpserver.expect_request(PATH).respond_with_handler(streams(event("Thirty "), event(None, "length"), DONE))
    assert failure(language_model) == (["Thirty "], "writer-1 was cut off (length); ask again for a whole answer")


def test_a_connection_that_breaks_in_mid_answer_keeps_what_came(
    httpserver: HTTPServer, language_model: OpenAILanguageModel
) -> None:
    httpserver.expect_request(PATH).respond_with_handler(
        lambda _request: Response(
            iter([event("Thirty ")]), headers={"Content-Length": "5000"}, content_type="text/event-stream"
        )
    )
    pieces, message = failure(language_model)
    assert pieces == ["Thirty "]
    assert "check OPENAI_BASE_URL" in message


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "{url} refused the key; check OPENAI_API_KEY"),
        (404, "{url} does not know writer-1; check OPENAI_MODEL"),
        (400, "{url} failed: Error code: 400 - the prompt is too long"),
        (403, "{url} failed: Error code: 403 - the prompt is too long"),
        (429, "{url} failed: Error code: 429 - the prompt is too long"),
        (500, "{url} failed: Error code: 500 - the prompt is too long"),
    ],
)
def test_a_refusal_says_who_refused_and_what_to_check(
    status: int, message: str, httpserver: HTTPServer, language_model: OpenAILanguageModel
) -> None:
    httpserver.expect_request(PATH).respond_with_json({"error": {"message": "the prompt is too long"}}, status=status)
    assert failure(language_model) == ([], message.format(url=httpserver.url_for("/v1")))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/v1", "no address"])
def test_an_address_where_nobody_answers_is_named(url: str) -> None:
    assert failure(connected(url)) == ([], f"{url} cannot be reached; check OPENAI_BASE_URL")


def test_a_server_that_falls_silent_is_not_waited_for(httpserver: HTTPServer) -> None:
    def answer() -> Iterator[str]:
        yield event("Thirty ")
        time.sleep(0.6)

    httpserver.expect_request(PATH).respond_with_handler(
        lambda _request: Response(answer(), content_type="text/event-stream")
    )
    pieces, message = failure(connected(httpserver.url_for("/v1"), timeout=0.2))
    assert pieces == ["Thirty "]
    assert httpserver.url_for("/v1") in message


def test_an_error_in_the_stream_is_passed_on(httpserver: HTTPServer, language_model: OpenAILanguageModel) -> None:
    httpserver.expect_request(PATH).respond_with_handler(streams(event("a"), raw({"error": {"message": "overloaded"}})))
    assert failure(language_model) == (["a"], f"{httpserver.url_for('/v1')} failed: overloaded")


def test_a_malformed_event_names_the_server(httpserver: HTTPServer, language_model: OpenAILanguageModel) -> None:
    httpserver.expect_request(PATH).respond_with_handler(streams(event("a"), "data: {not json\n\n"))
    pieces, message = failure(language_model)
    assert pieces == ["a"]
    assert message.startswith(f"{httpserver.url_for('/v1')} failed: Expecting property name")


@pytest.mark.parametrize("data", [5, [], {}, {"choices": None}, {"choices": [{"index": 0, "delta": None}]}])
def test_json_that_is_no_completion_is_a_language_model_error(
    data: object, httpserver: HTTPServer, language_model: OpenAILanguageModel
) -> None:
    httpserver.expect_request(PATH).respond_with_handler(streams(event("a"), raw(data), DONE))
    pieces, message = failure(language_model)
    assert pieces == ["a"]
    assert httpserver.url_for("/v1") in message


def test_a_web_page_in_place_of_an_answer_is_no_answer(
    httpserver: HTTPServer, language_model: OpenAILanguageModel
) -> None:
    httpserver.expect_request(PATH).respond_with_data("<html>Sign in</html>", content_type="text/html")
    pieces, _ = failure(language_model)
    assert pieces == []


def test_a_web_page_in_place_of_an_answer_says_what_to_check(
    httpserver: HTTPServer, language_model: OpenAILanguageModel
) -> None:
    httpserver.expect_request(PATH).respond_with_data("<html>Sign in</html>", content_type="text/html")
    assert "OPENAI_BASE_URL" in failure(language_model)[1]


def trickle(piece: str) -> Callable[[Request], Response]:
    def answer() -> Iterator[str]:
        for _ in range(20):
            yield piece
            time.sleep(0.05)

    return lambda _request: Response(answer(), content_type="text/event-stream")


def test_the_whole_answer_has_a_deadline(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_handler(trickle(event("a")))
    pieces, message = failure(connected(httpserver.url_for("/v1"), deadline_seconds=0.2))
    assert set(pieces) == {"a"}
    assert message.startswith("writer-1 took longer than")


def test_comments_that_keep_the_connection_open_do_not_move_the_deadline(httpserver: HTTPServer) -> None:
    httpserver.expect_request(PATH).respond_with_handler(trickle(": still thinking\n\n"))
    _, message = failure(connected(httpserver.url_for("/v1"), deadline_seconds=0.2))
    assert message.startswith("writer-1 took longer than")


def test_who_stops_reading_early_closes_the_stream(httpserver: HTTPServer, language_model: OpenAILanguageModel) -> None:
    httpserver.expect_request(PATH).respond_with_handler(trickle(event("a")))
    stream = language_model.stream(MESSAGES)
    assert next(iter(stream)) == "a"
    started = time.monotonic()
    stream.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 0.8


def test_messages_do_not_show_the_key(httpserver: HTTPServer, language_model: OpenAILanguageModel) -> None:
    httpserver.expect_request(PATH).respond_with_json({"error": {"message": "Incorrect key: secret-key"}}, status=401)
    assert "secret-key" not in failure(language_model)[1]
