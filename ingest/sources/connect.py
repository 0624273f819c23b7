"""Address -> the connector that reads it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ingest.home.database import now
from ingest.sources.credentials import FILE_NAME, read_options
from ingest.sources.fetch import Fetcher
from ingest.sources.git import GitRepository
from ingest.sources.local import LocalFolder
from ingest.sources.pages import canonical
from ingest.sources.remote import Remote
from ingest.sources.source import Connector, Source, SourceError, check_name, seconds_of
from ingest.sources.website import Website

_SCP = re.compile(r"([\w.-]+@[\w.-]+):(?!//)(.+)")
"""git@host:path, as Git writes an address for SSH."""


def complete_address(address: str) -> str:
    """Return an address in the form that is stored: a URL, or the absolute path of a folder. Raises SourceError."""
    address = address.strip()
    if found := _SCP.fullmatch(address):
        address = f"ssh://{found[1]}/{found[2].lstrip('/')}"
    if address.startswith("file://") and not is_repository(address):
        address = url2pathname(urlsplit(address).path)
    if "://" not in address:
        path = Path(address).expanduser().resolve()
        if not path.is_dir():
            raise SourceError(f"{address!r} is neither an address such as https://... or s3://... nor a folder")
        return path.as_uri() if is_repository(f"{path}") else str(path)
    try:
        parts = urlsplit(address)
        has_secret = parts.password is not None and parts.scheme != "github"  # github://organization:repository@branch
    except ValueError as error:
        raise SourceError(f"{address!r} is not a valid address: {error}") from error
    if has_secret or not address.isprintable():
        raise SourceError(f"an address has no password; write it into {FILE_NAME} in the home folder instead")
    if is_website(address) and not canonical(address):
        raise SourceError(f"{address!r} is not an address of a website, such as https://docs.example.com/")
    return address if is_website(address) else address.rstrip("/")


def is_repository(address: str) -> bool:
    """Return whether the address is one of a Git repository: it ends in .git, or a #branch follows."""
    return address.partition("#")[0].rstrip("/").endswith(".git")


def is_website(address: str) -> bool:
    """Return whether the address is one of a website or sitemap."""
    return address.startswith(("http://", "https://")) and not is_repository(address)


def name_of(address: str) -> str:
    """Return a name made from an address: its last part, or its host."""
    parts = urlsplit(address.partition("#")[0].rstrip("/"))
    last = parts.path.rpartition("/")[2] if not is_website(address) else ""
    return re.sub(r"[^\w.-]+", "-", (last or parts.netloc).removesuffix(".git")).strip("-.") or "source"


def connect(source: Source, home: Path, scratch: Path) -> Connector:
    """Return the connector of a source; scratch: an empty folder of its own. Raises SourceError."""
    address = source.address
    if "://" not in address:
        return LocalFolder(Path(address), home)
    options = read_options(home, address)
    if is_repository(address):
        return GitRepository(address, home / "sources" / f"{source.name}.git", options)
    if is_website(address):
        return Website(address, Fetcher(options, inner=source.inner), scratch)
    return Remote(address, options)


def new_source(address: str, name: str = "", collection: str = "", every: str = "", *, inner: bool = False) -> Source:
    """Return a checked source, due at once if it has an interval. Raises SourceError."""
    address = complete_address(address)
    name = name.strip() or name_of(address)
    check_name(name)
    due = now() if every and seconds_of(every) else ""
    return Source(name, address, collection.strip() or name, every, inner, due)
