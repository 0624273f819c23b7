from __future__ import annotations

import gzip
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from ingest.sources import fetch, website
from ingest.sources.fetch import Fetcher
from ingest.sources.pages import canonical, path_of, read_page, read_sitemap, suffix_of
from ingest.sources.source import SourceError
from ingest.table import stored_documents
from tests.ingest.sources.conftest import Site, SyncNow, names, outcome


@pytest.fixture
def small_site(site: Site) -> Site:
    """Three pages that are linked in a row, and something beside the folder of the first."""
    site.page("/docs/", "All about leave and travel in our company.", "leave", "/other/", "mailto:a@b", "logo.png")
    site.page("/docs/leave", "Everybody has thirty days of leave a year.", "travel.html#hotels", "https://example.com/")
    site.page("/docs/travel.html", "A hotel may cost 150 euros a night.", "/docs/")
    site.page("/other/", "Not part of the source.")
    return site


def test_pages_below_the_address_are_followed(small_site: Site, sync: SyncNow, new_home: Path) -> None:
    address = f"{small_site.url}/docs/"
    assert outcome(sync(address)) == [("added", "index.html"), ("added", "leave.html"), ("added", "travel.html")]
    assert small_site.asked["/other/"] == small_site.asked["/docs/logo.png"] == 0
    sources = {document.source for document in stored_documents(new_home)}
    assert sources == {f"{address}", f"{address}leave", f"{address}travel.html"}


def test_an_unchanged_page_is_only_asked_for(small_site: Site, sync: SyncNow) -> None:
    sync(f"{small_site.url}/docs/")
    small_site.statuses.clear()
    assert sync(f"{small_site.url}/docs/") == []
    assert small_site.statuses == [404, 304, 304, 304]  # robots.txt, and links of unchanged pages are known


def test_changes_and_deletions_are_followed(small_site: Site, sync: SyncNow) -> None:
    sync(f"{small_site.url}/docs/")
    small_site.page("/docs/leave", "Everybody has thirty-one days of leave a year.", "pay")
    small_site.page("/docs/pay", "We pay on the last day of the month.")
    small_site.put("/docs/travel.html", "gone", status=410)
    assert outcome(sync(f"{small_site.url}/docs/")) == [
        ("added", "pay.html"),
        ("removed", "travel.html"),
        ("replaced", "leave.html"),
    ]


def test_a_page_that_fails_stays(small_site: Site, sync: SyncNow, new_home: Path) -> None:
    sync(f"{small_site.url}/docs/")
    small_site.put("/docs/leave", "oops", status=500)
    (failed,) = sync(f"{small_site.url}/docs/")
    assert (failed.status, failed.reason) == ("failed", "the site answered with status 500")
    assert len(names(new_home)) == 3  # also the page that only the failing one links to


@pytest.mark.parametrize("status", [404, 500, 403])
def test_a_site_whose_start_fails_changes_nothing(small_site: Site, sync: SyncNow, new_home: Path, status: int) -> None:
    sync(f"{small_site.url}/docs/")
    small_site.put("/docs/", "oops", status=status)
    with pytest.raises(SourceError, match="cannot be read"):
        sync(f"{small_site.url}/docs/")
    assert len(names(new_home)) == 3


def test_a_site_that_is_down_is_given_up(site: Site, sync: SyncNow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(website, "_MAX_ERRORS", 2)
    site.page("/", "Links to what fails.", "/a", "/b", "/c")
    for path in ("/a", "/b", "/c"):
        site.put(path, "oops", status=503)
    with pytest.raises(SourceError, match="status 503"):
        sync(f"{site.url}/")
    assert site.asked["/c"] == 0


def test_robots_txt_is_obeyed(small_site: Site, sync: SyncNow) -> None:
    small_site.put("/robots.txt", "User-agent: *\nDisallow: /docs/leave\n", kind="text/plain")
    assert outcome(sync(f"{small_site.url}/docs/")) == [("added", "index.html")]
    assert small_site.asked["/docs/leave"] == 0
    small_site.put("/robots.txt", "User-agent: citeloop\nDisallow: /\n", kind="text/plain")
    with pytest.raises(SourceError, match=r"robots\.txt does not allow"):
        sync(f"{small_site.url}/docs/")
    small_site.put("/robots.txt", "oops", status=503)
    with pytest.raises(SourceError, match=r"robots\.txt .* status 503"):
        sync(f"{small_site.url}/docs/")


def test_a_page_says_what_is_stored(site: Site, sync: SyncNow) -> None:
    site.page("/", "The start.", "/copy?utm_source=x", "/hidden", "/closed", "/report")
    site.page("/copy", "The text under its second address.", head='<link rel="canonical" href="/text">')
    site.page("/text", "The text under its second address.", head='<link rel="canonical" href="/text">')
    site.page("/hidden", "Not to be stored.", "/deep", head='<meta name="robots" content="noindex">')
    site.page("/closed", "Stored, but leads nowhere.", "/nowhere", head='<meta name="robots" content="nofollow">')
    site.page("/deep", "Found on the page that is not stored.")
    site.put("/report", "name,days\nleave,30\n", kind="text/csv")
    found = [name for _, name in outcome(sync(f"{site.url}/"))]
    assert found == ["closed.html", "deep.html", "index.html", "report.csv", "text.html"]
    assert site.asked["/nowhere"] == 0


def test_redirects_stay_on_the_site(site: Site, sync: SyncNow) -> None:
    site.page("/", "The start.", "/old", "/away", "/loop")
    site.page("/new", "The new address of the page.")
    site.put("/old", "", status=301, Location="/new")
    site.put("/away", "", status=302, Location="http://169.254.169.254/latest/meta-data")
    site.put("/loop", "", status=302, Location="/loop")
    assert outcome(sync(f"{site.url}/")) == [("added", "index.html"), ("added", "new.html")]
    site.put("/", "", status=301, Location="https://www.example.com/")
    with pytest.raises(SourceError, match=r"leads to https://www\.example\.com/, which is not below it"):
        sync(f"{site.url}/")


def test_too_many_pages_delete_nothing(
    small_site: Site, sync: SyncNow, new_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(f"{small_site.url}/docs/")
    monkeypatch.setattr(website, "MAX_PAGES", 1)
    (failed,) = sync(f"{small_site.url}/docs/")
    assert "more than 1 pages" in failed.reason
    assert len(names(new_home)) == 3


def test_too_much_is_not_read(site: Site, sync: SyncNow, monkeypatch: pytest.MonkeyPatch) -> None:
    site.page("/", "The start.", "/big", "/bomb")
    site.put("/big", "word " * 1000)
    site.put("/bomb", "compressed", Content_Encoding="gzip")
    monkeypatch.setattr(fetch, "_MAX_BYTES", 2000)
    reasons = {result.reason for result in sync(f"{site.url}/") if result.status == "failed"}
    assert reasons == {"it is larger than the limit of 0 MB", "the answer is compressed, though none was asked for"}


def test_a_sitemap_says_what_is_there_and_what_changed(site: Site, sync: SyncNow) -> None:
    def sitemap(**days: str) -> str:
        urls = "".join(f"<url><loc>{site.url}/{name}</loc><lastmod>{day}</lastmod></url>" for name, day in days.items())
        return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{urls}</urlset>'

    index = f'<sitemapindex xmlns="s"><sitemap><loc>{site.url}/one.xml</loc></sitemap></sitemapindex>'
    site.put("/sitemap.xml", index, kind="text/xml")
    site.put("/one.xml", sitemap(leave="2026-01-01", travel="2026-01-01"), kind="text/xml")
    site.page("/leave", "Thirty days.", "/linked")
    site.page("/travel", "By train.")
    site.page("/linked", "Not in the sitemap.")
    address = f"{site.url}/sitemap.xml"
    assert outcome(sync(address)) == [("added", "leave.html"), ("added", "travel.html")]
    site.put("/one.xml", sitemap(leave="2026-01-01", travel="2026-02-02"), kind="text/xml")
    site.page("/travel", "By train or bus.")
    asked = site.asked["/leave"]
    assert outcome(sync(address)) == [("replaced", "travel.html")]
    assert site.asked["/leave"] == asked
    site.put("/one.xml", "<html>down for maintenance", kind="text/xml")
    with pytest.raises(SourceError, match=r"the sitemap .* cannot be read"):
        sync(address)


def test_the_inner_network_is_closed_unless_it_is_allowed(small_site: Site, sync: SyncNow) -> None:
    with pytest.raises(SourceError, match=r"127\.0\.0\.1 is not on the public internet.*--inner"):
        sync(f"{small_site.url}/docs/", inner=False)
    assert not small_site.asked


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "::1",
        "fe80::1%eth0",
        "::ffff:10.0.0.1",
        "fd00::1",
    ],
)
def test_a_name_that_leads_inside_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [(2, 1, 6, "", ("93.184.216.34", 80)), (2, 1, 6, "", (address, 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: entries)
    with Fetcher({}, inner=False) as fetcher, pytest.raises(SourceError, match="not on the public internet"):
        fetcher.get("http://docs.example.com/", {})


def test_the_connection_goes_to_the_address_that_was_checked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that resolves differently a moment later leads nowhere else."""
    site.page("/", "The start.")
    port = int(site.url.rpartition(":")[2])
    resolved = socket.getaddrinfo
    answers = iter(["127.0.0.1"])

    def resolve(host: str, *arguments: Any, **options: Any) -> object:
        named = next(answers) if host == "docs.example.com" else host
        return resolved(named, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(fetch, "_is_public", lambda _: True)
    with Fetcher({}, inner=False) as fetcher:
        assert b"The start." in fetcher.get(f"http://docs.example.com:{port}/", {}).body


def test_pages_are_asked_for_slowly(site: Site, sync: SyncNow, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    site.put("/robots.txt", "User-agent: *\nCrawl-delay: 3\n", kind="text/plain")
    site.page("/", "The start.", "/second")
    site.page("/second", "The second page.")
    sync(f"{site.url}/")
    assert sum(seconds > 2 for seconds in slept) == 2


# addresses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("HTTPS://Docs.Example.com:443/a/../b?utm_source=x&page=2#top", "https://docs.example.com/b?page=2"),
        ("http://example.com", "http://example.com/"),
        ("ftp://example.com/a", ""),
        ("javascript:alert(1)", ""),
        ("http://me:word@example.com/", ""),
        ("http://[bad/", ""),
    ],
)
def test_an_address_has_one_form(given: str, expected: str) -> None:
    assert canonical(given) == expected


def test_the_shown_path_has_the_suffix_of_the_format() -> None:
    assert path_of("https://a.b/docs/", "/docs/", ".html") == "index.html"
    assert path_of("https://a.b/docs/set%20up/", "/docs/", ".html") == "set up.html"
    assert path_of("https://a.b/docs/list.php?page=2", "/docs/", ".html") == "list.php?page=2.html"
    assert path_of("https://a.b/docs/pay.pdf", "/docs/", ".pdf") == "pay.pdf"


def test_the_format_is_what_the_site_says() -> None:
    assert suffix_of("https://a.b/x", "text/html; charset=utf-8") == ".html"
    assert suffix_of("https://a.b/x.pdf", "application/octet-stream") == ".pdf"
    assert suffix_of("https://a.b/x", "application/pdf") == ".pdf"
    assert suffix_of("https://a.b/x.png", "image/png") == ""
    assert suffix_of("https://a.b/x.exe", "application/octet-stream") == ""


def test_a_hostile_page_or_sitemap_does_no_harm() -> None:
    assert (
        read_page(
            b"<a href='http://[x'><base href='http://['><meta name=robots>" + b"<a " * 10_000, "http://a.b/"
        ).links
        == []
    )
    with pytest.raises(ValueError, match="larger than"):
        read_sitemap(gzip.compress(bytes(60 * 2**20)))
    bomb = (
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><urlset><url><loc>http://a.b/&x;</loc></url></urlset>'
    )
    assert all("\n" not in url for url in read_sitemap(bomb)[0])
    with pytest.raises(ValueError, match="damaged"):
        read_sitemap(b"\x1f\x8bnot gzip")
