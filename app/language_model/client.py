"""Endpoint -> a client that follows no redirects and limits the size of answers."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from functools import cache
from typing import cast

import httpx2
import openai

from app.language_model.endpoint import Endpoint
from app.language_model.protocol import LanguageModelError

_CONNECT_SECONDS = 10.0
_MAX_BYTES = 32 * 2**20
"""A long answer has about 1 MB: each piece of a few letters takes some 300 bytes."""


class TooLargeError(LanguageModelError):
    """A server sent far more than an answer can have."""


def connect(endpoint: Endpoint) -> openai.AsyncOpenAI:
    """Return a client of this endpoint for one event loop, without redirects and retries.

    Only connecting has a timeout.
    """
    http = httpx2.AsyncClient(
        verify=_certificates(),
        follow_redirects=False,  # passages go only to the configured server
        event_hooks={"response": [_limit]},
        headers={"Accept-Encoding": "identity"},  # a small compressed body can be huge
    )
    timeout = httpx2.Timeout(None, connect=_CONNECT_SECONDS)
    key = endpoint.key or "none"  # local servers need no key, but the client requires one
    client: openai.AsyncOpenAI
    if endpoint.api_version:
        client = openai.AsyncAzureOpenAI(
            azure_endpoint=endpoint.url,
            api_version=endpoint.api_version,
            api_key=key,
            timeout=timeout,
            max_retries=0,
            http_client=http,
        )
    else:
        client = openai.AsyncOpenAI(
            base_url=endpoint.url, api_key=key, timeout=timeout, max_retries=0, http_client=http
        )
    if endpoint.saved:  # do not send it the environment's data (OPENAI_CUSTOM_HEADERS may contain a key)
        client.organization = client.project = None
        client._custom_headers = {}
    return client


@cache
def _certificates() -> ssl.SSLContext:
    """Return the trusted certificates, cached since reading them takes longer than a request."""
    return httpx2.create_ssl_context()


async def _limit(response: httpx2.Response) -> None:
    response.stream = _Limited(cast(httpx2.AsyncByteStream, response.stream))


class _Limited(httpx2.AsyncByteStream):
    """A body that raises TooLargeError once it is far too large, even within a line."""

    def __init__(self, body: httpx2.AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        num_left = _MAX_BYTES
        async for part in self._body:
            num_left -= len(part)
            if num_left < 0:
                raise TooLargeError(
                    f"the language model's server sent more than {_MAX_BYTES // 2**20} MB, too much for an answer; "
                    "ask again or use another model"
                )
            yield part

    async def aclose(self) -> None:
        await self._body.aclose()
