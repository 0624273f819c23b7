"""The pictures of documents, kept beside their files, with captions and descriptions.

They lie in `originals/<document id>/<sha256 of the file>.figures/`, each under its own digest, with a record. So they
go into backups, and away with their document.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ingest.chunk import Chunk
from ingest.home.folder import write_whole
from ingest.originals import FIGURES, HasFile, OriginalError
from ingest.parse import Box, Document, Figure
from ingest.parse.figures import label_of, labels
from ingest.table import ChunkTable

_RECORD = "figures.json"


@dataclass(frozen=True, slots=True)
class KeptFigure:
    """A kept picture: its digest, and the fields of a Figure."""

    picture: str
    caption: str
    page: int | None
    position: int
    address: str = ""
    box: Box | None = None
    description: str = ""
    described_by: str = ""


@dataclass(frozen=True, slots=True)
class _Record:
    figures: tuple[KeptFigure, ...] = ()
    num_left_out: int = 0


_RECORD_TYPE = TypeAdapter(_Record)


class Figures:
    """The kept pictures of one home folder."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "originals"

    def of(self, document: HasFile) -> tuple[KeptFigure, ...]:
        """Return the pictures of this version of a document, in reading order; none if it was read before they were."""
        return _read(self._of(document)).figures

    def num_left_out(self, document: HasFile) -> int:
        """Return how many small and repeated pictures were left out."""
        return _read(self._of(document)).num_left_out

    def path(self, document: HasFile, picture: str) -> Path:
        """Return the file of a picture. picture: its digest, as in KeptFigure and Chunk."""
        return self._of(document) / picture

    def lack_descriptions(self, document: HasFile) -> bool:
        """Return whether a vision model has not described a picture yet."""
        return any(not figure.described_by for figure in self.of(document))

    def shown_with(self, chunk: Chunk, table: ChunkTable) -> list[tuple[KeptFigure, Path]]:
        """Return the pictures to show with a chunk of the current documents, and their files; the best first."""
        document = table.document(chunk.document_id)
        near = with_chunk(self.of(document), chunk) if document else []
        if not (document and near and table.find_ids([chunk.id])):  # it may be of an older version
            return []
        paths = ((figure, self.path(document, figure.picture)) for figure in near)
        return [(figure, path) for figure, path in paths if path.is_file()]

    def keep(self, document: Document) -> None:
        """Write a document's pictures; older versions' stay until `Originals.keep_only`. Raises OriginalError."""
        if not (document.figures or document.num_figures_left_out):
            return
        folder = self._of(document)
        kept = tuple(
            KeptFigure(picture=figure.digest, **{name: getattr(figure, name) for name in _SHARED})
            for figure in document.figures
        )
        record = _RECORD_TYPE.dump_json(_Record(kept, document.num_figures_left_out))
        try:
            for figure in document.figures:
                if not (folder / figure.digest).exists():
                    write_whole(folder / figure.digest, figure.picture)
            write_whole(folder / _RECORD, record)
        except OSError as error:
            raise OriginalError(
                f"cannot keep the pictures in {folder}: {error.strerror or error}; check free space and permissions, "
                "then try again"
            ) from error

    def with_earlier(self, document: Document) -> Document:
        """Return the document with what is known of its pictures from before.

        A description stays with its picture, and a file that lay beside the document with its address: the kept copy
        of the document is read again without it. Pictures that are nowhere are left out.
        """
        if not document.figures:
            return document
        known = list(self._versions(document.id))
        described = {figure.picture: figure for _, figure in known if figure.described_by}
        files = {figure.address: path for path, figure in known if figure.address}
        figures = []
        for figure in document.figures:
            picture = figure.picture or read_picture(files.get(figure.address))
            if picture:
                found = replace(figure, picture=picture)
                if before := described.get(found.digest):
                    found = replace(found, description=before.description, described_by=before.described_by)
                figures.append(found)
        return replace(document, figures=tuple(figures))

    def _versions(self, document_id: str) -> Iterator[tuple[Path, KeptFigure]]:
        for folder in (self._folder / document_id).glob(f"*{FIGURES}"):
            yield from ((folder / figure.picture, figure) for figure in _read(folder).figures)

    def _of(self, document: HasFile) -> Path:
        return self._folder / document.id / f"{document.sha256}{FIGURES}"


def with_chunk(figures: Sequence[KeptFigure], chunk: Chunk) -> list[KeptFigure]:
    """Return the figures to show with a chunk: the one that it describes; else those that it names, then those on its
    page, or without pages within its text, the nearest first.
    """
    if chunk.picture:
        return [figure for figure in figures if figure.picture == chunk.picture][:1]
    named = labels(chunk.text)
    pages = {chunk.page, *(box.page for box in chunk.boxes)}

    def order(figure: KeptFigure) -> tuple[bool, int]:
        return label_of(figure.caption) not in named, max(chunk.start - figure.position, figure.position - chunk.end, 0)

    def is_here(figure: KeptFigure) -> bool:
        return figure.page in pages if figure.page else chunk.start <= figure.position <= chunk.end

    shown = (figure for figure in figures if label_of(figure.caption) in named or is_here(figure))
    return sorted(shown, key=order)


_SHARED = [field.name for field in fields(Figure) if field.name != "picture"]


def read_picture(path: Path | None) -> bytes:
    """Return the bytes of a kept picture, b'' if its document was removed or changed meanwhile."""
    try:
        return path.read_bytes() if path else b""
    except OSError:
        return b""


def _read(folder: Path) -> _Record:
    """Return the record of a folder, an empty one if it is missing or damaged."""
    try:
        return _RECORD_TYPE.validate_json((folder / _RECORD).read_bytes())
    except (OSError, ValidationError):
        return _Record()
