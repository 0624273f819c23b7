"""An address on a website -> its answer: slowly, with limits, and without reaching the inner network.

A name is resolved once, and the connection goes to the address that was checked: a name that answers differently the
second time leads nowhere else.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from types import TracebackType
from urllib.parse import urlsplit

import httpx2

from ingest.sources.source import SourceError

AGENT = "Citeloop"
_PAUSE_SECONDS = 0.5
_MAX_PAUSE_SECONDS = 10.0
_TIMEOUT_SECONDS = 30.0
_MAX_SECONDS = 120.0
_MAX_BYTES = 100 * 2**20


class FetchError(SourceError):
    """One address did not answer, or with too much; others of the site may."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. headers: with names in lower case. body: b'' unless the status is 200."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Fetcher:
    """Sends one request at a time, with pauses; use it in a with block.

    inner: whether addresses of inner networks may be reached, through the proxy of the environment if there is one.
    options: username and password, or headers.
    """

    def __init__(self, options: Mapping[str, object], *, inner: bool) -> None:
        self._inner, self._last = inner, 0.0
        self.pause_seconds = _PAUSE_SECONDS
        headers = options.get("headers")
        login = (str(options["username"]), str(options["password"])) if "password" in options else None
        self._client = httpx2.Client(
            headers={
                "User-Agent": AGENT,
                "Accept-Encoding": "identity",
                **(headers if isinstance(headers, dict) else {}),
            },
            auth=login,
            follow_redirects=False,
            timeout=_TIMEOUT_SECONDS,
            trust_env=inner,  # a proxy would resolve the name again
        )

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def slow_down(self, seconds: float) -> None:
        """Wait longer between requests, as a site asks for, up to a limit."""
        self.pause_seconds = max(self.pause_seconds, min(seconds, _MAX_PAUSE_SECONDS))

    def get(self, url: str, headers: Mapping[str, str]) -> Reply:
        """Return the answer, a redirect as it is. Raises FetchError, and SourceError for an inner address."""
        time.sleep(max(0.0, self._last + self.pause_seconds - time.monotonic()))
        try:
            return self._get(url, headers)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            raise FetchError(f"no answer: {str(error) or type(error).__name__}") from error
        finally:
            self._last = time.monotonic()

    def _get(self, url: str, headers: Mapping[str, str]) -> Reply:
        target, extensions = url, {}
        if not self._inner:
            target, host = _pinned(url)
            headers, extensions = {**headers, "Host": urlsplit(url).netloc}, {"sni_hostname": host}
        with self._client.stream("GET", target, headers=headers, extensions=extensions) as response:
            return Reply(response.status_code, dict(response.headers), self._body(response))

    def _body(self, response: httpx2.Response) -> bytes:
        if response.status_code != 200:
            return b""
        if response.headers.get("content-encoding", "identity") != "identity":  # a small compressed body can be huge
            raise FetchError("the answer is compressed, though none was asked for")
        body, until = bytearray(), time.monotonic() + _MAX_SECONDS
        for part in response.iter_raw():
            body += part
            if len(body) > _MAX_BYTES:
                raise FetchError(f"it is larger than the limit of {_MAX_BYTES >> 20:,} MB")
            if time.monotonic() > until:
                raise FetchError(f"it did not arrive within {_MAX_SECONDS:.0f} seconds")
        return bytes(body)


def _pinned(url: str) -> tuple[str, str]:
    """Return the URL with an address in place of the name, and the name. Raises SourceError for an inner address."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    if not all(_is_public(ip_address(address.partition("%")[0])) for address in found):
        raise SourceError(
            f"{host} is not on the public internet. An admin can add it as a source of the inner network: "
            "citeloop sources add --inner"
        )
    address = min(found, key=lambda each: ":" in each)  # IPv4 first: many machines have no route for IPv6
    literal = f"[{address}]" if ":" in address else address
    return parts._replace(netloc=f"{literal}:{port}").geturl(), host


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    within = getattr(address, "ipv4_mapped", None) or address
    return within.is_global and not within.is_multicast
