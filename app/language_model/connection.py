"""Endpoint -> ConnectionReport: whether it answers, how quickly, or what may be wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.language_model.client import connect
from app.language_model.endpoint import Endpoint, EndpointError, check_endpoint
from app.language_model.openai_model import OpenAILanguageModel
from app.language_model.protocol import LanguageModelError


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """The result of asking an endpoint one small question.

    message: for the person who set it up. models: the names that the server lists, if any. first_piece_ms, total_ms:
    None if the answer was not complete.
    """

    works: bool
    message: str
    models: tuple[str, ...] = ()
    first_piece_ms: float | None = None
    total_ms: float | None = None


_SMALL_QUESTION = [{"role": "user", "content": "Answer with one word: is water wet?"}]
_LIST_SECONDS = 5.0
_MAX_NAMED = 8


def try_connection(endpoint: Endpoint, deadline_seconds: float = 30.0) -> ConnectionReport:
    """List the models and ask one small question; failures are reported, never raised."""
    try:
        check_endpoint(endpoint)
    except EndpointError as error:
        return ConnectionReport(False, str(error))
    started = time.monotonic()
    models = _list_models(endpoint, min(_LIST_SECONDS, deadline_seconds / 2))
    left_seconds = deadline_seconds - (time.monotonic() - started)
    writer = OpenAILanguageModel(endpoint, deadline_seconds=left_seconds)
    asked_at = time.monotonic()
    first_piece_ms = None
    try:
        for _ in writer.stream(_SMALL_QUESTION):
            first_piece_ms = first_piece_ms or (time.monotonic() - asked_at) * 1000
    except LanguageModelError as error:
        hint = _hint(endpoint, models, deadline_seconds - (time.monotonic() - started))
        return ConnectionReport(False, f"{error}.{hint}", models)
    total_ms = (time.monotonic() - asked_at) * 1000
    unlisted = "" if _is_listed(endpoint.model, models) else _listed(models)
    return ConnectionReport(
        True,
        f"{endpoint.model} at {endpoint.where} answers: the first piece came after {first_piece_ms:.0f} ms, "
        f"the last after {total_ms:.0f} ms.{unlisted}",
        models,
        first_piece_ms,
        total_ms,
    )


def _list_models(endpoint: Endpoint, timeout_seconds: float) -> tuple[str, ...]:
    """Return the names of a server's models; () if it does not list them."""

    async def ask() -> tuple[str, ...]:
        async with asyncio.timeout(timeout_seconds), connect(endpoint) as client:
            return tuple([str(model.id) async for model in client.models.list()])

    if endpoint.api_version:  # Azure lists models that could be deployed
        return ()
    try:
        return asyncio.run(ask())
    except Exception:  # many servers have no list; other errors show up with the question
        return ()


def _hint(endpoint: Endpoint, models: Sequence[str], left_seconds: float) -> str:
    """Return further advice if the question failed, or ''."""
    if models:
        return "" if _is_listed(endpoint.model, models) else _listed(models)
    longer_url = f"{endpoint.url}/v1"
    if left_seconds > 0 and not endpoint.url.endswith("/v1"):
        found = _list_models(replace(endpoint, base_url=longer_url), min(_LIST_SECONDS, left_seconds))
        return f" Use {longer_url} as the base URL: it lists models." if found else ""
    return ""


def _is_listed(model: str, models: Sequence[str]) -> bool:
    """Return whether a model is listed; Ollama lists `name` as `name:latest`."""
    return not models or model in models or f"{model}:latest" in models


def _listed(models: Sequence[str]) -> str:
    more = f" and {len(models) - _MAX_NAMED} more" if len(models) > _MAX_NAMED else ""
    return f" The server does not list this model. It lists: {', '.join(models[:_MAX_NAMED])}{more}."
