from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import accumulate
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from app.access.keys import KeyStore
from app.answer import Answer
from app.api.answers import SOURCES
from app.api.shapes import AskResult
from app.feedback import FeedbackError
from app.language_model.protocol import LanguageModelError
from app.reranking.rerank import RerankerError
from tests.api.conftest import Api, MakePipeline, leave_once, parsed, serving, wait_until
from tests.conftest import PATIENCE, FakeLanguageModel, refuse

QUESTION = "How many days of leave are there?"


class SlowWriter:
    """Writes a word, and then another one every hundredth of a second, until it is told to stop.

    is_whole: nobody stopped it, for longer than a test waits.
    """

    name = "slow-writer"

    def __init__(self) -> None:
        self.has_begun, self.has_ended = threading.Event(), threading.Event()
        self.is_whole = False

    def stream(self, _messages: Sequence[Mapping[str, str]], stop: threading.Event | None = None) -> Iterator[str]:
        assert stop is not None
        self.has_begun.set()
        try:
            for _ in range(10_000):
                yield "word "
                if stop.wait(0.01):
                    return
            self.is_whole = True
        finally:
            self.has_ended.set()


def stream(client: TestClient, **body: Any) -> list[tuple[str, Any]]:
    response = client.post("/v1/ask", json={"question": QUESTION, **body})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    return parsed(response.text)


def breaking_off(error: Exception, *texts: str) -> Callable[..., Iterator[Answer]]:
    """In the place of Pipeline.write: the answer as it grows by these texts, and then the error."""

    def write(ranked: Answer, stop: threading.Event | None = None) -> Iterator[Answer]:
        for text in accumulate(texts):
            yield replace(ranked, text=text)
        raise error

    return write


def test_sources_come_first_then_text_then_the_whole_answer(
    client: TestClient, api: Api, make_pipeline: MakePipeline
) -> None:
    class Writer(FakeLanguageModel):
        def stream(self, messages: Sequence[Mapping[str, str]], stop: threading.Event | None = None) -> Iterator[str]:
            for piece in super().stream(messages, stop):
                yield piece
                time.sleep(0.3)  # what comes faster is put together

    api.pipeline = make_pipeline(Writer("Thirty ", "days [1]", " and a horse [9]."))
    names, data = zip(*stream(client), strict=True)
    assert names[0] == "sources"
    assert len(names) > 3
    assert set(names[1:-1]) == {"text"}
    assert names[-1] == "answer"
    first, *pieces, last = data
    assert tuple(first) == SOURCES
    assert "".join(piece["text"] for piece in pieces) == last["answer"]
    assert last["answer"] == "Thirty days [1] and a horse."  # a citation that was made up is taken out
    assert (last["found"], last["complete"], last["answered_by"]) == (True, True, "fake-writer")
    assert {name: last[name] for name in ("answer_id", "conversation_id", "ranking", "note")} == {
        name: first[name] for name in ("answer_id", "conversation_id", "ranking", "note")
    }
    assert first["citations"][0]["document"] == "handbook/leave.md"
    assert [each["used"] for each in last["citations"]][:2] == [True, False]


def test_answer_without_a_language_model_is_one_piece(client: TestClient) -> None:
    events = stream(client)
    assert [name for name, _ in events] == ["sources", "text", "answer"]
    assert events[1][1]["text"] == events[2][1]["answer"]
    assert "30 days of leave" in events[2][1]["answer"]


def test_answer_at_once_is_the_one_of_the_stream(client: TestClient, api: Api) -> None:
    response = client.post("/v1/ask", json={"question": QUESTION, "stream": False})
    answer = response.json()
    (*_, (_, last)) = stream(client)
    differing = {"answer_id", "conversation_id", "timings_ms"}
    assert {name: answer[name] for name in answer if name not in differing} == {
        name: last[name] for name in last if name not in differing
    }
    assert list(answer) == ["answer_id", "conversation_id", *api.pipeline.ask(QUESTION).as_record()]


def test_what_is_described_is_what_comes(client: TestClient) -> None:
    answer = client.post("/v1/ask", json={"question": QUESTION, "stream": False}).json()
    assert AskResult(**answer).model_dump(mode="json") == answer
    assert set(AskResult.model_fields) == set(answer)


def test_answer_is_kept_for_feedback_under_who_asked(client: TestClient, api: Api) -> None:
    (*_, (_, answer)) = stream(client, user="ann@example.org")
    kept = api.store.answer(answer["answer_id"], "api:helpdesk/ann@example.org")
    assert kept is not None
    assert (kept.user, kept.conversation_id) == ("api:helpdesk/ann@example.org", answer["conversation_id"])
    assert (kept.answer.text, kept.answer.complete) == (answer["answer"], True)


def test_conversation_goes_on_for_who_began_it(client: TestClient, api: Api) -> None:
    begun = client.post("/v1/ask", json={"question": QUESTION, "stream": False, "user": "ann"}).json()
    body = {"question": "And the VPN?", "stream": False, "conversation_id": begun["conversation_id"]}
    for user in ({"user": "bob"}, {}):
        refused = client.post("/v1/ask", json={**body, **user})
        assert refused.status_code == 404
        assert "omit conversation_id" in refused.json()["error"]["message"]
    assert client.post("/v1/ask", json={**body, "user": "ann"}).json()["conversation_id"] == begun["conversation_id"]
    kept = api.store.conversation(begun["conversation_id"], "api:helpdesk/ann")
    assert [turn.answer.question for turn in kept] == [QUESTION, "And the VPN?"]


def test_conversation_of_another_key_is_as_one_that_nobody_has(client: TestClient, keys: KeyStore) -> None:
    begun = client.post("/v1/ask", json={"question": QUESTION, "stream": False}).json()
    wiki = {"Authorization": f"Bearer {keys.create('wiki')}"}
    replies = [
        client.post("/v1/ask", json={"question": "And the VPN?", "conversation_id": named}, headers=wiki)
        for named in (begun["conversation_id"], "made-up")
    ]
    assert [reply.status_code for reply in replies] == [404, 404]
    assert replies[0].json() == replies[1].json()


def test_conversation_that_somebody_made_up_is_not_taken_over(client: TestClient, api: Api) -> None:
    response = client.post("/v1/ask", json={"question": QUESTION, "conversation_id": "made-up"})
    assert response.status_code == 404
    assert api.store.conversation("made-up", "api:helpdesk") == []


def test_language_model_that_breaks_off_leaves_a_note(
    client: TestClient, api: Api, make_pipeline: MakePipeline
) -> None:
    api.pipeline = make_pipeline(FakeLanguageModel("Thirty days", LanguageModelError("it broke off; ask again")))
    (*_, (name, answer)) = stream(client)
    assert name == "answer"
    assert (answer["complete"], answer["answer"]) == (False, "Thirty days")
    assert "it broke off" in answer["note"]


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (RerankerError("it is gone"), 503, "it is gone"),
        (ZeroDivisionError("a secret"), 500, "the server log for request"),
    ],
)
def test_failure_on_the_way_is_the_last_event(
    client: TestClient, api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, expected: str
) -> None:
    monkeypatch.setattr(api.pipeline, "write", breaking_off(error))
    (*_, (name, data)) = stream(client)
    assert (name, list(data)) == ("error", ["error"])
    assert expected in data["error"]["message"]
    assert "secret" not in data["error"]["message"]
    whole = client.post("/v1/ask", json={"question": QUESTION, "stream": False})
    assert whole.status_code == status
    assert expected in whole.json()["error"]["message"]


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("written", [[], ["Thirty "]])
@pytest.mark.parametrize(
    ("error", "note"),
    [
        (RerankerError("it is gone"), "it is gone"),
        (ZeroDivisionError("a secret"), "internal error; see the server log"),
    ],
)
def test_failure_on_the_way_keeps_what_is_there_with_a_note(
    client: TestClient,
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    note: str,
    written: Sequence[str],
    streamed: bool,
) -> None:
    monkeypatch.setattr(api.pipeline, "write", breaking_off(error, *written))
    client.post("/v1/ask", json={"question": QUESTION, "stream": streamed})
    kept = _last(api)
    assert (kept.text, kept.complete) == ("".join(written), False)
    assert kept.note.startswith(note)
    assert kept.citations


def test_failure_that_cannot_be_kept_is_said_all_the_same(
    client: TestClient, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise FeedbackError("the disk is full")

    monkeypatch.setattr(api.pipeline, "write", breaking_off(RerankerError("it is gone")))
    monkeypatch.setattr(api.store, "update_answer", full)
    (*_, (name, data)) = stream(client)
    assert (name, data["error"]["message"]) == ("error", "it is gone")


@pytest.mark.parametrize("streamed", [True, False])
def test_full_disk_is_no_reason_not_to_answer(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, streamed: bool
) -> None:
    monkeypatch.setattr("ingest.home.database._opened_for_writing", refuse)
    if streamed:
        (*_, (_, answer)) = stream(client)
    else:
        answer = client.post("/v1/ask", json={"question": QUESTION, "stream": False}).json()
    assert answer["citations"]
    assert answer["note"].startswith("Not saved: database or disk is full. Free some space")
    body = {"answer_id": answer["answer_id"], "number": 1, "action": "deleted"}
    refused = client.post("/v1/feedback", json=body)
    assert (refused.status_code, refused.json()["error"]["message"][:11]) == (503, "Not saved: ")
    monkeypatch.undo()
    assert client.post("/v1/feedback", json=body).json()["recorded"]


@contextmanager
def asking(server: str, key: str) -> Iterator[httpx2.Response]:
    """The answer of a real server while it grows; leaving closes the connection."""
    with (
        httpx2.Client(headers={"Authorization": f"Bearer {key}"}, timeout=2 * PATIENCE) as client,
        client.stream("POST", f"{server}/v1/ask", json={"question": QUESTION}) as response,
    ):
        yield response


def test_silence_is_filled_with_pings(
    api: Api, key: str, make_pipeline: MakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_pinged, lines = threading.Event(), list[str]()

    class Thinker(FakeLanguageModel):
        def stream(self, messages: Sequence[Mapping[str, str]], stop: threading.Event | None = None) -> Iterator[str]:
            has_pinged.wait(PATIENCE)
            yield "Thirty days [1]."

    monkeypatch.setattr("app.api.streams.PING_SECONDS", 0.05)
    api.pipeline = make_pipeline(Thinker())
    with serving(api.site) as server, asking(server, key) as response:
        for line in response.iter_lines():
            lines.append(line)
            if line == ": ping" and "event: sources" in lines:
                has_pinged.set()
    assert has_pinged.is_set()
    assert [name for name, _ in parsed("\n".join(lines))] == ["sources", "text", "answer"]


def test_whoever_goes_away_ends_the_stream(api: Api, key: str, make_pipeline: MakePipeline) -> None:
    writer = SlowWriter()
    api.pipeline = make_pipeline(writer)
    with serving(api.site) as server:
        with asking(server, key) as response:
            lines = response.iter_lines()
            assert next(lines) == "event: sources"
            while next(lines) != "event: text":
                pass
            assert not writer.has_ended.is_set()
        assert writer.has_ended.wait(PATIENCE)
        assert not writer.is_whole
        wait_until(lambda: bool(api.store.shown()) and bool(_last(api).text))
    assert not _last(api).complete


def test_whoever_goes_away_ends_the_answer_at_once_too(api: Api, key: str, make_pipeline: MakePipeline) -> None:
    writer = SlowWriter()
    api.pipeline = make_pipeline(writer)
    with serving(api.site) as server:
        leave_once(writer.has_begun.is_set, f"{server}/v1/ask", {"question": QUESTION, "stream": False}, key)
        assert writer.has_ended.wait(PATIENCE)
    assert not writer.is_whole


def test_eight_ask_at_once_and_each_gets_its_own(api: Api, key: str, make_pipeline: MakePipeline) -> None:
    together = threading.Barrier(8, timeout=PATIENCE)

    class Writer(FakeLanguageModel):
        def stream(self, messages: Sequence[Mapping[str, str]], stop: threading.Event | None = None) -> Iterator[str]:
            together.wait()  # none goes on before all are here: they are answered at the same time
            yield str(messages[-1]["content"]).rsplit("Question: ", 1)[1]

    api.pipeline = make_pipeline(Writer())

    def ask(number: int) -> list[tuple[str, Any]]:
        body = {"question": f"leave of {number} days", "user": f"user{number}"}
        headers = {"Authorization": f"Bearer {key}"}
        response = httpx2.post(f"{server}/v1/ask", json=body, headers=headers, timeout=2 * PATIENCE)
        return parsed(response.text)

    with serving(api.site) as server, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert [[name for name, _ in events] for events in answers] == [["sources", "text", "answer"]] * 8
    assert [events[-1][1]["answer"] for events in answers] == [f"leave of {number} days" for number in range(8)]
    kept = [api.store.answer(events[-1][1]["answer_id"], "api:helpdesk") for events in answers]
    assert [each and each.user for each in kept] == [f"api:helpdesk/user{number}" for number in range(8)]


def test_server_answers_others_while_one_is_being_answered(api: Api, key: str, make_pipeline: MakePipeline) -> None:
    writer = SlowWriter()
    api.pipeline = make_pipeline(writer)
    headers = {"Authorization": f"Bearer {key}"}
    with serving(api.site) as server, asking(server, key) as response:
        lines = response.iter_lines()
        while next(lines) != "event: text":
            pass
        found = httpx2.post(f"{server}/v1/search", json={"query": "leave"}, headers=headers, timeout=2 * PATIENCE)
        assert found.status_code == 200
        assert not writer.has_ended.is_set()


def _last(api: Api) -> Answer:
    stored = api.store.answer(api.store.shown()[-1].id, "api:helpdesk")
    assert stored is not None
    return stored.answer


def test_follow_up_is_searched_in_full_and_says_so(client: TestClient) -> None:
    first = client.post("/v1/ask", json={"question": "How much may a hotel cost in Berlin?", "stream": False}).json()
    assert first["query"] == first["question"]
    body = {"question": "and in Hamburg?", "conversation_id": first["conversation_id"], "stream": False}
    second = client.post("/v1/ask", json=body).json()
    assert second["question"] == "and in Hamburg?"
    assert second["query"] == "and in Hamburg? (How much may a hotel cost in Berlin?)"


@pytest.mark.parametrize(("path", "asked"), [("/v1/search", "query"), ("/v1/ask", "question")])
def test_filter_leaves_other_documents_out(client: TestClient, path: str, asked: str) -> None:
    body = {asked: "leave", "within": {"collections": ["it"]}} | ({"stream": False} if path == "/v1/ask" else {})
    assert {row["document"] for row in client.post(path, json=body).json()["ranking"]} == {"it/vpn.md"}
    refused = client.post(path, json={asked: "leave", "within": {"collections": ["nowhere"]}})
    assert refused.status_code == 422
    assert "choose from: handbook, it" in refused.json()["error"]["message"]
