"""a BEIR folder -> Benchmark: documents, queries, and judgements of documents or of passages.

The layout of BEIR (Thakur et al., 2021): `corpus.jsonl` with `_id, title, text`, `queries.jsonl` with
`_id, text`, and `qrels.tsv` or `qrels/test.tsv` with `query-id, corpus-id, score`; the first two may be
gzipped. A query whose `metadata` holds `evidence`, a list of `{document, quote}`, is judged by passage:
quotes outlive chunk ids, which change when the rules of chunking do; an empty list says that the documents do not
answer it. A document whose `metadata` holds
`headings` is chunked along these, another along the headings of its text as Markdown.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ingest import CiteloopError
from ingest.chunk import Chunk
from ingest.parse import Document, Heading, parse_text

Qrels = dict[str, dict[str, int]]
"""Query id -> document or chunk id -> relevance, as in TREC."""
Run = dict[str, dict[str, float]]
"""Query id -> document or chunk id -> score, as in TREC."""


_WORD = re.compile(r"[^\W_]+")


class BenchmarkError(CiteloopError):
    """The folder is not in BEIR layout; the message says which file or line is wrong."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Words of a document that answer a query; words are compared, so marks and spaces do not matter."""

    document: str
    quote: str


@dataclass(frozen=True, slots=True)
class Benchmark:
    """queries: id -> text, of judged queries only. qrels: by document name. evidence: by query, where given.

    fingerprint: hex digest of the corpus, which names the table that is built for it. unanswerable: queries that
    the documents do not answer.
    """

    name: str
    documents: tuple[Document, ...]
    queries: Mapping[str, str]
    qrels: Qrels
    evidence: Mapping[str, tuple[Evidence, ...]]
    fingerprint: str
    unanswerable: Mapping[str, str] = field(default_factory=dict)

    @property
    def judges_passages(self) -> bool:
        """Whether every query is judged by quoted passages; if not, documents are judged."""
        return all(self.evidence.get(query_id) for query_id in self.queries)


@dataclass(frozen=True, slots=True)
class Score:
    """One judgement with its texts. place: its file and line. document: the row of the corpus."""

    place: str
    query: str
    document: Mapping[str, Any]
    relevance: int


def read_benchmark(folder: Path, max_queries: int | None = None) -> Benchmark:
    """Read a BEIR folder; max_queries keeps the first so many judged queries in order of the file.

    Raises BenchmarkError.
    """
    corpus_path = _find(folder, "corpus.jsonl", "corpus.jsonl.gz")
    queries_path = _find(folder, "queries.jsonl", "queries.jsonl.gz")
    qrels_path = _find(folder, "qrels.tsv", "qrels/test.tsv", "qrels_test.tsv")
    qrels = _read_qrels(qrels_path)
    queries = list(_read_jsonl(queries_path, "text"))
    rows = [row for row in queries if row["_id"] in qrels][:max_queries]
    if not rows:
        raise BenchmarkError(f"no query of {queries_path} is judged in {qrels_path}")
    evidence = {row["_id"]: _metadata(row, "evidence", _EVIDENCE, queries_path) or () for row in rows}
    documents = tuple(
        parse_text(
            row["text"],
            name=row["_id"],
            title=row.get("title") or "",
            headings=_metadata(row, "headings", _HEADINGS, corpus_path),
        )
        for row in _read_jsonl(corpus_path, "text")
    )
    return Benchmark(
        name=folder.resolve().name,
        documents=documents,
        queries={row["_id"]: row["text"] for row in rows},
        qrels={row["_id"]: qrels[row["_id"]] for row in rows},
        evidence=evidence,
        fingerprint=hashlib.sha256(corpus_path.read_bytes()).hexdigest(),
        unanswerable={
            row["_id"]: row["text"] for row in queries if _metadata(row, "evidence", _EVIDENCE, queries_path) == ()
        },
    )


def read_scores(folder: Path) -> Iterator[Score]:
    """Every judgement of a BEIR folder with its texts, in order of the file, also those of score 0.

    A benchmark has no use for these, but they say what is not relevant. Raises BenchmarkError.
    """
    qrels_path = _find(folder, "qrels.tsv", "qrels/test.tsv", "qrels_test.tsv")
    scores = list(_scores(qrels_path))
    queries = _rows_by_id(
        _find(folder, "queries.jsonl", "queries.jsonl.gz"), {query_id for _, query_id, _, _ in scores}
    )
    documents = _rows_by_id(
        _find(folder, "corpus.jsonl", "corpus.jsonl.gz"), {document for _, _, document, _ in scores}
    )
    for number, query_id, document, relevance in scores:
        place = f"{qrels_path} line {number}"
        if query_id not in queries or document not in documents:
            missing = f"query {query_id!r}" if query_id not in queries else f"document {document!r}"
            raise BenchmarkError(f"{place}: there is no {missing}")
        yield Score(place, queries[query_id]["text"], documents[document], relevance)


def write_corpus(documents: Iterable[Document], path: Path) -> None:
    """Write documents as a BEIR corpus whose rows read_benchmark turns back into the same documents."""
    rows = [
        {
            "_id": document.name,
            "title": document.title,
            "text": document.text,
            "metadata": {"headings": [asdict(heading) for heading in document.headings]},
        }
        for document in documents
    ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def resolve_evidence(evidence: Evidence, chunks: Sequence[Chunk], text: str) -> Chunk:
    """The chunk of the document that holds most of the quoted words; the first of equals.

    chunks: all of that document; text: the document's. Raises BenchmarkError when the quote is not there.
    """
    quoted = [match[0].lower() for match in _WORD.finditer(evidence.quote)]
    found = list(_WORD.finditer(text))
    words = [match[0].lower() for match in found]
    for first in range(len(words) - len(quoted) + 1 if quoted and chunks else 0):
        if words[first : first + len(quoted)] == quoted:
            start, end = found[first].start(), found[first + len(quoted) - 1].end()
            return max(chunks, key=lambda chunk: min(end, chunk.end) - max(start, chunk.start))
    raise BenchmarkError(f"{evidence.document} does not hold the quoted evidence: {evidence.quote!r}")


_EVIDENCE = TypeAdapter(tuple[Evidence, ...])
_HEADINGS = TypeAdapter(tuple[Heading, ...])

T = TypeVar("T")


def _metadata(row: Mapping[str, Any], name: str, shape: TypeAdapter[T], path: Path) -> T | None:
    """What a row's metadata holds under this name, checked; None if it is not there."""
    metadata = row.get("metadata") or {}
    if name not in metadata:
        return None
    try:
        return shape.validate_python(metadata[name])
    except ValidationError as error:
        raise BenchmarkError(f"{path}: the {name} of {row['_id']} is not as expected: {error}") from error


def _find(folder: Path, *names: str) -> Path:
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise BenchmarkError(f"{folder} is not in BEIR layout: expected {' or '.join(names)}")


def _read_jsonl(path: Path, *required: str) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise BenchmarkError(f"{path} line {number} is not JSON: {error}") from error
            if not isinstance(row, dict):
                raise BenchmarkError(f"{path} line {number} is no JSON object: {line.strip()[:80]}")
            if missing := {"_id", *required} - {name for name, value in row.items() if value is not None}:
                raise BenchmarkError(f"{path} line {number} lacks {', '.join(sorted(missing))}")
            row["_id"] = str(row["_id"])
            yield row


def _rows_by_id(path: Path, ids: Collection[str]) -> dict[str, dict[str, Any]]:
    return {row["_id"]: row for row in _read_jsonl(path, "text") if row["_id"] in ids}


def _read_qrels(path: Path) -> Qrels:
    qrels: Qrels = {}
    for _, query_id, document, relevance in _scores(path):
        if relevance > 0:
            qrels.setdefault(query_id, {})[document] = relevance
    return qrels


def _scores(path: Path) -> Iterator[tuple[int, str, str, int]]:
    """Line, query id, document and relevance of each judgement."""
    with path.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines, delimiter="\t"), 2):
            try:
                yield number, row["query-id"], row["corpus-id"], int(row["score"])
            except (KeyError, TypeError, ValueError) as error:
                raise BenchmarkError(f"{path} line {number}: expected query-id, corpus-id, score: {row}") from error
