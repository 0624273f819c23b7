from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from app.evaluation.beir_files import BenchmarkError
from app.evaluation.benchmark import Benchmark, Qrels, read_benchmark
from app.evaluation.changes import largest_changes
from app.evaluation.metrics import measure
from app.evaluation.report import EvaluationReport, RunOptions, evaluate_table
from app.evaluation.report_text import latency_table
from app.evaluation.results import Result, _oracle
from app.evaluation.tables import JudgedTable, benchmark_table, judged_table
from app.reranking.rerank import RankedChunk, Reranker, RerankerError, rerank
from ingest.chunk import CHUNKING
from ingest.embed.embedder import Vectors
from ingest.rows import Identity
from tests.app.builders import make_candidate, write_benchmark
from tests.conftest import DOCUMENTS, FakeEmbedder, FakeReranker

T = TypeVar("T")
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
    return evaluate_table(judged_table(benchmark, home, embedder), embedder, rerankers)


def test_no_order_of_the_candidates_is_better_than_the_oracle(
    by_passage: Benchmark, home: Path, embedder: FakeEmbedder
) -> None:
    rerankers = {"none": None, "bad": FakeReranker({"leave": 1.0}), "worse": FakeReranker({"e": 1.0, "VPN": 2.0})}
    report = evaluate_table(judged_table(by_passage, home, embedder), embedder, rerankers, ["vector", "text", "hybrid"])
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
    report = evaluate_table(judged_table(by_passage, home, embedder), embedder, {"none": None}, num_candidates=[3])
    assert (report.benchmark, report.judged) == ("by passage", "passages")
    assert (report.num_queries, report.num_documents, report.num_candidates) == (4, 3, (3,))
    assert report.num_chunks == benchmark_table(by_passage, home, embedder).num_chunks()
    assert (report.embedder, report.chunking, report.fingerprint) == (
        "fake",
        CHUNKING,
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

    def track(items: Collection[T], label: str) -> Iterable[T]:
        labels.append(label)
        return items

    judged = judged_table(by_document, home, embedder, track)
    first = evaluate_table(judged, embedder, {"none": None}, options=RunOptions(track))
    embedded = embedder.passages
    judged = judged_table(by_document, home, embedder, track)
    second = evaluate_table(judged, embedder, {"none": None}, options=RunOptions(track))
    assert embedded == embedder.passages > 0
    assert labels == [
        "embed",
        "search (hybrid, 50)",
        "rerank (hybrid, 50, none)",
        "search (hybrid, 50)",
        "rerank (hybrid, 50, none)",
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


def test_tables_that_nobody_has_used_for_a_month_are_deleted(
    by_document: Benchmark, home: Path, embedder: FakeEmbedder
) -> None:
    def home_of_table(fingerprint: str) -> Path:
        benchmark = replace(by_document, fingerprint=fingerprint)
        return benchmark_table(benchmark, home, embedder).home

    forgotten, used, lately = home_of_table("forgotten"), home_of_table("used"), home_of_table("lately")
    days = 24 * 3600
    for folder, age in ((forgotten, 31), (used, 31), (lately, 29)):
        os.utime(folder, (time.time() - age * days,) * 2)
    assert home_of_table("used") == used
    new = home_of_table("new")
    assert set((home / "evaluation").iterdir()) == {used, lately, new}


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


@pytest.mark.parametrize(
    ("document", "message"),
    [("it/vpn.md", r"it/vpn\.md does not contain the quoted evidence: 'A hotel may cost"), ("gone.md", r"gone\.md")],
)
def test_evidence_that_is_not_in_its_document_is_an_error(
    by_passage: Benchmark, home: Path, embedder: FakeEmbedder, document: str, message: str
) -> None:
    moved = replace(by_passage.evidence["hotel"][0], document=document)
    wrong = replace(by_passage, evidence={**by_passage.evidence, "hotel": (moved,)})
    with pytest.raises(BenchmarkError, match=message):
        report_of(wrong, home, embedder, none=None)


# Depths, gains, changes, runs ---------------------------------------------------------------------------


class Judge(FakeReranker):
    """Puts the passage with the right quote first."""

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        super().score(query, passages)
        quote = next(quote for question, _, quote in QUESTIONS.values() if question == query)
        return [float(quote in passage) for passage in passages]


def test_every_depth_is_searched_again_and_reranked_by_all(by_passage: Benchmark, home: Path) -> None:
    embedder, judge = CountingEmbedder(), Judge()
    judged = judged_table(by_passage, home, embedder)
    report = evaluate_table(judged, embedder, {"none": None, "judge": judge}, ["vector", "text"], [1, 3])
    assert report.num_candidates == (1, 3)
    assert [(each.retriever, each.num_candidates, each.reranker) for each in report.results] == [
        (retriever, depth, reranker)
        for retriever in ("vector", "text")
        for depth in (1, 3)
        for reranker in ("none", "judge")
    ]
    assert len(embedder.queries) == 2 * 4  # each depth of vector search; full text embeds no question
    assert {len(passages) for _, passages in judge.calls[:4]} == {1}
    assert {len(passages) for _, passages in judge.calls[4:8]} == {3}
    assert all(len(scores) <= each.num_candidates for each in report.results for scores in each.run.values())


def test_the_gain_is_the_paired_difference_against_no_reranker(
    by_passage: Benchmark, home: Path, embedder: FakeEmbedder
) -> None:
    bad, same = FakeReranker({"30 days": -9.0, "Trains": 1.0}), FakeReranker()
    none, spoiler, kept = report_of(by_passage, home, embedder, none=None, bad=bad, same=same).results
    assert none.gain == {}
    assert none.slow_down is None
    assert none.changes == ()
    for name, gain in spoiler.gain.items():
        gains = [spoiler.per_query[name][query_id] - none.per_query[name][query_id] for query_id in QUESTIONS]
        assert gain.mean == pytest.approx(np.mean(gains))
        assert gain.mean == pytest.approx(means(spoiler)[name] - means(none)[name])
    assert spoiler.gain["MRR@10"].mean < 0
    assert {gain.p_value for gain in kept.gain.values()} == {1.0}
    assert kept.changes == ()


def test_where_no_reranker_was_not_run_there_is_nothing_to_gain(
    by_passage: Benchmark, home: Path, embedder: FakeEmbedder
) -> None:
    (judge,) = report_of(by_passage, home, embedder, judge=Judge()).results
    assert judge.gain == {}
    assert judge.changes == ()
    assert judge.slow_down is not None  # the search was timed all the same


def test_the_slow_down_is_of_the_whole_question(by_passage: Benchmark, home: Path, embedder: FakeEmbedder) -> None:
    class Slow(FakeReranker):
        def score(self, query: str, passages: Sequence[str]) -> list[float]:
            time.sleep(0.05)
            return super().score(query, passages)

    _, slow = report_of(by_passage, home, embedder, none=None, slow=Slow()).results
    assert slow.latency_ms["rerank"].p50 >= 50
    search_ms, rerank_ms = (slow.latency_ms[stage].p50 for stage in ("search", "rerank"))
    assert slow.slow_down == pytest.approx((search_ms + rerank_ms) / search_ms)


class Remembering(FakeReranker):
    """Takes 20 ms for a question with a passage that it has not met."""

    def __init__(self) -> None:
        super().__init__()
        self.met: set[str] = set()
        self.num_forgotten = 0

    def forget(self) -> None:
        self.num_forgotten += 1
        self.met.clear()

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        if not self.met.issuperset(passages):
            time.sleep(0.05)
        self.met.update(passages)
        return super().score(query, passages)


def test_the_passages_of_a_timed_question_are_new_to_the_reranker(
    by_passage: Benchmark, home: Path, embedder: FakeEmbedder
) -> None:
    ours = Remembering()
    result = report_of(by_passage, home, embedder, none=None, ours=ours).results[1]
    assert result.latency_ms["rerank"].p50 >= 50
    assert ours.num_forgotten == len(QUESTIONS)
    judged = judged_table(by_passage, home, embedder)
    timed = evaluate_table(judged, embedder, {"ours": ours}, options=RunOptions(num_timed=2)).results[0]
    assert timed.latency_ms["rerank"].p50 >= 50
    assert ours.num_forgotten == len(QUESTIONS) + 2, "the others are not timed"


# A reranker that fails ----------------------------------------------------------------------------------


class Failing(FakeReranker):
    """Answers so many times."""

    def __init__(self, num_answers: int) -> None:
        super().__init__()
        self._left = num_answers

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        self._left -= 1
        if self._left < 0:
            raise RerankerError("the service is gone")
        return super().score(query, passages)


def test_what_a_reranker_failed_at_is_noted_and_the_rest_is_measured(
    by_passage: Benchmark, home: Path, embedder: FakeEmbedder
) -> None:
    judged, failed = judged_table(by_passage, home, embedder), dict[str, str]()
    rerankers = {"none": None, "lost": Failing(6), "ours": FakeReranker()}
    report = evaluate_table(judged, embedder, rerankers, ["vector"], [3, 50, 2], RunOptions(failed=failed))
    line = "lost failed at question 3: the service is gone (vector search, 50 candidates)"
    assert report.left_out == (line,)
    assert failed == {"lost": line}
    found = [(result.num_candidates, result.reranker) for result in report.results]
    assert found == [(3, "none"), (3, "lost"), (3, "ours"), (50, "none"), (50, "ours"), (2, "none"), (2, "ours")]
    rows = [row.split(" | ") for row in latency_table(report).splitlines() if "lost" in row]
    assert [[bool(cell.strip(" |")) for cell in row] for row in rows] == [[True, True, True, False, False]]


def test_where_nothing_else_is_left_the_failure_is_raised(
    by_passage: Benchmark, home: Path, embedder: FakeEmbedder
) -> None:
    judged = judged_table(by_passage, home, embedder)
    with pytest.raises(RerankerError, match="lost failed at question 2: the service is gone"):
        evaluate_table(judged, embedder, {"lost": Failing(1)}, options=RunOptions(failed={}))
    with pytest.raises(RerankerError, match="lost failed at question 2: the service is gone"):
        report_of(by_passage, home, embedder, none=None, lost=Failing(1))


# The kept table -----------------------------------------------------------------------------------------


def test_what_is_left_out_of_the_benchmark_is_left_out_of_the_report(
    by_document: Benchmark, home: Path, embedder: FakeEmbedder
) -> None:
    lacking = replace(by_document, left_out=("1 judged document is not in the corpus: gone.md",))
    assert report_of(lacking, home, embedder, none=None).left_out == lacking.left_out


@pytest.mark.parametrize("damage", ["manifest", "data", "index", "gone"])
def test_a_damaged_table_is_built_again(damage: str, by_document: Benchmark, home: Path) -> None:
    embedder = CountingEmbedder()
    whole = report_of(by_document, home, embedder, none=None)
    (folder,) = (home / "evaluation").iterdir()
    if damage == "gone":
        shutil.rmtree(next(folder.rglob("*.lance")))
    patterns = {"manifest": "_versions/*", "data": "data/*", "index": "_indices/*/*", "gone": "no/*"}
    for path in folder.rglob(patterns[damage]):
        path.write_bytes(b"\0" * path.stat().st_size)
    embedded = embedder.passages
    again = report_of(by_document, home, embedder, none=None)
    assert again.num_chunks == whole.num_chunks
    assert means(again.results[0]) == means(whole.results[0])
    assert embedder.passages == 2 * embedded


def test_a_table_of_another_schema_does_not_stand_in_the_way(
    by_document: Benchmark, home: Path, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = partial(benchmark_table, by_document, home, embedder)
    before = table().home
    monkeypatch.setattr(Identity.__init__, "__defaults__", ("next",))
    assert table().home != before


def test_another_embedder_in_the_same_folder_gets_a_table_of_its_own(
    by_document: Benchmark, home: Path, tmp_path: Path
) -> None:
    class FolderEmbedder(FakeEmbedder):
        name = str(tmp_path / "embedder")

    def home_of_table() -> Path:
        return benchmark_table(by_document, home, FolderEmbedder()).home

    weights = tmp_path / "embedder" / "0_Transformer" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_text("one")
    first = home_of_table()
    assert home_of_table() == first
    weights.write_text("another")
    assert home_of_table() != first


def test_an_interrupted_build_leaves_nothing_and_what_a_killed_one_left_is_swept(
    by_document: Benchmark, home: Path, embedder: FakeEmbedder
) -> None:
    left = home / "evaluation" / ".unfinished-0123456789ab"
    left.mkdir(parents=True)
    left.with_suffix(".lock").touch()

    def stopped(items: Collection[T], label: str) -> Iterable[T]:  # by its name
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        benchmark_table(by_document, home, embedder, stopped)
    assert list((home / "evaluation").iterdir()) == []


def test_questions_that_changed_are_told_with_both_orders(
    by_passage: Benchmark, home: Path, embedder: FakeEmbedder
) -> None:
    bad = FakeReranker({"30 days": -9.0, "Trains": 1.0})
    none, spoiler = report_of(by_passage, home, embedder, none=None, bad=bad).results
    assert spoiler.changes[0].query_id == "leave"
    assert [change.gain for change in spoiler.changes] == sorted(change.gain for change in spoiler.changes)
    for change in spoiler.changes:
        assert change.before == none.per_query["nDCG@10"][change.query_id]
        assert change.after == spoiler.per_query["nDCG@10"][change.query_id]
        assert change.question == QUESTIONS[change.query_id][0]
        assert change.places_before[0].relevant
        assert QUESTIONS[change.query_id][2] in change.places_before[0].text
        assert sum(place.relevant for place in change.places_after) == 1
        assert "Trains" in change.places_after[0].text
        assert set(change.places_before) == set(change.places_after)  # four passages in all


def ranked(query_id: str, *names: str) -> list[RankedChunk]:
    return rerank(query_id, [make_candidate(name, rank) for rank, name in enumerate(names, 1)], None)


def judged_by(qrels: Qrels) -> JudgedTable:
    """Questions of these ids on no table at all."""
    none: Any = None
    return JudgedTable("tiny", none, "passages", {query_id: query_id for query_id in qrels}, qrels, 1, "", "")


def test_the_oracle_puts_the_most_relevant_first() -> None:
    ranking = ranked("q", *"abcdefghijkl")
    ids = [each.chunk.id for each in ranking]
    found = _oracle(judged_by({"q": {ids[10]: 1, ids[11]: 2}}), {"q": ranking})
    assert found == dict.fromkeys(found, 1.0)
    missing = _oracle(judged_by({"q": {ids[11]: 1, "never found": 1}}), {"q": ranking})
    assert (missing["MRR@10"], missing["recall@50"]) == (1.0, 0.5)


def test_the_ten_largest_changes_of_each_kind_are_kept_the_largest_first() -> None:
    gains = {f"q{number}": number / 100 for number in range(-12, 13)}
    judged = judged_by({query_id: {} for query_id in gains})
    orders = {query_id: ranked(query_id, *"abcdefg") for query_id in gains}
    changes = largest_changes(judged, orders, orders, {id: (0.5, 0.5 + gain) for id, gain in gains.items()})
    assert [change.query_id for change in changes] == [
        *(f"q{number}" for number in range(12, 2, -1)),
        *(f"q{number}" for number in range(-12, -2)),
    ]
    assert [place.text for place in changes[0].places_after] == list("abcde")


def test_where_documents_are_judged_each_has_one_place(
    by_document: Benchmark, home: Path, embedder: FakeEmbedder
) -> None:
    order = FakeReranker({"Annual leave": 3.0, "Trains": 2.0, "Parental leave": 1.0})
    _, result = report_of(by_document, home, embedder, none=None, order=order).results
    change = next(change for change in result.changes if change.query_id == "vpn")
    assert [place.document for place in change.places_after] == ["handbook/leave.md", "handbook/travel.md", "it/vpn.md"]
    assert [place.relevant for place in change.places_after] == [False, False, True]
    assert "30 days" in change.places_after[0].text  # its best passage and not its last
    assert list(result.run["vpn"]) == ["handbook/leave.md", "handbook/travel.md", "it/vpn.md"]


def test_the_run_measures_as_the_report_says(by_passage: Benchmark, home: Path, embedder: FakeEmbedder) -> None:
    report = report_of(by_passage, home, embedder, none=None, judge=Judge())
    for result in report.results:
        assert measure(report.qrels, result.run) == result.per_query
