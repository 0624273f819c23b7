"""Source -> table: the listing is compared with the last sync; changed documents go through the ordinary ingest.

Only changed documents are fetched, into a folder that is deleted afterwards. Documents that are gone there are removed
here. If the listing is empty or most documents would go, something is probably wrong there, and nothing is changed.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout

from ingest.embed.embedder import Embedder
from ingest.files import SourceFile, is_gone, is_remote, path_text
from ingest.home.folder import create_private, make_home
from ingest.home.job_store import StoppedError
from ingest.isolation import read_limits
from ingest.parse import PARSERS
from ingest.pipeline import FileResult, Ingest, Progress, Status
from ingest.removal import remove
from ingest.sources.connect import connect
from ingest.sources.source import Connector, Item, Source, SourceError
from ingest.sources.store import Seen, SourceStore
from ingest.table import ChunkTable, stored_documents

_BATCH_FILES = 200
_BATCH_BYTES = 256 * 2**20
"""Fetched files are ingested together in batches of about this size."""
_FEW = 10
"""Up to this number, documents are removed whatever their share of all is."""
_MAX_FAILURES = 20
"""After this number of consecutive failures to fetch, the source counts as down."""

_ELSEWHERE = "a document in another collection has this address; move that one to this collection to update it"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sync would do. gone: addresses of documents to remove. unreadable: with their problems; they stay."""

    changed: list[Item]
    gone: list[str]
    unreadable: list[Item]
    num_unchanged: int


class Sync:
    """One sync of one source. Only one process can sync a source at a time."""

    def __init__(
        self,
        source: Source,
        home: Path,
        *,
        delete_many: bool = False,
        on_progress: Callable[[Progress], None] = lambda _: None,
        on_wait: Callable[[], None] = lambda: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """delete_many: also if most documents are gone. The functions are those of `ingest`."""
        self._source, self._home, self._delete_many = source, home, delete_many
        self._on_progress, self._on_wait, self._should_stop = on_progress, on_wait, should_stop
        self._store, self._limits = SourceStore(home), read_limits()
        self._progress = Progress(0, current=source.address)
        self._num_failures = 0

    def preview(self) -> Plan:
        """Return what `run` would do. Raises SourceError if the source cannot be listed."""
        with self._connected() as (connector, _):
            return self._plan(connector, {document.source for document in stored_documents(self._home)})

    def run(self, table: ChunkTable, embedder: Embedder) -> Iterator[FileResult]:
        """Bring the table up to date; yields the result of each document that is new, changed, gone or unreadable.

        Raises SourceError if the source cannot be listed, and what `ingest` raises; results until then are stored.
        """
        with self._connected() as (connector, scratch):
            plan = self._plan(connector, {document.source for document in table.documents()})
            num_files = len(plan.changed) + len(plan.unreadable) + plan.num_unchanged
            self._report(num_files=num_files, num_files_done=plan.num_unchanged)
            for item in plan.unreadable:
                yield self._done(item, "failed", item.problem)
            for batch in _batches(plan.changed):
                with tempfile.TemporaryDirectory(dir=scratch) as folder:
                    files: list[SourceFile] = []
                    for number, item in enumerate(batch):
                        if failed := self._fetch(item, connector, Path(folder, str(number)), files):
                            yield failed
                    if files:
                        yield from self._ingest(files, batch, plan.gone, table, embedder)
            yield from self._remove(set(plan.gone), table)

    @contextmanager
    def _connected(self) -> Iterator[tuple[Connector, Path]]:
        """Yield the connector and a folder for fetched files, which is deleted afterwards."""
        folder = self._home / "sources"
        own = folder / f"{self._source.name}.reading"
        make_home(self._home)
        folder.mkdir(mode=0o700, exist_ok=True)
        try:
            with FileLock(folder / f"{self._source.name}.lock", timeout=0):
                shutil.rmtree(own, ignore_errors=True)  # of a process that was killed
                own.mkdir()
                try:
                    yield connect(self._source, self._home, own), own
                finally:
                    shutil.rmtree(own, ignore_errors=True)
        except Timeout as error:
            raise SourceError(f"another process is syncing {self._source.name}; try again when it has ended") from error

    def _plan(self, connector: Connector, stored: Collection[str]) -> Plan:
        """Compare the listing with the last sync. A document that was read, but is not stored, counts as changed."""
        seen = self._store.seen(self._source.name)
        known = {address: each.stamp for address, each in seen.items() if address in stored or each.unread}
        listed: dict[str, Item] = {}
        self._report()
        for item in connector.list(known):
            if not any(part.startswith(".") for part in item.path.split("/")):  # nothing hidden, as in folders
                listed.setdefault(item.address, item)
            self._report(num_files=len(listed))
        gone = [address for address in seen if address not in listed and (is_remote(address) or is_gone(address))]
        self._check_gone(sum(address in stored for address in gone), len(known), is_empty=not listed)
        readable = [item for item in listed.values() if not item.problem]
        changed = [item for item in readable if not item.stamp or known.get(item.address) != item.stamp]
        unreadable = [item for item in listed.values() if item.problem]
        return Plan(changed, gone, unreadable, len(readable) - len(changed))

    def _check_gone(self, num_gone: int, num_known: int, *, is_empty: bool) -> None:
        """Raise SourceError if the listing is empty, or if most documents would be removed without delete_many."""
        name, address = self._source.name, self._source.address
        if is_empty:
            raise SourceError(
                f"nothing was found at {address}, so nothing was changed. Check the address and the credentials; to "
                f"give the source up: citeloop sources remove {name}"
            )
        if num_gone > max(_FEW, num_known // 2) and not self._delete_many:
            raise SourceError(
                f"{num_gone:,} of {num_known:,} documents are gone at {address}, so nothing was changed. If that is "
                f"right: citeloop sources sync {name} --delete-many"
            )

    def _fetch(self, item: Item, connector: Connector, folder: Path, files: list[SourceFile]) -> FileResult | None:
        """Fetch a document and add it to files, or return why it cannot be read.

        Its name here is made of letters, digits and the suffix of a known format: names from elsewhere lead nowhere.
        """
        suffix = PurePosixPath(item.path).suffix.lower()
        if suffix not in PARSERS:
            self._remember({item.address: Seen(item.stamp, unread=True)})
            return self._done(item, "skipped", f"this format cannot be read: {path_text(suffix) or 'none'}")
        stem = re.sub(r"[^\w-]", "_", PurePosixPath(item.path).stem)[:50] or "file"
        path = folder / f"{stem}{suffix}"
        self._report(current=_name(self._source, item))
        try:
            folder.mkdir()
            with create_private(path) as target:
                connector.read(item, target, self._limits.memory_mb << 20)
        except SourceError as error:
            self._num_failures += 1
            if self._num_failures >= _MAX_FAILURES:
                raise SourceError(
                    f"{self._source.address} cannot be read any more: {error}; try again later"
                ) from error
            return self._done(item, "failed", str(error))
        self._num_failures = 0
        files.append(SourceFile(path, _name(self._source, item), item.address))
        return None

    def _ingest(
        self,
        files: list[SourceFile],
        batch: Sequence[Item],
        gone: Collection[str],
        table: ChunkTable,
        embedder: Embedder,
    ) -> Iterator[FileResult]:
        before, stamps = self._progress, {item.address: item.stamp for item in batch}
        seen: dict[str, Seen] = {}

        def report(within: Progress) -> None:
            self._report(
                num_files_done=before.num_files_done + within.num_files_done,
                num_chunks_done=before.num_chunks_done + within.num_chunks_done,
                current=within.current,
            )

        try:
            with table.writing(self._on_wait):
                elsewhere = self._documents_elsewhere(table)
                skipped = [
                    FileResult(file.name, file.source, "skipped", reason=_ELSEWHERE)
                    for file in files
                    if file.source in elsewhere
                ]
                run = Ingest(
                    table,
                    embedder,
                    self._limits,
                    report,
                    self._should_stop,
                    collection=self._source.collection,
                    gone=gone,
                )
                for result in chain(skipped, run.store([file for file in files if file.source not in elsewhere])):
                    seen[result.source] = Seen(stamps[result.source], unread=result.status in ("failed", "skipped"))
                    yield result
        finally:
            self._remember(seen)

    def _remove(self, gone: set[str], table: ChunkTable) -> Iterator[FileResult]:
        if not gone:
            return
        with table.writing(self._on_wait):
            gone = gone - self._documents_elsewhere(table)
            documents = [document for document in table.documents() if document.source in gone]
            remove(documents, table)
        self._store.forget(self._source.name, gone)
        yield from (FileResult(document.name, document.source, "removed") for document in documents)

    def _documents_elsewhere(self, table: ChunkTable) -> set[str]:
        """Return the addresses of documents in other collections, which are another source's or were moved there.

        Who syncs this one may not be able to see them, so they are neither replaced nor removed.
        """
        others = (document for document in table.documents() if document.collection != self._source.collection)
        return {document.source for document in others if is_remote(document.source)}

    def _remember(self, seen: dict[str, Seen]) -> None:
        if seen:
            self._store.remember(self._source.name, seen)

    def _done(self, item: Item, status: Status, reason: str) -> FileResult:
        self._report(num_files_done=self._progress.num_files_done + 1)
        return FileResult(_name(self._source, item), item.address, status, reason=reason)

    def _report(self, **changes: int | str) -> None:
        """Report progress. Raises StoppedError when asked to stop."""
        if self._should_stop():
            raise StoppedError("stopped; everything done until then is stored")
        self._progress = replace(self._progress, **changes)  # type: ignore[arg-type]
        self._on_progress(self._progress)


def _name(source: Source, item: Item) -> str:
    """Return a document's name: the source and the path below it, without control characters."""
    path = "".join(each if each.isprintable() else "_" for each in path_text(item.path))
    return "/".join([source.name, *(part for part in path.split("/") if part not in ("", ".", ".."))])


def _batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == _BATCH_FILES or sum(each.size for each in batch) > _BATCH_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch
