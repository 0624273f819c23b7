"""Endpoint -> a client of it, which follows nobody elsewhere and reads no endless answer."""

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
"""A long answer has about one: a piece of a few letters comes in some 300 bytes."""


class TooLargeError(LanguageModelError):
    """A server sent far more than an answer."""


def connect(endpoint: Endpoint) -> openai.AsyncOpenAI:
    """A client that asks this endpoint alone, for one event loop: it follows no redirect and does not retry.

    Its time is not limited, but for connecting.
    """
    http = httpx2.AsyncClient(
        verify=_certificates(),
        follow_redirects=False,  # the passages go to the server that was configured, and to no other
        event_hooks={"response": [_limit]},
        headers={"Accept-Encoding": "identity"},  # a small packed body can be a huge one
    )
    timeout = httpx2.Timeout(None, connect=_CONNECT_SECONDS)
    key = endpoint.key or "none"  # local servers want no key, but the client insists on one
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
    if endpoint.saved:  # what the environment has for its own server (OPENAI_CUSTOM_HEADERS may hold a key) stays here
        client.organization = client.project = None
        client._custom_headers = {}
    return client


@cache
def _certificates() -> ssl.SSLContext:
    """What a server's certificate is checked against; reading it takes longer than a request."""
    return httpx2.create_ssl_context()


async def _limit(response: httpx2.Response) -> None:
    response.stream = _Limited(cast(httpx2.AsyncByteStream, response.stream))


class _Limited(httpx2.AsyncByteStream):
    """A body that ends with an error when it has become far too large, also in the middle of a line."""

    def __init__(self, body: httpx2.AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        num_left = _MAX_BYTES
        async for part in self._body:
            num_left -= len(part)
            if num_left < 0:
                raise TooLargeError(
                    f"the language model's server sent more than {_MAX_BYTES // 2**20} MB, far more than an answer, "
                    "and was stopped; ask again or use another model"
                )
            yield part

    async def aclose(self) -> None:
        await self._body.aclose()
