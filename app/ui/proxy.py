"""Middleware for a proxy that logs people in: its headers count from its own addresses only."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.policy import Proxy

_FORWARDED = "x-forwarded-for"


class TrustedProxy:
    """Removes the headers that name people from requests of others; names the proxy's client as the client.

    Without it, anybody who reaches the port could be anybody. It is independent of the wrapped app.
    """

    def __init__(self, app: ASGIApp, proxy: Proxy) -> None:
        self._app, self._proxy = app, proxy
        self._names = {name.lower().encode() for name in (proxy.email_header, proxy.groups_header)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            scope = self._forwarded(scope) if self._is_from_proxy(scope) else self._without_names(scope)
        await self._app(scope, receive, send)

    def _is_from_proxy(self, scope: Scope) -> bool:
        client = scope.get("client")
        return client is not None and self._proxy.connects_from(client[0])

    def _without_names(self, scope: Scope) -> Scope:
        return {**scope, "headers": [each for each in scope["headers"] if each[0].lower() not in self._names]}

    def _forwarded(self, scope: Scope) -> Scope:
        """Return the request as from the last address that is forwarded: earlier ones are the client's own words."""
        last = Headers(scope=scope).get(_FORWARDED, "").rpartition(",")[2].strip()
        return {**scope, "client": (last, 0)} if last else scope
