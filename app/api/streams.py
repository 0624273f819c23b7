"""Blocking work in threads -> awaitables; the work stops when the client no longer waits."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from app.api.answers import Event
from app.api.guard import error_record, explained
from app.api.shapes import ErrorAnswer
from ingest import CiteloopError
from ingest.home.log import same_request

T = TypeVar("T")

PING_SECONDS = 15.0
"""Interval of pings, since proxies close idle connections."""
SEARCH_SECONDS = 60.0
"""Maximum time for searching or reranking, including the wait for a slot."""


class DeadlineError(CiteloopError):
    """The work took too long."""


async def iterate(executor: Executor, produce: Callable[[threading.Event], Iterator[T]]) -> AsyncIterator[T | None]:
    """Yield the items of an iterator that runs in a thread, and None after PING_SECONDS without an item.

    produce: gets an event that is set when this generator ends. Raises what the iterator raises.
    """
    loop, stop = asyncio.get_running_loop(), threading.Event()
    queue: asyncio.Queue[T | None] = asyncio.Queue()

    def work() -> None:
        for item in produce(stop):
            loop.call_soon_threadsafe(queue.put_nowait, item)

    working = loop.run_in_executor(executor, same_request(work))
    working.add_done_callback(lambda _: queue.put_nowait(None))
    try:
        while not (working.done() and queue.empty()):
            try:
                item = await asyncio.wait_for(queue.get(), PING_SECONDS)
            except TimeoutError:
                yield None
                continue
            if item is not None:
                yield item
        await working
    finally:
        stop.set()


async def wait_for(
    executor: Executor, work: Callable[[threading.Event], T], request: Request, seconds: float | None = None
) -> T:
    """Return the result of work in a thread; its event is set when the client disconnects or the time is over.

    seconds: raises DeadlineError after this time; None: the work has its own deadline.
    """
    stop = threading.Event()
    working = asyncio.get_running_loop().run_in_executor(executor, same_request(work), stop)
    leaving = asyncio.ensure_future(_until_gone(request))
    either: set[asyncio.Future[Any]] = {working, leaving}
    try:
        done, _ = await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()
        leaving.cancel()
    if not done:
        working.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # else its error is logged
        raise DeadlineError(
            f"no result after {seconds:g} seconds, so the request was stopped; send fewer or shorter texts, or try "
            "again when the server is less busy"
        )
    return await working


def streamed(example: str) -> dict[int | str, dict[str, Any]]:
    """Return the documented responses of a path that streams if asked to, and names what it does not know."""
    return {
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}, "example": example}}},
        404: {"model": ErrorAnswer},
    }


async def server_sent(events: AsyncIterator[Event | None]) -> AsyncIterator[bytes]:
    """Yield events in wire format; an exception becomes a last event, `error`."""
    try:
        async for event in events:
            yield encoded(event.data, event.name) if event else KEEPALIVE_COMMENT
    except Exception as error:
        yield encoded(error_record(500, explained(error)), "error")


def event_stream(content: AsyncIterator[bytes]) -> StreamingResponse:
    """Return the response that sends each piece at once."""
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # proxies must not buffer
    return StreamingResponse(content, media_type="text/event-stream", headers=headers)


def encoded(data: object, name: str | None = None) -> bytes:
    """Return an event in wire format."""
    return format_sse_event(event=name, data_str=json.dumps(data, ensure_ascii=False))


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
