from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from app.access.admission import Admission, BusyError
from app.answering import Answerer, AnswerJobStore
from app.feedback import FeedbackStore
from app.pipeline import Pipeline
from app.settings import Settings
from app.telemetry import open_telemetry
from app.telemetry.stages import observe_with
from ingest import CiteloopError
from tests.conftest import FakeEmbedder, FakeLanguageModel

QUESTION = "What may a hotel cost a night?"


class Received:
    """What a receiver gets, kept in memory."""

    def __init__(self, *, with_texts: bool = False) -> None:
        pytest.importorskip("opentelemetry.sdk")
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        self._spans, self._metrics, tracers = InMemorySpanExporter(), InMemoryMetricReader(), TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        meter = MeterProvider([self._metrics]).get_meter("citeloop")
        observe_with(open_telemetry.OpenTelemetry(tracers.get_tracer("citeloop"), meter, with_texts))

    @property
    def spans(self) -> dict[str, Any]:
        return {span.name: span for span in self._spans.get_finished_spans()}

    @property
    def metrics(self) -> dict[str, list[Any]]:
        data: Any = self._metrics.get_metrics_data()
        (scope,) = data.resource_metrics[0].scope_metrics
        return {metric.name.removeprefix("citeloop."): list(metric.data.data_points) for metric in scope.metrics}


@pytest.fixture(autouse=True)
def nobody_afterwards() -> Iterator[None]:
    yield
    observe_with(None)


@pytest.fixture
def writing(settings: Settings, pipeline: Pipeline, embedder: FakeEmbedder) -> Pipeline:
    return Pipeline(settings, embedder, FakeLanguageModel("A hotel may cost 150 euros a night [1]."))


def test_a_question_is_a_trace_with_the_names_of_openinference(writing: Pipeline) -> None:
    received, store = Received(), FeedbackStore(writing.settings.home)
    answerer = Answerer(writing, store, AnswerJobStore(writing.settings.home))
    answer_id = answerer.ask(QUESTION, "conversation", "ann")
    answerer.wait()
    spans = received.spans
    kinds = {name: span.attributes["openinference.span.kind"] for name, span in spans.items()}
    expected = {"wait": "CHAIN", "search": "RETRIEVER", "rerank": "RERANKER", "answer": "LLM", "question": "CHAIN"}
    assert kinds == expected
    root = spans.pop("question")
    assert {span.parent.span_id for span in spans.values()} == {root.context.span_id}
    assert {span.attributes["citeloop.request"] for span in spans.values()} == {answer_id}
    stored = store.answer(answer_id, "ann")
    assert stored is not None
    best = stored.answer.ranking[0].chunk.id
    assert spans["rerank"].attributes["reranker.output_documents.0.document.id"] == best
    assert spans["search"].attributes["retrieval.documents.0.document.score"] > 0
    assert spans["rerank"].attributes["reranker.model_name"] == "none"
    assert spans["answer"].attributes["llm.model_name"] == "fake-writer"
    assert spans["answer"].attributes["citeloop.found"] is True


@pytest.mark.parametrize("with_texts", [False, True])
def test_texts_are_sent_only_where_they_are_wanted(writing: Pipeline, with_texts: bool) -> None:
    received = Received(with_texts=with_texts)
    writing.ask(QUESTION)
    sent = str([dict(span.attributes) for span in received.spans.values()])
    for text in (QUESTION, "Trains come first", "A hotel may cost 150 euros a night [1]."):
        assert (text in sent) == with_texts
    if with_texts:
        assert received.spans["answer"].attributes["input.value"] == QUESTION
        assert received.spans["answer"].attributes["output.value"].startswith("A hotel")
        assert received.spans["rerank"].attributes["reranker.query"] == QUESTION
        assert "150 euros" in received.spans["search"].attributes["retrieval.documents.0.document.content"]


def test_a_failed_stage_has_the_kind_of_error_and_not_its_words(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(question: str, _within: object) -> None:
        raise ValueError(f"cannot read {question}")

    received = Received(with_texts=False)
    monkeypatch.setattr(pipeline, "search", fail)
    with pytest.raises(ValueError, match="cannot read"):
        pipeline.rank(QUESTION)
    span = received.spans["search"]
    assert (span.status.is_ok, span.status.description, span.events) == (False, "ValueError", ())


def test_what_is_counted(writing: Pipeline) -> None:
    received, store = Received(), FeedbackStore(writing.settings.home)
    answer = writing.ask(QUESTION)
    stored = store.answer(store.save_answer(answer, "conversation", "ann"), "ann")
    assert stored is not None
    for _ in range(2):  # the second click changes nothing
        store.record(stored, answer.citations[0].chunk.id, "deleted", "ann")
    admission = Admission(1, 0)
    with admission.slot(), pytest.raises(BusyError), admission.slot():
        pass
    metrics = received.metrics
    (questions,), (strikes,), (refusals,) = metrics["questions"], metrics["strikes"], metrics["refusals"]
    assert (questions.value, dict(questions.attributes)) == (1, {"found": True, "answered_by": "fake-writer"})
    assert strikes.value == 1
    assert (refusals.value, dict(refusals.attributes)) == (1, {"reason": "busy"})
    assert metrics["queue"][0].value == 0
    seconds = {point.attributes["stage"]: point for point in metrics["stage.duration"]}
    assert set(seconds) == {"wait", "search", "rerank", "answer"}
    assert all(point.sum < 60 for point in seconds.values())


def test_off_unless_a_receiver_is_named() -> None:
    code = """
import os, sys
from app.telemetry import open_telemetry, stages
receiver = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
for environment in ({}, {"OTEL_SERVICE_NAME": "ours"}, {**receiver, "OTEL_SDK_DISABLED": "true"}):
    os.environ.update(environment)
    open_telemetry.start()
    assert stages._observer is None
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""
    subprocess.run([sys.executable, "-c", code], env={"PATH": ""}, check=True)


def test_on_where_a_receiver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    from opentelemetry import trace

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9/v1/traces")
    before = trace.get_tracer_provider()
    open_telemetry.start()
    from app.telemetry import stages

    assert isinstance(stages._observer, open_telemetry.OpenTelemetry)
    assert trace.get_tracer_provider() is before  # other libraries send nothing


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(CiteloopError, match=r"pip install 'citeloop\[otel\]'"):
        open_telemetry.start()
