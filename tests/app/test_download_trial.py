from __future__ import annotations

from pathlib import Path

import pytest

from app.downloads.trial import NUM_PASSAGES, try_model, words
from app.feedback import FeedbackStore, Judgement
from app.pipeline import Pipeline
from app.registry import Registry, RegistryError
from app.settings import Settings
from app.training.gate.decision import GateReport
from ingest.table import ChunkTable
from tests.app.builders import add_model, write_benchmark
from tests.conftest import DOCUMENTS, FakeEmbedder, FakeReranker


@pytest.fixture
def candidate(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> FakeReranker:
    """The reranker that a registered model opens as; the live one does not know what is relevant."""
    corpus = [{"_id": name, "title": name, "text": text * 300} for name, text in DOCUMENTS.items()]
    queries = [{"_id": "q1", "text": "hotel night"}, {"_id": "q2", "text": "leave year"}]
    folder = write_benchmark(
        tmp_path / "probe", corpus, queries, [("q1", "handbook/travel.md", 1), ("q2", "handbook/leave.md", 1)]
    )
    for module in ("app.downloads.trial", "app.training.candidate"):
        monkeypatch.setattr(f"{module}.PROBE", folder)
    reranker = FakeReranker({"hotel": 5.0, "leave": 3.0})
    for module in ("app.downloads.trial", "app.training.candidate"):
        monkeypatch.setattr(f"{module}.open_reranker", lambda *_, **__: reranker)
        monkeypatch.setattr(f"{module}.load_reranker", lambda *_: FakeReranker({"tunnel": 1.0}))
    return reranker


@pytest.fixture
def pipeline(settings: Settings, table: ChunkTable, embedder: FakeEmbedder) -> Pipeline:
    return Pipeline(settings, embedder)


def test_a_model_is_timed_and_compared_on_judged_questions_and_the_samples(
    candidate: FakeReranker, pipeline: Pipeline
) -> None:
    home = pipeline.settings.home
    name = add_model(home, kind="cross-encoder")
    (chunk,) = [
        chunk
        for document in pipeline.table.documents()
        for chunk in pipeline.table.chunks_of(document.id)
        if "hotel" in chunk.text
    ]
    FeedbackStore(home).judge([Judgement.of("What may a hotel cost?", chunk.ref, "relevant", "cora")])
    report = try_model(name, pipeline)
    assert max(len(passages) for _, passages in candidate.calls) == NUM_PASSAGES
    assert (report.live, report.candidate, report.num_questions) == ("shipped", name, 1)
    assert report.probe is not None
    assert report.probe.mean > 0
    assert report.verdict == "too little data"
    assert GateReport.load(Registry(home).folder(name)) == report
    time_taken, yours, sample = words(report)
    assert time_taken.startswith("Time on this machine: ")
    assert yours.startswith("On your questions: Too little data to tell: the feedback has 1 new questions")
    assert sample.startswith("On the sample's questions: +")
    Registry(home).check(name)  # the report is none of the files that a model is loaded from


def test_a_model_trained_here_is_not_tried_again(pipeline: Pipeline) -> None:
    name = add_model(pipeline.settings.home, job_id="job-1")
    with pytest.raises(RegistryError, match="was trained here"):
        try_model(name, pipeline)


def test_without_judged_questions_there_are_the_samples(candidate: FakeReranker, pipeline: Pipeline) -> None:
    report = try_model(add_model(pipeline.settings.home, kind="cross-encoder"), pipeline)
    assert (report.num_questions, report.verdict) == (0, "too little data")
    assert report.probe is not None


def test_a_model_over_the_budget_is_timed_only(candidate: FakeReranker, pipeline: Pipeline) -> None:
    pipeline.settings.rerank_budget_ms = 1e-9
    name = add_model(pipeline.settings.home, kind="cross-encoder")
    report = try_model(name, pipeline)
    assert (report.verdict, report.probe) == ("keep", None)
    assert f"Keep shipped: {name} is too slow" in report.sentence
    assert "times shipped" not in report.sentence  # a larger model may take longer, within the budget
    assert len(words(report)) == 2
