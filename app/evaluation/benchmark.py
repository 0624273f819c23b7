"""a BEIR folder -> Benchmark: documents, queries, and judgements of documents or passages.

The layout of BEIR (Thakur et al., 2021): `corpus.jsonl` with `_id, title, text`, `queries.jsonl` with `_id, text`, and
`qrels.tsv` or `qrels/test.tsv` with the first line `query-id, corpus-id, score`; the first two may be gzipped. A query
with `evidence` in its `metadata`, a list of `{document, quote}`, is judged by passage: chunk ids change with the
chunking rules, quotes do not. An empty list means that the documents do not answer it. A document is chunked along
the `headings` in its `metadata`, or else along the Markdown headings of its text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from app.evaluation.beir_files import (
    CORPUS,
    QRELS,
    QUERIES,
    BenchmarkError,
    Row,
    find_file,
    read_pairs,
    read_rows,
    rows_by_id,
)
from app.search.fusion import UNSPACED_WORD
from ingest.chunk import Chunk
from ingest.parse import Document, Heading, parse_text

Qrels = dict[str, dict[str, int]]
"""Query id -> document or chunk id -> relevance, as in TREC."""
Run = dict[str, dict[str, float]]
"""Query id -> document or chunk id -> score, as in TREC."""

_NUM_NAMED = 5


@dataclass(frozen=True, slots=True)
class Evidence:
    """Words of a document that answer a query; punctuation and white space are ignored."""

    document: str
    quote: str


@dataclass(frozen=True, slots=True)
class Benchmark:
    """queries: id -> text, only judged ones. qrels: by document name. evidence: by query, if given.

    fingerprint: hex digest of the corpus, which names its table. unanswerable: queries that the documents do not
    answer. left_out: judgements that match nothing, a line each.
    """

    name: str
    documents: tuple[Document, ...]
    queries: Mapping[str, str]
    qrels: Qrels
    evidence: Mapping[str, tuple[Evidence, ...]]
    fingerprint: str
    unanswerable: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    @property
    def judges_passages(self) -> bool:
        """Return whether every query is judged by quoted passages; else documents are judged."""
        return all(self.evidence.get(query_id) for query_id in self.queries)


_EVIDENCE = TypeAdapter(tuple[Evidence, ...])
_HEADINGS = TypeAdapter(tuple[Heading, ...])


@dataclass(frozen=True, slots=True)
class Score:
    """One judgement with its texts. place: file and line. document: the row of the corpus."""

    place: str
    query: str
    document: Mapping[str, Any]
    relevance: int


def read_benchmark(folder: Path, max_queries: int | None = None) -> Benchmark:
    """Read a BEIR folder; max_queries keeps only the first judged queries of the file.

    Raises BenchmarkError, also when no judged document exists.
    """
    corpus_path, queries_path, qrels_path = (find_file(folder, *names) for names in (CORPUS, QUERIES, QRELS))
    judged, contradicted = _read_judged(qrels_path)
    qrels = _relevant(judged)
    rows = list(read_rows(queries_path))
    kept = [row for row in rows if row.id in qrels and row.text.strip()][:max_queries]
    if not kept:
        raise BenchmarkError(
            f"no query of {queries_path} is judged in {qrels_path}: expected a score above 0 for one of "
            f"{_listed([row.id for row in rows])}; found only for {_listed(list(qrels)) or 'none'}"
        )
    evidence = {row.id: row.metadata("evidence", _EVIDENCE) for row in rows}
    documents = tuple(_document(row) for row in read_rows(corpus_path))
    benchmark = Benchmark(
        name=folder.resolve().name,
        documents=documents,
        queries={row.id: row.text for row in kept},
        qrels={row.id: qrels[row.id] for row in kept},
        evidence={row.id: evidence[row.id] or () for row in kept},
        fingerprint=hashlib.sha256(corpus_path.read_bytes()).hexdigest(),
        unanswerable={row.id: row.text for row in rows if evidence[row.id] == ()},
    )
    unknown = [query_id for query_id in qrels if query_id not in evidence]
    judged_ids = {query_id for query_id, _ in judged}
    irrelevant = [row.id for row in rows if row.id in judged_ids - qrels.keys() and evidence[row.id] != ()]
    empty = [row.id for row in rows if row.id in qrels and not row.text.strip()]
    without_text = [document.name for document in documents if not document.text.strip()]
    left_out = [
        *_named(unknown, "judged query is", "judged queries are", f"not in {queries_path.name}"),
        *_named(irrelevant, "judged query has", "judged queries have", "no document with a score above 0"),
        *_named(contradicted, "pair has", "pairs have", "two different scores, so the last line counts"),
        *_named(empty, "judged query has", "judged queries have", "no text"),
        *_named(without_text, "document has", "documents have", "no text"),
    ]
    return replace(benchmark, left_out=(*left_out, *_not_judged(benchmark, corpus_path)))


def _document(row: Row) -> Document:
    return parse_text(row.text, name=row.id, title=row.title, headings=row.metadata("headings", _HEADINGS))


def _read_judged(path: Path) -> tuple[dict[tuple[str, str], int], list[str]]:
    """Return the relevance of each pair of query and document, by its last line, and the pairs whose lines differ."""
    judged: dict[tuple[str, str], int] = {}
    contradicted: dict[str, None] = {}
    for _, query_id, document, relevance in read_pairs(path):
        if judged.get((query_id, document), relevance) != relevance:
            contradicted[f"{query_id} {document}"] = None
        judged[query_id, document] = relevance
    return judged, list(contradicted)


def _relevant(judged: Mapping[tuple[str, str], int]) -> Qrels:
    """Return the documents with a relevance above 0, for each query that has one."""
    qrels: Qrels = {}
    for (query_id, document), relevance in judged.items():
        if relevance > 0:
            qrels.setdefault(query_id, {})[document] = relevance
    return qrels


def _not_judged(benchmark: Benchmark, corpus_path: Path) -> list[str]:
    """Return why judgements cannot be used, a line each.

    Raises BenchmarkError when no judged document is in the corpus.
    """
    if benchmark.judges_passages:
        return []
    known = {document.name for document in benchmark.documents}
    judged = dict.fromkeys(document for relevant in benchmark.qrels.values() for document in relevant)
    missing = [document for document in judged if document not in known]
    if len(missing) == len(judged):
        raise BenchmarkError(
            f"no judged document is in {corpus_path}: expected its _id as corpus-id, got {_listed(missing)}"
        )
    quoted = any(benchmark.evidence.values())
    unquoted = [query_id for query_id in benchmark.queries if quoted and not benchmark.evidence[query_id]]
    return [
        *_named(missing, "judged document is", "judged documents are", "not in the corpus, counted as not found"),
        *_named(unquoted, "question has", "questions have", "no evidence, so all are judged by document"),
    ]


def _named(names: Sequence[str], one: str, many: str, what: str) -> list[str]:
    """Return a line about these names, or none without names."""
    return [f"{len(names)} {one if len(names) == 1 else many} {what}: {_listed(names)}"] if names else []


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_NUM_NAMED]) + (" ..." if len(names) > _NUM_NAMED else "")


def read_scores(folder: Path) -> Iterator[Score]:
    """Yield all judgements of a BEIR folder with their texts, in order, including score 0.

    Score 0 means not relevant; a Benchmark does not use it. Raises BenchmarkError.
    """
    pairs = list(read_pairs(find_file(folder, *QRELS)))
    queries = rows_by_id(find_file(folder, *QUERIES), {pair.query_id for pair in pairs})
    documents = rows_by_id(find_file(folder, *CORPUS), {pair.document for pair in pairs})
    for place, query_id, document, relevance in pairs:
        if query_id not in queries or document not in documents:
            missing = f"query {query_id!r}" if query_id not in queries else f"document {document!r}"
            raise BenchmarkError(f"{place}: there is no {missing}")
        yield Score(place, queries[query_id].text, documents[document].fields, relevance)


def write_corpus(documents: Iterable[Document], path: Path) -> None:
    """Write documents as a BEIR corpus; read_benchmark restores them."""
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
    """Return the chunk with most of the quoted words; of equals, the first.

    chunks: all of the document; text: the document's. Raises BenchmarkError when the quote is not found.
    """
    quoted = [match[0].lower() for match in UNSPACED_WORD.finditer(evidence.quote)]
    found = list(UNSPACED_WORD.finditer(text))
    words = [match[0].lower() for match in found]
    first = find_words(quoted, words) if quoted and chunks else None
    if first is not None:
        start, end = found[first].start(), found[first + len(quoted) - 1].end()
        return max(chunks, key=lambda chunk: min(end, chunk.end) - max(start, chunk.start))
    raise BenchmarkError(f"{evidence.document} does not contain the quoted evidence: {evidence.quote!r}")


def find_words(wanted: list[str], words: list[str]) -> int | None:
    """Return the index in a text's words where the wanted words follow each other, or None."""
    starts = range(len(words) - len(wanted) + 1)
    return next((start for start in starts if words[start : start + len(wanted)] == wanted), None)
