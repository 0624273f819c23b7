"""Chunks, candidates and answers made by hand, for the tests of `app`."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from app.answer import Answer, cite
from app.registry import Registry
from app.reranking.rerank import rerank
from app.search.search import Candidate
from ingest.chunk import Chunk
from tests.conftest import FakeEmbedder

ANSWER_RECORD = [
    "question",
    "answer",
    "answered_by",
    "found",
    "complete",
    "stopped",
    "struck_out",
    "query",
    "corrected_from",
    "within",
    "num_dropped_citations",
    "sentences",
    "note",
    "ignores_votes",
    "said_unanswered",
    "statement",
    "citations",
    "ranking",
    "reranker",
    "reranker_version",
    "embedder",
    "timings_ms",
]
CITATION_RECORD = [
    "number",
    "chunk_id",
    "document",
    "title",
    "heading",
    "page",
    "used",
    "also_in",
    "superseded_by",
    "text",
    "described_by",
]
"""Names of an answer's record and of its citations, in order: people's scripts rely on them."""


class WordScorer:
    """Finds sentences by the words that they share with the question: the cosine of the fake embedder."""

    name = "words"
    blend = None

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        return self.similarities(query, passages)

    def similarities(self, text: str, texts: Sequence[str]) -> list[float]:
        embedder = FakeEmbedder()
        return [float(score) for score in embedder.embed(list(texts)) @ embedder.embed_query(text)]


def make_chunk(
    text: str = "Some text.",
    *,
    document: str = "guide.md",
    title: str = "Guide",
    headings: tuple[str, ...] = (),
    page: int | None = None,
    start: int = 0,
) -> Chunk:
    return Chunk(
        id=f"{zlib.crc32(f'{document} {text}'.encode()):016x}",
        document_id=f"{zlib.crc32(document.encode()):016x}",
        document=document,
        title=title,
        headings=headings,
        text=text,
        page=page,
        start=start,
        end=start + len(text),
    )


def make_candidate(
    text: str, fused_rank: int, *, vector_score: float | None = None, text_score: float | None = None
) -> Candidate:
    return Candidate(
        make_chunk(text),
        fused_rank,
        1 / (60 + fused_rank),
        vector_rank=None if vector_score is None else fused_rank,
        vector_score=vector_score,
        text_rank=None if text_score is None else fused_rank,
        text_score=text_score,
    )


def make_candidates(*texts: str) -> list[Candidate]:
    return [make_candidate(text, rank, vector_score=1 / rank) for rank, text in enumerate(texts, 1)]


def make_answer(
    text: str = "Thirty days [1].", passages: Sequence[str] = ("Thirty days.", "Trains first."), num_citations: int = 5
) -> Answer:
    ranking = rerank("q", make_candidates(*passages), None)
    return Answer(
        question="How many days?",
        text=text,
        answered_by="extractive",
        citations=cite(ranking, num_citations),
        ranking=tuple(ranking),
        reranker="none",
        timings_ms={"search": 1.5, "rerank": 0.1},
    )


def make_earlier(home: Path, version: int, *without: str) -> None:
    """Turn what people made into the feedback database of an earlier version. version: 0 for users that are cookies."""
    tables = ("answers", "titles", "removed", "shares", "events", "judgements", "statements", "ignored_users")
    with closing(sqlite3.connect(home / "feedback.sqlite3")) as connection, connection:
        connection.execute("ATTACH ? AS today", (str(home / "citeloop.sqlite3"),))
        for table in (table for table in tables if table not in without):
            connection.execute(f"CREATE TABLE {table} AS SELECT * FROM today.{table}")
        connection.execute(f"PRAGMA user_version = {version}")
    for path in home.glob("citeloop.sqlite3*"):
        path.unlink()


def write_model(folder: Path, weights: str = "weights") -> Path:
    """A folder with the files of a model, which nothing could load."""
    (folder / "1_Dense").mkdir(parents=True)
    for name in ("model.safetensors", "blend.json", "tokenizer.json", "1_Dense/model.safetensors", "README.md"):
        (folder / name).write_text(f"{weights} in {name}")
    return folder


def add_model(home: Path, weights: str = "weights", kind: str = "late-interaction", job_id: str = "") -> str:
    """Register such a model; returns its name."""
    registry = Registry(home)
    with registry.unfinished() as folder:
        folder.rmdir()
        return registry.add(write_model(folder, weights), kind=kind, base="the shipped one", job_id=job_id).name


def write_benchmark(
    folder: Path,
    corpus: Iterable[Mapping[str, Any]],
    queries: Iterable[Mapping[str, Any]],
    qrels: Iterable[tuple[str, str, int]],
) -> Path:
    """A folder in BEIR layout with plain files."""
    folder.mkdir(exist_ok=True)
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in corpus))
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    lines = "".join(f"{query_id}\t{document}\t{relevance}\n" for query_id, document, relevance in qrels)
    (folder / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\n{lines}")
    return folder
