"""A page of a website -> the addresses that it names; an address -> its canonical form."""

from __future__ import annotations

import gzip
import io
import mimetypes
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import PurePosixPath
from urllib.parse import parse_qsl, unquote, urlencode, urljoin, urlsplit

from lxml import etree

from ingest.parse import PARSERS

_TRACKING = ("utm_", "gclid", "fbclid", "msclkid", "sessionid", "phpsessid")
_MAX_ADDRESS = 2_000
_NOT_DOCUMENTS = ("image/", "video/", "audio/", "font/", "text/css", "text/javascript", "application/javascript")
_HTML = ("text/html", "application/xhtml+xml")
_PORTS = {"http": 80, "https": 443}
_MAX_SITEMAP = 50 * 2**20
_MAX_HTML = 2 * 2**20
"""Of a page that is searched for links."""


def canonical(url: str, base: str = "") -> str:
    """Return an absolute address without fragment, default port and tracking parameters; '' unless http(s)."""
    try:
        parts = urlsplit(urljoin(base or url, url.strip()))
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:  # such as an open bracket
        return ""
    if parts.scheme not in _PORTS or not host or parts.username or len(url) > _MAX_ADDRESS:
        return ""
    host = f"[{host}]" if ":" in host else host
    netloc = host if port in (None, _PORTS[parts.scheme]) else f"{host}:{port}"
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = urlencode([pair for pair in pairs if not pair[0].lower().startswith(_TRACKING)])
    path = urlsplit(urljoin("/", f"/{parts.path.lstrip('/')}")).path  # without dots
    return f"{parts.scheme}://{netloc}{path}" + (f"?{query}" if query else "")


def may_be_document(url: str) -> bool:
    """Return whether the suffix does not say that the address is a picture, a script or the like."""
    kind = mimetypes.guess_type(urlsplit(url).path)[0] or ""
    return not kind.startswith(_NOT_DOCUMENTS)


def suffix_of(url: str, content_type: str) -> str:
    """Return the suffix of the format, '' if it is none that can be read."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _HTML:
        return ".html"
    own = PurePosixPath(urlsplit(url).path).suffix.lower()
    guessed = own if own in PARSERS else mimetypes.guess_extension(kind) or ""
    return guessed if guessed in PARSERS and not kind.startswith(_NOT_DOCUMENTS) else ""


def path_of(url: str, below: str, suffix: str) -> str:
    """Return the path to show for an address: what follows the start of the site, with the suffix of its format."""
    parts = urlsplit(url)
    path = unquote(parts.path).removeprefix(unquote(below)).strip("/") or "index"
    path = path if path.lower().endswith(suffix) else path + suffix
    return f"{path.removesuffix(suffix)}?{parts.query}{suffix}" if parts.query else path


@dataclass(slots=True)
class Page:
    """What a page says to a crawler. is_index: whether it may be stored; links: absolute addresses, without doubles."""

    canonical: str = ""
    is_index: bool = True
    links: list[str] = field(default_factory=list)


def read_page(body: bytes, url: str) -> Page:
    """Return what an HTML page says to a crawler; never raises."""
    reader = _Reader(url)
    reader.feed(body[:_MAX_HTML].decode("utf-8", "replace"))
    links = dict.fromkeys(reader.links) if reader.follows else {}
    return Page(reader.canonical, reader.is_index, [link for link in links if link])


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.base, self.canonical, self.is_index, self.follows = url, "", True, True
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "base":
            self.base = canonical(given.get("href", ""), self.base) or self.base
        elif tag == "a" and "href" in given and "nofollow" not in given.get("rel", "").lower():
            self.links.append(canonical(given["href"], self.base))
        elif tag == "link" and given.get("rel", "").lower() == "canonical":
            self.canonical = canonical(given.get("href", ""), self.base)
        elif tag == "meta" and given.get("name", "").lower() == "robots":
            content = given.get("content", "").lower()
            self.is_index = "noindex" not in content and "none" not in content
            self.follows = "nofollow" not in content and "none" not in content


def read_sitemap(body: bytes) -> tuple[dict[str, str], list[str]]:
    """Return address -> lastmod (or ''), and the addresses of further sitemaps. Raises ValueError."""
    if body[:2] == b"\x1f\x8b":
        try:
            body = gzip.GzipFile(fileobj=io.BytesIO(body)).read(_MAX_SITEMAP + 1)
        except (OSError, EOFError) as error:
            raise ValueError("the sitemap is damaged") from error
        if len(body) > _MAX_SITEMAP:
            raise ValueError(f"the sitemap is larger than {_MAX_SITEMAP >> 20} MB")
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False))
    except etree.XMLSyntaxError as error:
        raise ValueError(f"the sitemap is not XML: {error}") from error
    entries = [(canonical(_text(entry, "loc")), _text(entry, "lastmod")) for entry in root]
    if etree.QName(root).localname == "sitemapindex":
        return {}, [url for url, _ in entries if url]
    return {url: changed for url, changed in entries if url}, []


def _text(entry: etree._Element, name: str) -> str:
    return (entry.findtext(f"{{*}}{name}") or "").strip()
