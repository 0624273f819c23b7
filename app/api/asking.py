"""AskBody and the caller's key -> events of the answer, awaitable; shared by all paths that answer a question."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.access.callers import Caller, Callers
from app.api import answers
from app.api.answers import Asked, Event
from app.api.shapes import AskBody
from app.api.streams import SEARCH_SECONDS, iterate, wait_for
from app.feedback import FeedbackStore
from app.pipeline import Pipeline


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

    async def begin(self, body: AskBody, caller: Caller, request: Request, earlier: Sequence[str] = ()) -> Asked:
        """Search and store the ranking. Raises as `answers.begin`, and DeadlineError after SEARCH_SECONDS."""

        def begin(stop: threading.Event) -> Asked:
            user = self.callers.user_of(caller, body.user)
            return answers.begin(
                body, user, caller.voter(user), caller.rights, self.pipeline(), self.feedback(), stop, earlier
            )

        return await wait_for(self.searching, begin, request, SEARCH_SECONDS)

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
