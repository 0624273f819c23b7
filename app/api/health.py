"""/health and /ready for monitoring. They are open to all, so they tell nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from app.pipeline import Pipeline

_log = logging.getLogger(__name__)


def health_routes(pipeline: Callable[[], Pipeline], is_warm: Callable[[], bool]) -> list[Route]:
    """Return /health, which says that the server runs, and /ready, that it can answer: 200, else 503.

    is_warm: whether the models have been loaded. pipeline: called in a thread once they have.
    """

    async def health(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "alive"})

    async def ready(_request: Request) -> JSONResponse:
        if not is_warm():
            return JSONResponse({"status": "loading the models"}, 503)
        try:
            await to_thread.run_sync(lambda: pipeline().table.documents())
        except Exception:  # whatever it is, questions fail of it, too
            _log.exception("not ready")
            return JSONResponse({"status": "not ready; see the server log"}, 503)
        return JSONResponse({"status": "ready"})

    return [Route("/health", health), Route("/ready", ready)]
