from __future__ import annotations

import json
import logging
import re
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Response

from app.language_model.connection import try_connection
from app.language_model.endpoint import Endpoint, read_endpoint, save_endpoint
from app.language_model.openai_model import OpenAILanguageModel
from app.language_model.protocol import LanguageModelError
from app.settings import Settings
from tests.api.conftest import wait_until
from tests.app.faulty_server import DONE, TEXT, FaultyServer, closed_port, event, faulty_server, raw
from tests.conftest import PATIENCE

MESSAGES = [{"role": "user", "content": "How many days?"}]
KEY = "sk-secret-0123456789"
PATH = "/v1/chat/completions"


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    yield from faulty_server()


def endpoint(url: str, **changes: Any) -> Endpoint:
    return replace(Endpoint(url, "writer-1", SecretStr(KEY)), **changes)


def connected(url: str, **options: Any) -> OpenAILanguageModel:
    """A language model that does not wait long before it tries again."""
    return OpenAILanguageModel(endpoint(url), **{"deadline_seconds": PATIENCE, "retry_seconds": 0.01} | options)


def read(language_model: OpenAILanguageModel, stop: threading.Event | None = None) -> tuple[str, str]:
    """The text that came, and the message of the LanguageModelError, '' if it came whole."""
    text = ""
    try:
        for piece in language_model.stream(MESSAGES, stop):
            text += piece
    except LanguageModelError as error:
        return text, str(error)
    return text, ""


def chats(server: FaultyServer) -> list[dict[str, Any]]:
    return [dict(sent) for path, _, sent in server.requests if path.endswith("/chat/completions")]


# what is asked and how it comes ---------------------------------------------------------------------------


def test_pieces_come_as_they_are_sent(server: FaultyServer) -> None:
    assert list(connected(server.url).stream(MESSAGES)) == list(TEXT)


def test_a_piece_is_there_before_the_next_is_written(server: FaultyServer) -> None:
    server.use("stall")
    stream = connected(server.url).stream(MESSAGES)
    assert next(stream) == TEXT[0]


def test_the_request_asks_the_model_to_stream_with_the_key(server: FaultyServer) -> None:
    assert read(connected(server.url)) == ("".join(TEXT), "")
    path, headers, sent = server.requests[0]
    assert path == PATH
    assert headers["authorization"] == f"Bearer {KEY}"
    assert sent == {"model": "writer-1", "messages": MESSAGES, "temperature": 0, "stream": True}


def test_a_local_server_needs_no_key(server: FaultyServer) -> None:
    assert read(OpenAILanguageModel(Endpoint(server.url, "m")))[1] == ""


def test_azure_is_asked_by_its_own_address_and_header(server: FaultyServer) -> None:
    azure = endpoint(server.url.removesuffix("/v1"), api_version="2024-10-21")
    assert read(OpenAILanguageModel(azure))[1] == ""
    path, headers, _ = server.requests[0]
    assert path == "/openai/deployments/writer-1/chat/completions?api-version=2024-10-21"
    assert headers["api-key"] == KEY


def test_events_without_choices_and_comments_are_passed_over(httpserver: HTTPServer) -> None:
    usage = raw({"choices": [], "usage": {"total_tokens": 3}})
    events = (usage, ": waiting\n\n", event("a"), event("b", "stop"), usage, DONE)
    httpserver.expect_request(PATH).respond_with_data("".join(events), content_type="text/event-stream")
    assert list(connected(httpserver.url_for("/v1")).stream(MESSAGES)) == ["a", "b"]


def test_what_comes_after_the_finish_reason_is_not_waited_for(httpserver: HTTPServer) -> None:
    has_ended, went_on = threading.Event(), threading.Event()

    def answer() -> Iterator[str]:
        yield event("a", "stop")
        has_ended.wait(PATIENCE / 2)
        went_on.set()
        yield event("b")

    httpserver.expect_request(PATH).respond_with_handler(
        lambda _request: Response(answer(), content_type="text/event-stream")
    )
    pieces = list(connected(httpserver.url_for("/v1")).stream(MESSAGES))
    assert not went_on.is_set()
    has_ended.set()
    assert pieces == ["a"]


def test_thoughts_are_not_shown(server: FaultyServer) -> None:
    server.use("thoughts")
    assert list(connected(server.url).stream(MESSAGES)) == list(TEXT)


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["<", "b>bold"], "<b>bold"),
        (["1 <think>"], "1 <think>"),
        (["<thi"], "<thi"),
        (["  a ", " b"], "a  b"),
        (["<think></think>a"], "a"),
        (["<think>x</think> <think>y</thin", "k> a"], "a"),
    ],
)
def test_only_a_thought_at_the_beginning_is_held_back(pieces: list[str], shown: str, httpserver: HTTPServer) -> None:
    events = "".join([*map(event, pieces), event(None, "stop")])
    httpserver.expect_request(PATH).respond_with_data(events, content_type="text/event-stream")
    assert read(connected(httpserver.url_for("/v1"))) == (shown, "")


@pytest.mark.parametrize("reason", ["stop", "STOP", "eos", "eos_token", "end_turn", "stop_sequence"])
def test_a_whole_answer_ends_as_its_server_says(reason: str, httpserver: HTTPServer) -> None:
    events = event("a") + event(None, reason)
    httpserver.expect_request(PATH).respond_with_data(events, content_type="text/event-stream")
    assert read(connected(httpserver.url_for("/v1"))) == ("a", "")


def test_of_a_list_of_parts_the_text_is_read_and_not_the_thoughts(httpserver: HTTPServer) -> None:
    thought: Any = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]
    text: Any = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    events = "".join([event(thought), event(text), event("c"), event(None, "stop")])
    httpserver.expect_request(PATH).respond_with_data(events, content_type="text/event-stream")
    assert read(connected(httpserver.url_for("/v1"))) == ("abc", "")


def test_two_questions_at_once_do_not_mix(server: FaultyServer) -> None:
    server.use("slow first token")
    language_model = connected(server.url)
    answers: list[tuple[str, str]] = []
    threads = [threading.Thread(target=lambda: answers.append(read(language_model))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [("".join(TEXT), "")] * 4


# faults ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "text", "message"),
    [
        ("busy", "", "{url} is busy (Rate limit reached); ask again in a minute"),
        ("busy for 90 seconds", "", "{url} is busy and asks to wait 90 seconds; ask again then"),
        ("broken", "", "{url} failed with status 500 (Internal server error); ask again, and if that recurs"),
        ("half an emoji", "", "{url} failed with status 500 (Out of memory \ufffd); ask again"),
        ("html error", "", "{url} failed with status 502 (a web page); ask again"),
        ("no credit", "", "{url} has no credit left for this key (You exceeded your current quota); add credit"),
        ("wrong key", "", "{url} refused the key (Incorrect API key provided: ***); set a valid one on the Settings"),
        ("forbidden", "", "{url} does not allow this (This key may not use this model); use another key or model"),
        ("unknown model", "", "{url} does not know writer-1 (model not found); Test connection in Settings"),
        ("too long", "", "{url} finds the question with its passages too long for writer-1 (maximum context length"),
        ("elsewhere", "", "{url} redirects to http://elsewhere.example/v1; if that is right, set it as the base URL"),
        ("cut before anything", "", "{url} closed the connection (peer closed connection"),
        ("cut", TEXT[0], "{url} closed the connection (peer closed connection"),
        ("no finish reason", TEXT[0], "writer-1 was cut off (the connection ended early); ask again for a complete"),
        ("length", TEXT[0], "writer-1 reached its length limit before the end; ask for less"),
        ("content filter", TEXT[0], "writer-1 was cut off by the content filter of {url}; rephrase the question"),
        ("unknown finish reason", TEXT[0], "writer-1 was cut off (overheated); ask again for a complete answer"),
        ("error in the stream", TEXT[0], "{url} failed: overloaded; ask again"),
        ("refusal", "", "writer-1 declined: I cannot help with that.; rephrase the question"),
        ("empty", "", "writer-1 wrote nothing; ask again or use another model"),
        ("white space", "", "writer-1 wrote nothing; ask again or use another model"),
        ("thoughts only", "", "writer-1 wrote nothing; ask again or use another model"),
        ("tool call", "", "writer-1 asked for a tool instead of answering; use a model"),
        ("html", "", "{url} sent a web page instead of a streamed chat completion; check the base URL"),
        ("json", "", "{url} sent application/json instead of a streamed chat completion; check the base"),
        ("malformed chunk", TEXT[0], "{url} sent something else instead of a streamed chat completion"),
        ("huge chunk", "", "writer-1 wrote more than 100,000 characters, too much for an answer"),
    ],
)
def test_a_fault_keeps_what_came_and_says_what_to_do(fault: str, text: str, message: str, server: FaultyServer) -> None:
    server.use(fault)
    came, said = read(connected(server.url))
    assert came == text
    assert said.startswith(message.format(url=server.url))
    assert len(said) < 500


def test_what_looks_whole_is_left_to_who_checks_the_text(server: FaultyServer) -> None:
    server.use("wrong number", "prompt echoed", "two answers")
    assert read(connected(server.url)) == ("Everybody has 30 days of leave [7].", "")
    assert read(connected(server.url)) == (MESSAGES[0]["content"], "")
    assert read(connected(server.url)) == ("".join(TEXT), "")  # the first one


def test_an_endless_answer_is_stopped(server: FaultyServer) -> None:
    server.use("endless")
    text, message = read(connected(server.url, max_characters=5000))
    assert 4900 < len(text) <= 5000
    assert message.startswith("writer-1 wrote more than 5,000 characters")
    assert server.left.wait(PATIENCE)


def test_an_endless_line_is_stopped_by_its_size(server: FaultyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.language_model.client._MAX_BYTES", 2**22)
    server.use("endless line")
    text, message = read(connected(server.url))
    assert text == ""
    assert "sent more than 4 MB" in message
    assert server.left.wait(PATIENCE)


def test_an_address_where_nobody_listens_is_named(server: FaultyServer) -> None:
    url = f"http://127.0.0.1:{closed_port()}/v1"
    assert read(connected(url))[1].startswith(f"{url} cannot be reached (All connection attempts failed); start")


def test_a_saved_endpoint_is_corrected_where_it_was_saved(server: FaultyServer) -> None:
    server.use("wrong key")
    _, message = read(OpenAILanguageModel(endpoint(server.url, saved=True)))
    assert message.endswith("set a valid one on the Settings page")


@pytest.mark.parametrize("url", ["no address", "http://ann:secret@127.0.0.1/v1", "http://127.0.0.1/v1?key=secret"])
def test_what_is_no_address_is_not_asked(url: str) -> None:
    _, message = read(connected(url))
    assert message.startswith("The base URL must be an address")
    assert "secret" not in message


@pytest.mark.parametrize(
    "data", [5, [], {}, {"choices": None}, {"choices": [{"index": 0, "delta": None}]}, {"choices": [5]}]
)
def test_json_that_is_no_completion_is_a_language_model_error(data: object, httpserver: HTTPServer) -> None:
    events = event("a") + raw(data) + DONE
    httpserver.expect_request(PATH).respond_with_data(events, content_type="text/event-stream")
    text, message = read(connected(httpserver.url_for("/v1")))
    assert text == "a"
    assert "completion; check the base URL" in message


@pytest.mark.parametrize("content", [5, ["a"], {"text": "a"}])
def test_content_that_is_no_text_is_not_handed_on(content: Any, httpserver: HTTPServer) -> None:
    events = event("a") + event(content) + event(None, "stop")
    httpserver.expect_request(PATH).respond_with_data(events, content_type="text/event-stream")
    text, message = read(connected(httpserver.url_for("/v1")))
    assert text == "a"
    assert "completion; check the base URL" in message


# trying again ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["busy", "busy for a moment", "broken", "html error", "cut before anything"])
def test_what_may_pass_is_tried_again(fault: str, server: FaultyServer) -> None:
    server.use(fault, fault, "none")
    assert read(connected(server.url)) == ("".join(TEXT), "")
    assert len(chats(server)) == 3


def test_three_tries_are_all(server: FaultyServer) -> None:
    server.use("broken")
    assert "status 500" in read(connected(server.url))[1]
    assert len(chats(server)) == 3


@pytest.mark.parametrize("fault", ["wrong key", "unknown model", "too long", "no credit", "cut", "error in the stream"])
def test_what_does_not_pass_is_not_tried_again(fault: str, server: FaultyServer) -> None:
    server.use(fault)
    assert read(connected(server.url))[1]
    assert len(chats(server)) == 1


def test_retry_after_is_waited_for(server: FaultyServer) -> None:
    server.use("busy for a second", "none")
    started = time.monotonic()
    assert read(connected(server.url))[1] == ""
    assert time.monotonic() - started >= 1.0


def test_retry_after_may_be_a_date(httpserver: HTTPServer) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
    httpserver.expect_ordered_request(PATH).respond_with_data("busy", 503, headers={"Retry-After": soon})
    httpserver.expect_ordered_request(PATH).respond_with_data(event("a", "stop"), content_type="text/event-stream")
    assert read(connected(httpserver.url_for("/v1"))) == ("a", "")


@pytest.mark.parametrize("nonsense", ["soon", "nan", "inf", "-5", "1e999", "Fri, 99 Jan 2100"])
def test_a_retry_after_that_says_nothing_is_passed_over(nonsense: str, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request(PATH).respond_with_data("busy", 429, headers={"Retry-After": nonsense})
    httpserver.expect_ordered_request(PATH).respond_with_data(event("a", "stop"), content_type="text/event-stream")
    assert read(connected(httpserver.url_for("/v1"))) == ("a", "")


@pytest.mark.parametrize("fault", ["busy for 90 seconds", "busy until 2100"])
def test_a_longer_wait_than_there_is_time_for_is_told_at_once(fault: str, server: FaultyServer) -> None:
    server.use(fault)
    started = time.monotonic()
    assert "asks to wait" in read(connected(server.url))[1]
    assert time.monotonic() - started < PATIENCE / 2  # not at the deadline
    assert len(chats(server)) == 1


def test_a_model_that_takes_no_temperature_is_asked_without_one(server: FaultyServer) -> None:
    server.use("no temperature")
    language_model = connected(server.url)
    assert read(language_model)[1] == ""
    assert read(language_model)[1] == ""
    assert ["temperature" in sent for sent in chats(server)] == [True, False, False]


def test_a_model_without_a_system_role_is_asked_as_the_user_alone(server: FaultyServer) -> None:
    server.use("no system role")
    language_model = connected(server.url)
    messages = [{"role": "system", "content": "Be brief."}, *MESSAGES]
    for _ in range(2):
        assert "".join(language_model.stream(messages)) == "".join(TEXT)
    merged = [{"role": "user", "content": f"Be brief.\n\n{MESSAGES[0]['content']}"}]
    assert [sent["messages"] for sent in chats(server)] == [messages, merged, merged]


# time -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["no first token", "drip", "comments only", "stall"])
def test_the_whole_answer_has_a_deadline(fault: str, server: FaultyServer) -> None:
    server.use(fault)
    _, message = read(connected(server.url, deadline_seconds=1))
    assert message.startswith("writer-1 took longer than 1 seconds; ask again or use a faster model")
    assert not chats(server) or server.left.wait(PATIENCE)  # a slow machine may not even have asked


def test_tries_do_not_move_the_deadline(server: FaultyServer) -> None:
    server.use("busy")
    assert read(connected(server.url, deadline_seconds=1, retry_seconds=0.45))[1]
    assert len(chats(server)) <= 2  # after the second there is no time left to wait 0.9 seconds


def test_a_first_token_may_take_longer_than_a_stall(server: FaultyServer) -> None:
    server.use("slow first token")
    server.delay_seconds = 0.4
    assert read(connected(server.url, stall_seconds=0.1)) == ("".join(TEXT), "")


def test_a_server_that_falls_silent_is_not_waited_for(server: FaultyServer) -> None:
    server.use("stall")
    text, message = read(connected(server.url, stall_seconds=0.2))
    assert text == TEXT[0]
    assert message.startswith("writer-1 paused for 0 seconds in mid-answer; ask again")


@pytest.mark.parametrize(
    "fault", ["no first token", "drip", "comments only", "stall", "busy for half a minute", "endless", "endless line"]
)
def test_a_stop_ends_it_at_once_in_every_phase(
    fault: str, server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.language_model.client._MAX_BYTES", 2**40)
    server.use(fault)
    stop = threading.Event()
    stopped_at: list[float] = []

    def press() -> None:
        wait_until(lambda: bool(chats(server)))
        time.sleep(0.2)  # for the client to come to its phase
        stopped_at.append(time.monotonic())
        stop.set()

    pressing = threading.Thread(target=press)
    pressing.start()
    _, message = read(connected(server.url, max_characters=10**9), stop)
    pressing.join()
    assert message == ""
    assert time.monotonic() - stopped_at[0] < 15  # whatever else would end it, takes half a minute
    assert fault == "busy for half a minute" or server.left.wait(PATIENCE)  # the server need not go on
    assert len(chats(server)) == 1


def test_who_is_stopped_before_the_beginning_asks_nothing(server: FaultyServer) -> None:
    stop = threading.Event()
    stop.set()
    assert read(connected(server.url), stop) == ("", "")
    assert not server.requests


def test_who_stops_reading_breaks_it_off(server: FaultyServer) -> None:
    server.use("stall")
    stream = connected(server.url).stream(MESSAGES)
    assert next(stream) == TEXT[0]
    started = time.monotonic()
    stream.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 15  # its own end is half a minute away
    assert server.left.wait(PATIENCE)


def test_no_thread_is_left_behind(server: FaultyServer) -> None:
    server.use("stall")
    assert "longer" in read(connected(server.url, deadline_seconds=0.2))[1]
    for thread in threading.enumerate():
        if thread.name == "language model":
            thread.join(PATIENCE)
            assert not thread.is_alive()


# keys -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["none", "wrong key", "busy for a moment", "cut", "html", "elsewhere"])
def test_the_key_is_neither_logged_nor_told(fault: str, server: FaultyServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.use(fault)
    language_model = connected(server.url)
    told = ""
    try:
        list(language_model.stream(MESSAGES))
    except LanguageModelError as error:
        told = "".join(traceback.format_exception(error))
    assert KEY not in told
    assert caplog.records
    assert KEY not in caplog.text
    assert KEY not in repr(language_model.endpoint)


@pytest.mark.parametrize("key", [f"{KEY}\nX-Other: 1", f"{KEY}é"])
def test_a_key_that_can_be_none_is_not_sent(key: str, server: FaultyServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _, message = read(OpenAILanguageModel(endpoint(server.url, api_key=SecretStr(key))))
    assert message.startswith("The key has an invalid character")
    assert KEY not in caplog.text
    assert not server.requests


def test_long_words_of_a_server_are_shortened_without_leaving_half_a_key(httpserver: HTTPServer) -> None:
    words = "x" * 190 + KEY + "y" * 10_000
    httpserver.expect_request(PATH).respond_with_json({"error": {"message": words}}, status=400)
    _, message = read(connected(httpserver.url_for("/v1")))
    assert len(message) < 400
    assert KEY[:6] not in message


def test_variables_of_the_environment_are_not_sent_to_a_saved_server(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-environment")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "of-the-environment")
    monkeypatch.setenv("OPENAI_ORG_ID", "of-the-environment")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Gateway: of-the-environment")
    read(OpenAILanguageModel(endpoint(server.url, api_key=None, saved=True)))
    read(OpenAILanguageModel(endpoint(server.url, api_key=None)))
    saved, other = (json.dumps(headers) for _, headers, _ in server.requests)
    assert "of-the-environment" not in saved
    assert "x-gateway" in other.lower()


def test_a_new_key_serves_from_the_next_question_on(server: FaultyServer, settings: Settings) -> None:
    server.use("stall", "wrong key", "none")
    save_endpoint(settings.home, endpoint(server.url))
    running = OpenAILanguageModel(saved(settings), stall_seconds=0.3).stream(MESSAGES)
    assert next(running) == TEXT[0]
    assert "refused the key" in read(OpenAILanguageModel(saved(settings)))[1]
    save_endpoint(settings.home, endpoint(server.url, api_key=SecretStr("sk-new")))
    assert read(OpenAILanguageModel(saved(settings)))[1] == ""
    assert [headers["authorization"] for _, headers, _ in server.requests] == [
        f"Bearer {KEY}",
        f"Bearer {KEY}",
        "Bearer sk-new",
    ]
    with pytest.raises(LanguageModelError):  # the one that was cut by nothing but its own stall
        list(running)


def test_an_answer_ends_at_the_endpoint_where_it_began(server: FaultyServer, settings: Settings) -> None:
    save_endpoint(settings.home, endpoint(server.url))
    running = OpenAILanguageModel(saved(settings)).stream(MESSAGES)
    assert next(running) == TEXT[0]
    with FaultyServer() as other:
        save_endpoint(settings.home, endpoint(other.url))
        assert list(running) == list(TEXT[1:])
        assert not other.requests
        assert read(OpenAILanguageModel(saved(settings)))[1] == ""
        assert "authorization" in other.requests[0][1]


def saved(settings: Settings) -> Endpoint:
    found = read_endpoint(settings)
    assert found is not None
    return found


# an address that was typed on a page ----------------------------------------------------------------------


def _answers_with(body: str, status: int = 200, content_type: str = "text/html", **headers: str) -> Callable[..., str]:
    def respond(httpserver: HTTPServer) -> str:
        headers_of_all = {"Content-Type": content_type, **headers}
        httpserver.expect_request(re.compile(".*")).respond_with_data(body, status, headers_of_all)
        return httpserver.url_for("/v1")

    return respond


def _is_silent(httpserver: HTTPServer) -> str:
    def wait(_request: object) -> Response:
        time.sleep(1)
        return Response("")

    httpserver.expect_request(re.compile(".*")).respond_with_handler(wait)
    return httpserver.url_for("/v1")


@pytest.mark.parametrize(
    "service",
    [
        lambda _: f"http://127.0.0.1:{closed_port()}/v1",
        _is_silent,
        lambda _: "http://no-such-host.invalid/v1",
        _answers_with("<h1>The printer of the third floor</h1>"),
        _answers_with("not found", 404, "text/plain"),
        _answers_with('{"detail": "Not Found"}', 404, "application/json"),
        _answers_with('{"error": "index_not_found_exception", "status": 404}', 404, "application/json"),
        _answers_with('{"message": "no"}', 401, "application/json"),
        _answers_with("", 302, Location="http://10.0.0.5/admin"),
        _answers_with("secrets", 500, "text/plain"),
        _answers_with('{"cluster_name": "inner"}', 200, "application/json"),
        _answers_with("{" * 5_000_000, 200, "text/event-stream"),
    ],
)
def test_what_speaks_no_api_is_told_in_one_message(
    service: Callable[[HTTPServer], str],
    httpserver: HTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("app.language_model.client._MAX_BYTES", 1_000_000)
    url = service(httpserver)
    report = try_connection(endpoint(url, saved=True), deadline_seconds=0.8)
    expected = f"{url} does not answer like a language model; start its server, or correct the base URL"
    assert (
        report.message
        == f"{expected} on the Settings page, which usually ends in /v1. See the log of Citeloop for details."
    )
    assert "no language model: " in caplog.text
    _, told = read(OpenAILanguageModel(endpoint(url, saved=True), deadline_seconds=0.4, retry_seconds=0.01))
    assert f"{told}." == report.message  # an answer says no more
    assert all(request.path.startswith("/v1/") for request, _ in httpserver.log)  # a redirect was not followed


@pytest.mark.parametrize(
    ("fault", "options", "words"),
    [
        ("wrong key", {}, "refused the key"),
        ("unknown model", {}, "does not know writer-1"),
        ("stall", {"stall_seconds": 0.2}, "paused"),
        ("drip", {"deadline_seconds": 3}, "longer than"),  # time enough for a first drop
    ],
)
def test_what_speaks_the_api_is_told_what_is_wrong(
    fault: str, options: dict[str, float], words: str, server: FaultyServer
) -> None:
    server.use(fault)
    assert words in read(OpenAILanguageModel(endpoint(server.url, saved=True), **options))[1]  # type: ignore[arg-type]


# the test of a connection ---------------------------------------------------------------------------------


def test_a_connection_that_works_tells_its_times(server: FaultyServer) -> None:
    report = try_connection(endpoint(server.url))
    assert report.works
    assert report.models == ("writer-1",)
    assert report.first_piece_ms is not None
    assert report.total_ms is not None
    assert 0 < report.first_piece_ms <= report.total_ms
    assert report.message.startswith(f"writer-1 at {server.url} answers: the first piece came after ")


def test_a_model_that_is_not_there_is_told_with_those_that_are(server: FaultyServer) -> None:
    server.use("unknown model")
    server.models = [f"model-{number}" for number in range(10)]
    report = try_connection(endpoint(server.url))
    assert not report.works
    assert report.message.endswith("It lists: " + ", ".join(f"model-{n}" for n in range(8)) + " and 2 more.")


def test_a_server_that_takes_any_name_works_and_tells_what_it_has(server: FaultyServer) -> None:
    server.models = ["other"]
    report = try_connection(endpoint(server.url))
    assert report.works
    assert report.message.endswith("does not list this model. It lists: other.")


def test_a_model_may_be_named_as_ollama_does(server: FaultyServer) -> None:
    server.models = ["writer-1:latest"]
    assert "does not list" not in try_connection(endpoint(server.url)).message


def test_a_base_url_without_v1_is_noticed(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/models").respond_with_json({"data": [{"id": "m", "object": "model"}]})
    httpserver.expect_request("/chat/completions").respond_with_data("404 page not found", 404)
    httpserver.expect_request("/models").respond_with_data("404 page not found", 404)
    report = try_connection(endpoint(httpserver.url_for("")))
    assert not report.works
    assert report.message.endswith(f"Use {httpserver.url_for('/v1')} as the base URL: it lists models.")


@pytest.mark.parametrize("fault", ["wrong key", "no first token", "html", "too long", "cut"])
def test_a_connection_that_fails_says_why_and_holds_no_key(fault: str, server: FaultyServer) -> None:
    server.use(fault)
    server.models = None
    report = try_connection(endpoint(server.url), deadline_seconds=0.5)
    assert not report.works
    assert report.total_ms is None
    assert server.url in report.message or "writer-1" in report.message
    assert KEY not in repr(report)


def test_a_list_of_models_is_not_waited_for_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    has_tried = threading.Event()

    def slow(_request: object) -> Response:
        has_tried.wait(2 * PATIENCE)
        return Response("{}")

    monkeypatch.setattr("app.language_model.connection._LIST_SECONDS", 0.2)
    with HTTPServer(threaded=True) as server:
        server.expect_request("/v1/models").respond_with_handler(slow)
        server.expect_request(PATH).respond_with_data(event("a", "stop"), content_type="text/event-stream")
        report = try_connection(endpoint(server.url_for("/v1")), deadline_seconds=PATIENCE)
        has_tried.set()
    assert report.works


def test_what_is_no_endpoint_is_not_tried(tmp_path: Path) -> None:
    assert try_connection(endpoint("nowhere")).message.startswith("The base URL must be an address")
