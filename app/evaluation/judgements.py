"""a CSV of your own judged questions -> JudgedTable on the ingested documents.

Columns `question, document, quote`; the quote is the words of the document that answer the question. A question may
have several rows. Unusable rows are left out and reported with the reason.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from app.evaluation.beir_files import BenchmarkError
from app.evaluation.benchmark import Evidence, Qrels, resolve_evidence
from app.evaluation.csv_rows import csv_rows
from app.evaluation.tables import JudgedTable
from ingest.chunk import Chunk
from ingest.listing import StoredDocument
from ingest.table import ChunkTable, read_identity

COLUMNS = ("question", "document", "quote")


def read_judgements(path: Path, table: ChunkTable, max_queries: int | None = None) -> JudgedTable:
    """Return the questions of the file, judged on this table's chunks; max_queries keeps only the first ones.

    Raises BenchmarkError when columns are missing, the table is empty or no row can be used.
    """
    documents = {document.name: document for document in table.documents()}
    identity = read_identity(table.home)
    if not documents or identity is None:
        raise BenchmarkError(f"there are no documents in {table.home}; add some with: citeloop ingest PATH")
    passages = _Passages(table, documents)
    relevant: dict[str, dict[str, int]] = {}
    left_out = []
    for number, row in csv_rows(path, _read(path), COLUMNS):
        try:
            if not row["question"]:
                raise BenchmarkError("the question is empty")
            chunk_id = passages.find(row["document"], row["quote"])
            relevant.setdefault(row["question"], {})[chunk_id] = 1
        except BenchmarkError as error:
            left_out.append(f"row {number}: {error}")
    if not relevant:
        raise BenchmarkError(f"no row of {path} can be used; {'; '.join(left_out[:5]) or 'it has no rows'}")
    kept = list(relevant.items())[:max_queries]
    qrels: Qrels = {str(number): chunks for number, (_, chunks) in enumerate(kept, 1)}
    return JudgedTable(
        name=path.stem,
        table=table,
        judged="passages",
        queries={str(number): question for number, (question, _) in enumerate(kept, 1)},
        qrels=qrels,
        num_documents=len(documents),
        chunking=identity.chunking,
        fingerprint=_fingerprint(documents.values()),
        left_out=tuple(left_out),
    )


class _Passages:
    """Finds quotes in the chunks of the table's documents; each document is read once."""

    def __init__(self, table: ChunkTable, documents: dict[str, StoredDocument]) -> None:
        self._table = table
        self._documents = documents
        self._read: dict[str, tuple[list[Chunk], str]] = {}

    def find(self, name: str, quote: str) -> str:
        """Return the id of the chunk with the quote. Raises BenchmarkError."""
        if name not in self._documents:
            raise BenchmarkError(f"there is no document {name!r}; {self._close_names(name)}")
        if name not in self._read:
            chunks = self._table.chunks_of(self._documents[name].id)
            self._read[name] = chunks, text_of(chunks)
        return resolve_evidence(Evidence(name, quote), *self._read[name]).id

    def _close_names(self, name: str) -> str:
        """Suggest similar names, in any folder, or else the first names."""
        stems = [PurePosixPath(known).stem.lower() for known in self._documents]
        similar = set(difflib.get_close_matches(PurePosixPath(name).stem.lower(), stems, n=3))
        if close := [known for known, stem in zip(self._documents, stems, strict=True) if stem in similar]:
            return f"close to it: {', '.join(close[:3])}"
        return f"the documents are {', '.join(sorted(self._documents)[:3])} and so on"


def text_of(chunks: Sequence[Chunk]) -> str:
    """Return a document's text rebuilt from its chunks, each at its position, with spaces between.

    A quote is thus found in the searched text, even if the parser has changed since.
    """
    text = [" "] * max((chunk.end for chunk in chunks), default=0)
    for chunk in chunks:
        length = chunk.end - chunk.start
        text[chunk.start : chunk.end] = chunk.text[len(chunk.text) - length :]  # without a repeated table header
    return "".join(text)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BenchmarkError(f"{path} is not UTF-8; save it as CSV UTF-8 ({error})") from error


def _fingerprint(documents: Iterable[StoredDocument]) -> str:
    lines = sorted(f"{document.id} {document.sha256}" for document in documents)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
