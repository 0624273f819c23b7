"""paths -> table: parse, chunk, embed and store files in batches, with a result for each file."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ingest.collections import default_collection
from ingest.describe import Describing
from ingest.embed.deferred import load_meanwhile
from ingest.embed.embedder import Embedder, Vectors
from ingest.embedded import embed_documents
from ingest.figures import Figures
from ingest.files import SourceFile, beside_others, check_paths, find_files, is_gone, path_text
from ingest.home.job_store import StoppedError
from ingest.isolation import Limits, ParserPool, Parsers, read_limits
from ingest.listing import StoredDocument
from ingest.originals import Originals, file_digest
from ingest.parse import PARSERS, UPLOAD, Document, ParseError, document_id
from ingest.removal import remove
from ingest.table import ChunkTable

Status = Literal["added", "replaced", "renamed", "unchanged", "removed", "skipped", "failed"]

_Read = tuple[SourceFile, Document, Mapping[str, Vectors]]

_BATCH_CHARACTERS = 100_000
"""Small documents are embedded and stored together; a batch is one transaction of about this size."""
_PICTURE_BYTES = 300
"""Bytes of pictures that count as a character, so that a batch holds about 30 MB of them."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """The result for one file; reason: why it was skipped or failed, which part could not be read, or ''."""

    name: str
    source: str
    status: Status
    num_chunks: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of an ingest: files and chunks done; current: the file being read, or ''."""

    num_files: int
    num_files_done: int = 0
    num_chunks_done: int = 0
    current: str = ""


def ingest(
    paths: Iterable[Path],
    table: ChunkTable,
    embedder: Embedder,
    *,
    prune: bool = False,
    uploaded: bool = False,
    collection: str = "",
    limits: Limits | None = None,
    parsers: Parsers | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_wait: Callable[[], None] = lambda: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[FileResult]:
    """Ingest the files at and below the paths; yields a result as each file is stored.

    An unchanged file costs only a hash. A file that cannot be read is reported, its older version stays, and the rest
    continues. A file that was moved or renamed keeps its document. prune: remove documents whose files are gone from
    the given folders, unless a folder has no file left. collection: of all these documents, also of unchanged ones;
    '': the one they have, for new ones the default one. parsers: None: processes of this machine. on_wait: called
    while another process is writing; it may raise to give up.

    Raises StoppedError soon after should_stop returns True, TableError when the table cannot be written; all results
    reported until then are stored.
    """
    paths = list(paths)
    check_paths(paths)  # report bad paths before waiting
    with table.writing(on_wait):
        files = find_files(paths, uploaded=uploaded, leave_out=None if uploaded else table.home)
        if uploaded and collection:
            files = beside_others(files, table.documents(), collection)
        limits = limits or read_limits()
        run = Ingest(table, embedder, limits, on_progress, should_stop, collection=collection, parsers=parsers)
        yield from run.store(files)
        if prune:
            yield from _prune(paths, {file.source for file in files}, table)


class Ingest:
    """One pass over files: compare them with the table, then read, embed and store the changed ones."""

    def __init__(
        self,
        table: ChunkTable,
        embedder: Embedder,
        limits: Limits,
        on_progress: Callable[[Progress], None] = lambda _: None,
        should_stop: Callable[[], bool] = lambda: False,
        *,
        again: bool = False,
        collection: str = "",
        gone: Collection[str] = (),
        parsers: Parsers | None = None,
    ) -> None:
        """again: also read unchanged files. gone: sources known to be gone elsewhere. The others: as for `ingest`."""
        self._again, self._collection, self._gone = again, collection.strip(), gone
        self._table, self._embedder, self._limits = table, embedder, limits
        self._parsers = parsers or ParserPool(limits)
        self._on_progress, self._should_stop = on_progress, should_stop
        self._originals, self._figures = Originals(table.home), Figures(table.home)
        self._describing = Describing(table.home)
        documents = table.documents()
        self._known = {document.source: document for document in documents}
        self._by_id = {document.id: document for document in documents}
        self._ids = set(self._by_id)
        self._moved: dict[str, StoredDocument] = {}
        self._status: dict[str, Status] = {}  # by document id, of the files to read
        self._progress = Progress(0)

    def store(self, files: list[SourceFile]) -> Iterator[FileResult]:
        """Ingest the files; yields the result of each once it is stored."""
        self._report(num_files=len(files))
        found = {file.source for file in files}
        self._moved = {
            document.sha256: document
            for source, document in self._known.items()
            if source not in found and (source in self._gone or is_gone(source))
        }
        changed: list[SourceFile] = []
        for file in files:
            result = self._compare(file)
            if isinstance(result, SourceFile):
                if not changed:
                    load_meanwhile(self._embedder)
                changed.append(result)
            else:
                yield self._done(result)
        if not changed:
            return
        with self._parsers as parsers:
            waiting: list[_Read] = []
            num_characters = 0
            for parsed in parsers.parse_all(changed):
                self._report()
                if parsed is None:
                    continue
                file, outcome, vectors = parsed
                self._report(current=file.name)
                if isinstance(outcome, ParseError):
                    yield self._done(_failed(file, str(outcome)))
                    continue
                waiting.append((file, outcome, vectors))
                num_characters += sum(len(page.text) for page in outcome.pages)
                num_characters += sum(len(figure.picture) for figure in outcome.figures) // _PICTURE_BYTES
                if num_characters > _BATCH_CHARACTERS:
                    yield from self._store(waiting)
                    waiting, num_characters = [], 0
            yield from self._store(waiting)

    def _compare(self, file: SourceFile) -> FileResult | SourceFile:
        """Return the result of a file that needs no reading, or the file to read, with the id of its document."""
        suffix = file.path.suffix.lower()
        if not file.not_read and suffix not in PARSERS and os.path.isdir(file.path):
            return _failed(file, "this folder cannot be opened; check its permissions")
        if file.not_read or suffix not in PARSERS:
            reason = file.not_read or f"this format cannot be read: {suffix or 'none'}"
            return FileResult(file.name, file.source, "skipped", reason=reason)
        self._report()
        absolute = os.path.abspath(file.path)
        if path_text(absolute) != absolute.replace(os.sep, "/"):
            return _failed(file, "its name is not valid UTF-8; rename it")
        known = self._known.get(file.source)
        try:
            num_megabytes = file.path.stat().st_size >> 20
            if num_megabytes > self._limits.memory_mb:
                limit = f"the limit is {self._limits.memory_mb:,} MB"
                return _failed(file, f"it has {num_megabytes:,} MB, {limit}; split it")
            digest = file_digest(file.path) if known or self._moved else ""
        except OSError as error:
            return _failed(file, f"cannot open the file: {error.strerror or error}")
        stays = known and digest == known.sha256 and self._collection in ("", known.collection) and not self._again
        if known and stays and self._originals.path(known).exists() and not self._lacks_descriptions(known):
            return FileResult(file.name, file.source, "unchanged")
        if known:
            return self._to_read(file, known.id, "replaced")
        if file.document_id:
            return self._to_read(file, file.document_id, "replaced" if file.document_id in self._ids else "added")
        is_upload = file.source.startswith(UPLOAD)  # which takes over no document of a folder
        if not is_upload and (moved := self._moved.pop(digest, None)):
            return self._to_read(file, moved.id, "renamed")
        return self._to_read(file, self._new_id(file.source), "added")

    def _to_read(self, file: SourceFile, document_id: str, status: Status) -> SourceFile:
        self._status[document_id] = status
        return replace(file, document_id=document_id)

    def _lacks_descriptions(self, document: StoredDocument) -> bool:
        return self._describing.is_on and self._figures.lack_descriptions(document)

    def _new_id(self, source: str) -> str:
        """Return an id made from the source, made unique if a moved document still has it."""
        new_id = document_id(source)
        while new_id in self._ids:
            new_id = document_id(new_id + source)
        self._ids.add(new_id)
        return new_id

    def _store(self, read: list[_Read]) -> Iterator[FileResult]:
        """Embed and store documents; each is in the table before its result is yielded."""
        files = {file.document_id: file for file, *_ in read}
        documents = [
            replace(document, id=file.document_id, source=file.source, collection=self._collection_of(file, document))
            for file, document, _ in read
        ]
        documents = [self._with_descriptions(document) for document in documents]
        known = self._table.vectors_of([id for id in files if self._status[id] != "added"])
        for *_, vectors in read:
            known |= vectors
            self._report_embedded(len(vectors))
        kept = []
        for embedded in embed_documents(documents, self._embedder, known, on_embedded=self._report_embedded):
            file = files[embedded.document.id]
            try:
                if not embedded.chunks:
                    raise ParseError("it has headings but no text below them")
                self._originals.keep(embedded.document, file.path)
                self._figures.keep(embedded.document)
                kept.append(embedded)
            except ParseError as error:
                yield self._done(_failed(file, str(error)))
        self._table.append([embedded for embedded in kept if self._status[embedded.document.id] == "added"])
        self._table.replace([embedded for embedded in kept if self._status[embedded.document.id] != "added"])
        for document, chunks, _ in kept:
            self._originals.keep_only(document)
            file, status = files[document.id], self._status[document.id]
            yield self._done(FileResult(file.name, file.source, status, len(chunks), document.note))

    def _with_descriptions(self, document: Document) -> Document:
        def report(number: int, num_figures: int) -> None:
            self._report(current=f"{document.name}: picture {number} of {num_figures}")

        return self._describing.described(self._figures.with_earlier(document), report)

    def _collection_of(self, file: SourceFile, document: Document) -> str:
        """Return the collection that was chosen now or before, else the default one."""
        known = self._by_id.get(file.document_id)
        was_chosen = known and known.collection != default_collection(known.name, known.source)
        kept = known.collection if known and was_chosen else ""
        return self._collection or file.collection or kept or default_collection(document.name, file.source)

    def _report_embedded(self, num_chunks: int) -> None:
        self._report(num_chunks_done=self._progress.num_chunks_done + num_chunks)

    def _done(self, result: FileResult) -> FileResult:
        self._progress = replace(self._progress, num_files_done=self._progress.num_files_done + 1)
        self._on_progress(self._progress)
        return result

    def _report(self, **changes: Any) -> None:
        """Report progress. Raises StoppedError when asked to stop."""
        if self._should_stop():
            raise StoppedError("stopped; everything done until then is stored")
        if changes:
            self._progress = replace(self._progress, **changes)
            self._on_progress(self._progress)


def _failed(file: SourceFile, reason: str) -> FileResult:
    return FileResult(file.name, file.source, "failed", reason=reason)


def _prune(paths: list[Path], found: set[str], table: ChunkTable) -> Iterator[FileResult]:
    """Remove documents whose files are gone from the folders. found: sources of the existing files.

    If a folder has no file left, its documents stay: its disk may not be mounted.
    """
    documents = {document.source: document for document in table.documents() if document.source not in found}
    for folder in (path.resolve() for path in paths if path.is_dir()):
        gone = [source for source in documents if Path(source).is_relative_to(folder) and is_gone(source)]
        if gone and not any(Path(source).is_relative_to(folder) for source in found):
            reason = (
                f"all files are gone; its documents are kept ({len(gone):,}) in case its disk is not mounted. "
                "To remove them, use the Documents page"
            )
            yield FileResult(folder.name, str(folder), "failed", reason=reason)
            continue
        for document in [documents.pop(source) for source in gone]:
            remove([document], table)
            yield FileResult(document.name, document.source, "removed")
