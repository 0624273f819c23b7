"""Copies of the ingested files.

They lie below the home folder, each with a record of its name: to be shown and downloaded from a citation even if
the source has changed since, and to rebuild the table.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

from ingest import CiteloopError
from ingest.home.folder import create_private
from ingest.parse import Document, ParseError

FIGURES = ".figures"
"""Ends the name of the folder with the pictures of a version; see ingest/figures.py."""
_RECORD = "document.json"


class OriginalError(CiteloopError):
    """The copy of a file could not be kept."""


class HasFile(Protocol):
    """Identifies a kept file: a Document, the table's record of it, or the record beside the file."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Original:
    """The record beside a kept file: document id, displayed name, source, digest of the bytes.

    collection: '' in records of earlier versions.
    """

    id: str
    name: str
    source: str
    sha256: str
    collection: str = ""


class Originals:
    """The kept files of one home folder: `originals/<document id>/<sha256><suffix>` and a record beside it."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "originals"

    def path(self, document: HasFile) -> Path:
        """Return the path for this version of the document's file, whether it exists or not."""
        return self._folder / document.id / f"{document.sha256}{Path(document.name).suffix.lower()}"

    def is_whole(self, document: HasFile) -> bool:
        """Return whether the file is kept and undamaged."""
        path = self.path(document)
        return path.is_file() and file_digest(path) == document.sha256

    def keep(self, document: Document, path: Path) -> None:
        """Copy the file that the document was read from; older versions stay until `keep_only`.

        Raises ParseError when the file has changed since it was parsed, OriginalError when the copy cannot be written.
        """
        kept = self.path(document)
        if not kept.exists():
            with _opened(path) as source, _unfinished(kept) as copy:
                with create_private(copy) as target:
                    shutil.copyfileobj(source, target)
                if file_digest(copy) != document.sha256:
                    raise ParseError("the file changed while it was being read; ingest it again")
        self._record(
            Original(document.id, document.name, document.source, document.sha256, document.collection), kept.parent
        )

    def move(self, document_id: str, collection: str) -> None:
        """Record the collection of a kept file, if there is one. Raises OriginalError."""
        folder = self._folder / document_id
        if original := _read(folder / _RECORD):
            self._record(replace(original, collection=collection), folder)

    def _record(self, original: Original, folder: Path) -> None:
        with _unfinished(folder / _RECORD) as record, create_private(record) as target:
            target.write(json.dumps(asdict(original)).encode())

    def keep_only(self, document: Document) -> None:
        """Delete older versions of a document's file, once the table has the new one."""
        kept = self.path(document)
        for path in kept.parent.iterdir():
            if path.is_dir() and path.name != f"{document.sha256}{FIGURES}":
                shutil.rmtree(path)
            elif path.is_file() and path.name not in (kept.name, _RECORD):
                path.unlink(missing_ok=True)

    def put_aside(self, document: HasFile, folder: Path) -> None:
        """Move a damaged file to this folder, so that the next ingest copies it again."""
        path = self.path(document)
        path.replace(folder / path.name)

    def remove(self, document_id: str) -> None:
        """Delete a document's files, if there are any."""
        shutil.rmtree(self._folder / document_id, ignore_errors=True)

    def __iter__(self) -> Iterator[Original]:
        """Yield every kept file, unordered; folders with a missing or damaged record are skipped."""
        for record in self._folder.glob(f"*/{_RECORD}"):
            original = _read(record)
            if original and self.path(original).is_file():
                yield original


def _read(record: Path) -> Original | None:
    """Return a record, None if it is missing or damaged."""
    try:
        return Original(**json.loads(record.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise ParseError(f"cannot open the file: {error.strerror or error}") from error


@contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """Yield a temporary path; it is renamed to path on success. Raises OriginalError."""
    unfinished = path.with_name("unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        raise OriginalError(
            f"cannot keep a copy of the file in {path.parent}: {error.strerror or error}; what was stored before is "
            "still there. Check free space and permissions, then try again"
        ) from error
    finally:
        with suppress(OSError):
            unfinished.unlink()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in hex digits, without loading it whole."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
