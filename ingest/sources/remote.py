"""Anything that fsspec speaks to: S3, Google Cloud Storage, Azure, WebDAV, SFTP, FTP, GitHub and others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from ingest.sources.source import Item, SourceError, copy

_WEBDAV = {"webdav": "http", "webdavs": "https"}
_VERSIONS = ("ETag", "etag", "md5Hash", "content_md5", "sha", "content_hash", "versionId")
_TIMES = ("mtime", "LastModified", "last_modified", "modified", "updated", "modify", "created")
"""Names under which implementations give a version or time; the first one found is the stamp."""


class Remote:
    """The connector of an fsspec address. options: of its implementation, such as key and secret."""

    def __init__(self, address: str, options: Mapping[str, object]) -> None:
        self._address = address.rstrip("/")
        with self._clear_errors():
            self._files, self._root = _open(self._address, dict(options))
        self._paths: dict[str, str] = {}

    def list(self, _known: Mapping[str, str]) -> Iterator[Item]:
        with self._clear_errors():
            found = list(_files_below(self._files, self._root))
        for info in found:
            path = str(info["name"])
            below = path.removeprefix(self._root).lstrip("/") or path.rpartition("/")[2]
            address = f"{self._address}/{below}"
            self._paths[address] = path
            yield Item(below, address, _stamp(info), int(info.get("size") or 0))

    def read(self, item: Item, target: BinaryIO, max_bytes: int) -> None:
        with self._clear_errors(), self._files.open(self._paths[item.address], "rb") as content:
            copy(content, target, max_bytes)

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except SourceError:
            raise
        except ImportError as error:  # fsspec's message names the package
            raise SourceError(f"{self._address} needs a package: {error}") from error
        except Exception as error:  # each implementation has errors of its own
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise SourceError(f"{self._address} cannot be read: {reason}") from error


def _open(address: str, options: dict[str, object]) -> tuple[Any, str]:
    """Return a file system that remembers no earlier listing, and the path in it."""
    import fsspec

    scheme = urlsplit(address).scheme
    if scheme in _WEBDAV:  # this implementation takes the address as an option
        user = (options.pop("username", None), options.pop("password", None))
        options |= {"base_url": address.replace(scheme, _WEBDAV[scheme], 1)} | ({"auth": user} if all(user) else {})
        address = "webdav://"
    filesystem, root = fsspec.url_to_fs(address, skip_instance_cache=True, **options)
    return filesystem, root.rstrip("/")


def _files_below(files: Any, root: str) -> Iterator[Mapping[str, Any]]:
    """Yield every file below a folder. Raises what the implementation raises if a folder cannot be listed.

    fsspec's own walk leaves such a folder out, so that its files would count as deleted. Object stores list everything
    in a few requests instead.
    """
    from fsspec import AbstractFileSystem
    from fsspec.asyn import AsyncFileSystem

    kind = type(files)
    name, general = ("_find", AsyncFileSystem) if issubclass(kind, AsyncFileSystem) else ("find", AbstractFileSystem)
    if getattr(kind, name) is not getattr(general, name):
        yield from files.find(root, detail=True).values()
        return
    folders = [root]
    while folders:
        folder = folders.pop()
        for info in files.ls(folder, detail=True):
            if info["type"] != "directory":
                yield info
            elif info["name"].strip("/") != folder.strip("/"):
                folders.append(info["name"])


def _stamp(info: Mapping[str, Any]) -> str:
    found = next((info[key] for key in (*_VERSIONS, *_TIMES) if info.get(key)), "")
    return f"{found} {info.get('size')}" if found else ""
