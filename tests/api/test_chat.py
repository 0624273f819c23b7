from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionChunk
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from app.access.keys import KeyStore
from app.access.limits import Limits
from app.access.rates import Rates
from app.api.web import create_api
from app.language_model.protocol import LanguageModelError
from app.language_model.tokens import estimate_tokens
from app.reranking.rerank import RerankerError
from tests.api.conftest import Api, MakePipeline, leave_once, serving, wait_until
from tests.api.test_ask import SlowWriter, breaking_off
from tests.conftest import PATIENCE, FakeLanguageModel

QUESTION = "How many days of leave are there?"
PUBLIC = "https://docs.example.com"


def said(*questions: str) -> list[Any]:
    """The messages of a conversation, with an answer after all questions but the last."""
    between = {"role": "assistant", "content": "Thirty [1]."}
    messages: list[Any] = [{"role": "system", "content": "You are a pirate."}]
    for question in questions[:-1]:
        messages += [{"role": "user", "content": question}, between]
    return [*messages, {"role": "user", "content": questions[-1]}]


@pytest.fixture
def server(api: Api) -> Iterator[str]:
    """The address of a real server."""
    site = Mount("/v1", create_api(lambda: api.pipeline, lambda: api.store, api.callers, Rates(), PUBLIC))
    with serving(Starlette(routes=[site])) as address:
        yield address


@pytest.fixture
def chat(server: str, key: str) -> Iterator[OpenAI]:
    """OpenAI's own client of that server."""
    with OpenAI(base_url=f"{server}/v1", api_key=key, max_retries=0) as client:
        yield client


def ask(client: OpenAI, *questions: str, **more: Any) -> Any:
    return client.chat.completions.create(model="citeloop", messages=said(*(questions or (QUESTION,))), **more)


def streamed(client: OpenAI, **more: Any) -> list[ChatCompletionChunk]:
    return list(ask(client, stream=True, **more))


def content_of(chunks: Sequence[ChatCompletionChunk]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_models_are_those_that_can_be_asked(chat: OpenAI, api: Api) -> None:
    names = [model.id for model in chat.models.list()]
    assert names == ["citeloop", "citeloop-no-rerank"]
    assert chat.models.retrieve("citeloop").owned_by == "citeloop"
    for name in names:
        chat.chat.completions.create(model=name, messages=said(QUESTION))
    api.pipeline.settings.reranker = "shipped"
    answer = chat.chat.completions.create(model="citeloop-no-rerank", messages=said(QUESTION))
    assert _kept(api, answer.id).reranker == "none"
    with pytest.raises(openai.NotFoundError, match="one of the models citeloop, citeloop-no-rerank; got 'gpt-4o'"):
        chat.chat.completions.create(model="gpt-4o", messages=said(QUESTION))


def test_an_answer_ends_with_its_sources_and_annotates_each_number(chat: OpenAI, api: Api, server: str) -> None:
    answer = ask(chat)
    message = answer.choices[0].message
    text, _, listed = message.content.partition("\n\nSources:\n\n")
    kept = _kept(api, answer.id)
    assert text == kept.text
    assert "30 days of leave" in text
    assert (answer.object, answer.model, answer.choices[0].finish_reason) == ("chat.completion", "citeloop", "stop")
    assert re.findall(r"- \[(\d+)\] \[Leave\]\((\S+)\)", listed)
    (first, *_) = message.annotations
    assert message.content[first.url_citation.start_index : first.url_citation.end_index] == "[1]"
    assert (first.type, first.url_citation.title) == ("url_citation", "Leave")
    assert f"]({first.url_citation.url})" in listed
    link = urlsplit(first.url_citation.url)
    named = {name: value for name, (value,) in parse_qs(link.query).items()}
    assert f"{link.scheme}://{link.netloc}{link.path}" == f"{PUBLIC}/source"
    assert named == {"chunk": kept.citations[0].chunk.id, "a": answer.id}
    stored = api.store.answer(answer.id, "api:helpdesk")
    assert stored
    assert api.store.share_token(stored.conversation_id, "api:helpdesk") == "", "nobody asked to share it"


def test_usage_is_that_of_messages_and_answer(chat: OpenAI) -> None:
    answer = ask(chat)
    usage = answer.usage
    assert usage.prompt_tokens == estimate_tokens(f"You are a pirate.\n{QUESTION}")
    assert usage.completion_tokens == estimate_tokens(answer.choices[0].message.content)
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    *_, last = streamed(chat, stream_options={"include_usage": True})
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.prompt_tokens == usage.prompt_tokens
    assert all(chunk.usage is None for chunk in streamed(chat))


def test_a_stream_has_the_same_answer_in_pieces(chat: OpenAI, api: Api, make_pipeline: MakePipeline) -> None:
    class Writer(FakeLanguageModel):
        def stream(self, messages: Sequence[Mapping[str, str]], stop: Any = None) -> Iterator[str]:
            for piece in super().stream(messages, stop):
                yield piece
                time.sleep(0.2)  # what comes faster is put together

    api.pipeline = make_pipeline(Writer("Thirty ", "days [1]", " and a horse [9]."))
    chunks, whole = streamed(chat), ask(chat).choices[0].message
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert (deltas[0].role, deltas[0].content) == ("assistant", "")
    assert len([delta for delta in deltas if delta.content]) > 2
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert {chunk.id for chunk in chunks} == {chunks[0].id}
    content = content_of(chunks)
    assert content.startswith("Thirty days [1] and a horse.\n\nSources:\n\n- [1] [Leave](")
    assert without_ids(content) == without_ids(whole.content)
    (cited,) = [each for delta in deltas for each in getattr(delta, "annotations", [])]
    where = cited["url_citation"]
    assert content[where["start_index"] : where["end_index"]] == "[1]"
    assert _kept(api, chunks[0].id).text == "Thirty days [1] and a horse."


def without_ids(content: str) -> str:
    return re.sub(r"a=[\w-]+", "", content)


def test_a_text_that_becomes_another_one_is_sent_again(chat: OpenAI, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    write = api.pipeline.write

    def rewritten(ranked: Any, stop: Any = None) -> Iterator[Any]:
        yield replace(ranked, text="Forty days")
        yield from write(ranked, stop)

    monkeypatch.setattr(api.pipeline, "write", rewritten)
    content, whole = content_of(streamed(chat)), ask(chat).choices[0].message.content
    assert content.startswith("Forty days\n\nThe complete answer:\n\n")
    assert without_ids(content).endswith(without_ids(whole))


def test_sources_that_the_text_does_not_use_are_the_nearest_passages(
    chat: OpenAI, api: Api, make_pipeline: MakePipeline
) -> None:
    api.pipeline = make_pipeline(FakeLanguageModel("The passages do not answer this question."))
    message = ask(chat).choices[0].message
    assert message.annotations == []
    assert message.content.startswith("Nothing here clearly answers this.")
    assert [int(number) for number in re.findall(r"^- \[(\d+)\]", message.content, re.MULTILINE)] == [1, 2, 3, 4]


def test_earlier_questions_give_a_follow_up_its_meaning(chat: OpenAI, api: Api) -> None:
    hotel, hamburg, bremen = "How much may a hotel cost in Berlin?", "and in Hamburg?", "and in Bremen?"
    kept = _kept(api, ask(chat, hotel, hamburg).id)
    assert (kept.question, kept.query) == (hamburg, f"{hamburg} ({hotel})")
    assert _kept(api, ask(chat, hotel, hamburg, bremen).id).query.endswith("How much may a hotel cost in Berlin)")
    assert _kept(api, ask(chat, hotel).id).query == ""


def test_parts_of_text_are_read_and_settings_of_language_models_are_ignored(chat: OpenAI, api: Api) -> None:
    parts: list[Any] = [
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "text", "text": QUESTION},
    ]
    messages: list[Any] = [{"role": "user", "content": parts}]
    answer = chat.chat.completions.create(model="citeloop", messages=messages, temperature=0.3, max_tokens=9, top_p=1)
    assert _kept(api, answer.id).question == QUESTION


def test_feedback_on_the_completion_is_feedback_on_the_answer(chat: OpenAI, api: Api, client: TestClient) -> None:
    answer = ask(chat, user="ann@example.org")
    assert api.store.answer(answer.id, "api:helpdesk/ann@example.org")
    body = {"answer_id": answer.id, "number": 1, "action": "deleted", "user": "ann@example.org"}
    assert client.post("/v1/feedback", json=body).json()["recorded"]
    again = _kept(api, ask(chat, user="ann@example.org").id)
    assert again.citations[0].chunk.id != _kept(api, answer.id).citations[0].chunk.id


# Errors ----------------------------------------------------------------------------------------------


def test_errors_have_the_shape_of_openai(chat: OpenAI, keys: KeyStore, server: str) -> None:
    with pytest.raises(openai.AuthenticationError, match="citeloop keys add NAME") as refused:
        ask(chat.with_options(api_key="citeloop_wrong"))
    assert refused.value.type == "authentication_error"
    assert refused.value.body == {
        "message": "expected the header Authorization: Bearer KEY, with a key made by: citeloop keys add NAME",
        "type": "authentication_error",
        "param": None,
        "code": None,
    }
    searching = chat.with_options(api_key=keys.create("searching", Limits(scopes=("search",))))
    with pytest.raises(openai.PermissionDeniedError, match="may search, but not ask"):
        ask(searching)
    with pytest.raises(openai.PermissionDeniedError, match="may search, but not ask"):
        searching.models.list()
    with pytest.raises(openai.PermissionDeniedError, match="reached its limit of users"):
        ask(chat.with_options(api_key=keys.create("wiki")), user="ann")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"messages": []}, "messages: List should have at least 1 item"),
        ({"messages": [{"role": "system", "content": "x"}]}, "expected a message of the role user"),
        ({"messages": [{"role": "user", "content": " "}]}, "the last message of the role user: String should have at"),
        ({"messages": [{"role": "user", "content": "x" * 2001}]}, "the last message of the role user: String should"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "the last message of the role user: "),
        ({"n": 2}, "n: Input should be less than or equal to 1"),
        ({"user": "a/b"}, "user: String should match"),
    ],
)
def test_what_cannot_be_asked_is_said(client: TestClient, body: dict[str, Any], expected: str) -> None:
    response = client.post("/v1/chat/completions", json={"model": "citeloop", "messages": said(QUESTION), **body})
    assert response.status_code == 422
    assert expected in response.json()["error"]["message"]
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_a_key_that_asks_too_often_is_told_when_to_come_back(chat: OpenAI, keys: KeyStore) -> None:
    slow = chat.with_options(api_key=keys.create("wiki", Limits(rate=1)))
    ask(slow)
    with pytest.raises(openai.RateLimitError) as refused:
        ask(slow)
    assert 0 < int(refused.value.response.headers["Retry-After"]) <= 60
    assert refused.value.type == "rate_limit_error"


@pytest.mark.parametrize("stream", [True, False])
def test_too_many_at_once_are_turned_away_before_a_stream_begins(
    chat: OpenAI, api: Api, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    monkeypatch.setattr(api.pipeline.admission, "_max_running", 0)
    monkeypatch.setattr(api.pipeline.admission, "_max_waiting", 0)
    monkeypatch.setattr(api.pipeline.admission, "_retry_seconds", lambda: 7)
    with pytest.raises(openai.RateLimitError, match="too many questions at once") as refused:
        ask(chat, stream=stream)
    assert refused.value.response.headers["Retry-After"] == "7"


def test_a_failure_on_the_way_ends_the_stream(chat: OpenAI, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.pipeline, "write", breaking_off(RerankerError("it is gone"), "Thirty"))
    with pytest.raises(openai.InternalServerError, match="it is gone"):
        ask(chat)
    with pytest.raises(openai.APIError, match="it is gone"):
        streamed(chat)
    assert [answer.text for answer in _all_kept(api)] == ["Thirty", "Thirty"]


def test_an_answer_that_was_cut_off_says_so(chat: OpenAI, api: Api, make_pipeline: MakePipeline) -> None:
    api.pipeline = make_pipeline(FakeLanguageModel("Thirty days", LanguageModelError("it [broke](off); ask again")))
    (choice,) = ask(chat).choices
    assert choice.finish_reason == "length"
    assert choice.message.content.startswith("Thirty days\n\nNote: it [broke] (off); ask again\n\nSources:")


def test_whoever_goes_away_ends_the_stream(chat: OpenAI, api: Api, make_pipeline: MakePipeline) -> None:
    writer = SlowWriter()
    api.pipeline = make_pipeline(writer)
    with ask(chat, stream=True) as chunks:
        while not content_of([next(chunks)]):
            pass
        assert not writer.has_ended.is_set()
    assert writer.has_ended.wait(PATIENCE)
    assert not writer.is_whole
    wait_until(lambda: bool(_all_kept(api)[0].text))


def test_whoever_goes_away_ends_the_answer_at_once_too(
    server: str, key: str, api: Api, make_pipeline: MakePipeline
) -> None:
    writer = SlowWriter()
    api.pipeline = make_pipeline(writer)
    body = {"model": "citeloop", "messages": said(QUESTION)}
    leave_once(writer.has_begun.is_set, f"{server}/v1/chat/completions", body, key)
    assert writer.has_ended.wait(PATIENCE)
    assert not writer.is_whole


def test_without_a_public_address_links_lead_where_the_request_went(api: Api, key: str) -> None:
    body = {"model": "citeloop", "messages": said(QUESTION)}
    with serving(api.site) as server:
        headers = {"Authorization": f"Bearer {key}"}
        answer = httpx2.post(f"{server}/v1/chat/completions", json=body, headers=headers, timeout=PATIENCE).json()
    assert answer["choices"][0]["message"]["annotations"][0]["url_citation"]["url"].startswith(
        f"{server}/source?chunk="
    )


def _kept(api: Api, answer_id: str) -> Any:
    kept = api.store.answer(answer_id, "api:helpdesk")
    assert kept is not None
    return kept.answer


def _all_kept(api: Api) -> list[Any]:
    return [_kept(api, shown.id) for shown in api.store.shown()]
