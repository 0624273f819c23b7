"""AskBody and the caller's key -> events of the answer, awaitable; shared by all paths that answer a question."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.access.callers import Caller, Callers
from app.api import answers
from app.api.answers import Asked, Event
from app.api.shapes import AskBody
from app.api.streams import SEARCH_SECONDS, iterate, wait_for
from app.feedback import FeedbackStore
from app.pipeline import Pipeline

T = TypeVar("T")


def _caller(
    request: Request,
    _documented: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
) -> Caller:
    """Return who calls; KeyRequired checked it before the body was read."""
    caller: Caller = request.state.caller
    return caller


CalledBy = Annotated[Caller, Depends(_caller)]


@dataclass(frozen=True, slots=True)
class Asking:
    """Answers questions of programs in threads. pipeline, feedback: called in a thread when needed."""

    pipeline: Callable[[], Pipeline]
    feedback: Callable[[], FeedbackStore]
    callers: Callers
    searching: Executor
    writing: Executor

    async def search(self, work: Callable[[Pipeline, threading.Event], T], request: Request) -> T:
        """Return the result of work that searches or scores. Raises DeadlineError after SEARCH_SECONDS."""
        return await wait_for(self.searching, lambda stop: work(self.pipeline(), stop), request, SEARCH_SECONDS)

    async def begin(self, body: AskBody, caller: Caller, request: Request, earlier: Sequence[str] = ()) -> Asked:
        """Search and store the ranking. Raises as `answers.begin`, and DeadlineError after SEARCH_SECONDS."""

        def begin(pipeline: Pipeline, stop: threading.Event) -> Asked:
            user = self.callers.user_of(caller, body.user)
            return answers.begin(
                body, user, caller.voter(user), caller.rights, pipeline, self.feedback(), stop, earlier
            )

        return await self.search(begin, request)

    def events(self, asked: Asked) -> AsyncIterator[Event | None]:
        """Yield sources, text and answer, and None while waiting; leaving the loop stops the work."""

        def stream(stop: threading.Event) -> Iterator[Event]:
            yield answers.sources(asked)
            yield from answers.events(asked, self.pipeline(), self.feedback(), stop)

        return iterate(self.writing, stream)

    async def final(self, asked: Asked, request: Request) -> Event:
        """Return the answer's last event; a client that disconnects stops the work."""

        def final(stop: threading.Event) -> Event:
            *_, last = answers.events(asked, self.pipeline(), self.feedback(), stop)
            return last

        return await wait_for(self.writing, final, request)
