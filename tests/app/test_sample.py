"""The shipped sample documents and their benchmark belong together and are what the README says."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from app.evaluation.benchmark import read_benchmark, resolve_evidence, write_corpus
from ingest.chunk import chunk
from ingest.files import find_files
from ingest.parse import parse

DATA = Path(__file__).resolve().parents[2] / "data"
SAMPLE = DATA / "sample"
BENCHMARK = DATA / "eval" / "sample"


@pytest.mark.slow
def test_the_corpus_is_what_parsing_the_documents_gives_today(tmp_path: Path) -> None:
    write_corpus((parse(file.path, file.name) for file in find_files([SAMPLE])), tmp_path / "corpus.jsonl")
    again = "make it again: python -m app.evaluation data/sample data/eval/sample/corpus.jsonl"
    assert (tmp_path / "corpus.jsonl").read_text() == (BENCHMARK / "corpus.jsonl").read_text(), again


def test_every_quoted_evidence_is_in_a_chunk_of_its_document() -> None:
    benchmark = read_benchmark(BENCHMARK)
    documents = {document.name: document for document in benchmark.documents}
    chunks = {name: chunk(document, lambda text: len(text.split()), 150) for name, document in documents.items()}
    for items in benchmark.evidence.values():
        for item in items:
            assert resolve_evidence(item, chunks[item.document], documents[item.document].text)


def test_the_benchmark_has_enough_questions_of_every_kind() -> None:
    rows = [json.loads(line) for line in (BENCHMARK / "queries.jsonl").read_text().splitlines()]
    kinds = Counter(row["metadata"]["kind"] for row in rows)
    assert sum(kinds.values()) - kinds["unanswerable"] >= 80
    assert kinds["unanswerable"] >= 15
    assert len({row["text"] for row in rows}) == len(rows)
    assert all(bool(row["metadata"]["evidence"]) != (row["metadata"]["kind"] == "unanswerable") for row in rows)


@pytest.mark.slow
def test_the_documents_are_of_every_format_and_long_enough() -> None:
    documents = [parse(file.path, file.name) for file in find_files([SAMPLE])]
    assert len(documents) >= 25
    assert {Path(document.name).suffix for document in documents} == {".md", ".pdf", ".html", ".docx"}
    num_pages = sum(len(d.pages) if d.pages[0].number else len(d.text.split()) / 450 for d in documents)
    assert num_pages >= 60
