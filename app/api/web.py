"""Pipeline, feedback store and callers -> FastAPI, to be mounted at /v1."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

from fastapi import APIRouter, FastAPI, Request
from fastapi.middleware import Middleware
from fastapi.responses import JSONResponse, Response

from app.access.callers import Callers
from app.access.rates import Rates
from app.api import answers
from app.api.asking import Asking, CalledBy
from app.api.chat import chat_routes
from app.api.guard import BodyLimit, InRequest, KeyRequired, handle_errors
from app.api.rerank_shapes import RerankAnswer, RerankBody, RerankResult, TextDocument, Usage
from app.api.shapes import AskBody, AskResult, ErrorAnswer, FeedbackBody, FeedbackResult, SearchBody, SearchResult
from app.api.streams import event_stream, server_sent, streamed
from app.feedback import FeedbackStore, new_id
from app.memory.reach import logistic
from app.pipeline import Pipeline

PATH = "/v1"
OPENAPI_PATH = "/openapi.json"
_MAX_ANSWERS = 32
"""Answers written at once; further ones wait. They mostly wait for a language model."""
_MAX_SEARCHES = 64
"""More threads than admitted searches, since refusing a request needs a thread too."""

_DESCRIPTION = """\
Search, rerank, ask, chat as with OpenAI, and give feedback. Each request needs the header `Authorization: Bearer KEY`;
`citeloop keys add NAME` makes a key. A token of the OpenID provider named in access.toml is accepted as well. Errors
are `{"error": {"message": ..., "type": ...}}`: 401 no key, 403 not allowed, 404 not found, 413 too large, 422 invalid
value, 429 too many requests or too busy (Retry-After has the seconds), 503 currently not possible, 500 internal
error. Each response has an `X-Request-ID`, which the server's log names; a request may bring its own."""

_EVENTS = """\
event: sources
data: {"answer_id": "4f0c...", "conversation_id": "91ab...", "citations": [...], "ranking": [...], ...}

event: text
data: {"text": "Everybody has 30 days of leave a year. [1]"}

event: answer
data: {"answer_id": "4f0c...", "answer": "Everybody has 30 days of leave a year. [1]", "found": true, ...}
"""


def create_api(
    pipeline: Callable[[], Pipeline],
    feedback: Callable[[], FeedbackStore],
    callers: Callers,
    rates: Rates,
    public_url: str = "",
) -> FastAPI:
    """Return the API as an ASGI app to mount at /v1.

    pipeline, feedback: return the objects of the pages; called in a thread when a request needs them. rates: of
    the callers. public_url: of the pages, for links in answers; '' uses the address of the request.
    """
    api = FastAPI(
        title="Citeloop",
        version=version("citeloop"),
        description=_DESCRIPTION,
        servers=[{"url": PATH}],
        root_path_in_servers=False,
        openapi_url=OPENAPI_PATH,
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        middleware=[
            Middleware(InRequest),
            Middleware(KeyRequired, callers=callers, rates=rates, open_path=OPENAPI_PATH),
            Middleware(BodyLimit),
        ],
        responses={status: {"model": ErrorAnswer} for status in (401, 403, 413, 422, 429, 503)},
    )
    handle_errors(api)
    searching = ThreadPoolExecutor(_MAX_SEARCHES, thread_name_prefix="search")
    writing = ThreadPoolExecutor(_MAX_ANSWERS, thread_name_prefix="write")
    asking = Asking(pipeline, feedback, callers, searching, writing)
    api.include_router(chat_routes(asking, public_url))
    api.include_router(_routes(asking))
    return api


def _routes(asking: Asking) -> APIRouter:
    routes = APIRouter()

    @routes.post("/search")
    async def search(body: SearchBody, caller: CalledBy, request: Request) -> SearchResult:
        """Rank passages for a query."""
        return await asking.search(lambda pipeline, stop: answers.search(body, pipeline, stop, caller.rights), request)

    @routes.post("/rerank", response_model_exclude_none=True)
    async def rerank(body: RerankBody, _caller: CalledBy, request: Request) -> RerankAnswer:
        """Score any texts with a reranker of this server, with the API of Cohere and Jina.

        Only the reranker's score: search scores and feedback exist only for this server's documents.
        """
        return await asking.search(lambda pipeline, stop: _reranked(body, pipeline, stop), request)

    @routes.post("/ask", response_model=AskResult, responses=streamed(_EVENTS))
    async def ask(body: AskBody, caller: CalledBy, request: Request) -> Response:
        """Answer a question with citations; closing the connection stops it.

        Events: `sources` is first; `text` has pieces; `answer` is last and has the final text, without numbers that
        have no citation. On failure, `error` is last instead.
        """
        asked = await asking.begin(body, caller, request)
        if body.stream:
            return event_stream(server_sent(asking.events(asked)))
        return JSONResponse((await asking.final(asked, request)).data)

    @routes.post("/feedback", responses={404: {"model": ErrorAnswer}})
    def give_feedback(body: FeedbackBody, caller: CalledBy) -> FeedbackResult:
        """Record a user's action on a passage of an answer; the ranking learns from it."""
        voter, store = caller.voter(asking.callers.user_of(caller, body.user)), asking.feedback()
        readable = asking.pipeline().readable_answers(store, caller.rights)
        event = answers.record_feedback(body, caller.rights.user, voter, readable, store)
        return FeedbackResult(recorded=event is not None, event=event)

    return routes


def _reranked(body: RerankBody, pipeline: Pipeline, stop: threading.Event) -> RerankAnswer:
    scored, texts = answers.score(body, pipeline, stop), body.texts
    results = [
        RerankResult(
            index=index,
            relevance_score=float(logistic(scored.scores[index])),
            document=TextDocument(text=texts[index]) if body.return_documents else None,
        )
        for index in scored.order[: body.top_n]
    ]
    usage = Usage(total_tokens=scored.num_tokens)
    return RerankAnswer(id=new_id(), model=scored.model, results=results, usage=usage)
