"""paths -> table: parse, chunk, embed and store, file by file, and say what happened to each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ingest import CiteloopError
from ingest.chunk import chunk
from ingest.embed import Embedder
from ingest.parse import PARSERS, ParseError, document_id, parse
from ingest.table import ChunkTable

Status = Literal["added", "replaced", "unchanged", "removed", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class FileResult:
    """What happened to one file; reason says why it was skipped or failed, else ''."""

    name: str
    source: str
    status: Status
    num_chunks: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to ingest and the name that people will see: its path below the folder that was given."""

    path: Path
    name: str

    @property
    def source(self) -> str:
        """The absolute path, by which the table knows the document."""
        return str(self.path.resolve())


def check_paths(paths: Iterable[Path]) -> None:
    """Raise CiteloopError when a path does not exist; costs no walk through the folders."""
    for path in paths:
        if not path.exists():
            raise CiteloopError(f"no such file or folder: {path}")


def find_files(paths: Iterable[Path]) -> list[SourceFile]:
    """Every file at or below the paths, sorted by name; what is hidden below a folder is left out.

    Raises CiteloopError when a path does not exist.
    """
    paths = list(paths)
    check_paths(paths)
    files: dict[Path, SourceFile] = {}
    for root in paths:
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            below = path.relative_to(root) if root.is_dir() else Path(path.name)
            hidden = root.is_dir() and any(part.startswith(".") for part in below.parts)
            if path.is_file() and not hidden:
                files.setdefault(path.resolve(), SourceFile(path, below.as_posix()))
    return list(files.values())


def ingest(
    paths: Iterable[Path],
    table: ChunkTable,
    embedder: Embedder,
    *,
    prune: bool = False,
    on_start: Callable[[int], None] = lambda _: None,
    on_wait: Callable[[], None] = lambda: None,
) -> Iterator[FileResult]:
    """Bring the files at and below the paths into the table; yields a result as each file is done.

    A file whose bytes have not changed costs only a hash. A file that cannot be read is reported and the
    rest goes on; its older version, if any, stays. With prune, documents from below the given folders
    whose files are gone are removed. on_start is told the number of files, on_wait that another process
    is writing and this one waits.
    """
    paths = list(paths)
    check_paths(paths)  # said before waiting
    with table.writing(on_wait):
        files = find_files(paths)
        on_start(len(files))
        known = {document.id: document.sha256 for document in table.documents()}
        for file in files:
            yield _ingest_file(file, table, embedder, known)
        if prune:
            yield from _prune(paths, table)


def _ingest_file(file: SourceFile, table: ChunkTable, embedder: Embedder, known: dict[str, str]) -> FileResult:
    if file.path.suffix.lower() not in PARSERS:
        return FileResult(
            file.name, file.source, "skipped", reason=f"not a format that can be read: {file.path.suffix or 'none'}"
        )
    before = known.get(document_id(file.source))
    try:
        if before and before == hashlib.sha256(file.path.read_bytes()).hexdigest():
            return FileResult(file.name, file.source, "unchanged")
        document = parse(file.path, file.name)
    except (ParseError, OSError) as error:
        return FileResult(file.name, file.source, "failed", reason=str(error))
    chunks = chunk(document, embedder.count_tokens, embedder.max_tokens)
    if not chunks:
        return FileResult(file.name, file.source, "failed", reason="it has headings but no text below them")
    table.replace(document, chunks, embedder.embed([piece.passage for piece in chunks]))
    return FileResult(file.name, file.source, "replaced" if before else "added", len(chunks))


def _prune(paths: list[Path], table: ChunkTable) -> Iterator[FileResult]:
    folders = [path.resolve() for path in paths if path.is_dir()]
    for document in table.documents():
        inside = any(Path(document.source).is_relative_to(folder) for folder in folders)
        if inside and not Path(document.source).exists():
            table.remove(document.id)
            yield FileResult(document.name, document.source, "removed")
