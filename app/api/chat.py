"""Asking -> /v1/chat/completions and /v1/models: Citeloop as the model of a front end that speaks OpenAI's protocol."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from app.api.answers import Asked, UnknownError
from app.api.asking import Asking, CalledBy
from app.api.chat_shapes import AssistantMessage, ChatBody, ChatCompletion, ChatUsage, Choice, ModelCard, ModelList
from app.api.chat_text import CitationRecord, closing, rest_of, source_address, url_citations, without_links
from app.api.guard import error_record, explained
from app.api.shapes import AskBody, ErrorAnswer
from app.api.streams import encoded, event_stream, streamed
from app.language_model.tokens import estimate_tokens
from app.reranking.live import NONE
from app.search.follow_up import NUM_EARLIER, rewrite

_MODELS = {"citeloop": None, "citeloop-no-rerank": NONE}
"""Name for clients -> reranker; None: the one of the server's settings."""
_CHUNKS = """\
data: {"id": "4f0c...", "object": "chat.completion.chunk", "choices": [{"delta": {"content": "30 days [1]"}, ...}], ...}

data: [DONE]
"""


@dataclass(frozen=True, slots=True)
class _Reply:
    """An answer on its way to a client. site: address of the pages."""

    asked: Asked
    body: ChatBody
    site: str
    created: int

    def address(self, citation: CitationRecord) -> str:
        return source_address(self.site, citation["chunk_id"], self.asked.answer_id)

    def usage(self, content: str) -> ChatUsage:
        read, written = (
            estimate_tokens(text) for text in ("\n".join(each.text for each in self.body.messages), content)
        )
        return ChatUsage(prompt_tokens=read, completion_tokens=written, total_tokens=read + written)

    def completion(self, record: Mapping[str, Any]) -> ChatCompletion:
        text = without_links(record["answer"])
        content = text + closing(record, self.address)
        cited = url_citations(text, record["citations"], self.address)
        message = AssistantMessage(content=content, annotations=cited)
        return ChatCompletion(
            id=self.asked.answer_id,
            created=self.created,
            model=self.body.model,
            choices=[Choice(message=message, finish_reason=_finish_reason(record))],
            usage=self.usage(content),
        )

    def chunk(self, delta: Mapping[str, Any] | None = None, finish_reason: str | None = None, **more: Any) -> bytes:
        """Return a piece of the completion in wire format; delta: None has no choices."""
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish_reason}]
        record = {
            "id": self.asked.answer_id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.body.model,
            "choices": choices,
        }
        return encoded(record | more)

    async def chunks(self, asking: Asking) -> AsyncIterator[bytes]:
        """Yield the completion in wire format; an exception becomes an error in place of the end."""
        try:
            yield self.chunk({"role": "assistant", "content": ""})
            async for piece in self._pieces(asking):
                yield piece
            yield format_sse_event(data_str="[DONE]")
        except Exception as error:
            yield encoded(error_record(500, explained(error)))

    async def _pieces(self, asking: Asking) -> AsyncIterator[bytes]:
        written = sent = ""
        async for event in asking.events(self.asked):
            if event is None:
                yield KEEPALIVE_COMMENT
            elif event.name == "text":
                written += str(event.data["text"])
                new, sent = without_links(written)[len(sent) :], without_links(written)
                yield self.chunk({"content": new})
            elif event.name == "answer":
                for piece in self._end(event.data, sent):
                    yield piece

    def _end(self, record: Mapping[str, Any], sent: str) -> list[bytes]:
        """Return the last chunks of a stream: rest of the text, sources, finish reason and usage."""
        rest = rest_of(without_links(record["answer"]), sent)
        last = rest + closing(record, self.address)
        cited = [each.model_dump() for each in url_citations(sent + rest, record["citations"], self.address)]
        ends = [self.chunk({"content": last, "annotations": cited}), self.chunk({}, _finish_reason(record))]
        if self.body.wants_usage:
            ends.append(self.chunk(usage=self.usage(sent + last).model_dump()))
        return ends


def chat_routes(asking: Asking, public_url: str) -> APIRouter:
    """Return the routes. public_url: of the pages, for links to sources; '' uses the address of the request."""
    routes, started = APIRouter(), int(time.time())

    @routes.get("/models")
    async def models(_caller: CalledBy) -> ModelList:
        """List the models: the server's ranking, and the same without a reranker."""
        return ModelList(data=[ModelCard(id=name, created=started) for name in _MODELS])

    @routes.get("/models/{name}", responses={404: {"model": ErrorAnswer}})
    async def model(name: str, _caller: CalledBy) -> ModelCard:
        """Describe a model."""
        _reranker_of(name)
        return ModelCard(id=name, created=started)

    @routes.post("/chat/completions", response_model=ChatCompletion, responses=streamed(_CHUNKS))
    async def complete(body: ChatBody, caller: CalledBy, request: Request) -> Response:
        """Answer the last message of the role user, in OpenAI's shape; closing the connection stops it.

        The text ends with the list of sources. Their links open the passage, where it can be struck out.
        """
        *before, question = body.questions
        asked = await asking.begin(
            AskBody(question=question, reranker=_reranker_of(body.model), user=body.user),
            caller,
            request,
            _in_full(before),
        )
        site = public_url.rstrip("/") or f"{request.url.scheme}://{request.url.netloc}"
        reply = _Reply(asked, body, site, int(time.time()))
        if body.stream:
            return event_stream(reply.chunks(asking))
        final = await asking.final(asked, request)
        return JSONResponse(reply.completion(final.data).model_dump())

    return routes


def _reranker_of(model: str) -> str | None:
    """Return the reranker of a model. Raises UnknownError."""
    if model not in _MODELS:
        raise UnknownError(f"expected one of the models {', '.join(_MODELS)}; got {model!r:.80}")
    return _MODELS[model]


def _in_full(questions: list[str]) -> list[str]:
    """Return the last questions as searched, oldest first; a language model is not asked again for each."""
    searched = list[str]()
    for question in questions[-NUM_EARLIER:]:
        searched.append(rewrite(question, searched))
    return searched


def _finish_reason(record: Mapping[str, Any]) -> str:
    return "stop" if record["complete"] else "length"
