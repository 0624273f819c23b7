"""Endpoint -> ConnectionReport: whether it answers, how quickly, and what may be wrong where it does not."""

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
    """What came of asking an endpoint one small question.

    message: for the person who set it up. models: the names that the server lists, empty where it lists none.
    first_piece_ms, total_ms: None where it did not answer whole.
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
    """List the models and have one small question answered; what fails is told, never raised."""
    try:
        check_endpoint(endpoint)
    except EndpointError as error:
        return ConnectionReport(False, str(error))
    started = time.monotonic()
    models = _list_models(endpoint, min(_LIST_SECONDS, deadline_seconds / 2))
    left_seconds = deadline_seconds - (time.monotonic() - started)
    writer = OpenAILanguageModel(endpoint, deadline_seconds=left_seconds)
    asked = time.monotonic()
    first_piece_ms = None
    try:
        for _ in writer.stream(_SMALL_QUESTION):
            first_piece_ms = first_piece_ms or (time.monotonic() - asked) * 1000
    except LanguageModelError as error:
        hint = _hint(endpoint, models, deadline_seconds - (time.monotonic() - started))
        return ConnectionReport(False, f"{error}.{hint}", models)
    total_ms = (time.monotonic() - asked) * 1000
    unlisted = "" if _is_listed(endpoint.model, models) else _have(models)
    return ConnectionReport(
        True,
        f"{endpoint.model} at {endpoint.where} answers: the first piece came after {first_piece_ms:.0f} ms, "
        f"the last after {total_ms:.0f} ms.{unlisted}",
        models,
        first_piece_ms,
        total_ms,
    )


def _list_models(endpoint: Endpoint, timeout_seconds: float) -> tuple[str, ...]:
    """The names of the models that a server has, as far as it tells."""

    async def ask() -> tuple[str, ...]:
        async with asyncio.timeout(timeout_seconds), connect(endpoint) as client:
            return tuple([str(model.id) async for model in client.models.list()])

    if endpoint.api_version:  # Azure lists what could be deployed, not what is
        return ()
    try:
        return asyncio.run(ask())
    except Exception:  # many servers have no such list, and what is wrong otherwise the question will tell
        return ()


def _hint(endpoint: Endpoint, models: Sequence[str], left_seconds: float) -> str:
    """What else may help where the question was not answered."""
    if models:
        return "" if _is_listed(endpoint.model, models) else _have(models)
    longer = f"{endpoint.url}/v1"
    if left_seconds > 0 and not endpoint.url.endswith("/v1"):
        found = _list_models(replace(endpoint, base_url=longer), min(_LIST_SECONDS, left_seconds))
        return f" At {longer} there are models: use that as the base URL." if found else ""
    return ""


def _is_listed(model: str, models: Sequence[str]) -> bool:
    """Ollama lists `name:latest` and takes `name` for it."""
    return not models or model in models or f"{model}:latest" in models


def _have(models: Sequence[str]) -> str:
    more = f" and {len(models) - _MAX_NAMED} more" if len(models) > _MAX_NAMED else ""
    return f" The server does not list this model, but these: {', '.join(models[:_MAX_NAMED])}{more}."
