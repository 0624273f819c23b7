"""A damaged table -> a whole one: an older manifest where the newest is broken, the kept files for the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ingest.embed.embedder import Embedder
from ingest.home.folder import current_name, write_lock
from ingest.isolation import read_limits
from ingest.originals import Original, Originals
from ingest.pipeline import Ingest
from ingest.reindex import reindex, source_of
from ingest.table import ChunkTable, MismatchError, StoredDocument, TableError, read_identity


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it is well now, and what was found or done."""

    ok: bool
    detail: str


def examine(home: Path, embedder: Embedder, *, repair: bool) -> Iterator[Finding]:
    """Check every stored text and vector and every kept file; with repair, mend what is not as it was stored.

    What cannot be opened or read is not deleted: broken manifests and kept files are put aside in the folder
    `damaged`.
    """
    try:
        read_identity(home)
    except TableError as error:
        if not repair:
            yield Finding(False, f"{error}; run it without --no-repair")
            return
        with write_lock(home):
            put_aside = _put_aside_manifests(home)
        yield Finding(True, f"the table did not open; {put_aside} broken manifests were put aside")
        _remove_again(home, embedder)
    yield from _examine_documents(home, embedder, repair=repair)


def _examine_documents(home: Path, embedder: Embedder, *, repair: bool) -> Iterator[Finding]:
    try:
        table = ChunkTable(home, embedder)
        documents = {document.id: document for document in table.documents()}
        damaged = table.verify()
    except MismatchError as error:
        yield Finding(False, str(error))
        return
    except TableError as error:
        if repair and any(True for _ in Originals(home)):
            num_documents = sum(1 for _ in reindex(home, embedder))
            yield Finding(True, f"the table could not be read; {num_documents} documents were read again")
        else:
            yield Finding(False, str(error))
        return
    kept = Originals(home)
    originals = {original.id: original for original in kept}
    broken = {id for id, original in originals.items() if not kept.is_whole(original)}
    for id in sorted(broken):
        if repair:
            kept.put_aside(originals[id], _damaged_folder(home))
        yield Finding(False, f"the kept file of {originals[id].name} is damaged; add the file again")
    wanted = {id for id, original in originals.items() if not _is_stored(original, documents.get(id))} | {
        id for id, document in documents.items() if document.name in damaged
    }
    if not wanted:
        yield Finding(True, f"{table.num_chunks()} passages of {len(documents)} documents are as they were stored")
    elif not repair:
        names = sorted((originals.get(id) or documents[id]).name for id in wanted)
        yield Finding(False, f"damaged or missing: {', '.join(names)}; run it without --no-repair")
    else:
        yield from _restore(table, embedder, [originals[id] for id in wanted & originals.keys() - broken])
        for id in sorted(wanted - originals.keys()):
            yield Finding(False, f"{documents[id].name} is damaged and no file of it was kept; add it again")


def _restore(table: ChunkTable, embedder: Embedder, originals: list[Original]) -> Iterator[Finding]:
    """Read documents again from their kept files; what cannot be read again stays in the table as it is."""
    kept = Originals(table.home)
    files = [source_of(each, kept) for each in originals]
    with table.writing():
        for result in Ingest(table, embedder, read_limits(), again=True).store(files):
            if result.status in ("failed", "skipped"):
                yield Finding(False, f"{result.name} could not be read again: {result.reason}")
            else:
                yield Finding(True, f"{result.name} was damaged or missing and has been read again from its kept file")


def _is_stored(original: Original, document: StoredDocument | None) -> bool:
    """Whether the table has the version whose file was kept last; an older manifest has an older one."""
    return document is not None and (original.sha256, original.source) == (document.sha256, document.source)


def _remove_again(home: Path, embedder: Embedder) -> None:
    """Take out what an older manifest has and somebody had removed since: its kept files are gone, others are there."""
    kept = {original.id for original in Originals(home)}
    with suppress(TableError):  # said when the documents are looked at
        table = ChunkTable(home, embedder)
        with table.writing():
            table.remove([document.id for document in table.documents() if kept and document.id not in kept])


def _put_aside_manifests(home: Path) -> int:
    """Move the newest manifests away until the table opens at an older version; returns how many."""
    versions = home / "table" / f"{current_name(home)}.lance" / "_versions"
    damaged = _damaged_folder(home)
    # Lance names a manifest by its version, or by the largest 64-bit number less its version.
    manifests = sorted(versions.glob("*.manifest"), key=lambda path: path.stat().st_mtime, reverse=True)
    for count, manifest in enumerate(manifests, 1):
        manifest.replace(damaged / manifest.name)
        try:
            read_identity(home)
        except TableError:
            continue
        return count
    return len(manifests)


def _damaged_folder(home: Path) -> Path:
    folder = home / "damaged"
    folder.mkdir(exist_ok=True)
    return folder
