from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.evaluation import Benchmark, EvaluationReport, Result, evaluate, read_benchmark
from app.evaluation.benchmark import BenchmarkError
from app.evaluation.report import benchmark_table
from app.rerank import Reranker
from ingest.chunk import DEFAULT_POLICY
from ingest.embed import Vectors
from tests.app.builders import write_benchmark
from tests.conftest import DOCUMENTS, FakeEmbedder, FakeReranker

CORPUS = [{"_id": name, "title": name, "text": text} for name, text in DOCUMENTS.items()]
QUESTIONS = {
    "leave": ("how many days of leave a year", "handbook/leave.md", "30 days of leave"),
    "parents": ("parental leave before the birth", "handbook/leave.md", "eight weeks before the birth"),
    "hotel": ("what may a hotel cost a night", "handbook/travel.md", "A hotel may cost 150 euros"),
    "vpn": ("when the tunnel fails", "it/vpn.md", "Call extension 4400"),
}


class CountingEmbedder(FakeEmbedder):
    def __init__(self) -> None:
        self.passages = 0
        self.queries: list[str] = []

    def embed(self, texts: list[str]) -> Vectors:
        self.passages += len(texts)
        return super().embed(texts)

    def embed_query(self, text: str) -> Vectors:
        self.queries.append(text)
        return np.asarray(super().embed([text])[0], np.float32)


@pytest.fixture
def by_document(tmp_path: Path) -> Benchmark:
    """The tiny documents; for each question one document is relevant."""
    queries = [{"_id": id, "text": question} for id, (question, _, _) in QUESTIONS.items()]
    qrels = [(id, document, 1) for id, (_, document, _) in QUESTIONS.items()]
    return read_benchmark(write_benchmark(tmp_path / "by document", CORPUS, queries, qrels))


@pytest.fixture
def by_passage(tmp_path: Path) -> Benchmark:
    """The same, judged by the passage that holds the quoted words."""
    queries = [
        {"_id": id, "text": question, "metadata": {"evidence": [{"document": document, "quote": quote}]}}
        for id, (question, document, quote) in QUESTIONS.items()
    ]
    qrels = [(id, document, 1) for id, (_, document, _) in QUESTIONS.items()]
    return read_benchmark(write_benchmark(tmp_path / "by passage", CORPUS, queries, qrels))


def means(result: Result) -> dict[str, float]:
    return {name: value.mean for name, value in result.metrics.items()}


def report_of(
    benchmark: Benchmark, home: Path, embedder: FakeEmbedder, **rerankers: Reranker | None
) -> EvaluationReport:
    return evaluate(benchmark, home, embedder, rerankers)


def test_no_order_of_the_candidates_is_better_than_the_oracle(
    by_passage: Benchmark, home: Path, embedder: FakeEmbedder
) -> None:
    rerankers = {"none": None, "bad": FakeReranker({"leave": 1.0}), "worse": FakeReranker({"e": 1.0, "VPN": 2.0})}
    report = evaluate(by_passage, home, embedder, rerankers, ["vector", "text", "hybrid"])
    assert [(result.retriever, result.reranker) for result in report.results] == [
        (retriever, reranker) for retriever in ("vector", "text", "hybrid") for reranker in ("none", "bad", "worse")
    ]
    for result in report.results:
        assert list(result.oracle) == list(result.metrics)
        assert all(result.oracle[name] >= mean for name, mean in means(result).items())
    oracles = {result.retriever: result.oracle for result in report.results}
    assert all(result.oracle == oracles[result.retriever] for result in report.results)  # the candidates are the same
    assert means(report.results[-1])["MRR@10"] < report.results[-1].oracle["MRR@10"]


def test_a_perfect_order_reaches_the_oracle(by_passage: Benchmark, home: Path, embedder: FakeEmbedder) -> None:
    class Judge(FakeReranker):
        def score(self, query: str, passages: object) -> list[float]:
            quote = next(quote for question, _, quote in QUESTIONS.values() if question == query)
            return [float(quote in passage) for passage in passages]  # type: ignore[attr-defined]

    (result,) = report_of(by_passage, home, embedder, judge=Judge()).results
    assert means(result) == result.oracle
    assert result.oracle == dict.fromkeys(result.oracle, 1.0)


def test_the_judged_passage_counts_and_not_its_neighbour(
    by_passage: Benchmark, by_document: Benchmark, home: Path, embedder: FakeEmbedder
) -> None:
    neighbour = FakeReranker({"Everybody": 5.0})  # the right document for 'parents', but its other passage
    (passages,) = report_of(by_passage, home, embedder, neighbour=neighbour).results
    (documents,) = report_of(by_document, home, embedder, neighbour=neighbour).results
    # Passages: right for 'leave', one place lost for the other three. Documents: right for 'parents' too.
    assert means(documents)["MRR@10"] > means(passages)["MRR@10"]


def test_a_document_stands_where_its_best_chunk_is(by_document: Benchmark, home: Path, embedder: FakeEmbedder) -> None:
    # leave.md, travel.md, leave.md again, vpn.md: the second passage of leave.md neither counts nor takes a place.
    order = FakeReranker({"Annual leave": 3.0, "Trains": 2.0, "Parental leave": 1.0})
    (result,) = report_of(by_document, home, embedder, order=order).results
    assert means(result)["MRR@10"] == pytest.approx((1 + 1 + 1 / 2 + 1 / 3) / 4)


def test_none_is_the_order_of_search_and_each_reranker_sees_the_same_candidates(
    by_document: Benchmark, home: Path
) -> None:
    embedder = CountingEmbedder()
    first, second = FakeReranker(), FakeReranker({"leave": 1.0})
    report = report_of(by_document, home, embedder, none=None, first=first, second=second)
    assert first.calls == second.calls
    assert [query for query, _ in first.calls] == [question for question, _, _ in QUESTIONS.values()]
    assert embedder.queries == [question for question, _, _ in QUESTIONS.values()]  # searched once
    same = report.results[0]
    assert means(same) == means(report.results[1])  # no passage holds 'gold', and ties keep the order of search


def test_the_report_says_what_was_measured(by_passage: Benchmark, home: Path, embedder: FakeEmbedder) -> None:
    report = evaluate(by_passage, home, embedder, {"none": None}, num_candidates=3)
    assert (report.benchmark, report.judged) == ("by passage", "passages")
    assert (report.num_queries, report.num_documents, report.num_candidates) == (4, 3, 3)
    assert (
        report.num_chunks
        == benchmark_table(by_passage, home, embedder, DEFAULT_POLICY, lambda items, _: items).num_chunks()
    )
    assert (report.embedder, report.chunking, report.fingerprint) == (
        "fake",
        DEFAULT_POLICY.name,
        by_passage.fingerprint,
    )


def test_documents_are_judged_where_there_is_no_evidence(
    by_document: Benchmark, home: Path, embedder: FakeEmbedder
) -> None:
    report = report_of(by_document, home, embedder, none=None)
    assert report.judged == "documents"
    assert means(report.results[0])["hit rate@5"] == 1


def test_latency_is_given_by_stage(by_document: Benchmark, home: Path, embedder: FakeEmbedder) -> None:
    (result,) = report_of(by_document, home, embedder, fake=FakeReranker()).results
    assert list(result.latency_ms) == ["search", "rerank"]
    assert all(0 < latency.p50 <= latency.p95 for latency in result.latency_ms.values())


def test_the_table_is_built_once(by_document: Benchmark, home: Path) -> None:
    embedder = CountingEmbedder()
    labels: list[str] = []

    def track(items: Iterable[str], label: str) -> Iterable[str]:
        labels.append(label)
        return items

    first = evaluate(by_document, home, embedder, {"none": None}, track=track)
    embedded = embedder.passages
    second = evaluate(by_document, home, embedder, {"none": None}, track=track)
    assert embedded == embedder.passages > 0
    assert labels == [
        "embed (heading-sentence/2)",
        "search (hybrid)",
        "rerank (hybrid, none)",
        "search (hybrid)",
        "rerank (hybrid, none)",
    ]
    assert means(first.results[0]) == means(second.results[0])


def test_another_corpus_gets_a_table_of_its_own(by_document: Benchmark, home: Path, embedder: FakeEmbedder) -> None:
    report_of(by_document, home, embedder, none=None)
    smaller = replace(by_document, documents=by_document.documents[:1], fingerprint="other")
    assert (
        report_of(smaller, home, embedder, none=None).num_chunks
        < report_of(by_document, home, embedder, none=None).num_chunks
    )
    assert len(list((home / "evaluation").iterdir())) == 2


def test_a_table_that_was_not_finished_is_built_again(by_document: Benchmark, home: Path) -> None:
    whole = report_of(by_document, home, FakeEmbedder(), none=None)
    (folder,) = (home / "evaluation").iterdir()
    folder.rename(folder.parent / ".unfinished-1")
    again = report_of(by_document, home, FakeEmbedder(), none=None)
    assert again.num_chunks == whole.num_chunks
    assert folder.is_dir()


def test_the_table_of_a_benchmark_stays_out_of_the_documents_of_the_home(
    by_document: Benchmark, home: Path, embedder: FakeEmbedder
) -> None:
    report_of(by_document, home, embedder, none=None)
    assert not (home / "table").exists()


def test_evidence_that_is_not_in_its_document_is_an_error(
    by_passage: Benchmark, home: Path, embedder: FakeEmbedder
) -> None:
    moved = replace(by_passage.evidence["hotel"][0], document="it/vpn.md")
    wrong = replace(by_passage, evidence={**by_passage.evidence, "hotel": (moved,)})
    with pytest.raises(BenchmarkError, match=r"it/vpn\.md does not hold the quoted evidence: 'A hotel may cost"):
        report_of(wrong, home, embedder, none=None)


def test_evidence_of_a_document_that_is_not_in_the_corpus_is_an_error(
    by_passage: Benchmark, home: Path, embedder: FakeEmbedder
) -> None:
    unknown = replace(by_passage.evidence["hotel"][0], document="gone.md")
    wrong = replace(by_passage, evidence={**by_passage.evidence, "hotel": (unknown,)})
    with pytest.raises(BenchmarkError, match=r"gone\.md"):
        report_of(wrong, home, embedder, none=None)
