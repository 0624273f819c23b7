"""A website: the pages below an address, found by links or by a sitemap.

It obeys robots.txt, stays on its host, and asks only for pages that may have changed. Bodies of changed pages are kept
in a scratch folder until they are read.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit
from urllib.robotparser import RobotFileParser

from ingest.sources.fetch import AGENT, Fetcher, FetchError, Reply
from ingest.sources.pages import Page, canonical, may_be_document, path_of, read_page, read_sitemap, suffix_of
from ingest.sources.source import Item, SourceError, copy

MAX_PAGES = 10_000
_MAX_ADDRESSES = 4 * MAX_PAGES
"""Addresses that are remembered, so that a site that makes up links fills no memory."""
_MAX_ROBOTS_BYTES = 512 * 2**10
"""As RFC 9309 asks for at least."""
_MAX_ERRORS = 5
"""After this number of consecutive errors, the site counts as down."""
_MAX_SITEMAPS = 100
_GONE = (404, 410)
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class _State:
    """A page at the last sync, kept as its stamp. lastmod: as the sitemap said. digest: of the body."""

    path: str
    etag: str = ""
    modified: str = ""
    lastmod: str = ""
    digest: str = ""
    links: list[str] = field(default_factory=list)


class Website:
    """The connector of a website. address: the start page, or a sitemap (.xml or .xml.gz). scratch: an empty folder."""

    def __init__(self, address: str, fetcher: Fetcher, scratch: Path) -> None:
        self._start, self._fetcher, self._scratch = canonical(address), fetcher, scratch
        parts = urlsplit(self._start)
        self._has_sitemap = parts.path.endswith((".xml", ".xml.gz"))
        folder = "/" if self._has_sitemap else parts.path.rpartition("/")[0] + "/"
        self._below = f"{parts.scheme}://{parts.netloc}{folder}"
        self._robots = RobotFileParser()
        self._queue: deque[str] = deque()
        self._found: dict[str, str] = {}
        self._num_errors = 0

    def list(self, known: Mapping[str, str]) -> Iterator[Item]:
        """Yield the pages. Raises SourceError if the start cannot be read or the site is down."""
        with self._fetcher:
            self._read_robots()
            if self._has_sitemap:
                self._read_sitemaps()
            else:
                self._add({self._start: ""})
            visited: set[str] = set()
            while self._queue and len(visited) < MAX_PAGES:
                url = self._queue.popleft()
                visited.add(url)
                yield from self._visit(url, _state(known.get(url)))
        if self._queue:
            yield Item(
                "",
                f"{self._start}#more",
                problem=f"it has more than {MAX_PAGES:,} pages; add a narrower address instead",
            )
            yield from (Item(_state(known[url]).path, url, known[url]) for url in known.keys() - visited)

    def read(self, item: Item, target: BinaryIO, max_bytes: int) -> None:
        with self._body_of(item.address).open("rb") as content:
            copy(content, target, max_bytes)

    def _visit(self, url: str, old: _State) -> Iterator[Item]:
        """Yield the document at an address, if there is one, and add the addresses that it names."""
        if not self._robots.can_fetch(AGENT, url):
            if url == self._start:
                raise SourceError(f"robots.txt does not allow reading {url}")
            return
        lastmod = self._found[url]
        if lastmod and lastmod == old.lastmod:
            yield Item(old.path, url, _stamp(old))
            return
        try:
            reply = self._get(url, old)
        except FetchError as error:
            self._add(dict.fromkeys(old.links, ""))
            yield Item(old.path or url, url, problem=str(error))
            return
        if reply.status == 304:
            self._add(dict.fromkeys(old.links, ""))
            yield Item(old.path, url, _stamp(old))
        elif reply.status in _REDIRECTS:
            self._redirect(url, reply)
        elif reply.status == 200:
            yield from self._document(url, reply, lastmod)

    def _get(self, url: str, old: _State) -> Reply:
        """Return the answer: content, unchanged, redirect or gone. Raises FetchError for others."""
        conditions = {"If-None-Match": old.etag, "If-Modified-Since": old.modified}
        try:
            reply = self._fetcher.get(url, {name: value for name, value in conditions.items() if value})
            if reply.status not in (200, 304, *_REDIRECTS, *_GONE):
                raise FetchError(f"the site answered with status {reply.status}")
            if reply.status in _GONE and url == self._start:
                raise FetchError("the site says that there is no such page")
        except FetchError as error:
            self._num_errors += 1
            if url == self._start or self._num_errors >= _MAX_ERRORS:
                raise SourceError(f"{url} cannot be read: {error}. Nothing was changed; try again later") from error
            raise
        self._num_errors = 0
        return reply

    def _redirect(self, url: str, reply: Reply) -> None:
        target = canonical(reply.headers.get("location", ""), url)
        if url == self._start and not target.startswith(self._below):
            raise SourceError(f"{url} leads to {target or 'nowhere'}, which is not below it; add that address instead")
        self._add({target: ""})

    def _document(self, url: str, reply: Reply, lastmod: str) -> Iterator[Item]:
        suffix = suffix_of(url, reply.headers.get("content-type", ""))
        page = read_page(reply.body, url) if suffix == ".html" else Page()
        if not self._has_sitemap:
            self._add(dict.fromkeys([*page.links, page.canonical], ""))
        is_copy = page.canonical not in ("", url) and self._may_visit(page.canonical)
        if not suffix or not page.is_index or is_copy:
            return
        self._body_of(url).write_bytes(reply.body)
        state = _State(
            path_of(url, urlsplit(self._below).path, suffix),
            reply.headers.get("etag", ""),
            reply.headers.get("last-modified", ""),
            lastmod,
            hashlib.sha256(reply.body).hexdigest(),
            [] if self._has_sitemap else page.links,
        )
        yield Item(state.path, url, _stamp(state), len(reply.body))

    def _add(self, urls: Mapping[str, str]) -> None:
        """Queue new addresses of this site. urls: address -> lastmod of the sitemap, or ''."""
        for url, lastmod in urls.items():
            if url not in self._found and len(self._found) < _MAX_ADDRESSES and self._may_visit(url):
                self._found[url] = lastmod
                self._queue.append(url)

    def _may_visit(self, url: str) -> bool:
        return url.startswith(self._below) and may_be_document(url)

    def _read_robots(self) -> None:
        """Read robots.txt; a missing one allows everything. Raises SourceError if the site is down."""
        try:
            reply = self._fetcher.get(urljoin(self._start, "/robots.txt"), {})
        except FetchError as error:
            raise SourceError(f"{self._start} cannot be read: {error}. Nothing was changed; try again later") from error
        if reply.status >= 500:
            raise SourceError(f"robots.txt of {self._start} answers with status {reply.status}; try again later")
        self._robots.parse(reply.body[:_MAX_ROBOTS_BYTES].decode("utf-8", "replace").splitlines())
        with suppress(TypeError, ValueError):
            self._fetcher.slow_down(float(self._robots.crawl_delay(AGENT) or 0))

    def _read_sitemaps(self) -> None:
        """Queue the addresses of the sitemap and of those that it names. Raises SourceError."""
        waiting, num_read = deque([self._start]), 0
        while waiting and num_read < _MAX_SITEMAPS:
            url, num_read = waiting.popleft(), num_read + 1
            try:
                reply = self._fetcher.get(url, {})
                if reply.status != 200:
                    raise FetchError(f"the site answered with status {reply.status}")
                pages, more = read_sitemap(reply.body)
            except (FetchError, ValueError) as error:
                raise SourceError(f"the sitemap {url} cannot be read: {error}. Nothing was changed") from error
            self._add(pages)
            waiting.extend(each for each in more if each.startswith(self._below))

    def _body_of(self, url: str) -> Path:
        return self._scratch / hashlib.sha256(url.encode()).hexdigest()


def _state(stamp: str | None) -> _State:
    return _State(**json.loads(stamp)) if stamp else _State("")


def _stamp(state: _State) -> str:
    return json.dumps(asdict(state))
