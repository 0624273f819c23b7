"""A damaged table -> a repaired one, from an older manifest and the kept files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ingest.embed.embedder import Embedder
from ingest.home.folder import current_name
from ingest.home.sharing import shared_write_lock
from ingest.isolation import read_limits
from ingest.listing import StoredDocument
from ingest.originals import Original, Originals
from ingest.pipeline import Ingest
from ingest.reindex import reindex, source_of
from ingest.table import ChunkTable, MismatchError, TableError, has_whole_history, read_identity


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: whether all is well now, and what was found or done."""

    ok: bool
    detail: str


def examine(home: Path, embedder: Embedder, *, repair: bool) -> Iterator[Finding]:
    """Check every stored text, vector and kept file; with repair, restore what is damaged.

    Nothing is deleted: broken manifests and kept files are moved to the folder `damaged`.
    """
    try:
        read_identity(home)
    except TableError as error:
        if not repair:
            yield Finding(False, f"{error}; run this without --no-repair")
            return
        with shared_write_lock(home):
            num_moved = _put_aside_manifests(home)
        yield Finding(True, f"the table did not open; {num_moved} broken manifests were moved to `damaged`")
        _remove_again(home, embedder)
    yield from _examine_history(home, repair=repair)
    yield from _examine_documents(home, embedder, repair=repair)


def _examine_history(home: Path, *, repair: bool) -> Iterator[Finding]:
    with suppress(TableError):  # reported when the documents are checked
        if has_whole_history(home):
            return
        if repair:
            with shared_write_lock(home):
                num_moved = _put_aside_older_manifests(home)
            yield Finding(True, f"an older manifest was broken; {num_moved} of them were moved to `damaged`")
        else:
            yield Finding(False, "an older manifest is broken, so nothing can be added; run this without --no-repair")


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
        yield Finding(True, f"{table.num_chunks()} passages of {len(documents)} documents are undamaged")
    elif not repair:
        names = sorted((originals.get(id) or documents[id]).name for id in wanted)
        yield Finding(False, f"damaged or missing: {', '.join(names)}; run this without --no-repair")
    else:
        yield from _restore(table, embedder, [originals[id] for id in wanted & originals.keys() - broken])
        for id in sorted(wanted - originals.keys()):
            yield Finding(False, f"{documents[id].name} is damaged and its file was not kept; add it again")


def _restore(table: ChunkTable, embedder: Embedder, originals: list[Original]) -> Iterator[Finding]:
    """Read documents again from their kept files; those that fail stay in the table as they are."""
    kept = Originals(table.home)
    files = [source_of(original, kept) for original in originals]
    with table.writing():
        for result in Ingest(table, embedder, read_limits(), again=True).store(files):
            if result.status in ("failed", "skipped"):
                yield Finding(False, f"{result.name} could not be read again: {result.reason}")
            else:
                yield Finding(True, f"{result.name} was damaged or missing and has been read again from its kept file")


def _is_stored(original: Original, document: StoredDocument | None) -> bool:
    """Return whether the table has the version of the kept file; an older manifest may have an older one."""
    return document is not None and (original.sha256, original.source) == (document.sha256, document.source)


def _remove_again(home: Path, embedder: Embedder) -> None:
    """Remove documents that an older manifest brought back: they have no kept file, though others do."""
    kept = {original.id for original in Originals(home)}
    with suppress(TableError):  # reported when the documents are checked
        table = ChunkTable(home, embedder)
        with table.writing():
            table.remove([document.id for document in table.documents() if kept and document.id not in kept])


def _put_aside_manifests(home: Path) -> int:
    """Move the newest manifests away until the table opens at an older version; returns their number."""
    damaged, manifests = _damaged_folder(home), _manifests(home)
    for count, manifest in enumerate(manifests, 1):
        manifest.replace(damaged / manifest.name)
        try:
            read_identity(home)
        except TableError:
            continue
        return count
    return len(manifests)


def _put_aside_older_manifests(home: Path) -> int:
    """Move all manifests but the newest away: only going back needs them; returns their number."""
    damaged, (_, *older) = _damaged_folder(home), _manifests(home)
    for manifest in older:
        manifest.replace(damaged / manifest.name)
    return len(older)


def _manifests(home: Path) -> list[Path]:
    """Return the manifests of the table, newest first."""
    versions = home / "table" / f"{current_name(home)}.lance" / "_versions"
    return sorted(versions.glob("[0-9]*.manifest"), key=_version_of, reverse=True)


def _version_of(manifest: Path) -> int:
    """Return the version that a manifest is named after; Lance counts down from the largest 64-bit number."""
    number = int(manifest.stem)
    return number if number < 2**63 else 2**64 - 1 - number


def _damaged_folder(home: Path) -> Path:
    folder = home / "damaged"
    folder.mkdir(exist_ok=True)
    return folder
