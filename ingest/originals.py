"""The files behind the documents, as they were when they were ingested.

A copy of each is kept below the home folder: to be shown and downloaded from a citation, whatever has
become of the file since, and to rebuild the table from. Beside it stands what people call it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from ingest import CiteloopError
from ingest.home.folder import create_private
from ingest.parse import Document, ParseError

_RECORD = "document.json"


class OriginalError(CiteloopError):
    """The copy of a file could not be kept."""


class HasFile(Protocol):
    """What tells a kept file: a Document, the table's record of it, or the record beside the file."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Original:
    """The record beside a kept file: id of its document, what people call it, its source, digest of its bytes."""

    id: str
    name: str
    source: str
    sha256: str


class Originals:
    """The kept files of one home folder: `originals/<document id>/<sha256><suffix>` and a record beside it."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "originals"

    def path(self, document: HasFile) -> Path:
        """Where this version of the document's file is kept, whether it is there or not."""
        return self._folder / document.id / f"{document.sha256}{Path(document.name).suffix.lower()}"

    def is_whole(self, document: HasFile) -> bool:
        """Whether the file is kept and has the bytes that were read."""
        path = self.path(document)
        return path.is_file() and file_digest(path) == document.sha256

    def keep(self, document: Document, path: Path) -> None:
        """Keep the file that the document was read from; an older version stays until `keep_only`.

        Raises ParseError when it is no longer what was parsed, OriginalError when the copy cannot be written.
        """
        kept = self.path(document)
        if not kept.exists():
            with _opened(path) as source, _unfinished(kept) as copy:
                with create_private(copy) as target:
                    shutil.copyfileobj(source, target)
                if file_digest(copy) != document.sha256:
                    raise ParseError("the file changed while it was being read; ingest it again")
        original = Original(document.id, document.name, document.source, document.sha256)
        with _unfinished(kept.with_name(_RECORD)) as record, create_private(record) as target:
            target.write(json.dumps(asdict(original)).encode())

    def keep_only(self, document: Document) -> None:
        """Drop the older versions of a document's file, once the table has the new one."""
        kept = self.path(document)
        for path in kept.parent.iterdir():
            if path.name not in (kept.name, _RECORD):
                path.unlink(missing_ok=True)

    def put_aside(self, document: HasFile, folder: Path) -> None:
        """Move a damaged file out of the way, so that the next ingest keeps it anew."""
        path = self.path(document)
        path.replace(folder / path.name)

    def remove(self, document_id: str) -> None:
        """Drop a document's file; one that is not there is no error."""
        shutil.rmtree(self._folder / document_id, ignore_errors=True)

    def __iter__(self) -> Iterator[Original]:
        """Every kept file, in no order; a folder whose record is missing or damaged is passed over."""
        for record in self._folder.glob(f"*/{_RECORD}"):
            try:
                original = Original(**json.loads(record.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError):
                continue
            if self.path(original).is_file():
                yield original


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise ParseError(f"cannot open the file: {error.strerror or error}") from error


@contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """A place to write a file that is then there whole or not at all. Raises OriginalError."""
    unfinished = path.with_name("unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        raise OriginalError(
            f"cannot keep a copy of the file in {path.parent}: {error.strerror or error}; what was stored before is "
            "still there. Look at the free space and the permissions, then run it again"
        ) from error
    finally:
        with suppress(OSError):
            unfinished.unlink()


def file_digest(path: Path) -> str:
    """SHA-256 of a file in hex digits, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
