"""The addresses of this site, and middleware that refuses requests to other hosts and from other sites.

Without it, a page on another port, or under a name pointed at this machine (DNS rebinding), could read with a visitor's
cookie. It is independent of the wrapped app.
"""

from __future__ import annotations

import ipaddress
import logging
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ingest import CiteloopError

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SET = "to add an address, start the server with: citeloop serve --public-url URL"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OwnSite:
    """Host and port of this site, and its public addresses.

    public_urls: such as https://docs.example.com, of a reverse proxy. Raises CiteloopError for any other.
    """

    host: str
    port: int
    public_urls: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for url in self.public_urls:
            if _public_origin(url) is None:
                raise CiteloopError(
                    f"expected a public URL such as https://docs.example.com, without a path; got {url!r}"
                )

    @property
    def is_on_loopback(self) -> bool:
        """Whether only this machine can connect."""
        address = _address(self.host)
        return self.host == "localhost" or (address is not None and address.is_loopback)

    @property
    def is_public(self) -> bool:
        """Whether other machines can connect, directly or through a proxy."""
        return not self.is_on_loopback or bool(self.public_urls)

    @property
    def url(self) -> str:
        """Address it listens on."""
        return _origin("http", self.host, self.port)

    def has(self, origin: str) -> bool:
        """Return whether this scheme, host and port are the site's own.

        A server on all interfaces cannot list its addresses, so it accepts any IP address but no name.
        """
        address, origin = _address(self.host), origin.lower()
        is_everywhere = address is not None and address.is_unspecified
        names = {self.host, *(_LOOPBACK if self.is_on_loopback or is_everywhere else ())}
        own = {_origin("http", name, self.port) for name in names}
        if origin in own or origin in map(_public_origin, self.public_urls):
            return True
        host = _host(origin)
        return is_everywhere and _address(host) is not None and origin == _origin("http", host, self.port)


class OwnSiteOnly:
    """Refuses requests to other hosts or from other sites before the app sees them."""

    def __init__(self, app: ASGIApp, site: OwnSite) -> None:
        self._app, self._site = app, site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        status, message = refusal
        _log.warning("refused a request: %s", message)
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "not from this site"})
            return
        await JSONResponse({"error": {"message": message}}, status)(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return status and message if the request is refused."""
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not any(self._site.has(f"{scheme}://{host}") for scheme in _DEFAULT_PORTS):
            return 421, f"expected a request to {self._site.url}, got one to {host!r:.100}; {_SET}"
        if origin is not None and not (self._site.has(origin) and origin.partition("://")[2] == host):
            return 403, (
                f"expected a request from a page of {host}, got one from {origin!r:.100}; a proxy must pass the header "
                f"Host on, and {_SET}"
            )
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not _is_visit(scope, headers):
            return 403, f"expected a request from a page of {host}, got one from another site; open {host} itself"
        return None


def _is_visit(scope: Scope, headers: Headers) -> bool:
    """Return whether the request is a followed link: the other site cannot read the response."""
    mode, target = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
    return scope.get("method") in ("GET", "HEAD") and (mode, target) == ("navigate", "document")


def _origin(scheme: str, host: str, port: int | None) -> str:
    """Return the address in the form of the Origin header."""
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" + ("" if port in (None, _DEFAULT_PORTS[scheme]) else f":{port}")


def _public_origin(url: str) -> str | None:
    """Return the origin of an address without a path, else None."""
    try:
        parts = urlsplit(url.lower().removesuffix("/"))
        if parts.scheme in _DEFAULT_PORTS and parts.hostname and parts.netloc and not parts.path:
            origin = _origin(parts.scheme, parts.hostname, parts.port)
            return origin if not (parts.query or parts.fragment or parts.username is not None) else None
    except ValueError:  # invalid port
        pass
    return None


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
